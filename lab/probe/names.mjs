// As much of DNS (RFC 1035) as a name server of a few names needs: A and AAAA of those, NXDOMAIN for all others.
const HEADER_BYTES = 12;
const TYPES = { 1: 4, 28: 16 }; // A, AAAA: octets of the address
const CLASS_IN = 1;
const TTL_S = 60;
const RESPONSE = 0x8000;
const AUTHORITATIVE = 0x0400;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;
const NXDOMAIN = 3;
const NAME_AT_QUESTION = 0xc000 | HEADER_BYTES; // a pointer (section 4.1.4)

function readQuestion(message) {
  if (message.length < HEADER_BYTES || message.readUInt16BE(4) !== 1 || (message.readUInt16BE(2) & RESPONSE) !== 0) return null;
  const labels = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at + 1 + length + 4 > message.length) return null;
    at += 1 + length;
    if (length === 0) break;
    labels.push(message.toString('latin1', at - length, at));
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at), end: at + 4 };
}

/**
 * The answer to a query, or null if it is none.
 * @param {Buffer} message @param {Map<string, Buffer[]>} names octets of each name's addresses
 */
export function answerQuery(message, names) {
  const question = readQuestion(message);
  if (!question) return null;
  const addresses = names.get(question.name);
  const fitting = (addresses ?? []).filter((octets) => octets.length === TYPES[question.type]);
  const head = Buffer.alloc(HEADER_BYTES);
  message.copy(head, 0, 0, 2);
  const recursion = (message.readUInt16BE(2) & RECURSION_DESIRED) | RECURSION_AVAILABLE;
  head.writeUInt16BE(RESPONSE | AUTHORITATIVE | recursion | (addresses ? 0 : NXDOMAIN), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(fitting.length, 6);
  const records = fitting.map((octets) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(NAME_AT_QUESTION, 0);
    record.writeUInt16BE(question.type, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(TTL_S, 6);
    record.writeUInt16BE(octets.length, 10);
    return Buffer.concat([record, octets]);
  });
  return Buffer.concat([head, message.subarray(HEADER_BYTES, question.end), ...records]);
}
