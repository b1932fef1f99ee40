// A strict reader of the Prometheus text exposition format, version 0.0.4.

import assert from 'node:assert/strict';

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
const parts = { histogram: ['_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'] };

/** Parses text into families by name: {name, type, help, samples: [{name, labels, value}]}; throws at any irregularity. */
export function parseExposition(text) {
  assert.ok(text.endsWith('\n'), 'the last line must end in a line feed');
  const families = new Map();
  const series = new Set();
  let current;
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment) {
      current = declare(families, current, comment);
      continue;
    }
    const sample = parseSample(line);
    const identity = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    assert.ok(!series.has(identity), `series twice: ${line}`);
    series.add(identity);
    assert.ok(current && belongs(current, sample.name), `sample outside its family: ${line}`);
    current.samples.push(sample);
  }
  families.forEach(checkFamily);
  return families;
}

function declare(families, current, [line, kind, name, rest]) {
  const family = current?.name === name ? current : { name, samples: [] };
  if (family !== current) {
    assert.ok(!families.has(name), `family in two places: ${name}`);
    families.set(name, family);
  }
  assert.equal(family.samples.length, 0, `${line} after samples`);
  assert.equal(family[kind.toLowerCase()], undefined, `${line} repeated`);
  family[kind.toLowerCase()] = rest;
  return family;
}

function parseSample(line) {
  const match = sampleLine.exec(line);
  assert.ok(match, `not a sample: ${JSON.stringify(line)}`);
  const [, name, inner = '', value] = match;
  return { name, labels: parseLabels(inner, line), value: parseValue(value, line) };
}

function parseLabels(text, line) {
  const labels = {};
  for (let rest = text; rest !== '';) {
    const pair = labelPair.exec(rest);
    assert.ok(pair, `malformed labels: ${line}`);
    assert.ok(!(pair[1] in labels), `label twice: ${line}`);
    labels[pair[1]] = pair[2].replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    rest = rest.slice(pair[0].length);
  }
  return labels;
}

function parseValue(text, line) {
  const special = { '+Inf': Infinity, '-Inf': -Infinity, NaN };
  const value = text in special ? special[text] : Number(text);
  assert.ok(text in special || Number.isFinite(value), `not a value: ${line}`);
  return value;
}

function belongs(family, name) {
  return (parts[family.type] ?? ['']).some((suffix) => name === family.name + suffix);
}

function checkFamily(family) {
  assert.ok(['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(family.type), `type of ${family.name}`);
  assert.ok(family.help, `help of ${family.name}`);
  if (family.type === 'counter') {
    assert.ok(family.samples.every((s) => s.value >= 0), `negative counter ${family.name}`);
  }
  if (family.type === 'histogram') {
    checkHistogram(family);
  }
}

function checkHistogram({ name, samples }) {
  const group = ({ labels: { le: _, ...rest } }) => JSON.stringify(Object.entries(rest).sort());
  for (const key of new Set(samples.map(group))) {
    const own = samples.filter((s) => group(s) === key);
    const buckets = own.filter((s) => s.name === `${name}_bucket`);
    const bounds = buckets.map((s) => parseValue(s.labels.le, s.labels.le));
    assert.equal(bounds.at(-1), Infinity, `${name} has no last bucket`);
    buckets.slice(1).forEach((bucket, i) => {
      assert.ok(bounds[i + 1] > bounds[i] && bucket.value >= buckets[i].value, `${name} is not cumulative`);
    });
    assert.equal(own.find((s) => s.name === `${name}_count`)?.value, buckets.at(-1).value, `${name} count`);
    assert.ok(own.some((s) => s.name === `${name}_sum`), `${name} sum`);
  }
}
