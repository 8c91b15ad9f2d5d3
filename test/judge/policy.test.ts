import * as assert from 'uvu/assert';
import type { Severity } from '../../src/judge/findings.ts';
import { type Policy, severityOf } from '../../src/judge/policy.ts';
import { suite } from '../suite.ts';

const test = suite('policy');

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
