import { describe, expect, it, vi } from 'vitest';
import type { Call, CallError } from '../src/index.js';
import { answered, browser, client, connected, dialled, everythingIsGivenBack, incoming, makeClient, receive, restartNumbers, sent, start, useStage, used } from './call_stage.js';
import { FakeAudio, settle, welcome } from './fakes.js';

useStage();

describe('a call that rings without end', () => {
  it('ends 5 s after the server should have ended it: outgoing', async () => {
    const call = await dialled();
    vi.advanceTimersByTime(49_999);
    expect(call.state).toBe('ringing');
    vi.advanceTimersByTime(1);
    expect(call.end_cause?.code).toBe('no_answer');
    expect(sent('hangup')).toMatchObject([{ call: call.id }]);
  });

  it('ends 5 s after the server should have ended it: incoming, dialled a while ago', async () => {
    await start();
    receive({ type: 'incoming', call: 'c_in', from: 'bob', media: { audio: true, video: false }, age_ms: 40_000 });
    vi.advanceTimersByTime(10_000);
    expect(client.calls).toEqual([]);
    expect(sent('reject')).toMatchObject([{ call: 'c_in', reason: 'busy' }]);
  });

  it.each(['outgoing', 'incoming'])('ends after 30 s without a connection: %s', async (direction) => {
    const call = direction === 'outgoing' ? await dialled() : await incoming();
    browser.socket.drop();
    vi.advanceTimersByTime(29_999);
    expect(call.state).toBe('ringing');
    vi.advanceTimersByTime(1);
    expect(call.end_cause?.code).toBe('signaling_lost');
    everythingIsGivenBack(call);
  });
});

describe('a message that the server refuses while we dial', () => {
  async function refused(type: string, code: string): Promise<Call> {
    await start();
    const call = client.dial('bob');
    await settle();
    used().onicecandidate?.({ candidate: { candidate: 'typ host', usernameFragment: 'local0' } });
    receive({ type: 'error', code, message: 'no', call: call.id, ref: sent(type)[0]?.['seq'] });
    return call;
  }

  it.each(['too_many_candidates', 'bad_message'])('does not end the call if it is a candidate: %s', async (code) => {
    expect((await refused('ice-candidate', code)).state).toBe('dialing');
  });

  it('says when to try again if it is one dial of too many', async () => {
    const call = await dialled();
    receive({ type: 'error', call: call.id, code: 'too_many_dials', message: 'you dial too often', retry_after_ms: 4200 });
    await settle();
    expect(call.end_cause).toMatchObject({ code: 'error', retryable: true });
    expect(call.end_cause?.verdict).toMatch(/too often.*Try again in 5 s/);
    expect(sent('hangup')).toEqual([]);
  });

  it('ends it if it is the dial', async () => {
    expect((await refused('dial', 'bad_message')).end_cause?.code).toBe('error');
    expect(sent('hangup')).toEqual([]);
  });

  it('ends it if it is the offer, and tells the server', async () => {
    expect((await refused('offer', 'bad_message')).end_cause?.code).toBe('error');
    expect(sent('hangup')).toMatchObject([{ reason: 'error' }]);
  });
});

describe('every way out gives everything back', () => {
  const outgoing_ends: [string, (call: Call) => void, string][] = [
    ['given up', (call) => call.end(), 'canceled'],
    ['declined', (call) => receive({ type: 'ended', call: call.id, reason: 'declined', verdict: 'bob declined.', retryable: false }), 'declined'],
    ['no answer', (call) => receive({ type: 'ended', call: call.id, reason: 'no_answer', verdict: '', retryable: true }), 'no_answer'],
    ['refused by the server', (call) => receive({ type: 'error', call: call.id, code: 'too_many_calls', message: 'Too many calls.' }), 'error'],
    ['session closed for good', () => browser.socket.drop(4403, 'forbidden'), 'blocked'],
  ];

  it.each(outgoing_ends)('while ringing: %s', async (_name, end, code) => {
    const call = await dialled();
    end(call);
    await settle();
    await expect(call.connected).rejects.toMatchObject({ name: 'CallError', code });
    everythingIsGivenBack(call);
  });

  const connected_ends: [string, (call: Call) => void | Promise<void>, string][] = [
    ['hung up here', (call) => call.end(), 'hangup'],
    ['hung up there', (call) => receive({ type: 'ended', call: call.id, reason: 'hangup', verdict: 'bob ended the call.', retryable: false }), 'hangup'],
    [
      'path lost',
      () => {
        used().setIce('disconnected');
        vi.advanceTimersByTime(30_000);
      },
      'ice_lost',
    ],
    [
      'session lost, and the other side as well',
      async (call: Call) => {
        browser.socket.drop();
        vi.advanceTimersByTime(0);
        browser.socket.onopen?.();
        await settle();
        restartNumbers();
        browser.socket.receive(welcome({ session: 's_2' }));
        receive({ type: 'ended', call: call.id, reason: 'signaling_lost' });
      },
      'signaling_lost',
    ],
  ];

  it.each(connected_ends)('when connected: %s', async (_name, end, code) => {
    const call = await connected();
    expect(call.state).toBe('connected');
    expect(FakeAudio.playing.size).toBe(1);
    let ended: CallError | null = null;
    call.on('ended', (error) => (ended = error));
    await end(call);
    await settle();
    expect(ended).toMatchObject({ code });
    everythingIsGivenBack(call);
  });

  it('when no path is ever found: ice_failed after 30 s', async () => {
    const call = await answered();
    vi.advanceTimersByTime(30_000);
    expect(call.end_cause).toMatchObject({ code: 'ice_failed', retryable: true });
    expect(sent('hangup')).toMatchObject([{ reason: 'ice_failed' }]);
    everythingIsGivenBack(call);
  });

  it('when devices are refused: media_denied, with what to do', async () => {
    browser.denial = Object.assign(new Error('no'), { name: 'NotAllowedError' });
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    await settle();
    expect(sent('hangup')).toMatchObject([{ reason: 'media_denied' }]);
    expect(call.end_cause?.verdict).toMatch(/may not use the microphone and camera. Allow it/);
    everythingIsGivenBack(call);
  });

  it('when devices open after the end', async () => {
    await start();
    const call = client.dial('bob');
    call.end();
    await settle();
    expect(browser.tracks).toHaveLength(1);
    everythingIsGivenBack(call);
  });

  it('when the server cannot be reached for 20 s', async () => {
    makeClient();
    const call = client.dial('bob');
    await settle();
    vi.advanceTimersByTime(20_000);
    expect(call.end_cause?.code).toBe('signaling_lost');
    everythingIsGivenBack(call);
    // Should it come back, the dial must not ring there for nobody.
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome());
    expect(browser.socket.sent.slice(1).map((frame) => frame.type)).toEqual(['dial', 'hangup']);
  });

  it('and a second call works after any first', async () => {
    const first = await connected();
    first.end();
    vi.advanceTimersByTime(2000);
    const second = client.dial('bob', { audio: true, video: true });
    await settle();
    expect(second.state).toBe('dialing');
    expect(sent('offer')).toHaveLength(2);
    expect(browser.connections.filter((connection) => connection.done.length > 0)).toHaveLength(2);
  });

  it('nobody awaits `connected` and nothing is unhandled', async () => {
    const call = await dialled();
    call.end();
    await settle();
    everythingIsGivenBack(call);
  });
});

describe('an app that ends the call as it hears of its state', () => {
  it('opens no device and no connection after its own accept', async () => {
    const call = await incoming();
    call.on('state', (state) => state === 'connecting' && call.end());
    call.accept();
    await settle();
    expect(browser.asked).toEqual([]);
    expect(browser.connections.filter((one) => one.done.length > 0 || one.listening)).toEqual([]);
    everythingIsGivenBack(call);
  });

  it.each([
    'ringing',
    'connecting',
  ])('leaves nothing behind in a call that was dialled: %s', async (at) => {
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    call.on('state', (state) => state === at && call.end());
    await settle();
    receive({ type: 'ringing', call: call.id });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    await settle();
    everythingIsGivenBack(call);
  });
});
