import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { Bytes, find, fromLatin1, isPlain, latin1, linesBeginning, toUtf8, utf8 } from '../../src/read/bytes.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { answers } from './inner.ts';

const top = join(import.meta.dirname, '../..');
const test = suite('bytes');
const every = Uint8Array.from({ length: 256 }, (_, index) => index);

test('a byte string has a character for each byte, and comes back', () => {
  const text = latin1(every);
  assert.is(text.length, 256);
  assert.equal([text.charCodeAt(0), text.charCodeAt(0x80), text.charCodeAt(255)], [0, 0x80, 255]);
  assert.equal(fromLatin1(text), every);
  assert.is(latin1(new Uint8Array(0)), '');
});

test('a megabyte of them, with every byte at its place', () => {
  const bytes = Uint8Array.from({ length: (1 << 20) + 3 }, (_, index) => (index * 7) & 0xff);
  assert.is(Buffer.compare(Buffer.from(fromLatin1(latin1(bytes))), Buffer.from(bytes)), 0);
});

const texts: readonly [rule: string, bytes: readonly number[], expected: string | undefined][] = [
  ['nothing', [], ''],
  ['ASCII', [0x61, 0x00, 0x7f], 'a\0\u007f'],
  ['a per cent sign', [0x25, 0x34, 0x31, 0xc3, 0xa4], '%41ä'],
  ['two, three and four bytes', [0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x99, 0x82], 'ä€🙂'],
  ['latin1', [0xe4], undefined],
  ['broken off', [0xe2, 0x82], undefined],
  ['longer than it must be', [0xc0, 0x80], undefined],
  ['half a surrogate', [0xed, 0xa0, 0x80], undefined],
  ['beyond the last character', [0xf4, 0x90, 0x80, 0x80], undefined],
];

for (const [rule, bytes, expected] of texts) {
  test(`UTF-8: ${rule}`, () => {
    assert.is(utf8(Uint8Array.from(bytes)), expected);
  });
}

test('a text as UTF-8', () => {
  assert.equal([...toUtf8('%41ä€🙂')], [0x25, 0x34, 0x31, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x99, 0x82]);
  assert.equal([...toUtf8('\ud83d')], [...toUtf8('\ufffd')], 'half a character');
});

const searches: readonly [rule: string, haystack: string, needle: string, from: number, expected: number][] = [
  ['at the start', 'abcabc', 'abc', 0, 0],
  ['behind the start', 'abcabc', 'abc', 1, 3],
  ['at the end', 'xxabc', 'abc', 0, 2],
  ['cut off at the end', 'xxab', 'abc', 0, -1],
  ['a false start', 'aaab', 'aab', 0, 1],
  ['not there', 'abcabc', 'abd', 0, -1],
  ['nothing is everywhere', 'abc', '', 2, 2],
  ['in nothing', '', 'a', 0, -1],
  ['behind the end', 'abc', 'a', 9, -1],
];

for (const [rule, haystack, needle, from, expected] of searches) {
  test(`find: ${rule}`, () => {
    assert.is(find(fromLatin1(haystack), fromLatin1(needle), from), expected);
  });
}

const heads: readonly [rule: string, text: string, lines: readonly string[], end: number][] = [
  ['large letters and small ones', 'KATA=1\nkata=2\nno\n\n', ['KATA=1', 'kata=2'], 17],
  ['nothing behind the empty line counts', 'a\n\nkata\n', [], 2],
  ['no empty line', 'kata\n', ['kata'], -1],
  ['an empty line alone', '\nkata', [], 0],
  ['bytes that are no ASCII', 'kata\xe9\n\n', ['kata\xe9'], 6],
  ['a line shorter than what it is to begin with', 'kat\n\n', [], 4],
  ['nothing', '', [], -1],
];

for (const [rule, text, lines, end] of heads) {
  test(`the lines before the first empty one: ${rule}`, () => {
    assert.equal(linesBeginning(fromLatin1(text), ['kata']), { lines, end });
  });
}

for (const [rule, text, expected] of [
  ['printable', ' ~a\nb', true],
  ['nothing', '', true],
  ['a tabulator', 'a\tb', false],
  ['a letter beyond ASCII', '\xe9', false],
  ['DEL', '\x7f', false],
] as const) {
  test(`plain: ${rule}`, () => assert.is(isPlain(fromLatin1(text)), expected));
}

const cases = 3000;

test(
  `the native form finds in ${cases} random texts what this one finds`,
  () => {
    const folder = temporaryFolder();
    const [program, path] = [join(folder, 'inner'), join(folder, 'content')];
    run(join(top, 'packaging/native/build'), join(import.meta.dirname, 'inner.quickjs.ts'), program);
    const native = run(program, `${cases}`, path).split('\n');
    const own = answers(cases, path, createNodeHost(), (bytes) => writeFileSync(path, bytes)).split('\n');
    assert.is(own.length, cases);
    assert.equal(native, own);
  },
  { needs: [join(top, 'dist/kata-check')] },
);

const bytes = new Bytes(Uint8Array.from([0x01, 0x02, 0xff, 0xfe, 0x80, 0x00, 0x1f, 0x00, 0x00, 0x20]), 'a header');

const numbers: readonly [rule: string, read: () => number, expected: number][] = [
  ['u8', () => bytes.u8(2), 0xff],
  ['u16', () => bytes.u16(0), 0x0201],
  ['u16 with its first bit', () => bytes.u16(2), 0xfeff],
  ['u32', () => bytes.u32(0), 0xfeff0201],
  ['u32 at an odd place', () => bytes.u32(1), 0x80feff02],
  ['u64, just below 2^53', () => bytes.u64(0), 0x001f0080feff0201],
  ['u16be', () => bytes.u16be(2), 0xfffe],
  ['u32be with its first bit', () => bytes.u32be(2), 0xfffe8000],
  ['u64be', () => new Bytes(Uint8Array.from([0, 0x1f, 0, 0, 0, 0, 0, 1]), 'x').u64be(0), 0x1f000000000001],
];

for (const [rule, read, expected] of numbers) {
  test(`numbers: ${rule}`, () => {
    assert.is(read(), expected);
  });
}

const outside: readonly [rule: string, read: () => unknown, said: RegExp][] = [
  ['u8 behind the end', () => bytes.u8(10), /^a header: bytes 10 to 11 lie outside its 10 bytes$/],
  ['u8 before the start', () => bytes.u8(-1), /^a header: bytes -1 to 0 lie outside/],
  ['u16 across the end', () => bytes.u16(9), /bytes 9 to 11 lie outside/],
  ['u32 across the end', () => bytes.u32(7), /bytes 7 to 11 lie outside/],
  ['u64 across the end', () => bytes.u64(4), /lie outside/],
  ['u32be across the end', () => bytes.u32be(8), /lie outside/],
  ['a place that is no number', () => bytes.u8(Number.NaN), /lie outside/],
  ['a slice across the end', () => bytes.slice(5, 6), /bytes 5 to 11 lie outside/],
  ['a slice of less than nothing', () => bytes.slice(5, -1), /bytes 5 to 4 lie outside/],
  ['a slice of no known length', () => bytes.slice(5, Number.NaN), /lie outside/],
  ['a text across the end', () => bytes.latin1(0, 11), /bytes 0 to 11 lie outside/],
  ['2^53', () => bytes.u64(2), /^a header: the number at byte 2 is out of all range$/],
  [
    '2^53, the other way round',
    () => new Bytes(Uint8Array.from([0, 0x20, 0, 0, 0, 0, 0, 0]), 'x').u64be(0),
    /^x: the number at byte 0 is out of all range$/,
  ],
];

for (const [rule, read, said] of outside) {
  test(`refused: ${rule}`, () => {
    assert.throws(read, (error: unknown) => error instanceof Corrupt && said.test(error.message));
  });
}

test('a slice is a view, with a name of its own', () => {
  const data = Uint8Array.from([1, 2, 3, 4]);
  const slice = new Bytes(data, 'whole').slice(1, 2, 'part');
  data[1] = 9;
  assert.equal([slice.length, slice.u8(0), slice.what], [2, 9, 'part']);
  assert.throws(() => slice.u8(2), /^part: bytes 2 to 3/);
  assert.is(new Bytes(data, 'whole').slice(4, 0).length, 0);
});
