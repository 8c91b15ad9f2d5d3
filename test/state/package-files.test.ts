import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { NotFound, Usage } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { packageFiles } from '../../src/state/package-files.ts';
import { makeDeb, tarOf } from '../debs.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('package files by hand');
const host = createNodeHost();
const folder = temporaryFolder();

const byHand = (...paths: string[]) => ({ paths, prefix: undefined });

test(
  'each is called what it says, comes anew, and declares what it does',
  async () => {
    const fields = { 'Kata-Agent-Requires': '>=3.4.0' };
    const archive = join(folder, 'anything.deb');
    renameSync(makeDeb(folder, { name: 'kata-runtime', version: '1:3.5.0-1', fields }), archive);
    const { changes, ...rest } = await packageFiles(host, host, '/srv/root', byHand(archive), host.now() + 60_000);
    assert.equal(rest, { manager: 'the installation', root: '/srv/root', mode: null, allow: [], isByHand: true });
    const declared = { name: 'kata-runtime', version: '1:3.5.0-1', agentRequires: '>=3.4.0', agentVersion: null };
    assert.equal(changes, [
      {
        name: 'kata-runtime',
        oldVersion: null,
        newVersion: '1:3.5.0-1',
        action: 'unpack',
        archive,
        declared,
      },
    ]);
  },
  { needs: ['dpkg-deb', 'gzip'] },
);

test('one that cannot be read is an error, and not a package of nothing', async () => {
  try {
    await packageFiles(host, host, '', byHand(join(folder, 'none.deb')), host.now() + 60_000);
  } catch (error) {
    assert.instance(error, NotFound);
    return;
  }
  assert.unreachable('it was taken');
});

const shim = 'bin/containerd-shim-kata-v2';

/** A handler of containerd whose shim is below this prefix. */
function handlerAt(prefix: string): Tree {
  const configuration = `${prefix}/share/defaults/kata-containers/configuration-qemu.toml`;
  const table = 'plugins."io.containerd.cri.v1.runtime".containerd.runtimes.kata';
  return {
    [`${prefix}/${shim}`]: 'x',
    [configuration]: '[hypervisor.qemu]\nimage = "/x.img"\n',
    '/etc/containerd/config.toml': `[${table}]\nruntime_path = "${prefix}/${shim}"\noptions.ConfigPath = "${configuration}"\n`,
  };
}

const prefixes: readonly [rule: string, tree: Tree, given: string | undefined, prefix: string | RegExp][] = [
  ['the usual place', {}, undefined, '/opt/kata'],
  [
    'the usual place, whatever else is there',
    { [`/opt/kata/${shim}`]: '', [`/opt/kata-dev/${shim}`]: '' },
    undefined,
    '/opt/kata',
  ],
  ['the only one with a suffix', { [`/opt/kata-dev/${shim}`]: '', '/opt/other/x': '' }, undefined, '/opt/kata-dev'],
  ['what holds no runtime is no such place', { '/opt/kata-dev/x': '' }, undefined, '/opt/kata'],
  ['the one that a handler names', handlerAt('/srv/opt/kata-dev'), undefined, '/srv/opt/kata-dev'],
  ['a shim that a distribution brings is at no such place', handlerAt('/usr'), undefined, '/opt/kata'],
  [
    'of several with a suffix nobody knows which',
    { [`/opt/kata-a/${shim}`]: '', [`/opt/kata-b/${shim}`]: '' },
    undefined,
    /runtimes are below \/opt\/kata-a and \/opt\/kata-b: --prefix says/,
  ],
  ['what the user says', { [`/opt/kata-a/${shim}`]: '', [`/opt/kata-b/${shim}`]: '' }, '/opt/kata-b', '/opt/kata-b'],
  ['what the user says, with more slashes', { [`/srv/opt/kata/${shim}`]: '' }, '/srv//opt/./kata/', '/srv/opt/kata'],
  ['what the user says, where nothing is', {}, '/opt/kata-b', '/opt/kata-b'],
  [
    'a name that is mistyped',
    { [`/opt/kata-a/${shim}`]: '' },
    '/opt/kata-aa',
    /--prefix \/opt\/kata-aa: no runtime is below it; runtimes are below \/opt\/kata-a$/,
  ],
  ['a relative path', {}, 'opt/kata', /--prefix opt\/kata is no absolute path/],
  ['a path that leaves', {}, '/opt/../kata', /--prefix \/opt\/\.\.\/kata is no absolute path/],
  ['the root', {}, '/', /--prefix \/ is no absolute path of a folder/],
];

/** What a tarball of one file in each of these paths is, below this root. */
async function tarballs(tree: Tree, prefix: string | undefined, files: Readonly<Record<string, string>>) {
  const root = writeTree(temporaryFolder(), { '/etc/hostname': 'x', ...tree });
  const paths = Object.entries(files).map(([name, path]) => {
    writeFileSync(join(folder, name), tarOf([{ path, content: '4.0.0\n' }]));
    return join(folder, name);
  });
  return packageFiles(host, rootedHost(host, root), root, { paths, prefix }, host.now() + 60_000);
}

for (const [rule, tree, given, prefix] of prefixes) {
  test(`where a tarball is installed: ${rule}`, async () => {
    try {
      const { changes } = await tarballs(tree, given, { 'kata-static-4.1.0-amd64.tar': './opt/kata/x' });
      assert.is(changes[0]?.prefix, prefix);
      assert.is(changes[0]?.newVersion, '4.1.0');
    } catch (error) {
      if (!(prefix instanceof RegExp)) throw error;
      assert.instance(error, Usage);
      assert.match((error as Usage).message, prefix);
    }
  });
}

const version = './opt/kata/VERSION';
const together: readonly [
  rule: string,
  files: Readonly<Record<string, string>>,
  versions: readonly (string | null)[],
][] = [
  [
    'the one that says its version says it of all',
    { 'kata-static-a.tar': version, 'b.tar': './opt/kata/b' },
    ['4.0.0', '4.0.0'],
  ],
  ['nobody says it', { 'a.tar': './opt/kata/a', 'b.tar': './opt/kata/b' }, [null, null]],
  [
    'what only a name says is said of no other',
    { 'kata-static-4.1.0-amd64.tar': './opt/kata/a', 'b.tar': './opt/kata/b' },
    ['4.1.0', null],
  ],
];

for (const [rule, files, versions] of together) {
  test(`tarballs together: ${rule}`, async () => {
    const { changes } = await tarballs({}, undefined, files);
    assert.equal(
      changes.map(({ newVersion }) => newVersion),
      versions,
    );
  });
}

test('tarballs together: of two releases, each is of its own', async () => {
  const [one, other, silent] = ['1', '2', '3'].map((name) => join(folder, `${name}.tar`)) as [string, string, string];
  writeFileSync(one, tarOf([{ path: version, content: '4.0.0\n' }]));
  writeFileSync(other, tarOf([{ path: version, content: '4.1.0\n' }]));
  writeFileSync(silent, tarOf([{ path: './opt/kata/x' }]));
  const { changes } = await packageFiles(host, host, '', byHand(one, other, silent), host.now() + 60_000);
  assert.equal(
    changes.map(({ newVersion }) => newVersion),
    ['4.0.0', '4.1.0', null],
  );
});
