import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call, CallError, MediaState } from '../src/index.js';
import { answered, browser, client, connected, dialled, everythingIsGivenBack, incoming, open, pass, push, receive, restartNumbers, sent, start, useStage, used } from './call_stage.js';
import { settle, welcome, type FakeTrack } from './fakes.js';

useStage();

const audible = (): FakeTrack | null | undefined => used().transceivers[0]?.sender.track;
const visible = (): FakeTrack | null | undefined => used().transceivers[1]?.sender.track;
const state = (changes: Partial<MediaState> = {}): object => {
  const { hold, ...media } = { audio: true, video: true, screen: false, hold: false, ...changes };
  return { media, hold };
};
const hear = (call: Call, changes: Partial<MediaState> = {}): void => receive({ type: 'state', call: call.id, from: 'bob', ...state(changes) });

describe('what the other side is told of the switches', () => {
  it('is each change, once', async () => {
    const call = await connected();
    expect(sent('state')).toEqual([]);
    await call.setMicrophone(false);
    await call.setMicrophone(false);
    await call.setCamera(false);
    expect(sent('state')).toMatchObject([state({ audio: false }), state({ audio: false, video: false })]);
    expect(call.localMedia).toEqual({ audio: false, video: false, screen: false, hold: false });
  });

  it('waits for the answer, and is nothing that the dial has said', async () => {
    const call = await dialled();
    await call.setMicrophone(false);
    expect(sent('state')).toEqual([]);
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    expect(sent('state')).toMatchObject([state({ audio: false })]);
  });

  it('is nothing after an accept whose devices are still being opened', async () => {
    const call = await incoming({ media: { audio: true, video: true } });
    call.accept();
    await settle();
    expect(sent('state')).toEqual([]);
    expect(call.localMedia).toMatchObject({ audio: true, video: true });
  });

  it('is not said again for a camera that cannot be opened', async () => {
    await start();
    const call = client.dial('bob');
    await settle();
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: false } });
    browser.denial = Object.assign(new Error('none'), { name: 'NotFoundError' });
    expect(await call.setCamera(true)).toBe(false);
    expect(sent('state')).toEqual([]);
  });

  it('is heard of the other side', async () => {
    const call = await connected();
    const heard: MediaState[] = [];
    call.on('remotemedia', (media) => heard.push(media));
    hear(call, { audio: false });
    hear(call, { audio: false });
    hear(call, { hold: true });
    expect(heard).toEqual([{ audio: false, video: true, screen: false, hold: false }, { audio: true, video: true, screen: false, hold: true }]);
    expect(call.remoteMedia).toEqual(heard[1]);
  });

  it('does not keep a call waiting for a picture that is switched off', async () => {
    const call = await answered();
    hear(call, { video: false });
    used().connect();
    used().stats.delete('V');
    await settle();
    await pass(50);
    expect(call.state).toBe('connected');
  });
});

describe('hold', () => {
  it('sends nothing and plays nothing, and restores what was on', async () => {
    const call = await connected();
    await call.setMicrophone(false);
    const [microphone, camera] = [audible(), visible()];
    call.setHold(true);
    expect([audible(), visible()]).toEqual([null, null]);
    expect(call.remoteStream?.getTracks().map((track) => track.enabled)).toEqual([false, false]);
    expect(sent('state').at(-1)).toMatchObject(state({ audio: false, hold: true }));
    call.setHold(false);
    expect([audible(), visible()]).toEqual([microphone, camera]);
    expect(microphone?.enabled).toBe(false);
    expect(call.remoteStream?.getTracks().map((track) => track.enabled)).toEqual([true, true]);
    expect(sent('state').at(-1)).toMatchObject(state({ audio: false }));
    expect(sent('offer')).toHaveLength(1);
  });

  it('lets devices be switched, and sends them afterwards', async () => {
    const call = await connected();
    call.setHold(true);
    await call.setCamera(false);
    vi.advanceTimersByTime(1000);
    await call.setCamera(true);
    expect(visible()).toBeNull();
    call.setHold(false);
    expect(visible()).toBe(browser.tracks[2]);
  });

  it('by both sides ends when both have ended it', async () => {
    const call = await connected();
    call.setHold(true);
    hear(call, { hold: true });
    call.setHold(false);
    expect(call.remoteMedia.hold).toBe(true);
    expect(audible()).toBe(browser.tracks[0]);
    hear(call);
    expect(call.remoteMedia.hold).toBe(false);
  });

  it('before the answer holds from the answer on, and is no reason not to be connected', async () => {
    const call = await dialled();
    call.setHold(true);
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    expect([audible(), visible()]).toEqual([null, null]);
    used().connect();
    used().stats.delete('O');
    await settle();
    await pass(50);
    expect(call.state).toBe('connected');
  });

  it('of the other side is no silence that has to be repaired', async () => {
    const call = await connected();
    used().receivePackets(100);
    await pass(300);
    hear(call, { hold: true });
    await pass(20_000);
    expect(sent('offer')).toHaveLength(1);
    hear(call);
    await pass(500);
    expect(sent('offer')).toHaveLength(1);
    // Now it is.
    await pass(1000);
    expect(sent('offer').length).toBeGreaterThan(1);
  });

  it('of the other side holds for a connection that takes over, too', async () => {
    const call = await connected();
    hear(call, { hold: true });
    receive({ type: 'offer', call: call.id, generation: 1, sdp: 'theirs', fresh: true, from: 'bob' });
    await settle();
    const now = browser.connections.filter((one) => one.listening && one.done.length > 0).at(-1);
    now?.connect();
    now?.receivePackets(50);
    await pass(20_000);
    expect(browser.connections.filter((one) => one.listening && one.done.length > 0)).toEqual([now]);
    expect(sent('offer')).toHaveLength(1);
  });

  it('plays nothing of a kind that comes while it lasts', async () => {
    const call = await answered();
    call.setHold(true);
    used().connect();
    expect(call.remoteStream?.getTracks().map((track) => track.enabled)).toEqual([false, false]);
  });

  it('leaves nothing open when the call ends', async () => {
    const call = await connected();
    await call.setScreen(true);
    call.setHold(true);
    call.end();
    everythingIsGivenBack(call);
    call.setHold(false);
    expect(sent('state').filter((frame) => frame['hold'] === false)).toHaveLength(1);
  });
});

describe('from voice to video and back', () => {
  it('needs no new offer, from both sides at once neither', async () => {
    await start();
    const call = client.dial('bob');
    await settle();
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: false } });
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    used().connect();
    used().stats.delete('V');
    await pass(50);
    expect(call.state).toBe('connected');

    const on = call.setCamera(true);
    hear(call, { video: true });
    expect(await on).toBe(true);
    expect(sent('state')).toMatchObject([state()]);
    expect(call.remoteMedia.video).toBe(true);
    used().flow();
    await pass(150);
    expect(call.remoteStream?.getVideoTracks()).toHaveLength(1);

    hear(call, { video: false });
    expect(await call.setCamera(false)).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(visible()).toBeNull();
    expect(sent('state').at(-1)).toMatchObject(state({ video: false }));
    expect(sent('offer')).toHaveLength(1);
    expect(call.state).toBe('connected');
  });
});

describe('a shared screen', () => {
  it('takes the place of the camera, which comes back', async () => {
    const call = await connected();
    const camera = visible();
    expect(await call.setScreen(true)).toBe(true);
    const screen = browser.tracks[2];
    expect(visible()).toBe(screen);
    expect(screen?.contentHint).toBe('detail');
    expect(sent('state').at(-1)).toMatchObject(state({ screen: true }));
    expect(await call.setScreen(false)).toBe(false);
    expect(visible()).toBe(camera);
    expect(screen?.stopped).toBe(true);
    expect(sent('state').at(-1)).toMatchObject(state());
    expect(sent('offer')).toHaveLength(1);
  });

  it('ends by the button of the browser', async () => {
    const call = await connected();
    const told: boolean[] = [];
    call.on('localmedia', (media) => told.push(media.screen));
    await call.setScreen(true);
    browser.tracks[2]?.onended?.();
    expect(told).toEqual([true, false]);
    expect(visible()).toBe(browser.tracks[1]);
    expect(sent('state').at(-1)).toMatchObject(state());
  });

  it('stays while the camera behind it is switched', async () => {
    const call = await connected();
    await call.setScreen(true);
    await call.setCamera(false);
    vi.advanceTimersByTime(1000);
    expect(visible()).toBe(browser.tracks[2]);
    expect(sent('state').at(-1)).toMatchObject(state({ video: false, screen: true }));
    await call.setScreen(false);
    expect(visible()).toBeNull();
  });

  it('that the person does not choose is an error, and no end', async () => {
    const call = await connected();
    const errors: CallError[] = [];
    client.on('error', (error) => errors.push(error));
    browser.denial = Object.assign(new Error('no'), { name: 'NotAllowedError' });
    expect(await call.setScreen(true)).toBe(false);
    expect(errors).toMatchObject([{ code: 'media_denied' }]);
    expect(call.state).toBe('connected');
    browser.denial = null;
    expect(await call.setScreen(true)).toBe(true);
  });

  it('is asked for once, and not kept if it is not wanted any more', async () => {
    const call = await connected();
    const [first, second] = [call.setScreen(true), call.setScreen(true)];
    void call.setScreen(false);
    expect(await Promise.all([first, second])).toEqual([false, false]);
    expect(browser.asked.filter((what) => what === 'screen')).toHaveLength(1);
    expect(browser.tracks[2]?.stopped).toBe(true);
    expect(visible()).toBe(browser.tracks[1]);
  });

  it('that opens after the call is closed', async () => {
    const call = await connected();
    const opening = call.setScreen(true);
    call.end();
    expect(await opening).toBe(false);
    everythingIsGivenBack(call);
  });
});

describe('tones', () => {
  it('are sent with their times, after those on their way', async () => {
    const call = await connected();
    expect(call.sendDtmf('12#')).toBeNull();
    expect(call.sendDtmf('a', { duration_ms: 200 })).toBeNull();
    expect(used().transceivers[0]?.sender.dtmf).toMatchObject({ toneBuffer: '12#a', times: [200, 70] });
  });

  it('are an error where they cannot be', async () => {
    const call = await dialled();
    expect(call.sendDtmf('1')).toMatchObject({ code: 'error' });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    expect(call.sendDtmf('1')).toBeNull();
    expect(call.sendDtmf('1x')).toMatchObject({ verdict: 'Tones are 0 to 9, A to D, #, * and the comma.' });
    call.setHold(true);
    expect(call.sendDtmf('1')).toMatchObject({ code: 'error' });
    call.setHold(false);
    const [audio] = used().transceivers;
    if (audio) audio.sender.dtmf.canInsertDTMF = false;
    expect(call.sendDtmf('1')).toMatchObject({ code: 'error' });
  });
});

describe('messages of the app in a call', () => {
  it('go over a channel of their own, agreed on beforehand', async () => {
    const call = await connected();
    const channel = used().channels[1];
    expect(channel).toMatchObject({ label: 'app', options: { negotiated: true, id: 1, ordered: true } });
    expect(call.send('hello')).toBeNull();
    channel?.open();
    expect(channel?.frames).toHaveLength(1);
    const said: unknown[] = [];
    call.on('message', (message) => said.push(message));
    const [frame] = channel?.frames ?? [];
    channel?.receive(frame?.slice(0));
    expect(said).toEqual(['hello']);
  });

  it('are refused by a call that has ended', async () => {
    const call = await connected();
    call.end();
    expect(call.send('late')).toBe(call.end_cause);
  });
});

describe('an incoming call', () => {
  it('that is ignored is over here, and nobody is told', async () => {
    const call = await incoming({ warm_path: 'relay' });
    await settle();
    call.ignore();
    everythingIsGivenBack(call);
    expect(call.end_cause?.code).toBe('no_answer');
    expect([...sent('reject'), ...sent('hangup')]).toEqual([]);
    receive({ type: 'ended', call: call.id, reason: 'canceled' });
    expect(client.calls).toEqual([]);
  });

  it('is declined here or everywhere', async () => {
    const call = await incoming();
    call.reject('declined', { here: true });
    expect(sent('reject')).toMatchObject([{ reason: 'declined', here: true }]);
    receive({ type: 'incoming', call: 'c_two', from: 'carol', media: { audio: true, video: false }, age_ms: 0 });
    client.calls[0]?.reject();
    expect(sent('reject')[1]).not.toHaveProperty('here');
  });

  it('that is answered can no more be ignored', async () => {
    const call = await incoming();
    call.accept();
    call.ignore();
    expect(call.state).toBe('connecting');
  });
});

describe('a call of another device of this user', () => {
  const there = { call: 'c_there', peer: 'bob', role: 'caller', media: { audio: true, video: true, screen: false }, hold: false } as const;
  const taken = (fields: object = {}): void => receive({ type: 'taken', ...there, generation: 3, ...fields });

  beforeEach(async () => start());

  it('is found, and taken by the side that makes the offer', async () => {
    const asked = client.callsElsewhere();
    expect(sent('elsewhere')).toHaveLength(1);
    receive({ type: 'elsewhere', calls: [there] });
    const [found] = await asked;
    if (!found) throw new Error('none was found');
    const call = client.take(found, { audio: true, video: true });
    await settle();
    expect(sent('take')).toMatchObject([{ call: 'c_there', media: { audio: true, video: true } }]);
    expect(sent('offer')).toEqual([]);
    expect([call.state, call.peer]).toEqual(['connecting', 'bob']);
    taken({ hold: true });
    await settle();
    expect(sent('offer')).toMatchObject([{ call: 'c_there', generation: 4, fresh: true }]);
    expect(call.remoteMedia).toEqual({ audio: true, video: true, screen: false, hold: true });
    receive({ type: 'answer', call: 'c_there', generation: 4, sdp: 'answer', from: 'bob' });
    await settle();
    used().connect();
    await pass(50);
    expect(call.state).toBe('connected');
    expect([audible(), visible()]).toEqual(browser.tracks);
  });

  it('is taken by the side that waits for the offer', async () => {
    const call = client.take({ ...there, role: 'callee' });
    taken({ role: 'callee' });
    await settle();
    expect(sent('offer')).toEqual([]);
    receive({ type: 'offer', call: 'c_there', generation: 4, sdp: 'offer', from: 'bob', fresh: true });
    await settle();
    expect(sent('answer')).toMatchObject([{ generation: 4 }]);
    used().connect();
    await pass(50);
    expect(call.state).toBe('connected');
  });

  it('that is over by then ends with the reason', async () => {
    for (const code of ['unknown_call', 'wrong_state']) {
      const call = client.take(there);
      receive({ type: 'error', code, message: 'no', call: 'c_there', ref: sent('take').at(-1)?.['seq'] });
      expect(call.end_cause).toMatchObject({ code: 'error', verdict: 'no' });
      expect(sent('hangup')).toEqual([]);
      await settle();
      everythingIsGivenBack(call);
    }
  });

  it('is none while the server cannot be reached, or when the session is lost meanwhile', async () => {
    const asked = client.callsElsewhere();
    browser.socket.drop();
    expect(await client.callsElsewhere()).toEqual([]);
    await pass(500);
    await open();
    push();
    expect(await asked).toEqual([]);
  });
});

describe('a call that another device of the other side takes', () => {
  it('gets a new connection, and says that it is on its way', async () => {
    const call = await connected();
    const states: string[] = [];
    call.on('state', (one) => states.push(one));
    const before = used();
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: false }, fresh: true });
    await settle();
    expect(before.closed).toBe(true);
    expect(sent('offer').at(-1)).toMatchObject({ generation: 1, fresh: true });
    receive({ type: 'answer', call: call.id, generation: 1, sdp: 'answer', from: 'bob' });
    await settle();
    const now = browser.connections.find((one) => one.listening && one.done.length > 0);
    now?.connect();
    await pass(100);
    expect(states).toEqual(['reconnecting', 'connected']);
    expect(call.remoteMedia).toMatchObject({ audio: true, video: false });
    expect(now?.transceivers.map((one) => one.sender.track)).toEqual(browser.tracks);
  });

  it('ends on the device that had it', async () => {
    const call = await connected();
    receive({ type: 'ended', call: call.id, reason: 'answered_elsewhere' });
    everythingIsGivenBack(call);
    expect(call.end_cause?.code).toBe('answered_elsewhere');
  });
});

describe('a server that has forgotten everything', () => {
  it('hears of the switches again, and not of those that are as they began', async () => {
    const call = await connected();
    await call.setMicrophone(false);
    browser.socket.drop();
    await pass(500);
    await open();
    push();
    restartNumbers();
    expect(sent('state')).toEqual([]);
    receive({ type: 'restored', call: call.id, generation: 0 });
    expect(sent('state')).toMatchObject([state({ audio: false })]);
    await call.setMicrophone(true);
    expect(sent('state').at(-1)).toMatchObject(state());
  });

  it('hears of a switch that is as it began, if the other side may believe something else', async () => {
    const call = await connected();
    await call.setMicrophone(false);
    browser.socket.drop();
    await call.setMicrophone(true);
    await pass(500);
    await open();
    push();
    restartNumbers();
    receive({ type: 'restored', call: call.id, generation: 0 });
    expect(sent('state')).toMatchObject([state()]);
  });
});

describe('a socket that is lost', () => {
  it('does not keep the other side from hearing of the switches', async () => {
    const call = await connected();
    browser.socket.drop();
    await call.setMicrophone(false);
    vi.advanceTimersByTime(0);
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome({ resumed: true, ack: 0 }));
    expect(sent('state')).toMatchObject([state({ audio: false })]);
  });
});
