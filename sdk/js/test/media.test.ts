import { describe, expect, it } from 'vitest';
import { CallError, sentences } from '../src/errors.js';
import { openDevices } from '../src/media.js';

const video_call = { audio: true, video: true };
const voice_call = { audio: true, video: false };

async function verdictOf(name: string, kinds = video_call): Promise<string> {
  const refuse = (): Promise<never> => Promise.reject(Object.assign(new Error(name), { name }));
  const error: unknown = await openDevices(refuse, {}, kinds).catch((cause: unknown) => cause);
  if (!(error instanceof CallError)) throw new Error('no CallError');
  expect(error.code).toBe('media_denied');
  return error.verdict;
}

describe('devices that cannot be opened', () => {
  it.each([
    ['NotAllowedError', video_call, /may not use the microphone and camera\. Allow it/],
    ['NotAllowedError', voice_call, /may not use the microphone\. Allow it/],
    ['NotFoundError', video_call, /No camera or no microphone was found.*voice call/],
    ['NotFoundError', voice_call, /No microphone was found\. Plug one in/],
    ['NotReadableError', video_call, /Close other programs/],
    ['OverconstrainedError', video_call, /can do what this app asks for/],
    ['TypeError', video_call, /could not be opened: TypeError/],
  ])('%s says what to do', async (name, kinds, verdict) => {
    expect(await verdictOf(name, kinds)).toMatch(verdict);
  });

  it('a page without https is told so', async () => {
    await expect(openDevices(null, {}, voice_call)).rejects.toMatchObject({ code: 'media_denied', retryable: false, verdict: expect.stringMatching(/https/) });
  });

  it('nothing is opened when nothing is sent', async () => {
    expect(await openDevices(null, {}, { audio: false, video: false })).toEqual([]);
  });
});

describe('CallError', () => {
  it('has a sentence for every end reason, and is an Error with it', () => {
    for (const [code, { verdict, retryable }] of Object.entries(sentences)) {
      const error = new CallError(code as keyof typeof sentences);
      expect(error).toMatchObject({ name: 'CallError', code, verdict, retryable, message: verdict });
      expect(verdict).toMatch(/^[A-Z].*\.$/);
    }
  });
});
