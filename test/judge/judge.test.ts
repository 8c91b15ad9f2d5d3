import * as assert from 'uvu/assert';
import { judge } from '../../src/judge/judge.ts';
import type { Policy } from '../../src/judge/policy.ts';
import type { Measured } from '../../src/locate/measured.ts';
import { rangeByHistory } from '../../src/protocol/compare.ts';
import type { ImageFacts } from '../../src/read/image.ts';
import type { Image, Runtime, State } from '../../src/state/node.ts';
import { parseRule, rangeOfRule, ruleText } from '../../src/state/rule.ts';
import { parseRange, parseVersion, type Version, type VersionRange } from '../../src/version.ts';
import { diskFacts, imagePath, stateOf, usualPolicy } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the judge');

const packagedConfig = '/usr/share/defaults/kata-containers/configuration.toml';

type Requires =
  | { readonly declares: string }
  | { readonly rule: string }
  | { readonly history: 'minor' | 'exact' }
  | { readonly problem: string };

/** A runtime of this version; without more, an installed one below /usr for which the rule "minor" speaks. */
function runtime(
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
    requirement,
    requirementProblem: 'problem' in requires ? requires.problem : null,
    replaces: null,
    ...parts,
  };
}

function ruleRequirement(text: string, version: Version): Runtime['requirement'] {
  const rule = parseRule(text) as NonNullable<ReturnType<typeof parseRule>>;
  return { range: rangeOfRule(rule, version), source: `rule ${ruleText(rule)}`, isRule: true };
}

function historyRequirement(rule: string, version: Version): Runtime['requirement'] {
  const range = rangeByHistory(version) as VersionRange;
  const otherwise = ruleRequirement(rule, version) as NonNullable<Runtime['requirement']>;
  return { range, source: 'protocol history', isRule: false, otherwise };
}

function incomingRuntime(written: string | null, requires?: Requires, parts: Partial<Runtime> = {}): Runtime {
  return runtime(written, requires, { isIncoming: true, source: '/x.deb', replaces: '3.4.0-1', ...parts });
}

function image(agent: string | null, parts: Partial<Image> = {}, facts: Partial<ImageFacts> = {}): Image {
  const version = agent === null ? undefined : (parseVersion(agent) as Version);
  return {
    facts: {
      ...diskFacts,
      agent:
        version === undefined ? null : { version, source: 'osbuilder.yaml', path: '/var/lib/osbuilder/osbuilder.yaml' },
      ...facts,
    },
    usedBy: [{ path: packagedConfig, prefix: '/usr', language: null }],
    package: 'kata-containers-image',
    incoming: null,
    removedBy: null,
    ...parts,
  };
}

/** `stated`: its field Kata-Agent-Version; `installed`: what is there now, which must not count. */
function incomingImage(
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
function readImage(agent: string | null, facts: Partial<ImageFacts> = {}): Image {
  const { facts: read } = image(agent, {}, facts);
  const problem = read.problem?.message ?? read.unknown;
  const package_ = { package: 'kata-containers-image 3.5.0-1', versionText: null };
  return { ...image(agent, {}, facts), incoming: { ...package_, version: read.agent?.version, isRead: true, problem } };
}

const absent = { problem: { kind: 'not-found', message: `${imagePath}: no such file or directory` } } as const;
const corrupt = { problem: { kind: 'corrupt', message: 'ext4 superblock: no' } } as const;
const extension = { kind: 'extension', filesystem: 'erofs' } as const;
const atOpt = { prefix: '/opt/kata', name: '/opt/kata/bin/kata-runtime' } as const;

type Row = readonly [
  rule: string,
  runtimes: readonly Runtime[],
  images: readonly Image[],
  /** `code severity path`, without the usualPolicy path. */
  findings: readonly string[],
  parts?: { readonly policy?: Partial<Policy>; readonly onlyChanges?: boolean },
];

const declares: Requires = { declares: '>=3.4.0 <3.6.0' };
const history: Requires = { history: 'minor' };
const unknownRequirement: Requires = { problem: 'its version is not known' };

const rows: readonly Row[] = [
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

  // What is not known.
  ['the image names no version', [runtime('3.4.0')], [image(null, {}, { unknown: 'x' })], ['KC201 warn']],
  ['the image cannot be read', [runtime('3.4.0')], [image(null, {}, corrupt)], ['KC202 warn']],
  ['it could be read in part', [runtime('3.4.0')], [image('3.4.0', {}, corrupt)], ['KC202 warn']],
  ['it is not there', [runtime('3.4.0')], [image(null, {}, absent)], ['KC203 warn']],
  ['no requirement', [runtime(null, unknownRequirement)], [image('3.4.0')], ['KC204 warn']],
  ['no requirement, and nothing to hold against it', [runtime(null, unknownRequirement)], [], []],
  [
    'no requirement and no version: both are said',
    [runtime(null, unknownRequirement)],
    [image(null)],
    ['KC204 warn', 'KC201 warn'],
  ],
  ['the incoming image does not say', [runtime('3.4.0')], [incomingImage(null)], ['KC205 warn']],
  ['it does not say, and was read', [runtime('3.4.0')], [readImage('3.4.0')], []],
  ['and does not fit', [runtime('3.4.0', { declares: '>=3.5.0' })], [readImage('3.4.0')], ['KC101 block']],
  ['and is an extension', [runtime('3.4.0')], [readImage(null, extension)], []],
  ['and cannot be read', [runtime('3.4.0')], [readImage(null, corrupt)], ['KC205 warn']],
  ['and names no agent', [runtime('3.4.0')], [readImage(null, { unknown: 'no word of it' })], ['KC205 warn']],
  ['what it says is no version', [runtime('3.4.0')], [incomingImage('latest')], ['KC205 warn']],
  ['an extension image needs no agent', [runtime('3.4.0')], [image(null, {}, extension)], []],
  ['an incoming one states none', [runtime('3.4.0')], [incomingImage(null, null, extension)], []],
  [
    'unless its package states one',
    [runtime('3.4.0', declares)],
    [incomingImage('3.3.0', null, extension)],
    ['KC101 block'],
  ],

  // The state after the transaction counts.
  ['runtime and image together', [incomingRuntime('3.5.0', { declares: '>=3.5.0' })], [incomingImage('3.5.0')], []],
  [
    'together, and they do not fit',
    [incomingRuntime('3.5.0', { declares: '>=3.5.0' })],
    [incomingImage('3.4.0', '3.5.0')],
    ['KC101 block'],
  ],
  [
    'the image alone against the installed runtime',
    [runtime('3.4.0', declares)],
    [incomingImage('3.6.0', '3.4.0')],
    ['KC101 block'],
  ],
  ['the image alone, and it fits', [runtime('3.4.0', declares)], [incomingImage('3.5.0', '1.0.0')], []],
  [
    'what is broken now is mended by what comes',
    [runtime('3.4.0', declares)],
    [incomingImage('3.5.0', null, corrupt)],
    [],
  ],
  ['what is missing now, too', [runtime('3.4.0', declares)], [incomingImage('3.5.0', null, absent)], []],
  [
    'a downgrade of the runtime',
    [incomingRuntime('3.3.0', { declares: '<3.4.0' }, { replaces: '3.4.0-1' })],
    [image('3.4.0')],
    ['KC101 block'],
  ],
  [
    'the image goes and the runtime stays',
    [runtime('3.4.0')],
    [image('3.4.0', { removedBy: 'kata-containers-image' })],
    ['KC302 warn'],
  ],
  [
    'the image goes and the runtime is upgraded',
    [incomingRuntime('3.5.0', declares)],
    [image('3.4.0', { removedBy: 'kata-containers-image' })],
    ['KC302 warn'],
  ],
  ['both go', [], [image('3.4.0', { removedBy: 'kata-containers-image' })], []],

  // Only what the transaction changes.
  [
    'an old mismatch between two that stay is no reason to stop',
    [runtime('3.4.0', declares)],
    [image('1.0.0')],
    [],
    { onlyChanges: true },
  ],
  ['nor is what is not known of them', [runtime(null, unknownRequirement)], [image(null)], [], { onlyChanges: true }],
  [
    'an incoming runtime is judged',
    [incomingRuntime('3.4.0', declares)],
    [image('1.0.0')],
    ['KC101 block'],
    { onlyChanges: true },
  ],
  [
    'an incoming image is',
    [runtime('3.4.0', declares)],
    [incomingImage('1.0.0')],
    ['KC101 block'],
    { onlyChanges: true },
  ],
  ['a removal is', [runtime('3.4.0')], [image('3.4.0', { removedBy: 'x' })], ['KC302 warn'], { onlyChanges: true }],
  [
    'of two runtimes only the one that changes, with the image that stays',
    [incomingRuntime('3.4.0', declares), runtime('1.0.0', unknownRequirement, { ...atOpt, prefix: null })],
    [image('1.0.0')],
    ['KC101 block'],
    { onlyChanges: true },
  ],

  // Which runtime reads which configuration.
  [
    "a runtime below /opt/kata is not judged with the image of /usr's configuration",
    [runtime('4.0.0', declares, atOpt)],
    [image('1.0.0')],
    [],
  ],
  [
    'with that of its own it is',
    [runtime('4.0.0', declares, atOpt)],
    [image('1.0.0', { usedBy: [{ path: '/c', prefix: '/opt/kata', language: null }] })],
    ['KC101 block'],
  ],
  [
    'with that of a local configuration all are',
    [runtime('4.0.0', declares, atOpt), runtime('3.4.0')],
    [image('3.3.0', { usedBy: [{ path: '/etc/c', prefix: null, language: null }] })],
    ['KC101 block', 'KC104 warn'],
  ],
  [
    'one of several configurations is enough',
    [runtime('4.0.0', declares, atOpt)],
    [
      image('1.0.0', {
        usedBy: [
          { path: '/c', prefix: '/usr', language: null },
          { path: '/d', prefix: '/opt/kata', language: null },
        ],
      }),
    ],
    ['KC101 block'],
  ],
  [
    'a runtime of no known place is judged with all',
    [runtime('4.0.0', declares, { prefix: null })],
    [image('1.0.0')],
    ['KC101 block'],
  ],
  [
    'an image that nothing names is judged with all',
    [runtime('4.0.0', declares, atOpt)],
    [image('1.0.0', { usedBy: [] })],
    ['KC101 block'],
  ],
  [
    'KC204 needs an image that belongs to the runtime, too',
    [runtime(null, unknownRequirement, atOpt)],
    [image('1.0.0')],
    [],
  ],

  // All of them, not the first.
  [
    'each image by itself',
    [runtime('3.4.0', declares)],
    [
      image('1.0.0', {}, { path: '/a' }),
      image(null, {}, { path: '/b', ...absent }),
      image('3.5.0', {}, { path: '/c' }),
      image(null, {}, { path: '/d' }),
    ],
    ['KC101 block /a', 'KC203 warn /b', 'KC201 warn /d'],
  ],
  [
    'each runtime by itself',
    [runtime('3.4.0', declares), runtime('3.5.0'), runtime('3.9.0', { declares: '*' })],
    [image('3.3.0')],
    ['KC101 block', 'KC104 warn'],
  ],
  [
    'one finding for an image that several runtimes cannot use',
    [runtime('3.4.0'), runtime('3.5.0', { rule: 'exact' }, { name: 'other' })],
    [image(null)],
    ['KC201 warn'],
  ],

  // The policy.
  ['mode warn', [runtime('3.4.0', declares)], [image('1.0.0')], ['KC101 warn'], { policy: { mode: 'warn' } }],
  ['allow', [runtime('3.4.0', declares)], [image('1.0.0')], ['KC101 warn'], { policy: { allow: new Set(['KC101']) } }],
  [
    'allow of another code',
    [runtime('3.4.0', declares)],
    [image('1.0.0')],
    ['KC101 block'],
    { policy: { allow: new Set(['KC104']) } },
  ],
  [
    'severity',
    [runtime('3.4.0')],
    [image(null)],
    ['KC201 block'],
    { policy: { severity: new Map([['KC201', 'block']]) } },
  ],
  [
    'a finding made a note',
    [runtime('3.4.0', declares)],
    [image('1.0.0')],
    ['KC101 info'],
    { policy: { severity: new Map([['KC101', 'info']]) } },
  ],
  ['strict', [runtime('3.5.0')], [image('3.4.0')], ['KC104 block'], { policy: { strict: true } }],
];

const order = ['ok', 'info', 'warn', 'block'];

for (const [rule, runtimes, images, expected, { policy = {}, onlyChanges = false } = {}] of rows) {
  test(rule, () => {
    const { findings, verdict } = judge(stateOf(runtimes, images, { onlyChanges }), { ...usualPolicy, ...policy });
    const told = findings.map(({ code, severity, affects }) =>
      `${code} ${severity} ${code === 'KC204' ? '' : affects.join(' ').replace(imagePath, '')}`.trim(),
    );
    assert.equal(told, expected);
    const worst = Math.max(0, ...findings.map(({ severity }) => order.indexOf(severity)));
    assert.is(verdict, order[worst]);
  });
}

test('the verdict is the worst of all, wherever it stands', () => {
  const images = [image(null, {}, { path: '/a' }), image('1.0.0', {}, { path: '/b' }), image(null, {}, { path: '/c' })];
  assert.is(judge(stateOf([runtime('3.4.0', declares)], images), usualPolicy).verdict, 'block');
});

test('a finding has its facts with their sources, what would happen, and what to do', () => {
  const coming = incomingRuntime('3.5.0-1', { declares: '>=3.5.0' }, { replaces: '3.4.0-1' });
  const [finding] = judge(stateOf([coming], [image('3.4.0')], { manager: 'apt' }), usualPolicy).findings;
  assert.equal(finding, {
    code: 'KC101',
    severity: 'block',
    title: 'the guest image does not fit the incoming Kata runtime',
    facts: [
      { label: 'incoming', value: 'kata-runtime 3.5.0-1', from: 'agent >=3.5.0 (its package)' },
      { label: 'installed', value: 'agent 3.4.0', from: `${imagePath}\next4 in partition 1, osbuilder.yaml` },
    ],
    consequence: 'containers may fail to start or at a later call: this runtime works with agent >=3.5.0, not 3.4.0',
    affects: [imagePath],
    remedy: {
      text: 'install a guest image with an agent >=3.5.0, or keep kata-runtime at 3.4.0-1; drain the node before',
      commands: ['apt-get install kata-runtime kata-containers-image'],
    },
  });
});

test('the history names the calls that are missing, each with what makes it', () => {
  const coming = incomingRuntime('3.29.0-1', history, { replaces: '3.12.0-1' });
  const [finding] = judge(stateOf([coming], [image('3.12.0')]), usualPolicy).findings;
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
    remedy: {
      text: 'install a guest image with an agent >=3.29.0, or keep kata-runtime at 3.12.0-1; drain the node before',
      commands: [],
    },
  });
});

test('where nothing gets through, single calls are not listed', () => {
  const [finding] = judge(stateOf([runtime('2.0.0', history)], [image('1.12.0')]), usualPolicy).findings;
  assert.match(finding?.consequence ?? '', /^gRPC to ttRPC in 2\.0\.0/);
  assert.is(finding?.facts.length, 2);
});

test('a driver that may be refused: both of the same release settle it', () => {
  const [finding] = judge(stateOf([runtime('3.12.0', history)], [image('3.29.0')]), usualPolicy).findings;
  assert.is(finding?.title, 'names of drivers or device paths differ between runtime and agent');
  assert.match(finding?.consequence ?? '', /^the agent may refuse or misread: driver 9p, /);
  assert.match(finding?.remedy.text ?? '', /^install a guest image with an agent 3\.12\.0;/);
});

test('the rule that decides where the table ends is named, and the end is', () => {
  const [finding] = judge(stateOf([runtime('4.1.0', history)], [image('4.2.0')]), usualPolicy).findings;
  assert.is(
    finding?.consequence,
    'perhaps: nothing declares that agent 4.2.0 works with runtime 4.1.0, and the protocol history ends at 4.1',
  );
  assert.is(finding?.facts[0]?.from, 'agent >=4.1.0-0 <4.2.0-0 (rule minor)');
});

test('an installed runtime is called so', () => {
  const [finding] = judge(stateOf([runtime('3.4.0', declares)], [image('1.0.0')]), usualPolicy).findings;
  assert.is(finding?.title, 'the guest image does not fit the installed Kata runtime');
  assert.is(finding?.facts[0]?.label, 'installed');
});

test('a missing image names the configurations that use it', () => {
  const usedBy = [
    { path: '/etc/kata-containers/configuration.toml', prefix: null, language: null },
    { path: '/etc/kata-check.conf, line 3', prefix: null, language: null },
  ];
  const [finding] = judge(stateOf([runtime('3.4.0')], [image(null, { usedBy }, absent)]), usualPolicy).findings;
  assert.equal(
    finding?.facts.filter(({ label }) => label === 'used by').map(({ value }) => value),
    usedBy.map(({ path }) => path),
  );
  assert.is(finding?.consequence, absent.problem.message);
});

test('a rule says what it does not know, and nothing of a declaration', () => {
  const [finding] = judge(stateOf([incomingRuntime('3.5.0')], [image('3.4.0')]), usualPolicy).findings;
  assert.is(finding?.consequence, 'perhaps: nothing declares that agent 3.4.0 works with runtime 3.5.0');
});

const consequences: readonly [rule: string, image: Image, said: string][] = [
  [
    'a package without the field',
    incomingImage(null),
    'its package states no agent, and what it brings could not be read: no version was found',
  ],
  [
    'a package with another word in it',
    incomingImage('latest'),
    'its package states the agent latest, which is no version',
  ],
  [
    'an image that tells why',
    image(null, {}, { unknown: 'osbuilder.yaml does not say it' }),
    'osbuilder.yaml does not say it',
  ],
  ['an image that tells nothing', image(null), 'no version was found'],
];

for (const [rule, one, said] of consequences) {
  test(`why it is not known: ${rule}`, () => {
    assert.is(judge(stateOf([runtime('3.4.0')], [one]), usualPolicy).findings[0]?.consequence, said);
  });
}

const commands: readonly [rule: string, runtime: Runtime, image: Image, commands: readonly string[]][] = [
  [
    'the runtime comes: with the package of the image',
    incomingRuntime('3.5.0', declares),
    image('1.0.0'),
    ['apt-get install kata-runtime kata-containers-image'],
  ],
  [
    'no package owns the image: the runtime is kept',
    incomingRuntime('3.5.0', declares),
    image('1.0.0', { package: null }),
    ['apt-mark hold kata-runtime'],
  ],
  [
    'one package is both',
    incomingRuntime('3.5.0', declares, { name: 'kata-containers' }),
    image('1.0.0', { package: 'kata-containers' }),
    ['apt-mark hold kata-containers'],
  ],
  [
    'the image comes: by its name, without its version',
    runtime('3.4.0', declares),
    incomingImage('1.0.0'),
    ['apt-get install kata-containers-image kata-runtime'],
  ],
  [
    'no package owns the runtime: the image is kept',
    runtime('3.4.0', declares, atOpt),
    { ...incomingImage('1.0.0'), usedBy: [] },
    ['apt-mark hold kata-containers-image'],
  ],
  [
    'both come, and do not fit',
    incomingRuntime('3.5.0', declares),
    incomingImage('1.0.0'),
    ['apt-mark hold kata-runtime kata-containers-image'],
  ],
  [
    'a name is one word of the shell',
    incomingRuntime('3.5.0', declares, { name: 'kata; reboot' }),
    image('1.0.0', { package: null }),
    ["apt-mark hold 'kata; reboot'"],
  ],
];

for (const [rule, one, other, expected] of commands) {
  test(`commands for apt: ${rule}`, () => {
    const [finding] = judge(stateOf([one], [other], { manager: 'apt' }), usualPolicy).findings;
    assert.equal(finding?.remedy.commands, expected);
    assert.equal(judge(stateOf([one], [other]), usualPolicy).findings[0]?.remedy.commands, []);
  });
}

const words: readonly [rule: string, path: string, command: string][] = [
  ['plain', '/srv/kata-1.0_x+y:z.img', 'kata-check image /srv/kata-1.0_x+y:z.img'],
  ['a blank', '/srv/my image', "kata-check image '/srv/my image'"],
  ['what a shell would run', '/srv/$(reboot)`x`;y', "kata-check image '/srv/$(reboot)`x`;y'"],
  ['a quotation mark', "/srv/it's", "kata-check image '/srv/it'\\''s'"],
  ['a line break', '/srv/a\nb', "kata-check image '/srv/a\nb'"],
  ['not ASCII', '/srv/ä', "kata-check image '/srv/ä'"],
];

for (const [rule, path, command] of words) {
  test(`a path in a command is one word of the shell: ${rule}`, () => {
    const [finding] = judge(stateOf([runtime('3.4.0')], [image(null, {}, { path, ...corrupt })]), usualPolicy).findings;
    assert.equal(finding?.remedy.commands, [command]);
  });
}

const two = { running: 2, ids: ['sandbox-1', 'sandbox-2'] };
const drains: readonly [
  rule: string,
  isIncoming: boolean,
  sandboxes: State['sandboxes'],
  expected: readonly string[],
][] = [
  ['sandboxes that run while a runtime comes in are said', true, two, ['KC301 warn']],
  ["without a change they are nobody's matter", false, two, []],
  ['none runs', true, { running: 0, ids: [] }, []],
  ['whether some run is not known', true, null, []],
];

for (const [rule, isIncoming, sandboxes, expected] of drains) {
  test(rule, () => {
    const state = stateOf([{ ...runtime('3.4.0'), isIncoming }], [image('3.4.0')], { sandboxes });
    const { findings } = judge(state, usualPolicy);
    assert.equal(
      findings.map(({ code, severity }) => `${code} ${severity}`),
      expected,
    );
    for (const { facts, affects, remedy } of findings) {
      assert.is(facts[0]?.value, '2 sandboxes');
      assert.equal(affects, two.ids);
      assert.ok(remedy.commands.some((command) => command.startsWith('kubectl drain')));
    }
  });
}

const hash = { a: 'a'.repeat(64), b: 'b'.repeat(64) };
const measured: readonly [rule: string, parts: Partial<Measured>, expected: readonly string[]][] = [
  ['the configured root hash is that of the image', {}, []],
  ['it is another one: the image does not boot', { actual: hash.b }, ['KC106 block']],
  ['it is configured, and the image is not measured', { actual: null }, ['KC106 block']],
  ['what is configured is no root hash: a doubt', { expected: null, actual: null }, ['KC106 warn']],
  ['the hash partition cannot be read', { actual: null, problem: 'broken' }, ['KC202 warn']],
  ['the file beside the image has the same', { isConfigured: false }, []],
  ['the file beside it has another, and nobody asks: a doubt', { isConfigured: false, actual: hash.b }, ['KC106 warn']],
];

for (const [rule, parts, expected] of measured) {
  test(`measured images: ${rule}`, () => {
    const one: Measured = {
      image: '/i.img',
      source: '/c.toml',
      isConfigured: true,
      expected: hash.a,
      actual: hash.a,
      problem: null,
      ...parts,
    };
    const { findings } = judge(stateOf([runtime('3.4.0')], [image('3.4.0')], { measured: [one] }), usualPolicy);
    assert.equal(
      findings.map(({ code, severity }) => `${code} ${severity}`),
      expected,
    );
    for (const { affects } of findings) assert.equal(affects, ['/i.img', '/c.toml']);
  });
}

const goUser = { path: '/go.toml', prefix: '/opt/kata', language: 'go' } as const;
const rustUser = { path: '/rust.toml', prefix: '/opt/kata', language: 'rust' } as const;
const inGo: Partial<Runtime> = { ...atOpt, language: 'go' };
const inRust: Partial<Runtime> = { ...atOpt, name: '/opt/kata/rs', language: 'rust' };

const languages: readonly [
  rule: string,
  usedBy: Image['usedBy'],
  runtimes: readonly Runtime[],
  codes: readonly string[],
][] = [
  ['an image of the other language', [rustUser], [runtime('1.0.0', declares, inGo)], []],
  ['one of the same', [rustUser], [runtime('1.0.0', declares, inRust)], ['KC101']],
  [
    'one of both',
    [goUser, rustUser],
    [runtime('1.0.0', declares, inGo), runtime('1.0.0', declares, inRust)],
    ['KC101', 'KC101'],
  ],
  ['a user of unknown language', [{ ...goUser, language: null }], [runtime('1.0.0', declares, inRust)], ['KC101']],
  ['a runtime of both', [rustUser], [runtime('1.0.0', declares, { ...atOpt, language: null })], ['KC101']],
  ['the same language below another prefix', [{ ...goUser, prefix: '/usr' }], [runtime('1.0.0', declares, inGo)], []],
  [
    'prefix and language of two users are no user',
    [{ ...goUser, prefix: '/usr' }, rustUser],
    [runtime('1.0.0', declares, inGo)],
    [],
  ],
];

for (const [rule, usedBy, runtimes, expected] of languages) {
  test(`languages: ${rule}`, () => {
    const { findings, pairs } = judge(stateOf(runtimes, [image('1.0.0', { usedBy })]), usualPolicy);
    assert.equal(
      findings.map(({ code }) => code),
      expected,
    );
    // Each pair has its own.
    assert.equal(
      pairs.map(({ runtime: { name }, codes }) => `${name} ${codes.join()}`),
      expected.map((code, index) => `${runtimes[index]?.name} ${code}`),
    );
  });
}

test('pairs know what was found of them, and nothing of what was found beside', () => {
  const images = [image('3.4.0'), image(null, {}, { ...absent, path: '/a' }), image('1.0.0', {}, { path: '/b' })];
  const sandboxes = { running: 1, ids: ['x'] };
  const unread = [{ path: '/c.toml', message: '/c.toml, line 1, column 2: no' }];
  const state = stateOf([runtime('3.4.0', declares), runtime(null, unknownRequirement)], images, { sandboxes, unread });
  assert.equal(
    judge(state, usualPolicy).pairs.map(
      ({ image: { facts }, codes, verdict }) => `${facts.path} ${codes.join()} ${verdict}`,
    ),
    [
      `${imagePath}  ok`,
      '/a KC203 warn',
      '/b KC101 block',
      `${imagePath} KC204 warn`,
      '/a KC204,KC203 warn',
      '/b KC204 warn',
    ],
  );
});

test('a configuration that cannot be read is a finding with its place', () => {
  const unread = [{ path: '/c.toml', message: '/c.toml, line 1, column 2: no' }];
  const [finding] = judge(stateOf([], [], { unread }), usualPolicy).findings;
  assert.is(finding?.code, 'KC202');
  assert.equal(finding?.affects, ['/c.toml']);
  assert.match(finding?.consequence ?? '', /^\/c\.toml, line 1, column 2: no; /);
  assert.equal(judge(stateOf([], [], { unread, onlyChanges: true }), usualPolicy).findings, []);
  const changed = judge(stateOf([incomingRuntime('3.4.0', declares)], [], { unread, onlyChanges: true }), usualPolicy);
  assert.equal(
    changed.findings.map(({ code }) => code),
    ['KC202'],
  );
});

test('what is masked is told, with the images that nobody else names', () => {
  const configuration = {
    path: packagedConfig,
    resolvedPath: packagedConfig,
    readers: [],
    namedBy: null,
    dropIns: [],
    images: [{ path: imagePath }, { path: '/hidden.img' }],
    isRemote: false,
    maskedBy: '/etc/c.toml',
  };
  const state = stateOf([runtime('3.4.0')], [image('3.4.0')], { configurations: [configuration] });
  const { findings, verdict } = judge(state, usualPolicy);
  assert.equal(
    findings.map(({ code, severity, consequence }) => [code, severity, consequence]),
    [['KC303', 'info', `/etc/c.toml masks ${packagedConfig}, which names /hidden.img`]],
  );
  assert.is(verdict, 'info');
  const read = { ...configuration, maskedBy: null };
  assert.equal(judge({ ...state, configurations: [read] }, usualPolicy).findings, []);
});

test('an extension image that is missing or broken is told as any other', () => {
  for (const [facts, code] of [
    [absent, 'KC203'],
    [corrupt, 'KC202'],
  ] as const) {
    const { findings } = judge(stateOf([runtime('3.4.0')], [image(null, {}, { ...extension, ...facts })]), usualPolicy);
    assert.equal(
      findings.map((finding) => finding.code),
      [code],
    );
  }
});

test('a pair has the finding of its measured image, and only where its own configuration asks', () => {
  const one: Measured = {
    image: '/usr/share/kata-containers/kata-containers.img',
    source: goUser.path,
    isConfigured: true,
    expected: hash.a,
    actual: hash.b,
    problem: null,
  };
  const both = image('3.4.0', { usedBy: [goUser, rustUser] });
  const state = stateOf([runtime('3.4.0', undefined, inGo), runtime('3.4.0', undefined, inRust)], [both], {
    measured: [{ ...one, image: both.facts.path }],
  });
  assert.equal(
    judge(state, usualPolicy).pairs.map(({ runtime: { language }, codes }) => [language, codes]),
    [
      ['go', ['KC106']],
      ['rust', []],
    ],
  );
});
