import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Member } from '../../src/archive/members.ts';
import { tarMembers } from '../../src/archive/tar.ts';
import { Corrupt, LimitExceeded } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { fromLatin1, latin1, utf8 } from '../../src/read/bytes.ts';
import { run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('tar');
const folder = temporaryFolder();
const host = createNodeHost();

/** In pieces of an odd size, so that headers and contents stand across two. */
async function* inPieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

interface Read extends Pick<Member, 'path' | 'type' | 'target' | 'size'> {
  readonly text: string;
}

async function readAll(bytes: Uint8Array, size?: number): Promise<Read[]> {
  const read: Read[] = [];
  for await (const { path, type, target, size: length, content } of tarMembers(inPieces(bytes, size), 'an archive')) {
    read.push({ path, type, target, size: length, text: type === 'file' ? latin1(await content(1 << 20)) : '' });
  }
  return read;
}

const deep = `${'directory/'.repeat(20)}file`;
const long = `${'n'.repeat(200)}-name`;
const longTarget = `/${'target/'.repeat(30)}end`;

const tree = writeTree(join(folder, 'tree'), {
  control: 'Package: x\n',
  empty: '',
  exact: 'e'.repeat(512),
  large: 'l'.repeat(100_000),
  [deep]: 'deep',
  [long]: 'long',
  [`${'d'.repeat(90)}/${'f'.repeat(90)}`]: 'as long as ustar can',
  näme: 'not ASCII',
  link: { link: 'control' },
  [`link-${long}`]: { link: longTarget },
});
run('ln', join(tree, 'control'), join(tree, 'second-name'));
mkdirSync(join(tree, 'nothing'));

const writers: readonly [rule: string, program: string, args: readonly string[]][] = [
  ['GNU: long names in L and K', 'tar', ['--format=gnu', '-cf']],
  ['pax: long names in x', 'tar', ['--format=pax', '-cf']],
  ['pax with a global header', 'tar', ['--format=pax', '--pax-option=globexthdr.name=g,comment=for all', '-cf']],
  ['bsdtar: pax only where it must be', 'bsdtar', ['--format=pax', '-cf']],
];

for (const [index, [rule, program, args]] of writers.entries()) {
  test(
    `members are read as they were packed: ${rule}`,
    async () => {
      const archive = join(folder, `${index}.tar`);
      run(program, ...args, archive, '-C', tree, '.');
      const bytes = host.open(archive).read(0, host.status(archive)?.size ?? 0);
      for (const size of [1, 511, 65536]) {
        if (size === 1 && index > 0) continue;
        const members = new Map((await readAll(bytes, size)).map((member) => [utf8(fromLatin1(member.path)), member]));
        const text = (path: string): string | undefined => members.get(path)?.text;
        assert.is(text('control') === '' ? text('second-name') : text('control'), 'Package: x\n');
        assert.is(text('empty'), '');
        assert.is(text('exact'), 'e'.repeat(512));
        assert.is(text('large'), 'l'.repeat(100_000));
        assert.is(text(deep), 'deep');
        assert.is(text(long), 'long');
        assert.is(text(`${'d'.repeat(90)}/${'f'.repeat(90)}`), 'as long as ustar can');
        assert.is(text('näme'), 'not ASCII');
        assert.equal([members.get('link')?.type, members.get('link')?.target], ['symlink', 'control']);
        assert.is(members.get(`link-${long}`)?.target, longTarget);
        assert.ok(['control', 'second-name'].some((path) => members.get(path)?.type === 'hardlink'));
        assert.is(members.get('nothing/')?.type, 'directory');
      }
    },
    { needs: [program] },
  );
}

test(
  'ustar splits a long name into prefix and name',
  async () => {
    const archive = join(folder, 'ustar.tar');
    run('tar', '--format=ustar', '-cf', archive, '-C', tree, `${'d'.repeat(90)}/${'f'.repeat(90)}`);
    const bytes = host.open(archive).read(0, host.status(archive)?.size ?? 0);
    assert.equal(
      (await readAll(bytes)).map(({ path }) => path),
      [`${'d'.repeat(90)}/${'f'.repeat(90)}`],
    );
  },
  { needs: ['tar'] },
);

interface Header {
  readonly name?: string;
  readonly size?: string | Uint8Array;
  readonly type?: string;
  readonly magic?: string;
  readonly prefix?: string;
  readonly target?: string;
}

/** A header of 512 bytes, as broken as it is asked for. */
function header({
  name = 'file',
  size = '0',
  type = '0',
  magic = 'ustar\0',
  prefix = '',
  target = '',
}: Header): Uint8Array {
  const block = new Uint8Array(512);
  block.set(fromLatin1(name), 0);
  block.set(typeof size === 'string' ? fromLatin1(size.padStart(11, '0')) : size, 124);
  block.set(fromLatin1(type), 156);
  block.set(fromLatin1(target), 157);
  block.set(fromLatin1(magic), 257);
  block.set(fromLatin1(prefix), 345);
  return block;
}

function padded(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(text.length / 512) * 512);
  bytes.set(fromLatin1(text));
  return bytes;
}

const end = new Uint8Array(1024);
const octal = (value: number): string => value.toString(8);

/** 12 bytes in base 256. */
function base256(first: number, ...last: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[0] = first;
  bytes.set(last, 12 - last.length);
  return bytes;
}

function pax(records: string, more: Header = {}): Uint8Array[] {
  return [header({ name: 'pax', type: 'x', size: octal(records.length), ...more }), padded(records)];
}

/** `goesOn`: whether a block of its map follows. */
function sparse(goesOn: number, size: string): Uint8Array {
  const block = header({ type: 'S', size });
  block[482] = goesOn;
  return block;
}

function sparseBlock(goesOn: number): Uint8Array {
  const block = new Uint8Array(512);
  block[504] = goesOn;
  return block;
}

const good: readonly [rule: string, parts: readonly Uint8Array[], expected: readonly Partial<Read>[]][] = [
  ['nothing but its end', [end], []],
  [
    "a size in a pax header, for what ustar's own digits cannot say",
    [...pax('13 size=1000\n'), header({ name: 'a', size: '0' }), padded('x'.repeat(1000)), header({ name: 'b' }), end],
    [
      { path: 'a', size: 1000 },
      { path: 'b', size: 0 },
    ],
  ],
  [
    "a sparse file in GNU's old form, its map going on in two blocks",
    [sparse(1, '600'), sparseBlock(1), sparseBlock(0), padded('x'.repeat(384)), header({ name: 'b' }), end],
    [
      { path: 'file', type: 'sparse', size: 384 },
      { path: 'b', type: 'file' },
    ],
  ],
  [
    'a sparse file in a pax form',
    [
      ...pax('22 GNU.sparse.major=1\n30 GNU.sparse.realsize=1000000\n'),
      header({ name: 'a' }),
      header({ name: 'b' }),
      end,
    ],
    [
      { path: 'a', type: 'sparse' },
      { path: 'b', type: 'file' },
    ],
  ],
  ['one block of zeros is an end', [header({}), end.subarray(512)], [{ path: 'file', size: 0 }]],
  ['what stands behind the end is not read', [end, header({}), padded('junk')], []],
  [
    './ and / in front are taken away',
    [header({ name: './a' }), header({ name: '//b' }), header({ name: '/.//./c' }), end],
    [{ path: 'a' }, { path: 'b' }, { path: 'c' }],
  ],
  [
    'a dot file keeps its dot',
    [header({ name: '.a' }), header({ name: '..b/c' }), end],
    [{ path: '.a' }, { path: '..b/c' }],
  ],
  ['half a name is a byte string', [header({ name: 'caf\u00e9' }), end], [{ path: 'caf\u00e9' }]],
  [
    'a size with blanks and zeros around',
    [header({ size: fromLatin1('    5 \0') }), padded('hello'), end],
    [{ text: 'hello' }],
  ],
  ['an empty size is none', [header({ size: new Uint8Array(12) }), end], [{ size: 0 }]],
  ['a size in base 256', [header({ size: base256(0x80, 5) }), padded('hello'), end], [{ size: 5, text: 'hello' }]],
  [
    'a prefix counts only in ustar',
    [header({ magic: 'ustar ', prefix: 'no' }), header({ prefix: 'yes' }), end],
    [{ path: 'file' }, { path: 'yes/file' }],
  ],
  [
    'types by their letters',
    ['\0', '7', '1', '2', '5', '3', '6', 'Z'].map((type) => header({ type, target: 't' })).concat(end),
    ['file', 'file', 'hardlink', 'symlink', 'directory', 'other', 'other', 'other'].map((type) => ({
      type: type as Member['type'],
      target: 't',
    })),
  ],
  [
    'a long name is for one member only',
    [header({ type: 'L', size: octal(5) }), padded('long\0'), header({}), header({ name: 'next' }), end],
    [{ path: 'long' }, { path: 'next' }],
  ],
  [
    'so is a long target',
    [
      header({ type: 'K', size: octal(5) }),
      padded('long\0'),
      header({ type: '2' }),
      header({ type: '2', target: 'short' }),
      end,
    ],
    [{ target: 'long' }, { target: 'short' }],
  ],
  [
    'pax names both',
    [...pax('13 path=name\n17 linkpath=link\n'), header({ type: '2' }), header({ type: '2' }), end],
    [
      { path: 'name', target: 'link' },
      { path: 'file', target: '' },
    ],
  ],
  [
    'a global header names none',
    [header({ type: 'g', size: octal(13) }), padded('13 path=name\n'), header({}), end],
    [{ path: 'file' }],
  ],
  [
    'an unread content is passed over',
    [header({ type: '6', size: octal(600) }), padded('x'.repeat(600)), header({ name: 'next' }), end],
    [{ type: 'other', size: 600 }, { path: 'next' }],
  ],
];

for (const [rule, parts, expected] of good) {
  test(`by hand: ${rule}`, async () => {
    const members = await readAll(Buffer.concat(parts));
    assert.is(members.length, expected.length);
    for (const [index, wanted] of expected.entries()) {
      const member = members[index];
      for (const [key, value] of Object.entries(wanted)) assert.equal(member?.[key as keyof Read], value, key);
    }
  });
}

const bad: readonly [
  rule: string,
  parts: readonly Uint8Array[],
  kind: typeof Corrupt | typeof LimitExceeded,
  said: RegExp,
][] = [
  ['nothing', [], Corrupt, /^an archive: the archive breaks off at byte 0$/],
  ['a text', [padded('kind: text, '.repeat(60))], Corrupt, /^an archive, byte 0: .* is no octal number$/],
  ['half a header', [header({}).subarray(0, 200)], Corrupt, /breaks off at byte 200$/],
  ['no end', [header({})], Corrupt, /breaks off at byte 512$/],
  [
    'broken off in a content',
    [header({ size: octal(1000) }), padded('x')],
    Corrupt,
    /^an archive, byte 0: the archive breaks off at byte 1024$/,
  ],
  ['broken off in the padding', [header({ size: octal(5) }), fromLatin1('hello')], Corrupt, /breaks off at byte 517$/],
  [
    'broken off in a long name',
    [header({ type: 'L', size: octal(600) }), padded('x')],
    Corrupt,
    /breaks off at byte 1024$/,
  ],
  [
    'digits that are not octal',
    [header({ size: '00000000018' }), end],
    Corrupt,
    /^an archive, byte 0: "00000000018" is no octal number$/,
  ],
  ['a sign', [header({ size: '-0000000001' }), end], Corrupt, /is no octal number$/],
  [
    'a size that is no octal number, behind a good member',
    [header({}), header({ size: 'zzz' }), end],
    Corrupt,
    /^an archive, byte 512: /,
  ],
  ['a negative size in base 256', [header({ size: new Uint8Array(12).fill(0xff) }), end], Corrupt, /out of all range/],
  ['a size over 2^53', [header({ size: base256(0x80, 0xff, 0, 0, 0, 0, 0, 0, 0) }), end], Corrupt, /out of all range/],
  [
    'a size over 2^64, small in its last eight bytes',
    [header({ size: base256(0x80, 1, 0, 0, 0, 0, 0, 0, 0, 5) }), padded('hello'), end],
    Corrupt,
    /out of all range/,
  ],
  [
    'a size of 8 GB',
    [header({ size: '77777777777' }), end],
    LimitExceeded,
    /^an archive, byte 0: 8589934591 bytes, more than 1048576$/,
  ],
  [
    'a size of 2^52 bytes',
    [header({ size: base256(0x80, 0x10, 0, 0, 0, 0, 0, 0) }), end],
    LimitExceeded,
    /4503599627370496 bytes, more than/,
  ],
  [
    'a content just over what the caller takes',
    [header({ size: octal((1 << 20) + 1) }), end],
    LimitExceeded,
    /1048577 bytes, more than 1048576$/,
  ],
  [
    'a long name of 4 GB',
    [header({ type: 'L', size: '40000000000' }), end],
    LimitExceeded,
    /^an archive, byte 0: a header of 4294967296 bytes$/,
  ],
  ['a size in a pax header that is none', [...pax('12 size=-100\n'), header({})], Corrupt, /a size of -100$/],
  [
    'a map of a sparse file that never ends',
    [sparse(1, '0'), ...Array.from({ length: 10_001 }, () => sparseBlock(1))],
    LimitExceeded,
    /a map of more than 10000 blocks$/,
  ],
  ['a pax header of 65537 bytes', pax('x', { size: octal(65537) }), LimitExceeded, /a header of 65537 bytes$/],
];

for (const [rule, parts, kind, said] of bad) {
  test(`refused: ${rule}`, async () => {
    try {
      await readAll(Buffer.concat(parts));
    } catch (error) {
      assert.instance(error, kind);
      assert.match((error as Error).message, said);
      return;
    }
    assert.unreachable('it was taken');
  });
}

test('a member passed over may be of any size that the stream has', async () => {
  const paths: string[] = [];
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield header({ name: 'huge', size: octal(300 << 20) });
    const piece = new Uint8Array(1 << 20).fill(0x78);
    for (let index = 0; index < 300; index += 1) yield piece;
    yield header({ name: 'next' });
    yield end;
  }
  for await (const { path } of tarMembers(stream(), 'an archive')) paths.push(path);
  assert.equal(paths, ['huge', 'next']);
});

test('leaving early ends the stream', async () => {
  let isEnded = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield header({});
    } finally {
      isEnded = true;
    }
  }
  for await (const { path } of tarMembers(endless(), 'an archive')) {
    assert.is(path, 'file');
    break;
  }
  assert.ok(isEnded);
});

test('a name of 65536 times ./ costs one look', async () => {
  const name = './'.repeat(32_000);
  const parts = [header({ type: 'L', size: octal(name.length + 2) }), padded(`${name}a\0`), header({}), end];
  assert.equal(
    (await readAll(Buffer.concat(parts))).map(({ path }) => path),
    ['a'],
  );
});
