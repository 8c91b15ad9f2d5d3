import * as assert from 'uvu/assert';
import { pairChecks, requirementChecks } from '../../../src/judge/checks/pair.ts';
import type { State } from '../../../src/state/node.ts';
import {
  declares,
  examined,
  examinedPairs,
  history,
  image,
  imagePath,
  incomingRuntime,
  type JudgeRow,
  readingOf,
  runtime,
  settingsOf,
  stateOf,
  told,
  unknownRequirement,
  usualPolicy,
} from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks of a pair');
const found = (state: State, policy = usualPolicy) => [
  ...examined(requirementChecks, state, policy),
  ...examinedPairs(pairChecks, state, policy),
];

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
  ['calls went that no runtime makes', [runtime('1.5.0', history)], [image('1.6.0')], []],
  ['calls came that no runtime makes', [runtime('3.13.0', history)], [image('3.12.0')], []],
  ['a meaning changed', [runtime('3.1.0', history)], [image('3.2.0')], ['KC102 block']],
  ['a driver is for some pods', [runtime('3.3.0', history)], [image('3.2.0')], ['KC107 warn']],
  ['the rule is not asked where the history tells', [runtime('3.5.1', { history: 'exact' })], [image('3.4.0')], []],
  ['an agent newer than the table: the rule', [runtime('4.1.0', history)], [image('4.2.0')], ['KC104 warn']],
  ['an agent before the table: the rule', [runtime('1.0.0', history)], [image('0.9.0')], ['KC104 warn']],
  [
    'a candidate that may be of either side of a step',
    [runtime('2.2.0', history)],
    [image('2.2.0-rc0')],
    ['KC107 warn'],
  ],
  [
    'a candidate at which nothing of this node changed',
    [runtime('3.29.0', { history: 'exact' })],
    [image('3.29.0-rc1')],
    [],
  ],
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
    [runtime('3.3.0', history)],
    [image('3.2.0')],
    ['KC107 block'],
    { policy: { strict: true } },
  ],

  // No requirement: KC204.
  ['no requirement', [runtime(null, unknownRequirement)], [image('3.4.0')], ['KC204 warn']],
  ['no requirement, and nothing to hold against it', [runtime(null, unknownRequirement)], [], []],
];

for (const [rule, runtimes, images, expected, { policy = {}, onlyChanges = false } = {}] of rows) {
  test(rule, () => {
    const findings = found(stateOf(runtimes, images, { onlyChanges }), { ...usualPolicy, ...policy });
    assert.equal(told(findings), expected);
  });
}

test('a finding names what is missing, when it is asked for, and the setting that decides it', () => {
  const coming = incomingRuntime('3.2.0-1', history, { replaces: '3.1.0-1' });
  const [finding] = found(stateOf([coming], [image('3.1.0')]));
  const compiled = 'static_sandbox_resource_mgmt = false (compiled in, as no configuration sets it)';
  assert.equal(finding, {
    code: 'KC103',
    severity: 'block',
    title: 'the guest image does not fit the incoming Kata runtime',
    facts: [
      { label: 'incoming', value: 'kata-runtime 3.2.0-1', from: 'agent >=3.2.0 (protocol history)' },
      { label: 'installed', value: 'agent 3.1.0', from: `${imagePath}\next4 in partition 1, osbuilder.yaml` },
      {
        label: 'missing',
        value: 'UpdateEphemeralMounts',
        from: `called when a sandbox starts, and each time its resources are updated\n${compiled}`,
      },
      {
        label: 'changed',
        value: 'OnlineCPUMemRequest.nb_cpus',
        from: `sent when a container is created\nmet by containers with a CPU limit\n${compiled}`,
      },
      {
        label: 'unknown',
        value: 'vfio-pci, vfio-pci-gk',
        from: 'sent when a container is created\nmet by containers with a VFIO device',
      },
    ],
    consequence:
      'pods do not start: UpdateEphemeralMounts; containers with a CPU limit do not start: OnlineCPUMemRequest.nb_cpus',
    affects: [imagePath],
    missing: ['UpdateEphemeralMounts'],
    remedy: {
      text: 'Install a guest image with agent >=3.2.0 in the same transaction, or keep kata-runtime at 3.1.0-1.',
      commands: [],
    },
  });
});

test('where nothing gets through, single calls are not listed', () => {
  const [finding] = found(stateOf([runtime('2.0.0', history)], [image('1.12.0')]));
  assert.is(finding?.consequence, 'pods do not start: ttRPC');
  assert.is(finding?.facts.length, 3);
});

test('what only some pods meet: they are named, and both of the same release settle it', () => {
  const [finding] = found(stateOf([runtime('3.3.0', history)], [image('3.2.0')]));
  assert.is(finding?.title, 'certain pods or operations fail with this agent');
  assert.is(
    finding?.consequence,
    'pods with the annotation io.katacontainers.config.agent.policy do not start: SetPolicy',
  );
  assert.match(finding?.remedy.text ?? '', /^Install a guest image with agent 3\.3\.0\.$/);
});

test('a setting alone is in the way: its file and line, and what to change', () => {
  const reading = readingOf(settingsOf({ 'hypervisor.qemu.shared_fs': 'virtio-9p' }));
  const [finding] = found(stateOf([runtime('4.1.0', history)], [image('4.1.0')], { reading }));
  assert.is(finding?.code, 'KC103');
  const place = 'shared_fs = "virtio-9p" (/usr/share/defaults/kata-containers/configuration.toml, line 1)';
  assert.ok(finding?.facts.some(({ from }) => from.endsWith(place)));
  assert.ok(finding?.remedy.text.includes(`Or change ${place}.`));
});

test('a build between two releases is said to be one, where that is why it is not certain', () => {
  const [finding] = found(stateOf([runtime('2.2.0', history)], [image('2.2.0-rc0')]));
  assert.equal(finding?.facts.at(-1), {
    label: 'not certain',
    value: 'the agent 2.2.0-rc0 is a build before 2.2.0',
    from: '',
  });
});

test('the rule that decides where the table ends is named, and the end is', () => {
  const [finding] = found(stateOf([runtime('4.1.0', history)], [image('4.2.0')]));
  assert.is(
    finding?.consequence,
    'Containers may fail: nothing declares that agent 4.2.0 works with runtime 4.1.0, and the protocol history ends at 4.1.',
  );
  assert.is(finding?.facts[0]?.from, 'agent >=4.1.0-0 <4.2.0-0 (rule minor)');
});

test('an installed runtime is called so', () => {
  const [finding] = found(stateOf([runtime('3.4.0', declares)], [image('1.0.0')]));
  assert.is(finding?.title, 'the guest image does not fit the installed Kata runtime');
  assert.is(finding?.facts[0]?.label, 'installed');
});

test('a rule says what it does not know, and nothing of a declaration', () => {
  const [finding] = found(stateOf([incomingRuntime('3.5.0')], [image('3.4.0')]));
  assert.is(finding?.consequence, 'Containers may fail: nothing declares that agent 3.4.0 works with runtime 3.5.0.');
});
