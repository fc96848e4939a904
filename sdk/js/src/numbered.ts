import type { ClientMessage, Numbered, Refusable, ServerMessage } from './protocol.js';

/** A receiver keeps at most this many messages that are ahead of a gap (docs/protocol.md). */
const max_early = 64;
/** What may wait for one session (docs/protocol.md); beyond it the server would end the session as well. */
const max_pending = 512;
const max_pending_bytes = 1024 * 1024;
/** After this many messages an acknowledgement is owed at once. */
const ack_every = 16;
/** So many of the newest dials and offers are remembered by their numbers. */
const max_refusable = 64;

interface Pending {
  seq: number;
  message: ClientMessage;
  bytes: number;
  /** Whether it was ever written to a socket. */
  written: boolean;
}

export interface Received {
  /** Messages that are in order now, each for the first and only time. */
  messages: ServerMessage[];
  /** True if the other side broke the numbering; the connection is to be closed with 4400. */
  violation: boolean;
}

/** Numbers, keeps, orders and acknowledges the messages of one session. Knows no socket and no clock. */
export class NumberedStream {
  #next_seq = 1;
  #pending: Pending[] = [];
  #pending_bytes = 0;
  #processed = 0;
  #early = new Map<number, ServerMessage>();
  #owed = 0;
  #refusable = new Map<number, Refusable>();

  /** The last number that was processed, in order, from the other side. */
  get ack(): number {
    return this.#processed;
  }

  /** Messages received since the last acknowledgement was written. */
  get owed(): number {
    return this.#owed;
  }

  /** Whether the acknowledgement must not wait for a message to travel with. */
  get ack_due(): boolean {
    return this.#owed >= ack_every;
  }

  get pending(): number {
    return this.#pending.length;
  }

  /** Keeps `message` until it is acknowledged. False if too many wait already: the session is lost then. */
  push(message: ClientMessage): boolean {
    const bytes = JSON.stringify(message).length;
    if (this.#pending.length >= max_pending || this.#pending_bytes + bytes > max_pending_bytes) return false;
    const seq = this.#next_seq++;
    this.#pending.push({ seq, message, bytes, written: false });
    this.#note(seq, message);
    this.#pending_bytes += bytes;
    return true;
  }

  /** The message number `seq` of this session, if it is a dial or an offer. */
  refusable(seq: number): Refusable | undefined {
    return this.#refusable.get(seq);
  }

  /** Frames that were never written, in order; they count as written afterwards. */
  takeUnwritten(): Numbered<ClientMessage>[] {
    return this.#write(this.#pending.filter((entry) => !entry.written));
  }

  /** After a resume: everything above the other side's `ack`, in order, with the numbers it had. */
  replay(ack: number): Numbered<ClientMessage>[] {
    this.handleAck(ack);
    return this.#write(this.#pending);
  }

  handleAck(ack: number): void {
    while (this.#pending[0] && this.#pending[0].seq <= ack) {
      this.#pending_bytes -= this.#pending[0].bytes;
      this.#pending.shift();
    }
  }

  handleFrame(frame: ServerMessage & { seq: number }): Received {
    this.#owed++;
    if (frame.seq <= this.#processed) return { messages: [], violation: false };
    this.#early.set(frame.seq, frame);
    const messages: ServerMessage[] = [];
    for (let next = this.#early.get(this.#processed + 1); next; next = this.#early.get(this.#processed + 1)) {
      this.#early.delete(++this.#processed);
      messages.push(next);
    }
    return { messages, violation: this.#early.size > max_early };
  }

  /** The acknowledgement has been written (alone or with a message). */
  acknowledged(): void {
    this.#owed = 0;
  }

  /** A new session: both directions count from 1, and nothing is kept. */
  clear(): void {
    this.#next_seq = 1;
    this.#processed = this.#owed = this.#pending_bytes = 0;
    this.#pending = [];
    this.#early.clear();
    this.#refusable.clear();
  }

  #note(seq: number, message: ClientMessage): void {
    if (message.type === 'dial' || message.type === 'take') this.#refusable.set(seq, { type: message.type, generation: 0 });
    if (message.type === 'offer') this.#refusable.set(seq, { type: 'offer', generation: message.generation });
    for (const oldest of this.#refusable.keys()) if (this.#refusable.size > max_refusable) this.#refusable.delete(oldest);
  }

  #write(entries: Pending[]): Numbered<ClientMessage>[] {
    if (entries.length > 0) this.#owed = 0;
    return entries.map((entry) => {
      entry.written = true;
      return { ...entry.message, seq: entry.seq, ack: this.#processed };
    });
  }
}
