// PeerJS's server (npm `peer`) at the port that is asked for, without its limit of 5,000 clients.
import { PeerServer } from 'peer';

PeerServer({ host: '127.0.0.1', port: Number(process.argv[2]), path: '/', concurrent_limit: 1_000_000 });
