import * as assert from 'uvu/assert';
import { imageChecks } from '../../../src/judge/checks/image.ts';
import type { Agent } from '../../../src/read/agent.ts';
import type { ImageFacts } from '../../../src/read/image.ts';
import type { Image } from '../../../src/state/node.ts';
import { parseVersion, type Version } from '../../../src/version.ts';
import {
  absent,
  corrupt,
  examined,
  extension,
  image,
  imagePath,
  incomingImage,
  type JudgeRow,
  readImage,
  runtime,
  stateOf,
  told,
  usualPolicy,
} from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks of an image');

const agentOf = (version: string, source: Agent['source']): Agent => ({
  version: parseVersion(version) as Version,
  source,
  path: '/usr/bin/kata-agent',
});
const other = agentOf('3.3.0', 'agent-binary');
/** A package that states 3.5.0 of its image, and was read. */
const stating = (facts: Partial<ImageFacts>): Image => {
  const { incoming, ...rest } = readImage('3.5.0', facts);
  return {
    ...rest,
    incoming: {
      ...(incoming as NonNullable<Image['incoming']>),
      versionText: '3.5.0-1',
      version: parseVersion('3.5.0-1'),
    },
  };
};

const rows: readonly JudgeRow[] = [
  [
    'its summary and its agent name different versions',
    [runtime('3.4.0')],
    [image('3.4.0', {}, { contradiction: other })],
    ['KC105 warn'],
  ],
  [
    'and it comes by a package manager',
    [runtime('3.4.0')],
    [readImage('3.4.0', { contradiction: other })],
    ['KC105 warn'],
  ],
  [
    'and it comes by hand',
    [runtime('3.4.0')],
    [readImage('3.4.0', { contradiction: other })],
    ['KC105 block'],
    { isByHand: true },
  ],
  ['and it is replaced', [runtime('3.4.0')], [incomingImage('3.4.0', '3.4.0', { contradiction: other })], []],
  ['and no runtime uses it', [], [image('3.4.0', {}, { contradiction: other })], []],
  ['its package states what it holds', [runtime('3.4.0')], [stating({})], [], { isByHand: true }],
  [
    'its package states another agent than it holds',
    [runtime('3.4.0')],
    [stating({ agent: other })],
    ['KC105 block'],
    { isByHand: true },
  ],
  ['and there is no runtime', [], [stating({ agent: other })], ['KC105 block'], { isByHand: true, onlyChanges: true }],
  [
    'its package states another agent than its binary names',
    [runtime('3.4.0')],
    [stating({ contradiction: other })],
    ['KC105 block'],
    { isByHand: true },
  ],
  [
    'its package states what its binary names',
    [runtime('3.4.0')],
    [stating({ agent: other, contradiction: agentOf('3.5.0', 'agent-binary') })],
    ['KC105 block'],
    { isByHand: true },
  ],
  ['the image names no version', [runtime('3.4.0')], [image(null, {}, { unknown: 'x' })], ['KC201 warn']],
  ['the image cannot be read', [runtime('3.4.0')], [image(null, {}, corrupt)], ['KC202 warn']],
  ['it could be read in part', [runtime('3.4.0')], [image('3.4.0', {}, corrupt)], ['KC202 warn']],
  ['it is not there', [runtime('3.4.0')], [image(null, {}, absent)], ['KC203 warn']],
  ['the incoming image does not say', [runtime('3.4.0')], [incomingImage(null)], ['KC205 warn']],
  ['it does not say, and was read', [runtime('3.4.0')], [readImage('3.4.0')], []],
  ['and is an extension', [runtime('3.4.0')], [readImage(null, extension)], []],
  ['and cannot be read', [runtime('3.4.0')], [readImage(null, corrupt)], ['KC205 warn']],
  ['and names no agent', [runtime('3.4.0')], [readImage(null, { unknown: 'no word of it' })], ['KC205 warn']],
  ['what it says is no version', [runtime('3.4.0')], [incomingImage('latest')], ['KC205 warn']],
  ['it is made anew', [runtime('3.4.0')], [image('1.0.0', { rebuiltBy: 'kata-containers 3.4.0-1' })], ['KC206 info']],
  [
    'it is made anew and is not there yet',
    [runtime('3.4.0')],
    [image(null, { rebuiltBy: 'x' }, absent)],
    ['KC206 info'],
  ],
  ['an extension image needs no agent', [runtime('3.4.0')], [image(null, {}, extension)], []],
  ['an incoming one states none', [runtime('3.4.0')], [incomingImage(null, null, extension)], []],
];

for (const [rule, runtimes, images, expected, { policy = {}, onlyChanges = false, isByHand = false } = {}] of rows) {
  test(rule, () => {
    const findings = examined(imageChecks, stateOf(runtimes, images, { onlyChanges, isByHand }), {
      ...usualPolicy,
      ...policy,
    });
    assert.equal(told(findings), expected);
  });
}

test('a missing image names the configurations that use it', () => {
  const usedBy = [
    { path: '/etc/kata-containers/configuration.toml', prefix: null, language: null },
    { path: '/etc/kata-check.conf, line 3', prefix: null, language: null },
  ];
  const [finding] = examined(imageChecks, stateOf([runtime('3.4.0')], [image(null, { usedBy }, absent)]));
  assert.equal(
    finding?.facts.filter(({ label }) => label === 'used by').map(({ value }) => value),
    usedBy.map(({ path }) => path),
  );
  assert.is(finding?.consequence, `No pod starts with this image, because ${imagePath} does not exist.`);
});

const consequences: readonly [rule: string, image: Image, said: string][] = [
  [
    'a package without the field',
    incomingImage(null),
    'Nobody can tell whether the new image fits: its package does not state the version of the agent, and kata-check could not read it out of the package: no version was found.',
  ],
  [
    'a package with another word in it',
    incomingImage('latest'),
    'Nobody can tell whether the new image fits: its package states the agent "latest", which is not a version.',
  ],
  [
    'an image that tells why',
    image(null, {}, { unknown: 'osbuilder.yaml does not say it' }),
    'Nobody can tell whether the image fits: osbuilder.yaml does not say it.',
  ],
  ['an image that tells nothing', image(null), 'Nobody can tell whether the image fits: no version was found.'],
];

for (const [rule, one, said] of consequences) {
  test(`why it is not known: ${rule}`, () => {
    assert.is(examined(imageChecks, stateOf([runtime('3.4.0')], [one]))[0]?.consequence, said);
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
    const [finding] = examined(imageChecks, stateOf([runtime('3.4.0')], [image(null, {}, { path, ...corrupt })]));
    assert.equal(finding?.remedy.commands, [command]);
  });
}

test('an extension image that is missing or broken is told as any other', () => {
  for (const [facts, code] of [
    [absent, 'KC203'],
    [corrupt, 'KC202'],
  ] as const) {
    const findings = examined(imageChecks, stateOf([runtime('3.4.0')], [image(null, {}, { ...extension, ...facts })]));
    assert.equal(
      findings.map((finding) => finding.code),
      [code],
    );
  }
});

test('a configuration that stays and names what an upgrade takes away is named, and so is what can be done', () => {
  const gone = image('3.4.0', { removedBy: 'kata-containers', isLeftNamed: true });
  const [found, ...more] = examined(imageChecks, stateOf([runtime('3.4.0')], [gone]));
  assert.equal(more, []);
  assert.is(found?.code, 'KC302');
  assert.match(
    found?.consequence ?? '',
    /kata-containers brings another one in its place, and \/\S+\.toml stays as it is/,
  );
  assert.match(found?.remedy.text ?? '', /^After the upgrade, name the new image in \/\S+\.toml\.$/);
  // Another key than that of the missing image, which is told afterwards.
  assert.is(found?.affects[0], imagePath);
  assert.is(found?.affects.length, 2);
});
