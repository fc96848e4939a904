import type { Call } from './call.js';
import type { CallError } from './errors.js';
import type { Devices, GetUserMedia } from './media.js';
import type { Policy } from './policy.js';
import type { ClientMessage, MediaKinds, WarmPath } from './protocol.js';
import type { Direction } from './report.js';

/** What a call needs from the client that made it. */
export interface CallDeps {
  send: (message: ClientMessage) => void;
  /** Null if there are no relay credentials and the app wants no other path. `anew`: nothing that was gathered before counts. */
  takeConnection: (anew: boolean) => Promise<RTCPeerConnection | null>;
  /** The newest STUN and TURN servers; null before the first. */
  iceServers: () => RTCIceServer[] | null;
  /** Whether one more call may connect while it rings. */
  mayWarm: () => boolean;
  online: () => boolean;
  /** The path is silent or lost; the socket may be, too. */
  suspectSocket: () => void;
  getUserMedia: GetUserMedia | null;
  getDisplayMedia: GetUserMedia | null;
  /** Whether microphone and camera open without a question to the person. */
  devicesAllowed: () => boolean;
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
  /** Of the side that dials, or of this one if it takes the call. */
  media: MediaKinds;
  /** Whether another device of this user has the call until now. */
  takes?: boolean;
  /** Of an incoming call: how far it may connect while it rings. */
  warm_path?: WarmPath | undefined;
}
