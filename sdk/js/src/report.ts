import type { EndReason, MediaKinds } from './protocol.js';
import type { SelectedPair } from './stats.js';

export type CallState = 'dialing' | 'ringing' | 'connecting' | 'connected' | 'reconnecting' | 'ended';
export type Direction = 'outgoing' | 'incoming';

export interface TimelineEntry {
  /** Milliseconds since the call began here: the dial, or the arrival of the incoming call. */
  at_ms: number;
  event: string;
}

/** How a call went. */
export interface CallReport {
  call: string;
  peer: string;
  direction: Direction;
  state: CallState;
  /** What each side said that it sends. */
  media: { local: MediaKinds; remote: MediaKinds };
  timeline: TimelineEntry[];
  /** From the answer to media decoded here; null if that has not happened. */
  time_to_connect_ms: number | null;
  /** From the beginning of the call to media decoded here, the time of ringing included. */
  dial_to_connect_ms: number | null;
  /** Null until there is a path. */
  selected_pair: SelectedPair | null;
  /** In words for the person: direct, or through the relay. */
  path: 'direct' | 'relay' | null;
  /** Whether the two devices were connected before the call was answered. */
  warm: boolean;
  /** By which way the caller heard of the answer first; null at the callee, and before. */
  accept_via: 'data_channel' | 'websocket' | null;
  /** How often this side has restarted ICE. */
  restarts: number;
  /** From the answer to the first decoded sound; null if none has come. */
  accept_to_audio_ms: number | null;
  /** From the answer to the first decoded picture; null if none has come. */
  accept_to_video_ms: number | null;
  candidate_types: { local: string[]; remote: string[] };
  end_reason: EndReason | null;
  verdict: string | null;
}

/** The events of a call with their offsets. */
export class Timeline {
  readonly #start = performance.now();
  readonly #entries: TimelineEntry[] = [];

  mark(event: string): void {
    this.#entries.push({ at_ms: Math.round((performance.now() - this.#start) * 10) / 10, event });
  }

  /** The first time of `event`; null if it has not happened. */
  at(event: string): number | null {
    return this.#entries.find((entry) => entry.event === event)?.at_ms ?? null;
  }

  /** Milliseconds between the first `from` and the first `to`. */
  between(from: string, to: string): number | null {
    const [begin, end] = [this.at(from), this.at(to)];
    return begin === null || end === null ? null : Math.round((end - begin) * 10) / 10;
  }

  /** Marks `event` if it has not happened before. */
  markOnce(event: string): void {
    if (this.at(event) === null) this.mark(event);
  }

  /** Milliseconds since the first `event`; 0 if it has not happened. */
  elapsedSince(event: string): number {
    const at = this.at(event);
    return at === null ? 0 : performance.now() - this.#start - at;
  }

  entries(): TimelineEntry[] {
    return this.#entries.map((entry) => ({ ...entry }));
  }
}

type Told = 'timeline' | 'time_to_connect_ms' | 'dial_to_connect_ms' | 'path' | 'accept_to_audio_ms' | 'accept_to_video_ms';

/** What the call knows of itself, with what follows from it and from the timeline. */
export function reportOf(timeline: Timeline, call: Omit<CallReport, Told>): CallReport {
  const pair = call.selected_pair;
  return {
    ...call,
    timeline: timeline.entries(),
    time_to_connect_ms: timeline.between('accepted', 'connected'),
    dial_to_connect_ms: timeline.at('connected'),
    path: pair && (pair.local === 'relay' || pair.remote === 'relay' ? 'relay' : 'direct'),
    accept_to_audio_ms: timeline.between('accepted', 'first_audio'),
    accept_to_video_ms: timeline.between('accepted', 'first_picture'),
  };
}
