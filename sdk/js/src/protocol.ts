// The messages of docs/protocol.md, as types.

/** Which kinds of media a party sends. */
export interface MediaKinds {
  audio: boolean;
  video: boolean;
}

/** What a party sends now, by its switches; `hold`: nothing is sent nor played, whatever the others say. */
export interface MediaState extends MediaKinds {
  /** In the place of the camera. */
  screen: boolean;
  hold: boolean;
}

/** One ICE candidate; `candidate` = "" is the end of candidates of its generation. */
export interface IceCandidate {
  candidate: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
  usernameFragment?: string | null;
}

/**
 * How far a call may connect while it rings: `direct`, `relay` (until the accept nothing but relay addresses is told to the
 * other side), or `off`.
 */
export type WarmPath = 'direct' | 'relay' | 'off';

export type EndReason =
  | 'hangup'
  | 'canceled'
  | 'declined'
  | 'answered_elsewhere'
  | 'declined_elsewhere'
  | 'busy'
  | 'no_answer'
  | 'unreachable'
  | 'media_denied'
  | 'ice_failed'
  | 'ice_lost'
  | 'signaling_lost'
  | 'credentials'
  | 'blocked'
  | 'server_shutdown'
  | 'error'
  /** Of a room that one cannot join; calls do not end so. */
  | 'room_full';

export type RejectReason = 'declined' | 'busy' | 'media_denied';
export type HangupReason = 'hangup' | 'ice_failed' | 'ice_lost' | 'media_denied' | 'error';

export interface PairSummary {
  local: string;
  remote: string;
  protocol: string;
}

export type ClientMessage =
  | { type: 'dial'; call: string; to: string; media: MediaKinds; room?: string }
  | { type: 'ringing'; call: string }
  | { type: 'accept'; call: string; media: MediaKinds }
  | { type: 'reject'; call: string; reason: RejectReason; here?: true }
  | { type: 'hangup'; call: string; reason: HangupReason }
  | { type: 'offer'; call: string; generation: number; sdp: string; fresh?: true }
  | { type: 'answer'; call: string; generation: number; sdp: string }
  | { type: 'ice-candidate'; call: string; generation: number; candidate: IceCandidate }
  | { type: 'connected'; call: string; time_to_connect_ms: number; pair?: PairSummary }
  | { type: 'state'; call: string; media: MediaKinds & { screen: boolean }; hold: boolean }
  | { type: 'take'; call: string; media: MediaKinds }
  | { type: 'elsewhere' }
  | { type: 'join' | 'leave'; room: string }
  | { type: 'block' | 'unblock'; user: string }
  | Snapshot
  | { type: 'bye' };

/** What a server is told of a call that it may know nothing of. */
export interface Snapshot {
  type: 'snapshot';
  call: string;
  peer: string;
  role: 'caller' | 'callee';
  state: 'ringing' | 'accepted' | 'connected' | 'ended';
  media?: MediaKinds;
  generation?: number;
  age_ms?: number;
  reason?: EndReason;
  accepted?: boolean;
  room?: string;
}

/** A call of this user that another device has. */
export interface TakeableCall {
  call: string;
  peer: string;
  role: 'caller' | 'callee';
  /** Of the other side. */
  media: MediaKinds & { screen: boolean };
  hold: boolean;
}

/** A dial, a take or an offer that the server may refuse. */
export interface Refusable {
  type: 'dial' | 'take' | 'offer';
  generation: number;
}

/** `refused` of an error does not travel: the connection sets it if `ref` is the number of one of these. */
export type ServerMessage =
  | { type: 'incoming'; call: string; from: string; media: MediaKinds; age_ms: number; warm_path?: WarmPath; room?: string }
  | { type: 'ringing'; call: string }
  | { type: 'accepted'; call: string; media: MediaKinds; fresh?: boolean }
  | { type: 'offer'; call: string; generation: number; sdp: string; from: string; fresh?: boolean }
  | { type: 'answer'; call: string; generation: number; sdp: string; from: string }
  | { type: 'ice-candidate'; call: string; generation: number; candidate: IceCandidate; from: string }
  | { type: 'place'; call: string; to: string; media: MediaKinds; age_ms: number }
  | { type: 'restored'; call: string; generation: number }
  | { type: 'state'; call: string; media: MediaKinds & { screen: boolean }; hold: boolean; from: string }
  | ({ type: 'taken'; generation?: number } & TakeableCall)
  | { type: 'elsewhere'; call?: undefined; calls: TakeableCall[] }
  | { type: 'joined'; call?: undefined; room: string; device: string; members: { user: string; device: string }[] }
  | { type: 'member_joined'; call?: undefined; room: string; user: string; device: string }
  | { type: 'member_left'; call?: undefined; room: string; user: string; device: string; reason: EndReason }
  | { type: 'left'; call?: undefined; room: string; reason: EndReason; verdict?: string; retryable?: boolean }
  | { type: 'blocked' | 'unblocked'; call?: undefined; user: string }
  | { type: 'ended'; call: string; reason: EndReason; verdict?: string; retryable?: boolean }
  | { type: 'error'; code: string; message: string; call?: string; room?: string; user?: string; ref?: number; retry_after_ms?: number; refused?: Refusable };

export interface Welcome {
  type: 'welcome';
  session: string;
  resume_token: string;
  resumed: boolean;
  user: string;
  ack: number;
  ping_interval_ms: number;
  ring_timeout_ms: number;
}

/** The body of GET /api/turn/credentials, and of the server's `credentials` frame. */
export interface Credentials {
  username: string;
  ttl: number;
  uris: string[];
  iceServers: RTCIceServer[];
}

/** A numbered message as it travels: `seq` counts in its direction, `ack` acknowledges the other direction. */
export type Numbered<M> = M & { seq: number; ack: number };

/** Close codes of the server, docs/protocol.md section "Close codes". */
export const close_codes = {
  bad_message: 4400,
  token: 4401,
  forbidden: 4403,
  replaced: 4409,
  too_big: 4413,
  overflow: 4429,
} as const;
