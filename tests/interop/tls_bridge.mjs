// TCP in, TLS out: what a client without TLS says goes to a server's TLS port.

import net from 'node:net';
import tls from 'node:tls';

/** Listens on a free port of 127.0.0.1 and connects each client to `port` there. The server's certificate is not checked. */
export async function tlsBridge(port) {
  const server = net.createServer({ noDelay: true }, (client) => {
    const onward = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, noDelay: true });
    client.pipe(onward).pipe(client);
    // One end that breaks off takes the other along.
    client.on('error', () => onward.destroy());
    onward.on('error', () => client.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: () => server.close() };
}
