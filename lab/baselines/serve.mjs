// What the baselines need of a server, in one process: an empty page, a relay of signalling messages for the hand-written
// clients, and PeerJS's own server. Ends with its input.

import http from 'node:http';

import { PeerServer } from 'peer';
import { WebSocketServer } from 'ws';

import { baselines_port, peerjs_port } from './servers.mjs';

const page = '<!doctype html><meta charset="utf-8"><title>baseline</title>';
const every_address = '::';

/** Every message goes to the user that it names, as it is, with the sender's name. */
function relaySignals(server) {
  const users = new Map();
  const sockets = new WebSocketServer({ server, path: '/origin' });
  sockets.on('connection', (socket, request) => {
    const user = new URL(request.url, 'http://relay').searchParams.get('user');
    users.set(user, socket);
    socket.on('message', (text) => {
      const message = JSON.parse(text);
      users.get(message.to)?.send(JSON.stringify({ ...message, from: user }));
    });
    socket.on('close', () => users.get(user) === socket && users.delete(user));
  });
}

await new Promise((resolve) => PeerServer({ host: every_address, port: peerjs_port, path: '/peerjs' }, resolve));
const pages = http.createServer((_request, response) => response.setHeader('content-type', 'text/html').end(page));
relaySignals(pages);
pages.listen({ port: baselines_port, host: every_address });
process.stdin.resume().on('end', () => process.exit(0));
