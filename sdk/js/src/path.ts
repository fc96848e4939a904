import { Emitter } from './events.js';
import type { Policy } from './policy.js';

interface PathEvents {
  interrupted: [];
  restored: [];
  /** No packet for a while, or no path just now: too little for a repair, enough to ask whether the server is still reached. */
  quiet: [];
  /** The path is to be repaired by an offer of ours; `moved` if it seems to be our own network that has changed. */
  restart: [cause: string, moved: boolean];
  /** The call is answered and has had no path for as long as the policy allows. */
  given_up: [ever_connected: boolean];
}

/**
 * Watches the path of one connection and says when to repair it and when to give up. Both sides repair, in every phase of
 * the call; the callee a little later, and each waits anew when the other has begun.
 */
export class Path extends Emitter<PathEvents> {
  readonly #policy: Policy;
  readonly #patience_ms: number;
  #up = false;
  #ever_up = false;
  #silent = false;
  #quiet = false;
  /** Whether both sides have described themselves; before there is nothing to repair. */
  #described = false;
  #ever_repaired = false;
  /** When the newest attempt began. */
  #described_at = -Infinity;
  /** Restarts since the path was last well. */
  #restarts = 0;
  /** How long the first path took from the descriptions on. */
  #found_after_ms = 0;
  #packets = 0;
  #packet_at = 0;
  /** Since when packets have come without a silence between them. */
  #sound_since = 0;
  #suspicious_until = 0;
  #changed_at = -Infinity;
  #grace_timer: ReturnType<typeof setTimeout> | undefined;
  #restart_timer: ReturnType<typeof setTimeout> | undefined;
  #give_up_timer: ReturnType<typeof setTimeout> | undefined;
  #expected = false;
  #held = false;
  #retired = false;

  constructor(policy: Policy, repairs_first: boolean) {
    super();
    this.#policy = policy;
    this.#patience_ms = repairs_first ? 0 : policy.callee_patience_ms;
  }

  get up(): boolean {
    return this.#up;
  }

  /** How long ICE took for its first path, which is a round trip at least; 0 before. */
  get found_after_ms(): number {
    return this.#found_after_ms;
  }

  /** No path, or nothing comes over it. */
  get ill(): boolean {
    return !this.#up || this.#silent;
  }

  /** There is a path, and packets come over it. */
  get well(): boolean {
    return !this.ill && !this.#quiet;
  }

  /** Another connection is to take over: this one is only told of, and neither repaired nor given up; until it is revived. */
  retire(): void {
    this.#retired = true;
    this.#clearTimers();
  }

  /** Nothing takes over. `calm`: something comes that may well repair it. */
  revive(calm = false): void {
    if (!this.#retired) return;
    this.#retired = false;
    if (!this.#up) this.#limit();
    if (this.#described && this.ill) this.#arm(calm ? this.#nextDelay() : 0);
  }

  /** The call is answered: from now on the lack of a path ends it some time. */
  expect(): void {
    this.#expected = true;
    if (!this.#up) this.#limit();
  }

  /** The other side has said that it sends nothing now, or that it sends again: silence means nothing until then. */
  setHeld(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#packet_at = performance.now();
    this.#silent = this.#quiet = false;
    if (this.#up) this.#disarm();
  }

  /** An offer of ours is on its way. */
  handleOffered(): void {
    if (this.#described && this.ill) this.#arm(this.#answerDelay());
  }

  /** Both descriptions of the newest generation are there: an attempt begins. */
  handleDescribed(): void {
    this.#ever_repaired = this.#described;
    this.#described = true;
    this.#described_at = performance.now();
    if (this.ill) this.#arm(this.#nextDelay());
  }

  handleIceState(state: RTCIceConnectionState): void {
    switch (state) {
      case 'connected':
      case 'completed':
        return this.#handleUp();
      case 'disconnected':
        return this.#handleDisconnected();
      case 'failed':
        return this.#handleFailed();
      case 'new':
      case 'checking':
      case 'closed':
        return;
    }
  }

  /** `packets`: all that have ever come over this connection, checks of ICE not counted; 0 as long as no sound has. */
  handlePackets(packets: number): void {
    const now = performance.now();
    if (packets !== this.#packets) {
      if (this.#packets === 0 || this.#silent) this.#sound_since = now;
      this.#packets = packets;
      this.#packet_at = now;
      this.#silent = this.#quiet = false;
      if (this.#up) this.#disarm();
      return;
    }
    if (this.#held) return;
    const { silence_ms, suspicious_silence_ms, quiet_ms } = this.#policy;
    if (packets > 0 && this.#up && !this.#quiet && now - this.#packet_at >= quiet_ms) {
      this.#quiet = true;
      if (!this.#retired) this.emit('quiet');
    }
    const limit_ms = now < this.#suspicious_until ? suspicious_silence_ms : silence_ms;
    if (packets === 0 || this.#silent || !this.#up || now - this.#packet_at < limit_ms + this.#patience_ms) return;
    // An attempt that has just begun, from either side, gets its time: another one would throw away what it has gathered.
    if (this.#ever_repaired && now - this.#described_at < this.#nextDelay()) return;
    this.#silent = true;
    // Short silences again and again are the other side's doing; they do not earn new restarts.
    if (now - this.#sound_since > this.#policy.steady_sound_ms) this.#restarts = 0;
    this.#restart('nothing is heard');
  }

  /** `certain`: the browser says so; else it only hints at it, and silence decides. */
  handleNetworkChange(certain: boolean): void {
    const now = performance.now();
    // What is certain needs no hint, before or after it, and the restart for it needs its time.
    if (certain) this.#changed_at = now;
    const hinted = now - this.#changed_at > this.#policy.suspicion_ms;
    this.#suspicious_until = hinted ? now + this.#policy.suspicion_ms : 0;
    if (!certain) return;
    this.#restarts = 1;
    // Ill until a packet comes: on the old path, which may last a while, or on the new one.
    if (this.#packets > 0) this.#silent = true;
    this.emit('restart', 'the network has changed', true);
  }

  /** Signalling is back: what was asked for meanwhile goes out now, and needs its time. */
  handleOnline(): void {
    if (this.#described && this.ill) this.#arm(this.#nextDelay());
  }

  stop(): void {
    this.#clearTimers();
    this.removeAllListeners();
  }

  #handleUp(): void {
    clearTimeout(this.#grace_timer);
    clearTimeout(this.#give_up_timer);
    this.#give_up_timer = undefined;
    if (this.#up) return;
    this.#up = true;
    if (!this.#silent) {
      this.#restarts = 0;
      this.#disarm();
    }
    const again = this.#ever_up;
    this.#ever_up = true;
    this.#packet_at = performance.now();
    if (!again && this.#described) this.#found_after_ms = this.#packet_at - this.#described_at;
    if (again) this.emit('restored');
  }

  #handleDisconnected(): void {
    if (!this.#up) return;
    this.#handleDown();
    this.#grace_timer = setTimeout(() => this.#restart('the path was interrupted'), this.#policy.disconnected_grace_ms + this.#patience_ms);
  }

  #handleFailed(): void {
    this.#handleDown();
    clearTimeout(this.#grace_timer);
    // A restart that is under way gets its time, if there will be another one after it.
    if (this.#restarts === 0 || this.#restart_timer === undefined) this.#grace_timer = setTimeout(() => this.#restart('the path has failed'), this.#patience_ms);
  }

  #handleDown(): void {
    if (!this.#up) return;
    this.#up = false;
    this.emit('interrupted');
    // A socket that is gone, too, tells sooner than the grace is over that it is our network that has changed.
    if (!this.#retired) this.emit('quiet');
    this.#limit();
  }

  #limit(): void {
    if (!this.#expected || this.#retired || this.#give_up_timer !== undefined) return;
    this.#give_up_timer = setTimeout(() => this.emit('given_up', this.#ever_up), this.#policy.give_up_ms);
  }

  #nextDelay(): number {
    const delays = this.#ever_up ? this.#policy.repair_restart_delays_ms : this.#policy.setup_restart_delays_ms;
    const done = this.#ever_up ? Math.max(0, this.#restarts - 1) : this.#restarts;
    return (delays[Math.min(done, delays.length - 1)] ?? 0) + this.#patience_ms;
  }

  /** Offers that stay without an answer cost the other side and the relay something each: they become fewer. */
  #answerDelay(): number {
    const { repair_restart_delays_ms: delays, restart_answer_ms } = this.#policy;
    return Math.max(restart_answer_ms, delays[Math.min(this.#restarts, delays.length) - 1] ?? 0);
  }

  #arm(wait_ms: number): void {
    this.#disarm();
    if (this.#retired) return;
    this.#restart_timer = setTimeout(() => {
      this.#restart_timer = undefined;
      this.#restart('no path yet');
    }, wait_ms);
  }

  #disarm(): void {
    clearTimeout(this.#restart_timer);
    this.#restart_timer = undefined;
  }

  #restart(cause: string): void {
    if (this.#retired || !this.#described || !this.ill) return;
    // ICE has checked this path anew so often: it is the other side that sends nothing.
    if (this.#up && this.#restarts >= this.#policy.silence_restarts) return;
    this.#restarts++;
    this.#arm(this.#answerDelay());
    this.emit('restart', cause, performance.now() < this.#suspicious_until);
  }

  #clearTimers(): void {
    clearTimeout(this.#grace_timer);
    this.#disarm();
    clearTimeout(this.#give_up_timer);
    this.#give_up_timer = undefined;
  }
}
