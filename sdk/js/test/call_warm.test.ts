import { describe, expect, it, vi } from 'vitest';
import type { Call } from '../src/index.js';
import { browser, client, dialled, everythingIsGivenBack, incoming, pass, push, receive, sent, start, useStage, used } from './call_stage.js';
import { FakeAudio, settle, type FakePeerConnection } from './fakes.js';

useStage();

const offer = (call = 'c_in', fields: object = {}): void => receive({ type: 'offer', call, generation: 0, sdp: 'offer', from: 'bob', ...fields });

/** An incoming call that is connected while it rings. */
async function ringingWarm(): Promise<Call> {
  const call = await incoming({ warm_path: 'relay' });
  offer();
  await settle();
  used().connectSilently();
  return call;
}

/** An outgoing call that is connected while it rings. */
async function dialledWarm(): Promise<Call> {
  const call = await dialled();
  receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
  await settle();
  used().connectSilently();
  return call;
}

const sentKinds = (connection: FakePeerConnection): (string | undefined)[] => connection.transceivers.map((one) => one.sender.track?.kind);

describe('the callee, while it rings', () => {
  it.each(['relay', 'direct'])('answers the offer with the warm connection and opens no device: %s', async (warm_path) => {
    const call = await incoming({ warm_path });
    offer();
    await settle();
    expect(call.state).toBe('ringing');
    expect(sent('answer')).toMatchObject([{ call: 'c_in', generation: 0 }]);
    expect(sent('accept')).toEqual([]);
    expect(used()).toBe(browser.connections[0]);
    expect(browser.asked).toEqual([]);
  });

  it.each(['off', undefined])('answers nothing where that is not allowed: %s', async (warm_path) => {
    await incoming({ warm_path });
    offer();
    await settle();
    expect(sent('answer')).toEqual([]);
    expect(browser.connections.filter((one) => one.listening)).toEqual([]);
  });

  it('connects two calls at most, so that many of them cost nothing', async () => {
    await incoming({ warm_path: 'relay' });
    for (const call of ['c_2', 'c_3', 'c_4']) receive({ type: 'incoming', call, from: call, media: { audio: true, video: false }, age_ms: 0, warm_path: 'relay' });
    await settle();
    expect(browser.connections.filter((one) => one.listening)).toHaveLength(2);
    for (const call of client.calls) call.reject();
  });

  it('connects a call beyond these once it is accepted', async () => {
    await incoming({ warm_path: 'relay' });
    for (const call of ['c_2', 'c_3']) receive({ type: 'incoming', call, from: call, media: { audio: true, video: false }, age_ms: 0, warm_path: 'relay' });
    offer('c_3');
    await settle();
    expect(sent('answer')).toEqual([]);
    client.calls[2]?.accept();
    await settle();
    expect(sent('answer')).toMatchObject([{ call: 'c_3' }]);
  });

  it.each([
    ['is declined', (call: Call) => call.reject()],
    ['is answered elsewhere', () => receive({ type: 'ended', call: 'c_in', reason: 'answered_elsewhere', verdict: '', retryable: false })],
    ['rings for too long', () => void vi.advanceTimersByTime(50_000)],
  ])('gives its connection back when it %s', async (_name, end) => {
    const call = await ringingWarm();
    end(call);
    everythingIsGivenBack(call);
  });

  it('does not connect a call that is held back for our own', async () => {
    await start();
    client.dial('bob');
    receive({ type: 'incoming', call: 'c_~', from: 'bob', media: { audio: true, video: false }, age_ms: 0, warm_path: 'relay' });
    offer('c_~');
    await settle();
    expect(sent('answer')).toEqual([]);
  });
});

describe('the callee accepts', () => {
  it('while the path is interrupted: without media the call ends all the same', async () => {
    const call = await ringingWarm();
    used().setIce('disconnected');
    call.accept();
    await settle();
    used().setIce('connected');
    await pass(59_900);
    expect(call.state).toBe('connecting');
    await pass(100);
    expect(call.end_cause?.code).toBe('ice_failed');
  });

  it('a call without a connection: of what came before, the newest offer alone counts', async () => {
    const call = await incoming({ warm_path: 'off' });
    for (const generation of [0, 1]) {
      offer('c_in', { generation, sdp: `offer ${generation}` });
      // As many as may wait for a description, then one.
      for (let count = generation === 0 ? 100 : 1; count > 0; count--) {
        receive({ type: 'ice-candidate', call: 'c_in', generation, candidate: { candidate: `theirs ${generation}` }, from: 'bob' });
      }
    }
    call.accept();
    await settle();
    expect(used().done).toEqual(['remote offer 1', 'candidate theirs 1', 'local answer']);
    expect(sent('answer')).toMatchObject([{ generation: 1 }]);
    call.end();
  });

  it('by the server and over the data channel, and sends what it opens then', async () => {
    const call = await ringingWarm();
    expect(sentKinds(used())).toEqual([undefined, undefined]);
    call.accept({ audio: true, video: true });
    await settle();
    expect(sent('accept')).toMatchObject([{ call: 'c_in', media: { audio: true, video: true } }]);
    expect(used().channel.sent.map((text) => JSON.parse(text))).toEqual([{ type: 'accept', call: 'c_in', media: { audio: true, video: true } }]);
    expect(sentKinds(used())).toEqual(['audio', 'video']);
    expect(sent('answer')).toHaveLength(1);
    expect(call.report()).toMatchObject({ warm: true, accept_via: null });
  });

  it('before the data channel is open: the word follows', async () => {
    const call = await incoming({ warm_path: 'relay' });
    offer();
    call.accept();
    await settle();
    expect(used().channel.sent).toEqual([]);
    used().channel.open();
    expect(used().channel.sent).toHaveLength(1);
    expect(call.report().warm).toBe(false);
  });

  it('opens microphone and camera apart if the person need not be asked, else together', async () => {
    browser.permission = 'granted';
    const call = await ringingWarm();
    call.accept({ audio: true, video: true });
    expect(browser.asked).toEqual(['audio', 'video']);
    await settle();
    expect(browser.tracks.map((track) => track.kind)).toEqual(['audio', 'video']);
  });

  it('asks the person once', async () => {
    const call = await ringingWarm();
    call.accept({ audio: true, video: true });
    expect(browser.asked).toEqual(['audio+video']);
  });

  it('does not let the microphone wait for the camera', async () => {
    browser.permission = 'granted';
    const { getUserMedia } = browser;
    const slow = new Promise<MediaStream>(() => undefined);
    Object.assign(browser, { getUserMedia: (wanted: MediaStreamConstraints) => (wanted.video ? slow : getUserMedia(wanted)) });
    const call = await ringingWarm();
    call.accept({ audio: true, video: true });
    await settle();
    expect(sentKinds(used())).toEqual(['audio', undefined]);
  });

  it('though another device is connected: an offer for a new connection gets one', async () => {
    const call = await ringingWarm();
    call.accept();
    await settle();
    const before = used();
    offer('c_in', { generation: 1, sdp: 'anew', fresh: true });
    await settle();
    expect(before.closed).toBe(true);
    const after = browser.connections.find((one) => one.done.includes('remote anew'));
    expect(after?.done).toEqual(['remote anew', 'local answer']);
    expect(after && sentKinds(after)).toEqual(['audio', undefined]);
    expect(sent('answer').map((frame) => frame['generation'])).toEqual([0, 1]);
    expect(call.state).toBe('connecting');
  });

  it('with a connection that has met nobody: it serves the new offer', async () => {
    const call = await incoming({ warm_path: 'relay' });
    call.accept();
    await settle();
    offer('c_in', { generation: 1, sdp: 'anew', fresh: true });
    await settle();
    expect(used().done).toEqual(['remote anew', 'local answer']);
    expect(browser.connections.filter((one) => one.closed)).toEqual([]);
  });
});

describe('the caller', () => {
  it('sends and plays nothing before the accept, though its devices are open', async () => {
    const call = await dialledWarm();
    expect(call.state).toBe('ringing');
    expect(browser.tracks.map((track) => track.kind)).toEqual(['audio', 'video']);
    expect(sentKinds(used())).toEqual([undefined, undefined]);
    expect(call.remoteStream).toBeNull();
    expect(FakeAudio.playing.size).toBe(0);
  });

  it('hears of the accept over the data channel, and talks', async () => {
    const call = await dialledWarm();
    used().channel.receive({ type: 'accept', call: call.id, media: { audio: true, video: true } });
    expect(call.state).toBe('connecting');
    expect(sentKinds(used())).toEqual(['audio', 'video']);
    expect(FakeAudio.playing.size).toBe(1);
    used().flow();
    await pass(100);
    expect(call.state).toBe('connected');
    expect(call.report()).toMatchObject({ warm: true, accept_via: 'data_channel', restarts: 0 });
    expect(call.report().accept_to_audio_ms).not.toBeNull();
    expect(call.report().accept_to_video_ms).not.toBeNull();
  });

  it('hears of it twice, in either order, and heeds it once', async () => {
    const call = await dialledWarm();
    const states: string[] = [];
    call.on('state', (state) => states.push(state));
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: false } });
    used().channel.receive({ type: 'accept', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: false } });
    expect(states).toEqual(['connecting']);
    expect(call.remoteMedia).toMatchObject({ audio: true, video: false });
    expect(call.report().accept_via).toBe('websocket');
  });

  it.each(['not json', 'null', '{"type":"accept"}', '{"type":"accept","call":"c_other","media":{"audio":true}}', '{"type":"hangup"}'])(
    'takes %s over the data channel for no accept',
    async (text) => {
      const call = await dialledWarm();
      used().channel.receive(text);
      expect(call.state).toBe('ringing');
    },
  );

  it('takes no accept from the side that it calls back', async () => {
    const call = await ringingWarm();
    used().channel.receive({ type: 'accept', call: call.id, media: { audio: true, video: true } });
    expect(call.state).toBe('ringing');
  });

  it('begins anew when another device has answered', async () => {
    const call = await dialledWarm();
    const before = used();
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true }, fresh: true });
    await settle();
    expect(before.closed).toBe(true);
    expect(sent('offer')).toMatchObject([{ generation: 0 }, { generation: 1, fresh: true }]);
    expect(sent('offer')[0]).not.toHaveProperty('fresh');
    const after = browser.connections.find((one) => one.listening) ?? before;
    receive({ type: 'answer', call: call.id, generation: 1, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(after.done).toEqual(['local offer', 'remote theirs']);
    after.connect();
    await pass(50);
    expect(call.state).toBe('connected');
    expect(sentKinds(after)).toEqual(['audio', 'video']);
    expect(FakeAudio.playing.size).toBe(1);
    expect(call.report().warm).toBe(false);
  });

  it('begins anew even if the device that it is connected with has said that it accepts', async () => {
    const call = await dialledWarm();
    const before = used();
    before.channel.receive({ type: 'accept', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: false }, fresh: true });
    await settle();
    expect(before.closed).toBe(true);
    expect(sent('offer')).toMatchObject([{ generation: 0 }, { generation: 1, fresh: true }]);
    expect(call.remoteMedia).toMatchObject({ audio: true, video: false });
    expect(call.state).toBe('connecting');
  });

  it('begins anew once more when its new offer lost', async () => {
    const call = await dialledWarm();
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true }, fresh: true });
    await settle();
    receive({ type: 'error', call: call.id, code: 'stale_generation', message: '', ref: sent('offer')[1]?.['seq'] });
    await settle();
    expect(sent('offer').map((frame) => [frame['generation'], frame['fresh']])).toEqual([
      [0, undefined],
      [1, true],
      [2, true],
    ]);
  });
});

describe('the warm connection', () => {
  it('stays when new credentials come, until its own are past half their life', async () => {
    await start();
    vi.advanceTimersByTime(100_000);
    push({ username: 'u', ttl: 100, uris: [], iceServers: [{ urls: ['turn:newer'] }] });
    expect(browser.connections).toHaveLength(1);
    const call = client.dial('bob');
    await settle();
    expect(used()).toBe(browser.connections[0]);
    call.end();
  });

  it('is replaced when they are', async () => {
    await start();
    const short = { username: 'u', ttl: 100, uris: [], iceServers: [{ urls: ['turn:short'] }] };
    push(short);
    vi.advanceTimersByTime(240_000); // made anew with the short ones
    push(short);
    const made = browser.connections.length;
    vi.advanceTimersByTime(49_000);
    push(short);
    expect(browser.connections).toHaveLength(made);
    vi.advanceTimersByTime(1_000);
    push(short);
    expect(browser.connections).toHaveLength(made + 1);
  });

  it('is not made by credentials that come with a dial', async () => {
    await dialled();
    push();
    expect(browser.connections).toHaveLength(1);
    vi.advanceTimersByTime(2000);
    expect(browser.connections).toHaveLength(2);
  });
});
