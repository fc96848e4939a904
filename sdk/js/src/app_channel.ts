import { CallError } from './errors.js';
import { Emitter } from './events.js';

/** A message with its header fits into what every browser takes (RFC 8841 section 6.1: 64 KiB where nothing is said). */
const max_message_bytes = 60 * 1024;
/** What may wait until the other side has it: enough for a burst while a path is repaired. */
const max_waiting = 256;
const max_waiting_bytes = 1024 * 1024;
/** What is kept of a side that speaks before the answer is heard of here: it crosses on another stream of the path. */
const max_early = 64;

/** The header of a frame: what it is, by which device it was numbered, its number. */
const header_bytes = 9;
const kinds = { text: 0, bytes: 1, ack: 2 } as const;

interface Frame {
  kind: number;
  sender: number;
  number: number;
  payload: ArrayBuffer;
}

function frameOf(kind: number, sender: number, number: number, payload: Uint8Array = new Uint8Array()): ArrayBuffer {
  const frame = new Uint8Array(header_bytes + payload.length);
  const header = new DataView(frame.buffer);
  header.setUint8(0, kind);
  header.setUint32(1, sender);
  header.setUint32(5, number);
  frame.set(payload, header_bytes);
  return frame.buffer;
}

/** Null if it is no frame: it may come from anybody's program. */
function readFrame(data: unknown): Frame | null {
  if (!(data instanceof ArrayBuffer) || data.byteLength < header_bytes) return null;
  const header = new DataView(data);
  return { kind: header.getUint8(0), sender: header.getUint32(1), number: header.getUint32(5), payload: data.slice(header_bytes) };
}

/**
 * Messages of the app from device to device, in order, each once. They travel over a data channel of the call's connection;
 * when another connection takes over, what the other side has not acknowledged goes over that one again. Nothing goes out,
 * and nothing is given to the app, before the call is answered.
 */
export class AppChannel extends Emitter<{ message: [string | ArrayBuffer] }> {
  /** Another device that goes on with the call numbers its messages anew, and is known by this. */
  readonly #sender = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  #next = 1;
  #waiting: { number: number; frame: ArrayBuffer }[] = [];
  #waiting_bytes = 0;
  /** Open ones, in the order in which they opened: the last is the one that is used. */
  #channels: RTCDataChannel[] = [];
  /** The last number that has gone out over the one that is used. */
  #sent = 0;
  #heard_from: number | null = null;
  #heard = 0;
  #early: { frame: Frame; channel: RTCDataChannel }[] = [];
  #answered = false;

  /** Sends now or as soon as the call has a path. Returns why it cannot; null if all is well. */
  send(data: string | ArrayBuffer): CallError | null {
    const payload = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
    if (payload.length > max_message_bytes) {
      return new CallError('error', `A message has ${max_message_bytes} bytes at most; this one has ${payload.length}.`, false);
    }
    if (this.#waiting.length >= max_waiting || this.#waiting_bytes + payload.length > max_waiting_bytes) {
      return new CallError('error', 'Too many messages wait for the other side. Send more when they have gone out.', true);
    }
    const number = this.#next++;
    const frame = frameOf(typeof data === 'string' ? kinds.text : kinds.bytes, this.#sender, number, payload);
    this.#waiting.push({ number, frame });
    this.#waiting_bytes += payload.length;
    this.#flush();
    return null;
  }

  handleAnswered(): void {
    this.#answered = true;
    for (const { frame, channel } of this.#early.splice(0)) this.#handle(frame, channel);
    this.#flush();
  }

  /** What has come so far is void: it was another device's, or comes again. */
  reset(): void {
    this.#early = [];
  }

  /** From now on `channel` is used as soon as it is open, until it is detached. */
  attach(channel: RTCDataChannel): void {
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => {
      this.#channels.push(channel);
      this.#use();
    };
    channel.onclose = () => this.detach(channel);
    channel.onmessage = (event) => {
      const frame = readFrame(event.data);
      if (!frame) return;
      if (this.#answered) this.#handle(frame, channel);
      else if (this.#early.length < max_early) this.#early.push({ frame, channel });
    };
  }

  detach(channel: RTCDataChannel): void {
    channel.onopen = channel.onclose = channel.onmessage = null;
    const used = this.#channels.at(-1);
    this.#channels = this.#channels.filter((one) => one !== channel);
    if (used === channel) this.#use();
  }

  close(): void {
    for (const channel of [...this.#channels]) this.detach(channel);
    this.#waiting = this.#early = [];
    this.removeAllListeners();
  }

  /** Another channel is the last one: nobody knows what of the rest has arrived. */
  #use(): void {
    this.#sent = 0;
    this.#flush();
  }

  #flush(): void {
    const channel = this.#channels.at(-1);
    if (!this.#answered || channel?.readyState !== 'open') return;
    for (const { number, frame } of this.#waiting) {
      if (number <= this.#sent) continue;
      channel.send(frame);
      this.#sent = number;
    }
  }

  #handle({ kind, sender, number, payload }: Frame, channel: RTCDataChannel): void {
    if (kind === kinds.ack) return this.#handleAck(sender, number);
    if (sender !== this.#heard_from) {
      this.#heard_from = sender;
      this.#heard = number - 1;
    }
    // None is ahead: every channel begins with what is not acknowledged, and keeps the order.
    const is_new = number === this.#heard + 1;
    if (is_new) this.#heard = number;
    if (channel.readyState === 'open') channel.send(frameOf(kinds.ack, sender, this.#heard));
    if (is_new) this.emit('message', kind === kinds.text ? new TextDecoder().decode(payload) : payload);
  }

  #handleAck(sender: number, number: number): void {
    if (sender !== this.#sender) return;
    while (this.#waiting[0] && this.#waiting[0].number <= number) {
      this.#waiting_bytes -= this.#waiting[0].frame.byteLength - header_bytes;
      this.#waiting.shift();
    }
  }
}
