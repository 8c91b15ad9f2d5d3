import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import * as limits from '../../src/read/limits.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { Entry, Tree } from '../../src/read/tree.ts';
import { forms } from '../e2e/program.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('tree');
const host = createNodeHost();
const folder = temporaryFolder();
const time = '/usr/bin/time';

function makeTree(): Tree {
  return new Tree(new Source(host.open(import.meta.filename), new Budget(host, host.now() + 60_000)), new Set());
}

/** All names below an entry, with what they are. */
function rows(entry: Entry, path = ''): string[] {
  return [...entry.names()].flatMap((name) => {
    const child = entry.lookup(name);
    assert.ok(child !== undefined, name);
    const here = `${path}/${name}`;
    if (child.kind === 'directory') return [`${here}/`, ...rows(child, here)];
    return [child.kind === 'symlink' ? `${here} -> ${child.target()}` : `${here} ${child.kind} ${child.size}`];
  });
}

const target = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const cases: readonly [rule: string, make: (tree: Tree) => void, expected: readonly string[]][] = [
  ['an empty tree', () => {}, []],
  ['a directory in its place', (tree) => tree.addDirectory('./a/', 0), ['/a/']],
  [
    'a directory missing on the way is made',
    (tree) => tree.place('a/b/c', 'other'),
    ['/a/', '/a/b/', '/a/b/c other 0'],
  ],
  [
    'a directory again leaves what is in it',
    (tree) => {
      tree.place('a/b', 'other');
      tree.addDirectory('a', 0);
    },
    ['/a/', '/a/b other 0'],
  ],
  [
    'a directory that is not empty is never replaced, an empty one is',
    (tree) => {
      tree.place('a/b', 'other');
      tree.addDirectory('c', 0);
      tree.place('a', 'file');
      tree.place('c', 'file');
    },
    ['/a/', '/a/b other 0', '/c file 0'],
  ],
  [
    'a path leads through the link that stands there last',
    (tree) => {
      tree.addLink('l', target('a'));
      tree.place('l/x', 'file');
      tree.addLink('l', target('/b'));
      tree.place('l/x', 'other');
    },
    ['/l -> /b', '/a/', '/a/x file 0', '/b/', '/b/x other 0'],
  ],
  [
    'two numbers that begin alike are two directories',
    (tree) => {
      for (let index = 0; index < 12; index += 1) tree.addDirectory(`d${index}`, 0);
      tree.place('d0/x', 'file');
      tree.place('d10/y', 'file');
    },
    [
      '/d0/',
      '/d0/x file 0',
      ...Array.from({ length: 11 }, (_, index) => `/d${index + 1}/`).flatMap((row) =>
        row === '/d10/' ? [row, '/d10/y file 0'] : [row],
      ),
    ],
  ],
];

for (const [rule, make, expected] of cases) {
  test(rule, () => {
    const tree = makeTree();
    make(tree);
    assert.equal(rows(new Entry(tree, 0)).sort(), [...expected].sort());
  });
}

test('what is known of ten thousand entries is kept when the columns grow', () => {
  const tree = makeTree();
  const segment = { source: undefined as never, compression: undefined, offset: 0 };
  for (let index = 0; index < 10_000; index += 1) {
    if (index % 3 === 0) tree.addLink(`d/${index}`, target(`to ${index}`));
    else tree.fill(tree.place(`d/${index}`, 'file') as number, index, segment, index * 2 ** 33, undefined);
  }
  const directory = new Entry(tree, 0).lookup('d');
  assert.is([...(directory?.names() ?? [])].length, 10_000);
  for (let index = 0; index < 10_000; index += 1) {
    const entry = directory?.lookup(`${index}`);
    if (index % 3 === 0) assert.is(entry?.target(), `to ${index}`);
    else assert.equal([entry?.kind, entry?.size, entry?.at], ['file', index, index * 2 ** 33]);
  }
});

test('what an entry is not it cannot do', () => {
  const tree = makeTree();
  tree.place('f', 'file');
  const file = new Entry(tree, 0).lookup('f') as Entry;
  for (const action of [() => file.lookup('x'), () => file.names(), () => file.target()]) {
    assert.throws(action, (error: unknown) => error instanceof Corrupt);
  }
  assert.throws(
    () => new Entry(tree, 0).read(0, 0),
    (error: unknown) => error instanceof Corrupt,
  );
});

interface Row {
  readonly name: string;
  readonly mode?: number;
  readonly data?: string;
  readonly links?: number;
  readonly inode?: number;
  readonly device?: number;
}

function entry({ name, mode = 0o100644, data = '', links = 1, inode = 1, device = 0 }: Row): string {
  const numbers = [inode, mode, 0, 0, links, 0, data.length, 0, device, 0, 0, name.length + 1, 0];
  const header = `070701${numbers.map((value) => value.toString(16).padStart(8, '0')).join('')}${name}\0`;
  const padded = (text: string): string => text.padEnd(Math.ceil(text.length / 4) * 4, '\0');
  return padded(header) + padded(data);
}

const most = limits.initrdEntries - 1;
const wide = '-of-some-length-'.repeat(2);

/** As many as there may be, of each the dearest. */
const crowds: readonly [name: string, row: (index: number) => Row][] = [
  ['files', (index) => ({ name: `file-${index}` })],
  ['directories', (index) => ({ name: `directory-${index}`, mode: 0o40755 })],
  ['directories that only paths name', (index) => ({ name: `d${index >>> 1}/${index}` })],
  ['symbolic links', (index) => ({ name: `link-${index}`, mode: 0o120777, data: `${index}${wide}` })],
  [
    'hard links',
    (index) => ({ name: `hard-link-${index}${wide}`, links: 2, inode: index, device: index % limits.initrdDevices }),
  ],
];

for (const [name, row] of crowds) {
  const native = forms.find((form) => form.name === 'native');
  for (const [how, packed] of [
    ['plain', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => gzipSync(bytes, { level: 1 })],
  ] as const) {
    test(
      `${name}, as many as there may be, ${how}: less than 32 MB of memory in the native form`,
      () => {
        const lines: string[] = [];
        const count = name.startsWith('directories that') ? Math.floor((most * 2) / 3) : most;
        for (let index = 0; index < count; index += 1) lines.push(entry(row(index)));
        lines.push(entry({ name: 'usr/bin/kata-agent', data: `3.31.0-${'0123456789'.repeat(4)}` }));
        lines.push(entry({ name: 'TRAILER!!!' }));
        const file = join(folder, 'crowd.img');
        // The last entries are one directory or two too many.
        const bytes = Buffer.from(lines.slice(3).join(''), 'latin1');
        writeFileSync(file, packed(bytes));
        const command = [...(native?.argv ?? []), 'image', '--json', file];
        const { stdout, stderr, status } = spawnSync(time, ['-f', '%M', ...command], { encoding: 'utf8' });
        assert.is(status, 0, stdout + stderr);
        assert.match(stdout, /"3\.31\.0/);
        const kibibytes = Number(stderr.trim().split('\n').at(-1));
        assert.ok(kibibytes * 1024 < 32_000_000, `${kibibytes} KiB`);
      },
      { needs: [time, ...(native?.needs ?? [])], isLong: true },
    );
  }
}
