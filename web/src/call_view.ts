import type { Call } from 'offhook';
import { CallTools } from './call_tools.js';
import { element } from './dom.js';
import { clock, otherInWords, stateInWords } from './words.js';

/** The call itself: pictures, state in words, and the buttons under them. */
export class CallView {
  readonly #view = element('call-view', HTMLElement);
  readonly #stage = element('stage', HTMLElement);
  readonly #remote = element('remote-video', HTMLVideoElement);
  readonly #local = element('local-video', HTMLVideoElement);
  readonly #face = element('face', HTMLElement);
  readonly #peer = element('peer-name', HTMLElement);
  readonly #state = element('call-state', HTMLElement);
  readonly #other = element('remote-state', HTMLElement);
  readonly #clock = element('call-clock', HTMLElement);
  readonly #mic = element('mic', HTMLButtonElement);
  readonly #camera = element('camera', HTMLButtonElement);
  readonly #hangup = element('hangup', HTMLButtonElement);
  readonly #tools: CallTools;
  #call: Call | null = null;
  #clock_timer: ReturnType<typeof setInterval> | undefined;
  #connected_at: number | null = null;
  #talked_ms = 0;

  /** `refuse` tells the person what could not be done. */
  constructor(refuse: (text: string) => void) {
    this.#tools = new CallTools(refuse);
    this.#hangup.addEventListener('click', () => this.#call?.end());
    this.#mic.addEventListener('click', () => void this.#switch(this.#mic, (on) => this.#call?.setMicrophone(on)));
    this.#camera.addEventListener('click', () => void this.#switch(this.#camera, (on) => this.#call?.setCamera(on)));
    this.#remote.addEventListener('resize', () => this.#showPictures());
  }

  /** How long the two could hear each other. */
  get talked_ms(): number {
    return this.#talked_ms;
  }

  show(call: Call, video: boolean): void {
    this.#call = call;
    this.#connected_at = null;
    this.#talked_ms = 0;
    this.#view.hidden = false;
    this.#peer.textContent = call.peer;
    this.#face.textContent = call.peer.slice(0, 1).toUpperCase();
    this.#setPressed(this.#mic, true);
    this.#setPressed(this.#camera, video);
    call.on('localstream', (stream) => {
      this.#local.srcObject = stream;
      this.#showPictures();
    });
    call.on('remotestream', (stream) => {
      this.#remote.srcObject = stream;
      this.#showPictures();
    });
    call.on('remotemedia', () => this.#showOther(call));
    call.on('localmedia', (media) => {
      if (call !== this.#call) return;
      this.#setPressed(this.#mic, media.audio);
      this.#setPressed(this.#camera, media.video);
      this.#showOther(call);
    });
    this.#tools.show(call);
    this.#remote.srcObject = call.remoteStream;
    this.#local.srcObject = call.localStream;
    this.#showPictures();
    this.render(call);
    if (matchMedia('(pointer: fine)').matches) this.#hangup.focus({ preventScroll: true });
  }

  render(call: Call): void {
    if (call !== this.#call) return;
    this.#state.dataset['state'] = call.state;
    this.#stage.dataset['state'] = call.state;
    this.#state.textContent = stateInWords(call);
    if (call.state === 'connected') this.#startClock();
    this.#showOther(call);
  }

  hide(): void {
    clearInterval(this.#clock_timer);
    if (this.#connected_at !== null) this.#talked_ms = performance.now() - this.#connected_at;
    this.#connected_at = null;
    this.#clock.textContent = this.#other.textContent = '';
    this.#tools.hide();
    this.#remote.srcObject = null;
    this.#local.srcObject = null;
    this.#view.hidden = true;
    this.#call = null;
  }

  #startClock(): void {
    if (this.#connected_at !== null) return;
    const begin = (this.#connected_at = performance.now());
    const tick = (): void => {
      this.#clock.textContent = clock(performance.now() - begin);
      // The path may change during a call, and the words with it.
      if (this.#call?.state === 'connected') this.#state.textContent = stateInWords(this.#call);
    };
    tick();
    this.#clock_timer = setInterval(tick, 1000);
  }

  async #switch(button: HTMLButtonElement, set: (on: boolean) => Promise<boolean> | undefined): Promise<void> {
    const on = button.getAttribute('aria-pressed') !== 'true';
    this.#setPressed(button, on);
    const call = this.#call;
    const is_on = await set(on);
    if (call && call === this.#call && is_on !== undefined) this.#setPressed(button, is_on);
    this.#showPictures();
  }

  #setPressed(button: HTMLButtonElement, on: boolean): void {
    button.setAttribute('aria-pressed', String(on));
    button.title = `${button.id === 'mic' ? 'Microphone' : 'Camera'} ${on ? 'on' : 'off'}`;
  }

  /** What the other side sends, in words and in pictures. */
  #showOther(call: Call): void {
    if (call !== this.#call) return;
    const { local, remote } = call.report().media;
    const with_video = local.video || remote.video || call.localMedia.video;
    const talks = call.state === 'connected' || call.state === 'reconnecting';
    this.#other.textContent = talks ? otherInWords(call.remoteMedia, with_video) : '';
    this.#showPictures();
  }

  #showPictures(): void {
    const shown = this.#call?.remoteMedia;
    const is_shown = shown !== undefined && !shown.hold && (shown.video || shown.screen);
    const remote = this.#call?.remoteStream?.getVideoTracks().length ?? 0;
    const local = this.#call?.localStream?.getVideoTracks().length ?? 0;
    this.#stage.dataset['remotePicture'] = String(remote > 0 && is_shown && this.#remote.videoWidth > 0);
    this.#stage.dataset['remoteScreen'] = String(shown?.screen ?? false);
    this.#local.hidden = local === 0 || this.#camera.getAttribute('aria-pressed') !== 'true';
  }
}
