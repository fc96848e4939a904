import type { GetUserMedia } from './media.js';

/** What the SDK takes from the browser; a test puts its own in place. */
export interface Environment {
  origin: string;
  openSocket: (url: string) => WebSocket;
  fetch: typeof fetch;
  createPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  /** Null where the browser gives no devices: a page without https. */
  getUserMedia: GetUserMedia | null;
}

export function browserEnvironment(): Environment {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  return {
    origin: location.origin,
    openSocket: (url) => new WebSocket(url),
    fetch: (input, init) => fetch(input, init),
    createPeerConnection: (configuration) => new RTCPeerConnection(configuration),
    getUserMedia: devices ? (constraints) => devices.getUserMedia(constraints) : null,
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
