// A push service with one browser's subscription behind it: takes what the server sends, and decrypts it (RFC 8188,
// RFC 8291).

import { createDecipheriv, createECDH, hkdfSync, randomBytes } from 'node:crypto';
import http from 'node:http';

import { until } from './processes.mjs';

const bytesOf = (text) => Buffer.from(`${text}\0`);

export class PushReceiver {
  #key = createECDH('prime256v1');
  #auth = randomBytes(16);
  #messages = [];

  static async start() {
    const receiver = new PushReceiver();
    receiver.#key.generateKeys();
    receiver.server = http.createServer((request, response) => receiver.#take(request, response));
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    receiver.endpoint = `http://127.0.0.1:${receiver.server.address().port}/push/1`;
    return receiver;
  }

  /** What PushSubscription.toJSON() would give. */
  get subscription() {
    const keys = { p256dh: this.#key.getPublicKey('base64url'), auth: this.#auth.toString('base64url') };
    return { endpoint: this.endpoint, expirationTime: null, keys };
  }

  /** The next message as the service worker would get it. */
  async next(limit_ms = 10_000) {
    await until('a push comes', () => this.#messages.length > 0, { limit_ms });
    return this.#messages.shift();
  }

  close() {
    return new Promise((resolve) => this.server.close(resolve));
  }

  async #take(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    this.#messages.push({ text: this.#open(Buffer.concat(parts)), headers: request.headers });
    response.writeHead(201).end();
  }

  #open(body) {
    const salt = body.subarray(0, 16);
    const sender = body.subarray(21, 21 + body[20]);
    const sealed = body.subarray(21 + body[20], -16);
    const info = Buffer.concat([bytesOf('WebPush: info'), this.#key.getPublicKey(), sender]);
    const secret = Buffer.from(hkdfSync('sha256', this.#key.computeSecret(sender), this.#auth, info, 32));
    const derive = (label, size) => Buffer.from(hkdfSync('sha256', secret, salt, bytesOf(`Content-Encoding: ${label}`), size));
    const cipher = createDecipheriv('aes-128-gcm', derive('aes128gcm', 16), derive('nonce', 12));
    cipher.setAuthTag(body.subarray(-16));
    const record = Buffer.concat([cipher.update(sealed), cipher.final()]);
    return record.subarray(0, record.lastIndexOf(2)).toString();
  }
}
