import type { EndReason, RejectReason, ServerMessage } from './protocol.js';

export type { EndReason } from './protocol.js';

/** Why a call ended, or why the client cannot work: one cause, a sentence for the person, and whether to try again. */
export class CallError extends Error {
  override readonly name = 'CallError';

  constructor(
    /** One of the end reasons of docs/protocol.md, or `room_full`. */
    readonly code: EndReason,
    /** A sentence for the person. */
    readonly verdict: string = sentences[code].verdict,
    /** Whether dialling again can help. */
    readonly retryable: boolean = sentences[code].retryable,
  ) {
    super(verdict);
  }
}

interface Sentence {
  verdict: string;
  retryable: boolean;
}

/** What is said when the server has not said it. */
export const sentences: Readonly<Record<EndReason, Sentence>> = {
  hangup: { verdict: 'The call was ended.', retryable: false },
  canceled: { verdict: 'The call was given up before anybody answered.', retryable: false },
  declined: { verdict: 'The call was declined.', retryable: false },
  answered_elsewhere: { verdict: 'The call was answered on another device.', retryable: false },
  declined_elsewhere: { verdict: 'The call was declined on another device.', retryable: false },
  busy: { verdict: 'The other party is in another call. Try again later.', retryable: true },
  no_answer: { verdict: 'Nobody answered.', retryable: true },
  unreachable: { verdict: 'The other party is not signed in at the moment.', retryable: true },
  media_denied: { verdict: 'The microphone or camera could not be opened.', retryable: true },
  ice_failed: {
    verdict: 'No path was found between the two devices, neither direct nor through the relay. A firewall probably blocks the relay; try another network.',
    retryable: true,
  },
  ice_lost: { verdict: 'The path between the two devices was lost and did not come back.', retryable: true },
  signaling_lost: { verdict: 'The server cannot be reached. Check the network and try again.', retryable: true },
  credentials: { verdict: 'The server did not accept the sign-in, or gave no relay credentials. Sign in again.', retryable: false },
  blocked: { verdict: 'The server does not allow this.', retryable: false },
  server_shutdown: { verdict: 'The server was shut down.', retryable: true },
  room_full: { verdict: 'The room is full. Try again when somebody has left.', retryable: true },
  error: { verdict: 'Something went wrong in the call.', retryable: true },
};

/** What is said here when this side does not take a call. */
export const own_rejections: Readonly<Record<RejectReason, string | undefined>> = {
  declined: 'You declined the call.',
  busy: 'You were in another call.',
  media_denied: undefined,
};

/** Errors that say that the server has no such call of ours; the others concern one message of it. */
export const fatal_errors = ['self_call', 'too_many_calls', 'too_many_dials', 'bad_call_id', 'unknown_call', 'not_in_call'];

/** What the person is told when the server has refused a message of ours. */
export function refusal({ code, message, retry_after_ms }: ServerMessage & { type: 'error' }): CallError {
  if (code === 'room_full') return new CallError(code);
  if (code !== 'too_many_dials') return new CallError('error', message, false);
  const when = retry_after_ms === undefined ? 'in a while' : `in ${Math.ceil(retry_after_ms / 1000)} s`;
  return new CallError('error', `You have called too often in a short time. Try again ${when}.`, true);
}

/** The cause of an unknown failure, in a few words. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
