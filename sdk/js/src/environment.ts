import { connectionOfNewFrame } from './frame.js';
import type { GetUserMedia } from './media.js';

/** What the SDK takes from the browser; a test puts its own in place. */
export interface Environment {
  origin: string;
  openSocket: (url: string) => WebSocket;
  fetch: typeof fetch;
  /** `anew`: the network under the page has changed, and the browser may not have told its connections yet. */
  createPeerConnection: (configuration: RTCConfiguration, anew: boolean) => RTCPeerConnection;
  /** Null where the browser gives no devices: a page without https. */
  getUserMedia: GetUserMedia | null;
  /** Null where the browser shares no screens. */
  getDisplayMedia: GetUserMedia | null;
  /** Null where the browser tells nothing about permissions. */
  permissions: Pick<Permissions, 'query'> | null;
  /** Tells of changes of the network: `certain` if the browser says so, false if it only hints at one. Returns what stops it. */
  watchNetwork: (changed: (certain: boolean) => void) => () => void;
}

export function browserEnvironment(): Environment {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  return {
    origin: location.origin,
    openSocket: (url) => new WebSocket(url),
    fetch: (input, init) => fetch(input, init),
    createPeerConnection: (configuration, anew) => (anew && connectionOfNewFrame(configuration)) || new RTCPeerConnection(configuration),
    getUserMedia: devices ? (constraints) => devices.getUserMedia(constraints) : null,
    // Browsers of phones have none.
    getDisplayMedia: (devices as Partial<MediaDevices> | undefined)?.getDisplayMedia ? (options) => navigator.mediaDevices.getDisplayMedia(options) : null,
    permissions: (navigator.permissions as Permissions | undefined) ?? null,
    watchNetwork,
  };
}

/** Of Chromium alone, and its `type` of mobile devices alone (Network Information API). */
type NetworkInformation = EventTarget & { type?: string };

function watchNetwork(changed: (certain: boolean) => void): () => void {
  const network = (navigator as { connection?: NetworkInformation }).connection;
  let type = network?.type;
  const handleOnline = (): void => changed(true);
  // It also tells of every new estimate of the speed.
  const handleChange = (): void => {
    const before = type;
    type = network?.type;
    if (type !== 'none') changed(type !== before);
  };
  addEventListener('online', handleOnline);
  network?.addEventListener('change', handleChange);
  return () => {
    removeEventListener('online', handleOnline);
    network?.removeEventListener('change', handleChange);
  };
}

/** An http or ws address, with or without `/ws`, as the two addresses that are needed of it. */
export function addressesOf(url: string): { socket: string; credentials: string } {
  const base = new URL(url);
  const path = base.pathname.replace(/\/(ws)?$/, '');
  const secure = base.protocol === 'https:' || base.protocol === 'wss:';
  return {
    socket: `${secure ? 'wss' : 'ws'}://${base.host}${path}/ws`,
    credentials: `${secure ? 'https' : 'http'}://${base.host}${path}/api/turn/credentials`,
  };
}
