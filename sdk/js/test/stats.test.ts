import { describe, expect, it } from 'vitest';
import { read } from '../src/stats.js';

const rtp = { id: 'A', type: 'inbound-rtp', kind: 'audio', packetsReceived: 7 };

function received(...entries: { id: string }[]): number {
  return read(new Map(entries.map((entry) => [entry.id, entry])) as unknown as RTCStatsReport).packets_received;
}

describe('packets received', () => {
  it('are those of the transport', () => {
    expect(received(rtp, { id: 'T', type: 'transport', packetsReceived: 9 } as { id: string })).toBe(9);
  });

  it('are those of RTP where the browser does not count the transport (Firefox)', () => {
    expect(received(rtp)).toBe(7);
  });
});
