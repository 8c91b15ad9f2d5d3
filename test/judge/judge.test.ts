import * as assert from 'uvu/assert';
import { judge } from '../../src/judge/judge.ts';
import type { Measured } from '../../src/locate/measured.ts';
import type { Image, Runtime } from '../../src/state/node.ts';
import {
  absent,
  atOpt,
  corrupt,
  declares,
  extension,
  image,
  imagePath,
  incomingImage,
  incomingRuntime,
  type JudgeRow,
  readImage,
  runtime,
  stateOf,
  told,
  unknownRequirement,
  usualPolicy,
} from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the judge');

const rows: readonly JudgeRow[] = [
  // Several checks of one pair.
  [
    'no requirement and no version: both are said',
    [runtime(null, unknownRequirement)],
    [image(null)],
    ['KC204 warn', 'KC201 warn'],
  ],
  [
    'what was read out of the package does not fit',
    [runtime('3.4.0', { declares: '>=3.5.0' })],
    [readImage('3.4.0')],
    ['KC101 block'],
  ],
  [
    'an extension image whose package states an agent',
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
    assert.equal(told(findings), expected);
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
    consequence:
      'This runtime works with agent >=3.5.0, but the agent in the image is 3.4.0. Containers may not start, or may fail later when one side calls what the other does not have.',
    affects: [imagePath],
    remedy: {
      text: 'Install a guest image with agent >=3.5.0 in the same transaction, or keep kata-runtime at 3.4.0-1.',
      commands: ['apt-get install kata-runtime kata-containers-image'],
    },
  });
});

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

test('a pair has the finding of its measured image, and only where its own configuration asks', () => {
  const one: Measured = {
    image: '/usr/share/kata-containers/kata-containers.img',
    source: goUser.path,
    isConfigured: true,
    expected: 'a'.repeat(64),
    actual: 'b'.repeat(64),
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
