import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { type Installation, locateInstallation } from '../../src/locate/installation.ts';
import { run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the installation');

function node(tree: Tree): Host {
  return rootedHost(createNodeHost(), writeTree(temporaryFolder(), { '/etc/hostname': 'x', ...tree }));
}

const local = '/etc/kata-containers/configuration.toml';
const usr = '/usr/share/defaults/kata-containers/configuration.toml';
const fedora = '/usr/share/kata-containers/defaults/configuration.toml';
const opt = '/opt/kata/share/defaults/kata-containers/configuration.toml';
const image = '/usr/share/kata-containers/kata-containers.img';
const initrd = '/usr/share/kata-containers/kata-containers-initrd.img';
const optImage = '/opt/kata/share/kata-containers/kata-containers.img';

const snap = '/snap/kata-containers/current/usr';

const qemu = (...lines: readonly string[]): string => `[hypervisor.qemu]\n${lines.join('\n')}\n`;

/** `path < configuration (prefix language)`, without a language that is not known. */
function imagesOf({ images }: Installation): string[] {
  return images.map(
    ({ path, kind, usedBy }) =>
      `${kind === 'guest' ? '' : `${kind} `}${path} < ${usedBy.map((by) => `${by.path} (${by.prefix}${by.language === null ? '' : ` ${by.language}`})`).join(', ')}`,
  );
}

const configured: readonly [rule: string, tree: Tree, images: readonly string[], chosen?: string][] = [
  ['nothing', {}, []],
  ['an image', { [usr]: qemu(`image = "${image}"`) }, [`${image} < ${usr} (/usr)`]],
  ['an initrd', { [usr]: qemu(`initrd = "${initrd}"`) }, [`${initrd} < ${usr} (/usr)`]],
  [
    'both',
    { [usr]: qemu(`image = "${image}"`, `initrd = "${initrd}"`) },
    [`${image} < ${usr} (/usr)`, `${initrd} < ${usr} (/usr)`],
  ],
  [
    'every hypervisor, each image once',
    {
      [usr]: `${qemu(`image = "${image}"`)}[hypervisor.clh]\nimage = '${image}'\n[hypervisor.dragonball]\nimage = "/db.img"\n`,
    },
    [`${image} < ${usr} (/usr)`, `/db.img < ${usr} (/usr)`],
  ],
  ['what is not there is named all the same', { [usr]: qemu('image = "/none.img"') }, [`/none.img < ${usr} (/usr)`]],
  ['a comment', { [usr]: qemu('# image = "/commented.img"') }, []],
  ['a value that is no text', { [usr]: '[hypervisor.clh]\nimage = 5\n' }, []],
  [
    'keys in capital letters, which the runtime in Go takes',
    { [usr]: '[Hypervisor.qemu]\nImage = "/x.img"\nImage_offset = 3\n' },
    [`/x.img < ${usr} (/usr)`],
  ],
  [
    'the key as it should be wins',
    { [usr]: '[hypervisor.qemu]\nIMAGE = "/y.img"\nimage = "/x.img"\n' },
    [`/x.img < ${usr} (/usr)`],
  ],
  [
    "the snap's place",
    { [`${snap}/share/defaults/kata-containers/configuration.toml`]: qemu(`image = "${snap}/share/kata.img"`) },
    [`${snap}/share/kata.img < ${snap}/share/defaults/kata-containers/configuration.toml (${snap})`],
  ],
  [
    'an image outside of a hypervisor',
    { [usr]: 'image = "/x.img"\n[agent.kata]\nimage = "/y.img"\n[hypervisor]\nimage = "/z.img"\n' },
    [],
  ],
  ['a hypervisor that is no table', { [usr]: 'hypervisor = "qemu"\n' }, []],
  [
    'names that every object has',
    { [usr]: '[hypervisor.__proto__]\nimage = "/a.img"\n[hypervisor.constructor]\ninitrd = "/b.img"\n' },
    [`/a.img < ${usr} (/usr)`, `/b.img < ${usr} (/usr)`],
  ],
  ["Fedora's place", { [fedora]: qemu(`image = "${image}"`) }, [`${image} < ${fedora} (/usr)`]],
  [
    'each place belongs to the runtime of its own prefix',
    { [usr]: qemu(`image = "${image}"`), [opt]: qemu(`image = "${optImage}"`) },
    [`${image} < ${usr} (/usr)`, `${optImage} < ${opt} (/opt/kata)`],
  ],
  [
    'an image that two configurations name knows both',
    { [usr]: qemu('image = "/srv/x.img"'), [opt]: qemu('image = "/srv/x.img"') },
    [`/srv/x.img < ${usr} (/usr), ${opt} (/opt/kata)`],
  ],
  [
    'a local configuration masks the packaged ones, for every runtime',
    { [local]: qemu('image = "/srv/x.img"'), [usr]: qemu(`image = "${image}"`), [opt]: qemu(`image = "${optImage}"`) },
    [`/srv/x.img < ${local} (null)`],
  ],
  [
    'also when it is a link',
    { [local]: { link: opt }, [usr]: qemu(`image = "${image}"`), [opt]: qemu(`image = "${optImage}"`) },
    [`${optImage} < ${local} (null)`],
  ],
  ['also when it names nothing', { [local]: '', [usr]: qemu(`image = "${image}"`) }, []],
  [
    '$KATA_CONF_FILE masks that one',
    { '/srv/kata.toml': qemu('image = "/srv/y.img"'), [local]: qemu('image = "/srv/x.img"') },
    ['/srv/y.img < /srv/kata.toml (null)'],
    '/srv/kata.toml',
  ],
  [
    'unless it is not there',
    { [local]: qemu('image = "/srv/x.img"') },
    [`/srv/x.img < ${local} (null)`],
    '/srv/none.toml',
  ],
  [
    'or is relative',
    { 'kata.toml': '', [local]: qemu('image = "/srv/x.img"') },
    [`/srv/x.img < ${local} (null)`],
    'kata.toml',
  ],
  [
    'without any configuration: the usual images that are there',
    { [image]: '', [optImage]: '' },
    [`${image} < ${image} (/usr)`, `${optImage} < ${optImage} (/opt/kata)`],
  ],
  ['the usual initrd', { [initrd]: '' }, [`${initrd} < ${initrd} (/usr)`]],
  [
    'with one they are not guessed',
    { [image]: '', [usr]: qemu('image = "/srv/x.img"') },
    [`/srv/x.img < ${usr} (/usr)`],
  ],
];

for (const [rule, tree, images, chosen] of configured) {
  test(`images: ${rule}`, () => {
    const installation = locateInstallation(node(tree), chosen);
    assert.equal(imagesOf(installation), images);
    for (const { unread } of installation.configurations) assert.equal(unread, []);
  });
}

const relative: readonly string[] = ['x.img', '~/x.img', ' /srv/x.img', 'a\u001bb'];

for (const value of relative) {
  test(`an image by no absolute path is told: ${JSON.stringify(value)}`, () => {
    const toml = qemu(`image = ${JSON.stringify(value)}`, 'initrd = "/y.img"');
    const installation = locateInstallation(node({ [usr]: toml }));
    assert.equal(imagesOf(installation), [`/y.img < ${usr} (/usr)`]);
    assert.equal(installation.configurations[0]?.unread, [
      {
        path: usr,
        message: `${usr}: it names the guest image ${JSON.stringify(value)}, which is no absolute path`,
        reason: 'relative',
      },
    ]);
  });
}

const usrShim = '/usr/bin/containerd-shim-kata-v2';
const bare: readonly [rule: string, tree: Tree, told: readonly string[]][] = [
  ['a runtime without any configuration', { [usrShim]: 'x' }, [usrShim]],
  ['it has one', { [usrShim]: 'x', [usr]: qemu('image = "/x.img"') }, []],
  ['it has one without an image', { [usrShim]: 'x', [usr]: 'x = 1\n' }, []],
  ['it has a usual image', { [usrShim]: 'x', [image]: '' }, []],
  ['the configuration is of another one', { [usrShim]: 'x', [opt]: qemu('image = "/x.img"') }, []],
  [
    'each has its own but for one',
    {
      [usrShim]: 'x',
      '/opt/kata/bin/kata-runtime': 'x',
      '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2': 'x',
      [usr]: qemu('image = "/x.img"'),
    },
    ['/opt/kata/bin/kata-runtime', '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2'],
  ],
];

for (const [rule, tree, expected] of bare) {
  test(`without a configuration: ${rule}`, () => {
    const told = locateInstallation(node(tree)).unread.filter(({ reason }) => reason === 'bare');
    assert.equal(
      told.map(({ path }) => path),
      expected,
    );
  });
}

const megabyte = 1 << 20;

const broken: readonly [rule: string, make: (root: string) => void, said: RegExp][] = [
  [
    'a string that does not end',
    (root) => writeTree(root, { [usr]: qemu('kernel = "/vmlinuz"', 'image = "/x.img') }),
    /^\/usr\/share\/defaults\/kata-containers\/configuration\.toml, line 3, column \d+: [^\n]+$/,
  ],
  [
    'a key given twice',
    (root) => writeTree(root, { [usr]: qemu('image = "/x"', 'image = "/y"') }),
    /line 3, column \d+: /,
  ],
  [
    'bytes that are no text',
    (root) => writeTree(root, { [usr]: Buffer.from([0xff, 0xfe, 0x00, 0x5b]) }),
    /line 1, column \d+: /,
  ],
  [
    'a hundred thousand brackets',
    (root) => writeTree(root, { [usr]: `x = ${'['.repeat(100_000)}` }),
    /configuration\.toml/,
  ],
  ['over the limit', (root) => writeTree(root, { [usr]: `#${' '.repeat(megabyte)}\n` }), /larger than 1048576 bytes$/],
  ['a directory', (root) => mkdirSync(join(root, usr), { recursive: true }), /is a directory, not a regular file$/],
  [
    'a FIFO',
    (root) => {
      writeTree(root, { [`${usr}/../x`]: '' });
      run('mkfifo', join(root, usr));
    },
    /FIFO/,
  ],
  [
    'a dangling link',
    (root) => writeTree(root, { [usr]: { link: 'none.toml' } }),
    /none\.toml: no such file or directory$/,
  ],
  [
    'a link to itself',
    (root) => writeTree(root, { [usr]: { link: 'configuration.toml' } }),
    /more than 40 symbolic links$/,
  ],
];

for (const [rule, make, said] of broken) {
  test(
    `a configuration that cannot be read is told, and the others are read: ${rule}`,
    () => {
      const root = writeTree(temporaryFolder(), { [opt]: qemu(`image = "${optImage}"`) });
      make(root);
      const installation = locateInstallation(rootedHost(createNodeHost(), root));
      assert.equal(imagesOf(installation), [`${optImage} < ${opt} (/opt/kata)`]);
      const unread = installation.configurations.flatMap((configuration) => configuration.unread);
      assert.is(unread.length, 1);
      assert.is(unread[0]?.path, usr);
      assert.match(unread[0]?.message ?? '', said);
    },
    { timeout: 20 },
  );
}

const placed: readonly [rule: string, paths: Tree, programs: readonly string[]][] = [
  ['none', {}, []],
  [
    'kata-runtime speaks for its prefix, before the shim',
    { '/usr/bin/containerd-shim-kata-v2': '', '/usr/bin/kata-runtime': '' },
    ['/usr /usr/bin/kata-runtime', '/usr /usr/bin/containerd-shim-kata-v2'],
  ],
  [
    'a shim alone',
    { '/opt/kata/bin/containerd-shim-kata-v2': '' },
    ['/opt/kata /opt/kata/bin/containerd-shim-kata-v2'],
  ],
  [
    'the shim in Rust',
    { '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2': '' },
    ['/opt/kata /opt/kata/runtime-rs/bin/containerd-shim-kata-v2'],
  ],
  [
    'a link, though it dangles',
    { '/usr/local/bin/kata-runtime': { link: '/opt/none' } },
    ['/usr/local /usr/local/bin/kata-runtime'],
  ],
  [
    'a link to another runtime is that runtime',
    {
      '/usr/local/bin/containerd-shim-kata-v2': { link: '/opt/kata/bin/containerd-shim-kata-v2' },
      '/opt/kata/bin/containerd-shim-kata-v2': '',
    },
    ['/opt/kata /opt/kata/bin/containerd-shim-kata-v2'],
  ],
  [
    'a script that runs another one, also behind a link',
    {
      '/usr/local/bin/containerd-shim-kata-v2': { link: 'containerd-shim-kata-qemu-v2' },
      '/usr/local/bin/containerd-shim-kata-qemu-v2':
        '#!/bin/bash\nKATA_CONF_FILE=/x.toml "/opt/kata/bin/containerd-shim-kata-v2" "$@"\n',
      '/opt/kata/bin/containerd-shim-kata-v2': '',
    },
    ['/opt/kata /opt/kata/bin/containerd-shim-kata-v2'],
  ],
  [
    'a script that runs what is not there is a runtime of its own',
    { '/usr/local/bin/kata-runtime': '#!/bin/sh\nexec /usr/bin/kata-runtime "$@"\n' },
    ['/usr/local /usr/local/bin/kata-runtime'],
  ],
  [
    'a link in /usr/bin as well, and a script that runs a link',
    {
      '/usr/bin/kata-runtime': { link: '/opt/kata/bin/kata-runtime' },
      '/usr/local/bin/kata-runtime': '#!/bin/sh\nexec /usr/bin/kata-runtime "$@"\n',
      '/opt/kata/bin/kata-runtime': '',
    },
    ['/opt/kata /opt/kata/bin/kata-runtime'],
  ],
  [
    'a link to one whose folder is behind a link',
    {
      '/opt/kata': { link: '/var/opt/kata' },
      '/var/opt/kata/bin/containerd-shim-kata-v2': '',
      '/usr/local/bin/containerd-shim-kata-v2': { link: '/opt/kata/bin/containerd-shim-kata-v2' },
    },
    ['/opt/kata /opt/kata/bin/containerd-shim-kata-v2'],
  ],
  [
    'two links to one file in a place of its own are one',
    {
      '/srv/shim': '',
      '/usr/bin/containerd-shim-kata-v2': { link: '/srv/shim' },
      '/usr/local/bin/containerd-shim-kata-v2': { link: '/srv/shim' },
    },
    ['/usr /usr/bin/containerd-shim-kata-v2'],
  ],
  [
    'two folders that are one',
    { '/usr/local/bin': { link: '../bin' }, '/usr/bin/kata-runtime': '' },
    ['/usr /usr/bin/kata-runtime'],
  ],
  [
    'two that lead to each other',
    {
      '/usr/bin/kata-runtime': '#!/bin/sh\nexec /usr/local/bin/kata-runtime "$@"\n',
      '/usr/local/bin/kata-runtime': '#!/bin/sh\nexec /usr/bin/kata-runtime "$@"\n',
    },
    ['/usr /usr/bin/kata-runtime', '/usr/local /usr/local/bin/kata-runtime'],
  ],
  [
    'the shim for confidential pods',
    { '/usr/local/bin/containerd-shim-kata-cc-v2': '', '/usr/local/bin/containerd-shim-kata-v2': '' },
    [
      '/usr/local /usr/local/bin/containerd-shim-kata-v2',
      '/opt/confidential-containers /usr/local/bin/containerd-shim-kata-cc-v2',
    ],
  ],
  ['another program', { '/usr/bin/runc': '', '/usr/sbin/kata-runtime': '' }, []],
];

for (const [rule, paths, expected] of placed) {
  test(`programs: ${rule}`, () => {
    const { programs } = locateInstallation(node(paths));
    assert.equal(
      programs.map(({ prefix, path }) => `${prefix} ${path}`),
      expected,
    );
  });
}

const rustUsr = '/usr/share/defaults/kata-containers/runtime-rs/configuration.toml';
const shim = '/usr/bin/containerd-shim-kata-v2';

const spoken: readonly [rule: string, tree: Tree, expected: readonly (string | null)[]][] = [
  ['a shim is taken for that in Go', { [shim]: '', [usr]: '' }, ['go']],
  ['also without a configuration', { [shim]: '' }, ['go']],
  ['unless only the one in Rust has a configuration', { [shim]: '', [rustUsr]: '' }, ['rust']],
  ['with both it is that in Go', { [shim]: '', [usr]: '', [rustUsr]: '' }, ['go']],
  ['kata-runtime is always in Go', { '/usr/bin/kata-runtime': '', [rustUsr]: '' }, ['go']],
  [
    'below /opt/kata the place tells',
    { '/opt/kata/bin/containerd-shim-kata-v2': '', '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2': '' },
    ['go', 'rust'],
  ],
];

for (const [rule, tree, expected] of spoken) {
  test(`language: ${rule}`, () => {
    assert.equal(
      locateInstallation(node(tree)).programs.map(({ language }) => language),
      expected,
    );
  });
}

test('an image that somebody names twice is there once, with both; a guest image is no extension', () => {
  const extended = `${qemu('image = "/a.img"')}[[hypervisor.qemu.guest_extension_images]]\npath = "/b.img"\n`;
  const tree = { [usr]: extended, [opt]: qemu('image = "/b.img"', 'initrd = "/a.img"') };
  assert.equal(imagesOf(locateInstallation(node(tree))), [
    `/a.img < ${usr} (/usr), ${opt} (/opt/kata)`,
    `/b.img < ${usr} (/usr), ${opt} (/opt/kata)`,
  ]);
});

test('a runtime that only a handler names is judged with its own image', () => {
  const tree = {
    [opt]: qemu(`image = "${optImage}"`),
    '/opt/kata/bin/kata-runtime': '',
    '/opt/kata-dev/bin/containerd-shim-kata-v2': 'x',
    '/opt/kata-dev/k.toml': qemu('image = "/dev.img"'),
    '/etc/containerd/config.toml':
      '[plugins.cri.containerd.runtimes.dev]\nruntime_type = "io.containerd.kata-dev.v2"\nruntime_path = "/opt/kata-dev/bin/containerd-shim-kata-v2"\noptions = { ConfigPath = "/opt/kata-dev/k.toml" }\n',
  };
  const installation = locateInstallation(node(tree));
  assert.equal(
    installation.programs.map(({ prefix, language, path }) => `${prefix} ${language} ${path}`),
    ['/opt/kata go /opt/kata/bin/kata-runtime', '/opt/kata-dev go /opt/kata-dev/bin/containerd-shim-kata-v2'],
  );
  assert.equal(imagesOf(installation), [
    `${optImage} < ${opt} (/opt/kata)`,
    '/dev.img < /opt/kata-dev/k.toml (/opt/kata-dev)',
  ]);
});

test("what containerd's configuration has wrong is told, and who it names is found", () => {
  const tree = {
    '/etc/containerd/config.toml': 'imports = ["a.toml", "b.toml"]\n',
    '/etc/containerd/a.toml': 'x\n',
    '/etc/containerd/b.toml':
      '[plugins.cri.containerd.runtimes.kata]\nruntime_type = "io.containerd.kata.v2"\noptions = { ConfigPath = "/k.toml" }\n',
    '/k.toml': qemu('image = "/k.img"'),
  };
  const installation = locateInstallation(node(tree));
  assert.equal(imagesOf(installation), ['/k.img < /k.toml (null)']);
  assert.equal(
    installation.unread.map(({ path }) => path),
    ['/etc/containerd/a.toml'],
  );
});
