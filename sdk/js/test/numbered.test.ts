import { describe, expect, it } from 'vitest';
import { NumberedStream } from '../src/numbered.js';
import type { ClientMessage, ServerMessage } from '../src/protocol.js';

const ringing = (seq: number): ServerMessage & { seq: number } => ({ type: 'ringing', call: `c_${seq}`, seq });
const dial = (call: string): ClientMessage => ({ type: 'dial', call, to: 'bob', media: { audio: true, video: false } });
const calls = (messages: ServerMessage[]): (string | undefined)[] => messages.map((message) => message.call);

describe('receiving', () => {
  it('delivers in order, and late ones together with the one that fills the gap', () => {
    const stream = new NumberedStream();
    expect(calls(stream.handleFrame(ringing(1)).messages)).toEqual(['c_1']);
    expect(calls(stream.handleFrame(ringing(3)).messages)).toEqual([]);
    expect(calls(stream.handleFrame(ringing(4)).messages)).toEqual([]);
    expect(stream.ack).toBe(1);
    expect(calls(stream.handleFrame(ringing(2)).messages)).toEqual(['c_2', 'c_3', 'c_4']);
    expect(stream.ack).toBe(4);
  });

  it('delivers every message once, and acknowledges a repeated one again', () => {
    const stream = new NumberedStream();
    stream.handleFrame(ringing(1));
    stream.acknowledged();
    expect(stream.handleFrame(ringing(1)).messages).toEqual([]);
    expect(stream.owed).toBe(1);
    stream.handleFrame(ringing(3));
    stream.handleFrame(ringing(3));
    expect(calls(stream.handleFrame(ringing(2)).messages)).toEqual(['c_2', 'c_3']);
  });

  it('keeps 64 messages ahead of a gap and calls the next one a violation', () => {
    const stream = new NumberedStream();
    for (let seq = 2; seq <= 65; seq++) expect(stream.handleFrame(ringing(seq)).violation).toBe(false);
    expect(stream.handleFrame(ringing(66)).violation).toBe(true);
  });

  it('owes an acknowledgement at once after 16 messages', () => {
    const stream = new NumberedStream();
    for (let seq = 1; seq <= 15; seq++) stream.handleFrame(ringing(seq));
    expect(stream.ack_due).toBe(false);
    stream.handleFrame(ringing(16));
    expect(stream.ack_due).toBe(true);
  });
});

describe('sending', () => {
  it('numbers from 1 and carries the acknowledgement', () => {
    const stream = new NumberedStream();
    stream.handleFrame(ringing(1));
    stream.push(dial('c_a'));
    stream.push({ type: 'bye' });
    expect(stream.takeUnwritten()).toEqual([
      { ...dial('c_a'), seq: 1, ack: 1 },
      { type: 'bye', seq: 2, ack: 1 },
    ]);
    expect(stream.takeUnwritten()).toEqual([]);
    expect(stream.owed).toBe(0);
  });

  it('replays what the other side has not processed, with the same numbers', () => {
    const stream = new NumberedStream();
    for (const call of ['c_a', 'c_b', 'c_c']) stream.push({ type: 'ringing', call });
    stream.takeUnwritten();
    stream.handleAck(1);
    stream.push({ type: 'ringing', call: 'c_d' });
    const frames = stream.replay(2);
    expect(frames.map((frame) => [frame.seq, 'call' in frame && frame.call])).toEqual([
      [3, 'c_c'],
      [4, 'c_d'],
    ]);
  });

  it('refuses a message when 512 wait', () => {
    const stream = new NumberedStream();
    for (let count = 0; count < 512; count++) expect(stream.push({ type: 'ringing', call: 'c_a' })).toBe(true);
    expect(stream.push({ type: 'bye' })).toBe(false);
    stream.handleAck(1);
    expect(stream.push({ type: 'bye' })).toBe(true);
  });

  it('refuses a message when 1 MiB waits', () => {
    const stream = new NumberedStream();
    const offer: ClientMessage = { type: 'offer', call: 'c_a', generation: 0, sdp: 'x'.repeat(60_000) };
    let taken = 0;
    while (stream.push(offer)) taken++;
    expect(taken).toBe(17);
  });
});

describe('what may be refused', () => {
  it('is known by its number, the newest 64', () => {
    const stream = new NumberedStream();
    stream.push(dial('c_a'));
    for (let generation = 0; generation < 64; generation++) stream.push({ type: 'offer', call: 'c_a', generation, sdp: '' });
    stream.push({ type: 'ringing', call: 'c_a' });
    expect(stream.refusable(1)).toBeUndefined();
    expect(stream.refusable(2)).toEqual({ type: 'offer', generation: 0 });
    expect(stream.refusable(65)).toEqual({ type: 'offer', generation: 63 });
    expect(stream.refusable(66)).toBeUndefined();
  });
});

describe('a new session', () => {
  it('counts from 1 again and keeps nothing', () => {
    const stream = new NumberedStream();
    stream.push(dial('c_old'));
    stream.takeUnwritten();
    stream.push({ type: 'hangup', call: 'c_old', reason: 'hangup' });
    stream.handleFrame(ringing(1));
    stream.clear();
    expect(stream.ack).toBe(0);
    expect(stream.replay(0)).toEqual([]);
    stream.push(dial('c_new'));
    expect(stream.takeUnwritten()).toMatchObject([{ seq: 1, ack: 0, call: 'c_new' }]);
  });
});
