// Three network namespaces in a row: clients - server - peers, joined by veth pairs.
//
// A packet that enters a veth pair is received by the core that sent it. So the server's core pays for one reception a
// packet, as it would with a network between: the one at the far end, in place of its own, which the generator's core
// has done. With `steering` (receive packet steering) each side does its own, at the price of an interrupt from core to
// core for nearly every packet; in a virtual machine that costs more than all the rest, and hides what is compared.
//
// The fast path would run on the sender's core. So for a server with it each side polls the queues of its own devices
// (`pollBySides`), and its core pays for one reception a packet as well: for its own, in which the fast path runs. With
// `frames` what arrives for it are frames as a network card brings them, not packets that a socket at the far end has made:
// those are copied first, which costs the fast path five times what it costs itself. A server with sockets of its own would
// not gain by that: each packet that it sends would wake the far end's core, at the price of all the rest together.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

export const addresses = {
  serverForClients: '10.99.1.1',
  clientGateway: '10.99.1.2',
  serverForPeers: '10.99.2.1',
  peerGateway: '10.99.2.2',
  clients: '198.18.0.0/16', // RFC 2544: set aside for benchmarks
  peers: '198.19.0.0/16',
};

function run(...command) {
  try {
    execFileSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Error(`${command.join(' ')}: ${String(error.stderr ?? error.message).trim()}`);
  }
}

// The bitmap of one core as the kernel reads it: hexadecimal, a comma every 32 bits.
function coreBitmap(core) {
  return (1n << BigInt(core)).toString(16).replace(/\B(?=(.{8})+$)/g, ',');
}

function join(far, near, device, nearAddress, farAddress, number) {
  const [nearHardware, farHardware] = [1, 2].map(end => `02:00:00:00:0${number}:0${end}`);
  run('ip', '-n', near, 'link', 'add', device, 'address', nearHardware, 'type', 'veth',
    'peer', 'name', device, 'address', farHardware, 'netns', far);
  for (const [namespace, address] of [[near, nearAddress], [far, farAddress]]) {
    run('ip', '-n', namespace, 'address', 'add', `${address}/30`, 'dev', device);
    run('ip', '-n', namespace, 'link', 'set', device, 'up');
  }
  // Neither has to ask for the other, whatever takes its frames.
  run('ip', '-n', far, 'neighbour', 'replace', nearAddress, 'lladdr', nearHardware, 'dev', device, 'nud', 'permanent');
  run('ip', '-n', near, 'neighbour', 'replace', farAddress, 'lladdr', farHardware, 'dev', device, 'nud', 'permanent');
}

// Makes the namespace hold every address of the prefix, without one line for each.
function ownPrefix(namespace, prefix, gateway) {
  run('ip', '-n', namespace, 'route', 'add', 'local', prefix, 'dev', 'lo');
  run('ip', '-n', namespace, 'route', 'add', 'default', 'via', gateway);
}

// Reception at a far end stands in for the server's own, and the route of a whole prefix would make it dearer: with such
// routes the kernel looks up the sender of each packet, unless packets from its own addresses are welcome.
function receiveAsServer(namespace, device) {
  run('ip', 'netns', 'exec', namespace, 'sh', '-c', `echo 1 > /proc/sys/net/ipv4/conf/${device}/accept_local`);
}

function steer(namespace, device, core) {
  const file = `/sys/class/net/${device}/queues/rx-0/rps_cpus`;
  run('ip', 'netns', 'exec', namespace, 'sh', '-c', `echo ${coreBitmap(core)} > ${file}`);
}

// GSO packets of the server are cut before they leave it, as by a network card that cannot: otherwise the receiver
// would get them whole, and cut them at its own cost.
function cutInServer(namespace, devices) {
  for (const device of devices) {
    run('ip', 'netns', 'exec', namespace, 'ethtool', '-K', device, 'tx-udp-segmentation', 'off');
  }
}

// The threads that poll the queues of the devices of this name, in all namespaces.
function pollThreads(device) {
  return readdirSync('/proc').filter(pid => /^\d+$/.test(pid)).filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith(`napi/${device}-`);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

// Whether threads of the kernel poll the queues of a device, or whoever sends.
function pollByThreads(namespace, device, on) {
  run('ip', 'netns', 'exec', namespace, 'sh', '-c', `echo ${on ? 1 : 0} > /sys/class/net/${device}/threaded`);
}

function pin(thread, core) {
  run('taskset', '-p', '-c', String(core), thread);
}

// Programs in the kernel get whole checksums, as from a network, and a far end that takes their frames.
function behaveAsNetwork(namespace, device) {
  run('ip', 'netns', 'exec', namespace, 'ethtool', '-K', device, 'gro', 'on', 'tx-checksumming', 'off');
}

export class Network {
  constructor(serverCore, generatorCore, steering, bursts, kernelPath) {
    this.clients = `offhook-bench-clients-${process.pid}`;
    this.server = `offhook-bench-server-${process.pid}`;
    this.peers = `offhook-bench-peers-${process.pid}`;
    this.made = [];
    this.atEnds = new Set(); // threads that poll the far ends
    for (const namespace of [this.clients, this.server, this.peers]) {
      run('ip', 'netns', 'add', namespace);
      this.made.push(namespace);
      run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
    }
    join(this.clients, this.server, 'clients', addresses.serverForClients, addresses.clientGateway, 1);
    join(this.peers, this.server, 'peers', addresses.serverForPeers, addresses.peerGateway, 2);
    ownPrefix(this.clients, addresses.clients, addresses.serverForClients);
    ownPrefix(this.peers, addresses.peers, addresses.serverForPeers);
    receiveAsServer(this.clients, 'clients');
    receiveAsServer(this.peers, 'peers');
    run('ip', '-n', this.server, 'route', 'add', addresses.clients, 'via', addresses.clientGateway);
    run('ip', '-n', this.server, 'route', 'add', addresses.peers, 'via', addresses.peerGateway);
    if (steering) {
      steer(this.server, 'clients', serverCore);
      steer(this.server, 'peers', serverCore);
      steer(this.clients, 'clients', generatorCore);
      steer(this.peers, 'peers', generatorCore);
    }
    if (bursts) cutInServer(this.server, ['clients', 'peers']);
    if (kernelPath) {
      behaveAsNetwork(this.clients, 'clients');
      behaveAsNetwork(this.peers, 'peers');
    }
  }

  // A veth without an XDP program has a queue while GRO is on.
  queueInServer(on) {
    for (const device of ['clients', 'peers']) {
      run('ip', 'netns', 'exec', this.server, 'ethtool', '-K', device, 'gro', on ? 'on' : 'off');
    }
  }

  // Threads of the kernel poll the server's devices on its core, and those at the far ends on the generator's, where they
  // go before the generator: a queue holds no more than 256 packets.
  pollBySides(serverCore, generatorCore) {
    for (const [device, end] of this.ends()) {
      const before = pollThreads(device);
      pollByThreads(end, device, true);
      // They are made once, and stay as long as the device has a queue.
      for (const thread of pollThreads(device).filter(one => !before.includes(one))) {
        pin(thread, generatorCore);
        run('chrt', '--fifo', '--pid', '1', thread);
        this.atEnds.add(thread);
      }
      pollByThreads(this.server, device, true);
      const inServer = pollThreads(device).filter(one => !this.atEnds.has(one));
      if (inServer.length === 0) throw new Error(`no thread polls ${device}`);
      for (const thread of inServer) {
        pin(thread, serverCore);
        setPriority(Number(thread), getPriority()); // as the programs that we start
      }
    }
  }

  // Whoever sends does the reception at the far end.
  pollBySender() {
    for (const [device, end] of this.ends()) pollByThreads(end, device, false);
  }

  ends() {
    return [['clients', this.clients], ['peers', this.peers]];
  }

  remove() {
    for (const namespace of this.made.splice(0)) {
      try {
        run('ip', 'netns', 'delete', namespace);
      } catch (error) {
        console.error(`bench/relay: ${error.message}`);
      }
    }
  }
}
