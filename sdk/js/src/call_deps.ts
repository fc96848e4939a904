import type { Call } from './call.js';
import type { CallError } from './errors.js';
import type { Devices, GetUserMedia } from './media.js';
import type { Policy } from './policy.js';
import type { ClientMessage, MediaKinds } from './protocol.js';
import type { Direction } from './report.js';

/** What a call needs from the client that made it. */
export interface CallDeps {
  send: (message: ClientMessage) => void;
  /** Null if there are no relay credentials and the app wants no other path. */
  takeConnection: () => Promise<RTCPeerConnection | null>;
  online: () => boolean;
  getUserMedia: GetUserMedia | null;
  devices: Devices;
  playAudio: boolean;
  policy: Policy;
  log: (text: string, call: string) => void;
  /** How long the server lets a call ring, in milliseconds. */
  ringTimeout: () => number;
  error: (error: CallError) => void;
  /** The call is answered, here or there; other calls to the same party have lost their purpose. */
  accepted: (call: Call) => void;
}

export interface CallInit {
  id: string;
  peer: string;
  direction: Direction;
  /** Of the side that dials. */
  media: MediaKinds;
}
