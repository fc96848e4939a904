import { describe, expect, it, vi } from 'vitest';
import type { CallError } from '../src/index.js';
import { browser, client, connected, dialled, receive, sent, start, useStage, used } from './call_stage.js';
import { settle, welcome } from './fakes.js';

useStage();

describe('during the call', () => {
  it('a lost socket does not matter', async () => {
    const call = await connected();
    browser.socket.drop();
    vi.advanceTimersByTime(0);
    browser.socket.onopen?.();
    await settle();
    browser.socket.receive(welcome({ resumed: true, ack: 99 }));
    expect(call.state).toBe('connected');
  });

  it('the caller restarts ICE when the path is interrupted', async () => {
    const call = await connected();
    const states: string[] = [];
    call.on('state', (state) => states.push(state));
    used().setIce('disconnected');
    vi.advanceTimersByTime(2000);
    await settle();
    expect(sent('offer').map((frame) => frame['generation'])).toEqual([0, 1]);
    receive({ type: 'answer', call: call.id, generation: 1, sdp: 'answer', from: 'bob' });
    await settle();
    used().setIce('connected');
    expect(states).toEqual(['reconnecting', 'connected']);
  });

  it('the microphone is muted without being closed', async () => {
    const call = await connected();
    expect(await call.setMicrophone(false)).toBe(false);
    const [microphone] = browser.tracks;
    expect([microphone?.enabled, microphone?.stopped]).toEqual([false, false]);
    expect(await call.setMicrophone(true)).toBe(true);
    expect(microphone?.enabled).toBe(true);
  });

  it('the camera is released when it is off, and opened again', async () => {
    const call = await connected();
    expect(await call.setCamera(false)).toBe(false);
    const camera = browser.tracks[1];
    expect([camera?.enabled, camera?.stopped]).toEqual([false, false]);
    vi.advanceTimersByTime(1000);
    expect(camera?.stopped).toBe(true);
    expect(await call.setCamera(true)).toBe(true);
    expect(browser.tracks).toHaveLength(3);
    expect(used().transceivers[1]?.sender.track).toBe(browser.tracks[2]);
  });

  it('a camera that is switched off while it opens is released', async () => {
    await start();
    const call = client.dial('bob', { audio: true, video: true });
    const off = call.setCamera(false);
    await settle();
    expect(await off).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(browser.tracks.map((track) => track.stopped)).toEqual([false, true]);
  });

  it('a camera that cannot be opened is an error, not the end', async () => {
    const call = await dialled({ audio: true, video: false });
    const errors: CallError[] = [];
    client.on('error', (error) => errors.push(error));
    browser.denial = Object.assign(new Error('none'), { name: 'NotFoundError' });
    expect(await call.setCamera(true)).toBe(false);
    expect(errors).toMatchObject([{ code: 'media_denied' }]);
    expect(call.state).toBe('ringing');
  });
});

describe('a listener that throws', () => {
  it('does not stop the call, and is not swallowed', async () => {
    const call = await dialled();
    const stop = call.on('state', () => {
      stop();
      throw new Error('fault of the app');
    });
    receive({ type: 'accepted', call: call.id, media: { audio: true, video: true } });
    expect(call.state).toBe('connecting');
    expect(() => vi.advanceTimersByTime(0)).toThrow('fault of the app');
  });
});
