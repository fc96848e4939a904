import { Emitter } from './events.js';

/** Where a log line belongs. */
export interface LogOrigin {
  /** Milliseconds since the client was made. */
  at_ms: number;
  /** The call that it is about, if it is about one. */
  call?: string;
}

/** Collects the lines of all components and gives them to the app. */
export class Log extends Emitter<{ line: [text: string, origin: LogOrigin] }> {
  readonly #start = performance.now();
  readonly #to_console: boolean;

  constructor(to_console: boolean) {
    super();
    this.#to_console = to_console;
  }

  write(text: string, call?: string): void {
    const at_ms = Math.round(performance.now() - this.#start);
    if (this.#to_console) console.debug(`[offhook] ${text}`);
    this.emit('line', text, call === undefined ? { at_ms } : { at_ms, call });
  }
}

/** HOST, SRFLX, PRFLX or RELAY: the type of a candidate line, as log lines print it. */
export function candidateType(candidate: string): string {
  return (/ typ (\w+)/.exec(candidate)?.[1] ?? 'unknown').toUpperCase();
}
