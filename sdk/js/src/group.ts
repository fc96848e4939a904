import type { Call } from './call.js';
import type { CallDeps, CallInit } from './call_deps.js';
import { CallError, causeOf, refusal } from './errors.js';
import { Emitter } from './events.js';
import { LocalMedia } from './local_media.js';
import type { Kind } from './peer.js';
import type { EndReason, MediaKinds, MediaState, ServerMessage } from './protocol.js';
import type { CallReport } from './report.js';

/** `apart`: there is no call with this member, and none will be tried; `problem` says why. */
export type MemberState = 'connecting' | 'connected' | 'reconnecting' | 'apart';

/** Ends of a call between two members after which it would only end the same way again. */
const final_ends: readonly EndReason[] = ['hangup', 'declined', 'blocked', 'media_denied', 'credentials'];

/** Somebody else in a group. */
export class Member {
  /** @internal */
  call: Call | null = null;
  /** @internal Whether the server says that they are there; else they are as long as their call is. */
  present = true;
  /** @internal Whether it is we who dial them. */
  dials = false;
  /** @internal */
  redials = 0;
  /** @internal */
  redial_timer: ReturnType<typeof setTimeout> | undefined;
  #device = '';
  #problem: CallError | null = null;

  /** @internal */
  constructor(readonly user: string) {}

  /** Which of their devices it is, by a name that is new each time they join. */
  get device(): string {
    return this.#device;
  }

  get state(): MemberState {
    const state = this.call?.state;
    if (state === 'connected' || state === 'reconnecting') return state;
    return state === 'ended' && this.#problem && final_ends.includes(this.#problem.code) ? 'apart' : 'connecting';
  }

  /** What they send; null until it is announced. */
  get stream(): MediaStream | null {
    return this.call?.remoteStream ?? null;
  }

  /** What they send now, by their switches. */
  get media(): MediaState | null {
    return this.call?.remoteMedia ?? null;
  }

  /** Why the last call with them ended; null while there is one. */
  get problem(): CallError | null {
    return this.#problem;
  }

  /** How the call with them goes or went; null before the first. */
  report(): CallReport | null {
    return this.call?.report() ?? null;
  }

  /** @internal */
  handleJoined(device: string, dials: boolean): void {
    this.#device = device;
    this.present = true;
    this.dials = dials;
  }

  /** @internal In the place of the call before; that one is returned if it lives. */
  begin(call: Call): Call | null {
    const before = this.lives ? this.call : null;
    this.call = call;
    this.#problem = null;
    clearTimeout(this.redial_timer);
    return before;
  }

  /** @internal */
  handleEnded(cause: CallError): void {
    this.#problem = cause;
  }

  /** @internal Whether there is a call. */
  get lives(): boolean {
    return this.call !== null && this.call.state !== 'ended';
  }
}

interface GroupEvents {
  member_joined: [Member];
  /** With the one reason for which they are gone. */
  member_left: [Member, CallError];
  /** Their state, stream or switches have changed. */
  member_changed: [Member];
  /** Their media is decoded here. */
  connected: [Member];
  localstream: [MediaStream];
  localmedia: [MediaState];
  /** Once; we are no member any more, and everything is given back. */
  ended: [CallError];
}

/** What a group needs from the client that made it. */
export interface GroupHost {
  /** A call that only the group hears of. */
  makeCall: (deps: CallDeps, init: Omit<CallInit, 'id'> & { id?: string }) => Call;
  ended: (group: Group) => void;
}

/** The room of a small group, as a mesh: a call with each other member, with microphone and camera in common. */
export class Group extends Emitter<GroupEvents> {
  readonly room: string;
  /** @internal Rejected with a CallError if it ends before. */
  readonly joined: Promise<Group>;
  readonly #deps: CallDeps;
  readonly #host: GroupHost;
  readonly #local: LocalMedia;
  readonly #members = new Map<string, Member>();
  #end: CallError | null = null;
  #resolve: (group: Group) => void = () => undefined;
  #reject: (error: CallError) => void = () => undefined;

  /** @internal */
  constructor(deps: CallDeps, host: GroupHost, room: string) {
    super();
    this.room = room;
    this.#host = host;
    this.#deps = {
      ...deps,
      send: (message) => deps.send(message.type === 'dial' || message.type === 'snapshot' ? { ...message, room } : message),
      getUserMedia: (wanted) => this.#copies(wanted),
      devicesAllowed: () => true,
      accepted: () => undefined,
    };
    this.#local = new LocalMedia({ ...deps, camera_release_ms: deps.policy.camera_release_ms });
    this.#local.on('device', () => this.#showLocal());
    this.#local.on('log', (text) => deps.log(text, room));
    this.joined = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    this.joined.catch(() => undefined);
  }

  /** The others, in the order in which we met them. */
  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** Null until a device is open. */
  get localStream(): MediaStream | null {
    const { stream } = this.#local;
    return stream.getTracks().length > 0 ? stream : null;
  }

  /** What we send to all of them, by our switches. */
  get localMedia(): MediaState {
    return this.#local.state;
  }

  /** Why we are no member any more; null while we are. */
  get end_cause(): CallError | null {
    return this.#end;
  }

  /** Opens or mutes the microphone, for all. Resolves to whether it is on; failures are reported as the client's `error`. */
  setMicrophone(on: boolean): Promise<boolean> {
    return this.#setDevice('audio', on);
  }

  /** Switches the camera, for all; off releases it. Resolves to whether it is on. */
  setCamera(on: boolean): Promise<boolean> {
    return this.#setDevice('video', on);
  }

  leave(): void {
    this.#quit(new CallError('hangup', 'You left the room.'));
  }

  /** @internal */
  start(media: MediaKinds): void {
    this.#join();
    this.#local.open(media).catch((error: unknown) => {
      this.#quit(error instanceof CallError ? error : new CallError('media_denied', causeOf(error)));
    });
  }

  /** @internal */
  handleMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'joined':
        return this.#handleJoined(message.members);
      case 'member_joined':
        return this.#meet(message, false);
      case 'member_left':
        return this.#lose(message.user, new CallError(message.reason, departures[message.reason]));
      case 'incoming':
        return this.#handleIncoming(message);
      case 'left':
        return this.finish(new CallError(message.reason, message.verdict, message.retryable));
      case 'error':
        return this.finish(refusal(message));
      default:
        return;
    }
  }

  /**
   * @internal The server may know nothing of the room: we join again, and calls that were answered are told of by snapshots,
   * as others are. What was not is dialled anew.
   */
  handleSessionLost(): void {
    this.#join();
    for (const member of this.#members.values()) {
      member.present = false;
      const { call } = member;
      if (call?.state !== 'dialing' && call?.state !== 'ringing') continue;
      member.call = null;
      call.end();
    }
  }

  /** @internal The one way out. */
  finish(error: CallError): void {
    if (this.#end) return;
    this.#end = error;
    for (const member of this.#members.values()) {
      clearTimeout(member.redial_timer);
      member.call?.end();
    }
    this.#members.clear();
    this.#local.dispose();
    this.#reject(error);
    this.#host.ended(this);
    this.emit('ended', error);
    this.removeAllListeners();
  }

  #join(): void {
    this.#deps.send({ type: 'join', room: this.room });
  }

  #quit(error: CallError): void {
    if (this.#end) return;
    this.#deps.send({ type: 'leave', room: this.room });
    this.finish(error);
  }

  #handleJoined(there: readonly { user: string; device: string }[]): void {
    for (const one of there) this.#meet(one, true);
    // Those of before a restart of the server are on their way, or gone.
    for (const member of [...this.#members.values()]) {
      if (!member.present && !member.lives) this.#lose(member.user, new CallError('signaling_lost'));
    }
    this.#resolve(this);
  }

  /** Of two members the one that joined later dials. */
  #meet({ user, device }: { user: string; device: string }, dials: boolean): void {
    const known = this.#members.get(user);
    const member = known ?? new Member(user);
    member.handleJoined(device, dials);
    this.#members.set(user, member);
    if (!known) this.emit('member_joined', member);
    if (dials && !member.lives) this.#dial(member);
  }

  #lose(user: string, cause: CallError): void {
    const member = this.#members.get(user);
    if (!member) return;
    this.#members.delete(user);
    clearTimeout(member.redial_timer);
    member.call?.end();
    this.emit('member_left', member, cause);
  }

  #dial(member: Member): void {
    const { audio, video } = this.localMedia;
    const call = this.#host.makeCall(this.#deps, { peer: member.user, direction: 'outgoing', media: { audio, video } });
    this.#begin(member, call);
    call.start();
  }

  #handleIncoming({ call: id, from, media, age_ms, warm_path }: ServerMessage & { type: 'incoming' }): void {
    const member = this.#members.get(from);
    if (!member) return;
    const call = this.#host.makeCall(this.#deps, { id, peer: from, direction: 'incoming', media, warm_path });
    this.#begin(member, call);
    call.ring(age_ms || 0);
    const { audio, video } = this.localMedia;
    call.accept({ audio, video });
  }

  #begin(member: Member, call: Call): void {
    const before = member.begin(call);
    const changed = (): void => {
      if (member.call === call && call.state !== 'ended') this.emit('member_changed', member);
    };
    call.on('state', changed);
    call.on('remotestream', changed);
    call.on('remotemedia', changed);
    call.on('ended', (cause) => this.#handleCallEnded(member, call, cause));
    call.connected.then(
      () => {
        member.redials = 0;
        if (member.call === call) this.emit('connected', member);
      },
      () => undefined,
    );
    before?.end();
    this.emit('member_changed', member);
  }

  /** They are still there, as far as we know; what has ended is the path to them. */
  #handleCallEnded(member: Member, call: Call, cause: CallError): void {
    if (this.#end || member.call !== call || this.#members.get(member.user) !== member) return;
    member.handleEnded(cause);
    if (!member.present) return this.#lose(member.user, cause);
    if (member.dials && member.state !== 'apart') this.#redialLater(member);
    this.emit('member_changed', member);
  }

  #redialLater(member: Member): void {
    const { redial_delays_ms } = this.#deps.policy;
    const wait_ms = redial_delays_ms[Math.min(member.redials, redial_delays_ms.length - 1)];
    member.redials += 1;
    clearTimeout(member.redial_timer);
    member.redial_timer = setTimeout(() => {
      // What is dialled without a connection only waits for one.
      if (this.#deps.online()) this.#dial(member);
      else this.#redialLater(member);
    }, wait_ms);
  }

  /** What a call gets for a device: copies of ours, which it may switch and close as it likes. */
  async #copies({ audio, video }: MediaStreamConstraints): Promise<MediaStream> {
    const copies = await Promise.all([audio ? this.#local.copy('audio') : null, video ? this.#local.copy('video') : null]);
    return new MediaStream(copies.filter((track) => track !== null));
  }

  async #setDevice(kind: Kind, on: boolean): Promise<boolean> {
    if (this.#end) return false;
    await this.#local.set(kind, on).catch((error: unknown) => {
      this.#deps.error(error instanceof CallError ? error : new CallError('error', causeOf(error)));
    });
    // It may have been switched again, or we have left, while the person was asked.
    const is_on = this.#local.sends(kind);
    const calls = this.members.map(({ call }) => (kind === 'audio' ? call?.setMicrophone(is_on) : call?.setCamera(is_on)));
    this.emit('localmedia', this.localMedia);
    await Promise.all(calls);
    return is_on;
  }

  #showLocal(): void {
    this.emit('localstream', this.#local.stream);
    this.emit('localmedia', this.localMedia);
  }
}

/** What is said when a member is gone. */
const departures: Partial<Record<EndReason, string>> = {
  hangup: 'They left the room.',
  answered_elsewhere: 'They went on in the room on another device.',
  signaling_lost: 'They lost their connection to the server.',
  credentials: 'Their sign-in was revoked.',
};
