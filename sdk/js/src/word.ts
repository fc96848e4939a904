// What the callee's device says over the data channel, beside the server's way: that the call is answered.
import type { MediaKinds } from './protocol.js';

interface AcceptWord {
  call: string;
  media: MediaKinds;
}

export function acceptWord({ call, media }: AcceptWord): string {
  return JSON.stringify({ type: 'accept', call, media });
}

/** Null if `text`, which may come from anybody's program, is none. */
export function readAcceptWord(text: string): AcceptWord | null {
  let word: { type?: unknown; call?: unknown; media?: Partial<MediaKinds> } | null;
  try {
    word = JSON.parse(text);
  } catch {
    return null;
  }
  if (word?.type !== 'accept' || typeof word.call !== 'string') return null;
  return { call: word.call, media: { audio: word.media?.audio === true, video: word.media?.video === true } };
}
