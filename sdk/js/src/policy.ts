/** Every wait and limit of the SDK, in one object, so that an app (or a test) can see and change them. */
export interface Policy {
  /** Waits before the 1st, 2nd … attempt to open the socket again; the last one repeats. */
  reconnect_delays_ms: readonly number[];
  /**
   * The same while there is a call, which a server that was restarted is to know of soon. Not shorter: Chromium holds back a
   * page's sockets for seconds when many have failed.
   */
  live_reconnect_delays_ms: readonly number[];
  /** Each wait is multiplied by a random 1 ± this, so that a restarted server is not met by everybody at once. */
  reconnect_jitter: number;
  /** A socket that is neither open nor refused after this is given up. */
  open_timeout_ms: number;
  /** An app's getToken that has not answered after this counts as failed. */
  token_timeout_ms: number;
  /** No pong after this: the socket is dead (docs/protocol.md). */
  pong_timeout_ms: number;
  /** No pong after this, while a call is set up or interrupted: a second socket is opened beside the silent one. */
  probe_timeout_ms: number;
  /** How often the socket is asked then; with `probe_timeout_ms` a dead one is found within 2 s. */
  urgent_ping_interval_ms: number;
  /** A socket that is not through after this gets another one at its side then: a lost SYN costs a second and more. */
  socket_hedge_ms: number;
  /** After a change of the network a socket that fails is tried again this soon: the new network may not be ready. Later ones wait longer. */
  socket_again_ms: number;
  /** A hello without a welcome for this long is given up for another socket: several round trips of a slow network; the next one has twice as long. */
  welcome_wait_ms: number;
  /** An acknowledgement waits no longer than this for a message to travel with. */
  ack_delay_ms: number;
  /** The server pushes TURN credentials right after its welcome; if it has not after this, they are fetched. */
  credentials_push_wait_ms: number;
  /** The same without a welcome: a server whose socket is slow may well answer a request. */
  credentials_fetch_after_ms: number;
  /** A dial waits no longer than this for the first TURN credentials. */
  credentials_wait_ms: number;
  /** A request for credentials without an answer is given up after this. */
  credentials_timeout_ms: number;
  /** A warm connection older than this is replaced: NAT bindings and networks change under an idle one. */
  warm_lifetime_ms: number;
  /** After one is taken the next is made this much later, so that it does not compete with the call. */
  warm_refill_ms: number;
  /** So many calls at a time connect while they ring; more of them ring without, as a flood of them must cost little. */
  warm_ringing_limit: number;
  /** Browsers say `disconnected` seconds after the last packet; a path that only hiccuped is back within this. */
  disconnected_grace_ms: number;
  /**
   * Both descriptions are there and no path has been found: waits before the 1st, 2nd … further attempt, the last one
   * repeats. The first leaves time for a lost check and a slow relay, the later ones for slow networks.
   */
  setup_restart_delays_ms: readonly number[];
  /** The same after a path that was there: a restart that comes too early settles on the old network, so it is repeated. */
  repair_restart_delays_ms: readonly number[];
  /** An offer of a restart without an answer for this long is made again: it may tell of a network that is gone. Later ones wait longer. */
  restart_answer_ms: number;
  /** The callee repairs this much later than the caller, so that their restarts seldom cross. */
  callee_patience_ms: number;
  /** No packet for this long, though some came before: a socket to the server that is dead as well tells that the network is. */
  quiet_ms: number;
  /** No packet for this long, though some came before: the path is dead long before ICE says so. */
  silence_ms: number;
  /** The same when the browser has just hinted at a change of the network. */
  suspicious_silence_ms: number;
  /** How long such a hint counts. */
  suspicion_ms: number;
  /** So often ICE is restarted for silence alone; then it is the other side that sends nothing. */
  silence_restarts: number;
  /** Sound that has lasted this long before a silence makes up for the restarts of the one before. */
  steady_sound_ms: number;
  /** A path without a handshake (DTLS) for this long, or for three times as long as the path took: another connection begins beside it. */
  handshake_wait_ms: number;
  /** Still relayed this long after the accept: browsers that keep their first pair are helped to a direct one. */
  direct_after_ms: number;
  /** A network that has changed, or a socket that had to be replaced, this recently explains a path that is ill. */
  moved_ms: number;
  /** Signs of a change of the network that come within this after another are taken for the same. */
  moved_again_ms: number;
  /** A browser tells of a change of the network up to this much later than it can be seen by what has stopped. */
  told_late_ms: number;
  /** A new connection whose path stands takes over after this, even if not all that was promised comes over it. */
  take_over_ms: number;
  /** The old connection is closed this much later: the other side may still be listening to it. */
  linger_ms: number;
  /** No path for this long after the accept ends the call. */
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
  /** How often packets are looked for afterwards: what finds silence. */
  watch_ms: number;
  /** A camera that is switched off sends black for this long, then it is released. */
  camera_release_ms: number;
  /** In a group: waits before a member whose call has ended is dialled for the 1st, 2nd … time again; the last one repeats. */
  redial_delays_ms: readonly number[];
  /** Whether a call that comes in during another one is answered `busy` by itself. */
  busy_in_call: boolean;
}

export const default_policy: Policy = {
  reconnect_delays_ms: [0, 300, 600, 1200, 2400, 4800, 7000],
  live_reconnect_delays_ms: [0, 300, 600, 600, 600, 600, 1200, 1400],
  reconnect_jitter: 0.2,
  open_timeout_ms: 6000,
  token_timeout_ms: 10_000,
  pong_timeout_ms: 5000,
  probe_timeout_ms: 1000,
  urgent_ping_interval_ms: 1000,
  socket_hedge_ms: 500,
  socket_again_ms: 200,
  welcome_wait_ms: 1500,
  ack_delay_ms: 40,
  credentials_push_wait_ms: 300,
  credentials_fetch_after_ms: 1500,
  credentials_wait_ms: 3000,
  credentials_timeout_ms: 8000,
  warm_lifetime_ms: 240_000,
  warm_refill_ms: 2000,
  warm_ringing_limit: 2,
  disconnected_grace_ms: 300,
  setup_restart_delays_ms: [1500, 3000, 6000, 8000],
  repair_restart_delays_ms: [1000, 1500, 2500, 4000, 8000],
  restart_answer_ms: 2500,
  callee_patience_ms: 400,
  quiet_ms: 300,
  silence_ms: 700,
  suspicious_silence_ms: 300,
  suspicion_ms: 3000,
  silence_restarts: 4,
  steady_sound_ms: 5000,
  handshake_wait_ms: 500,
  direct_after_ms: 1500,
  moved_ms: 5000,
  moved_again_ms: 300,
  told_late_ms: 2500,
  take_over_ms: 1500,
  linger_ms: 500,
  give_up_ms: 30_000,
  media_timeout_ms: 60_000,
  late_media_ms: 10_000,
  dial_timeout_ms: 20_000,
  ring_grace_ms: 5000,
  session_lifetime_ms: 30_000,
  poll_ms: 50,
  watch_ms: 150,
  camera_release_ms: 1000,
  redial_delays_ms: [1000, 2000, 5000, 15_000],
  busy_in_call: true,
};
