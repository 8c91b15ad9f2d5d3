import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { LimitExceeded } from '../../src/errors.ts';
import { type Decompressor, decompress, formOf } from '../../src/host/decompress.ts';
import { forms, kataCheck } from '../e2e/program.ts';
import { guestTree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('decompression in this process');
const folder = temporaryFolder();

/** A stand-in whose members are one byte of length, then so many bytes as they are; 255 is an error. */
const stored: () => Decompressor = () => {
  let left = -1;
  return {
    step(input, inputFrom, inputTo, output, outputFrom, outputTo) {
      const from = new Uint8Array(input);
      let at = inputFrom;
      if (left === -1) {
        if (at === inputTo) return [0, 0, 0];
        // Its magic number, which is the one of gzip, and the length behind it.
        if (inputTo - at < 3) return [0, 0, 0];
        left = from[at + 2] as number;
        at += 3;
        if (left === 255) return [3, 0, -3];
      }
      const count = Math.min(left, inputTo - at, outputTo - outputFrom);
      new Uint8Array(output).set(from.subarray(at, at + count), outputFrom);
      left -= count;
      if (left > 0) return [at + count - inputFrom, count, 0];
      left = -1;
      return [at + count - inputFrom, count, 1];
    },
  };
};

async function unpacked(content: readonly number[], step: number, outputLimit = 1000): Promise<string> {
  let at = 0;
  const read = (buffer: ArrayBufferLike, offset: number, length: number): number => {
    const piece = content.slice(at, at + Math.min(step, length));
    new Uint8Array(buffer).set(piece, offset);
    at += piece.length;
    return piece.length;
  };
  let text = '';
  try {
    for await (const piece of decompress('gzip', stored(), read, { deadline: 1, outputLimit }, () => 0)) {
      text += Buffer.from(piece).toString('latin1');
    }
  } catch (error) {
    if (error instanceof LimitExceeded) throw error;
    text += `, ${(error as Error).message}`;
  }
  return text;
}

const member = (text: string): number[] => [0x1f, 0x8b, text.length, ...Buffer.from(text)];

for (const [rule, content, expected] of [
  ['one member', member('abc'), 'abc'],
  ['members in a row', [...member('abc'), ...member(''), ...member('de')], 'abcde'],
  ['zeros behind the last member', [...member('abc'), 0, 0, 0, 0, 0], 'abc'],
  ['something else behind a member', [...member('abc'), 0, 7, 7], 'abc, gzip failed with status 2: trailing garbage'],
  ['one byte behind a member', [...member('abc'), 7], 'abc, gzip failed with status 1: unexpected end of file'],
  ['one byte behind zeros', [...member('abc'), 0, 7], 'abc, gzip failed with status 2: trailing garbage'],
  ['a member behind zeros', [...member('abc'), 0, ...member('de')], 'abc, gzip failed with status 2: trailing garbage'],
  ['a member that breaks off', member('abc').slice(0, 5), 'ab, gzip failed with status 1: unexpected end of file'],
  ['no member at all', [], ', gzip failed with status 1: unexpected end of file'],
  ['a broken member', [...member('abc'), 0x1f, 0x8b, 255], 'abc, gzip failed with status 1: invalid compressed data'],
] as const) {
  test(rule, async () => {
    assert.is(await unpacked(content, 100), expected);
    assert.is(await unpacked(content, 3), expected, 'three bytes at a time');
  });
}

test('more output than is taken', async () => {
  try {
    await unpacked(member('abcdef'), 100, 5);
  } catch (error) {
    assert.ok(error instanceof LimitExceeded);
    return;
  }
  throw new Error('there was no limit');
});

const zeros = Buffer.alloc(3000);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);

function zstd(input: Uint8Array, ...options: string[]): Buffer {
  return execFileSync('zstd', ['-qc', ...options], { input });
}

const packers = {
  gzip: (bytes: Uint8Array): Buffer => gzipSync(bytes),
  zstd: (bytes: Uint8Array): Buffer => zstd(bytes),
  lz4: (input: Uint8Array): Buffer => execFileSync('lz4', ['-qc'], { input }),
  // The form that the kernel takes.
  'lz4 -l': (input: Uint8Array): Buffer => execFileSync('lz4', ['-qlc'], { input }),
} as const;

/** Each decompressed by the library in the native form and by the program in the other. */
function packed(form: keyof typeof packers): Record<string, Buffer> {
  const tree = writeTree(join(folder, `${form}-tree`), guestTree('3.31.0'));
  const archive = execFileSync('/bin/sh', ['-c', 'find . | cpio --quiet -H newc -o'], { cwd: tree });
  const pack = packers[form];
  const whole = pack(archive);
  const half = archive.length / 2;
  const damaged = (at: number): Buffer => {
    const copy = Buffer.from(whole);
    copy[at] = (copy[at] as number) ^ 0xff;
    return copy;
  };
  const both: Record<string, Buffer> = {
    'one member': whole,
    'two members': Buffer.concat([pack(archive.subarray(0, half)), pack(archive.subarray(half))]),
    'zeros behind': Buffer.concat([whole, zeros]),
    'one zero behind': Buffer.concat([whole, zeros.subarray(0, 1)]),
    'zeros and an archive behind': Buffer.concat([whole, zeros, archive]),
    'an archive behind': Buffer.concat([whole, archive]),
    'zeros and a member behind': Buffer.concat([whole, zeros.subarray(0, 512), whole]),
    'half, zeros and half behind': Buffer.concat([
      pack(archive.subarray(0, half)),
      zeros,
      pack(archive.subarray(half)),
    ]),
    'a line end behind': Buffer.concat([whole, Buffer.from('\n')]),
    'gzip behind': Buffer.concat([whole, gzipSync(archive)]),
    'zstd behind': Buffer.concat([whole, zstd(archive)]),
    'lz4 behind': Buffer.concat([whole, packers.lz4(archive)]),
    'half a magic number behind': Buffer.concat([whole, whole.subarray(0, 1)]),
    'the begin of a member behind': Buffer.concat([whole, whole.subarray(0, 7)]),
    'text behind': Buffer.concat([whole, Buffer.from('no archive')]),
    'cut in the middle': whole.subarray(0, whole.length >> 1),
    'cut in its head': whole.subarray(0, 7),
    'cut in what ends it': whole.subarray(0, -2),
    'damaged at its end': damaged(whole.length - 1),
    'damaged before its end': damaged(whole.length - 8),
    'damaged in its head': damaged(form === 'gzip' ? 3 : 4),
    'damaged in the middle': damaged(whole.length >> 1),
    'an empty member': pack(Buffer.alloc(0)),
    'an empty member before': Buffer.concat([pack(Buffer.alloc(0)), whole]),
  };
  if (form === 'gzip') {
    const named = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 0x1c, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7]),
      Buffer.from('name\0comment\0'),
    ]);
    return {
      ...both,
      'extra field, name and comment': Buffer.concat([named, whole.subarray(10)]),
      'another compression method': damaged(2),
    };
  }
  const skipping = {
    ...both,
    'a frame to be skipped before': Buffer.concat([skippable, whole]),
    'frames to be skipped between': Buffer.concat([
      pack(archive.subarray(0, half)),
      skippable,
      skippable,
      pack(archive.subarray(half)),
    ]),
    'a frame to be skipped behind': Buffer.concat([whole, skippable]),
  };
  if (form !== 'zstd') return skipping;
  return {
    ...skipping,
    'without checksum and size': zstd(archive, '--no-check', '--no-content-size'),
    'adversary E1: a window of 64 MiB': zstd(Buffer.alloc(40 * 1024 * 1024), '--long=26', '--no-content-size'),
    'a window of 256 MiB': Buffer.concat([whole.subarray(0, 4), Buffer.from([0, 18 << 3]), zeros]),
  };
}

for (const form of ['gzip', 'zstd', 'lz4', 'lz4 -l'] as const) {
  test(
    `${form}: the library in the native form says what the program says in the other`,
    () => {
      for (const [rule, content] of Object.entries(packed(form))) {
        const path = join(folder, 'packed.img');
        writeFileSync(path, content);
        const [ofNode, ofNative] = forms.map(
          (one) => JSON.parse(kataCheck(one, ['image', '--json', '--deep', path]).stdout).images[0],
        );
        assert.equal(ofNative, ofNode, rule);
        // A legacy frame has no checksum.
        if (/^(cut|damaged)/.test(rule) && form !== 'lz4 -l') assert.is(ofNative.problem?.kind, 'corrupt', rule);
        if (/^(one|two|zeros|without|extra)/.test(rule)) assert.is(ofNative.agent?.version, '3.31.0', rule);
        // Nor an end: its program takes the begin of gzip for the length of a block.
        if (/^(gzip|zstd|lz4) behind/.test(rule) && form !== 'lz4 -l')
          assert.is(ofNative.compression, rule.split(' ')[0], rule);
        if (/window/.test(rule)) assert.is(ofNative.problem?.kind, 'limit-exceeded', rule);
      }
    },
    { needs: ['gzip', 'zstd', 'lz4', 'cpio', ...forms.flatMap(({ needs }) => needs)], isLong: true },
  );
}

test('only these commands are done here', () => {
  assert.is(formOf(['gzip', '-dc']), 'gzip');
  assert.is(formOf(['zstd', '-dcq', '--memory=32MB']), 'zstd');
  assert.is(formOf(['xz', '-dc', '-T1', '--memlimit-decompress=72MiB']), 'xz');
  assert.is(formOf(['lz4', '-dc']), 'lz4');
  assert.is(formOf(['zstd', '-dc', '--long=31']), undefined);
});
