import { CallError, type Call, type CallClient, type Group, type MediaKinds } from 'offhook';
import { CallView } from './call_view.js';
import { element } from './dom.js';
import { GroupView } from './group_view.js';
import { HappenedPanel } from './happened.js';
import { RingTone } from './ring_tone.js';
import { pageParameters, rememberedName, signIn } from './session.js';
import { Waking } from './waking.js';
import { endInWords } from './words.js';

declare global {
  interface Window {
    /** The live SDK objects, for curious people and for tests. */
    offhook: { client: CallClient | null; call: Call | null; group: Group | null };
  }
}

type View = 'signed-out' | 'idle' | 'call' | 'room' | 'summary';

const parameters = pageParameters();
const call_view = new CallView(showNotice);
const group_view = new GroupView();
const happened = new HappenedPanel();
const ring_tone = new RingTone();
const name_input = element('name', HTMLInputElement);
const callee_input = element('callee', HTMLInputElement);
const room_input = element('room', HTMLInputElement);
const incoming_dialog = element('incoming', HTMLDialogElement);
const notice = element('notice', HTMLElement);
const live = (window.offhook = { client: null, call: null, group: null } as Window['offhook']);
let incoming: Call | null = null;
let signed_in: string | null = null;
/** A call that is answered as soon as it rings here: its notification was clicked. */
let awaited = parameters.answer;
const waking = new Waking(
  {
    ringsHere: (user, call) => user === signed_in && document.visibilityState === 'visible' && incoming?.id === call,
    answer: (user, call) => user === signed_in && answerWhenItRings(call),
  },
  showNotice,
);
/** A sign-in is under way; a second one at its side would ring and answer for the same person. */
let entering = false;
let last_dial: { user: string; media: MediaKinds } | null = null;

function showView(view: View): void {
  document.body.dataset['view'] = view;
  element('sign-in-view', HTMLElement).hidden = view !== 'signed-out';
  element('dial-view', HTMLElement).hidden = view !== 'idle';
  element('summary-view', HTMLElement).hidden = view !== 'summary';
  element('who', HTMLElement).hidden = view === 'signed-out';
  happened.show(view !== 'signed-out');
}

function showNotice(text: string | null): void {
  notice.hidden = text === null;
  notice.textContent = text;
}

function setTitle(text: string | null): void {
  document.title = text ? `${text} · offhook` : 'offhook';
}

async function enter(name: string): Promise<void> {
  if (entering) return;
  setEntering(true);
  showNotice(null);
  try {
    const client = await signIn(name, parameters);
    rememberedName.set(name);
    signed_in = name;
    live.client?.close();
    live.client = client;
    listenTo(client);
    element('user-name', HTMLElement).textContent = name;
    element('second-person', HTMLAnchorElement).href = secondPerson(name);
    showView('idle');
    callee_input.focus();
    void waking.enter(name);
    if (parameters.room) void joinRoom(parameters.room);
  } catch (error) {
    showNotice(error instanceof Error ? error.message : String(error));
  } finally {
    setEntering(false);
  }
}

function setEntering(value: boolean): void {
  entering = value;
  element('sign-in', HTMLButtonElement).disabled = value;
}

function secondPerson(name: string): string {
  const url = new URL(location.href);
  url.searchParams.set('name', name === 'bob' ? 'alice' : 'bob');
  url.searchParams.set('call', name);
  return url.href;
}

function listenTo(client: CallClient): void {
  client.on('log', (text, origin) => happened.write(text, origin));
  client.on('error', (error) => showNotice(error.verdict));
  client.on('state', () => showServerState(client));
  client.on('incoming', (call) => showIncoming(call));
  showServerState(client);
}

function showServerState(client: CallClient): void {
  const dot = element('server-dot', HTMLElement);
  dot.dataset['state'] = client.state;
  dot.title = client.state === 'online' ? 'Connected to the server' : 'Not connected to the server';
  element('server-state', HTMLElement).textContent = dot.title;
  if (client.state === 'online') showNotice(null);
}

function leave(): void {
  void waking.leave();
  signed_in = null;
  live.client?.close();
  live.client = null;
  rememberedName.clear();
  happened.clear();
  showView('signed-out');
  name_input.focus();
}

function dial(user: string, media: MediaKinds): void {
  if (!live.client || live.call || live.group) return;
  last_dial = { user, media };
  begin(live.client.dial(user, media), media.video);
}

/** The call that another device of this person has goes on here. */
async function take(): Promise<void> {
  const client = live.client;
  const [found] = (await client?.callsElsewhere()) ?? [];
  if (!client || client !== live.client || live.call) return;
  if (!found) return showNotice('None of your other devices is in a call.');
  last_dial = null;
  const media = { audio: true, video: found.media.video };
  begin(client.take(found, media), media.video);
}

async function joinRoom(room: string): Promise<void> {
  const client = live.client;
  if (!client || live.call || live.group) return;
  showNotice(null);
  try {
    const group = await client.join(room);
    if (live.group !== group) beginGroup(group);
  } catch (error) {
    showNotice(error instanceof CallError ? error.verdict : String(error));
  }
}

function beginGroup(group: Group): void {
  live.group = group;
  showView('room');
  setTitle(group.room);
  group_view.show(group);
  group.on('ended', (error) => {
    live.group = null;
    group_view.hide();
    setTitle(null);
    showView('idle');
    if (error.code !== 'hangup') showNotice(error.verdict);
  });
}

/** From here on `call` is the call of this page. */
function begin(call: Call, video: boolean): void {
  live.call = call;
  showNotice(null);
  showView('call');
  call.on('state', () => render(call));
  call.on('ended', (error) => handleEnded(call, error));
  call_view.show(call, video);
  render(call);
}

function render(call: Call): void {
  if (call !== live.call) return;
  call_view.render(call);
  happened.render(call);
  setTitle(call.state === 'ended' ? null : call.peer);
}

function handleEnded(call: Call, error: CallError): void {
  if (call !== live.call) return;
  happened.render(call);
  call_view.hide();
  live.call = null;
  showSummary(call, error);
}

function showSummary(call: Call, error: CallError): void {
  const again = call.direction === 'outgoing' && last_dial !== null && (error.retryable || error.code === 'hangup');
  element('summary-title', HTMLElement).textContent = endInWords(call, call_view.talked_ms);
  element('summary-text', HTMLElement).textContent = error.verdict;
  element('call-again', HTMLButtonElement).hidden = !again;
  setTitle(null);
  showView('summary');
  if (error.code === 'ice_failed' || error.code === 'ice_lost' || error.code === 'error') happened.open();
  element(again ? 'call-again' : 'done', HTMLButtonElement).focus();
}

function showIncoming(call: Call): void {
  if (incoming) return;
  incoming = call;
  element('incoming-title', HTMLElement).textContent = `${call.peer} calls`;
  element('incoming-kind', HTMLElement).textContent = call.remoteMedia.video ? 'Video call' : 'Voice call';
  element('incoming-face', HTMLElement).textContent = call.peer.slice(0, 1).toUpperCase();
  setTitle(`${call.peer} calls`);
  incoming_dialog.showModal();
  element('accept', HTMLButtonElement).focus();
  ring_tone.start();
  call.on('state', () => closeIncoming(call));
  call.on('ended', (error) => handleMissed(call, error));
  if (document.visibilityState === 'visible') void waking.close(call.id);
  if (call.id === awaited) answer();
}

/** Answers this call now if it rings here, else when it does. */
function answerWhenItRings(call: string): boolean {
  awaited = call;
  if (incoming?.id === call) answer();
  return true;
}

function closeIncoming(call: Call): void {
  if (incoming !== call) return;
  incoming = null;
  void waking.close(call.id);
  ring_tone.stop();
  incoming_dialog.close();
  setTitle(live.call?.peer ?? null);
  // Somebody else may have begun to call behind the dialog.
  if (call.state === 'ended') showNextIncoming();
}

function showNextIncoming(): void {
  const next = ringingCalls()[0];
  if (next) showIncoming(next);
}

function ringingCalls(): Call[] {
  return (live.client?.calls ?? []).filter((call) => call.direction === 'incoming' && call.state === 'ringing');
}

/** An incoming call ended; if nobody had answered it here, it is worth a word. */
function handleMissed(call: Call, error: CallError): void {
  if (live.call || call === lastAnswered || error.code === 'declined') return;
  showNotice(`${endInWords(call, 0)}. ${error.verdict}`);
}

let lastAnswered: Call | null = null;

function answer(): void {
  const call = incoming;
  if (!call) return;
  lastAnswered = call;
  const media = call.remoteMedia;
  const before = live.call;
  live.call = null;
  before?.end();
  call_view.hide();
  last_dial = null;
  begin(call, media.video);
  call.accept(media);
  for (const other of ringingCalls()) other.reject('busy');
}

element('sign-in-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const name = name_input.value.trim();
  if (name) void enter(name);
});
element('dial-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const user = callee_input.value.trim();
  const voice = event.submitter instanceof HTMLButtonElement && event.submitter.value === 'audio';
  if (user) dial(user, { audio: true, video: !voice });
});
element('sign-out', HTMLButtonElement).addEventListener('click', leave);
element('accept', HTMLButtonElement).addEventListener('click', answer);
element('decline', HTMLButtonElement).addEventListener('click', () => incoming?.reject());
element('decline-here', HTMLButtonElement).addEventListener('click', () => incoming?.reject('declined', { here: true }));
element('ignore', HTMLButtonElement).addEventListener('click', () => {
  incoming?.ignore();
  // Who lets it ring knows that the call was missed.
  showNotice(null);
});
element('room-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void joinRoom(room_input.value.trim());
});
element('take', HTMLButtonElement).addEventListener('click', () => void take());
incoming_dialog.addEventListener('cancel', (event) => {
  event.preventDefault();
  incoming?.reject();
});
element('call-again', HTMLButtonElement).addEventListener('click', () => {
  if (last_dial) dial(last_dial.user, last_dial.media);
});
element('done', HTMLButtonElement).addEventListener('click', () => {
  showView('idle');
  callee_input.focus();
});

name_input.value = parameters.name || rememberedName.get();
callee_input.value = parameters.call;
room_input.value = parameters.room;
showView('signed-out');
if (parameters.name && parameters.answer) void enter(parameters.name);
else if (rememberedName.get() && (!parameters.name || parameters.name === rememberedName.get())) void enter(rememberedName.get());
else name_input.focus();
