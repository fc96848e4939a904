// The report as one page of HTML that needs nothing else.

import { atOnce, pathOf } from './figures.mjs';
import { distribution } from './plots.mjs';
import { groupBy, timed } from './statistics.mjs';

const style = `
body{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;margin:2rem auto;max-width:1640px;padding:0 1rem;color:#1c2430}
h1{font-size:1.6rem;margin:0}h2{margin-top:2.4rem;font-size:1.2rem;border-bottom:2px solid #0b6bcb}h3{font-size:1rem;margin:.4rem 0}
table{border-collapse:collapse;font-size:.86rem;margin:.6rem 0}th,td{padding:.25rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid #dde3ea}
th:first-child,td:first-child{text-align:left}th{background:#f2f5f9;vertical-align:bottom}td:last-child,th:last-child{text-align:left;white-space:normal;min-width:9rem}.wide{overflow-x:auto}
.good{color:#176b3a;font-weight:600}.bad{color:#b3261e;font-weight:600}.none{color:#7a8594}
.head{display:flex;gap:1.2rem;flex-wrap:wrap;margin:1rem 0}.head div{background:#f2f5f9;border-radius:8px;padding:.7rem 1.1rem}.head b{display:block;font-size:1.5rem}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(440px,1fr));gap:1rem}.plots>div{border:1px solid #dde3ea;border-radius:8px;padding:.6rem}
svg{width:100%}.grid{stroke:#e6ebf1}text{font-size:11px;fill:#5a6676}text.left{text-anchor:end}text.under{text-anchor:middle}
.keys{margin:.2rem 0 0;font-size:.8rem}.keys span{margin-right:1rem;white-space:nowrap}.keys i{display:inline-block;width:12px;height:12px;margin-right:5px;border-radius:3px}
code{background:#f2f5f9;padding:.1rem .3rem;border-radius:4px}p.note{color:#5a6676;font-size:.86rem}`;

const escaped = (text) => String(text ?? '').replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const ms = (value) => (value === null || value === undefined ? '<span class="none">–</span>' : Math.round(value));
const percent = (share, digits = 2) => `${(Math.floor(share * 100 * 10 ** digits) / 10 ** digits).toFixed(digits)} %`;

function table(heads, rows) {
  if (rows.length === 0) return '<p class="none">none in this run</p>';
  const cells = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  return `<div class="wide"><table><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr>${cells.join('')}</table></div>`;
}

const three = ({ n, p50, p95, p99 }) => (n === 0 ? ms(null) : [p50, p95, p99].map(ms).join(' / '));
const attempts = ({ successes, calls }) => `<span class="${successes === calls ? 'good' : 'bad'}">${successes} / ${calls}</span>`;
const pathsInWords = (paths) => Object.entries(paths).sort(([, one], [, other]) => other - one).map(([name, count]) => `${escaped(name)} ${count}`).join(', ');

const heads = ['', 'first attempt', 'at least (95 %)', 'audio at caller<br>p50 / p95 / p99', 'audio at callee<br>p50 / p95 / p99', 'video at caller', 'video at callee', 'dial → callee rings', 'dial → caller hears it', 'paths'];
const line = (name, one) => [
  escaped(name),
  attempts(one),
  one.calls === 0 ? '' : percent(one.bound),
  three(one.times.accept_to_audio.caller),
  three(one.times.accept_to_audio.callee),
  three(one.times.accept_to_video.caller),
  three(one.times.accept_to_video.callee),
  three(one.times.dial_to_rung),
  three(one.times.dial_to_ringing),
  pathsInWords(one.paths),
];

const section = (title, body, note = '') => `<h2>${title}</h2>${note && `<p class="note">${note}</p>`}${body}`;
const linesOf = (groups) => table(heads, Object.entries(groups).map(([name, one]) => line(name, one)));

function headline({ first_attempt, media_before_accept, saturated, not_run }) {
  const lacking = Object.values(not_run).reduce((sum, count) => sum + count, 0);
  const boxes = [
    [attempts(first_attempt), `calls connected at the first attempt, so at least ${percent(first_attempt.bound, 3)} (95 %)`],
    [media_before_accept, 'calls with media before the answer'],
    [saturated, 'calls while the processors were full (counted, not timed)'],
    [lacking, 'not run'],
  ];
  return `<div class="head">${boxes.map(([value, words]) => `<div><b>${value}</b>${words}</div>`).join('')}</div>`;
}

function theorySection({ theory }) {
  const rows = theory.map((one) => [
    `${one.scenario}: ${one.what}`, one.n, one.rtt_ms, ms(one.p50), ms(one.p99), one.round_trips ?? '', ms(one.least_ms), ms(one.limit_ms), one.holds ? '<span class="good">holds</span>' : '<span class="bad">above</span>',
  ]);
  const note = 'R is the round trip between the two clients over the emulated links. Warm, the least is half of R for the caller and R for the callee; without the warm path about four R. The limit adds what browsers take.';
  return section('Accept → first audio against the round trips', table(['', 'calls', 'R, ms', 'p50', 'p99', 'p50 in R', 'least', 'limit of p50', ''], rows), note);
}

function worstSection({ worst }) {
  const rows = worst.map(({ what, limit_ms, caller, callee, holds }) => [what, caller.n, three(caller), three(callee), ms(caller.most), limit_ms, holds ? '<span class="good">holds</span>' : '<span class="bad">above</span>']);
  const note = 'Over all networks, warm calls and those that were answered in the moment they rang; nothing but the links is at fault.';
  return section('The slowest calls', table(['', 'calls', 'audio at caller<br>p50 / p95 / p99', 'audio at callee<br>p50 / p95 / p99', 'slowest at caller', 'limit of p99', ''], rows), note);
}

function ratiosTable({ ratios }) {
  const times = (ratio) => (ratio === null ? '' : `${ratio} ×`);
  const rows = ratios.map(({ variant, product, successes, calls, caller, callee, silence_ms, caller_ratio, callee_ratio, silence_ratio }) => [
    `${escaped(variant)}: ${escaped(product)}`, attempts({ successes, calls }), ms(caller), times(caller_ratio), ms(callee), times(callee_ratio), ms(silence_ms), times(silence_ratio),
  ]);
  return table(['', 'succeeded', 'audio at caller, p50', 'to ours', 'audio at callee, p50', 'to ours', 'silence of the hand-over, p50', 'to ours'], rows);
}

function besideSection(report, rows) {
  const { beside } = report;
  const own = timed(rows).filter((row) => row.scenario === 'baselines');
  const products = [...new Set(own.map(({ product }) => product))];
  const plots = [...groupBy(own, ({ variant }) => variant)].map(([variant, group]) => {
    const values = (side) => products.map((product) => ({ name: product, values: group.filter((row) => row.product === product).map(({ times }) => times.accept_to_audio[side]) }));
    return ['caller', 'callee'].map((side) => `<div><h3>${escaped(variant)}: accept → audio at the ${side}</h3>${distribution(values(side))}</div>`).join('');
  });
  const tables = Object.entries(beside).flatMap(([name, group]) => Object.entries(group).map(([product, one]) => line(`${name}: ${product}`, one)));
  const note = 'Same networks, same links, same ringing, same witness, by turns. The others use Debian’s coturn, and have their devices open before they dial.';
  return section('Beside the others', `${ratiosTable(report)}${table(heads, tables)}<div class="plots">${plots.join('')}</div>`, note);
}

function plotsSection(rows) {
  const ours = timed(rows).filter((row) => row.product === 'offhook' && !atOnce(row));
  const matrix = ours.filter(({ scenario }) => scenario === 'matrix');
  const bySeries = (group, keyOf, pick) => [...groupBy(group, keyOf)].map(([name, calls]) => ({ name, values: calls.map(({ times }) => pick(times)) }));
  const losses = ours.filter(({ scenario }) => /^loss-/.test(scenario));
  const plots = [
    ['Matrix: accept → audio at the caller, by network', bySeries(matrix, ({ network_class }) => network_class, (times) => times.accept_to_audio.caller)],
    ['Matrix: accept → audio at the callee, by network', bySeries(matrix, ({ network_class }) => network_class, (times) => times.accept_to_audio.callee)],
    ['Matrix: by path, at the caller', bySeries(matrix, pathOf, (times) => times.accept_to_audio.caller)],
    ['Matrix: dial → callee rings', bySeries(matrix, ({ network_class }) => network_class, (times) => times.dial_to_rung)],
    ['Loss: accept → audio at the caller', bySeries(losses, ({ scenario }) => scenario, (times) => times.accept_to_audio.caller)],
    ['Loss: accept → audio at the callee', bySeries(losses, ({ scenario }) => scenario, (times) => times.accept_to_audio.callee)],
  ];
  return `<div class="plots">${plots.map(([title, series]) => `<div><h3>${title}</h3>${distribution(series)}</div>`).join('')}</div>`;
}

function handoverSection({ handovers }) {
  const rows = Object.entries(handovers).map(([name, { recovery_ms, longest_silence_ms }]) => [escaped(name), recovery_ms.n, three(recovery_ms), three(longest_silence_ms)]);
  return section('Hand-over', table(['', 'calls', 'new address up → sound at both again, ms<br>p50 / p95 / p99', 'longest silence, ms<br>p50 / p95 / p99'], rows));
}

function restrictedSection({ restricted }) {
  const rows = restricted.map(({ network_class, n, p50, udp_relay_p50, ratio }) => [network_class, n, ms(p50), ms(udp_relay_p50), ratio ?? '']);
  return section('Clients without UDP beside the UDP relay', table(['', 'calls', 'accept → audio, p50', 'over the UDP relay, p50', 'ratio'], rows), 'Without the round trips of TCP and TLS, which happen before anybody dials.');
}

function failureSection({ failures, not_run }) {
  const failed = failures.map(({ cell, repetition, promised, where, reason }) => [escaped(cell), repetition, promised ? 'yes' : 'no', escaped(where), escaped(reason)]);
  const lacking = Object.entries(not_run).map(([reason, count]) => [escaped(reason), count]);
  return section('Failed', table(['', 'repetition', 'promised', 'while', 'why'], failed)) + section('Not run', table(['why', 'calls'], lacking));
}

function aboutLine({ command, written_at, commit, changed, machine, chromium, firefox }) {
  const words = [machine, chromium, firefox, commit && `commit ${commit}${changed ? ' and changes' : ''}`, written_at].filter(Boolean);
  return `<p class="note"><code>${escaped(command)}</code><br>${words.map(escaped).join(' · ')}</p>`;
}

export function pageOf(report, rows) {
  const figures = 'All times in milliseconds, on one clock, of calls that were answered after some ringing. Success: media decoded at both ends, and more of it a second later (five, for every tenth call), at the first dial.';
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>offhook: the laboratory</title><style>${style}</style>`,
    `<h1>offhook: the laboratory</h1>${aboutLine(report.about)}${headline(report)}`,
    section('By network, every kind with every kind', linesOf(report.classes) + plotsSection(rows), figures),
    section('By scenario', linesOf(report.scenarios)),
    theorySection(report),
    worstSection(report),
    restrictedSection(report),
    handoverSection(report),
    besideSection(report, rows),
    failureSection(report),
    '</html>',
  ].join('\n');
}
