import { CallClient, type RelayTransport, type WarmPath } from 'offhook';

const name_key = 'offhook.name';

/** What the address of the page asks for. */
export interface PageParameters {
  name: string;
  call: string;
  /** The call to answer at once: somebody has clicked its notification. */
  answer: string;
  /** The room to join at once. */
  room: string;
  relay_only: boolean;
  transports: RelayTransport[] | null;
  warm_path: WarmPath | null;
}

export function pageParameters(): PageParameters {
  const query = new URLSearchParams(location.search);
  const transports = (query.get('transport') ?? '').split(',').filter((word): word is RelayTransport => ['udp', 'tcp', 'tls'].includes(word));
  const warm_path = (['direct', 'relay', 'off'] as const).find((word) => word === query.get('warm')) ?? null;
  return {
    name: query.get('name') ?? '',
    call: query.get('call') ?? '',
    answer: query.get('answer') ?? '',
    room: query.get('room') ?? '',
    relay_only: query.get('policy') === 'relay',
    transports: transports.length > 0 ? transports : null,
    warm_path,
  };
}

/** The name of this tab: two tabs are two people. */
export const rememberedName = {
  get: (): string => sessionStorage.getItem(name_key) ?? '',
  set: (name: string): void => sessionStorage.setItem(name_key, name),
  clear: (): void => sessionStorage.removeItem(name_key),
};

/** Asks the server for a token as `name`. Rejects with a sentence for the person. */
export async function tokenFor(name: string): Promise<string> {
  const response = await fetch(`api/dev/token?user=${encodeURIComponent(name)}`, { cache: 'no-store' }).catch(() => {
    throw new Error('The server cannot be reached. Check that it runs, then try again.');
  });
  if (response.status === 404) {
    throw new Error(
      'This server takes its users from an app: the app’s backend signs a token for each of them. ' +
        'To try calls without an app, start the server with --dev.',
    );
  }
  const body = (await response.json().catch(() => ({}))) as { token?: string; error?: { message?: string } };
  if (!response.ok || !body.token) throw new Error(body.error?.message ?? `The server answered ${response.status}.`);
  return body.token;
}

/** Signs in. Rejects with a sentence for the person. */
export async function signIn(name: string, parameters: PageParameters): Promise<CallClient> {
  let first: string | null = await tokenFor(name);
  // Software encoding of a large picture needs more than two cores.
  const large = navigator.hardwareConcurrency > 2 && !navigator.webdriver;
  return new CallClient({
    url: new URL('.', location.href).href,
    getToken: () => {
      const token = first;
      first = null;
      return token ?? tokenFor(name);
    },
    devices: { video: large ? { width: { ideal: 1280 }, height: { ideal: 720 } } : {} },
    iceTransportPolicy: parameters.relay_only ? 'relay' : 'all',
    ...(parameters.warm_path ? { warmPath: parameters.warm_path } : {}),
    ...(parameters.transports ? { relayTransports: parameters.transports } : {}),
  });
}
