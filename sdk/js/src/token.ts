/** A token is renewed this long before it expires, so that it does not expire on the way. */
const margin_s = 30;

/** The app's token, asked for when it is needed and kept while it is good. */
export class TokenSource {
  readonly #getToken: () => string | Promise<string>;
  readonly #timeout_ms: number;
  #token: string | null = null;
  #asking: Promise<string> | null = null;

  constructor(getToken: () => string | Promise<string>, timeout_ms: number) {
    this.#getToken = getToken;
    this.#timeout_ms = timeout_ms;
  }

  /** Rejects with whatever the app's getToken rejects with, or when it has not answered in time. */
  get(): Promise<string> {
    if (this.#token !== null && !expiresSoon(this.#token)) return Promise.resolve(this.#token);
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** The server refused `token`: the app is asked for another one next time. */
  refuse(token: string): void {
    if (this.#token === token) this.#token = null;
  }

  /** A getToken that never answers must not hold the client for ever; one that answers late is not asked in vain. */
  async #ask(): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no token within ${this.#timeout_ms / 1000} s`)), this.#timeout_ms);
    });
    return Promise.race([this.#fetch(), late]).finally(() => clearTimeout(timer));
  }

  async #fetch(): Promise<string> {
    const token = await this.#getToken();
    if (typeof token !== 'string' || token === '') throw new Error('getToken gave no token');
    this.#token = token;
    return token;
  }
}

/** Reads `exp` of a JWT (RFC 7519 section 4.1.4). A token that cannot be read is left for the server to judge. */
function expiresSoon(token: string): boolean {
  try {
    const claims: unknown = JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')));
    const exp = (claims as { exp?: unknown }).exp;
    return typeof exp === 'number' && exp - margin_s < Date.now() / 1000;
  } catch {
    return false;
  }
}
