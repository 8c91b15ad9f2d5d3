import * as assert from 'uvu/assert';
import { pairChecks, requirementChecks } from '../../../src/judge/checks/pair.ts';
import {
  declares,
  examined,
  history,
  image,
  imagePath,
  incomingRuntime,
  type JudgeRow,
  runtime,
  stateOf,
  told,
  unknownRequirement,
  usualPolicy,
} from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks of a pair');
const checks = [...requirementChecks, ...pairChecks];

const rows: readonly JudgeRow[] = [
  // What fits.
  ['the same version fits', [runtime('3.4.0')], [image('3.4.0')], []],
  ['a patch apart fits by the rule "minor"', [runtime('3.4.1')], [image('3.4.7')], []],
  ['a declared range fits whatever the versions are', [runtime('4.1.0', declares)], [image('3.4.0')], []],
  ['nothing at all', [], [], []],
  ['a runtime without an image', [runtime('3.4.0')], [], []],
  ['an image without a runtime', [], [image('1.0.0')], []],

  // A declared range: KC101.
  ['below a declared range', [runtime('3.4.0', declares)], [image('3.3.9')], ['KC101 block']],
  ['above it', [runtime('3.4.0', declares)], [image('3.6.0')], ['KC101 block']],
  ["its lower bound's candidate", [runtime('3.4.0', declares)], [image('3.4.0-rc1')], ['KC101 block']],
  ['even of the very version of the runtime', [runtime('3.3.0', declares)], [image('3.3.0')], ['KC101 block']],

  // The rule: KC104.
  ['outside of "minor"', [runtime('3.5.0')], [image('3.4.9')], ['KC104 warn']],
  ['the agent is the newer one', [runtime('3.4.0')], [image('3.5.0')], ['KC104 warn']],
  ['"exact" by a patch', [runtime('3.4.1', { rule: 'exact' })], [image('3.4.0')], ['KC104 warn']],
  ['"exact" by nothing', [runtime('3.4.1', { rule: 'exact' })], [image('3.4.1')], []],
  ['"skew=2" by two', [runtime('3.4.0', { rule: 'skew=2' })], [image('3.2.9')], []],
  ['"skew=2" by three', [runtime('3.4.0', { rule: 'skew=2' })], [image('3.1.9')], ['KC104 warn']],
  ['"skew=2", the agent newer by one', [runtime('3.4.0', { rule: 'skew=2' })], [image('3.5.0')], ['KC104 warn']],
  ['"skew=2" over a major', [runtime('4.0.0', { rule: 'skew=2' })], [image('3.31.0')], ['KC104 warn']],

  // The history: KC102, KC103, KC107, and the rule where it does not tell.
  ['a call is missing', [runtime('1.1.0', history)], [image('1.0.0')], ['KC103 block']],
  ['no call is missing', [runtime('1.0.0', history)], [image('1.1.0')], []],
  ['the transport changed', [runtime('2.0.0', history)], [image('1.12.0')], ['KC102 block']],
  ['a call went', [runtime('1.5.0', history)], [image('1.6.0')], ['KC102 block']],
  ['a driver went', [runtime('3.12.0', history)], [image('3.29.0')], ['KC107 warn']],
  ['the rule is not asked where the history tells', [runtime('3.5.1', { history: 'exact' })], [image('3.4.0')], []],
  ['an agent newer than the table: the rule', [runtime('4.1.0', history)], [image('4.2.0')], ['KC104 warn']],
  ['an agent before the table: the rule', [runtime('1.0.0', history)], [image('0.9.0')], ['KC104 warn']],
  ['a candidate that could be either: the rule', [runtime('3.29.0', history)], [image('3.29.0-rc1')], []],
  ['the rule "exact"', [runtime('3.29.0', { history: 'exact' })], [image('3.29.0-rc1')], ['KC104 warn']],
  ['what a package declares wins over the history', [runtime('1.1.0', { declares: '>=1.0.0' })], [image('1.0.0')], []],
  [
    'allow of KC103 lets it pass',
    [runtime('1.1.0', history)],
    [image('1.0.0')],
    ['KC103 warn'],
    { policy: { allow: new Set(['KC103']) } },
  ],
  [
    'strict blocks on KC107',
    [runtime('3.12.0', history)],
    [image('3.29.0')],
    ['KC107 block'],
    { policy: { strict: true } },
  ],

  // No requirement: KC204.
  ['no requirement', [runtime(null, unknownRequirement)], [image('3.4.0')], ['KC204 warn']],
  ['no requirement, and nothing to hold against it', [runtime(null, unknownRequirement)], [], []],
];

for (const [rule, runtimes, images, expected, { policy = {}, onlyChanges = false } = {}] of rows) {
  test(rule, () => {
    const findings = examined(checks, stateOf(runtimes, images, { onlyChanges }), { ...usualPolicy, ...policy });
    assert.equal(told(findings), expected);
  });
}

test('the history names the calls that are missing, each with what makes it', () => {
  const coming = incomingRuntime('3.29.0-1', history, { replaces: '3.12.0-1' });
  const [finding] = examined(checks, stateOf([coming], [image('3.12.0')]));
  assert.equal(finding, {
    code: 'KC103',
    severity: 'block',
    title: 'the guest image does not fit the incoming Kata runtime',
    facts: [
      { label: 'incoming', value: 'kata-runtime 3.29.0-1', from: 'agent >=3.29.0 (protocol history)' },
      { label: 'installed', value: 'agent 3.12.0', from: `${imagePath}\next4 in partition 1, osbuilder.yaml` },
      { label: 'missing', value: 'AddSwapPath', from: 'called for swap' },
      { label: 'missing', value: 'GetDiagnosticData', from: 'called for diagnostics' },
      { label: 'missing', value: 'MemAgentCompactSet', from: 'called for memory agent' },
      { label: 'missing', value: 'MemAgentMemcgSet', from: 'called for memory agent' },
    ],
    consequence: 'calls the agent does not have: AddSwapPath, GetDiagnosticData, MemAgentCompactSet, MemAgentMemcgSet',
    affects: [imagePath],
    missing: ['AddSwapPath', 'GetDiagnosticData', 'MemAgentCompactSet', 'MemAgentMemcgSet'],
    remedy: {
      text: 'Install a guest image with agent >=3.29.0 in the same transaction, or keep kata-runtime at 3.12.0-1.',
      commands: [],
    },
  });
});

test('where nothing gets through, single calls are not listed', () => {
  const [finding] = examined(checks, stateOf([runtime('2.0.0', history)], [image('1.12.0')]));
  assert.match(finding?.consequence ?? '', /^gRPC to ttRPC in 2\.0\.0/);
  assert.is(finding?.facts.length, 2);
});

test('a driver that may be refused: both of the same release settle it', () => {
  const [finding] = examined(checks, stateOf([runtime('3.12.0', history)], [image('3.29.0')]));
  assert.is(finding?.title, 'names of drivers or device paths differ between runtime and agent');
  assert.match(finding?.consequence ?? '', /^the agent may refuse or misread: driver 9p, /);
  assert.match(finding?.remedy.text ?? '', /^Install a guest image with agent 3\.12\.0\.$/);
});

test('the rule that decides where the table ends is named, and the end is', () => {
  const [finding] = examined(checks, stateOf([runtime('4.1.0', history)], [image('4.2.0')]));
  assert.is(
    finding?.consequence,
    'Containers may fail: nothing declares that agent 4.2.0 works with runtime 4.1.0, and the protocol history ends at 4.1.',
  );
  assert.is(finding?.facts[0]?.from, 'agent >=4.1.0-0 <4.2.0-0 (rule minor)');
});

test('an installed runtime is called so', () => {
  const [finding] = examined(checks, stateOf([runtime('3.4.0', declares)], [image('1.0.0')]));
  assert.is(finding?.title, 'the guest image does not fit the installed Kata runtime');
  assert.is(finding?.facts[0]?.label, 'installed');
});

test('a rule says what it does not know, and nothing of a declaration', () => {
  const [finding] = examined(checks, stateOf([incomingRuntime('3.5.0')], [image('3.4.0')]));
  assert.is(finding?.consequence, 'Containers may fail: nothing declares that agent 3.4.0 works with runtime 3.5.0.');
});
