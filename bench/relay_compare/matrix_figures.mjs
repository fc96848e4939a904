// The matrix as tables. `finished`: cells with what came of them, in their order.
import { loadOf, table, thousands } from './figures.mjs';

export const shares = [0.2, 0.8];
// Which of them was meant, where the rates were chosen.
export const shareOf = line => shares.find(share => line.load === 'paced' && Math.abs(share - line.share_of_coturn_most) < 1e-9) ?? null;
const percent = share => `${(share * 100).toFixed(0)} %`;
// Of what coturn relays at saturation the same way in the same cell: machines differ twofold.
const shareHere = line => line.rate_pps / line.cell.lines.find(other => other.load === 'saturated' && other.direction === line.direction).coturn.received_pps;
const loadWithShare = line => loadOf(line) + (line.load === 'paced' ? ` (${percent(shareHere(line))})` : '');
const verdict = holds => (holds === null ? '–' : holds ? 'yes' : '**no**');
const asked = goal => (goal === null ? '–' : String(goal));
const noisy = cell => (cell.noisy ? ' (noisy)' : '');
export const linesOf = finished => finished.flatMap(cell => cell.lines.map(line => ({ ...line, cell })));

// Whole microseconds say enough.
const delays = ({ delay_us }) => [delay_us.p50, delay_us.p99, delay_us.p999].map(value => value.toFixed(0)).join(' / ');
const lost = ({ lost_share }) => `${(lost_share * 100).toFixed(2)} %`;

function timesTable(lines) {
  return table(['cell', 'load', 'direction', 'coturn', 'offhook', 'times coturn', 'goal', 'holds'], lines.map(line => [
    line.cell.name + noisy(line.cell), loadWithShare(line), line.direction, thousands(line.coturn.per_core_s.median),
    thousands(line.offhook.per_core_s.median), line.times.toFixed(2), asked(line.goal), verdict(line.holds)]));
}

function delayTable(lines) {
  return table(['cell', 'load', 'direction', 'coturn p50 / p99 / p99.9 µs', 'offhook p50 / p99 / p99.9 µs', 'kpps arrived, coturn / offhook',
    'lost, coturn / offhook'], lines.map(line => [line.cell.name + noisy(line.cell), loadWithShare(line), line.direction, delays(line.coturn), delays(line.offhook),
    [line.coturn, line.offhook].map(side => (side.received_pps / 1000).toFixed(1)).join(' / '), [line.coturn, line.offhook].map(lost).join(' / ')]));
}

function setUpTable(finished) {
  const scaled = { per_wall_s: [1, 0], cpu_us: [1, 0], resident_bytes: [1024, 1] };
  const cellOf = (setUp, field) => {
    const { median, least, most, holds } = setUp[field];
    const [unit, digits] = scaled[field];
    const goal = least ?? most;
    return (median / unit).toFixed(digits) + (holds === null ? '' : ` (${least === null ? 'at most' : 'at least'} ${goal / unit}: ${verdict(holds)})`);
  };
  return table(['cell', 'server', 'allocations / s (goal)', 'CPU µs each (goal)', 'resident KiB each (goal)'], finished.flatMap(cell => cell.set_ups.map(setUp =>
    [cell.name + noisy(cell), setUp.server, ...Object.keys(scaled).map(field => cellOf(setUp, field))])));
}

function forwardingTable(lines) {
  return table(['cell', 'load', 'direction', 'forwarding with NAT', 'offhook', 'times forwarding', 'goal', 'holds'], lines.map(line => [
    line.cell.name + noisy(line.cell), loadOf(line), line.direction, thousands(line.forwarding.per_core_s.median), thousands(line.offhook.per_core_s.median),
    line.times_forwarding.toFixed(2), asked(line.goal_forwarding), verdict(line.holds_forwarding)]));
}

// `about`: { machine, rounds, seconds, remarks, failed, missing }
export function markdown(finished, about) {
  const lines = linesOf(finished);
  const paced = lines.filter(line => line.load === 'paced');
  const beside = lines.filter(line => line.forwarding);
  const measured = `${about.rounds} rounds, of which the first is dropped, ${about.seconds} s a measurement`;
  const parts = ['# offhook beside coturn', `${about.machine}; ${measured}.`];
  if (lines.length > 0) {
    parts.push('Thousands of packets relayed per CPU-second of the server, kernel work included, medians. '
      + 'In brackets: of what coturn relays when it is saturated, the same way and in the same cell.', timesTable(lines));
  }
  if (paced.length > 0) parts.push('Added delay at a fixed rate, of the packets that arrived:', delayTable(paced));
  if (finished.some(cell => cell.set_ups.length > 0)) {
    parts.push('Set-up with ChannelBind and one 401 each, a connection and its handshake included by TCP and TLS, which have no goal:', setUpTable(finished));
  }
  if (beside.length > 0) parts.push('The fast path beside the kernel\'s own forwarding:', forwardingTable(beside));
  parts.push(...about.remarks);
  if (about.failed.length > 0) parts.push(`Failed:\n\n${about.failed.map(({ name, why }) => `- ${name}: ${why.split('\n')[0]} (${name}/relay.log)`).join('\n')}`);
  if (about.missing.length > 0) parts.push(`Not measured: ${about.missing.join(', ')}.`);
  return `${parts.join('\n\n')}\n`;
}
