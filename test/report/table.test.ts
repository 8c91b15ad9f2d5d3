import * as assert from 'uvu/assert';
import type { Report } from '../../src/check.ts';
import type { ImageFacts } from '../../src/read/image.ts';
import { needsTable, noteText, remoteText, tableText } from '../../src/report/table.ts';
import { reportText } from '../../src/report/text.ts';
import type { Configuration, Image, Runtime } from '../../src/state/node.ts';
import { parseRange, parseVersion, type Version, type VersionRange } from '../../src/version.ts';
import { diskFacts, reportOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the overview of a node');

const deploy = '/opt/kata/share/defaults/kata-containers';
const plain = (text: string): string => text;

function runtime(range: string, parts: Partial<Runtime> = {}): Runtime {
  return {
    name: '/opt/kata/bin/kata-runtime',
    versionText: '3.21.0',
    version: parseVersion('3.21.0'),
    isIncoming: false,
    source: '/opt/kata/bin/kata-runtime',
    prefix: '/opt/kata',
    language: 'go',
    versionDoubt: null,
    description: null,
    versionSource: '/opt/kata/bin/kata-runtime --version',
    requirement: { range: parseRange(range) as VersionRange, source: '--requires', isRule: false },
    requirementProblem: null,
    replaces: null,
    ...parts,
  };
}

const whole: ImageFacts = {
  ...diskFacts,
  path: '/x',
  resolvedPath: '/x',
  table: 'none',
  dax: false,
  partitions: 0,
  partition: null,
  offset: 0,
};

function image(path: string, agent: string | null, facts: Partial<ImageFacts> = {}, parts: Partial<Image> = {}): Image {
  const version = agent === null ? undefined : (parseVersion(agent) as Version);
  return {
    facts: {
      ...whole,
      path,
      resolvedPath: path,
      agent: version === undefined ? null : { version, source: 'osbuilder.yaml', path: '/y' },
      ...facts,
    },
    description: null,
    usedBy: [],
    package: null,
    incoming: null,
    removedBy: null,
    rebuiltBy: null,
    ...parts,
  };
}

const by = (path: string, language: 'go' | 'rust' | null = 'go'): Image['usedBy'][number] => ({
  path,
  prefix: '/opt/kata',
  language,
});

const rust = runtime('>=3.20.0', {
  name: '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2',
  source: '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2',
  language: 'rust',
  versionSource: '/opt/kata/VERSION',
});

test('each runtime with the images of its own configurations', () => {
  const images = [
    image(
      '/opt/kata/share/kata-containers/kata-containers.img',
      '3.21.0',
      {},
      {
        usedBy: [by(`${deploy}/runtimes/qemu/configuration-qemu.toml`), by(`${deploy}/runtime-rs/x.toml`, 'rust')],
      },
    ),
    image(
      '/opt/kata/share/kata-containers/kata-containers-nvidia-gpu-confidential.img',
      '3.12.0',
      {},
      {
        usedBy: [by(`${deploy}/runtimes/qemu-nvidia-gpu-snp/configuration-qemu-nvidia-gpu-snp.toml`)],
      },
    ),
    image('/gpu-extension.img', null, { kind: 'extension' }, { usedBy: [by('/etc/kata.toml', 'rust')] }),
  ];
  const text = tableText(reportOf([runtime('>=3.20.0'), rust], images), plain);
  assert.is(
    text,
    `kata-check: 2 runtimes, 3 guest images, 1 block

  installed  /opt/kata/bin/kata-runtime 3.21.0
             Go, version from /opt/kata/bin/kata-runtime --version
             agent >=3.20.0 (--requires)

  agent      verdict  guest image, and the configurations that name it
  3.21.0     fits     /opt/kata/share/kata-containers/kata-containers.img
                        …/runtimes/qemu/configuration-qemu.toml
  3.12.0     KC101    /opt/kata/share/kata-containers/
                      kata-containers-nvidia-gpu-confidential.img
                        …/runtimes/qemu-nvidia-gpu-snp/
                        configuration-qemu-nvidia-gpu-snp.toml

  installed  /opt/kata/runtime-rs/bin/containerd-shim-kata-v2 3.21.0
             Rust, version from /opt/kata/VERSION
             agent >=3.20.0 (--requires)

  agent      verdict  guest image, and the configurations that name it
  3.21.0     fits     /opt/kata/share/kata-containers/kata-containers.img
                        …/runtime-rs/x.toml
  extension  -        /gpu-extension.img
                        /etc/kata.toml

  … is ${deploy}
`,
  );
});

test('what is not known, not there, or named for nobody', () => {
  const images = [
    image('/missing.img', null, { problem: { kind: 'not-found', message: '/missing.img: no' } }),
    image('/corrupt.img', null, { problem: { kind: 'corrupt', message: 'no' } }),
    image('/old.img', null, { unknown: 'no version' }),
    image('/dev.img', `3.21.0-${'ab'.repeat(20)}`),
    image('/usr.img', '1.0.0', {}, { usedBy: [{ path: '/c', prefix: '/usr', language: null }] }),
  ];
  const text = tableText(reportOf([runtime('>=3.20.0')], images), plain);
  assert.match(text, /^kata-check: 1 runtime, 5 guest images, 3 warnings\n/);
  assert.match(
    text,
    /\n {2}missing {4}KC203 {4}\/missing\.img\n {2}unread {5}KC202 {4}\/corrupt\.img\n {2}unknown {4}KC201 {4}\/old\.img\n/,
  );
  assert.match(text, /\n {2}3\.21\.0 {5}fits {5}\/dev\.img\n/);
  assert.match(text, /not judged: no installed runtime reads what names them\.\n {4}\/usr\.img\n$/);
});

test('an image with two findings has its path on a line of its own', () => {
  const path = '/opt/kata/share/kata-containers/kata-containers-nvidia.img';
  const user = by(`${deploy}/runtime-rs/configuration.toml`, 'rust');
  const measured = {
    image: path,
    source: user.path,
    isConfigured: true,
    expected: 'a'.repeat(64),
    actual: 'b'.repeat(64),
    problem: null,
  };
  const report = reportOf(
    [rust],
    [image(path, '3.12.0', {}, { usedBy: [user] }), image('/x.img', '3.21.0', {}, { usedBy: [user] })],
    {
      measured: [measured],
    },
  );
  const text = tableText(report, plain);
  assert.match(
    text,
    /\n {2}3\.12\.0 {5}KC101, KC106\n {22}\/opt\/kata\/share\/kata-containers\/kata-containers-nvidia\.img\n {24}…\/runtime-rs\/configuration\.toml\n {2}3\.21\.0 {5}fits {5}\/x\.img\n/,
  );
  assert.not.match(text, /measured:/);
});

test('no line is longer than 80 columns, whatever the names are', () => {
  const long = `/${'directory/'.repeat(30)}${'x'.repeat(200)}`;
  const long2 = `/srv/${'wörd '.repeat(60)}`;
  const report = reportOf(
    [runtime('>=3.20.0', { name: long, source: long, versionSource: `package ${'p'.repeat(100)}` }), rust],
    [image(long, '3.21.0', {}, { usedBy: [by(long2), by(long)] }), image(`${long2}\u001b[31m`, '1.0.0')],
  );
  const text = tableText(report, plain);
  for (const line of text.split('\n')) assert.ok([...line].length <= 80, line);
  assert.not.match(text, /[\u0000-\u0009\u000b-\u001f]/);
});

const two = [runtime('>=3.20.0'), rust];
const one = image('/x.img', '3.21.0');
const elsewhere = image('/y.img', '3.21.0', {}, { usedBy: [{ path: '/c', prefix: '/usr', language: null }] });

const needed: readonly [rule: string, report: Report, expected: boolean][] = [
  ['one of each', reportOf([rust], [one]), false],
  ['two runtimes', reportOf(two, [one]), true],
  ['two images', reportOf([rust], [one, elsewhere]), true],
  ['one of each, which have nothing to do with each other', reportOf([rust], [elsewhere]), true],
  ['nothing', reportOf([], []), false],
  ['a change that concerns none of them', reportOf(two, [one], { onlyChanges: true }), false],
];

for (const [rule, report, expected] of needed) {
  test(`a table for ${rule}: ${expected ? 'yes' : 'no'}`, () => {
    assert.is(needsTable(report), expected);
  });
}

test('colours where they are wanted, and in the verdict alone', () => {
  const report = reportOf(two, [image('/x.img', '1.0.0')]);
  const colored = tableText(report, (text, color) => `<${color} ${text}>`);
  assert.match(colored, /, <block 2 blocks>\n/);
  assert.match(colored, /\n {2}1\.0\.0 {6}<block KC101> {4}\/x\.img\n/);
  assert.is(colored.replace(/<block ([^>]*)>/g, '$1'), tableText(report, plain));
});

test('a hook shows no table', () => {
  const text = reportText(reportOf(two, [image('/x.img', '1.0.0')]), { color: false, manager: 'apt' }, true);
  assert.not.match(text, /verdict/);
});

const configuration = (path: string, parts: Partial<Configuration> = {}): Configuration => ({
  path,
  resolvedPath: path,
  readers: [],
  namedBy: null,
  dropIns: [],
  images: [],
  isRemote: false,
  maskedBy: null,
  ...parts,
});

test('a remote hypervisor is said, unless its configuration is masked', () => {
  const remote = configuration('/r.toml', { isRemote: true });
  const masked = configuration('/m.toml', { isRemote: true, maskedBy: '/r.toml' });
  assert.is(
    remoteText([configuration('/x.toml'), remote, masked]),
    'kata-check: note: The guest image of a remote hypervisor is not on this node:\n  /r.toml\n',
  );
});

test('what is masked is a note by hand, and nothing in a hook', () => {
  const masked = configuration('/usr/c.toml', {
    maskedBy: '/etc/c.toml',
    images: [{ path: '/hidden.img' }, { path: '/x.img' }],
  });
  const report = reportOf([rust], [one], { configurations: [masked] });
  const text = reportText(report, { color: false, manager: null }, false);
  assert.match(text, /^kata-check: fits: /);
  assert.is(
    text.slice(text.indexOf('\nkata-check: note')),
    '\nkata-check: note [KC303]: The runtime reads /etc/c.toml instead of\n  /usr/c.toml, so that nothing uses /hidden.img\n',
  );
  assert.is(reportText(report, { color: false, manager: 'apt' }, true), '');
});

test('a note is a line where it fits', () => {
  assert.is(noteText('short'), 'kata-check: note: short\n');
});
