// The matrix as two SVG figures, 900 px wide, on light and dark ground.
import { loadOf } from './figures.mjs';
import { linesOf, shareOf, shares } from './matrix_figures.mjs';

const escaped = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const pixels = value => Number(value.toFixed(1));

// Dark where the viewer asks for it.
const style = `<style>
text{fill:#1f2328}.ground{fill:#fff}.faint{fill:#59636e}.grid{stroke:#dde1e6}.one{stroke:#59636e;stroke-dasharray:3 3}.whisker{stroke:#1f2328}.mark{fill:#1f2328;stroke:#1f2328}
.goal{stroke:#c62828;stroke-width:2.5}.missed{fill:#c62828}.up{fill:#1769e0}.down{fill:#2a9d5c}.across{fill:#8250df}.both{fill:#b3661a}
.coturn{fill:#7d838c;stroke:#7d838c}.offhook{fill:#1769e0;stroke:#1769e0}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.faint{fill:#9aa4af}.grid{stroke:#2d333b}.one{stroke:#9aa4af}.whisker{stroke:#e6edf3}.mark{fill:#e6edf3;stroke:#e6edf3}
.goal{stroke:#ff7b72}.missed{fill:#ff7b72}.up{fill:#4c8dff}.down{fill:#3fb96f}.across{fill:#a98bff}.both{fill:#e0964a}
.coturn{fill:#a3aab4;stroke:#a3aab4}.offhook{fill:#4c8dff;stroke:#4c8dff}}
</style>`;

const figureWidth = 900;

function figure(height, title, machine, lines, body) {
  const subtitle = machine + (lines.some(line => line.cell.noisy) ? '; * others used the server\'s core' : '');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${figureWidth} ${height}" width="${figureWidth}" height="${height}" font-family="sans-serif" font-size="13">
${style}
<rect class="ground" width="${figureWidth}" height="${height}"/>
<text x="20" y="28" font-size="17" font-weight="bold">${escaped(title)}</text>
<text class="faint" x="20" y="48">${escaped(subtitle)}</text>
${body.join('\n')}
</svg>
`;
}

const [barsLeft, barsWidth, barHeight, barStep, groupGap, panelHead] = [230, 540, 13, 15, 10, 50];

// The least of 1, 2 or 5 times a power of ten that makes at most eight steps.
function stepFor(most) {
  const magnitude = 10 ** Math.floor(Math.log10(most / 8));
  return [1, 2, 5, 10].map(factor => factor * magnitude).find(step => most / step <= 8);
}

const marked = cell => (cell.noisy ? ' *' : '');
const groupOf = line => (line.load === 'paced' ? `${line.cell.name}, ${loadOf(line)}` : line.cell.name) + marked(line.cell);

// None of a single round.
function whisker(from, to, y) {
  return from === to ? '' : `<path class="whisker" d="M${from} ${y}H${to}M${from} ${y - 3}v6M${to} ${y - 3}v6"/>\n`;
}

// Bars on a scale of their own, from 0; a group a cell and load, a bar a direction.
function panel(title, lines, top) {
  const reach = Math.max(1, ...lines.map(line => Math.max(line.times_most, line.goal)));
  const step = stepFor(reach);
  const steps = Array.from({ length: Math.ceil(reach / step) + 1 }, (_, index) => index * step);
  const x = value => pixels(barsLeft + value / steps.at(-1) * barsWidth);
  const bars = [];
  let y = top + panelHead;
  for (const group of new Set(lines.map(groupOf))) {
    const own = lines.filter(line => groupOf(line) === group);
    bars.push(`<text x="${barsLeft - 10}" y="${y + own.length * barStep / 2 + 4}" text-anchor="end">${escaped(group)}</text>`);
    for (const line of own) {
      const middle = y + barHeight / 2;
      const text = `${line.times.toFixed(2)}${line.holds ? '' : ` of ${line.goal}`}`;
      bars.push(`<rect class="${line.direction}" x="${barsLeft}" y="${y}" width="${pixels(x(line.times) - barsLeft)}" height="${barHeight}"/>
${whisker(x(line.times_least), x(line.times_most), middle)}<path class="goal" d="M${x(line.goal)} ${y - 1}v${barHeight + 2}"/>
<text${line.holds ? '' : ' class="missed"'} x="${pixels(Math.max(x(line.times_most), x(line.goal)) + 8)}" y="${y + 11}" font-size="12">${text}</text>`);
      y += barStep;
    }
    y += groupGap;
  }
  const bottom = y - groupGap / 2;
  const grid = steps.map(value => `<path class="grid" d="M${x(value)} ${top + panelHead - 8}V${bottom}"/>
<text class="faint" x="${x(value)}" y="${top + panelHead - 13}" text-anchor="middle" font-size="12">${Number(value.toFixed(2))}</text>`);
  const one = `<path class="one" d="M${x(1)} ${top + panelHead - 8}V${bottom}"/>`;
  return { bottom, parts: [`<text x="20" y="${top + 18}" font-weight="bold">${escaped(title)}</text>`, ...grid, ...bars, one] };
}

// Times coturn of every cell and direction that has a goal; '' if none has.
export function timesSvg(finished, machine) {
  const lines = linesOf(finished).filter(line => line.goal !== null);
  if (lines.length === 0) return '';
  const panels = [
    ['Through sockets, saturated', lines.filter(line => line.load === 'saturated' && !line.forwarding)],
    ['Through sockets, at a fixed rate', lines.filter(line => line.load === 'paced' && !line.forwarding)],
    ['The fast path, saturated', lines.filter(line => line.forwarding)],
  ].filter(([, own]) => own.length > 0);
  const directions = ['up', 'down', 'across', 'both'].filter(direction => lines.some(line => line.direction === direction));
  const body = directions.map((direction, index) =>
    `<rect class="${direction}" x="${20 + index * 66}" y="62" width="13" height="13"/><text x="${39 + index * 66}" y="73">${direction}</text>`);
  body.push('<path class="goal" d="M276 61v15"/><text x="284" y="73">goal</text><path class="one" d="M346 61v15"/><text x="354" y="73">as fast as coturn</text>',
    '<path class="whisker" d="M486 68.5h24M486 65.5v7M510 65.5v7"/><text x="518" y="73">between the slowest and fastest rounds</text>');
  let top = 88;
  for (const [title, own] of panels) {
    const { bottom, parts } = panel(title, own, top);
    body.push(...parts);
    top = bottom + 14;
  }
  return figure(top + 6, 'Packets relayed per server CPU-second: offhook, times coturn', machine, lines, body);
}

const [delaysLeft, columnWidth, columnGap, rowHeight, delayTop] = [206, 300, 70, 30, 146];
const delayLabel = us => (us < 1000 ? `${us} µs` : us < 1e6 ? `${us / 1000} ms` : `${us / 1e6} s`);

// A server's three percentiles on a line.
function delayMarks(server, { p50, p99, p999 }, x, y) {
  const [from, middle, to] = [p50, p99, p999].map(x);
  return `<g class="${server}"><path stroke-width="2" d="M${from} ${y}H${to}M${to} ${y - 5}v10"/><circle cx="${from}" cy="${y}" r="3.5"/><path d="M${middle} ${y - 5}l4 5l-4 5l-4 -5z"/></g>`;
}

// Added delay at the rates that were chosen as 20 % and 80 % of coturn's most, up and down, on a logarithmic scale; '' if no
// cell has it.
export function delaysSvg(finished, machine) {
  const directions = ['up', 'down'];
  const lines = linesOf(finished).filter(line => shareOf(line) !== null && directions.includes(line.direction));
  if (lines.length === 0) return '';
  const servers = ['coturn', 'offhook'];
  const all = lines.flatMap(line => servers.flatMap(server => Object.values(line[server].delay_us))).filter(value => value > 0);
  const [low, high] = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(Math.max(...all)))];
  const left = column => delaysLeft + column * (columnWidth + columnGap);
  const place = column => us => pixels(left(column) + (Math.log10(Math.max(us, 10 ** low)) - low) / (high - low) * columnWidth);
  const body = servers.map((server, index) =>
    `<g class="${server}"><path stroke-width="2" d="M${20 + index * 90} 68.5h20"/></g><text x="${46 + index * 90}" y="73">${server}</text>`);
  body.push('<circle class="mark" cx="226" cy="68.5" r="3.5"/><text x="236" y="73">median</text><path class="mark" d="M306 63.5l4 5l-4 5l-4 -5z"/>',
    '<text x="316" y="73">p99</text><path class="mark" stroke-width="2" d="M366 63.5v10"/><text x="374" y="73">p99.9</text>');
  let y = delayTop;
  const marks = [];
  for (const { cell } of lines.filter((line, index) => lines.findIndex(other => other.cell === line.cell) === index)) {
    for (const share of shares) {
      const own = lines.filter(line => line.cell === cell && shareOf(line) === share);
      if (own.length === 0) continue;
      marks.push(`<text x="${delaysLeft - 12}" y="${y + 4}" text-anchor="end">${escaped(cell.name)}, ${loadOf(own[0])}${marked(cell)}</text>`);
      for (const line of own) {
        const x = place(directions.indexOf(line.direction));
        marks.push(...servers.map((server, index) => delayMarks(server, line[server].delay_us, x, y - 6 + index * 12)));
      }
      y += rowHeight;
    }
    y += 8;
  }
  const bottom = y - rowHeight / 2;
  const grid = directions.flatMap((direction, column) => [
    `<text x="${left(column)}" y="${delayTop - 36}" font-weight="bold">${direction}</text>`,
    ...Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)).map(us => `<path class="grid" d="M${place(column)(us)} ${delayTop - 18}V${bottom}"/>
<text class="faint" x="${place(column)(us)}" y="${delayTop - 22}" text-anchor="middle" font-size="11">${delayLabel(us)}</text>`)]);
  return figure(bottom + 14, 'Added delay at fixed rates', machine, lines, [...body, ...grid, ...marks]);
}
