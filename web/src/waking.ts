import { element } from './dom.js';
import { tokenFor } from './session.js';

const waking_key = 'offhook.waking';
const worker_path = './wake_worker.js';
const subscriptions_path = 'api/push/subscriptions';

/** What the service worker asks the pages (web/public/wake_worker.js). */
interface Question {
  type: 'rings-here' | 'answer';
  call: string;
  user: string;
}

/** Where the page stands, as far as the service worker wants to know. */
export interface Ringing {
  /** The person here is this one, sees the page, and the call rings on it. */
  ringsHere(user: string, call: string): boolean;
  /** Answers the call, at once or when it comes. False if somebody else is signed in here. */
  answer(user: string, call: string): boolean;
}

/** The button by which a person is rung although no page is open: Web Push to this browser. */
export class Waking {
  readonly #button = element('wake', HTMLButtonElement);
  readonly #say: (text: string | null) => void;
  #user: string | null = null;

  constructor(ringing: Ringing, say: (text: string | null) => void) {
    this.#say = say;
    this.#button.addEventListener('click', () => void this.#toggle());
    if (!this.#possible) return;
    navigator.serviceWorker.addEventListener('message', (event) => {
      const question = event.data as Question;
      const said = question.type === 'answer' ? ringing.answer(question.user, question.call) : ringing.ringsHere(question.user, question.call);
      event.ports[0]?.postMessage(said);
    });
    navigator.serviceWorker.startMessages();
  }

  /** Somebody has signed in. What this browser had subscribed for them is told to the server again: it may have lost it. */
  async enter(user: string): Promise<void> {
    this.#user = user;
    this.#button.hidden = !this.#possible;
    this.#render();
    if (!this.#on) return;
    await this.#subscribe(user).catch(() => this.#forget());
  }

  /** They have signed out: this browser is theirs no more. */
  async leave(): Promise<void> {
    const user = this.#user;
    this.#user = null;
    if (user !== null && localStorage.getItem(waking_key) === user) await this.#unsubscribe(user).catch(() => undefined);
  }

  /** The call rings no more, or somebody is at it: so does its notification. */
  async close(call: string): Promise<void> {
    const registration = this.#possible ? await navigator.serviceWorker.getRegistration(worker_path) : undefined;
    for (const notification of (await registration?.getNotifications({ tag: call })) ?? []) notification.close();
  }

  get #possible(): boolean {
    return 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window;
  }

  get #on(): boolean {
    return this.#user !== null && localStorage.getItem(waking_key) === this.#user;
  }

  #render(): void {
    this.#button.setAttribute('aria-pressed', String(this.#on));
    this.#button.textContent = this.#on ? 'Rings when this page is closed. Turn it off' : 'Ring me when this page is closed';
  }

  #forget(): void {
    localStorage.removeItem(waking_key);
    this.#render();
  }

  async #toggle(): Promise<void> {
    const user = this.#user;
    if (user === null) return;
    this.#button.disabled = true;
    this.#say(null);
    try {
      if (this.#on) await this.#unsubscribe(user);
      else await this.#permit(user);
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error));
    } finally {
      this.#button.disabled = false;
      this.#render();
    }
  }

  async #permit(user: string): Promise<void> {
    if ((await Notification.requestPermission()) !== 'granted') {
      throw new Error('The browser shows no notifications of this page. Allow them in its settings, then try again.');
    }
    await this.#subscribe(user);
    localStorage.setItem(waking_key, user);
  }

  async #subscribe(user: string): Promise<void> {
    await navigator.serviceWorker.register(worker_path);
    const { pushManager } = await navigator.serviceWorker.ready;
    const key = await applicationServerKey();
    const options = { userVisibleOnly: true, applicationServerKey: key };
    const subscription = await pushManager.subscribe(options).catch(async (error: unknown) => {
      // Of another key: the server has a new one.
      const old = await pushManager.getSubscription();
      if (!old) throw new Error(`The browser’s push service cannot be reached (${String(error)}). Try again later.`);
      await old.unsubscribe();
      return pushManager.subscribe(options);
    });
    await tell('POST', user, subscription.toJSON());
  }

  async #unsubscribe(user: string): Promise<void> {
    const registration = await navigator.serviceWorker.getRegistration(worker_path);
    const subscription = await registration?.pushManager.getSubscription();
    this.#forget();
    if (!subscription) return;
    await tell('DELETE', user, { endpoint: subscription.endpoint });
    await subscription.unsubscribe();
  }
}

async function applicationServerKey(): Promise<ArrayBuffer> {
  const response = await fetch('api/push/key', { cache: 'no-store' });
  const { key } = (await response.json()) as { key: string };
  const text = atob(key.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
}

async function tell(method: 'POST' | 'DELETE', user: string, body: object): Promise<void> {
  const headers = { Authorization: `Bearer ${await tokenFor(user)}`, 'Content-Type': 'application/json' };
  const response = await fetch(subscriptions_path, { method, headers, body: JSON.stringify(body) });
  if (response.ok) return;
  const answer = (await response.json().catch(() => ({}))) as { error?: { message?: string } };
  throw new Error(answer.error?.message ?? `The server answered ${response.status}.`);
}
