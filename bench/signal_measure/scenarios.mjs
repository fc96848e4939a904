// What is done to a server that has just started, and what is measured of it. Each gives the result of one run.
import { mostSessions, spread } from './load.mjs';

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

// Sessions that only ping: memory before and after, CPU while they do.
async function memory(server, generators, { sessions, openFiles, hold }) {
  const count = Math.min(sessions, mostSessions(openFiles));
  const before = server.memory().now;
  const running = spread(count, openFiles).map(share => generators.start(server, { scenario: 'idle', slow: 0, ...share }));
  try {
    await Promise.all(running.map(one => one.connected));
    const [cpu, began] = [server.cpu(), performance.now()];
    await pause(hold * 1000);
    const [after, used, ended] = [server.memory().now, server.cpu(), performance.now()];
    return { sessions: count, kib_before: before, kib_after: after, kib_a_session: (after - before) / count, wall_s: (ended - began) / 1000,
      process_s: used.process_s - cpu.process_s, core_s: used.core_s - cpu.core_s };
  } finally {
    for (const one of running) one.end();
    await Promise.all(running.map(one => one.done));
  }
}

const generate = (server, generators, flags) => generators.start(server, flags).done;

async function slow(server, generators, plan) {
  const before = server.memory().now;
  const result = await generate(server, generators, { scenario: 'slow', sessions: 1000, rate: plan.slowRate, seconds: plan.seconds, slow: plan.slow });
  const { peak, now } = server.memory();
  return { ...result, kib_before: before, kib_peak: peak, kib_after: now, kib_a_reader: (peak - before) / plan.slow };
}

const fanOut = devices => ({
  servers: ['offhook'],
  run: (server, generators) => generate(server, generators, { scenario: 'fan-out', devices, calls: 400 }),
});

// `flags` are the server's. Without `servers`: all.
export const scenarios = {
  memory: { run: memory },
  rate: {
    disturbable: true,
    run: (server, generators, plan) => generate(server, generators,
      { scenario: 'calls', sessions: plan.callers, window: plan.window, seconds: plan.seconds, slow: 0 }),
  },
  latency: {
    disturbable: true,
    run: (server, generators, plan) => generate(server, generators,
      { scenario: 'calls', sessions: plan.callers, rate: plan.rate, seconds: plan.seconds, slow: 0 }),
  },
  // Candidates of devices that only ring pass at once, so that slow readers are sent them as well.
  slow: { servers: ['offhook'], flags: ['--warm-path', 'direct'], run: slow },
  'fan-out-1': fanOut(1),
  'fan-out-4': fanOut(4),
  'fan-out-16': fanOut(16),
};
