import { describe, expect, it } from 'vitest';
import { CallError, type Group, type Member } from '../src/index.js';
import { browser, client, makeClient, open, pass, push, receive, restartNumbers, sent, start, useStage } from './call_stage.js';
import { FakeAudio, settle, welcome, type FakePeerConnection } from './fakes.js';

useStage();

const room = 'standup';
const media = { audio: true, video: true };

/** What the app hears, in words. */
let heard: string[];

function listen(group: Group): Group {
  heard = [];
  group.on('member_joined', ({ user }) => heard.push(`joined ${user}`));
  group.on('member_left', ({ user }, cause) => heard.push(`left ${user} ${cause.code}`));
  group.on('connected', ({ user }) => heard.push(`connected ${user}`));
  group.on('ended', (cause) => heard.push(`ended ${cause.code}`));
  return group;
}

/** A member of the room, in which these are already. */
async function joined(...there: string[]): Promise<Group> {
  await start();
  const joining = client.join(room);
  receive({ type: 'joined', room, device: 'd_own', members: there.map((user) => ({ user, device: `d_${user}` })) });
  const group = listen(await joining);
  await settle();
  return group;
}

function member(group: Group, user: string): Member {
  const found = group.members.find((one) => one.user === user);
  if (!found) throw new Error(`${user} is no member`);
  return found;
}

const comes = (user: string): void => receive({ type: 'member_joined', room, user, device: `d_${user}` });
const goes = (user: string, reason = 'hangup'): void => receive({ type: 'member_left', room, user, device: `d_${user}`, reason });
const dialledTo = (user: string): string[] => sent('dial').filter(({ to }) => to === user).map(({ call }) => String(call));
const inUse = (): FakePeerConnection[] => browser.connections.filter((one) => !one.closed && (one.listening || one.done.length > 0));

/** The other side accepts the newest call that we have dialled to it, and media flows. */
async function answers(user: string): Promise<void> {
  const call = dialledTo(user).at(-1);
  receive({ type: 'accepted', call, media });
  receive({ type: 'answer', call, generation: 0, sdp: 'answer', from: user });
  await settle();
  for (const connection of inUse()) if (connection.done.includes('remote answer') && connection.iceConnectionState === 'new') connection.connect();
  await pass(50);
}

async function calls(user: string, call = `c_${user}`): Promise<void> {
  receive({ type: 'incoming', call, from: user, media, age_ms: 0, warm_path: 'relay', room });
  receive({ type: 'offer', call, generation: 0, sdp: `offer of ${user}`, from: user });
  await settle();
}

function everythingIsGivenBack(): void {
  const tracks = browser.tracks.flatMap((track) => [track, ...track.copies]);
  expect(tracks.every((track) => track.stopped && track.onended === null)).toBe(true);
  expect(inUse()).toEqual([]);
  expect(FakeAudio.playing.size).toBe(0);
}

describe('who joins a room', () => {
  it('dials all who are there, and opens its devices once for all of them', async () => {
    const group = await joined('bob', 'carol');
    expect(sent('join')).toMatchObject([{ room }]);
    expect(sent('dial')).toMatchObject([
      { to: 'bob', room, media },
      { to: 'carol', room, media },
    ]);
    expect(browser.asked).toEqual(['audio+video']);
    expect(group.members.map(({ user, device, state }) => [user, device, state])).toEqual([
      ['bob', 'd_bob', 'connecting'],
      ['carol', 'd_carol', 'connecting'],
    ]);
    await answers('bob');
    await answers('carol');
    expect(heard).toEqual(['connected bob', 'connected carol']);
    expect(group.members.map(({ state }) => state)).toEqual(['connected', 'connected']);
    expect(member(group, 'bob').stream).not.toBe(member(group, 'carol').stream);
    expect(member(group, 'bob').stream?.getTracks()).toHaveLength(2);
    expect(group.localStream?.getTracks()).toHaveLength(2);
    // Each call has copies, which it may close without closing those of others.
    expect(browser.tracks.map((track) => track.copies.length)).toEqual([2, 2]);
    expect(client.calls).toEqual([]);
  });

  it('answers those who come later by itself, and nothing rings', async () => {
    const group = await joined();
    let rings = 0;
    client.on('incoming', () => (rings += 1));
    comes('bob');
    await calls('bob');
    expect(sent('accept')).toMatchObject([{ call: 'c_bob', media }]);
    expect(sent('dial')).toEqual([]);
    for (const connection of inUse()) connection.connect();
    await pass(50);
    expect(heard).toEqual(['joined bob', 'connected bob']);
    expect(member(group, 'bob').report()).toMatchObject({ peer: 'bob', direction: 'incoming', state: 'connected' });
    // Who calls from outside hears that we are busy.
    receive({ type: 'incoming', call: 'c_other', from: 'dave', media, age_ms: 0 });
    expect(sent('reject')).toMatchObject([{ call: 'c_other', reason: 'busy' }]);
    expect(rings).toBe(0);
  });

  it('hears that it is full, and has nothing open then', async () => {
    await start();
    const joining = client.join(room);
    await settle();
    receive({ type: 'error', code: 'room_full', message: 'the room has as many members as it may', room, ref: sent('join')[0]?.['seq'] });
    await expect(joining).rejects.toMatchObject({ code: 'room_full', retryable: true });
    await pass(2000);
    everythingIsGivenBack();
    expect(sent('leave')).toEqual([]);
    // Another attempt is another one.
    client.join(room).catch(() => undefined);
    expect(sent('join')).toHaveLength(2);
  });

  it('leaves again if microphone and camera cannot be opened', async () => {
    await start();
    browser.denial = Object.assign(new Error('no'), { name: 'NotAllowedError' });
    await expect(client.join(room)).rejects.toMatchObject({ code: 'media_denied' });
    expect(sent('leave')).toMatchObject([{ room }]);
  });

  it('needs a name that the server takes', async () => {
    await start();
    for (const name of ['', 'a b', 'x'.repeat(65), 'büro']) await expect(client.join(name)).rejects.toBeInstanceOf(CallError);
    expect(sent('join')).toEqual([]);
  });

  it('is one member, however often it joins', async () => {
    const group = await joined();
    expect(await client.join(room)).toBe(group);
    expect(sent('join')).toHaveLength(1);
  });

  it('joins when the server can be reached', async () => {
    makeClient();
    const joining = client.join(room);
    await settle();
    expect(sent('join')).toEqual([]);
    await open();
    push();
    receive({ type: 'joined', room, device: 'd_own', members: [] });
    expect((await joining).members).toEqual([]);
  });
});

describe('a member', () => {
  it('that leaves is gone with its call, for one reason', async () => {
    const group = await joined('bob', 'carol');
    await answers('bob');
    await answers('carol');
    const { stream } = member(group, 'bob');
    receive({ type: 'ended', call: dialledTo('bob')[0], reason: 'hangup', verdict: '', retryable: false });
    goes('bob');
    await pass(20_000);
    expect(heard).toEqual(['connected bob', 'connected carol', 'left bob hangup']);
    expect(group.members.map(({ user }) => user)).toEqual(['carol']);
    expect(stream?.getTracks()).toHaveLength(2);
    expect(sent('dial')).toHaveLength(2);
    expect(inUse()).toHaveLength(1);
  });

  it('whose path is lost is dialled again by the one that came later, after longer and longer waits', async () => {
    const group = await joined('bob');
    const fails = async (): Promise<void> => {
      receive({ type: 'ended', call: dialledTo('bob').at(-1), reason: 'ice_failed', verdict: 'no path', retryable: true });
      await settle();
    };
    await fails();
    expect(member(group, 'bob')).toMatchObject({ state: 'connecting', problem: { code: 'ice_failed', verdict: 'no path' } });
    await pass(950);
    expect(sent('dial')).toHaveLength(1);
    await pass(50);
    expect(sent('dial')).toHaveLength(2);
    expect(member(group, 'bob').problem).toBeNull();
    await fails();
    await pass(1950);
    expect(sent('dial')).toHaveLength(2);
    await pass(50);
    expect(sent('dial')).toHaveLength(3);
    await answers('bob');
    expect(heard).toEqual(['connected bob']);
    await fails();
    await pass(1000);
    expect(sent('dial')).toHaveLength(4);
  });

  it('is not dialled by the one that was there before', async () => {
    const group = await joined();
    comes('bob');
    await calls('bob');
    receive({ type: 'ended', call: 'c_bob', reason: 'ice_lost', verdict: '', retryable: true });
    await pass(30_000);
    expect(sent('dial')).toEqual([]);
    await calls('bob', 'c_again');
    expect(sent('accept')).toMatchObject([{ call: 'c_bob' }, { call: 'c_again' }]);
    expect(group.members).toHaveLength(1);
  });

  it('with whom there may be no call stays apart, and it is said why', async () => {
    const group = await joined('bob');
    receive({ type: 'ended', call: dialledTo('bob')[0], reason: 'blocked', verdict: 'You cannot call this person.', retryable: false });
    await pass(60_000);
    expect(sent('dial')).toHaveLength(1);
    expect(member(group, 'bob')).toMatchObject({ state: 'apart', problem: { code: 'blocked' } });
  });
});

describe('in a group', () => {
  it('microphone and camera are switched for all, also for those who come later', async () => {
    const group = await joined('bob');
    await answers('bob');
    expect(await group.setMicrophone(false)).toBe(false);
    const [microphone, camera] = browser.tracks;
    expect(microphone?.enabled).toBe(false);
    expect(microphone?.copies.map(({ enabled }) => enabled)).toEqual([false]);
    expect(sent('state').at(-1)).toMatchObject({ media: { audio: false, video: true } });
    comes('carol');
    await calls('carol');
    expect(sent('accept')).toMatchObject([{ call: 'c_carol', media: { audio: false, video: true } }]);
    await group.setCamera(false);
    await pass(1100);
    expect(camera).toMatchObject({ stopped: true });
    expect(camera?.copies.map(({ stopped }) => stopped)).toEqual([true, true]);
    const on = group.setMicrophone(true);
    await settle();
    expect(await on).toBe(true);
    expect(microphone?.copies.map(({ enabled }) => enabled)).toEqual([true, true]);
    expect(await group.setCamera(true)).toBe(true);
    expect(browser.asked).toEqual(['audio+video', 'video']);
    expect(browser.tracks.at(-1)?.copies).toHaveLength(2);
    expect(group.localMedia).toMatchObject(media);
  });

  it('who leaves gives everything back, and hears of it once', async () => {
    const group = await joined('bob', 'carol');
    await answers('bob');
    group.leave();
    group.leave();
    expect(sent('leave')).toMatchObject([{ room }]);
    expect(heard).toEqual(['connected bob', 'ended hangup']);
    expect(group).toMatchObject({ members: [], end_cause: { code: 'hangup' } });
    await pass(20_000);
    everythingIsGivenBack();
    expect(sent('dial')).toHaveLength(2);
    expect(await group.setMicrophone(true)).toBe(false);
  });

  it('another device of the same user may take our place', async () => {
    const group = await joined('bob');
    await answers('bob');
    receive({ type: 'ended', call: dialledTo('bob')[0], reason: 'answered_elsewhere', verdict: '', retryable: false });
    receive({ type: 'left', room, reason: 'answered_elsewhere', verdict: 'You have joined the room on another device.', retryable: false });
    expect(heard).toEqual(['connected bob', 'ended answered_elsewhere']);
    expect(group.end_cause?.verdict).toBe('You have joined the room on another device.');
    await pass(20_000);
    everythingIsGivenBack();
  });

  it('a new session joins again before it tells of its calls, and what nobody has answered is dialled anew', async () => {
    const group = await joined('bob', 'carol');
    await answers('bob');
    const [kept] = dialledTo('bob');
    browser.socket.drop();
    await pass(100);
    restartNumbers();
    await open({ session: 's_2', resumed: false });
    const told = browser.socket.sent.filter(({ type }) => ['join', 'snapshot', 'dial'].includes(type));
    expect(told).toMatchObject([
      { type: 'join', room },
      { type: 'snapshot', peer: 'carol', state: 'ended' },
      { type: 'snapshot', call: kept, state: 'connected', room },
    ]);
    receive({ type: 'joined', room, device: 'd_new', members: [{ user: 'carol', device: 'd_carol' }] });
    await settle();
    expect(sent('dial')).toMatchObject([{ to: 'carol', room }]);
    // The other one comes back a moment later; the call with him has gone on.
    expect(member(group, 'bob').state).toBe('connected');
    comes('bob');
    receive({ type: 'restored', call: kept, generation: 0 });
    expect(heard).toEqual(['connected bob']);
    expect(group.members.map(({ user }) => user)).toEqual(['bob', 'carol']);
  });

  it('who does not come back after a restart is gone when the call with them is', async () => {
    const group = await joined('bob', 'carol');
    await answers('bob');
    const [kept] = dialledTo('bob');
    browser.socket.drop();
    await pass(100);
    restartNumbers();
    await open({ session: 's_2', resumed: false });
    receive({ type: 'joined', room, device: 'd_new', members: [] });
    expect(heard).toEqual(['connected bob', 'left carol signaling_lost']);
    receive({ type: 'ended', call: kept, reason: 'signaling_lost', verdict: '', retryable: true });
    expect(heard.at(-1)).toBe('left bob signaling_lost');
    expect(group.members).toEqual([]);
  });

  it('a session that resumes changes nothing', async () => {
    await joined('bob');
    await answers('bob');
    browser.socket.drop();
    await pass(100);
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome({ resumed: true, ack: 50 }));
    await settle();
    expect(sent('join')).toEqual([]);
    expect(heard).toEqual(['connected bob']);
  });

  it('is left when the client is closed', async () => {
    const group = await joined('bob');
    client.close();
    expect(sent('leave')).toHaveLength(1);
    expect(group.end_cause?.code).toBe('hangup');
    await pass(2000);
    everythingIsGivenBack();
  });
});
