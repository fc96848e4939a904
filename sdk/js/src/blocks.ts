import { CallError } from './errors.js';
import type { ClientMessage, ServerMessage } from './protocol.js';

/** What a name may have, in bytes (docs/protocol.md). */
const max_user_bytes = 128;

type Change = ClientMessage & { type: 'block' | 'unblock' };

/** Changes of whom the user has blocked: each is told to the server until that has answered, which it does in their order. */
export class BlockChanges {
  readonly #send: (message: Change) => void;
  #waiting: { message: Change; settle: (error: CallError | null) => void }[] = [];

  constructor(send: (message: Change) => void) {
    this.#send = send;
  }

  /** Fulfilled once it is so at the server; rejected with a CallError if that refuses, or is given up. */
  make(type: Change['type'], user: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!/^[^\0-\x1f\x7f]+$/.test(user) || new TextEncoder().encode(user).length > max_user_bytes) {
        throw new CallError('error', 'No user has such a name.', false);
      }
      const message = { type, user };
      this.#waiting.push({ message, settle: (error) => (error ? reject(error) : resolve()) });
      this.#send(message);
    });
  }

  /** An answer about this user. */
  handleAnswer(message: ServerMessage & { user?: string }): void {
    const answered = this.#waiting.find((one) => one.message.user === message.user);
    this.#waiting = this.#waiting.filter((one) => one !== answered);
    answered?.settle(message.type === 'error' ? new CallError('error', message.message, message.retry_after_ms !== undefined) : null);
  }

  /** Without a cause another session has begun, which knows nothing of what was not answered. */
  handleSessionLost(cause: CallError | null): void {
    if (cause) for (const { settle } of this.#waiting.splice(0)) settle(cause);
    else for (const { message } of this.#waiting) this.#send(message);
  }
}
