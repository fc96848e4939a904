import { beforeEach, describe, expect, it } from 'vitest';
import type { CallError } from '../src/index.js';
import { browser, client, open, receive, restartNumbers, sent, start, useStage } from './call_stage.js';
import { settle } from './fakes.js';

useStage();

/** How the changes of a test came out, in the order in which they did. */
const told: string[] = [];
beforeEach(() => void told.splice(0));

function change(type: 'block' | 'unblock', user: string): void {
  client[type](user).then(
    () => told.push(`${type} ${user}`),
    ({ verdict, retryable }: CallError) => told.push(`${user}: ${verdict} ${retryable}`),
  );
}

const said = (): string[] => browser.socket.sent.filter(({ type }) => type === 'block' || type === 'unblock').map(({ type, user }) => `${type} ${user}`);

describe('blocking a user', () => {
  it('is told to the server, and done when that says so', async () => {
    await start();
    change('block', 'bob');
    await settle();
    expect(sent('block')).toMatchObject([{ user: 'bob' }]);
    expect(told).toEqual([]);
    receive({ type: 'blocked', user: 'bob' });
    change('unblock', 'bob');
    await settle();
    expect(sent('unblock')).toMatchObject([{ user: 'bob' }]);
    expect(told).toEqual(['block bob']);
    receive({ type: 'unblocked', user: 'bob' });
    await settle();
    expect(told).toEqual(['block bob', 'unblock bob']);
  });

  it('may be refused, with the words of the server, and the others go on', async () => {
    await start();
    for (const user of ['bob', 'carol', 'dave']) change('block', user);
    receive({ type: 'blocked', user: 'bob' });
    receive({ type: 'error', code: 'too_many_blocks', message: 'there are as many blocks as there may be', user: 'carol', ref: 2 });
    receive({ type: 'error', code: 'too_many_dials', message: 'wait a while', user: 'dave', ref: 3, retry_after_ms: 900 });
    await settle();
    expect(told).toEqual(['block bob', 'carol: there are as many blocks as there may be false', 'dave: wait a while true']);
  });

  it('asks the server nothing about a name that no user has', async () => {
    await start();
    for (const user of ['', 'a\nb', 'x'.repeat(129), 'é'.repeat(65)]) await expect(client.block(user)).rejects.toMatchObject({ code: 'error', retryable: false });
    await settle();
    expect(said()).toEqual([]);
    change('block', 'é'.repeat(64));
    await settle();
    expect(said()).toHaveLength(1);
  });

  it('is said again to a server that has forgotten the session, if it was not answered', async () => {
    await start();
    change('block', 'bob');
    change('block', 'carol');
    receive({ type: 'blocked', user: 'bob' });
    await settle();
    browser.socket.drop();
    client.dial('dave').end();
    restartNumbers();
    await open({ resumed: false });
    await settle();
    expect(said()).toEqual(['block carol']);
    receive({ type: 'blocked', user: 'carol' });
    await settle();
    expect(told).toEqual(['block bob', 'block carol']);
  });

  it('is given up with the client', async () => {
    await start();
    change('block', 'bob');
    client.close();
    await settle();
    expect(told).toEqual(['bob: The server cannot be reached. Check the network and try again. true']);
  });
});

describe('a dial to whom one has blocked', () => {
  it('ends as the server says', async () => {
    await start();
    const call = client.dial('bob');
    await settle();
    receive({ type: 'ended', call: call.id, reason: 'blocked', verdict: 'You have blocked this person. Unblock them, then call again.', retryable: false });
    expect(call.end_cause).toMatchObject({ code: 'blocked', verdict: 'You have blocked this person. Unblock them, then call again.' });
  });
});
