#!/usr/bin/env node
// punch.mjs RESPONDER PORT: one end of a hole punch, as ICE does it. Prints its mapped address, reads the other end's from
// its input, and sends there, and to wherever it hears from, until it was told that it is heard, or its time is over.
// Prints "heard" or "silence".
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { bindingRequest, newTransaction, readSuccess } from '../probe/stun.mjs';

const INTERVAL_MS = 50;
const PATIENCE_MS = 1200;
const CALL = 'call'; // I am here
const HEARD = 'heard'; // and I hear you

const [responder, port] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.bind(0);
await once(socket, 'listening');

const send = (text, to) => socket.send(text, to.port, to.address, () => {}); // what is refused is not heard either
const request = bindingRequest(newTransaction());
const asking = setInterval(() => send(request, { address: responder, port: Number(port) }), INTERVAL_MS);
const mapped = await new Promise((resolve) => socket.on('message', (message) => {
  const success = readSuccess(message);
  if (success) resolve(success);
}));
clearInterval(asking);
console.log(JSON.stringify({ address: mapped.address, port: mapped.port }));

const [line] = await once(createInterface({ input: process.stdin }), 'line');
let target = JSON.parse(line);
let hears = false;
let isHeard = false;
socket.on('message', (message, from) => {
  const word = message.toString('latin1');
  if (word !== CALL && word !== HEARD) return;
  target = { address: from.address, port: from.port };
  hears = true;
  isHeard ||= word === HEARD;
  if (word === CALL) send(HEARD, target);
});
const calling = setInterval(() => send(hears ? HEARD : CALL, target), INTERVAL_MS);
setTimeout(() => {
  clearInterval(calling);
  console.log(hears && isHeard ? 'heard' : 'silence');
  process.exit(0);
}, PATIENCE_MS);
