import type { Call, LogOrigin } from 'offhook';
import { element } from './dom.js';
import { pathInWords, seconds } from './words.js';

/** Older lines go; a page may stay open for weeks. */
const max_lines = 500;

/** The panel that says how a call went: figures and log lines. */
export class HappenedPanel {
  readonly #panel = element('happened', HTMLDetailsElement);
  readonly #log = element('log', HTMLOListElement);
  readonly #time = element('connect-time', HTMLElement);
  readonly #path = element('fact-path', HTMLElement);
  readonly #local = element('fact-local', HTMLElement);
  readonly #remote = element('fact-remote', HTMLElement);

  show(visible: boolean): void {
    this.#panel.hidden = !visible;
  }

  open(): void {
    this.#panel.open = true;
  }

  clear(): void {
    this.#log.replaceChildren();
  }

  write(text: string, origin: LogOrigin): void {
    const line = document.createElement('li');
    const time = document.createElement('time');
    time.textContent = (origin.at_ms / 1000).toFixed(3);
    line.append(time, text);
    if (/RELAY|connected/.test(text)) line.className = 'good';
    if (/failed|lost|error|refused|could not/.test(text)) line.className = 'bad';
    this.#log.append(line);
    while (this.#log.childElementCount > max_lines) this.#log.firstElementChild?.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  render(call: Call): void {
    const report = call.report();
    const ms = report.time_to_connect_ms;
    this.#time.textContent = ms === null ? '–' : seconds(ms);
    if (ms === null) delete this.#time.dataset['ms'];
    else this.#time.dataset['ms'] = String(ms);
    this.#path.textContent = pathInWords(report);
    this.#local.textContent = report.candidate_types.local.join(', ') || '–';
    this.#remote.textContent = report.candidate_types.remote.join(', ') || '–';
  }
}
