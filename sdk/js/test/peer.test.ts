import { beforeEach, describe, expect, it } from 'vitest';
import { AppChannel } from '../src/app_channel.js';
import { Peer } from '../src/peer.js';
import { FakePeerConnection, FakeStream, FakeTrack, installGlobals, settle } from './fakes.js';

let pc: FakePeerConnection;
let peer: Peer;
let sent: string[];
let lines: string[];
let servers: RTCIceServer[] | null;

beforeEach(() => {
  installGlobals();
  pc = new FakePeerConnection();
  peer = new Peer(pc as unknown as RTCPeerConnection, {
    stream: new FakeStream() as unknown as MediaStream,
    app: new AppChannel(),
    generation: () => -1,
    iceServers: () => servers,
  });
  sent = [];
  lines = [];
  servers = null;
  peer.on('description', (type, generation) => sent.push(`${type} ${generation}`));
  peer.on('candidate', (generation, candidate) => sent.push(`candidate ${generation} ${candidate.candidate}`));
  peer.on('log', (text) => lines.push(text));
  peer.on('broken', (error) => sent.push(`broken ${String(error)}`));
});

const candidate = (name: string): { candidate: string } => ({ candidate: name });

describe('remote candidates', () => {
  it('wait for the answer, even while it is being set, and then follow in order', async () => {
    peer.offer();
    await settle();
    pc.holdRemote = true;
    peer.handleCandidate(0, candidate('one'));
    peer.handleAnswer(0, 'answer');
    await settle();
    peer.handleCandidate(0, candidate('two'));
    expect(pc.done).toEqual(['local offer']);
    pc.releaseRemote();
    await settle();
    peer.handleCandidate(0, candidate('three'));
    expect(pc.done).toEqual(['local offer', 'remote answer', 'candidate one', 'candidate two', 'candidate three']);
  });

  it('wait for the offer when the description arrives last', async () => {
    for (const name of ['one', 'two']) peer.handleCandidate(0, candidate(name));
    peer.handleOffer(0, 'offer');
    await settle();
    expect(pc.done).toEqual(['remote offer', 'candidate one', 'candidate two', 'local answer']);
  });

  it('of a later generation wait for its description; those of an older one are dropped', async () => {
    peer.handleOffer(0, 'first');
    await settle();
    peer.handleCandidate(1, candidate('new'));
    peer.handleCandidate(0, candidate('old'));
    peer.handleOffer(1, 'second');
    await settle();
    peer.handleCandidate(0, candidate('too old'));
    expect(pc.done).toEqual(['remote first', 'local answer', 'candidate old', 'remote second', 'candidate new', 'local answer']);
  });

  it('beyond 100 that wait are dropped', async () => {
    for (let count = 0; count < 120; count++) peer.handleCandidate(0, candidate(`${count}`));
    peer.handleOffer(0, 'offer');
    await settle();
    expect(pc.done.filter((step) => step.startsWith('candidate'))).toHaveLength(100);
  });
});

describe('local descriptions and candidates', () => {
  it('offers audio and video without waiting for tracks', async () => {
    peer.offer();
    await settle();
    expect(sent).toEqual(['offer 0']);
    expect(pc.transceivers.map((one) => [one.receiver.track.kind, one.direction])).toEqual([
      ['audio', 'sendrecv'],
      ['video', 'sendrecv'],
    ]);
  });

  it('answers both ways, and sends tracks that open before or after', async () => {
    const [audio, video] = [new FakeTrack('audio'), new FakeTrack('video')];
    peer.setTrack('audio', audio as unknown as MediaStreamTrack);
    peer.handleOffer(0, 'offer');
    await settle();
    peer.setTrack('video', video as unknown as MediaStreamTrack);
    expect(sent).toEqual(['answer 0']);
    expect(pc.transceivers.map((one) => [one.direction, one.sender.track])).toEqual([
      ['sendrecv', audio],
      ['sendrecv', video],
    ]);
  });

  it('sends each candidate at once under the generation of its ufrag', async () => {
    peer.offer();
    await settle();
    peer.restart();
    await settle();
    pc.onicecandidate?.({ candidate: { candidate: 'a typ host', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'local0' } });
    pc.onicecandidate?.({ candidate: { candidate: 'b typ relay', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'local1' } });
    expect(sent).toEqual(['offer 0', 'offer 1', 'candidate 0 a typ host', 'candidate 1 b typ relay']);
    expect(lines).toContain('ICE [HOST] gathered');
    expect(lines).toContain('ICE [HOST] sent at once');
    expect(lines).toContain('ICE [RELAY] gathered - TURN works!');
    expect(lines[0]).toBe('offer sent (trickle)');
  });

  it('says the end of candidates once a generation', async () => {
    peer.offer();
    await settle();
    pc.onicecandidate?.({ candidate: { candidate: '', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'local0' } });
    pc.onicecandidate?.({ candidate: null });
    expect(sent).toEqual(['offer 0', 'candidate 0 ']);
  });

  it('says the end of candidates again for an answer under the number of an offer that was refused', async () => {
    peer.handleOffer(0, 'theirs 0');
    await settle();
    peer.restart();
    await settle();
    pc.onicecandidate?.({ candidate: null });
    peer.handleOffer(1, 'theirs 1');
    await settle();
    pc.onicecandidate?.({ candidate: null });
    expect(sent).toEqual(['answer 0', 'offer 1', 'candidate 1 ', 'answer 1', 'candidate 1 ']);
  });

  it('says the end of candidates of its newest description, whatever it has offered before', async () => {
    peer.handleOffer(0, 'theirs 0');
    await settle();
    for (let i = 0; i < 2; i++) peer.restart();
    await settle();
    peer.handleOffer(1, 'theirs 1');
    await settle();
    pc.onicecandidate?.({ candidate: null });
    peer.restart();
    await settle();
    expect(sent).toEqual(['answer 0', 'offer 1', 'offer 2', 'answer 1', 'candidate 1 ', 'offer 3']);
  });
});

describe('restarts', () => {
  it('ignores an answer to an older offer', async () => {
    peer.offer();
    await settle();
    peer.restart();
    await settle();
    peer.handleAnswer(0, 'old answer');
    peer.handleAnswer(1, 'new answer');
    await settle();
    expect(pc.done).toEqual(['local offer', 'local offer', 'remote new answer']);
  });

  it('takes its offer back when the other side was first', async () => {
    peer.offer();
    peer.handleAnswer(0, 'answer');
    peer.restart();
    await settle();
    peer.handleRefusedOffer(1);
    peer.handleOffer(1, 'theirs');
    await settle();
    expect(pc.done.slice(2)).toEqual(['local offer', 'local rollback', 'remote theirs', 'local answer']);
    expect(sent).toEqual(['offer 0', 'offer 1', 'answer 1']);
  });
});

describe('the first answer', () => {
  beforeEach(() => {
    sent = [];
    peer.on('description', (type, _generation, sdp) => sent.push(`${type} ${/a=setup:(\w+)/.exec(sdp)?.[1]}`));
  });

  it('is passive, those after it are as the browser makes them', async () => {
    peer.handleOffer(0, 'first');
    peer.handleOffer(1, 'second');
    await settle();
    expect(sent.filter((line) => line.includes('answer'))).toEqual(['answer 0', 'answer passive', 'answer 1', 'answer active']);
  });

  it('is provisional first, the same text, and final whatever the browser thinks of provisional ones; later answers are not', async () => {
    peer.handleOffer(0, 'first');
    await settle();
    expect(pc.provisional).toEqual([expect.stringContaining('a=setup:passive')]);
    expect(pc.done).toEqual(['remote first', 'local answer']);
    pc.takes_provisional = false;
    peer.handleOffer(1, 'second');
    await settle();
    expect(pc.provisional).toHaveLength(1);
    expect(pc.done.at(-1)).toBe('local answer');
  });

  it('is passive where the browser takes no provisional ones', async () => {
    pc.takes_provisional = false;
    peer.handleOffer(0, 'first');
    await settle();
    expect(sent).toEqual(['answer 0', 'answer passive']);
    expect(pc.done).toEqual(['remote first', 'local answer']);
  });

  it('is active where the browser does not let itself be changed', async () => {
    pc.refuses = /setup:passive/;
    peer.handleOffer(0, 'first');
    await settle();
    expect(sent).toEqual(['answer 0', 'answer active']);
    expect(pc.done).toEqual(['remote first', 'local answer']);
  });
});

describe('a restart', () => {
  it('replaces an offer of ours that has no answer yet, the first as well', async () => {
    peer.offer();
    peer.restart();
    await settle();
    expect(sent).toEqual(['offer 0', 'offer 1']);
    peer.handleAnswer(1, 'answer');
    await settle();
    expect(pc.done.at(-1)).toBe('remote answer');
  });

  it('waits for the answer that is being made', async () => {
    peer.handleOffer(0, 'theirs');
    peer.restart();
    await settle();
    expect(pc.done).toEqual(['remote theirs', 'local answer', 'local offer']);
    expect(sent).toEqual(['answer 0', 'offer 1']);
  });

  it('is nothing before the first description', async () => {
    peer.restart();
    await settle();
    expect(sent).toEqual([]);
  });

  it('gathers with the newest credentials, on both sides of it', async () => {
    servers = [{ urls: ['turn:new'] }];
    peer.handleOffer(0, 'first');
    await settle();
    expect(pc.done).toEqual(['remote first', 'local answer']);
    peer.handleOffer(1, 'second');
    peer.restart();
    await settle();
    expect(pc.done.slice(2)).toEqual(['configured turn:new', 'remote second', 'local answer', 'configured turn:new', 'local offer']);
  });

  it('goes on with the old credentials where the browser refuses new ones', async () => {
    servers = [{ urls: ['turn:new'] }];
    pc.setConfiguration = () => {
      throw new Error('no');
    };
    peer.offer();
    peer.restart();
    await settle();
    expect(sent).toEqual(['offer 0', 'offer 1']);
  });

  it('that was refused is taken back only if it is the last one', async () => {
    peer.offer();
    peer.handleAnswer(0, 'answer');
    peer.restart();
    peer.restart();
    await settle();
    peer.handleRefusedOffer(1);
    await settle();
    expect(pc.done).not.toContain('local rollback');
    peer.handleRefusedOffer(2);
    await settle();
    expect(pc.done.at(-1)).toBe('local rollback');
  });

  it('that the browser refuses is no end of the call', async () => {
    peer.handleOffer(0, 'theirs');
    await settle();
    pc.createOffer = () => Promise.reject(new Error('busy'));
    peer.restart();
    await settle();
    expect(sent).toEqual(['answer 0']);
    expect(lines.at(-1)).toBe('the browser refused a step: Error: busy');
  });

  it('tells when both descriptions are there', async () => {
    peer.on('described', () => sent.push('described'));
    peer.offer();
    await settle();
    expect(sent).toEqual(['offer 0']);
    peer.handleAnswer(0, 'answer');
    peer.handleOffer(1, 'theirs');
    await settle();
    expect(sent).toEqual(['offer 0', 'described', 'answer 1', 'described']);
  });
});

describe('the data channel', () => {
  it('is agreed on beforehand, ordered, and carries a word once, as soon as it is open', () => {
    expect(pc.channel).toMatchObject({ label: 'offhook', options: { negotiated: true, id: 0, ordered: true } });
    peer.say('word');
    expect(pc.channel.sent).toEqual([]);
    pc.channel.open();
    pc.channel.open();
    expect(pc.channel.sent).toEqual(['word']);
  });

  it('gives out text, and nothing else', () => {
    const words: string[] = [];
    peer.on('word', (text) => words.push(text));
    pc.channel.receive('word');
    pc.channel.onmessage?.({ data: new ArrayBuffer(4) });
    expect(words).toEqual(['word']);
  });
});

describe('close', () => {
  it('stops listening and begins no further step', async () => {
    peer.offer();
    peer.close();
    await settle();
    peer.handleCandidate(0, candidate('late'));
    expect(pc.closed).toBe(true);
    expect(pc.listening).toBe(false);
    expect(pc.done).toEqual([]);
    expect(sent).toEqual([]);
  });

  it('a step that the browser refuses is told', async () => {
    pc.createOffer = () => Promise.reject(new Error('no codec'));
    peer.offer();
    await settle();
    expect(sent).toEqual(['broken Error: no codec']);
  });
});
