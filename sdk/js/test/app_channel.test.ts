import { beforeEach, describe, expect, it } from 'vitest';
import { AppChannel } from '../src/app_channel.js';
import { FakeDataChannel } from './fakes.js';

type Said = string | ArrayBuffer;

/** One side: its messages, and what it has given to the app. */
class Side {
  readonly app = new AppChannel();
  readonly got: Said[] = [];
  readonly channels: FakeDataChannel[] = [];

  constructor() {
    this.app.on('message', (message) => this.got.push(message));
  }

  /** A new connection, whose channel is not open yet. */
  connect(): FakeDataChannel {
    const channel = new FakeDataChannel('app', {});
    this.app.attach(channel as unknown as RTCDataChannel);
    this.channels.push(channel);
    return channel;
  }

  get channel(): FakeDataChannel {
    return this.channels.at(-1) ?? this.connect();
  }
}

let alice: Side;
let bob: Side;

beforeEach(() => {
  alice = new Side();
  bob = new Side();
  for (const side of [alice, bob]) side.connect();
});

/** Everything that is on its way over the channels of this number arrives, and what it causes. */
function carry(index = 0): void {
  const [a, b] = [alice.channels[index], bob.channels[index]];
  if (!a || !b) throw new Error('no such connection');
  while (a.frames.length + b.frames.length > 0) {
    for (const frame of a.frames.splice(0)) b.receive(frame);
    for (const frame of b.frames.splice(0)) a.receive(frame);
  }
}

function answered(): void {
  for (const side of [alice, bob]) side.app.handleAnswered();
  for (const side of [alice, bob]) side.channel.open();
}

describe('messages of the app', () => {
  it('arrive in order, text as text and bytes as bytes', () => {
    answered();
    expect(alice.app.send('grüße')).toBeNull();
    expect(alice.app.send(new Uint8Array([1, 2, 255]).buffer)).toBeNull();
    expect(alice.app.send('')).toBeNull();
    bob.app.send('back');
    carry();
    expect(bob.got).toEqual(['grüße', new Uint8Array([1, 2, 255]).buffer, '']);
    expect(alice.got).toEqual(['back']);
  });

  it('wait for the path and for the answer', () => {
    alice.app.send('early');
    alice.channel.open();
    expect(alice.channel.frames).toEqual([]);
    alice.app.handleAnswered();
    expect(alice.channel.frames).toHaveLength(1);
  });

  it('are not given to the app before the answer, and then are', () => {
    alice.app.handleAnswered();
    for (const side of [alice, bob]) side.channel.open();
    alice.app.send('first');
    carry();
    expect(bob.got).toEqual([]);
    bob.app.handleAnswered();
    expect(bob.got).toEqual(['first']);
    carry();
    alice.app.send('second');
    carry();
    expect(bob.got).toEqual(['first', 'second']);
  });

  it('of a device that is not the one that answers are never given to the app', () => {
    alice.app.handleAnswered();
    for (const side of [alice, bob]) side.channel.open();
    alice.app.send('stranger');
    carry();
    bob.app.reset();
    bob.app.handleAnswered();
    expect(bob.got).toEqual([]);
  });

  it('have a limit of size, said in words', () => {
    expect(alice.app.send('x'.repeat(60 * 1024))).toBeNull();
    expect(alice.app.send('x'.repeat(60 * 1024 + 1))).toMatchObject({ code: 'error', verdict: 'A message has 61440 bytes at most; this one has 61441.' });
    // Bytes count, and not letters.
    expect(alice.app.send('ü'.repeat(31_000))).toMatchObject({ code: 'error' });
  });

  it('are refused when too many wait, and taken again when they have gone', () => {
    answered();
    for (let i = 0; i < 256; i++) expect(alice.app.send(String(i))).toBeNull();
    expect(alice.app.send('one more')).toMatchObject({ code: 'error', retryable: true });
    carry();
    expect(alice.app.send('one more')).toBeNull();
    carry();
    expect(bob.got).toHaveLength(257);
  });

  it('are refused when too many bytes wait', () => {
    for (let i = 0; i < 17; i++) expect(alice.app.send('x'.repeat(60 * 1024))).toBeNull();
    expect(alice.app.send('x'.repeat(60 * 1024))).toMatchObject({ code: 'error', retryable: true });
    answered();
    carry();
    expect(bob.got).toHaveLength(17);
    for (let i = 0; i < 17; i++) expect(alice.app.send('x'.repeat(60 * 1024))).toBeNull();
  });
});

describe('a connection that takes over', () => {
  it('loses nothing and doubles nothing', () => {
    answered();
    alice.app.send('acknowledged');
    carry();
    alice.app.send('arrived');
    for (const frame of alice.channel.frames.splice(0)) bob.channel.receive(frame);
    alice.app.send('lost');
    for (const side of [alice, bob]) side.connect().open();
    alice.app.send('new');
    carry(1);
    expect(bob.got).toEqual(['acknowledged', 'arrived', 'lost', 'new']);
    // The old one was only slow.
    carry(0);
    expect(bob.got).toHaveLength(4);
    expect(alice.channels[1]?.frames).toEqual([]);
  });

  it('leaves it to the one before if it is closed', () => {
    answered();
    for (const side of [alice, bob]) side.connect().open();
    alice.app.send('hello');
    for (const side of [alice, bob]) side.app.detach(side.channel as unknown as RTCDataChannel);
    expect(alice.channels[1]?.onmessage).toBeNull();
    carry(0);
    expect(bob.got).toEqual(['hello']);
  });

  it('goes on when the channel closes by itself', () => {
    answered();
    for (const side of [alice, bob]) side.connect().open();
    alice.channel.readyState = 'closed';
    alice.channel.onclose?.();
    alice.app.send('over the first');
    carry(0);
    expect(bob.got).toEqual(['over the first']);
  });
});

describe('another device of the other side', () => {
  it('gets what was not acknowledged, and is heard from its first word on', () => {
    answered();
    alice.app.send('to the old one');
    carry();
    bob.app.send('from the old one');
    carry();
    alice.app.send('pending');
    alice.channel.frames.length = 0;
    const [old, device] = [bob, new Side()];
    bob = device;
    device.connect();
    alice.connect();
    // The channels of the first connection belong to the old device.
    alice.channels.shift();
    old.app.close();
    device.app.handleAnswered();
    for (const side of [alice, device]) side.channel.open();
    device.app.send('from the new one');
    carry();
    expect(device.got).toEqual(['pending']);
    expect(alice.got).toEqual(['from the old one', 'from the new one']);
  });
});

describe('what is no message', () => {
  it('is passed over', () => {
    answered();
    bob.channel.receive('text');
    bob.channel.receive(new ArrayBuffer(8));
    bob.channel.onmessage?.({ data: new Blob([]) });
    // An acknowledgement of another device's message.
    alice.app.send('kept');
    const [frame] = alice.channel.frames;
    if (!frame) throw new Error('nothing was sent');
    const ack = new Uint8Array(frame.slice(0, 9));
    ack[0] = 2;
    ack[1] = (ack[1] ?? 0) ^ 1;
    alice.channel.receive(ack.buffer);
    alice.channel.frames.length = 0;
    alice.connect();
    bob.connect();
    for (const side of [alice, bob]) side.channel.open();
    carry(1);
    expect(bob.got).toEqual(['kept']);
  });

  it('is dropped if it is ahead of what was heard', () => {
    answered();
    alice.app.send('one');
    alice.app.send('two');
    alice.app.send('three');
    const [one, , three] = alice.channel.frames.splice(0);
    for (const frame of [one, three]) bob.channel.receive(frame);
    expect(bob.got).toEqual(['one']);
  });
});
