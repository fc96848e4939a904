// Figures over many calls.

/** The smallest value that at least `part` of the values do not exceed (nearest rank). */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}

export function figuresOf(values) {
  const [median, p95] = [quantile(values, 0.5), quantile(values, 0.95)];
  return { calls: values.length, median, p95, best: quantile(values, 0), worst: quantile(values, 1) };
}

export function inWords({ calls, median, p95, best, worst }) {
  return `median ${median} ms, p95 ${p95} ms, best ${best} ms, worst ${worst} ms (${calls} calls)`;
}
