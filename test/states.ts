/** What the judge is given and gives, for tests of it, of its checks and of the reports. */

import type { Report } from '../src/check.ts';
import type { Check } from '../src/judge/checks/check.ts';
import { type PairCheck, usedPairs } from '../src/judge/checks/used-pair.ts';
import type { Finding } from '../src/judge/findings.ts';
import { judge } from '../src/judge/judge.ts';
import type { Policy } from '../src/judge/policy.ts';
import { builtIn, rangeOfAgents } from '../src/protocol/reach.ts';
import type { Settings } from '../src/protocol/settings.ts';
import type { ImageFacts } from '../src/read/image.ts';
import type { Image, Reading, Runtime, State } from '../src/state/node.ts';
import { readsOf } from '../src/state/reading.ts';
import { parseRule, rangeOfRule, ruleText } from '../src/state/rule.ts';
import { parseRange, parseVersion, type Version, type VersionRange } from '../src/version.ts';

export const imagePath = '/usr/share/kata-containers/kata-containers.img';

export const usualPolicy: Policy = { mode: 'block', allow: new Set(), severity: new Map(), strict: false };

/** A disk as Kata's builder makes it, in which no version was looked for. */
export const diskFacts: ImageFacts = {
  path: imagePath,
  resolvedPath: imagePath,
  form: 'disk',
  table: 'mbr',
  dax: true,
  partitions: 1,
  partition: 1,
  offset: 3145728,
  filesystem: 'ext4',
  compression: null,
  agent: null,
  kind: 'guest',
  unknown: null,
  contradiction: null,
  unchecked: null,
  notes: [],
  problem: null,
};

/** A configuration that sets these keys, as `runtime.vfio_mode`, in lines 1, 2, ... of its file. */
export function settingsOf(
  values: Readonly<Record<string, string | number | boolean>> = {},
  parts: Partial<Settings> = {},
): Settings {
  const path = parts.path ?? packagedConfig;
  return {
    path,
    hypervisors: ['qemu'],
    values: new Map(Object.entries(values).map(([key, value], index) => [key, { value, path, line: index + 1 }])),
    annotations: new Map(),
    snapshotters: [],
    architecture: 'other',
    isPartial: false,
    ...parts,
  };
}

export function readingOf(...all: readonly Settings[]): Reading {
  const configurations = all.map((settings) => ({ settings, readers: [{ prefix: '/usr', language: null }] }));
  return { configurations, languages: ['go'], architecture: 'other' };
}

export function stateOf(runtimes: readonly Runtime[], images: readonly Image[], parts: Partial<State> = {}): State {
  return {
    runtimes,
    images,
    configurations: [],
    unread: [],
    manager: null,
    commandLine: null,
    onlyChanges: false,
    changing: null,
    sandboxes: null,
    measured: [],
    reading: usualReading,
    known: builtIn,
    ...parts,
  };
}

export function reportOf(
  runtimes: readonly Runtime[],
  images: readonly Image[],
  parts: Partial<State> = {},
  policy: Partial<Policy> = {},
): Report {
  const state = stateOf(runtimes, images, parts);
  return { state, warnings: [], ...judge(state, { ...usualPolicy, ...policy }) };
}

export const packagedConfig = '/usr/share/defaults/kata-containers/configuration.toml';

/** A node with Go and QEMU, whose configuration sets nothing. */
export const usualReading = readingOf(settingsOf());

export type Requires =
  | { readonly declares: string }
  | { readonly rule: string }
  | { readonly history: 'minor' | 'exact' }
  | { readonly problem: string };

/** A runtime of this version; without more, an installed one below /usr for which the rule "minor" speaks. */
export function runtime(
  written: string | null,
  requires: Requires = { rule: 'minor' },
  parts: Partial<Runtime> = {},
): Runtime {
  const version = written === null ? undefined : parseVersion(written);
  const requirement =
    'problem' in requires
      ? null
      : 'declares' in requires
        ? { range: parseRange(requires.declares) as VersionRange, source: 'its package', isRule: false }
        : 'history' in requires
          ? historyRequirement(requires.history, version as Version)
          : ruleRequirement(requires.rule, version as Version);
  return {
    name: 'kata-runtime',
    versionText: written,
    version,
    isIncoming: false,
    source: '/usr/bin/kata-runtime',
    prefix: '/usr',
    language: 'go',
    versionSource: 'package kata-runtime',
    versionDoubt: null,
    description: null,
    requirement,
    requirementProblem: 'problem' in requires ? requires.problem : null,
    replaces: null,
    ...parts,
  };
}

export function ruleRequirement(text: string, version: Version): Runtime['requirement'] {
  const rule = parseRule(text) as NonNullable<ReturnType<typeof parseRule>>;
  return { range: rangeOfRule(rule, version), source: `rule ${ruleText(rule)}`, isRule: true };
}

export function historyRequirement(rule: string, version: Version): Runtime['requirement'] {
  const { readers, isSure } = readsOf(usualReading, { prefix: null, language: null }, null);
  const range = rangeOfAgents(version, readers, isSure, builtIn) as VersionRange;
  const otherwise = ruleRequirement(rule, version) as NonNullable<Runtime['requirement']>;
  return { range, source: 'protocol history', isRule: false, otherwise };
}

export function incomingRuntime(written: string | null, requires?: Requires, parts: Partial<Runtime> = {}): Runtime {
  return runtime(written, requires, { isIncoming: true, source: '/x.deb', replaces: '3.4.0-1', ...parts });
}

export function image(agent: string | null, parts: Partial<Image> = {}, facts: Partial<ImageFacts> = {}): Image {
  const version = agent === null ? undefined : (parseVersion(agent) as Version);
  return {
    facts: {
      ...diskFacts,
      agent:
        version === undefined ? null : { version, source: 'osbuilder.yaml', path: '/var/lib/osbuilder/osbuilder.yaml' },
      ...facts,
    },
    description: null,
    usedBy: [{ path: packagedConfig, prefix: '/usr', language: null }],
    package: 'kata-containers-image',
    incoming: null,
    removedBy: null,
    rebuiltBy: null,
    ...parts,
  };
}

/** `stated`: its field Kata-Agent-Version; `installed`: what is there now, which must not count. */
export function incomingImage(
  stated: string | null,
  installed: string | null = '1.0.0',
  facts: Partial<ImageFacts> = {},
): Image {
  const version = stated === null ? undefined : parseVersion(stated);
  return image(
    installed,
    {
      incoming: {
        package: 'kata-containers-image 3.5.0-1',
        versionText: stated,
        version,
        isRead: false,
        problem: null,
      },
    },
    facts,
  );
}

/** Read out of the package, in place of what is there. */
export function readImage(agent: string | null, facts: Partial<ImageFacts> = {}): Image {
  const { facts: read } = image(agent, {}, facts);
  const problem = read.problem?.message ?? read.unknown;
  const package_ = { package: 'kata-containers-image 3.5.0-1', versionText: null };
  return { ...image(agent, {}, facts), incoming: { ...package_, version: read.agent?.version, isRead: true, problem } };
}

export const absent = { problem: { kind: 'not-found', message: `${imagePath}: no such file or directory` } } as const;
export const corrupt = { problem: { kind: 'corrupt', message: 'ext4 superblock: no' } } as const;
export const extension = { kind: 'extension', filesystem: 'erofs' } as const;
export const atOpt = { prefix: '/opt/kata', name: '/opt/kata/bin/kata-runtime' } as const;

export const declares: Requires = { declares: '>=3.4.0 <3.6.0' };
export const history: Requires = { history: 'minor' };
export const unknownRequirement: Requires = { problem: 'its version is not known' };

export type JudgeRow = readonly [
  rule: string,
  runtimes: readonly Runtime[],
  images: readonly Image[],
  /** As `told` has them. */
  findings: readonly string[],
  parts?: { readonly policy?: Partial<Policy>; readonly onlyChanges?: boolean; readonly isByHand?: boolean },
];

/** `code severity path` of each, without the usual path. */
export function told(findings: readonly Finding[]): string[] {
  return findings.map(({ code, severity, affects }) =>
    `${code} ${severity} ${code === 'KC204' ? '' : affects.join(' ').replace(imagePath, '')}`.trim(),
  );
}

export function examinedPairs(checks: readonly PairCheck[], state: State, policy = usualPolicy): Finding[] {
  return usedPairs(state).flatMap((pair) => checks.flatMap((check) => check.examine(pair, policy)));
}

export function examined(checks: readonly Check[], state: State, policy = usualPolicy): Finding[] {
  return checks.flatMap((check) => check.examine(state, policy));
}
