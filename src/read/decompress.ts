/**
 * Decompression of an initrd's segments by the programs of the system: gzip, zstd, xz, lz4 (also its legacy frame, which
 * the kernel takes), bzip2. A form is recognised by its magic bytes alone. Formats, as far as they are read here to find
 * where a segment ends: RFC 1952 (gzip), RFC 8878 (zstd), lz4's doc/lz4_Frame_format.md, xz's doc/xz-file-format.txt.
 * Not supported: lzma and lzo, which are named when they are met.
 */

import { Corrupt, LimitExceeded, NotFound, Unsupported } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { find } from './bytes.ts';
import * as limits from './limits.ts';
import type { Source } from './source.ts';

export type CompressionName = 'gzip' | 'zstd' | 'xz' | 'lz4' | 'bzip2';

/** Where the segment that begins at byte `start` ends; `plain`: how many bytes came out of it. Undefined: not known. */
type FindEnd = (source: Source, start: number, plain: number) => number | undefined;

export interface Compression {
  readonly name: CompressionName;
  readonly magic: readonly number[];
  readonly argv: readonly string[];
  /** The package that holds the program. */
  readonly package: string;
  /** What the command lets it take at the most, for messages. */
  readonly memory?: string;
  readonly findEnd: FindEnd;
  /** In what the program says when it stops at something else behind a good segment, and at nothing else. Absent: it says no more than of bad data. */
  readonly trailing?: RegExp;
  /** Whether the program stops there, or goes on, without an error. */
  readonly isSilent?: boolean;
  /** Zeros in a multiple of so many bytes behind a segment are no error to the program. */
  readonly padding?: number;
}

const lz4 = { name: 'lz4', argv: ['lz4', '-dc'], package: 'lz4' } as const;

export const compressions: readonly Compression[] = [
  {
    name: 'gzip',
    magic: [0x1f, 0x8b],
    argv: ['gzip', '-dc'],
    package: 'gzip',
    findEnd: gzipEnd,
    trailing: /trailing garbage/,
  },
  {
    name: 'zstd',
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    // A header may ask for a window of 2 GiB; without --ultra or --long zstd makes one of 8 MiB at the most.
    argv: ['zstd', '-dcq', '--memory=32MB'],
    memory: '32 MiB of window',
    package: 'zstd',
    findEnd: zstdEnd,
    trailing: /trailing garbage|unsupported format|unknown header/,
    // It knows gzip, xz and lz4 too.
    isSilent: true,
  },
  {
    name: 'xz',
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    // A header may ask for 4 GiB of memory; the highest preset needs 65 MiB.
    argv: ['xz', '-dc', '-T1', '--memlimit-decompress=72MiB'],
    memory: '72 MiB',
    package: 'xz (xz-utils on Debian)',
    findEnd: xzEnd,
    padding: 4,
  },
  {
    ...lz4,
    magic: [0x04, 0x22, 0x4d, 0x18],
    findEnd: lz4End,
    trailing: /status 1: *$|Magic Number unreadable|trailing garbage/,
  },
  { ...lz4, magic: [0x02, 0x21, 0x4c, 0x18], findEnd: lz4LegacyEnd },
  {
    name: 'bzip2',
    magic: [0x42, 0x5a, 0x68],
    argv: ['bzip2', '-dc'],
    package: 'bzip2',
    findEnd: bzip2End,
    trailing: /trailing garbage/,
    isSilent: true,
  },
];

/** What the kernel takes too, but no program here. */
const unread: readonly { readonly name: string; readonly magic: readonly number[] }[] = [
  { name: 'lzma', magic: [0x5d, 0x00, 0x00] },
  { name: 'lzo', magic: [0x89, 0x4c, 0x5a, 0x4f] },
];

/** Bytes that `compressionOf` needs to tell all forms apart. */
export const magicSize = 6;

function begins(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** The compression of what begins with these bytes, if it is one. Throws Unsupported for one that is known but not read. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const form = unread.find(({ magic }) => begins(head, magic));
  if (form !== undefined) throw new Unsupported(`an initrd compressed with ${form.name}`);
  return compressions.find(({ magic }) => begins(head, magic));
}

/** The program reported bad data: a broken stream, or something else behind a good one. */
export class DecompressorFailed extends Corrupt {
  /** Whether it is something else behind a good stream; undefined when the program does not tell. */
  readonly isTrailing: boolean | undefined;

  constructor(message: string, isTrailing: boolean | undefined) {
    super(message);
    this.isTrailing = isTrailing;
  }
}

/** `what` names the stream. The words are ours: those of a program differ from the library's. */
function translated(
  error: unknown,
  { argv: [program], package: holder, trailing, memory }: Compression,
  what: string,
): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof NotFound && error.message.startsWith(`the program ${program} `)) {
    return new NotFound(`${error.message}; it is in the package ${holder}`);
  }
  if (error instanceof LimitExceeded) return new LimitExceeded(`${what}: ${error.message}`);
  const status = /failed with status (\d+)/.exec(error.message)?.[1];
  // From 128 on a signal ended it, which says nothing of the data.
  if (status === undefined || Number(status) >= 128) return error;
  if (/memory/i.test(error.message)) {
    return new LimitExceeded(
      `${what}: needs more memory than ${memory === undefined ? 'there is' : `the ${memory} that it may take`}`,
    );
  }
  const isCut = /unexpected end|ends unexpectedly|premature end|unfinished stream/i.test(error.message);
  // Of the same damaged data gzip may say that they are broken, and libz that they end too early.
  const isEither = program === 'gzip' && trailing?.test(error.message) !== true;
  const how = isEither ? 'is broken, or ends too early' : isCut ? 'ends too early' : 'the data are broken';
  return new DecompressorFailed(`${what}: ${how}`, trailing?.test(error.message));
}

/** Bytes that so many packed bytes of an initrd may unpack to. */
export function plainLimit(packed: number): number {
  return Math.min(limits.decompressedBytes, Math.max(limits.decompressedFloor, packed * limits.decompressedRatio));
}

/**
 * What comes out of the segment at byte `offset` of the source, and of segments of the same form right behind it. Throws
 * NotFound (no such program; the message names its package), DecompressorFailed, LimitExceeded (deadline, output), Io.
 */
export async function* decompress(
  host: Pick<Host, 'stream'>,
  compression: Compression,
  source: Source,
  offset: number,
  outputLimit = plainLimit(source.length - offset),
): AsyncGenerator<Uint8Array> {
  const what = `${compression.name} stream from byte ${offset} of ${source.path}`;
  try {
    yield* host.stream(compression.argv, {
      input: { file: source.file, offset: source.offset + offset },
      deadline: source.budget.deadline,
      outputLimit,
    });
  } catch (error) {
    throw translated(error, compression, what);
  }
}

/** Bytes of the file looked through at once. */
const window = 1024 * 1024;

/** Each place at or after `start` where `needle` stands. */
function* places(source: Source, needle: Uint8Array, start: number): Generator<number> {
  for (let at = start; at + needle.length <= source.length; at += window) {
    const { data } = source.read(at, Math.min(window + needle.length - 1, source.length - at), 'initrd');
    for (let hit = find(data, needle); hit !== -1; hit = find(data, needle, hit + 1)) yield at + hit;
  }
}

function littleEndian(value: number): Uint8Array {
  return Uint8Array.from([0, 8, 16, 24], (shift) => (value >>> shift) & 255);
}

/** gzip knows no length of what it compressed to: the end is where its count of plain bytes stands, before another magic. */
function gzipEnd(source: Source, start: number, plain: number): number | undefined {
  for (const place of places(source, littleEndian(plain), start)) {
    const end = place + 4;
    const next = skipZeros(source, end, limits.initrdPadding);
    if (next === undefined) continue;
    const head = source.read(next, Math.min(magicSize, source.length - next), 'initrd').data;
    if (isCpio(head) || compressions.some(({ magic }) => begins(head, magic))) return end;
  }
  return undefined;
}

/** Runs `step` from `start` until it says that no further frame begins there; a step gives the end of one frame. */
function walk(start: number, step: (at: number) => number | undefined): number {
  let at = start;
  for (;;) {
    const next = step(at);
    if (next === undefined) return at;
    at = next;
  }
}

/** Of zstd and lz4 alike: 16 magics, then a length. Undefined when none begins at `at`. */
function skippableEnd(source: Source, at: number, what: string): number | undefined {
  if (at + 8 > source.length) return undefined;
  const head = source.read(at, 8, what);
  return (head.u32(0) & 0xfffffff0) >>> 0 === 0x184d2a50 ? at + 8 + head.u32(4) : undefined;
}

function magicAt(source: Source, at: number): number | undefined {
  return at + 4 <= source.length ? source.read(at, 4, 'initrd').u32(0) : undefined;
}

function zstdEnd(source: Source, start: number): number | undefined {
  const what = 'zstd segment';
  return walk(start, (at) => {
    if (magicAt(source, at) !== 0xfd2fb528) return skippableEnd(source, at, what);
    const descriptor = source.read(at + 4, 1, what).u8(0);
    const isSingle = (descriptor & 0x20) !== 0;
    const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
    const contentSize = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number;
    const blocks = at + 5 + (isSingle ? 0 : 1) + dictionary + contentSize;
    let isLast = false;
    const end = walk(blocks, (block) => {
      if (isLast) return undefined;
      const head = source.read(block, 3, what);
      const size = (head.u16(0) | (head.u8(2) << 16)) >>> 3;
      isLast = (head.u8(0) & 1) !== 0;
      // Type 1: one byte, repeated `size` times.
      return block + 3 + (((head.u8(0) >>> 1) & 3) === 1 ? 1 : size);
    });
    return end + ((descriptor & 4) === 0 ? 0 : 4);
  });
}

function lz4End(source: Source, start: number): number | undefined {
  const what = 'lz4 segment';
  return walk(start, (at) => {
    if (magicAt(source, at) !== 0x184d2204) return skippableEnd(source, at, what);
    const flags = source.read(at + 4, 1, what).u8(0);
    const blockChecksum = (flags & 0x10) === 0 ? 0 : 4;
    const blocks = at + 7 + ((flags & 8) === 0 ? 0 : 8) + ((flags & 1) === 0 ? 0 : 4);
    const mark = walk(blocks, (block) => {
      const size = source.read(block, 4, what).u32(0);
      return size === 0 ? undefined : block + 4 + (size & 0x7fffffff) + blockChecksum;
    });
    return mark + 4 + ((flags & 4) === 0 ? 0 : 4);
  });
}

/** A legacy block holds 8 MiB, and at the worst this many bytes; a number above is no length, so it ends the frame. */
const lz4LegacyBlock = 8 * 1024 * 1024 + Math.floor((8 * 1024 * 1024) / 255) + 16;

function lz4LegacyEnd(source: Source, start: number): number | undefined {
  return walk(start, (at) => {
    const word = magicAt(source, at);
    if (word === 0x184c2102) return at + 4;
    return word === undefined || word === 0 || word > lz4LegacyBlock ? undefined : at + 4 + word;
  });
}

/** An xz stream ends with an index of its blocks and a footer, which must agree with the stream's length up to there. */
function xzEnd(source: Source, start: number): number {
  const footerSize = 12;
  const footerMagic = Uint8Array.of(0x59, 0x5a);
  let streamStart = start;
  const flags = source.read(start + 6, 2, 'xz segment').u16(0);
  let end: number | undefined;
  for (const place of places(source, footerMagic, start)) {
    const footerEnd = place + 2;
    if (footerEnd - streamStart < 2 * footerSize || (footerEnd - streamStart) % 4 !== 0) continue;
    const footer = source.read(footerEnd - footerSize, footerSize, 'xz footer');
    if (footer.u16(8) !== flags) continue;
    const indexSize = (footer.u32(4) + 1) * 4;
    const index = footerEnd - footerSize - indexSize;
    if (index < streamStart + footerSize || indexSize > limits.readBytes) continue;
    if (indexedBytes(source.read(index, indexSize, 'xz index').data) !== index - streamStart - footerSize) continue;
    end = footerEnd;
    if (footerEnd + magicSize > source.length) return end;
    if (compressionOf(source.read(footerEnd, magicSize, 'initrd').data)?.name !== 'xz') return end;
    streamStart = footerEnd;
  }
  if (end === undefined) throw new Corrupt(`${source.path}: the xz segment at byte ${start} has no end`);
  return end;
}

/** The bytes of all blocks that an xz index lists; undefined when it is none. */
function indexedBytes(index: Uint8Array): number | undefined {
  let at = 1;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; at < index.length && factor <= 2 ** 49; factor *= 128) {
      const byte = index[at] as number;
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  if (index[0] !== 0) return undefined;
  let total = 0;
  for (let left = number(); left > 0 && at < index.length; left -= 1) {
    total += Math.ceil(number() / 4) * 4;
    number();
  }
  return Number.isNaN(total) ? undefined : total;
}

/** A bzip2 stream ends with a mark of 48 bits, a checksum of 32 and up to 7 bits of zeros; the mark is on no byte's boundary. */
const bzip2Mark = 0x177245385090n;

function bzip2End(source: Source, start: number): number | undefined {
  // Where it begins in a byte decides on the five bytes that it fills wholly; ten bytes on, the stream ends.
  const needles = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n].map((shift) =>
    Uint8Array.from([32n, 24n, 16n, 8n, 0n], (bits) => Number((bzip2Mark >> (shift + bits)) & 255n)),
  );
  for (let at = start; at < source.length; at += window) {
    const { data } = source.read(at, Math.min(window + 4, source.length - at), 'bzip2 segment');
    const ends: number[] = [];
    for (const needle of needles) {
      for (let hit = find(data, needle); hit !== -1; hit = find(data, needle, hit + 1)) ends.push(at + hit + 10);
    }
    for (const end of ends.sort((one, other) => one - other)) {
      if (end <= source.length && endsBzip2(source, end) && endsSegment(source, end, 'bzip2')) return end;
    }
  }
  return undefined;
}

/** Whether no further stream of the form follows at once, but, behind zeros, another segment, or nothing. */
function endsSegment(source: Source, end: number, form: CompressionName): boolean {
  const next = skipZeros(source, end, limits.initrdPadding);
  if (next === undefined) return true;
  const head = source.read(next, Math.min(magicSize, source.length - next), 'initrd').data;
  const compression = compressions.find(({ magic }) => begins(head, magic));
  return isCpio(head) || (compression !== undefined && (next > end || compression.name !== form));
}

function endsBzip2(source: Source, end: number): boolean {
  const size = Math.min(11, end);
  let tail = 0n;
  for (const byte of source.read(end - size, size, 'bzip2 segment').data) tail = tail * 256n + BigInt(byte);
  for (let shift = 32n; shift < 40n; shift += 1n) {
    if (((tail >> shift) & 0xffffffffffffn) === bzip2Mark) return true;
  }
  return false;
}

/** Whether a newc or crc header begins here. */
export function isCpio(head: Uint8Array): boolean {
  // Written out, as it is asked for every entry of every initrd.
  return (
    head[0] === 0x30 &&
    head[1] === 0x37 &&
    head[2] === 0x30 &&
    head[3] === 0x37 &&
    head[4] === 0x30 &&
    (head[5] === 0x31 || head[5] === 0x32)
  );
}

/** The first byte at or after `from` that is not zero; undefined when there is none. Throws LimitExceeded over `limit`. */
export function skipZeros(source: Source, from: number, limit: number): number | undefined {
  // Mostly there are none, or few.
  let step = 512;
  for (let at = from; at < source.length; ) {
    if (at - from > limit) throw new LimitExceeded(`initrd: more than ${limit} bytes of zeros from byte ${from}`);
    const { data } = source.read(at, Math.min(step, source.length - at), 'initrd padding');
    source.budget.step(data.length / limits.stepBytes, 'initrd padding');
    const place = firstNonZero(data, 0);
    if (place !== -1) return at + place;
    at += data.length;
    step = 65536;
  }
  return undefined;
}

/** Where the first byte at or after `from` stands that is not zero, or -1. */
export function firstNonZero(data: Uint8Array, from: number): number {
  const { length } = data;
  for (let at = from; at < length; at += 1) if (data[at] !== 0) return at;
  return -1;
}
