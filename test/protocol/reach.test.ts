import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { builtIn, codeOf, type Known, type Met, rangeOfAgents, reach } from '../../src/protocol/reach.ts';
import { type Language, type Settings, stockSettings, unknownSettings } from '../../src/protocol/settings.ts';
import { decisionText } from '../../src/protocol/words.ts';
import { isInRange, parseVersion, type Version } from '../../src/version.ts';
import { settingsOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('what a runtime asks that an agent does not understand');
const version = (text: string): Version => parseVersion(text) as Version;

function met(
  runtime: string,
  agent: string,
  language: Language | null,
  settings: Settings,
  known: Known = builtIn,
): readonly Met[] {
  const languages: readonly Language[] = language === null ? ['go', 'rust'] : [language];
  return reach(version(runtime), version(agent), [{ languages, settings }], true, known)?.met ?? [];
}

/** LANGUAGE CLASS RUNTIME: AGENTS, for stock nodes, read in Kata's sources. */
const pairs = readFileSync(join(import.meta.dirname, '../fixtures/pairs.txt'), 'utf8')
  .trimEnd()
  .split('\n');
const blocked = ['nostart', 'common', 'degraded'];

test('502 pairs of releases on stock nodes: blocked are exactly those that keep common pods from starting or starve them', () => {
  let count = 0;
  for (const line of pairs) {
    const [, language = '', kind = '', runtime = '', agents = ''] = /^(\w+) (\w+) (\S+): (.*)$/.exec(line) ?? [];
    for (const agent of agents.split(' ')) {
      count += 1;
      const settings = stockSettings(language as Language, runtime);
      const weight = met(runtime, agent, language as Language, settings)[0]?.weight ?? 'none';
      assert.is(weight === 'block', blocked.includes(kind), `${language} ${runtime} ${agent} ${kind}`);
      if (kind === 'ok') assert.not.equal(weight, 'warn', `${language} ${runtime} ${agent}`);
    }
  }
  assert.is(count, 502);
});

type Row = readonly [
  rule: string,
  language: Language,
  runtime: string,
  agent: string,
  values: Readonly<Record<string, string | number | boolean>>,
  id: string,
  outcome: Met['outcome'],
  weight: Met['weight'],
  decided: string,
  parts?: Partial<Settings>,
];

const line1 = '(/usr/share/defaults/kata-containers/configuration.toml, line 1)';
const dragonball = { hypervisors: ['dragonball'] };
const rows: readonly Row[] = [
  [
    'a template is switched on',
    'go',
    '1.2.0',
    '1.1.0',
    { 'factory.enable_template': true },
    'ReseedRandomDev',
    'on',
    'block',
    `enable_template = true ${line1}`,
  ],
  [
    'a cache of VMs',
    'go',
    '1.6.0',
    '1.4.0',
    { 'factory.vm_cache_number': 2 },
    'SetGuestDateTime',
    'on',
    'block',
    `vm_cache_number = 2 ${line1}`,
  ],
  ['no cache of VMs', 'go', '1.6.0', '1.4.0', { 'factory.vm_cache_number': 0 }, 'SetGuestDateTime', 'off', 'info', ''],
  [
    'swap is for few containers',
    'go',
    '2.2.0',
    '2.1.0',
    { 'hypervisor.qemu.enable_guest_swap': true },
    'AddSwap',
    'few',
    'warn',
    `enable_guest_swap = true ${line1}`,
  ],
  [
    'swap is off',
    'go',
    '2.2.0',
    '2.1.0',
    { 'hypervisor.qemu.enable_guest_swap': false },
    'AddSwap',
    'off',
    'info',
    `enable_guest_swap = false ${line1}`,
  ],
  [
    'swap is off, and a pod may switch it on',
    'go',
    '2.2.0',
    '2.1.0',
    {},
    'AddSwap',
    'few',
    'warn',
    '',
    { annotations: new Map([['qemu', ['.*']]]) },
  ],
  [
    'another annotation is none',
    'go',
    '2.2.0',
    '2.1.0',
    {},
    'AddSwap',
    'off',
    'info',
    '',
    { annotations: new Map([['qemu', ['enable_iommu']]]) },
  ],
  [
    'another hypervisor’s section does not count',
    'go',
    '2.2.0',
    '2.1.0',
    { 'hypervisor.clh.enable_guest_swap': true },
    'AddSwap',
    'off',
    'info',
    '',
  ],
  [
    'resources of sandboxes are static',
    'go',
    '3.2.0',
    '3.1.0',
    { 'runtime.static_sandbox_resource_mgmt': true },
    'UpdateEphemeralMounts',
    'off',
    'info',
    `static_sandbox_resource_mgmt = true ${line1}`,
  ],
  [
    'resources are updated unless that is set',
    'go',
    '3.2.0',
    '3.1.0',
    {},
    'UpdateEphemeralMounts',
    'on',
    'block',
    'static_sandbox_resource_mgmt = false (compiled in, as no configuration sets it)',
  ],
  [
    'more CPUs are counted otherwise',
    'go',
    '3.1.0',
    '3.2.0',
    {},
    'meaning.nb_cpus.agent',
    'most',
    'block',
    'static_sandbox_resource_mgmt = false (compiled in, as no configuration sets it)',
  ],
  [
    'not where they are static',
    'go',
    '3.1.0',
    '3.2.0',
    { 'runtime.static_sandbox_resource_mgmt': true },
    'meaning.nb_cpus.agent',
    'off',
    'none',
    '',
  ],
  [
    'nothing is shared: files are copied',
    'go',
    '1.5.0',
    '1.4.0',
    { 'hypervisor.qemu.shared_fs': 'none' },
    'CopyFile',
    'on',
    'block',
    `shared_fs = "none" ${line1}`,
  ],
  [
    'Firecracker shares nothing',
    'go',
    '1.5.0',
    '1.4.0',
    {},
    'CopyFile',
    'on',
    'block',
    'hypervisor = "firecracker" (/usr/share/defaults/kata-containers/configuration.toml)',
    { hypervisors: ['firecracker'] },
  ],
  [
    'Firecracker shares nothing, whatever is set: nothing is watched',
    'go',
    '2.2.0',
    '2.1.0',
    { 'hypervisor.firecracker.shared_fs': 'virtio-fs' },
    'driver.watchable-bind',
    'off',
    'info',
    'hypervisor = "firecracker" (/usr/share/defaults/kata-containers/configuration.toml)',
    { hypervisors: ['firecracker'] },
  ],
  [
    'of two hypervisors either may be the one',
    'go',
    '1.5.0',
    '1.4.0',
    {},
    'CopyFile',
    'unknown',
    'warn',
    '',
    { hypervisors: ['firecracker', 'qemu'] },
  ],
  [
    '9p at equal versions',
    'go',
    '4.1.0',
    '4.1.0',
    { 'hypervisor.qemu.shared_fs': 'virtio-9p' },
    'driver.9p',
    'on',
    'block',
    `shared_fs = "virtio-9p" ${line1}`,
  ],
  [
    'an empty string is what is compiled in',
    'go',
    '4.1.0',
    '4.1.0',
    { 'hypervisor.qemu.shared_fs': '' },
    'driver.9p',
    'off',
    'info',
    '',
  ],
  [
    'seccomp in the guest, for containers with a profile',
    'go',
    '2.0.0',
    '2.3.0',
    { 'runtime.disable_guest_seccomp': false },
    'message.LinuxSeccomp',
    'few',
    'warn',
    '',
  ],
  [
    'no seccomp in the guest',
    'go',
    '2.0.0',
    '2.3.0',
    { 'runtime.disable_guest_seccomp': true },
    'message.LinuxSeccomp',
    'off',
    'info',
    '',
  ],
  [
    'both keys of a condition',
    'go',
    '2.0.0',
    '2.4.0',
    { 'agent.kata.enable_tracing': true, 'agent.kata.trace_mode': 'dynamic' },
    'StartTracing',
    'on',
    'block',
    '',
  ],
  [
    'one of them alone',
    'go',
    '2.0.0',
    '2.4.0',
    { 'agent.kata.enable_tracing': true },
    'StartTracing',
    'off',
    'info',
    '',
  ],
  [
    'file descriptors are passed with Dragonball',
    'rust',
    '3.7.0',
    '3.2.0',
    { 'runtime.use_passfd_io': true },
    'meaning.passfd',
    'on',
    'block',
    '',
    dragonball,
  ],
  [
    'not with another hypervisor',
    'rust',
    '3.7.0',
    '3.2.0',
    { 'runtime.use_passfd_io': true },
    'meaning.passfd',
    'off',
    'info',
    '',
  ],
  ['nor where it is not set', 'rust', '3.7.0', '3.2.0', {}, 'meaning.passfd', 'off', 'info', '', dragonball],
  [
    'runtime-rs takes the section that is named',
    'rust',
    '3.7.0',
    '3.2.0',
    { 'runtime.hypervisor_name': 'dragonball', 'runtime.use_passfd_io': true },
    'meaning.passfd',
    'on',
    'block',
    '',
    { hypervisors: ['qemu', 'dragonball'] },
  ],
  [
    'encrypted disks for emptyDir',
    'go',
    '3.32.0',
    '4.0.0',
    { 'runtime.emptydir_mode': 'block-encrypted' },
    'option.create_filesystem.missing',
    'most',
    'block',
    `emptydir_mode = "block-encrypted" ${line1}`,
  ],
  [
    'plain disks for emptyDir',
    'go',
    '4.0.0',
    '3.32.0',
    { 'runtime.emptydir_mode': 'block-plain' },
    'option.create_filesystem',
    'most',
    'block',
    '',
  ],
  [
    'shared folders for emptyDir',
    'go',
    '3.32.0',
    '4.0.0',
    { 'runtime.emptydir_mode': 'shared-fs' },
    'option.create_filesystem.missing',
    'off',
    'info',
    '',
  ],
  [
    'a snapshotter',
    'go',
    '3.17.0',
    '3.16.0',
    {},
    'option.create_directory',
    'on',
    'block',
    'snapshotter = "erofs" (/etc/containerd/config.toml, line 7)',
    { snapshotters: [{ value: 'erofs', path: '/etc/containerd/config.toml', line: 7 }] },
  ],
  [
    'another snapshotter',
    'go',
    '3.17.0',
    '3.16.0',
    {},
    'option.create_directory',
    'off',
    'info',
    '',
    { snapshotters: [{ value: 'overlayfs', path: '/etc/containerd/config.toml', line: 7 }] },
  ],
  [
    'disks with partitions, where layers are not merged',
    'rust',
    '4.0.0',
    '3.31.0',
    {},
    'option.gpt-partitioned',
    'few',
    'warn',
    'snapshotter = "erofs" (/etc/containerd/config.toml, line 7)',
    { snapshotters: [{ value: 'erofs', path: '/etc/containerd/config.toml', line: 7 }] },
  ],
  ['only on s390x', 'go', '3.15.0', '3.14.0', {}, 'path.devicePath', 'few', 'warn', '', { architecture: 's390x' }],
  ['nowhere else', 'go', '3.15.0', '3.14.0', {}, 'path.devicePath', 'off', 'info', ''],
  [
    'a configuration that cannot be read may set everything',
    'go',
    '3.2.0',
    '3.1.0',
    {},
    'UpdateEphemeralMounts',
    'unknown',
    'warn',
    '',
    { isPartial: true },
  ],
  ['a policy is for pods that bring one', 'go', '3.3.0', '3.2.0', {}, 'SetPolicy', 'few', 'warn', ''],
  [
    'a policy for all, in runtime-rs',
    'rust',
    '3.23.0',
    '3.2.0',
    { 'agent.kata.policy': 'x' },
    'SetPolicy.config',
    'on',
    'block',
    '',
  ],
  ['an operation of the container engine', 'go', '1.1.0', '1.0.0', {}, 'PauseContainer', 'hand', 'block', ''],
  ['an operation of Kata’s own tools', 'go', '2.4.0', '2.3.0', {}, 'GetVolumeStats', 'hand', 'warn', ''],
  ['what is only logged', 'go', '1.12.0', '1.11.0', {}, 'GetOOMEvent', 'always', 'info', ''],
];

for (const [rule, language, runtime, agent, values, id, outcome, weight, decided, parts] of rows) {
  test(`${rule}: ${id}`, () => {
    const found = met(runtime, agent, language, settingsOf(values, parts)).find(({ row }) => row.id === id);
    assert.equal([found?.outcome, found?.weight], [outcome, weight]);
    const told = found?.decisions.map(decisionText) ?? [];
    if (decided !== '') assert.ok(told.includes(decided), told.join('; '));
  });
}

test('the founding pair is stopped, and PauseContainer is among what is missing', () => {
  const found = met('1.1.0', '1.0.0', 'go', settingsOf());
  assert.is(codeOf(found), 'KC103');
  const names = found.filter(({ weight }) => weight === 'block').map(({ row }) => row.name);
  assert.equal(names.sort(), ['PauseContainer', 'ResumeContainer', 'ephemeral']);
});

const doubts: readonly [rule: string, runtime: string, agent: string, code: ReturnType<typeof codeOf>][] = [
  ['a language that is not known: either way it breaks', '3.3.0', '3.1.0', 'KC103'],
  ['likewise for a pre-release', '3.4.0-rc0', '3.1.0', 'KC103'],
  ['before 3.0 there is only Go', '2.2.0', '2.1.0', 'KC103'],
  ['a pre-release at a step: both sides break', '3.3.0-alpha0', '1.12.1', 'KC102'],
  ['likewise, by other rows on each side', '3.2.0-rc0', '2.0.0', 'KC103'],
  ['a pre-release at a step: only one side breaks', '2.2.0-rc0', '2.1.0', 'KC107'],
  ['a build behind a tag: the next release breaks', '2.1.0+git1', '2.1.0', 'KC107'],
  ['a build behind a tag: nothing comes', '3.12.0-57-g0123abcde', '3.12.0', null],
];

for (const [rule, runtime, agent, code] of doubts) {
  test(rule, () => assert.is(codeOf(met(runtime, agent, null, stockSettings('go', '3.2.0'))), code));
}

test('Go alone: 3.2.0-rc0 with an agent 2.0.0 breaks on both sides of the step, each by its own rows', () => {
  assert.ok(codeOf(met('3.2.0-rc0', '2.0.0', 'go', settingsOf())) !== 'KC107');
  assert.is(codeOf(met('3.3.0-alpha0', '3.1.0', 'go', settingsOf())), 'KC103');
});

test('an unknown configuration: what always holds is proof, and what a setting decides is a doubt', () => {
  const unknown = unknownSettings('other');
  assert.is(codeOf(met('1.3.0', '1.2.0', null, unknown)), 'KC103');
  assert.is(codeOf(met('3.2.0', '3.1.0', 'go', unknown)), 'KC107');
  assert.is(codeOf(met('3.13.0', '3.12.0', null, unknown)), null);
});

test('of several configurations one that breaks is enough, unless nobody says which of them is read', () => {
  const readers = [settingsOf(), settingsOf({ 'runtime.static_sandbox_resource_mgmt': true })].map((settings) => ({
    languages: ['go'] as const,
    settings,
  }));
  const code = (isSure: boolean) =>
    codeOf(reach(version('3.2.0'), version('3.1.0'), readers, isSure, builtIn)?.met ?? []);
  assert.equal([code(true), code(false)], ['KC103', 'KC107']);
});

test('what is not covered is not judged, and a build behind the last release only where it is proven', () => {
  const readers = [{ languages: ['go'] as const, settings: settingsOf() }];
  const weight = (runtime: string, agent: string) =>
    reach(version(runtime), version(agent), readers, true, builtIn)?.weight;
  assert.is(weight('4.2.0', '4.1.0'), undefined);
  assert.is(weight('4.1.0-57-g0123abcde', '4.1.0'), undefined);
  assert.is(weight('4.1.0-57-g0123abcde', '1.12.0'), 'block');
});

const releases = [...new Set(pairs.map((line) => /^\w+ \w+ (\S+):/.exec(line)?.[1] ?? ''))];

test('over all releases: nothing is proven against an agent of the same release, and a range holds no agent that is blocked', () => {
  for (const language of ['go', 'rust'] as const) {
    for (const runtime of releases.filter((one) => language === 'go' || version(one).major > 2)) {
      const settings = stockSettings(language, runtime);
      // Not even for the agent 2.0, which had lost the driver nvdimm that its own runtime sends for few pods.
      assert.is(codeOf(met(runtime, runtime, language, settings)), null, runtime);
      const range = rangeOfAgents(version(runtime), [{ languages: [language], settings }], true, builtIn);
      assert.ok(range !== undefined && isInRange(version(runtime), range), runtime);
      for (const agent of releases) {
        const isBlocked = met(runtime, agent, language, settings)[0]?.weight === 'block';
        if (range !== undefined && isInRange(version(agent), range)) assert.not.ok(isBlocked, `${runtime} ${agent}`);
      }
    }
  }
});

const ranges: readonly [runtime: string, range: string][] = [
  ['1.1.0', '>=1.1.0 <2.0.0'],
  ['2.1.0', '>=2.0.0 <3.2.0'],
  ['3.27.2', '>=3.2.0'],
  ['2.2.0-rc0', '>=2.0.0 <3.2.0'],
];

for (const [runtime, expected] of ranges) {
  test(`the agents of ${runtime}`, () => {
    const readers = [{ languages: ['go'] as const, settings: settingsOf() }];
    assert.is(rangeOfAgents(version(runtime), readers, true, builtIn)?.text, expected);
  });
}

test('a setting that no agent of the release understands leaves the older ones', () => {
  const readers = [{ languages: ['go'] as const, settings: settingsOf({ 'hypervisor.qemu.shared_fs': 'virtio-9p' }) }];
  assert.is(rangeOfAgents(version('4.1.0'), readers, true, builtIn)?.text, '>=3.2.0 <3.29.0');
});
