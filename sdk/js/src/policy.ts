/** Every wait and limit of the SDK, in one object, so that an app (or a test) can see and change them. */
export interface Policy {
  /** Waits before the 1st, 2nd … attempt to open the socket again; the last one repeats. */
  reconnect_delays_ms: readonly number[];
  /** Each wait is multiplied by a random 1 ± this, so that a restarted server is not met by everybody at once. */
  reconnect_jitter: number;
  /** A socket that is neither open nor refused after this is given up. */
  open_timeout_ms: number;
  /** An app's getToken that has not answered after this counts as failed. */
  token_timeout_ms: number;
  /** No pong after this: the socket is dead (docs/protocol.md). */
  pong_timeout_ms: number;
  /** The same, right after somebody dials or the network comes back. */
  probe_timeout_ms: number;
  /** An acknowledgement waits no longer than this for a message to travel with. */
  ack_delay_ms: number;
  /** A dial waits no longer than this for the first TURN credentials. */
  credentials_wait_ms: number;
  /** A request for credentials without an answer is given up after this. */
  credentials_timeout_ms: number;
  /** A warm connection older than this is replaced: NAT bindings and networks change under an idle one. */
  warm_lifetime_ms: number;
  /** After one is taken the next is made this much later, so that it does not compete with the call. */
  warm_refill_ms: number;
  /** ICE often comes back by itself from `disconnected`; after this it is helped by a restart. */
  disconnected_grace_ms: number;
  /** While there is no path, ICE is restarted this often. */
  restart_interval_ms: number;
  /** No path for this long ends the call. */
  give_up_ms: number;
  /** A path, but no media for this long, ends the call: longer, as a person may be reading a permission prompt. */
  media_timeout_ms: number;
  /** When one kind of media is decoded and another has not come for this long, the call counts as connected. */
  late_media_ms: number;
  /** A dialled call that the server has not answered with anything, and cannot be reached for, ends after this. */
  dial_timeout_ms: number;
  /** The server ends a call that nobody answers; if its word does not come, the call ends here this much later. */
  ring_grace_ms: number;
  /** Without a connection for this long the session is gone (docs/protocol.md), and a call that rings with it. */
  session_lifetime_ms: number;
  /** How often decoded media is looked for until it is there. */
  poll_ms: number;
  /** How often the path is looked at afterwards. */
  watch_ms: number;
  /** A camera that is switched off sends black for this long, then it is released. */
  camera_release_ms: number;
  /** Whether a call that comes in during another one is answered `busy` by itself. */
  busy_in_call: boolean;
}

export const default_policy: Policy = {
  reconnect_delays_ms: [0, 300, 600, 1200, 2400, 4800, 7000],
  reconnect_jitter: 0.2,
  open_timeout_ms: 6000,
  token_timeout_ms: 10_000,
  pong_timeout_ms: 5000,
  probe_timeout_ms: 2000,
  ack_delay_ms: 40,
  credentials_wait_ms: 3000,
  credentials_timeout_ms: 8000,
  warm_lifetime_ms: 240_000,
  warm_refill_ms: 2000,
  disconnected_grace_ms: 2000,
  restart_interval_ms: 8000,
  give_up_ms: 30_000,
  media_timeout_ms: 60_000,
  late_media_ms: 10_000,
  dial_timeout_ms: 20_000,
  ring_grace_ms: 5000,
  session_lifetime_ms: 30_000,
  poll_ms: 50,
  watch_ms: 1000,
  camera_release_ms: 1000,
  busy_in_call: true,
};
