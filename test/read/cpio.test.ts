import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { Corrupt, LimitExceeded, Problem, Unsupported } from '../../src/errors.ts';
import type { RunOptions } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type Initrd, isInitrd, openInitrd } from '../../src/read/cpio.ts';
import { plainLimit } from '../../src/read/decompress.ts';
import { type Inode, readFile, resolve } from '../../src/read/filesystem.ts';
import * as limits from '../../src/read/limits.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { guestTree, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { corpusFolder, suite } from '../suite.ts';

const test = suite('cpio');
const host = createNodeHost();
const folder = temporaryFolder();

function open(image: string, deadline = host.now() + 60_000): Source {
  return new Source(host.open(image), new Budget(host, deadline));
}

let images = 0;

function image(...parts: readonly Uint8Array[]): string {
  images += 1;
  const file = join(folder, `${images}.img`);
  writeFileSync(file, Buffer.concat(parts));
  return file;
}

function openParts(...parts: readonly Uint8Array[]): Promise<Initrd> {
  return openInitrd(host, open(image(...parts)), [summaryPath]);
}

async function content(initrd: Initrd, inode: Inode | undefined): Promise<Buffer> {
  assert.ok(inode);
  const chunks: Uint8Array[] = [];
  for await (const chunk of initrd.stream(inode as Inode)) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

async function text(initrd: Initrd, path: string): Promise<string | undefined> {
  const inode = resolve(initrd.filesystem, path);
  return inode === undefined ? undefined : (await content(initrd, inode)).toString('latin1');
}

async function thrown(action: Promise<unknown>): Promise<Error> {
  try {
    await action;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** What the real cpio makes of a folder, in the order that `find` gives or in the given one. */
function pack(tree: string, form: 'newc' | 'crc' = 'newc', names?: readonly string[]): Buffer {
  const list = names === undefined ? execFileSync('find', ['.', '-print0'], { cwd: tree }) : `${names.join('\0')}\0`;
  return execFileSync('cpio', ['-o', '-0', '--quiet', '-H', form], {
    cwd: tree,
    input: list,
    maxBuffer: 1 << 28,
  });
}

interface Entry {
  readonly mode?: number;
  readonly data?: string | Uint8Array;
  readonly inode?: number;
  readonly links?: number;
  readonly size?: number;
  readonly nameSize?: number;
  readonly magic?: string;
}

function aligned(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** One entry, by hand: what the real program would never write. */
function entry(name: string, options: Entry = {}): Buffer {
  const { mode = 0o100644, data = '', inode = 1, links = 1, magic = '070701' } = options;
  const bytes = Buffer.from(data as string, 'latin1');
  const fields = [inode, mode, 0, 0, links, 0, options.size ?? bytes.length, 0, 0, 0, 0];
  const numbers = [...fields, options.nameSize ?? name.length + 1, 0];
  const header = magic + numbers.map((value) => value.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([aligned(Buffer.from(`${header}${name}\0`, 'latin1')), aligned(bytes)]);
}

const trailer = entry('TRAILER!!!');
const directory = 0o40755;
const symlink = 0o120777;

function archive(...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, trailer]);
}

/** Everything in a tree on disk, as rows that compare. */
function rowsOnDisk(root: string, path = ''): string[] {
  return readdirSync(Buffer.from(join(root, path), 'latin1'), { encoding: 'latin1' as 'utf8' }).flatMap((name) => {
    const here = `${path}/${name}`;
    const file = Buffer.from(join(root, here), 'latin1');
    const stats = lstatSync(file);
    if (stats.isDirectory()) return [`${here} directory`, ...rowsOnDisk(root, here)];
    if (stats.isSymbolicLink()) return [`${here} -> ${readlinkSync(file, 'latin1' as 'utf8')}`];
    return [`${here} ${stats.size}`];
  });
}

function rowsOf(inode: Inode, path = ''): string[] {
  return [...inode.names()].flatMap((name) => {
    const here = `${path}/${name}`;
    const child = inode.lookup(name) as Inode;
    if (child.kind === 'directory') return [`${here} directory`, ...rowsOf(child, here)];
    if (child.kind === 'symlink') return [`${here} -> ${child.target()}`];
    return [`${here} ${child.size}`];
  });
}

function oddTree(name: string): string {
  const tree = writeTree(join(folder, name), guestTree('3.31.0'));
  mkdirSync(join(tree, 'many'));
  for (let index = 0; index < 3000; index += 1)
    writeFileSync(join(tree, 'many', `file-${index}-${'n'.repeat(index % 90)}`), 'x'.repeat(index % 517));
  writeFileSync(
    join(tree, 'large'),
    Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * index) >> 7)),
  );
  writeFileSync(Buffer.from(`${tree}/not-utf8-\xff\xfe`, 'latin1'), 'bytes');
  mkdirSync(join(tree, 'empty'));
  symlinkSync(`/${'./'.repeat(100)}usr/bin/kata-agent`, join(tree, 'long-link'));
  linkSync(join(tree, 'large'), join(tree, 'hard-1'));
  linkSync(join(tree, 'large'), join(tree, 'usr/hard-2'));
  chmodSync(join(tree, 'large'), 0o755);
  return tree;
}

const forms: readonly [
  name: string,
  needs: readonly string[],
  pack: (file: string) => Buffer,
  compression: string | null,
][] = [
  ['plain', [], (file) => readFileSync(file), null],
  ['gzip', ['gzip'], compressed('gzip', '-9c'), 'gzip'],
  ['zstd', ['zstd'], compressed('zstd', '-qc'), 'zstd'],
  ['xz', ['xz'], compressed('xz', '-c', '--check=crc32', '-2'), 'xz'],
  ['lz4', ['lz4'], compressed('lz4', '-qc'), 'lz4'],
  ['lz4, the legacy frame', ['lz4'], compressed('lz4', '-lqc'), 'lz4'],
  ['bzip2', ['bzip2'], compressed('bzip2', '-c'), 'bzip2'],
];

/** Left to the long run. */
const rare = ['lz4, the legacy frame', 'bzip2'];

function compressed(program: string, ...options: readonly string[]): (file: string) => Buffer {
  return (file) => execFileSync(program, [...options, file], { maxBuffer: 1 << 28 });
}

function compress(program: string, bytes: Uint8Array, ...options: readonly string[]): Buffer {
  return compressed(program, ...options)(image(bytes));
}

let packed: { readonly tree: string; readonly newc: Buffer; readonly crc: Buffer } | undefined;

function packedOddTree(): NonNullable<typeof packed> {
  if (packed === undefined) {
    const tree = oddTree('odd');
    packed = { tree, newc: pack(tree), crc: pack(tree, 'crc') };
  }
  return packed;
}

for (const [name, needs, packFile, compression] of forms) {
  // The crc form differs in its magic alone.
  for (const form of compression === null ? (['newc', 'crc'] as const) : (['newc'] as const)) {
    test(
      `${name}, ${form}: every entry is read as it was packed`,
      async () => {
        const { tree, [form]: archived } = packedOddTree();
        const bytes = packFile(image(archived));
        for (const early of [false, true]) {
          const first = early
            ? archive(entry('kernel', { mode: directory }), entry('kernel/early', { data: 'µ' }))
            : [];
          const source = open(image(Buffer.from(first as Buffer), Buffer.alloc(early ? 1021 : 0), bytes));
          assert.ok(isInitrd(source));
          const initrd = await openInitrd(host, source, [summaryPath]);
          assert.is(initrd.compression, compression);
          assert.equal(initrd.filesystem.notes, []);
          const rows = rowsOf(initrd.filesystem.root).filter((row) => !row.startsWith('/kernel'));
          assert.equal(rows.sort(), rowsOnDisk(tree).sort());
          const summary = Buffer.from(readFile(initrd.filesystem, summaryPath, 10_000));
          assert.is(Buffer.compare(summary, readFileSync(join(tree, summaryPath))), 0);
          for (const path of ['/large', '/hard-1', '/usr/hard-2', '/long-link', '/sbin/init', '/not-utf8-\xff\xfe']) {
            const inode = resolve(initrd.filesystem, path);
            const real = path === '/sbin/init' ? '/usr/lib/systemd/systemd' : path;
            const expected = readFileSync(
              path === '/long-link' ? join(tree, 'usr/bin/kata-agent') : Buffer.from(join(tree, real), 'latin1'),
            );
            assert.is(Buffer.compare(await content(initrd, inode), expected), 0, path);
          }
          if (early) assert.is(await text(initrd, '/kernel/early'), '\xb5');
        }
      },
      { needs: ['cpio', ...needs], isLong: rare.includes(name) },
    );
  }
}

test(
  'every file of a large tree has the content that was packed, plain and compressed',
  async () => {
    const { tree, newc: bytes } = packedOddTree();
    const initrd = await openParts(bytes);
    for (const name of readdirSync(join(tree, 'many'))) {
      const inode = resolve(initrd.filesystem, `/many/${name}`) as Inode;
      assert.is(
        Buffer.from(inode.read(0, inode.size)).toString(),
        readFileSync(join(tree, 'many', name), 'utf8'),
        name,
      );
    }
    const zipped = await openParts(gzipSync(bytes));
    for (const index of [0, 1, 516, 1500, 2999]) {
      const name = `file-${index}-${'n'.repeat(index % 90)}`;
      assert.is(await text(zipped, `/many/${name}`), readFileSync(join(tree, 'many', name), 'utf8'), name);
    }
  },
  { needs: ['cpio', 'gzip'] },
);

test(
  'only the wanted files of a compressed initrd can be read without streaming',
  async () => {
    const bytes = archive(entry('usr/bin/kata-agent', { data: 'agent' }), entry(summaryPath, { data: 'summary' }));
    const initrd = await openParts(gzipSync(bytes));
    assert.is(Buffer.from(readFile(initrd.filesystem, summaryPath, 100)).toString(), 'summary');
    const agent = resolve(initrd.filesystem, '/usr/bin/kata-agent') as Inode;
    assert.throws(() => agent.read(0, 1), /gzip compressed initrd can be read from its start only/);
    assert.is((await content(initrd, agent)).toString(), 'agent');
    assert.instance(await thrown(content(initrd, initrd.filesystem.root)), Corrupt);
  },
  { needs: ['gzip'] },
);

test(
  'a wanted file is kept whatever the name its content passes by',
  async () => {
    const bytes = archive(
      entry('var', { mode: symlink, data: 'data' }),
      entry('data/lib/osbuilder', { mode: directory }),
      entry('data/lib/osbuilder/osbuilder.yaml', { links: 2, inode: 9 }),
      entry('other-name', { links: 2, inode: 9, data: 'summary' }),
    );
    const { filesystem } = await openParts(gzipSync(bytes));
    assert.is(Buffer.from(readFile(filesystem, summaryPath, 100)).toString(), 'summary');
  },
  { needs: ['gzip'] },
);

/** Rules of the kernel, by what a path must hold after all archives were read; undefined: nothing. */
const rules: readonly [
  rule: string,
  parts: readonly Buffer[],
  expected: Readonly<Record<string, string | undefined>>,
][] = [
  [
    'a later entry wins, in one archive and over earlier archives',
    [
      archive(entry('a', { data: 'first' }), entry('a', { data: 'second' }), entry('b', { data: 'old' })),
      archive(entry('b', { data: 'new' })),
    ],
    { a: 'second', b: 'new' },
  ],
  [
    'names may begin with "./", with "/" or bare, and ".." stays inside',
    [
      archive(
        entry('./a', { data: '1' }),
        entry('//b', { data: '2' }),
        entry('../../c', { data: '3' }),
        entry('./x/../d/', { data: '4' }),
      ),
    ],
    { a: '1', b: '2', c: '3', d: '4' },
  ],
  [
    'an entry goes through a symbolic link made before it',
    [
      archive(
        entry('usr/sbin', { mode: directory }),
        entry('sbin', { mode: symlink, data: 'usr/sbin' }),
        entry('sbin/init', { data: 'init' }),
      ),
    ],
    { 'usr/sbin/init': 'init', 'sbin/init': 'init' },
  ],
  [
    'a symbolic link made anew leads the next entry to the new place',
    [
      archive(
        entry('link', { mode: symlink, data: 'one' }),
        entry('link/a', { data: 'a' }),
        entry('link', { mode: symlink, data: 'two' }),
        entry('link/b', { data: 'b' }),
      ),
    ],
    { 'one/a': 'a', 'two/b': 'b', 'link/b': 'b', 'link/a': undefined },
  ],
  [
    'a symbolic link made after what it leads to is followed too',
    [archive(entry('usr/sbin/init', { data: 'init' }), entry('sbin', { mode: symlink, data: '/usr/../usr/sbin' }))],
    { 'sbin/init': 'init' },
  ],
  [
    'a symbolic link cannot lead out of the image',
    [archive(entry('out', { mode: symlink, data: '../../..' }), entry('out/a', { data: 'inside' }))],
    { a: 'inside' },
  ],
  [
    'the content of hard links stands with the last',
    [
      archive(
        entry('a', { inode: 7, links: 3 }),
        entry('b', { inode: 7, links: 3 }),
        entry('c', { inode: 7, links: 3, data: 'data' }),
      ),
    ],
    { a: 'data', b: 'data', c: 'data' },
  ],
  [
    'the content of hard links may stand with the first',
    [archive(entry('a', { inode: 7, links: 2, data: 'data' }), entry('b', { inode: 7, links: 2 }))],
    { a: 'data', b: 'data' },
  ],
  [
    'hard links hold within one archive only',
    [
      archive(entry('a', { inode: 7, links: 2, data: 'one' })),
      archive(entry('b', { inode: 7, links: 2, data: 'two' })),
    ],
    { a: 'one', b: 'two' },
  ],
  [
    'equal inode numbers without further links are no hard link',
    [archive(entry('a', { inode: 7, data: 'one' }), entry('b', { inode: 7 }))],
    { a: 'one', b: '' },
  ],
  [
    'a file written anew is written under all of its names',
    [
      archive(entry('a', { inode: 7, links: 2 }), entry('b', { inode: 7, links: 2, data: 'one' })),
      archive(entry('b', { data: 'two' })),
    ],
    { a: 'two', b: 'two' },
  ],
  [
    'a file replaces a symbolic link and does not go through it',
    [
      archive(
        entry('target', { data: 'old' }),
        entry('a', { mode: symlink, data: 'target' }),
        entry('a', { data: 'new' }),
      ),
    ],
    { a: 'new', target: 'old' },
  ],
  [
    'a directory replaces a symbolic link to a directory',
    [
      archive(entry('usr/sbin/init', { data: 'old' }), entry('sbin', { mode: symlink, data: 'usr/sbin' })),
      archive(entry('sbin', { mode: directory })),
    ],
    { 'sbin/init': undefined, 'usr/sbin/init': 'old' },
  ],
  [
    'a directory made again keeps what is in it',
    [archive(entry('d', { mode: directory }), entry('d/a', { data: 'a' })), archive(entry('d', { mode: directory }))],
    { 'd/a': 'a' },
  ],
  [
    'nothing replaces a directory that is not empty',
    [
      archive(
        entry('d', { mode: directory }),
        entry('d/a', { data: 'a' }),
        entry('d', { data: 'file' }),
        entry('d', { mode: symlink, data: 'x' }),
      ),
    ],
    { 'd/a': 'a' },
  ],
  [
    'a file replaces an empty directory',
    [archive(entry('d', { mode: directory }), entry('d', { data: 'file' }))],
    { d: 'file' },
  ],
  [
    'no entry goes below a file',
    [archive(entry('a', { data: 'a' }), entry('a/b', { data: 'b' }))],
    { a: 'a', 'a/b': undefined },
  ],
  ['a name ends at its first zero byte', [archive(entry('a\0b', { data: 'a' }))], { a: 'a' }],
  [
    'a loop of symbolic links drops the entry alone',
    [archive(entry('l', { mode: symlink, data: 'l' }), entry('l/a', { data: 'a' }), entry('b', { data: 'b' }))],
    { b: 'b' },
  ],
  [
    'hexadecimal digits may be capital',
    [
      Buffer.from(
        archive(entry('a', { data: 'x'.repeat(171) }))
          .toString('latin1')
          .replace('000000ab', '000000AB'),
        'latin1',
      ),
    ],
    { a: 'x'.repeat(171) },
  ],
];

for (const [rule, parts, expected] of rules) {
  test(
    `${rule}`,
    async () => {
      const padded = parts.flatMap((part, index) => [Buffer.alloc(index * 260), part]);
      const plain = Buffer.concat([...padded, Buffer.alloc(300)]);
      const layouts: readonly (readonly Buffer[])[] = [
        [plain],
        [gzipSync(plain)],
        [gzipSync(plain.subarray(0, 151)), gzipSync(plain.subarray(151))],
        [...parts.map((part) => gzipSync(part))],
        [...parts.flatMap((part) => [gzipSync(part), Buffer.alloc(5)])],
        [...parts.flatMap((part, index) => [index % 2 === 0 ? gzipSync(part) : part, Buffer.alloc(8)])],
        [...parts.flatMap((part, index) => [index % 2 === 1 ? gzipSync(part) : part, Buffer.alloc(8)])],
      ];
      for (const [index, layout] of layouts.entries()) {
        const initrd = await openParts(...layout);
        for (const [path, value] of Object.entries(expected))
          assert.is(await text(initrd, path), value, `${path} in layout ${index}`);
      }
    },
    { needs: ['gzip'] },
  );
}

test('what the kernel drops and what no archive makes is noted', async () => {
  const { filesystem } = await openParts(
    archive(entry('a', {}), entry('a/b', {}), entry('x/y/z', {}), entry('s', { mode: 0o10644, data: 'x' })),
  );
  assert.equal(filesystem.notes, [
    '2 directories are in no archive of the initrd but in paths',
    '2 entries of the initrd were left out, as the kernel does',
  ]);
});

/** The usual run takes the forms that an initrd mostly has, the long run the others. */
const usualOverlays = ['gzip', 'zstd', 'xz'];
const overlays: readonly [name: string, program: string, options: readonly string[]][] = [
  ['gzip', 'gzip', ['-c']],
  ['zstd', 'zstd', ['-qc']],
  ['zstd with a checksum and several blocks', 'zstd', ['-qc', '--check', '-1']],
  ['xz', 'xz', ['-c']],
  ['xz of several blocks', 'xz', ['-c', '--block-size=70000']],
  ['lz4', 'lz4', ['-qc']],
  ['lz4 with checksums and sizes', 'lz4', ['-qc', '-BX', '--content-size']],
  ['lz4, the legacy frame', 'lz4', ['-lqc']],
  ['bzip2', 'bzip2', ['-c']],
];

for (const [name, program, options] of overlays) {
  test(
    `${name}: an archive behind the compressed segment, plain or of any form, overrides it`,
    async () => {
      const noise = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index * 7) >> 9));
      const base = archive(
        entry('a', { data: 'old' }),
        entry('noise', { data: noise }),
        entry('kept', { data: 'kept' }),
      );
      const overlay = archive(entry('a', { data: 'new' }));
      const first = compress(program, base, ...options);
      const followers: readonly (readonly [string, Buffer])[] = [
        ['plain', overlay],
        ['gzip', gzipSync(overlay)],
        [name, compress(program, overlay, ...options)],
        ['bzip2', compress('bzip2', overlay, '-c')],
      ];
      for (const [what, second] of followers) {
        // Without zeros between, the start of a gzip stream would be a length in a legacy frame.
        const gaps = options.includes('-lqc') ? [4, 512] : [0, 4, 509];
        for (const gap of gaps) {
          const initrd = await openParts(first, Buffer.alloc(gap), second, Buffer.alloc(77));
          assert.is(await text(initrd, 'a'), 'new', `${what} after ${gap}`);
          assert.is(await text(initrd, 'kept'), 'kept', `${what} after ${gap}`);
          assert.is((await content(initrd, resolve(initrd.filesystem, 'noise'))).length, noise.length);
        }
      }
    },
    { needs: [program, 'gzip', 'bzip2'], isLong: !usualOverlays.includes(name) },
  );
}

test(
  'junk behind a compressed segment leaves the segment to be used, with a note',
  async () => {
    const base = archive(entry('a', { data: 'a' }));
    for (const program of ['gzip', 'zstd', 'xz', 'lz4', 'bzip2']) {
      const first = compress(program, base, program === 'lz4' ? '-qc' : '-c');
      const initrd = await openParts(first, Buffer.from('junk and more junk'));
      assert.is(await text(initrd, 'a'), 'a', program);
      assert.is(initrd.filesystem.notes.length, 1, program);
      assert.match(initrd.filesystem.notes[0] ?? '', /not read/);
      const padded = await openParts(first, Buffer.alloc(1000));
      assert.is(await text(padded, 'a'), 'a', program);
      assert.equal(padded.filesystem.notes, [], program);
    }
  },
  { needs: ['gzip', 'zstd', 'xz', 'lz4', 'bzip2'] },
);

const good = archive(entry('a', { data: 'content' }), entry('b'));

/** What is refused: with which class and message. */
const refused: readonly [what: string, bytes: Buffer, kind: new (message: string) => Problem, message: RegExp][] = [
  ['no trailer', good.subarray(0, -trailer.length), Corrupt, /bytes 232 to 342 are needed/],
  ['a header broken off', good.subarray(0, 200), Corrupt, /bytes 120 to 230 are needed/],
  ['content beyond the end', archive(entry('a', { size: 0xffffffff })), Corrupt, /bytes 112 to 4294967408/],
  [
    'a bad magic in the middle',
    archive(entry('a', {}), entry('b', { magic: '070700' })),
    Corrupt,
    /no cpio header at byte 112/,
  ],
  ['a name without length', archive(entry('a', { nameSize: 0 })), Corrupt, /byte 0 has a name of 0 bytes/],
  ['a huge name', archive(entry('a', { nameSize: 0xffffffff })), Corrupt, /byte 0 has a name of 4294967295 bytes/],
  ['a name without an end', archive(entry('a', { nameSize: 1 })), Corrupt, /name of the header at byte 0 has no end/],
  [
    'a field without digits',
    Buffer.from(good.toString('latin1').replace('00000007', '0000000g'), 'latin1'),
    Corrupt,
    /byte 0 has no hexadecimal digit at its byte 61/,
  ],
  [
    'a trailer with content',
    Buffer.concat([good.subarray(0, -trailer.length), entry('TRAILER!!!', { mode: symlink, data: 'x' })]),
    Corrupt,
    /the trailer at byte 232 has 1 bytes/,
  ],
];

for (const [what, bytes, kind, message] of refused) {
  test(
    `refused: ${what}`,
    async () => {
      const plain = await thrown(openParts(bytes));
      assert.instance(plain, kind);
      assert.match(plain.message, message);
      const zipped = await thrown(openParts(gzipSync(bytes)));
      assert.instance(zipped, kind);
      assert.match(
        zipped.message,
        message.source.startsWith('bytes') ? /breaks off at byte \d+ of the plain stream/ : message,
      );
    },
    { needs: ['gzip'] },
  );
}

test(
  'what is no newc archive is unsupported, by its name',
  async () => {
    for (const [bytes, message] of [
      [Buffer.from('070707000000'), /odc form/],
      [gzipSync(Buffer.from(`070707${'0'.repeat(200)}`)), /odc form/],
      [Buffer.from([0xc7, 0x71, 0, 0, 0, 0]), /old binary form/],
      [Buffer.from([0x5d, 0, 0, 0x80, 0, 0]), /lzma/],
      [gzipSync(Buffer.from('x'.repeat(200))), /neither a cpio header/],
    ] as const) {
      const error = await thrown(openParts(bytes));
      assert.instance(error, Unsupported);
      assert.match(error.message, message);
    }
    const afterEarly = await thrown(openParts(good, Buffer.from('junk!!')));
    assert.instance(afterEarly, Corrupt);
    const lzo = await thrown(openParts(good, Buffer.from([0x89, 0x4c, 0x5a, 0x4f, 0, 0])));
    assert.instance(lzo, Unsupported);
  },
  { needs: ['gzip'] },
);

test(
  'a compressed stream that breaks off is corrupt, wherever',
  async () => {
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * index * 7) >> 9));
    const bytes = archive(entry('a', { data: noise }));
    for (const program of ['gzip', 'zstd', 'xz', 'lz4', 'bzip2']) {
      const whole = compress(program, bytes, program === 'lz4' ? '-qc' : '-c');
      for (const length of [30, whole.length >> 1, whole.length - 100, whole.length - 5, whole.length - 1]) {
        const error = await thrown(openParts(whole.subarray(0, length)));
        assert.instance(error, Corrupt, `${program} ${length}: ${error.message}`);
      }
      // The same behind a whole segment.
      const error = await thrown(openParts(whole, whole.subarray(0, whole.length >> 1)));
      assert.instance(error, Corrupt, `${program}: ${error.message}`);
    }
  },
  { needs: ['gzip', 'zstd', 'xz', 'lz4', 'bzip2'] },
);

test(
  'bombs end at a named limit',
  async () => {
    const zeros = Buffer.alloc(limits.initrdPadding + 1_000_000);
    const padding = await thrown(openParts(gzipSync(Buffer.concat([good, zeros]))));
    assert.instance(padding, LimitExceeded);
    assert.match(padding.message, /more than 8388608 bytes of zeros/);
    // 4 GB of zeros as one file. Two of them would take seconds, so the limit is checked and then lowered.
    const lowered = {
      stream: (argv: readonly string[], options: RunOptions) => {
        assert.is(options.outputLimit, plainLimit(statSync(file).size));
        return host.stream(argv, { ...options, outputLimit: 1 << 26 });
      },
    };
    const block = gzipSync(Buffer.alloc(1 << 24));
    const blocks = Array.from({ length: 256 }, () => block);
    const file = image(gzipSync(entry('a', { size: 0xffffffff })), ...blocks);
    const size = await thrown(openInitrd(lowered, open(file)));
    assert.instance(size, LimitExceeded);
    assert.match(size.message, /gzip gave more than 67108864 bytes/);
  },
  { needs: ['gzip'] },
);

test(
  'too many entries and too long names in all end at a named limit',
  async () => {
    const row = entry('a');
    const entries = Buffer.concat(Array.from({ length: limits.initrdEntries + 1 }, () => row));
    assert.match((await thrown(openParts(entries))).message, /more than 95000 entries/);
    const long = entry('n'.repeat(4000));
    const names = Buffer.concat(Array.from({ length: 2200 }, () => long));
    const error = await thrown(openParts(gzipSync(names)));
    assert.instance(error, LimitExceeded);
    assert.match(error.message, /more than 6291456 bytes of names/);
  },
  { needs: ['gzip'] },
);

test('a long way through links costs no more than the deadline allows', async () => {
  const path = Array.from({ length: 1000 }, () => 'd').join('/');
  const links = Array.from({ length: 39 }, (_, index) =>
    entry(`l${index}`, { mode: symlink, data: `${'./'.repeat(1500)}l${index + 1}` }),
  );
  const rows = Array.from({ length: 50_000 }, (_, index) => entry(`l${index % 2}/f${index}`));
  const file = image(
    archive(entry(path, { mode: directory }), ...links, entry('l39', { mode: symlink, data: path }), ...rows),
  );
  // Fifty thousand entries take longer on every machine.
  const error = await thrown(openInitrd(host, open(file, host.now() + 20)));
  assert.instance(error, LimitExceeded);
});

test(
  'a deadline in the past ends the decompressor',
  async () => {
    const file = image(gzipSync(good));
    const error = await thrown(openInitrd(host, open(file, host.now() - 1)));
    assert.instance(error, LimitExceeded);
  },
  { needs: ['gzip'] },
);

test('contents of a plain initrd are not read', async () => {
  const file = image(archive(entry('large', { data: Buffer.alloc(5_000_000) }), entry('a', { data: 'a' })));
  const source = open(file);
  let taken = 0;
  const read = source.file.read.bind(source.file);
  source.file.read = (offset, length) => {
    taken += length;
    return read(offset, length);
  };
  await openInitrd(host, source);
  assert.ok(taken > 200 && taken < 20_000, `${taken}`);
});

/** A generator of the same numbers for the same seed. */
function random(seed: number): (limit: number) => number {
  let state = seed * 2654435761;
  return (limit) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
}

test(
  'changed bytes give the right answer or a problem, never anything else',
  async () => {
    const bytes = archive(
      entry('usr', { mode: directory }),
      entry('sbin', { mode: symlink, data: 'usr' }),
      entry('sbin/init', { data: 'init', inode: 3, links: 2 }),
      entry('init', { inode: 3, links: 2 }),
      entry(summaryPath, { data: 'summary' }),
    );
    const plain = Buffer.concat([bytes, Buffer.alloc(20), archive(entry('usr/init', { data: 'newer' }))]);
    const characters = '0123456789abcdefF/.\0g~';
    let problems = 0;
    for (let seed = 1; seed <= 600; seed += 1) {
      const next = random(seed);
      const changed = Buffer.from(plain);
      for (let count = 1 + next(3); count > 0; count -= 1)
        changed[next(changed.length)] = characters.charCodeAt(next(characters.length));
      const zipped = seed % 12 === 0;
      const whole = zipped ? gzipSync(changed) : changed;
      if (seed % 24 === 0) whole[next(whole.length)] = next(256);
      try {
        const initrd = await openParts(whole);
        rowsOf(initrd.filesystem.root);
        for (const path of ['/sbin/init', '/init', summaryPath]) {
          const inode = resolve(initrd.filesystem, path);
          if (inode?.kind === 'file') assert.is((await content(initrd, inode)).length, inode.size);
        }
      } catch (error) {
        if (!(error instanceof Problem)) throw new Error(`seed ${seed}: ${(error as Error).stack}`);
        problems += 1;
      }
    }
    assert.ok(problems > 100 && problems < 600, `${problems}`);
  },
  { needs: ['gzip'] },
);

const corpusImages = corpusFolder('images');
const archives = corpusFolder('cpio');

test(
  'the images of the corpus',
  async () => {
    const manifest = JSON.parse(readFileSync(join(corpusImages, 'manifest.json'), 'utf8'));
    let count = 0;
    for (const packed of readdirSync(corpusImages).filter((name) => name.startsWith('initrd'))) {
      const file = join(folder, basename(packed, '.zst'));
      run('zstd', '-dqf', '-o', file, join(corpusImages, packed));
      const source = open(file);
      assert.ok(isInitrd(source), packed);
      const initrd = await openInitrd(host, source, [summaryPath]);
      const expected = manifest[basename(packed, '.img.zst')];
      assert.is(initrd.compression, expected.compression, packed);
      assert.match(Buffer.from(readFile(initrd.filesystem, summaryPath, 100_000)).toString(), expected.agent);
      const agent = resolve(initrd.filesystem, '/usr/bin/kata-agent') ?? resolve(initrd.filesystem, '/sbin/init');
      assert.is((await content(initrd, agent)).length, agent?.size);
      count += 1;
    }
    assert.ok(count >= 1);
  },
  { needs: ['zstd', 'gzip', join(corpusImages, 'manifest.json')] },
);

test(
  'the archives of the corpus',
  async () => {
    for (const form of ['newc', 'crc']) {
      const initrd = await openInitrd(host, open(join(archives, `test_gcpio_compat_ref.${form}`)));
      const rows = ['/file 10', '/linkfile 10', '/symlink -> file', '/dir directory'];
      assert.equal(rowsOf(initrd.filesystem.root), rows);
      assert.is(await text(initrd, 'file'), '123456789\n');
    }
    const odd = await thrown(openInitrd(host, open(join(archives, 'test_read_format_cpio_symlink_trailer.cpio'))));
    assert.match(odd.message, /the trailer at byte 0 has 131072 bytes/);
  },
  { needs: [join(archives, 'test_gcpio_compat_ref.crc')] },
);
