import { describe, expect, it, vi } from 'vitest';
import type { Call } from '../src/index.js';
import { browser, client, connected, dialled, everythingIsGivenBack, incoming, makeClient, push, receive, sent, start, useStage, used } from './call_stage.js';
import { settle, welcome } from './fakes.js';

useStage();

describe('before anybody dials', () => {
  it('socket, credentials and candidate pool are warm', async () => {
    await start();
    expect(browser.connections).toHaveLength(1);
    expect(browser.connections[0]?.configuration).toMatchObject({
      iceCandidatePoolSize: 1,
      iceTransportPolicy: 'all',
      iceServers: [{ urls: ['turn:192.0.2.1:3478'] }],
    });
    expect(browser.requests).toEqual([]);
  });

  it('the warm connection is replaced after 4 minutes, and the old one closed', async () => {
    await start();
    vi.advanceTimersByTime(240_000);
    expect(browser.connections.map((connection) => connection.closed)).toEqual([true, false]);
  });
});

describe('dialling', () => {
  it('sends dial and offer at once, from the warm connection', async () => {
    await dialled();
    expect(browser.socket.sent.map((frame) => frame.type)).toEqual(['hello', 'ping', 'dial', 'offer']);
    expect(sent('dial')[0]).toMatchObject({ to: 'bob', media: { audio: true, video: true } });
    expect(sent('dial')[0]?.['call']).toMatch(/^c_[\w-]{22}$/);
    expect(sent('offer')[0]).toMatchObject({ generation: 0 });
    expect(used()).toBe(browser.connections[0]);
  });

  it('goes through its states and is connected when media is decoded', async () => {
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    const states: string[] = [call.state];
    call.on('state', (state) => states.push(state));
    let is_connected = false;
    void call.connected.then(() => (is_connected = true));
    await settle();
    receive({ type: 'ringing', call: call.id });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    receive({ type: 'answer', call: call.id, generation: 0, sdp: 'answer', from: 'bob' });
    await settle();
    used().setIce('connected');
    await settle();
    expect(states).toEqual(['dialing', 'ringing', 'connecting']);
    used().connect();
    vi.advanceTimersByTime(50);
    await settle();
    expect(states).toEqual(['dialing', 'ringing', 'connecting', 'connected']);
    expect(is_connected).toBe(true);
    expect(sent('connected')[0]).toMatchObject({ call: call.id, pair: { local: 'relay', remote: 'host', protocol: 'udp' } });
  });

  it('reports how it went', async () => {
    const call = await connected();
    const report = call.report();
    expect(report).toMatchObject({ peer: 'bob', direction: 'outgoing', state: 'connected', path: 'relay', end_reason: null });
    expect(report.selected_pair).toEqual({ local: 'relay', remote: 'host', protocol: 'udp', relay_protocol: 'tcp' });
    expect(report.time_to_connect_ms).toBeLessThanOrEqual(report.dial_to_connect_ms ?? 0);
    expect(report.timeline.map((entry) => entry.event)).toEqual(
      expect.arrayContaining(['dialed', 'offer_sent', 'ringing', 'accepted', 'answer_received', 'ice_connected', 'connected']),
    );
  });

  it('before the first welcome is kept and sent with it', async () => {
    makeClient();
    client.dial('bob');
    await settle();
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome());
    push();
    await settle();
    expect(browser.socket.sent.map((frame) => frame.type)).toEqual(['hello', 'dial', 'offer']);
  });

  it('without relay credentials, when only the relay is allowed, says so', async () => {
    browser.credentials = { status: 503, body: {} };
    await start({ iceTransportPolicy: 'relay' });
    const call = client.dial('bob');
    await settle();
    vi.advanceTimersByTime(3000);
    await settle();
    expect(call.end_cause).toMatchObject({ code: 'credentials', retryable: true });
    everythingIsGivenBack(call);
  });
});

describe('answering', () => {
  it('rings, then accepts and answers with the warm connection, whatever came before', async () => {
    const call = await incoming();
    expect(call).toMatchObject({ peer: 'bob', direction: 'incoming', state: 'ringing' });
    expect(sent('ringing')).toMatchObject([{ call: 'c_in' }]);
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    receive({ type: 'ice-candidate', call: 'c_in', generation: 0, candidate: { candidate: 'one' }, from: 'bob' });
    call.accept();
    await settle();
    expect(used()).toBe(browser.connections[0]);
    expect(used().done).toEqual(['remote offer', 'candidate one', 'local answer']);
    expect(sent('accept')).toMatchObject([{ call: 'c_in', media: { audio: true, video: false } }]);
    expect(sent('answer')).toMatchObject([{ call: 'c_in', generation: 0 }]);
    expect(browser.tracks.map((track) => track.kind)).toEqual(['audio']);
  });

  it('works when the offer comes after the accept', async () => {
    const call = await incoming();
    call.accept({ audio: true, video: true });
    await settle();
    receive({ type: 'offer', call: 'c_in', generation: 0, sdp: 'offer', from: 'bob' });
    await settle();
    expect(sent('answer')).toHaveLength(1);
  });

  it('is busy by itself during another call', async () => {
    await connected();
    receive({ type: 'incoming', call: 'c_2', from: 'carol', media: { audio: true, video: false }, age_ms: 0 });
    expect(sent('reject')).toMatchObject([{ call: 'c_2', reason: 'busy' }]);
    expect(client.calls).toHaveLength(1);
  });

  it('verbs that make no sense, or come twice, do nothing', async () => {
    const call = await incoming();
    call.accept();
    call.accept();
    call.reject();
    call.end();
    call.end();
    call.reject();
    expect(['accept', 'reject', 'hangup'].map((type) => sent(type).length)).toEqual([1, 0, 1]);
    expect(await call.setCamera(true)).toBe(false);
  });
});

describe('both dial each other', () => {
  // No letter of an id sorts before "!" or behind "~".
  const from_bob = (call: string): void => receive({ type: 'incoming', call, from: 'bob', media: { audio: true, video: false }, age_ms: 0 });

  async function both(id: string): Promise<{ own: Call; dialled_id: string; shown: Call[] }> {
    await start();
    const shown: Call[] = [];
    client.on('incoming', (call) => shown.push(call));
    const own = client.dial('bob', { audio: true, video: true });
    const dialled_id = own.id;
    await settle();
    receive({ type: 'ringing', call: own.id });
    from_bob(id);
    await settle();
    return { own, dialled_id, shown };
  }

  it('and the lower id is theirs: our call becomes it, answered with what we dialled with', async () => {
    const { own, dialled_id, shown } = await both('c_!');
    expect(shown).toEqual([]);
    expect(client.calls).toEqual([own]);
    expect([own.id, own.state]).toEqual(['c_!', 'connecting']);
    expect(sent('hangup')).toMatchObject([{ call: dialled_id }]);
    expect(sent('accept')).toMatchObject([{ call: 'c_!', media: { audio: true, video: true } }]);
    receive({ type: 'ended', call: dialled_id, reason: 'canceled', verdict: '', retryable: false });
    receive({ type: 'offer', call: 'c_!', generation: 0, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(sent('answer')).toMatchObject([{ call: 'c_!', generation: 0 }]);
    const answering = browser.connections.find((one) => one.done.includes('remote theirs'));
    expect(answering?.done).toEqual(['remote theirs', 'local answer']);
    answering?.connect();
    await settle();
    vi.advanceTimersByTime(50);
    await own.connected;
    expect(browser.tracks).toHaveLength(2);
    own.end();
    everythingIsGivenBack(own);
  });

  it('at the moment of the dial, before it has a connection', async () => {
    await start();
    const own = client.dial('bob', { audio: true, video: false });
    from_bob('c_!');
    receive({ type: 'offer', call: 'c_!', generation: 0, sdp: 'theirs', from: 'bob' });
    await settle();
    expect(sent('offer')).toEqual([]);
    expect(sent('answer')).toMatchObject([{ call: 'c_!' }]);
    expect(own.state).toBe('connecting');
  });

  it('and the lower id is ours: we dial on, and nothing is shown', async () => {
    const { own, shown } = await both('c_~');
    expect(shown).toEqual([]);
    expect(client.calls).toEqual([own]);
    receive({ type: 'ended', call: 'c_~', reason: 'canceled', verdict: '', retryable: false });
    receive({ type: 'accepted', call: own.id, media: { audio: true, video: true } });
    expect(own.state).toBe('connecting');
    expect([...sent('hangup'), ...sent('reject'), ...sent('accept')]).toEqual([]);
  });

  it('theirs is let go when ours is answered', async () => {
    const { own } = await both('c_~');
    receive({ type: 'accepted', call: own.id, media: { audio: true, video: true } });
    expect(sent('reject')).toMatchObject([{ call: 'c_~', reason: 'busy' }]);
    expect(sent('hangup')).toEqual([]);
  });

  it('theirs is shown when ours comes to nothing', async () => {
    const { own, shown } = await both('c_~');
    receive({ type: 'ended', call: own.id, reason: 'busy', verdict: '', retryable: true });
    expect(shown).toMatchObject([{ id: 'c_~', state: 'ringing' }]);
    expect(client.calls).toEqual(shown);
  });

  it('a dial to somebody who is ringing here answers', async () => {
    const theirs = await incoming();
    expect(client.dial('bob', { audio: true, video: true })).toBe(theirs);
    expect(sent('dial')).toEqual([]);
    expect(sent('accept')).toMatchObject([{ call: 'c_in', media: { audio: true, video: true } }]);
  });
});
