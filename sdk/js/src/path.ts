import { Emitter } from './events.js';
import type { Policy } from './policy.js';

interface PathEvents {
  interrupted: [];
  restored: [];
  /** ICE is to be restarted by an offer of ours. */
  restart: [];
  /** No path for as long as the policy allows. */
  given_up: [ever_connected: boolean];
}

/** Watches the path of one call and says when to repair it and when to give up. Only the caller repairs. */
export class Path extends Emitter<PathEvents> {
  readonly #policy: Policy;
  readonly #repairs: boolean;
  #up = false;
  #ever_up = false;
  #grace_timer: ReturnType<typeof setTimeout> | undefined;
  #restart_timer: ReturnType<typeof setInterval> | undefined;
  #give_up_timer: ReturnType<typeof setTimeout> | undefined;

  constructor(policy: Policy, repairs: boolean) {
    super();
    this.#policy = policy;
    this.#repairs = repairs;
  }

  get up(): boolean {
    return this.#up;
  }

  /** The call is answered: from now on a path is expected. */
  start(): void {
    if (!this.#up) this.#beginRepair();
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

  stop(): void {
    this.#clearTimers();
    this.removeAllListeners();
  }

  #handleUp(): void {
    this.#clearTimers();
    if (this.#up) return;
    this.#up = true;
    const again = this.#ever_up;
    this.#ever_up = true;
    if (again) this.emit('restored');
  }

  #handleDisconnected(): void {
    if (!this.#up) return;
    this.#handleDown();
    this.#grace_timer = setTimeout(() => this.#restart(), this.#policy.disconnected_grace_ms);
  }

  #handleFailed(): void {
    this.#handleDown();
    this.#restart();
  }

  #handleDown(): void {
    if (!this.#up) return;
    this.#up = false;
    this.emit('interrupted');
    this.#beginRepair();
  }

  #beginRepair(): void {
    this.#clearTimers();
    this.#give_up_timer = setTimeout(() => this.emit('given_up', this.#ever_up), this.#policy.give_up_ms);
    this.#restart_timer = setInterval(() => this.#restart(), this.#policy.restart_interval_ms);
  }

  #restart(): void {
    clearTimeout(this.#grace_timer);
    // Before the answer there is nothing to repair.
    if (this.#repairs && this.#give_up_timer !== undefined) this.emit('restart');
  }

  #clearTimers(): void {
    clearTimeout(this.#grace_timer);
    clearInterval(this.#restart_timer);
    clearTimeout(this.#give_up_timer);
    this.#give_up_timer = undefined;
  }
}
