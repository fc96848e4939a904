#!/usr/bin/env node
// UDP traffic of the laboratory's own tests. All namespaces share one monotonic clock, so delays are one-way delays.
//   traffic.mjs receive ADDRESS PORT...                       says "ready"; at the end of input, everything that came
//   traffic.mjs send FROM ADDRESS PORT COUNT INTERVAL_MS BYTES   FROM: the local address, or - for any
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

const STAMP_BYTES = 16;
const [mode, ...rest] = process.argv.slice(2);

function socketFor(address) {
  return createSocket(isIPv6(address) ? 'udp6' : 'udp4');
}

async function receive(address, ports) {
  const came = [];
  for (const port of ports) {
    const socket = socketFor(address);
    socket.on('message', (message, from) => {
      if (message.length < STAMP_BYTES) return;
      const now = process.hrtime.bigint();
      const delay_ms = Number(now - message.readBigUInt64BE(8)) / 1e6;
      came.push({ port, number: message.readUInt32BE(0), delay_ms, at_ms: Number(now) / 1e6, from: from.address });
    });
    socket.bind(port, address);
    await once(socket, 'listening');
    socket.setRecvBufferSize(4 << 20);
  }
  console.log('ready');
  process.stdin.on('end', () => {
    process.stdout.write(JSON.stringify(came), () => process.exit(0));
  });
  process.stdin.resume();
}

async function send(from, address, port, count, intervalMs, bytes) {
  const socket = socketFor(address);
  socket.bind(0, from === '-' ? undefined : from);
  await once(socket, 'listening');
  const begin = process.hrtime.bigint();
  for (let number = 0; number < count; ) {
    // As many as are due by now: timers are coarser than short intervals.
    const passed = Number(process.hrtime.bigint() - begin) / 1e6;
    const due = intervalMs === 0 ? count : Math.min(count, Math.floor(passed / intervalMs) + 1);
    const sent = [];
    for (; number < due; ++number) {
      const message = Buffer.alloc(bytes);
      message.writeUInt32BE(number, 0);
      message.writeBigUInt64BE(process.hrtime.bigint(), 8);
      sent.push(new Promise((resolve) => socket.send(message, port, address, resolve)));
    }
    await Promise.all(sent);
    await new Promise((resolve) => setTimeout(resolve, intervalMs < 1 ? 1 : intervalMs / 2));
  }
  socket.close();
}

if (mode === 'receive') await receive(rest[0], rest.slice(1).map(Number));
else if (mode === 'send') await send(rest[0], rest[1], ...rest.slice(2).map(Number));
else throw new Error(`no mode ${mode}`);
