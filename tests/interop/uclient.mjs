// Debian's turnutils_uclient: one run of it, and what it printed.

import { runToEnd } from '../e2e/processes.mjs';

export const tool = 'turnutils_uclient';

/** Runs the tool with `args` and reads its totals. Fields that it did not print are null. */
export async function runUclient(args, { log, limit_ms }) {
  const run = await runToEnd(tool, args, { log, limit_ms });
  const totals = /tot_send_msgs=(\d+), tot_recv_msgs=(\d+)\s*$/m.exec(lastOf(run.printed, /start_mclient: tot_send_msgs=.*$/gm));
  const lost = /Total lost packets (\d+) .*total send dropped (\d+)/.exec(run.printed);
  return {
    ...run,
    sent: totals && Number(totals[1]),
    received: totals && Number(totals[2]),
    lost: lost && Number(lost[1]),
    dropped: lost && Number(lost[2]),
    errors: run.printed.split('\n').filter((line) => /error/i.test(line)),
  };
}

function lastOf(text, pattern) {
  return [...text.matchAll(pattern)].at(-1)?.[0] ?? '';
}

/** What is wrong with a run that has to pass `sends` messages without loss, and none of whose requests is refused. */
export function lossOf(run, sends, tolerated) {
  if (run.timed_out) return 'it did not end in time';
  if (run.error) return `it did not start: ${run.error.message}`;
  if (run.code !== 0) return `exit status ${run.code}: ${run.errors[0] ?? ''}`;
  const refused = run.errors.find((line) => !tolerated?.test(line));
  if (refused) return refused;
  if (run.sent !== sends) return `${run.sent} messages sent, expected ${sends}`;
  if (run.received !== run.sent) return `${run.sent} sent, ${run.received} received`;
  if (run.lost !== 0 || run.dropped !== 0) return `${run.lost} lost, ${run.dropped} not sent`;
  return null;
}

/**
 * The same for a run by TLS of the tool's own, where it loses messages, with coturn's server as well: all are sent, no
 * request is refused, and a good part comes back.
 */
export function lossByTlsOf(run, sends, tolerated) {
  if (run.timed_out) return 'it did not end in time';
  if (run.error) return `it did not start: ${run.error.message}`;
  if (run.code !== 0) return `exit status ${run.code}: ${run.errors[0] ?? ''}`;
  const refused = run.errors.find((line) => !tolerated.test(line));
  if (refused) return refused;
  if (run.sent !== sends) return `${run.sent} messages sent, expected ${sends}`;
  return run.received > sends / 4 ? null : `${run.sent} sent, ${run.received} received`;
}

/** What is wrong with a run that has to be refused with a line that matches `refusal`. */
export function acceptanceOf(run, refusal) {
  if (run.timed_out) return 'it did not end in time';
  if (run.error) return `it did not start: ${run.error.message}`;
  if (run.received) return `${run.received} messages came through`;
  if (run.code === 0) return 'exit status 0';
  if (!refusal.test(run.printed)) return `no line matches ${refusal}: ${run.errors[0] ?? run.printed.trimEnd().split('\n').at(-1)}`;
  return null;
}
