// What is computed from the rows.

/** The value below which `share` of the sorted values lie (nearest rank); null without values. */
export function quantile(sorted, share) {
  if (sorted.length === 0) return null;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function summary(values) {
  const sorted = values.filter((value) => typeof value === 'number').sort((one, other) => one - other);
  return { n: sorted.length, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), p99: quantile(sorted, 0.99), least: sorted[0] ?? null, most: sorted.at(-1) ?? null };
}

/** ln of n! */
function logFactorial(n) {
  let sum = 0;
  for (let k = 2; k <= n; k += 1) sum += Math.log(k);
  return sum;
}

/** The chance of at most `failures` failures in `n` trials with the chance `p` of each. */
function atMost(failures, n, p) {
  let sum = 0;
  const all = logFactorial(n);
  for (let k = 0; k <= failures; k += 1) {
    sum += Math.exp(all - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log1p(-p));
  }
  return sum;
}

/** The lowest rate of success that is compatible with what was seen, one-sided, at 95 % (Clopper and Pearson). */
export function lowerBound(successes, n) {
  if (n === 0 || successes === 0) return 0;
  const failures = n - successes;
  if (failures === 0) return 0.05 ** (1 / n);
  let [low, high] = [failures / n, 1 - 1e-12];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (atMost(failures, n, middle) > 0.05) low = middle;
    else high = middle;
  }
  return 1 - low;
}

export function rate(rows) {
  const run = rows.filter(({ outcome }) => outcome !== 'not_run');
  const successes = run.filter(({ outcome }) => outcome === 'ok').length;
  return { calls: run.length, successes, failures: run.length - successes, bound: lowerBound(successes, run.length) };
}

/** Rows whose times say something: the machine had processors left, and no browser was on its first call. */
export const timed = (rows) => rows.filter(({ outcome, saturated, fresh_browser }) => outcome === 'ok' && !saturated && !fresh_browser);

export function groupBy(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return groups;
}
