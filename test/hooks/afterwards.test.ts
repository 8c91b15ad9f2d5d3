import * as assert from 'uvu/assert';
import type { Report } from '../../src/check.ts';
import { afterwards, everything, toldBy } from '../../src/hooks/afterwards.ts';
import { type Code, type Finding, findingKind, type Severity } from '../../src/judge/findings.ts';
import { suite } from '../suite.ts';

const test = suite('what is told when a transaction is over');

/** `KC103 /a`, judged as it is by default. */
function finding(text: string): Finding {
  const [code, ...affects] = text.split(' ') as [Code, ...string[]];
  const { severity, title } = findingKind(code);
  return { code, severity, title, facts: [], consequence: '', affects, remedy: { text: '', commands: [] } };
}

const report = (findings: readonly Finding[]): Report => ({ findings }) as unknown as Report;
/** As a hook that cannot stop anything judges. */
const asWarning = (found: Finding): Finding => ({
  ...found,
  severity: found.severity === 'block' ? ('warn' satisfies Severity) : found.severity,
});

const rows: readonly [
  rule: string,
  told: readonly string[] | 'off' | undefined,
  now: readonly string[],
  expected: readonly string[],
][] = [
  ['what does not fit is told', [], ['KC103 /a'], ['KC103 /a']],
  ['it is not told twice', ['KC103 /a'], ['KC103 /a'], []],
  ['of another image it is told', ['KC103 /a'], ['KC103 /a', 'KC103 /b'], ['KC103 /b']],
  ['so is another finding of the same image', ['KC104 /a'], ['KC103 /a'], ['KC103 /a']],
  ['doubt is not told, as a hook that asked before would have told it', [], ['KC104 /a', 'KC201 /b'], []],
  ['doubt is told where nobody asked before', undefined, ['KC104 /a', 'KC201 /b'], ['KC104 /a', 'KC201 /b']],
  ['notes are never told', undefined, ['KC303 /a'], []],
  ['a configured image that is missing is told', [], ['KC203 /a'], ['KC203 /a']],
  ['but not where it was told that the transaction takes it away', ['KC302 /a'], ['KC203 /a'], []],
  ['of an image that was to be made anew all is told', ['KC206 /a'], ['KC104 /a', 'KC201 /b'], ['KC104 /a']],
  ['that it does not fit, too', ['KC206 /a'], ['KC103 /a'], ['KC103 /a']],
  ['nothing where the check is switched off for this run', 'off', ['KC103 /a', 'KC203 /b'], []],
];

for (const [rule, before, now, expected] of rows) {
  test(rule, () => {
    const told =
      before === 'off' ? everything('/root') : before && toldBy(report(before.map(finding).map(asWarning)), '/root');
    const found = now.map(finding);
    const left = afterwards(report(found.map(asWarning)), found, '/root', told);
    assert.equal(
      (left?.findings ?? []).map(({ code, affects }) => [code, ...affects].join(' ')),
      expected,
    );
    assert.is(left === null, expected.length === 0);
  });
}

test('what was told of one root is not told of another', () => {
  const found = [finding('KC103 /a')];
  const told = toldBy(report(found), '/one');
  assert.is(afterwards(report(found), found, '/one', told), null);
  assert.is(afterwards(report(found), found, '/two', told)?.findings.length, 1);
  assert.is(afterwards(report(found), found, '/two', everything('/one'))?.findings.length, 1);
  assert.is(toldBy(null, '/one').size, 0);
});
