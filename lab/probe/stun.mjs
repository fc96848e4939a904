// As much of STUN (RFC 8489) as a probe of NAT behaviour (RFC 5780) needs.
import { randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';

const COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const CHANGE_REQUEST = 0x0003;
const XOR_MAPPED_ADDRESS = 0x0020;
const CHANGE_IP = 4;
const CHANGE_PORT = 2;

/** The probe's own ports: two, as RFC 5780 section 7.2 has it. */
export const PORTS = [3478, 3479];
/** TCP ports that the responder accepts on: one that firewalls let out, and one that a strict one does not. */
export const TCP_PORTS = { tcp443: 443, tcp_other: 8080 };

function header(type, length, transaction) {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(length, 2);
  head.writeUInt32BE(COOKIE, 4);
  transaction.copy(head, 8);
  return head;
}

export function newTransaction() {
  return randomBytes(12);
}

/** A Binding request; `change` asks for an answer from the other address or port of the responder. */
export function bindingRequest(transaction, { ip = false, port = false } = {}) {
  const attribute = Buffer.alloc(8);
  attribute.writeUInt16BE(CHANGE_REQUEST, 0);
  attribute.writeUInt16BE(4, 2);
  attribute.writeUInt32BE((ip ? CHANGE_IP : 0) | (port ? CHANGE_PORT : 0), 4);
  return Buffer.concat([header(BINDING_REQUEST, attribute.length, transaction), attribute]);
}

function attributes(message) {
  const found = new Map();
  for (let at = HEADER_BYTES; at + 4 <= message.length; ) {
    const length = message.readUInt16BE(at + 2);
    if (at + 4 + length > message.length) break;
    found.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return found;
}

function isStun(message, type) {
  return message.length >= HEADER_BYTES && message.readUInt16BE(0) === type && message.readUInt32BE(4) === COOKIE;
}

/** What a Binding request asks, or null. */
export function readRequest(message) {
  if (!isStun(message, BINDING_REQUEST)) return null;
  const change = attributes(message).get(CHANGE_REQUEST);
  const flags = change?.length === 4 ? change.readUInt32BE(0) : 0;
  return { transaction: message.subarray(8, 20), ip: (flags & CHANGE_IP) !== 0, port: (flags & CHANGE_PORT) !== 0 };
}

/** The octets of an address in text. */
export function octetsOf(address) {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head, tail = ''] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const groups = [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  const octets = Buffer.alloc(16);
  groups.forEach((group, i) => octets.writeUInt16BE(parseInt(group, 16), 2 * i));
  return octets;
}

function mask(octets, message) {
  const key = message.subarray(4, 20); // the cookie, then the transaction
  return Buffer.from(octets.map((octet, i) => octet ^ key[i]));
}

export function bindingSuccess(transaction, address, port) {
  const octets = octetsOf(address);
  const head = header(BINDING_SUCCESS, 8 + octets.length, transaction);
  const attribute = Buffer.alloc(8);
  attribute.writeUInt16BE(XOR_MAPPED_ADDRESS, 0);
  attribute.writeUInt16BE(4 + octets.length, 2);
  attribute.writeUInt8(octets.length === 4 ? 1 : 2, 5);
  attribute.writeUInt16BE(port ^ (COOKIE >>> 16), 6);
  return Buffer.concat([head, attribute, mask(octets, head)]);
}

/** Transaction and mapped address of a Binding success, or null. The address of IPv6 is written out in full. */
export function readSuccess(message) {
  if (!isStun(message, BINDING_SUCCESS)) return null;
  const value = attributes(message).get(XOR_MAPPED_ADDRESS);
  if (!value || value.length < 8) return null;
  const octets = mask(value.subarray(4), message);
  const groups = octets.length === 4 ? [...octets].join('.') : octets.toString('hex').match(/.{4}/g).join(':');
  return { transaction: message.subarray(8, 20), address: groups, port: value.readUInt16BE(2) ^ (COOKIE >>> 16) };
}
