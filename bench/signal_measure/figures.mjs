// From runs to the table: what is a figure, what is its goal.

// A time that was never measured is null, which JavaScript would take for 0.
const difference = (one, other) => (one === null || other === null ? NaN : one - other);
const share = (part, whole) => (100 * part) / whole;

// `of` takes it from the result of a run; no number if that has none. A goal is our own server's.
export const figures = [
  { scenario: 'memory', name: 'memory a session', unit: 'KiB', digits: 1, of: run => run.kib_a_session, most: 20 },
  { scenario: 'memory', name: 'CPU with pings alone', unit: '% of a core', digits: 1, of: run => share(run.process_s, run.wall_s) },
  { scenario: 'rate', name: 'set-ups a second', unit: '', digits: 0, of: run => run.calls_per_s, least: 2000 },
  { scenario: 'rate', name: 'frames a second, both ways', unit: '', digits: 0, of: run => (run.frames_to_server + run.frames_from_server) / run.seconds },
  { scenario: 'rate', name: 'CPU a set-up', unit: 'µs', digits: 0, of: run => (1e6 * (run.core_s / run.wall_s) * run.seconds) / run.calls },
  { scenario: 'latency', name: 'set-ups a second', unit: '', digits: 0, of: run => run.calls_per_s },
  { scenario: 'latency', name: 'the server\'s core is busy', unit: '%', digits: 0, of: run => share(run.core_s, run.wall_s) },
  { scenario: 'latency', name: 'dial to ring, median', unit: 'ms', digits: 2, of: run => run.dial_to_incoming.p50_ms },
  { scenario: 'latency', name: 'dial to ring, p99', unit: 'ms', digits: 2, of: run => run.dial_to_incoming.p99_ms, most: 5 },
  { scenario: 'latency', name: 'dial to ringing heard, p99', unit: 'ms', digits: 2, of: run => run.dial_to_ringing.p99_ms },
  { scenario: 'latency', name: 'accept to accepted (PeerJS: answer), p99', unit: 'ms', digits: 2, of: run => run.accept_to_accepted.p99_ms },
  { scenario: 'slow', name: 'dial to ring without slow readers, p99', unit: 'ms', digits: 2, of: run => run.without.dial_to_incoming.p99_ms },
  { scenario: 'slow', name: 'dial to ring beside them, p99', unit: 'ms', digits: 2, of: run => run.beside.dial_to_incoming.p99_ms },
  { scenario: 'slow', name: 'growth', unit: 'ms', digits: 2, of: run => difference(run.beside.dial_to_incoming.p99_ms, run.without.dial_to_incoming.p99_ms), most: 5 },
  { scenario: 'slow', name: 'most memory a slow reader', unit: 'KiB', digits: 0, of: run => run.kib_a_reader, most: 1024 + 1088 },
  { scenario: 'slow', name: 'calls of slow readers that ended', unit: '', digits: 0, of: run => Object.values(run.slow.ends_in_call).reduce((sum, count) => sum + count, 0) },
  ...[1, 4, 16].flatMap(devices => [
    { scenario: `fan-out-${devices}`, name: 'dial to the last ring, median', unit: 'ms', digits: 2, of: run => run.last_ring.p50_ms },
    { scenario: `fan-out-${devices}`, name: 'dial to the last ring, p99', unit: 'ms', digits: 2, of: run => run.last_ring.p99_ms },
    { scenario: `fan-out-${devices}`, name: 'accept to the last device that it hears of it, p99', unit: 'ms', digits: 2, of: run => run.last_elsewhere.p99_ms },
  ]),
];

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// One row a figure and server; `runs` as [{scenario, server, result}].
export function rowsOf(runs) {
  const rows = [];
  for (const figure of figures) {
    for (const server of new Set(runs.map(run => run.server))) {
      const values = runs.filter(run => run.scenario === figure.scenario && run.server === server)
        .map(run => figure.of(run.result)).filter(value => Number.isFinite(value));
      if (values.length === 0) continue;
      const { scenario, name, unit, digits } = figure;
      const goal = server === 'offhook' ? { most: figure.most, least: figure.least } : {};
      rows.push({ scenario, name, unit, digits, server, median: median(values), min: Math.min(...values), max: Math.max(...values), ...goal });
    }
  }
  return rows;
}

export const misses = row => row.median > (row.most ?? Infinity) || row.median < (row.least ?? -Infinity);

const goalOf = row => (row.most !== undefined ? `at most ${row.most}` : row.least !== undefined ? `at least ${row.least}` : '');

export function markdown(rows) {
  const header = ['scenario', 'figure', 'server', 'median', 'min-max', 'goal'];
  const number = (row, value) => value.toFixed(row.digits);
  const lines = rows.map(row => [row.scenario, row.name, row.server, `${number(row, row.median)} ${row.unit}`.trim(),
    `${number(row, row.min)}-${number(row, row.max)}`, goalOf(row)]);
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map(line => line[column].length)));
  const print = cells => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [print(header), `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(print)].join('\n');
}
