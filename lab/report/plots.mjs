// Plots as inline SVG: nothing is loaded from anywhere.

const width = 460;
const height = 210;
const margin = { left: 42, right: 12, top: 12, bottom: 34 };
const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
const colours = ['#0b6bcb', '#d1495b', '#2a9d5c', '#b8860b', '#6a4c93', '#444'];

const escaped = (text) => String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** 1, 2 or 5 times a power of ten, so that about `wanted` steps reach `most`. */
function stepFor(most, wanted) {
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

/**
 * The share of calls (y) that had it within x ms. `series`: [{name, values}]; those without values are left out. The axis
 * ends where 99 % of every series is in.
 */
export function distribution(series, { unit = 'ms' } = {}) {
  const drawn = series
    .map(({ name, values }) => ({ name, sorted: values.filter((value) => typeof value === 'number').sort((one, other) => one - other) }))
    .filter(({ sorted }) => sorted.length > 0);
  if (drawn.length === 0) return '<p class="none">no measured calls</p>';
  const most = Math.max(50, ...drawn.map(({ sorted }) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))])) * 1.05;
  const x = (value) => margin.left + (inner.width * Math.min(value, most)) / most;
  const y = (share) => margin.top + inner.height * (1 - share);
  const step = stepFor(most, 6);
  const marks = Array.from({ length: Math.floor(most / step) + 1 }, (_nothing, i) => i * step);
  const parts = [
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(share)}" y2="${y(share)}"/><text class="left" x="${margin.left - 6}" y="${y(share) + 4}">${share * 100} %</text>`),
    ...marks.map((value) => `<line class="grid" y1="${margin.top}" y2="${y(0)}" x1="${x(value)}" x2="${x(value)}"/><text class="under" x="${x(value)}" y="${y(0) + 16}">${value}</text>`),
    `<text class="under" x="${margin.left + inner.width / 2}" y="${height - 4}">${unit}</text>`,
    ...drawn.map(({ sorted }, i) => `<path fill="none" stroke="${colours[i % colours.length]}" stroke-width="2" d="${stairs(sorted, x, y)}"/>`),
  ];
  const keys = drawn.map(({ name, sorted }, i) => `<span><i style="background:${colours[i % colours.length]}"></i>${escaped(name)} (${sorted.length})</span>`);
  return `<svg viewBox="0 0 ${width} ${height}" role="img">${parts.join('')}</svg><p class="keys">${keys.join(' ')}</p>`;
}

/** At most some hundred steps: more are not to be seen, and make the page heavy. */
function stairs(sorted, x, y) {
  const points = Math.min(sorted.length, 200);
  let path = `M${x(0).toFixed(1)} ${y(0).toFixed(1)}`;
  for (let k = 1; k <= points; k += 1) {
    const index = Math.ceil((k * sorted.length) / points) - 1;
    path += `H${x(sorted[index]).toFixed(1)}V${y((index + 1) / sorted.length).toFixed(1)}`;
  }
  return path;
}
