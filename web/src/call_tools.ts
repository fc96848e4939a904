import type { Call } from 'offhook';
import { element } from './dom.js';

/** The buttons beside microphone and camera: screen, hold, keypad, messages. */
export class CallTools {
  readonly #screen = element('screen', HTMLButtonElement);
  readonly #hold = element('hold', HTMLButtonElement);
  readonly #keypad = element('keypad', HTMLButtonElement);
  readonly #chat = element('chat', HTMLButtonElement);
  readonly #keys = element('keys', HTMLElement);
  readonly #messages = element('messages', HTMLElement);
  readonly #list = element('message-list', HTMLOListElement);
  readonly #form = element('message-form', HTMLFormElement);
  readonly #input = element('message', HTMLInputElement);
  readonly #refuse: (text: string) => void;
  #call: Call | null = null;

  /** `refuse` tells the person what could not be done. */
  constructor(refuse: (text: string) => void) {
    this.#refuse = refuse;
    this.#screen.hidden = !('getDisplayMedia' in ((navigator.mediaDevices as MediaDevices | undefined) ?? {}));
    this.#screen.addEventListener('click', () => void this.#call?.setScreen(!this.#call.localMedia.screen));
    this.#hold.addEventListener('click', () => this.#call?.setHold(!this.#call.localMedia.hold));
    this.#keypad.addEventListener('click', () => this.#toggle(this.#keypad, this.#keys));
    this.#chat.addEventListener('click', () => {
      this.#toggle(this.#chat, this.#messages);
      if (!this.#messages.hidden) this.#input.focus();
    });
    this.#keys.addEventListener('click', (event) => this.#press(event.target));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#say();
    });
  }

  show(call: Call): void {
    this.#call = call;
    this.#list.replaceChildren();
    call.on('localmedia', () => this.#render(call));
    call.on('message', (message) => {
      if (typeof message !== 'string' || call !== this.#call) return;
      this.#write(message, false);
      if (this.#messages.hidden) this.#toggle(this.#chat, this.#messages);
    });
    this.#render(call);
  }

  hide(): void {
    this.#call = null;
    for (const [button, panel] of [[this.#keypad, this.#keys], [this.#chat, this.#messages]] as const) {
      if (!panel.hidden) this.#toggle(button, panel);
    }
  }

  #render(call: Call): void {
    if (call !== this.#call) return;
    const { screen, hold } = call.localMedia;
    this.#screen.setAttribute('aria-pressed', String(screen));
    this.#hold.setAttribute('aria-pressed', String(hold));
  }

  #toggle(button: HTMLButtonElement, panel: HTMLElement): void {
    panel.hidden = !panel.hidden;
    button.setAttribute('aria-pressed', String(!panel.hidden));
  }

  #press(key: EventTarget | null): void {
    const tone = key instanceof HTMLElement ? key.dataset['tone'] : undefined;
    const refusal = tone ? this.#call?.sendDtmf(tone) : null;
    if (refusal) this.#refuse(refusal.verdict);
  }

  #say(): void {
    const text = this.#input.value.trim();
    const refusal = text ? this.#call?.send(text) : null;
    if (refusal) return this.#refuse(refusal.verdict);
    if (text) this.#write(text, true);
    this.#input.value = '';
  }

  #write(text: string, own: boolean): void {
    const line = document.createElement('li');
    line.textContent = text;
    if (own) line.className = 'own';
    this.#list.append(line);
    line.scrollIntoView({ block: 'nearest' });
  }
}
