import type { Group, Member, MemberState } from 'offhook';
import { element } from './dom.js';

const in_words: Record<MemberState, string> = {
  connecting: 'connecting…',
  connected: '',
  reconnecting: 'reconnecting…',
  apart: 'no call',
};

/** A room: a tile for each of the others, one for this person, and the buttons. */
export class GroupView {
  readonly #view = element('group-view', HTMLElement);
  readonly #tiles = element('tiles', HTMLElement);
  readonly #own = element('group-local', HTMLVideoElement);
  readonly #title = element('group-title', HTMLElement);
  readonly #mic = element('group-mic', HTMLButtonElement);
  readonly #camera = element('group-camera', HTMLButtonElement);
  readonly #tile_by_member = new Map<Member, HTMLElement>();
  #group: Group | null = null;

  constructor() {
    element('group-leave', HTMLButtonElement).addEventListener('click', () => this.#group?.leave());
    this.#mic.addEventListener('click', () => void this.#group?.setMicrophone(this.#mic.getAttribute('aria-pressed') !== 'true'));
    this.#camera.addEventListener('click', () => void this.#group?.setCamera(this.#camera.getAttribute('aria-pressed') !== 'true'));
  }

  show(group: Group): void {
    this.#group = group;
    this.#title.textContent = group.room;
    this.#own.srcObject = group.localStream;
    group.on('localstream', (stream) => (this.#own.srcObject = stream));
    group.on('localmedia', () => this.#showSwitches(group));
    group.on('member_joined', (member) => this.#showMember(member));
    group.on('member_changed', (member) => this.#showMember(member));
    group.on('member_left', (member) => this.#remove(member));
    for (const member of group.members) this.#showMember(member);
    this.#showSwitches(group);
    this.#view.hidden = false;
  }

  hide(): void {
    for (const member of [...this.#tile_by_member.keys()]) this.#remove(member);
    this.#own.srcObject = null;
    this.#view.hidden = true;
    this.#group = null;
  }

  #showMember(member: Member): void {
    const tile = this.#tile_by_member.get(member) ?? this.#add(member);
    const [picture, caption] = tile.children;
    if (!(picture instanceof HTMLVideoElement) || !caption) return;
    if (picture.srcObject !== member.stream) picture.srcObject = member.stream;
    tile.dataset['state'] = member.state;
    const words = in_words[member.state] || (member.media?.audio === false ? 'muted' : '');
    caption.textContent = words ? `${member.user} · ${words}` : member.user;
    tile.title = member.problem?.verdict ?? '';
  }

  #add(member: Member): HTMLElement {
    const tile = document.createElement('figure');
    tile.className = 'tile';
    tile.dataset['testid'] = 'tile';
    tile.dataset['user'] = member.user;
    const picture = document.createElement('video');
    // The SDK plays the sound.
    picture.autoplay = picture.playsInline = picture.muted = true;
    tile.append(picture, document.createElement('figcaption'));
    this.#tiles.append(tile);
    this.#tile_by_member.set(member, tile);
    return tile;
  }

  #remove(member: Member): void {
    this.#tile_by_member.get(member)?.remove();
    this.#tile_by_member.delete(member);
  }

  #showSwitches(group: Group): void {
    const { audio, video } = group.localMedia;
    this.#mic.setAttribute('aria-pressed', String(audio));
    this.#camera.setAttribute('aria-pressed', String(video));
  }
}
