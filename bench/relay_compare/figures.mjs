// From the generator's raw numbers to the figures of the table.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const spread = values => ({ median: median(values), min: Math.min(...values), max: Math.max(...values) });
const sum = (phases, field) => phases.reduce((total, phase) => total + phase[field], 0);

// Work of others on the server's core, or of the host, that makes a run worthless.
const disturbedShare = 0.05;
export function disturbed(run) {
  return run.phases.some(({ cpu }) => cpu.foreign_s + cpu.steal_s > disturbedShare * cpu.wall_s);
}

// One row for each load, direction and server slot; `runs` as [{slot, round, result}], warm-up round left out.
export function rowsOf(runs, slots) {
  const rows = [];
  const shapes = runs[0].result.phases.map(({ load, direction, rate_pps }) => ({ load, direction, rate_pps }));
  shapes.forEach((shape, index) => {
    for (const slot of slots) {
      const phases = runs.filter(run => run.slot === slot).map(run => run.result.phases[index]);
      rows.push({
        ...shape,
        server: slot,
        per_core_s: spread(phases.map(({ measured_received, cpu }) => measured_received / cpu.core_s)),
        per_process_s: spread(phases.map(({ measured_received, cpu }) => measured_received / cpu.process_s)),
        received_pps: spread(phases.map(({ measured_received, cpu }) => measured_received / cpu.wall_s)),
        delay_us: Object.fromEntries(['p50', 'p99', 'p999'].map(share => [share, median(phases.map(phase => phase.delay_us[share]))])),
        core_share: median(phases.map(({ cpu }) => cpu.core_s / cpu.wall_s)),
        user_share: median(phases.map(({ cpu }) => cpu.process_user_s / cpu.core_s)),
        sent: sum(phases, 'sent'),
        lost: sum(phases, 'lost'),
        duplicated: sum(phases, 'duplicated'),
        corrupted: sum(phases, 'corrupted'),
        misrouted: sum(phases, 'misrouted'),
        reordered: sum(phases, 'reordered'),
      });
    }
  });
  return rows;
}

// None of the kernel's forwarding, which needs none.
export function setUpsOf(runs, slots) {
  const resultsOf = slot => runs.filter(run => run.slot === slot).map(run => run.result);
  return slots.filter(slot => resultsOf(slot).every(result => result.set_up.wall_s > 0)).map(slot => {
    const results = resultsOf(slot);
    return {
      server: slot,
      per_wall_s: spread(results.map(result => result.allocations / result.set_up.wall_s)),
      cpu_us: spread(results.map(result => result.set_up.core_s / result.allocations * 1e6)),
      resident_bytes: spread(results.map(result => result.resident_bytes / result.allocations)),
    };
  });
}

// The last slot against each other one, row by row; the goal is measured on the core.
export function ratiosOf(rows, slots) {
  const last = slots[slots.length - 1];
  const of = slot => rows.filter(row => row.server === slot);
  return slots.slice(0, -1).flatMap(slot => of(slot).map((base, index) => ({
    load: base.load,
    rate_pps: base.rate_pps,
    direction: base.direction,
    of: last,
    to: slot,
    ratio: of(last)[index].per_core_s.median / base.per_core_s.median,
  })));
}

// What counts as relaying a rate. The generator offers less where its own core or full windows hold it up.
const lostAtMost = 0.005;
const offeredAtLeast = 0.99;

// The highest of the offered rates, in their order, up to which each server has lost next to nothing and received nearly all;
// 0: none. Empty for a single rate.
export function highestOf(rows, slots) {
  const rates = [...new Set(rows.filter(row => row.load === 'paced').map(row => row.rate_pps))].sort((a, b) => a - b);
  if (rates.length < 2) return [];
  const directions = [...new Set(rows.map(row => row.direction))];
  return slots.flatMap(server => directions.map(direction => {
    const holds = rate => rows.some(row => row.server === server && row.direction === direction && row.rate_pps === rate &&
      row.load === 'paced' && row.lost <= lostAtMost * row.sent && row.received_pps.median >= offeredAtLeast * rate);
    const broken = rates.findIndex(rate => !holds(rate));
    return { server, direction, rate_pps: broken === -1 ? rates.at(-1) : rates[broken - 1] ?? 0, all: broken === -1 };
  }));
}

export const thousands = value => (value / 1000).toFixed(0);
const range = ({ min, max }) => `${thousands(min)}-${thousands(max)}`;
const percent = value => `${(value * 100).toFixed(0)} %`;

export function table(header, lines) {
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map(line => line[column].length)));
  const print = cells => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [print(header), `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(print)].join('\n');
}

const arrow = { up: 'up (ChannelData to UDP)', down: 'down (UDP to ChannelData)', across: 'across (ChannelData to ChannelData)', both: 'both ways' };
export const loadOf = row => (row.load === 'paced' ? `${thousands(row.rate_pps)} kpps` : 'saturated');

// At saturation it is the packets that the generator has under way, and says nothing of the server.
const delayOf = ({ load, delay_us }) =>
  (load === 'paced' ? [delay_us.p50, delay_us.p99, delay_us.p999].map(value => value.toFixed(0)).join(' / ') : '–');

export function markdown(rows, setUps, ratios, highest) {
  const header = ['load', 'direction', 'server', 'k packets / CPU-s', 'min-max', 'process only', 'received kpps',
    'core busy', 'delay p50/p99/p99.9 µs', 'lost', 'dup/corrupt/misrouted'];
  const lines = rows.map(row => [loadOf(row), arrow[row.direction], row.server, thousands(row.per_core_s.median),
    range(row.per_core_s), thousands(row.per_process_s.median), thousands(row.received_pps.median),
    percent(row.core_share), delayOf(row), `${(row.lost / row.sent * 100).toFixed(3)} %`,
    `${row.duplicated}/${row.corrupted}/${row.misrouted}`]);
  const parts = [table(header, lines), table(['server', 'allocations / s', 'CPU µs each', 'resident KiB each'], setUps.map(setUp => [
    setUp.server, setUp.per_wall_s.median.toFixed(0), setUp.cpu_us.median.toFixed(0), (setUp.resident_bytes.median / 1024).toFixed(1)]))];
  if (highest.length > 0) {
    parts.push(table(['highest rate with less than 0.5 % lost', 'server', 'kpps offered'], highest.map(each => [
      arrow[each.direction], each.server, `${thousands(each.rate_pps)}${each.all ? ' (the highest tried)' : ''}`])));
  }
  if (ratios.length > 0) {
    parts.push(table(['load', 'direction', 'ratio of', 'times'],
      ratios.map(ratio => [loadOf(ratio), arrow[ratio.direction], `${ratio.of} / ${ratio.to}`, ratio.ratio.toFixed(2)])));
  }
  return parts.join('\n\n');
}

const labelStep = 14;
export const colours = ['#8a8f98', '#1769e0', '#2a9d5c', '#c2571a'];

// Packets per CPU-second at saturation over the number of allocations, a line for each server and direction, as one SVG file.
export function curve(parts, slots) {
  const saturated = parts.flatMap(({ allocations, rows }) =>
    rows.filter(row => row.load === 'saturated').map(row => ({ ...row, allocations })));
  const counts = parts.map(part => part.allocations).sort((a, b) => a - b);
  const most = Math.max(...saturated.map(row => row.per_core_s.max));
  const [left, top, width, height] = [70, 50, 480, 260];
  const [from, to] = [Math.log(counts[0]), Math.log(counts.at(-1))];
  const x = count => (left + (Math.log(count) - from) / (to - from) * width).toFixed(1);
  const y = value => (top + height - value / most * height).toFixed(1);
  const directions = [...new Set(saturated.map(row => row.direction))];
  const labels = [];
  const lines = slots.flatMap((slot, index) => directions.map((direction, which) => {
    const points = saturated.filter(row => row.server === slot && row.direction === direction)
      .sort((a, b) => a.allocations - b.allocations);
    const path = points.map(row => `${x(row.allocations)} ${y(row.per_core_s.median)}`).join('L');
    const colour = colours[index % colours.length];
    labels.push({ text: `${slot}, ${direction}`, colour, at: Number(y(points.at(-1).per_core_s.median)) + 4 });
    return `<path d="M${path}" stroke="${colour}" stroke-width="2" fill="none"${which > 0 ? ' stroke-dasharray="5 4"' : ''}/>`;
  }));
  // Those that would stand on each other move down.
  labels.sort((a, b) => a.at - b.at).forEach((label, index) => {
    if (index > 0) label.at = Math.max(label.at, labels[index - 1].at + labelStep);
  });
  const names = labels.map(({ text, colour, at }) => `<text x="${left + width + 8}" y="${at.toFixed(1)}" fill="${colour}">${text}</text>`);
  const scale = counts.map(count => `<text x="${x(count)}" y="${top + height + 18}" text-anchor="middle">${count}</text>`);
  const steps = [0, 0.25, 0.5, 0.75, 1].map(share => `<text x="${left - 8}" y="${Number(y(share * most)) + 4}" text-anchor="end">${thousands(share * most)} k</text>
<path d="M${left} ${y(share * most)}h${width}" stroke="#ddd"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${top + height + 50}" font-family="sans-serif" font-size="12">
<rect width="760" height="${top + height + 50}" fill="#fff"/>
<text x="16" y="22" font-size="14">Packets relayed per server CPU-second at saturation, over the number of allocations (medians)</text>
${[...steps, ...scale, ...lines, ...names].join('\n')}
</svg>
`;
}

// Bars of the medians with whiskers from least to most, as one SVG file.
export function svg(rows, slots) {
  const most = Math.max(...rows.map(row => row.per_core_s.max));
  const [left, width, step] = [250, 420, 24];
  const x = value => (left + value / most * width).toFixed(1);
  const bars = rows.map((row, index) => {
    const y = 40 + index * step + Math.floor(index / slots.length) * 10;
    const { median: middle, min, max } = row.per_core_s;
    const colour = colours[slots.indexOf(row.server) % colours.length];
    return `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${loadOf(row)}, ${row.direction}, ${row.server}</text>
<rect x="${left}" y="${y}" width="${(x(middle) - left).toFixed(1)}" height="17" fill="${colour}"/>
<path d="M${x(min)} ${y + 8.5}H${x(max)}M${x(min)} ${y + 5}v7M${x(max)} ${y + 5}v7" stroke="#222" fill="none"/>
<text x="${Number(x(max)) + 8}" y="${y + 13}">${thousands(middle)} k</text>`;
  });
  const height = 60 + rows.length * step + rows.length / slots.length * 10;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${height}" font-family="sans-serif" font-size="12">
<rect width="760" height="${height}" fill="#fff"/>
<text x="16" y="22" font-size="14">Packets relayed per server CPU-second (median, least to most)</text>
${bars.join('\n')}
</svg>
`;
}
