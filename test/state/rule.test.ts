import * as assert from 'uvu/assert';
import { parseRule, rangeOfRule, ruleText } from '../../src/state/rule.ts';
import { isInRange, parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite("the policy's rule");

function version(text: string): Version {
  return parseVersion(text) as Version;
}

const rules: readonly [text: string, isRule: boolean][] = [
  ['exact', true],
  ['minor', true],
  ['skew=0', true],
  ['skew=2', true],
  ['skew=999', true],
  ['skew=1000', false],
  ['skew=', false],
  ['skew=-1', false],
  ['skew=1.5', false],
  ['skew', false],
  ['Minor', false],
  ['major', false],
  ['', false],
];

for (const [text, isRule] of rules) {
  test(`the rule "${text}" is ${isRule ? 'one, and is written so' : 'none'}`, () => {
    const rule = parseRule(text);
    assert.is(rule === undefined ? undefined : ruleText(rule), isRule ? text : undefined);
  });
}

const fitting: readonly [
  rule: string,
  words: string,
  runtime: string,
  fits: readonly string[],
  doesNot: readonly string[],
][] = [
  ['exact', 'the same version', '3.4.1', ['3.4.1', '3.4.1-2', 'v3.4.1'], ['3.4.0', '3.4.2', '3.4.1-rc0', '3.5.0']],
  ['exact', 'of a candidate, the same candidate', '1.6.0-rc2', ['1.6.0-rc2'], ['1.6.0', '1.6.0-rc1', '1.6.0-rc3']],
  ['minor', 'any patch of the minor', '3.4.1', ['3.4.0', '3.4.99'], ['3.3.9', '3.5.0', '2.4.1', '4.4.1']],
  ['minor', 'its pre-releases, but not those of the next', '3.4.1', ['3.4.0-alpha0', '3.4.2-rc0'], ['3.5.0-alpha0']],
  ['minor', 'of a pre-release, the release too', '3.4.0-rc1', ['3.4.0', '3.4.0-alpha2'], ['3.3.9']],
  ['skew=0', 'is minor', '3.4.1', ['3.4.0', '3.4.9'], ['3.3.9', '3.5.0']],
  ['skew=2', 'the agent may lag two minors', '3.4.1', ['3.2.0', '3.2.0-alpha0', '3.3.7', '3.4.9'], ['3.1.9', '3.5.0']],
  ['skew=2', 'never is it the newer one by a minor', '3.4.1', ['3.4.2'], ['3.5.0-alpha0', '3.6.0', '4.0.0']],
  ['skew=2', 'it ends at the major', '4.1.0', ['4.0.0', '4.0.0-alpha0', '4.1.5'], ['3.99.0', '3.31.0', '2.1.0']],
  ['skew=999', 'so does the largest', '4.1.0', ['4.0.0'], ['3.31.0']],
  ['minor', 'version 0 has minors too', '0.3.2', ['0.3.0'], ['0.2.9', '0.4.0']],
  ['minor', 'the largest numbers', '999999999.999999999.0', ['999999999.999999999.7'], ['999999999.999999998.0']],
];

for (const [text, words, runtime, fits, doesNot] of fitting) {
  test(`${text}, runtime ${runtime}: ${words}`, () => {
    const rule = parseRule(text);
    assert.ok(rule);
    const range = rangeOfRule(rule as NonNullable<typeof rule>, version(runtime));
    for (const agent of fits) assert.ok(isInRange(version(agent), range), `${agent} fits`);
    for (const agent of doesNot) assert.not.ok(isInRange(version(agent), range), `${agent} does not fit`);
  });
}
