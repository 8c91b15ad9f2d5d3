import * as assert from 'uvu/assert';
import { finding, imageCheck, type Parts, usualRemedy } from '../../../src/judge/checks/check.ts';
import { configurationChecks } from '../../../src/judge/checks/configuration.ts';
import { imageChecks } from '../../../src/judge/checks/image.ts';
import { measuredChecks } from '../../../src/judge/checks/measured.ts';
import { nodeChecks } from '../../../src/judge/checks/node.ts';
import { pairChecks, requirementChecks } from '../../../src/judge/checks/pair.ts';
import { codes, findingKind } from '../../../src/judge/findings.ts';
import { atOpt, image, runtime, stateOf, usualPolicy } from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks');
const parts: Parts = { facts: [], consequence: '', affects: [], remedy: usualRemedy('KC203') };

test('every finding is made by a check', () => {
  const all = [
    ...requirementChecks,
    ...imageChecks,
    ...pairChecks,
    ...measuredChecks,
    ...nodeChecks,
    ...configurationChecks,
  ];
  assert.equal([...new Set(all.flatMap((check) => check.codes))].sort(), codes);
});

test('a finding has the title and the severity of its kind, and the policy has the last word', () => {
  const { title } = findingKind('KC103');
  assert.equal(finding('KC103', usualPolicy, parts), { ...parts, code: 'KC103', severity: 'block', title });
  assert.is(finding('KC103', { ...usualPolicy, mode: 'warn' }, parts).severity, 'warn');
  assert.is(finding('KC103', usualPolicy, { ...parts, title: 'another' }).title, 'another');
  assert.is(finding('KC103', usualPolicy, parts, 'warn').severity, 'warn');
  assert.is(finding('KC103', { ...usualPolicy, strict: true }, parts, 'warn').severity, 'block');
});

test('an image is examined when a runtime uses it, once for all of them', () => {
  const check = imageCheck('KC201', 'without a version', (_, users) => ({
    ...parts,
    affects: users.map(({ name }) => name),
  }));
  const examine = (...runtimes: readonly ReturnType<typeof runtime>[]) =>
    check.examine(stateOf(runtimes, [image(null), image('3.4.0')]), usualPolicy).map(({ affects }) => affects);
  assert.equal(examine(), []);
  assert.equal(examine(runtime('3.4.0', undefined, atOpt)), []);
  const other = runtime('3.5.0', undefined, { name: 'other' });
  assert.equal(examine(runtime('3.4.0'), other), [['kata-runtime', 'other']]);
});
