// The laboratory's own certificate authority: the server's certificate, and browsers that trust it.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const quiet = { stdio: ['ignore', 'pipe', 'pipe'] };

/** A certificate for `addresses`, signed by an authority that is made with it. */
export function makeAuthority(directory, addresses) {
  const file = (name) => path.join(directory, name);
  const openssl = (...args) => execFileSync('openssl', args, quiet);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '30', '-subj', '/CN=offhook laboratory', '-keyout', file('ca.key'), '-out', file('ca.pem'));
  openssl('req', ...key, '-subj', '/CN=laboratory server', '-keyout', file('server.key'), '-out', file('server.csr'));
  const names = addresses.map((address) => `IP:${address}`).join(',');
  fs.writeFileSync(file('server.ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
  openssl('x509', '-req', '-in', file('server.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '30', '-extfile', file('server.ext'), '-out', file('server.pem'));
  return { authority: file('ca.pem'), certificate: file('server.pem'), key: file('server.key') };
}

/** Chromium takes what it trusts from the NSS database of its home. */
export function trustIn(home, { authority }) {
  const database = path.join(home, '.pki/nssdb');
  fs.mkdirSync(database, { recursive: true });
  execFileSync('certutil', ['-d', `sql:${database}`, '-N', '--empty-password'], quiet);
  execFileSync('certutil', ['-d', `sql:${database}`, '-A', '-t', 'C,,', '-n', 'offhook laboratory', '-i', authority], quiet);
}
