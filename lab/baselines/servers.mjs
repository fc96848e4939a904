// Debian's coturn beside our server, on ports of its own, as the baselines' relay.

import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** Beside our own server's. */
export const baselines_port = 9000;
export const peerjs_port = 9001;
const coturn_port = 3479;
const secret = 'the-laboratory';

/** The words that start it; `directory` takes its configuration. */
export function coturnCommand({ addresses, directory }) {
  const file = path.join(directory, 'turnserver.conf');
  const lines = [
    ...addresses.flatMap((address) => [`listening-ip=${address}`, `relay-ip=${address}`]),
    `listening-port=${coturn_port}`,
    'min-port=40000',
    'max-port=48000',
    'use-auth-secret',
    `static-auth-secret=${secret}`,
    'realm=baseline',
    'fingerprint',
    'no-cli',
    'no-tls',
    'no-dtls',
    'log-file=stdout',
    'simple-log',
    `pidfile=${path.join(directory, 'turnserver.pid')}`,
    `userdb=${path.join(directory, 'turndb')}`,
  ];
  fs.writeFileSync(file, `${lines.join('\n')}\n`);
  return ['turnserver', '-c', file];
}

/** What a page of a baseline is given: the same three ways that our server gives. */
export function coturnServers(host, ttl_s = 3600) {
  const username = `${Math.floor(Date.now() / 1000) + ttl_s}:lab`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  const turn = ['udp', 'tcp'].map((transport) => `turn:${host}:${coturn_port}?transport=${transport}`);
  return [{ urls: [`stun:${host}:${coturn_port}`] }, { urls: turn, username, credential }];
}
