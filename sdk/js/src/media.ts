import type { Environment } from './environment.js';
import { CallError } from './errors.js';
import type { MediaKinds } from './protocol.js';

/** What the app wants of microphone and camera, as the browser's constraints. */
export interface Devices {
  audio?: MediaTrackConstraints;
  video?: MediaTrackConstraints;
}

export type GetUserMedia = (constraints: MediaStreamConstraints) => Promise<MediaStream>;

/** Opens what `kinds` names. Rejects with a CallError `media_denied` that says what to do. */
export async function openDevices(getUserMedia: GetUserMedia | null, devices: Devices, kinds: MediaKinds): Promise<MediaStreamTrack[]> {
  if (!kinds.audio && !kinds.video) return [];
  if (!getUserMedia) {
    throw new CallError(
      'media_denied',
      'The browser gives microphone and camera only to pages that come over https (or from localhost). Open this page with https.',
      false,
    );
  }
  try {
    const stream = await getUserMedia({
      audio: kinds.audio && (devices.audio ?? true),
      video: kinds.video && (devices.video ?? true),
    });
    return stream.getTracks();
  } catch (error) {
    throw deniedBecause(error, kinds);
  }
}

/** Opens a screen or a window that the person chooses. Rejects with a CallError `media_denied` that says what to do. */
export async function openScreen(getDisplayMedia: GetUserMedia | null): Promise<MediaStreamTrack> {
  if (!getDisplayMedia) throw new CallError('media_denied', 'This browser shares no screens.', false);
  let screen: MediaStreamTrack | undefined;
  try {
    [screen] = (await getDisplayMedia({ video: true })).getVideoTracks();
  } catch (error) {
    if ((error as { name?: unknown } | null)?.name !== 'NotAllowedError') throw new CallError('media_denied', `The screen could not be shared: ${String(error)}`);
  }
  if (!screen) throw new CallError('media_denied', 'No screen or window was chosen, or this page may not share any.');
  // Text is to stay sharp; smooth motion matters less.
  screen.contentHint = 'detail';
  return screen;
}

function deniedBecause(error: unknown, kinds: MediaKinds): CallError {
  const what = kinds.audio && kinds.video ? 'microphone and camera' : kinds.audio ? 'microphone' : 'camera';
  switch ((error as { name?: unknown } | null)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new CallError('media_denied', `This page may not use the ${what}. Allow it beside the address of the page, then call again.`);
    case 'NotFoundError':
      return new CallError(
        'media_denied',
        kinds.video ? 'No camera or no microphone was found. Plug one in, or make a voice call.' : 'No microphone was found. Plug one in, then call again.',
      );
    case 'NotReadableError':
    case 'AbortError':
      return new CallError('media_denied', `The ${what} could not be opened. Close other programs that use it, then call again.`);
    case 'OverconstrainedError':
      return new CallError('media_denied', `No ${what} here can do what this app asks for.`);
    default:
      return new CallError('media_denied', `The ${what} could not be opened: ${String(error)}`);
  }
}

/** Knows whether microphone and camera open without a question, before anybody needs them. */
export class Permissions {
  #states: (PermissionStatus | null)[] = [];

  constructor(permissions: Environment['permissions']) {
    for (const name of ['microphone', 'camera']) void this.#ask(permissions, name);
  }

  get allowed(): boolean {
    return this.#states.length === 2 && this.#states.every((status) => status?.state === 'granted');
  }

  async #ask(permissions: Environment['permissions'], name: string): Promise<void> {
    // Not every browser knows these names; then the person may be asked.
    const status = await permissions?.query({ name: name as PermissionName }).catch(() => null);
    this.#states.push(status ?? null);
  }
}
