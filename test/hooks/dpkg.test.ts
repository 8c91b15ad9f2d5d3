import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { LimitExceeded } from '../../src/errors.ts';
import type { Ancestor } from '../../src/hooks/ancestors.ts';
import { nameOfArchive } from '../../src/hooks/apt.ts';
import { parseDpkgArguments, unpackedBy } from '../../src/hooks/dpkg.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { makeDeb } from '../debs.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('what a running dpkg unpacks');
const needs = ['dpkg-deb', 'dpkg-query', '/proc/self/stat'];
const host = createNodeHost();

const commands: readonly [rule: string, words: string, operands: readonly string[], isRecursive: boolean][] = [
  ['-i and archives', '-i a.deb b.deb', ['a.deb', 'b.deb'], false],
  [
    '--unpack, as apt calls it',
    '--status-fd 3 --no-triggers --unpack --auto-deconfigure --recursive /tmp/x',
    ['/tmp/x'],
    true,
  ],
  ['-R, alone and among letters', '-R -i /tmp/x', ['/tmp/x'], true],
  ['letters in one word', '-iR /tmp/x', ['/tmp/x'], true],
  ['-- ends the options', '-i -- -R', ['-R'], false],
  ['an option behind an archive is none', '-i a.deb -R --root=/x', ['a.deb', '-R', '--root=/x'], false],
  ['values behind =', '--root=/srv --log=/dev/null -i a.deb', ['a.deb'], false],
  ['values in the next word', '--root /srv --admindir /x --log /dev/null -i a.deb', ['a.deb'], false],
  ['--instdir takes a value', '--instdir=/srv -i a.deb', ['a.deb'], false],
  ['roots are no archives', '--root=/a --instdir=/b -i a.deb', ['a.deb'], false],
  ['-D with its value', '-D2 -i a.deb', ['a.deb'], false],
  ['-D, and its value behind it', '-D 2 -i a.deb', ['a.deb'], false],
  ['the value of -D is no letter', '-D=R -i a.deb', ['a.deb'], false],
  ['--force and its kin take none', '--force-all --no-force-x --refuse-y -i a.deb', ['a.deb'], false],
  ['a hook that is given there', '--pre-invoke=x -R --post-invoke y -i a.deb', ['a.deb'], true],
  ['--command-fd', '--command-fd 4', [], false],
  ['nothing', '', [], false],
  ['@ is the beginning of a name', '-i @list', ['@list'], false],
];

for (const [rule, words, operands, isRecursive] of commands) {
  test(`arguments: ${rule}`, () =>
    assert.equal(parseDpkgArguments(['dpkg', ...words.split(' ').filter((word) => word !== '')]), {
      operands,
      isRecursive,
    }));
}

test('a name out of a path', () => {
  assert.is(nameOfArchive('/x/kata-runtime_1%3a2_all.deb'), 'kata-runtime');
  assert.is(nameOfArchive('x.deb'), 'x.deb');
});

const dpkg: Ancestor = { pid: process.pid, command: 'dpkg', startTime: '1' };

/** As if this process were a dpkg with these arguments. */
function called(...words: readonly string[]): Host {
  return Object.assign(Object.create(host) as Host, {
    now: () => host.now(),
    run: (...args: Parameters<Host['run']>) => host.run(...args),
    stream: (...args: Parameters<Host['stream']>) => host.stream(...args),
    readText: (path: string, limit: number) =>
      path === `/proc/${process.pid}/cmdline` ? `${['dpkg', ...words].join('\0')}\0` : host.readText(path, limit),
  });
}

const late = (): number => host.now() + 60_000;
const folder = temporaryFolder();
const runtime = makeDeb(folder, { name: 'kata-runtime', version: '1.1.0-1' });
const image = makeDeb(folder, { name: 'kata-containers-image', version: '1.1.0-1' });
const other = makeDeb(folder, { name: 'other', version: '2' });
const renamed = join(folder, 'download.deb');
renameSync(makeDeb(temporaryFolder(), { name: 'kata-containers', version: '3' }), renamed);
const root = writeTree(temporaryFolder(), {
  'var/lib/dpkg/status': 'Package: kata-runtime\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0.0-1\n',
});

test(
  'each archive by its own name, with the version that is installed below the root',
  async () => {
    assert.equal(await unpackedBy(called('-i', runtime, renamed), dpkg, root, late()), {
      changes: [
        { name: 'kata-runtime', oldVersion: '1.0.0-1', newVersion: '1.1.0-1', action: 'unpack', archive: runtime },
        { name: 'kata-containers', oldVersion: null, newVersion: '3', action: 'unpack', archive: renamed },
      ],
      isWhole: true,
    });
  },
  { needs },
);

test(
  'one that cannot be read',
  async () => {
    writeFileSync(join(folder, 'broken_1_all.deb'), 'none');
    const found = await unpackedBy(called('-i', runtime, join(folder, 'broken_1_all.deb')), dpkg, root, late());
    assert.is(found?.isWhole, false);
    assert.equal(
      found?.changes.map(({ name }) => name),
      ['kata-runtime', 'broken'],
    );
  },
  { needs },
);

test(
  '--recursive: folders in folders, links to archives, and nothing that is called otherwise',
  async () => {
    const tree = writeTree(temporaryFolder(), { 'a/b/notes.txt': 'x', 'a/empty/x': 'x' });
    symlinkSync(runtime, join(tree, 'a/b/0-kata-runtime.deb'));
    symlinkSync(image, join(tree, '1-image.deb'));
    symlinkSync('.', join(tree, 'a/round'));
    const found = await unpackedBy(called('--unpack', '--recursive', tree), dpkg, root, late());
    const names = new Set(found?.changes.map(({ name }) => name));
    assert.equal([...names].sort(), ['kata-containers-image', 'kata-runtime']);
    mkdirSync(join(tree, 'nothing'));
    assert.is(await unpackedBy(called('-iR', join(tree, 'nothing')), dpkg, root, late()), null);
  },
  { needs },
);

test('--recursive: folders that lead into each other without end are no answer, and none that is cut short', async () => {
  const tree = writeTree(temporaryFolder(), { 'x.txt': 'x' });
  for (const name of ['round', 'and-round']) symlinkSync('.', join(tree, name));
  symlinkSync(runtime, join(tree, 'a.deb'));
  try {
    await unpackedBy(called('-iR', tree), dpkg, root, late());
    assert.unreachable('it gave an answer');
  } catch (error) {
    assert.instance(error, LimitExceeded, `${error}`);
  }
});

test(
  'many archives that have nothing to do with Kata, on a node without it, are not opened',
  async () => {
    const many = Array.from({ length: 21 }, () => other);
    const closed = Object.assign(called('-i', ...many), {
      run: () => {
        throw new Error('a program was run');
      },
    });
    assert.is(await unpackedBy(closed, dpkg, root, late()), null);
    const all = await unpackedBy(called('-i', ...many, runtime), dpkg, root, late());
    assert.is(all?.changes.length, 22);
  },
  { needs },
);

test('no archive, no answer', async () => {
  // `--configure -a`: its letters are no archive.
  for (const words of [['--configure', '-a'], ['--command-fd', '4'], []])
    assert.is(await unpackedBy(called(...words), dpkg, root, late()), null, words.join(' '));
});
