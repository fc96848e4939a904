#!/usr/bin/env node
// responder.mjs V4 V4_SECOND V6 V6_SECOND NAMES: answers the probe, as RFC 5780 has it, on two addresses and two ports of
// each family, and accepts TCP; is the name server for NAMES, a JSON object of lists of addresses. Says "ready" once
// everything is open; ends with its input.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { answerQuery } from './names.mjs';
import { PORTS, TCP_PORTS, bindingSuccess, octetsOf, readRequest } from './stun.mjs';

const DNS_PORT = 53;

const [v4, v4Second, v6, v6Second, namesText] = process.argv.slice(2);
if (!namesText) {
  console.error('usage: responder.mjs V4 V4_SECOND V6 V6_SECOND NAMES');
  process.exit(2);
}

async function openFamily(type, addresses) {
  const sockets = addresses.map(() => []);
  for (const [i, address] of addresses.entries()) {
    for (const [j, port] of PORTS.entries()) {
      const socket = createSocket(type);
      sockets[i][j] = socket;
      socket.on('message', (message, from) => {
        const request = readRequest(message);
        if (!request) return;
        const answering = sockets[request.ip ? 1 - i : i][request.port ? 1 - j : j];
        answering.send(bindingSuccess(request.transaction, from.address, from.port), from.port, from.address);
      });
      socket.bind(port, address);
      await once(socket, 'listening');
    }
  }
}

async function openTcp(address) {
  for (const port of Object.values(TCP_PORTS)) {
    const server = createServer((socket) => {
      socket.on('error', () => {}); // the prober resets when it is done
      socket.end('offhook-lab\n');
    });
    server.listen(port, address);
    await once(server, 'listening');
  }
}

async function openNames(type, address, names) {
  const socket = createSocket(type);
  socket.on('message', (message, from) => {
    const answer = answerQuery(message, names);
    if (answer) socket.send(answer, from.port, from.address);
  });
  socket.bind(DNS_PORT, address);
  await once(socket, 'listening');
}

const names = new Map(Object.entries(JSON.parse(namesText)).map(([name, list]) => [name.toLowerCase(), list.map(octetsOf)]));
await openFamily('udp4', [v4, v4Second]);
await openFamily('udp6', [v6, v6Second]);
await openNames('udp4', v4, names);
await openNames('udp6', v6, names);
await openTcp(v4);
await openTcp(v6);
console.log('ready');
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
