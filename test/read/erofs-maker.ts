/**
 * erofs images made by hand, with a file of every form that an mkfs.erofs of any version makes, and of those that none makes: for what the
 * one that is installed cannot make.
 */

import * as assert from 'uvu/assert';

/** A row of numbers that is the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export function incompressible(length: number, seed = 3): Buffer {
  const next = seeded(seed);
  return Buffer.from(Uint8Array.from({ length }, () => next()));
}

export const incompatibleOffset = 1024 + 80;

const fileMode = 0o100644;
const directoryMode = 0o040755;
export const layout = { plain: 0, full: 1, inline: 2, compact: 3, chunks: 4 } as const;
export const type = { plain: 0, head1: 1, nonHead: 2, head2: 3 } as const;
const advise = { twoBytes: 0x1, big: 0x6, inlineTail: 0x8, interlaced: 0x10, fragment: 0x20 } as const;
export const noBlock = 0xffffffff;

export function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16LE(value, index * 2);
  return bytes;
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}

/** A plain LZ4 compressor: takes the last place where the next four bytes stood. */
function lz4(content: Buffer): Buffer {
  const parts: Buffer[] = [];
  const places = new Map<number, number>();
  const more = (length: number) => {
    const bytes: number[] = [];
    for (let left = length - 15; left >= 0; left -= 255) bytes.push(Math.min(left, 255));
    return Buffer.from(bytes);
  };
  let literals = 0;
  let at = 0;
  // The format wants the last match to begin twelve bytes before the end, and to leave five.
  while (at < content.length - 12) {
    const place = places.get(content.readUInt32LE(at));
    places.set(content.readUInt32LE(at), at);
    if (place === undefined || at - place > 65535) {
      at += 1;
      continue;
    }
    let length = 4;
    while (at + length < content.length - 5 && content[place + length] === content[at + length]) length += 1;
    const count = at - literals;
    parts.push(Buffer.of((Math.min(count, 15) << 4) | Math.min(length - 4, 15)), more(count));
    parts.push(content.subarray(literals, at), u16(at - place), more(length - 4));
    at += length;
    literals = at;
  }
  const count = content.length - literals;
  parts.push(Buffer.of(Math.min(count, 15) << 4), more(count), content.subarray(literals));
  return Buffer.concat(parts);
}

interface Head {
  readonly start: number;
  readonly type: number;
  readonly block: number;
  readonly blocks?: number;
  readonly isPartial?: boolean;
}

/** An image under construction. The metadata come first; data follow in whole blocks. */
export class ImageMaker {
  readonly bits: number;
  readonly blockSize: number;
  readonly tree: Record<string, Buffer> = {};
  /** Where the inode of a file stands, and where its fields behind it, in bytes. */
  readonly places: Record<string, { readonly inode: number; readonly behind: number }> = {};
  features = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20;
  packed = 0;
  readonly #first: number;
  readonly #metadata: Buffer;
  readonly #data: Buffer[] = [];
  readonly #numbers = new Map<string, number>();
  #used: number;

  constructor(bits: number) {
    this.bits = bits;
    this.blockSize = 1 << bits;
    this.#first = Math.ceil(1152 / this.blockSize) * this.blockSize;
    this.#metadata = Buffer.alloc(this.#first + Math.max(32_768, 2 * this.blockSize));
    // Slot 0 stays free: number 0 stands for none. The root's inode is written last.
    this.#used = this.#first + 64;
  }

  /** Adds whole blocks, filled up in front or behind; returns the first one's number. */
  data(content: Buffer, isPaddedInFront = false): number {
    const number = (this.#metadata.length + this.#data.reduce((sum, part) => sum + part.length, 0)) / this.blockSize;
    const padding = Buffer.alloc((this.blockSize - (content.length % this.blockSize)) % this.blockSize);
    this.#data.push(...(isPaddedInFront ? [padding, content] : [content, padding]));
    return number;
  }

  /** Compresses what follows `start` in the file up to `end` and says so as a head. */
  cluster(content: Buffer, start: number, end: number, headType: number = type.head1): Head {
    const encoded = lz4(content.subarray(start, end));
    const blocks = Math.ceil(encoded.length / this.blockSize);
    return { start, type: headType, block: this.data(encoded, true), blocks };
  }

  /** Writes an inode; `behind` makes what stands behind it, of which nothing crosses a block when `isWhole`. */
  inode(
    name: string,
    fields: { mode?: number; size: number; layout: number; place?: number },
    behind: (offset: number) => Buffer = () => Buffer.alloc(0),
    isWhole = false,
  ): number {
    let at = name === '' ? this.#first + 32 : Math.ceil(this.#used / 32) * 32;
    if (isWhole && (at % this.blockSize) + 32 + behind(at + 32).length > this.blockSize) {
      at = Math.ceil(at / this.blockSize) * this.blockSize;
    }
    u16(fields.layout << 1, 0, fields.mode ?? fileMode, 1).copy(this.#metadata, at);
    u32(fields.size, 0, fields.place ?? 0, 1).copy(this.#metadata, at + 8);
    const rest = behind(at + 32);
    assert.ok(at + 32 + rest.length <= this.#metadata.length, 'the metadata are full');
    rest.copy(this.#metadata, at + 32);
    if (name !== '') this.#used = at + 32 + rest.length;
    this.places[name] = { inode: at, behind: at + 32 };
    return (at - this.#first) / 32;
  }

  file(name: string, content: Buffer, number: number): void {
    this.tree[name] = content;
    this.#numbers.set(name, number);
  }

  /** A file of compressed data: header, indexes of its heads, and what stands behind those. */
  compressed(
    name: string,
    content: Buffer,
    heads: readonly Head[],
    options: { isCompact: boolean; flags?: number; field?: number; tail?: Buffer },
  ): number {
    const { isCompact, flags = 0, field = 0, tail = Buffer.alloc(0) } = options;
    const behind = (offset: number) => {
      const padding = Buffer.alloc((8 - (offset % 8)) % 8);
      const header = Buffer.concat([u32(tail.length > 0 ? tail.length * 65536 : field), u16(flags, 0)]);
      const clusters = indexesOf(this.blockSize, content.length, heads, (flags & advise.big) !== 0);
      const table = offset + padding.length + 8;
      const indexes = isCompact
        ? compactIndexes(clusters, table, this.bits, (flags & advise.twoBytes) !== 0)
        : fullIndexes(clusters);
      return Buffer.concat([padding, header, indexes, tail]);
    };
    const fields = { size: content.length, layout: isCompact ? layout.compact : layout.full, place: 1 };
    return this.inode(name, fields, behind, tail.length > 0);
  }

  #directory(names: readonly string[], root: number): Buffer {
    const blocks: Buffer[] = [];
    let entries: [name: string, number: number][] = [];
    const flush = () => {
      let place = entries.length * 12;
      const records = entries.map(([name, number]) => {
        const record = Buffer.concat([u32(number, 0), u16(place), Buffer.of(name.startsWith('.') ? 2 : 1, 0)]);
        place += name.length;
        return record;
      });
      const text = Buffer.from(entries.map(([name]) => name).join(''));
      blocks.push(Buffer.concat([...records, text, Buffer.alloc(this.blockSize)]).subarray(0, this.blockSize));
      entries = [];
    };
    for (const name of names) {
      const size = [...entries.map(([entry]) => entry), name].reduce((sum, entry) => sum + 12 + entry.length, 0);
      if (size > this.blockSize) flush();
      entries.push([name, this.#numbers.get(name) ?? root]);
    }
    flush();
    return Buffer.concat(blocks);
  }

  finish(): Buffer {
    const root = 1;
    const names = [...Object.keys(this.tree), '.', '..'].sort();
    const directory = this.#directory(names, root);
    const fields = { mode: directoryMode, size: directory.length, layout: layout.plain, place: this.data(directory) };
    assert.is(this.inode('', fields), root);
    const blocks = Buffer.concat(this.#data).length / this.blockSize;
    const image = Buffer.concat([this.#metadata, ...this.#data]);
    u32(0xe0f5e1e2, 0, 0).copy(image, 1024);
    image[1024 + 12] = this.bits;
    u16(root).copy(image, 1024 + 14);
    u32(this.#metadata.length / this.blockSize + blocks, this.#first / this.blockSize).copy(image, 1024 + 36);
    u32(this.features).copy(image, incompatibleOffset);
    // lz4 only. Its settings stand behind the superblock: their length, the distance, blocks in a cluster.
    u16(1).copy(image, 1024 + 84);
    u16(14, 0, 16).copy(image, 1024 + 128);
    u32(this.packed, 0).copy(image, 1024 + 96);
    return image;
  }
}

interface IndexRecord {
  readonly type: number;
  readonly offset: number;
  readonly block: number;
  readonly isPartial: boolean;
  readonly back: number;
  readonly forth: number;
}

/** One record for each logical cluster, from the heads in the order of their starts. */
function indexesOf(blockSize: number, size: number, heads: readonly Head[], isBig: boolean): IndexRecord[] {
  const total = Math.ceil(size / blockSize);
  const numbers = heads.map(({ start }) => Math.floor(start / blockSize));
  assert.is(new Set(numbers).size, heads.length, 'two heads in one logical cluster');
  return Array.from({ length: total }, (_, number) => {
    const after = numbers.findIndex((head) => head > number);
    const at = (after === -1 ? numbers.length : after) - 1;
    const head = heads[at] as Head;
    const back = number - (numbers[at] as number);
    const forth = (numbers[at + 1] ?? total) - number;
    const isPartial = head.isPartial ?? false;
    if (back === 0) return { ...head, offset: head.start % blockSize, isPartial, back, forth };
    const count = isBig && back === 1 ? 0x800 | (head.blocks ?? 1) : back;
    return { type: type.nonHead, offset: 0, block: 0, isPartial: false, back: count, forth };
  });
}

function fullIndexes(records: readonly IndexRecord[]): Buffer {
  const parts = records.map((record) =>
    record.type === type.nonHead
      ? u16(type.nonHead, 0, record.back, record.forth)
      : Buffer.concat([u16(record.type | (record.isPartial ? 0x8000 : 0), record.offset), u32(record.block)]),
  );
  return Buffer.concat([Buffer.alloc(8), ...parts]);
}

function compactIndexes(records: readonly IndexRecord[], table: number, bits: number, hasSmall: boolean): Buffer {
  const valueBits = Math.max(bits, 12);
  const leading = ((32 - (table % 32)) % 32) / 4;
  const small = hasSmall && leading < records.length ? Math.floor((records.length - leading) / 16) * 16 : 0;
  const groups: Buffer[] = [];
  for (let first = 0; first < records.length; ) {
    const isSmall = first >= leading && first < leading + small;
    const count = isSmall ? 16 : 2;
    let packedBits = 0n;
    let base: number | undefined;
    let counted = 0;
    for (let index = 0; index < count; index += 1) {
      const record = records[first + index];
      if (record === undefined) break;
      let value = record.offset;
      if (record.type === type.nonHead) {
        const isCount = (record.back & 0x800) !== 0;
        if (isCount) counted += record.back & 0x7ff;
        value = index + 1 === count && !isCount ? record.forth : record.back;
      } else {
        // Without counts, every head before this one in the group has one block, and the base one less.
        base ??= record.block - (records.some(({ back }) => (back & 0x800) !== 0) ? counted : 1);
      }
      packedBits |= BigInt((record.type << valueBits) | value) << BigInt(index * (isSmall ? 14 : 16));
    }
    const group = Buffer.alloc(isSmall ? 32 : 8);
    for (let at = 0; at < group.length - 4; at += 1) group[at] = Number((packedBits >> BigInt(at * 8)) & 0xffn);
    // A head whose data stand elsewhere has no block.
    group.writeUInt32LE(Math.max(base ?? 0, 0), group.length - 4);
    groups.push(group);
    first += count;
  }
  return Buffer.concat(groups);
}

/** Lines that differ in a number: less than a third is left when they are compressed. */
function lines(length: number, first = 0): Buffer {
  const text = Array.from(
    { length: Math.ceil(length / 40) },
    (_, index) => `line ${first + index} of a text that repeats itself\n`,
  );
  return Buffer.from(text.join('').padEnd(length, '.').slice(0, length));
}

/** An image with a file of every form. */
export function everyForm(bits: number): ImageMaker {
  const maker = new ImageMaker(bits);
  const bs = maker.blockSize;
  const noise = (length: number) => incompressible(Math.floor(length), bits + length);
  // Heads stand at an odd place each, and no cluster is shorter than a block.
  const cut = Math.floor(2.3 * bs);

  const plain = noise(3.5 * bs);
  maker.file(
    'plain',
    plain,
    maker.inode('plain', { size: plain.length, layout: layout.plain, place: maker.data(plain) }),
  );

  const inline = noise(2 * bs + bs / 4);
  const inlinePlace = maker.data(inline.subarray(0, 2 * bs));
  const tail = () => inline.subarray(2 * bs);
  const inlineFields = { size: inline.length, layout: layout.inline, place: inlinePlace };
  maker.file('inline', inline, maker.inode('inline', inlineFields, tail, true));

  const chunked = Buffer.concat([noise(2 * bs), Buffer.alloc(2 * bs), noise(2.5 * bs)]);
  const chunks = [maker.data(chunked.subarray(0, 2 * bs)), noBlock, maker.data(chunked.subarray(4 * bs))];
  const mapFields = { size: chunked.length, layout: layout.chunks, place: 1 };
  const lastChunk = (chunks[2] as number) + 2;
  maker.file(
    'chunk-map',
    chunked,
    maker.inode('chunk-map', mapFields, () => u32(...chunks, lastChunk)),
  );
  const indexFields = { size: chunked.length, layout: layout.chunks, place: 0x21 };
  const chunkIndexes = () => u32(...[...chunks, lastChunk].flatMap((block) => [0, block]));
  maker.file('chunk-index', chunked, maker.inode('chunk-index', indexFields, chunkIndexes));

  const text = lines(40 * cut + 77);
  const someHeads = (headType: (index: number) => number = () => type.head1): Head[] =>
    Array.from({ length: 40 }, (_, index) =>
      maker.cluster(text, index * cut, index === 39 ? text.length : (index + 1) * cut, headType(index)),
    );
  const bothTypes = someHeads((index) => (index % 2 === 0 ? type.head1 : type.head2));
  maker.file('full', text, maker.compressed('full', text, bothTypes, { isCompact: false }));

  // Each decompresses to more than is wanted of it.
  const isPartial = true;
  const [one, two] = [maker.cluster(text, 0, 3 * bs), maker.cluster(text, cut, cut + 3 * bs)];
  const shared = Buffer.concat([text.subarray(0, 2 * bs), text.subarray(cut, cut + 2 * bs), text.subarray(0, 300)]);
  const sharedHeads = [one, two, one].map((head, index) => ({ ...head, start: index * 2 * bs, isPartial }));
  maker.file('shared', shared, maker.compressed('shared', shared, sharedHeads, { isCompact: false }));

  const bigCut = Math.floor(9.6 * bs);
  const bigText = lines(5 * bigCut + 99, 1000);
  const bigHeads = () => {
    const heads = Array.from({ length: 5 }, (_, index) => maker.cluster(bigText, index * bigCut, (index + 1) * bigCut));
    return [...heads, maker.cluster(bigText, 5 * bigCut, bigText.length)];
  };
  maker.file(
    'full-big',
    bigText,
    maker.compressed('full-big', bigText, bigHeads(), { isCompact: false, flags: advise.big }),
  );

  // The last one ends with its logical cluster: Linux refuses one that may reach behind it.
  const stored = Buffer.concat([lines(cut), noise(3 * bs - (cut % bs))]);
  const storedHeads = (isInterlaced: boolean) => [
    maker.cluster(stored, 0, cut),
    ...[0, 1, 2].map((index) => {
      const start = cut + index * bs;
      const block = stored.subarray(start, start + bs);
      const turned = Buffer.alloc(bs);
      for (const [at, byte] of block.entries()) turned[(start + at) % bs] = byte;
      return { start, type: type.plain, block: maker.data(isInterlaced ? turned : block) };
    }),
  ];
  maker.file('shifted', stored, maker.compressed('shifted', stored, storedHeads(false), { isCompact: false }));
  const interlaced = { isCompact: false, flags: advise.interlaced };
  maker.file('interlaced', stored, maker.compressed('interlaced', stored, storedHeads(true), interlaced));

  const short = lines(cut + 2 * bs, 77);
  const shortTail = lz4(short.subarray(cut));
  const tailHeads = () => [maker.cluster(short, 0, cut), { start: cut, type: type.head1, block: 0 }];
  const tailed = { isCompact: false, flags: advise.inlineTail, tail: shortTail };
  maker.file('full-tail', short, maker.compressed('full-tail', short, tailHeads(), tailed));

  const ended = Buffer.concat([lines(cut), noise(1.3 * bs)]);
  const whole = noise(1.6 * bs);
  const packed = Buffer.concat([whole, ended.subarray(cut), lines(3 * bs)]);
  const packedHeads: Head[] = [0, 1, 2].map((index) => {
    const start = index * bs;
    return { start, type: type.plain, block: maker.data(packed.subarray(start, start + bs)) };
  });
  packedHeads.push(maker.cluster(packed, 3 * bs, packed.length));
  maker.packed = maker.compressed('packed', packed, packedHeads, { isCompact: false });
  const endHeads = () => [maker.cluster(ended, 0, cut), { start: cut, type: type.head1, block: 0 }];
  const fragment = { flags: advise.fragment, field: whole.length };
  maker.file('full-end', ended, maker.compressed('full-end', ended, endHeads(), { isCompact: false, ...fragment }));
  const wholeFields = { size: whole.length, layout: layout.full, place: 0 };
  maker.file(
    'whole',
    whole,
    maker.inode('whole', wholeFields, () => u32(0, 0x80000000)),
  );

  // Larger blocks do not fit into two bytes each, the largest not into four.
  if (bits <= 14) {
    const two = bits <= 12 ? advise.twoBytes : 0;
    maker.file('compact', text, maker.compressed('compact', text, someHeads(), { isCompact: true }));
    maker.file(
      'compact-two',
      text,
      maker.compressed('compact-two', text, someHeads(), { isCompact: true, flags: two }),
    );
    const big = { isCompact: true, flags: advise.big | two };
    maker.file('compact-big', bigText, maker.compressed('compact-big', bigText, bigHeads(), big));
    const tail = { isCompact: true, flags: advise.inlineTail | two, tail: shortTail };
    maker.file('compact-tail', short, maker.compressed('compact-tail', short, tailHeads(), tail));
    const end = { isCompact: true, flags: advise.fragment | two, field: whole.length };
    maker.file('compact-end', ended, maker.compressed('compact-end', ended, endHeads(), end));
  }
  return maker;
}
