import * as assert from 'uvu/assert';
import type { Severity } from '../../src/judge/findings.ts';
import { type Policy, severityOf } from '../../src/judge/policy.ts';
import { parseRule, rangeOfRule, ruleText } from '../../src/state/rule.ts';
import { isInRange, parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('policy');

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

const severities: readonly [rule: string, builtIn: Severity, policy: Partial<Policy>, expected: Severity][] = [
  ['as it is built in', 'block', {}, 'block'],
  ['a warning is one', 'warn', {}, 'warn'],
  ['mode warn takes the block away', 'block', { mode: 'warn' }, 'warn'],
  ['mode off does', 'block', { mode: 'off' }, 'warn'],
  ['allow does, for its code', 'block', { allow: new Set(['KC101']) }, 'warn'],
  ['and for no other', 'block', { allow: new Set(['KC102', 'KC104']) }, 'block'],
  ['allow leaves a warning', 'warn', { allow: new Set(['KC101']) }, 'warn'],
  ['nor does it raise a note', 'info', { allow: new Set(['KC101']) }, 'info'],
  ['severity raises', 'warn', { severity: new Map([['KC101', 'block']]) }, 'block'],
  ['severity lowers', 'block', { severity: new Map([['KC101', 'info']]) }, 'info'],
  ['severity of another', 'warn', { severity: new Map([['KC102', 'block']]) }, 'warn'],
  ['strict makes a block of a warning', 'warn', { strict: true }, 'block'],
  ['strict leaves a note', 'info', { strict: true }, 'info'],
  ['strict counts a configured warning', 'block', { strict: true, severity: new Map([['KC101', 'warn']]) }, 'block'],
  ['mode warn wins over strict', 'warn', { strict: true, mode: 'warn' }, 'warn'],
  ['allow wins over strict', 'warn', { strict: true, allow: new Set(['KC101']) }, 'warn'],
  ['allow wins over severity', 'warn', { severity: new Map([['KC101', 'block']]), allow: new Set(['KC101']) }, 'warn'],
  ['mode warn wins over severity', 'warn', { severity: new Map([['KC101', 'block']]), mode: 'warn' }, 'warn'],
];

for (const [rule, builtIn, parts, expected] of severities) {
  test(`severity: ${rule}`, () => {
    const policy: Policy = { mode: 'block', allow: new Set(), severity: new Map(), strict: false, ...parts };
    assert.is(severityOf('KC101', builtIn, policy), expected);
  });
}
