import { describe, expect, it } from 'vitest';
import type { Placement } from '../src/index.js';
import { client, receive, sent, start, useStage } from './call_stage.js';
import { settle } from './fakes.js';

useStage();

const id = `c_${'p'.repeat(22)}`;
const media = { audio: true, video: false };

async function asked(age_ms = 0): Promise<{ placements: Placement[]; elsewhere: string[] }> {
  await start();
  const placements: Placement[] = [];
  const elsewhere: string[] = [];
  client.on('place', (placement) => placements.push(placement));
  client.on('placed_elsewhere', (call) => elsewhere.push(call));
  receive({ type: 'place', call: id, to: 'bob', media, age_ms });
  return { placements, elsewhere };
}

describe('a call that the backend asks for', () => {
  it('is made when the app says so, with the id that the server gave it', async () => {
    const { placements, elsewhere } = await asked();
    expect(placements).toEqual([{ call: id, to: 'bob', media }]);
    await settle();
    expect(sent('dial')).toEqual([]);
    const call = client.dial('bob', media, id);
    await settle();
    expect(sent('dial')).toMatchObject([{ call: id, to: 'bob', media }]);
    receive({ type: 'ringing', call: id });
    expect(call.state).toBe('ringing');
    call.end();
    receive({ type: 'ended', call: id, reason: 'canceled', verdict: '', retryable: false });
    expect(elsewhere).toEqual([]);
  });

  it('may be made by another device, once', async () => {
    const { elsewhere } = await asked();
    const ended = { type: 'ended', call: id, reason: 'answered_elsewhere', verdict: 'The call was made on another device.', retryable: false };
    receive(ended);
    receive(ended);
    expect(elsewhere).toEqual([id]);
  });

  it('is not shown if it was asked for too long ago, by the age that the server tells', async () => {
    expect((await asked(44_999)).placements).toHaveLength(1);
    client.close();
    expect((await asked(45_000)).placements).toEqual([]);
  });

  it('ends as any call does when another device was faster', async () => {
    await asked();
    const call = client.dial('bob', media, id);
    await settle();
    receive({ type: 'error', call: id, code: 'bad_call_id', message: 'this call id has been used', ref: sent('dial')[0]?.['seq'] });
    await settle();
    expect(call.end_cause).toMatchObject({ code: 'error', retryable: false });
  });
});
