import * as assert from 'uvu/assert';
import { type Code, codes, findingKind, findingKinds, severities } from '../../src/judge/findings.ts';
import { suite } from '../suite.ts';

const test = suite('findings');

/** What was promised of each: neither changes as long as there is a hook that asks for it. */
const promised: readonly [code: Code, severity: string][] = [
  ['KC101', 'block'],
  ['KC102', 'block'],
  ['KC103', 'block'],
  ['KC104', 'warn'],
  ['KC107', 'warn'],
  ['KC201', 'warn'],
  ['KC202', 'warn'],
  ['KC203', 'warn'],
  ['KC204', 'warn'],
  ['KC205', 'warn'],
  ['KC206', 'info'],
  ['KC302', 'warn'],
];

for (const [code, severity] of promised) {
  test(`${code} is there, with the severity ${severity} by default`, () => {
    assert.is(findingKind(code).code, code);
    assert.is(findingKind(code).severity, severity);
  });
}

test('each code once, in order, of the form KC and three digits', () => {
  assert.equal(codes, [...new Set(codes)].sort());
  for (const code of codes) assert.match(code, /^KC[123][0-9]{2}$/);
});

test('severities from the least to the worst', () => {
  assert.equal([...severities], ['info', 'warn', 'block']);
});

for (const kind of findingKinds) {
  test(`${kind.code} says what it means and what to do, in sentences`, () => {
    assert.match(kind.title, /^[a-z][^\n.]{10,80}$/);
    for (const text of [kind.meaning, kind.remedy]) assert.match(text, /^[A-Z][^\n]{20,500}\.$/);
  });
}
