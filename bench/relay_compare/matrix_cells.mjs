// The cells of the matrix: with which flags bench/relay measures each, what is asked of it, and what came of it.

// What coturn relays at most, packets a second, on the two cores where the rates were chosen; 20 % and 80 % of it are among them.
const coturnMost = { udp: 140000, tcp: 80000, tls: 80000 };

const goal = { saturated: 1.5, bursts: 2.3, at_100000: 2, stream: 2, frames: 10, forwarding: 1.9 };
const setUpGoals = { per_wall_s: { least: 20000 }, cpu_us: { most: 40 }, resident_bytes: { most: 2048 } };
// Below this many, set-up is over within a few ticks of the kernel's CPU clock.
const allocationsForSetUp = 1000;

const modeNames = { 'relay-to-relay': 'relay to relay', calls: 'both ways at once' };
const transportNames = { udp: 'UDP', tcp: 'TCP', tls: 'TLS' };

// `goals`: times coturn, by load; `every` stands for all loads. `beside`: times the kernel's forwarding.
function cell(name, flags, goals, beside = {}) {
  const all = { transport: 'udp', payload: 172, allocations: 1000, burst: 1, ...flags };
  const what = [`${transportNames[all.transport]} clients`, `${all.payload} bytes`, all.burst > 1 ? `bursts of ${all.burst}${all.merged ? ', merged by the network card' : ''}` : '',
    `${all.allocations} allocation${all.allocations > 1 ? 's' : ''}`, modeNames[all.mode] ?? '',
    all.frames ? 'the fast path' : ''];
  return { name, flags: all, goals, beside, what: what.filter(part => part).join(', ') };
}

const payloads = [172, 1100];

export const cells = [
  ...payloads.map(payload => cell(`udp-${payload}`, { payload, rate: [28000, 60000, 100000, 112000] },
    { saturated: goal.saturated, 100000: goal.at_100000 })),
  ...payloads.map(payload => cell(`udp-${payload}-burst`, { payload, burst: 16, rate: [28000, 112000] }, { saturated: goal.bursts })),
  ...payloads.map(payload => cell(`udp-${payload}-merged`, { payload, burst: 16, merged: true, rate: [28000, 112000] }, { saturated: goal.bursts })),
  ...['tcp', 'tls'].flatMap(transport => payloads.map(payload =>
    cell(`${transport}-${payload}`, { transport, payload, rate: [16000, 30000, 64000] }, { every: goal.stream }))),
  ...['tcp', 'tls'].flatMap(transport => payloads.map(payload =>
    cell(`${transport}-${payload}-merged`, { transport, payload, burst: 16, merged: true, rate: [30000, 64000] }, { every: goal.stream }))),
  cell('udp-172-calls', { mode: 'calls', rate: [60000] }, { saturated: goal.saturated }),
  ...['tcp', 'tls'].map(transport => cell(`${transport}-172-calls`, { transport, mode: 'calls', rate: [30000, 64000] }, { every: goal.stream })),
  ...[1, 10, 100, 10000].map(allocations => cell(`udp-172-of-${allocations}`, { allocations, rate: [60000] }, { saturated: goal.saturated })),
  cell('relay-to-relay', { mode: 'relay-to-relay', rate: [60000] }, { saturated: goal.saturated }),
  ...payloads.map(payload => cell(`fast-path-${payload}`,
    { payload, allocations: 2000, frames: true, server: ['coturn', 'nat', 'offhook-xdp'], rate: [100000] },
    { saturated: goal.frames }, { saturated: goal.forwarding })),
];

// bench/relay's flags for a cell. `passed` are those that all cells share.
export function argumentsOf({ flags }, passed) {
  return Object.entries({ ...flags, ...passed }).flatMap(([flag, value]) => (value === true ? [`--${flag}`] : [`--${flag}`, String(value)]));
}

// Of a measurement: 0.5 s of load before it and what is under way after it; of a run: a fresh server and its allocations.
const aroundMeasurement_s = 0.7;
const aroundRun_s = 0.6;
const allocationsPerSecond = 5000;

// Up and down are measured one after the other; other modes have one of their own.
const directionsOf = flags => (flags.mode === undefined ? 2 : 1);

// How long it takes if nobody disturbs it.
export function expectedSeconds({ flags }, { rounds, seconds }) {
  const run_s = (flags.rate.length + 1) * directionsOf(flags) * (seconds + aroundMeasurement_s) + aroundRun_s + flags.allocations / allocationsPerSecond;
  return (flags.server?.length ?? 2) * rounds * run_s;
}

const goalFor = (goals, { load, rate_pps }) => goals[load === 'saturated' ? load : rate_pps] ?? goals.every ?? null;
const holds = (value, asked) => (asked === null ? null : value >= asked);

function sideOf({ per_core_s, received_pps, delay_us, core_share, lost, sent }) {
  return { per_core_s, received_pps: received_pps.median, core_share, delay_us, lost_share: lost / sent };
}

// What the matrix keeps of a cell's relay.json; an Error if that is not complete.
export function resultOf(cell, relay) {
  const part = relay?.parts?.[0];
  if (relay?.parts?.length !== 1 || !(part.rows?.length > 0) || !Array.isArray(part.setUps)) throw new Error('its relay.json is not complete');
  const untimed = part.rows.find(row => !Number.isFinite(row.per_core_s?.median) || !(row.per_core_s.median > 0));
  if (untimed) throw new Error(`no CPU time or no packet of ${untimed.server} was measured, ${untimed.load} ${untimed.direction}; more --seconds help`);
  const of = kind => part.rows.filter(row => row.server.split('-')[0] === kind);
  const [coturn, nat, offhook] = [of('coturn'), of('nat'), of('offhook')];
  const measurements = (cell.flags.rate.length + 1) * directionsOf(cell.flags);
  if (coturn.length !== measurements || offhook.length !== measurements) throw new Error('its relay.json has not all measurements');
  const lines = offhook.map((row, index) => {
    const [ours, theirs, forwarding] = [row, coturn[index], nat[index]].map(each => each?.per_core_s);
    const times = ours.median / theirs.median;
    const asked = goalFor(cell.goals, row);
    const askedBeside = forwarding ? goalFor(cell.beside, row) : null;
    const timesForwarding = forwarding ? ours.median / forwarding.median : null;
    return {
      load: row.load, rate_pps: row.rate_pps, direction: row.direction,
      share_of_coturn_most: row.load === 'paced' ? row.rate_pps / coturnMost[cell.flags.transport] : null,
      times, times_least: ours.min / theirs.max, times_most: ours.max / theirs.min, goal: asked, holds: holds(times, asked),
      coturn: sideOf(coturn[index]), offhook: sideOf(row),
      ...(forwarding ? { forwarding: sideOf(nat[index]), times_forwarding: timesForwarding, goal_forwarding: askedBeside, holds_forwarding: holds(timesForwarding, askedBeside) } : {}),
    };
  });
  const faults = part.rows.reduce((sum, row) => sum + row.duplicated + row.corrupted + row.misrouted, 0);
  return { machine: relay.machine, lines, set_ups: setUpsOf(cell, part.setUps), faults, disturbed_runs: part.disturbedRuns, runs: part.all, noisy: part.disturbedRuns > 0 && !part.enough };
}

// No goal where a connection and its handshake are in it.
function setUpsOf({ flags }, setUps) {
  if (flags.allocations < allocationsForSetUp) return [];
  const asked = flags.transport === 'udp' ? setUpGoals : {};
  return setUps.map(setUp => ({
    server: setUp.server.split('-')[0],
    ...Object.fromEntries(['per_wall_s', 'cpu_us', 'resident_bytes'].map(field => {
      const { least = null, most = null } = setUp.server.startsWith('offhook') ? asked[field] ?? {} : {};
      const value = setUp[field].median;
      const good = least === null && most === null ? null : value >= (least ?? -Infinity) && value <= (most ?? Infinity);
      return [field, { median: value, least, most, holds: good }];
    })),
  }));
}

// Of all that has a goal, whether it holds.
export function verdictsOf(result) {
  return [...result.lines.flatMap(line => [line.holds, line.holds_forwarding ?? null]),
    ...result.set_ups.flatMap(setUp => [setUp.per_wall_s.holds, setUp.cpu_us.holds, setUp.resident_bytes.holds])].filter(holds => holds !== null);
}
