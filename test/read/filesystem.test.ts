import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt, LimitExceeded, NotFound } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { latin1 } from '../../src/read/bytes.ts';
import { openExt4 } from '../../src/read/ext4.ts';
import { type FileSystem, type Inode, pieces, readFile, resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { makeExt, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('paths in an image');
const needs = ['mkfs.ext4'];
const host = createNodeHost();

let made: FileSystem | undefined;

/** One real filesystem with every kind of link. */
function filesystem(): FileSystem {
  if (made !== undefined) return made;
  const folder = temporaryFolder();
  const tree = writeTree(join(folder, 'tree'), {
    'etc/kata/file': 'inside',
    'etc/empty': '',
    'etc/ten': '0123456789',
    'etc/absolute': { link: '/etc/kata/file' },
    'etc/relative': { link: 'kata/file' },
    'etc/up': { link: '../../../../etc/kata/file' },
    'etc/dots': { link: '.././etc//kata/./file' },
    'etc/root': { link: '/' },
    'etc/self': { link: 'self' },
    'etc/one': { link: 'two' },
    'etc/two': { link: '/etc/one' },
    'etc/dangling': { link: '/etc/none' },
    'etc/folder': { link: 'kata/' },
    usr: { link: '/etc/root/etc' },
    'etc/long': { link: `${'./'.repeat(2000)}ten` },
  });
  for (let index = 0; index <= 40; index += 1)
    symlinkSync(index === 40 ? 'ten' : `chain-${index + 1}`, join(tree, 'etc', `chain-${index}`));
  const image = makeExt(join(folder, 'image'), tree, '2M', '-b', '4096', '-O', '^has_journal');
  made = openExt4(new Source(host.open(image), new Budget(host, host.now() + 600_000)));
  return made;
}

const resolved: readonly [rule: string, path: string, expected: string | Inode['kind'] | undefined][] = [
  ['a file', '/etc/kata/file', 'inside'],
  ['without a slash in front', 'etc/kata/file', 'inside'],
  ['slashes and dots', '//etc/.///kata/./file', 'inside'],
  ['the root', '/', 'directory'],
  ['nothing is the root', '', 'directory'],
  ['.. takes one away', '/etc/kata/../kata/file', 'inside'],
  ['.. stops at the root', '/../../etc/kata/file', 'inside'],
  ['an absolute link', '/etc/absolute', 'inside'],
  ['a relative one', '/etc/relative', 'inside'],
  ['one that climbs above the root', '/etc/up', 'inside'],
  ['dots in a link', '/etc/dots', 'inside'],
  ['a link to a directory, with a slash at its end', '/etc/folder/file', 'inside'],
  ['.. behind a link is where the link leads to', '/etc/root/../etc/kata/file', 'inside'],
  ['links in the middle', '/usr/kata/file', 'inside'],
  ['a long link', '/etc/long', '0123456789'],
  ['forty links', '/etc/chain-1', '0123456789'],
  ['not there', '/etc/none', undefined],
  ['below what is not there', '/none/of/it', undefined],
  ['a dangling link', '/etc/dangling', undefined],
  ['below a file', '/etc/kata/file/x', undefined],
  ['.. of a file', '/etc/kata/file/../file', undefined],
];

for (const [rule, path, expected] of resolved) {
  test(
    `resolved: ${rule}`,
    () => {
      const inode = resolve(filesystem(), path);
      assert.is(inode?.kind === 'file' ? latin1(inode.read(0, inode.size)) : inode?.kind, expected);
    },
    { needs },
  );
}

for (const [rule, path] of [
  ['a link to itself', '/etc/self'],
  ['two links to each other', '/etc/one'],
  ['forty-one links', '/etc/chain-0'],
  ['a link to itself in the middle', '/etc/self/x'],
] as const) {
  test(
    `refused: ${rule}`,
    () => {
      assert.throws(
        () => resolve(filesystem(), path),
        (error: unknown) => error instanceof LimitExceeded && error.message === `${path}: more than 40 symbolic links`,
      );
    },
    { needs },
  );
}

/** What no mkfs would write: a link as an image could claim to hold it. */
function claiming(size: number, target: string): FileSystem {
  const refuse = (): never => {
    throw new Corrupt('not asked for');
  };
  const link: Inode = { kind: 'symlink', size, lookup: refuse, names: refuse, target: () => target, read: refuse };
  const root: Inode = { ...link, kind: 'directory', lookup: () => link };
  return { type: 'ext4', root, notes: [] };
}

const claims: readonly [rule: string, size: number, target: string, said: RegExp][] = [
  ['a link of a terabyte is not read', 2 ** 40, '', /^\/x: a symbolic link of 1099511627776 bytes is too long$/],
  ['links that make the path longer each time', 4096, 'x/'.repeat(2000), /^\/x: its symbolic links make it too long$/],
  ['a link that leads to itself by another name each time', 3, 'y/z', /more than 40 symbolic links$/],
];

for (const [rule, size, target, said] of claims) {
  test(`refused: ${rule}`, () => {
    assert.throws(
      () => resolve(claiming(size, target), '/x'),
      (error: unknown) => error instanceof LimitExceeded && said.test(error.message),
    );
  });
}

const piecewise: readonly [rule: string, step: number, limit: number | undefined, expected: readonly string[]][] = [
  ['even pieces', 5, undefined, ['01234', '56789']],
  ['a shorter last one', 4, undefined, ['0123', '4567', '89']],
  ['one larger than the file', 100, undefined, ['0123456789']],
  ['up to a limit', 4, 6, ['0123', '45']],
  ['a limit behind the end', 4, 1000, ['0123', '4567', '89']],
  ['a limit of nothing', 4, 0, []],
];

for (const [rule, step, limit, expected] of piecewise) {
  test(
    `in pieces: ${rule}`,
    () => {
      const inode = resolve(filesystem(), '/etc/ten');
      assert.ok(inode);
      const read = limit === undefined ? pieces(inode as Inode, step) : pieces(inode as Inode, step, limit);
      assert.equal([...read].map(latin1), expected);
    },
    { needs },
  );
}

test(
  'a small file is read whole, and not over its limit',
  () => {
    assert.is(latin1(readFile(filesystem(), '/etc/ten', 10)), '0123456789');
    assert.is(latin1(readFile(filesystem(), '/etc/empty', 0)), '');
    const refusals: readonly [
      path: string,
      limit: number,
      kind: typeof Corrupt | typeof LimitExceeded | typeof NotFound,
      said: RegExp,
    ][] = [
      ['/etc/ten', 9, LimitExceeded, /^\/etc\/ten in the image has 10 bytes, more than 9$/],
      ['/etc/none', 10, NotFound, /^\/etc\/none is not in the image$/],
      ['/etc/kata', 10, Corrupt, /^\/etc\/kata in the image is a directory, not a file$/],
    ];
    for (const [path, limit, kind, said] of refusals) {
      assert.throws(
        () => readFile(filesystem(), path, limit),
        (error: unknown) => error instanceof kind && said.test(error.message),
      );
    }
  },
  { needs },
);
