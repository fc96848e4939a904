// A signalling server after docs/protocol.md in memory, just enough for two SDK clients to call each other in a test.
// Tokens are the user's name, readable; there is no relay.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

type Frame = Record<string, unknown> & { type: string; call?: string; seq?: number; ack?: number };

interface Session {
  id: string;
  user: string;
  socket: WebSocket | null;
  next_seq: number;
  pending: Frame[];
  processed: number;
}

interface MockCall {
  id: string;
  caller: Session;
  callee: string;
  media: unknown;
  winner: Session | null;
  /** Whether the callee has been told. */
  rung: boolean;
  held: Frame[];
}

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

export interface MockOptions {
  /** Files of this folder are served. */
  root?: string;
  /** Answers 404 where a server without --dev does. */
  dev_tokens?: boolean;
  /** What every incoming call says; without it, nothing, as an old server does. Nothing is withheld. */
  warm_path?: string;
  /** Messages of this type are lost, though acknowledged. */
  deaf_to?: string;
}

export class MockServer {
  readonly #http: Server;
  readonly #sessions = new Map<string, Session>();
  readonly #calls = new Map<string, MockCall>();
  readonly #options: MockOptions;
  #ids = 0;
  /** So many dials are waited for before any of them rings. */
  #together = 0;

  constructor(options: MockOptions = {}) {
    this.#options = options;
    this.#http = createServer((request, response) => void this.#serve(request, response));
    new WebSocketServer({ server: this.#http, path: '/ws' }).on('connection', (socket) => this.#attach(socket));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return `http://localhost:${(this.#http.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) session.socket?.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  /** Cuts the user's socket as a broken network does. */
  cut(user: string): void {
    for (const session of this.#sessions.values()) if (session.user === user) session.socket?.terminate();
  }

  /** The next `count` dials cross each other on their way: none rings before all have come. */
  crossDials(count: number): void {
    this.#together = count;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const json = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (url.pathname === '/api/turn/credentials') return json(200, { username: '1:user', ttl: 3600, uris: [], iceServers: [] });
    if (url.pathname === '/api/dev/token') {
      const user = url.searchParams.get('user') ?? '';
      if (this.#options.dev_tokens === false) return json(404, { error: { code: 'not_found', message: 'no such page' } });
      return json(200, { token: user, user, expires_in: 86400 });
    }
    const path = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
    try {
      if (!this.#options.root || path.includes('..')) throw new Error('no files');
      const body = await readFile(join(this.#options.root, path));
      response.writeHead(200, {
        'content-type': types[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': "default-src 'self'",
      });
      response.end(body);
    } catch {
      json(404, { error: { code: 'not_found', message: 'no such page' } });
    }
  }

  #attach(socket: WebSocket): void {
    let session: Session | null = null;
    socket.on('message', (text) => {
      const frame = JSON.parse(String(text)) as Frame;
      if (frame.type === 'hello') session = this.#hello(socket, frame);
      else if (session) this.#frame(session, frame);
    });
    socket.on('close', () => {
      if (session?.socket === socket) session.socket = null;
    });
  }

  #hello(socket: WebSocket, frame: Frame): Session {
    const resume = frame['resume'] as { session: string; ack: number } | undefined;
    const known = resume && this.#sessions.get(resume.session);
    const session: Session = known ?? {
      id: `s_${++this.#ids}`,
      user: String(frame['token']),
      socket,
      next_seq: 1,
      pending: [],
      processed: 0,
    };
    this.#sessions.set(session.id, session);
    session.socket = socket;
    const welcome = { session: session.id, resume_token: 'r', resumed: known !== undefined, user: session.user, ack: session.processed };
    socket.send(JSON.stringify({ type: 'welcome', ...welcome, ping_interval_ms: 10_000, ring_timeout_ms: 45_000 }));
    session.pending = session.pending.filter((one) => (one.seq ?? 0) > (resume?.ack ?? 0));
    for (const one of session.pending) socket.send(JSON.stringify(one));
    if (!known) {
      for (const call of this.#calls.values()) if (call.callee === session.user && !call.winner) this.#ring(session, call);
    }
    return session;
  }

  #send(session: Session, message: Frame): void {
    const frame = { ...message, seq: session.next_seq++, ack: session.processed };
    session.pending.push(frame);
    session.socket?.send(JSON.stringify(frame));
  }

  #frame(session: Session, frame: Frame): void {
    session.pending = session.pending.filter((one) => (one.seq ?? 0) > (frame.ack ?? 0));
    if (frame.type === 'ping') return session.socket?.send(JSON.stringify({ type: 'pong' }));
    if (frame.seq === undefined || frame.seq !== session.processed + 1) return;
    session.processed = frame.seq;
    session.socket?.send(JSON.stringify({ type: 'ack', ack: session.processed }));
    this.#message(session, frame);
  }

  #message(from: Session, { seq: _seq, ack: _ack, ...message }: Frame): void {
    if (message.type === this.#options.deaf_to) return;
    if (message.type === 'dial') return this.#dial(from, message);
    if (message.type === 'bye') return this.#bye(from);
    const call = this.#calls.get(message.call ?? '');
    if (!call) return;
    const other = from === call.caller ? call.winner : call.caller;
    switch (message.type) {
      case 'ringing':
        return this.#send(call.caller, message);
      case 'accept':
        call.winner = from;
        return this.#send(call.caller, { ...message, type: 'accepted' });
      case 'reject':
      case 'hangup':
        return this.#end(call, !call.winner && from === call.caller ? 'canceled' : String(message['reason']));
      case 'offer':
      case 'answer':
      case 'ice-candidate':
      case 'state':
        return this.#relay(call, from, other, { ...message, from: from.user });
    }
  }

  /** What the callee says before its accept goes to the caller, as of a device that connects while it rings; those of the caller before accept go to all that ring. */
  #relay(call: MockCall, from: Session, other: Session | null, message: Frame): void {
    if (from === call.caller && !call.winner) {
      call.held.push(message);
      if (call.rung) for (const session of this.#sessionsOf(call.callee)) this.#send(session, message);
    } else if (other) this.#send(other, message);
  }

  #dial(caller: Session, message: Frame): void {
    const call: MockCall = {
      id: message.call ?? '',
      caller,
      callee: String(message['to']),
      media: message['media'],
      winner: null,
      rung: false,
      held: [],
    };
    this.#calls.set(call.id, call);
    const sessions = this.#sessionsOf(call.callee);
    if (sessions.length === 0) return this.#end(call, 'unreachable');
    if (this.#together > 0 && --this.#together > 0) return;
    for (const waiting of this.#calls.values()) if (!waiting.rung) this.#ringAll(waiting);
  }

  #ringAll(call: MockCall): void {
    call.rung = true;
    for (const session of this.#sessionsOf(call.callee)) this.#ring(session, call);
  }

  #ring(session: Session, call: MockCall): void {
    this.#send(session, { type: 'incoming', call: call.id, from: call.caller.user, media: call.media, age_ms: 0, warm_path: this.#options.warm_path });
    for (const message of call.held) this.#send(session, message);
  }

  #end(call: MockCall, reason: string): void {
    this.#calls.delete(call.id);
    const verdict = `The call ended: ${reason}.`;
    const retryable = reason === 'unreachable';
    for (const session of [call.caller, ...this.#sessionsOf(call.callee)]) {
      this.#send(session, { type: 'ended', call: call.id, reason, verdict, retryable });
    }
  }

  #bye(session: Session): void {
    this.#sessions.delete(session.id);
    for (const call of this.#calls.values()) if (call.caller === session || call.winner === session) this.#end(call, 'hangup');
  }

  #sessionsOf(user: string): Session[] {
    return [...this.#sessions.values()].filter((session) => session.user === user);
  }
}
