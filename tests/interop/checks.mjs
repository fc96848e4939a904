// The runs of turnutils_uclient: what each shows, its flags, and what has to come of it.
//
// In `flags`, PEER stands for "-r <port of turnutils_peer>", USERNAME, OLD_USERNAME and OLD_CREDENTIAL for what was
// minted; port, credentials and the server's address are added by
// the runner. `sends` is what the tool sends in all with these flags: -n messages for each of its -m sessions (by
// itself one RTP and one RTCP session, with -y two of each, with -c no RTCP).

/** Messages of a session. */
const n = 50;
const v4 = '127.0.0.1';
const v6 = '::1';
const peer4 = ['-e', v4, 'PEER'];
const peer6 = ['-e', v6, 'PEER'];

const relayed = (what, flags, { server = v4, sends = 2 * n, tolerated } = {}) => ({
  what,
  flags: ['-n', String(n), ...flags],
  server,
  sends,
  tolerated,
});

const refused = (what, flags, refusal, more = {}) => ({ what, flags: ['-n', '5', ...flags], server: v4, refusal, ...more });

/** Media through the relay, every way that the tool has. */
export const passes = [
  relayed('UDP, channels', peer4),
  relayed('UDP, Send and Data indications', ['-s', ...peer4]),
  relayed('TCP, channels', ['-t', ...peer4]),
  relayed('TCP, Send and Data indications', ['-t', '-s', ...peer4]),
  relayed('UDP, channels, client to client', ['-y'], { sends: 4 * n }),
  relayed('UDP, indications, client to client', ['-y', '-s'], { sends: 4 * n }),
  relayed('TCP, channels, client to client', ['-y', '-t'], { sends: 4 * n }),
  relayed('TCP, indications, client to client', ['-y', '-t', '-s'], { sends: 4 * n }),
  relayed('IPv6 client, IPv6 relay', ['-x', ...peer6], { server: v6 }),
  relayed('IPv6 client, IPv6 relay, TCP', ['-x', '-t', ...peer6], { server: v6 }),
  relayed('IPv6 client, IPv6 relay, indications', ['-x', '-s', ...peer6], { server: v6 }),
  relayed('IPv6 client, IPv6 relay, client to client', ['-x', '-y'], { server: v6, sends: 4 * n }),
  relayed('IPv6 client, IPv6 relay, client to client, TCP', ['-x', '-y', '-t'], { server: v6, sends: 4 * n }),
  relayed('IPv4 client, IPv6 relay (REQUESTED-ADDRESS-FAMILY)', ['-x', ...peer6]),
  relayed('IPv6 client, IPv4 relay asked for', ['-X', ...peer4], { server: v6 }),
  relayed('IPv6 client, IPv4 relay by default', peer4, { server: v6 }),
  relayed('no RTCP sessions (no EVEN-PORT)', ['-c', ...peer4], { sends: n }),
  relayed('DONT-FRAGMENT in every request', ['-g', ...peer4]),
  relayed('ChannelData padded on UDP too', ['-D', ...peer4]),
  relayed('ChannelData of odd length on TCP (padding)', ['-t', '-l', '173', ...peer4]),
  relayed('messages of one byte', ['-l', '1', ...peer4]),
  relayed('messages of 1400 bytes', ['-l', '1400', ...peer4]),
  relayed('messages of 1400 bytes, TCP', ['-t', '-l', '1400', ...peer4]),
  // The tool asks for a channel to an IPv6 peer on an IPv4 relay, and for one in use: 443 and 400 are the right answers.
  relayed('additional CreatePermission and ChannelBind requests', ['-G', ...peer4], { tolerated: /error (443|400)/ }),
  relayed('no CreatePermission before ChannelBind', ['-I', ...peer4]),
  relayed('clients that disconnect at random', ['-B', ...peer4]),
  relayed('20 clients, client to client', ['-y', '-m', '20'], { sends: 20 * n }),
  relayed('20 clients, client to client, TCP', ['-y', '-t', '-m', '20'], { sends: 20 * n }),
];

// The tool draws a version of TLS for each connection, and tries again where TLS 1.0 and 1.1 are refused.
const old_tls = /tls_connect|protocol version/;
const byTls = (what, flags) => relayed(what, ['-S', '-t', ...flags, ...peer4], { tolerated: old_tls });

/** By TLS of the tool's own, at a port for TLS and at the one for TURN. */
export const tlsPasses = [byTls('TLS, channels', []), byTls('TLS, Send and Data indications', ['-s'])];
export const tlsAtTurnPort = [byTls('TLS at the port of TURN, channels', [])];
/** The tool without TLS, and TLS put around it on the way. */
export const bridgedPasses = [
  relayed('TLS around TCP, channels', ['-t', ...peer4]),
  relayed('TLS around TCP, Send and Data indications', ['-t', '-s', ...peer4]),
  relayed('TLS around TCP, client to client', ['-y', '-t'], { sends: 4 * n }),
  relayed('TLS around TCP, messages of 1400 bytes', ['-t', '-l', '1400', ...peer4]),
  relayed('TLS around TCP, ChannelData of odd length (padding)', ['-t', '-l', '173', ...peer4]),
  relayed('TLS around TCP, 20 clients, client to client', ['-y', '-t', '-m', '20'], { sends: 20 * n }),
];
export const inTheClearAtTlsPort = [relayed('TCP without TLS at the port of TLS, channels', ['-t', ...peer4])];

/** What has to be refused by the server with peers on loopback allowed. */
export const refusals = [
  refused('a credential of another secret', ['-u', 'alice', '-W', 'ANOTHER_SECRET', ...peer4], /Cannot complete Allocation/, { own_credentials: true }),
  refused('a wrong password', ['-u', 'USERNAME', '-w', 'wrong', ...peer4], /Cannot complete Allocation/, { own_credentials: true }),
  refused('a user without an expiry', ['-u', 'mallory', '-w', 'wrong', ...peer4], /Cannot complete Allocation/, { own_credentials: true }),
  refused('an expired credential', ['-u', 'OLD_USERNAME', '-w', 'OLD_CREDENTIAL', ...peer4], /Cannot complete Allocation/, { own_credentials: true }),
  refused('a second channel to the same peer (the tool\'s negative test)', ['-N', ...peer4], /channel bind: error 400/),
];

/** What a server without --dev refuses: a relay is no way into the network that it stands in. */
export const deniedPeers = [
  refused('a peer on loopback, channels', ['-e', '127.0.0.2', 'PEER'], /error 403/),
  refused('a peer on loopback, indications', ['-s', '-e', '127.0.0.2', 'PEER'], /error 403/),
  refused("another program on the relay's own address, channels", peer4, /channel bind: error 403/),
];

/** A permission names no port, and other relays of the server may be peers; of another program nothing comes back. */
export const silentPeers = [
  { what: "another program on the relay's own address, indications", flags: ['-n', '5', '-s', ...peer4], server: v4, outcome: '0 of 10 received' },
];

/** Requests full of nonsense: the tool never ends by itself, the server has to go on serving. */
export const nonsense = [
  { what: 'requests full of nonsense, UDP', flags: ['-R', ...peer4], server: v4 },
  { what: 'requests full of nonsense, TCP', flags: ['-R', '-t', ...peer4], server: v4 },
];

/** The same credentials, minted by us, against a real coturn. */
export const againstCoturn = [
  relayed('UDP, channels', peer4),
  relayed('TCP, channels', ['-t', ...peer4]),
  relayed('UDP, indications', ['-s', ...peer4]),
  relayed('UDP, client to client', ['-y'], { sends: 4 * n }),
];
