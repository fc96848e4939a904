// What a script says of a frame, held against a frame (docs/protocol-scripts.md).

/** Words that stand for a value that a script cannot know. */
const words = {
  '*': () => true,
  '*text': (value) => typeof value === 'string' && value !== '',
  '*number': (value) => Number.isSafeInteger(value) && value >= 0,
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isVariable = (value) => typeof value === 'string' && value.startsWith('$');
const shown = (value) => (value === undefined ? 'nothing' : JSON.stringify(value));

/**
 * What of `got` is not as `expected` says, a line each; none if all is well. A variable that has no value in `values` gets
 * the one that stands there.
 */
export function differences(expected, got, values, at = '') {
  const wrong = [`${at || 'the frame'}: expected ${shown(expected)}, got ${shown(got)}`];
  if (Object.hasOwn(words, expected)) return words[expected](got) ? [] : wrong;
  if (isVariable(expected)) {
    if (got === undefined) return wrong;
    values[expected] ??= got;
    const known = values[expected];
    return JSON.stringify(known) === JSON.stringify(got) ? [] : [`${at}: expected ${shown(known)} (${expected}), got ${shown(got)}`];
  }
  if (Array.isArray(expected) && Array.isArray(got) && expected.length === got.length) {
    return expected.flatMap((one, i) => differences(one, got[i], values, `${at}[${i}]`));
  }
  if (isObject(expected) && isObject(got)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(got)]);
    return [...keys].flatMap((key) => differences(expected[key], got[key], values, at === '' ? key : `${at}.${key}`));
  }
  return JSON.stringify(expected) === JSON.stringify(got) ? [] : wrong;
}

/** `template` with the values of its variables; `make` gives one to a variable or word that has none. */
export function filled(template, values, make) {
  if (isVariable(template)) return (values[template] ??= make(template));
  if (Object.hasOwn(words, template)) return make(template);
  if (Array.isArray(template)) return template.map((one) => filled(one, values, make));
  if (!isObject(template)) return template;
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, filled(value, values, make)]));
}
