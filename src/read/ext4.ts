/**
 * ext2, ext3 and ext4, read-only. Format: Linux, Documentation/filesystems/ext4 (superblock, group descriptors, inodes,
 * extents, directories, inline data). Directories are read linearly: hashed ones are made to allow that.
 * Not read: the journal (a note says when it holds changes), checksums, encrypted or compressed files, attributes.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import { Bytes } from './bytes.ts';
import type { FileSystem, Inode, InodeKind } from './filesystem.ts';
import * as limits from './limits.ts';
import type { Source } from './source.ts';
import { superblocks } from './superblocks.ts';

const { offset: superblockOffset, size: superblockSize, magic } = superblocks.ext4;
const rootInode = 2;

/** s_feature_incompat: what changes the form on disk. */
const incompatible = {
  recover: 0x4,
  metaBlockGroups: 0x10,
  wide: 0x80,
} as const;

/** Every incompatible feature by its bit; `read` says whether files can be read in spite of it. */
const features: readonly { readonly bit: number; readonly name: string; readonly read: boolean }[] = [
  { bit: 0x1, name: 'compression', read: false },
  { bit: 0x2, name: 'filetype', read: true },
  { bit: 0x4, name: 'needs_recovery', read: true },
  { bit: 0x8, name: 'journal_dev', read: false },
  { bit: 0x10, name: 'meta_bg', read: true },
  { bit: 0x40, name: 'extents', read: true },
  { bit: 0x80, name: '64bit', read: true },
  { bit: 0x100, name: 'mmp', read: true },
  { bit: 0x200, name: 'flex_bg', read: true },
  { bit: 0x400, name: 'ea_inode', read: true },
  { bit: 0x1000, name: 'dirdata', read: false },
  { bit: 0x2000, name: 'metadata_csum_seed', read: true },
  { bit: 0x4000, name: 'large_dir', read: true },
  { bit: 0x8000, name: 'inline_data', read: true },
  // Single files are encrypted, not the filesystem: such an inode is refused when it is opened.
  { bit: 0x10000, name: 'encrypt', read: true },
  { bit: 0x20000, name: 'casefold', read: true },
];

const sparseSuper = 0x1; // s_feature_ro_compat
const bigalloc = 0x200; // s_feature_ro_compat
const sparseSuper2 = 0x200; // s_feature_compat

const inodeFlags = { compressed: 0x4, encrypted: 0x800, extents: 0x80000, inlineData: 0x10000000 } as const;
const extentMagic = 0xf30a;
/** The format's own limit: a tree of five levels maps every 32-bit block. */
const extentDepth = 5;
const attributeMagic = 0xea020000;
/** The index that stands for the prefix "system." in an attribute's name. */
const systemAttribute = 7;
const blockMapSize = 60;

/** `count` blocks of a file from `logical` on stand at `physical`; 0 is a hole. */
interface Run {
  readonly logical: number;
  readonly physical: number;
  readonly count: number;
}

interface DirectoryRecord {
  readonly inode: number;
  readonly block: Bytes;
  readonly nameOffset: number;
  readonly nameLength: number;
}

/** Throws Corrupt, Unsupported (naming the feature), Io, LimitExceeded. */
export function openExt4(source: Source): FileSystem {
  const volume = new Volume(source);
  const root = volume.inode(rootInode);
  if (root.kind !== 'directory')
    throw new Corrupt(`ext4 inode ${rootInode}: the root is a ${root.kind}, not a directory`);
  const notes =
    (volume.incompatible & incompatible.recover) === 0
      ? []
      : ['the ext4 journal holds changes that were not written back; they are not seen'];
  return { type: 'ext4', root, notes };
}

class Volume {
  readonly source: Source;
  readonly blockSize: number;
  readonly incompatible: number;
  readonly #inodeCount: number;
  readonly #inodesPerGroup: number;
  readonly #inodeSize: number;
  readonly #descriptorSize: number;
  readonly #superblock: Bytes;

  constructor(source: Source) {
    this.source = source;
    const superblock = source.read(superblockOffset, superblockSize, 'ext4 superblock');
    this.#superblock = superblock;
    if (superblock.u16(56) !== magic) throw new Corrupt('ext4 superblock: no magic number');

    this.incompatible = superblock.u32(96);
    let unknown = this.incompatible;
    for (const { bit, name, read } of features) {
      if ((this.incompatible & bit) === 0) continue;
      if (!read) throw new Unsupported(`ext4 feature ${name}`);
      unknown &= ~bit;
    }
    if (unknown !== 0) throw new Unsupported(`ext4 features 0x${(unknown >>> 0).toString(16)}`);

    const logBlockSize = superblock.u32(24);
    if (logBlockSize > 6) throw new Corrupt(`ext4 superblock: log2 of the block size is ${logBlockSize}`);
    this.blockSize = 1024 << logBlockSize;
    this.#inodeCount = superblock.u32(0);
    this.#inodesPerGroup = superblock.u32(40);
    if (this.#inodesPerGroup === 0) throw new Corrupt('ext4 superblock: no inodes in a group');
    this.#inodeSize = superblock.u32(76) === 0 ? 128 : superblock.u16(88);
    if (this.#inodeSize < 128 || this.#inodeSize > this.blockSize) {
      throw new Corrupt(`ext4 superblock: inodes of ${this.#inodeSize} bytes`);
    }
    this.#descriptorSize = (this.incompatible & incompatible.wide) === 0 ? 32 : superblock.u16(254);
    if (this.#descriptorSize < 32 || this.#descriptorSize > this.blockSize) {
      throw new Corrupt(`ext4 superblock: group descriptors of ${this.#descriptorSize} bytes`);
    }
  }

  #hasSuperblock(group: number): boolean {
    const superblock = this.#superblock;
    if (group === 0) return true;
    if ((superblock.u32(92) & sparseSuper2) !== 0) {
      return group === superblock.u32(0x24c) || group === superblock.u32(0x250);
    }
    if (group === 1 || (superblock.u32(100) & sparseSuper) === 0) return true;
    return [3, 5, 7].some((base) => {
      let power = base;
      while (power < group) power *= base;
      return power === group;
    });
  }

  #descriptorOffset(group: number): number {
    const superblock = this.#superblock;
    const perBlock = Math.floor(this.blockSize / this.#descriptorSize);
    const index = Math.floor(group / perBlock);
    const within = (group % perBlock) * this.#descriptorSize;
    const superblockBlock = this.blockSize === 1024 ? 1 : 0;
    if ((this.incompatible & incompatible.metaBlockGroups) === 0 || index < superblock.u32(260)) {
      return (superblockBlock + 1 + index) * this.blockSize + within;
    }
    const first = index * perBlock;
    // With bigalloc and blocks of 1024 bytes, counting starts at block 0 though the superblock is block 1.
    const shift = this.blockSize === 1024 && (superblock.u32(100) & bigalloc) !== 0 ? 1 : 0;
    const block = superblock.u32(20) + first * superblock.u32(32) + (this.#hasSuperblock(first) ? 1 : 0) + shift;
    return block * this.blockSize + within;
  }

  inode(number: number): Ext4Inode {
    if (number < 1 || number > this.#inodeCount) {
      throw new Corrupt(`ext4 inode ${number} of ${this.#inodeCount}`);
    }
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const descriptor = this.source.read(
      this.#descriptorOffset(group),
      this.#descriptorSize,
      `ext4 group descriptor ${group}`,
    );
    const high = this.#descriptorSize >= 64 ? descriptor.u32(40) : 0;
    const table = high * 4294967296 + descriptor.u32(8);
    const offset = table * this.blockSize + ((number - 1) % this.#inodesPerGroup) * this.#inodeSize;
    return new Ext4Inode(this, number, this.source.read(offset, this.#inodeSize, `ext4 inode ${number}`));
  }
}

const kinds: Readonly<Record<number, InodeKind>> = { 16384: 'directory', 32768: 'file', 40960: 'symlink' };

class Ext4Inode implements Inode {
  readonly kind: InodeKind;
  readonly size: number;
  readonly #volume: Volume;
  readonly #number: number;
  readonly #raw: Bytes;
  readonly #flags: number;
  #runs: readonly Run[] | undefined;
  #inline: readonly Bytes[] | undefined;
  readonly #indirect = new Map<number, Bytes>();

  constructor(volume: Volume, number: number, raw: Bytes) {
    this.#volume = volume;
    this.#number = number;
    this.#raw = raw;
    this.kind = kinds[raw.u16(0) & 0xf000] ?? 'other';
    this.#flags = raw.u32(0x20);
    // Bytes 0x6c to 0x6f were an access list of directories before large_dir.
    const high = this.kind === 'file' ? raw.u32(0x6c) : 0;
    this.size = high * 4294967296 + raw.u32(4);
    if (!Number.isSafeInteger(this.size)) throw new Corrupt(`${raw.what}: a size of ${this.size} bytes`);
  }

  #has(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  #checkReadable(kind: InodeKind): void {
    if (this.kind !== kind) throw new Corrupt(`ext4 inode ${this.#number} is a ${this.kind}, not a ${kind}`);
    if (this.#has(inodeFlags.encrypted)) throw new Unsupported(`ext4 inode ${this.#number} is encrypted`);
    if (this.#has(inodeFlags.compressed)) throw new Unsupported(`ext4 inode ${this.#number} is compressed`);
  }

  lookup(name: string): Inode | undefined {
    const bytes = Uint8Array.from(name, (character) => character.charCodeAt(0));
    for (const { inode, block, nameOffset, nameLength } of this.#records()) {
      if (nameLength !== bytes.length) continue;
      let same = 0;
      while (same < nameLength && block.data[nameOffset + same] === bytes[same]) same += 1;
      if (same === nameLength) return this.#volume.inode(inode);
    }
    return undefined;
  }

  *names(): Generator<string> {
    for (const { block, nameOffset, nameLength } of this.#records()) {
      const name = block.latin1(nameOffset, nameLength);
      if (name !== '.' && name !== '..') yield name;
    }
  }

  target(): string {
    this.#checkReadable('symlink');
    if (this.size > limits.pathBytes) {
      throw new LimitExceeded(`ext4 inode ${this.#number}: a symbolic link of ${this.size} bytes`);
    }
    // A short target stands where the block numbers of a long one would.
    const isFast = this.size < blockMapSize && !this.#has(inodeFlags.extents | inodeFlags.inlineData);
    if (isFast) return this.#raw.latin1(0x28, this.size);
    return new Bytes(this.#readData(0, this.size), `target of ext4 inode ${this.#number}`).latin1(0, this.size);
  }

  read(offset: number, length: number): Uint8Array {
    this.#checkReadable('file');
    return this.#readData(offset, length);
  }

  *#records(): Generator<DirectoryRecord> {
    this.#checkReadable('directory');
    for (const block of this.#directoryBlocks()) {
      this.#volume.source.budget.step(block.length / limits.stepBytes, block.what);
      for (let at = 0; at + 8 <= block.length; ) {
        const length = recordLength(block.u16(at + 4), this.#volume.blockSize);
        const nameLength = block.u8(at + 6);
        if (length < 8 || at + length > block.length || nameLength + 8 > length) {
          throw new Corrupt(
            `${block.what}: the record at byte ${at} has a length of ${length}, its name of ${nameLength}`,
          );
        }
        const inode = block.u32(at);
        if (inode !== 0 && nameLength !== 0) yield { inode, block, nameOffset: at + 8, nameLength };
        at += length;
      }
    }
  }

  *#directoryBlocks(): Generator<Bytes> {
    if (this.#has(inodeFlags.inlineData)) {
      const [head, tail] = this.#inlineParts();
      // The first four bytes are the parent's number: there is no record for "..".
      if (head !== undefined) yield head.slice(4, Math.max(0, Math.min(this.size, head.length) - 4));
      if (tail !== undefined) yield tail;
      return;
    }
    if (this.size > limits.directoryBytes) {
      throw new LimitExceeded(`ext4 directory ${this.#number}: ${this.size} bytes`);
    }
    const { blockSize, source } = this.#volume;
    const count = Math.ceil(this.size / blockSize);
    for (let logical = 0; logical < count; ) {
      const run = this.#runAt(logical, count - logical);
      for (let index = 0; index < run.count && run.physical !== 0; index += 1) {
        const what = `ext4 directory ${this.#number}, block ${logical + index}`;
        yield source.read((run.physical + index) * blockSize, blockSize, what);
      }
      logical += run.count;
    }
  }

  #readData(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new Corrupt(`ext4 inode ${this.#number}: bytes ${offset} to ${offset + length} of ${this.size}`);
    }
    if (length > limits.readBytes) throw new LimitExceeded(`ext4 inode ${this.#number}: ${length} bytes at once`);
    const result = new Uint8Array(length);
    if (this.#has(inodeFlags.inlineData)) {
      let at = 0;
      for (const part of this.#inlineParts()) {
        const from = Math.max(offset, at);
        const end = Math.min(offset + length, at + part.length);
        if (from < end) result.set(part.data.subarray(from - at, end - at), from - offset);
        at += part.length;
      }
      if (at < offset + length)
        throw new Corrupt(`ext4 inode ${this.#number}: only ${at} of ${this.size} bytes inline`);
      return result;
    }
    const { blockSize, source } = this.#volume;
    for (let done = 0; done < length; ) {
      const logical = Math.floor((offset + done) / blockSize);
      const within = (offset + done) % blockSize;
      const run = this.#runAt(logical, Math.ceil((within + length - done) / blockSize));
      const count = Math.min(length - done, run.count * blockSize - within);
      if (run.physical !== 0) {
        const what = `ext4 inode ${this.#number}, block ${logical}`;
        result.set(source.read(run.physical * blockSize + within, count, what).data, done);
      } else {
        // A hole costs time and memory as well, and may be of any size.
        source.budget.spend(count, `ext4 inode ${this.#number}`);
      }
      done += count;
    }
    return result;
  }

  /** Where the blocks from `logical` on stand: at least one, at most `wanted`. */
  #runAt(logical: number, wanted: number): Run {
    return this.#has(inodeFlags.extents) ? this.#extentAt(logical, wanted) : this.#mappedAt(logical, wanted);
  }

  #extentAt(logical: number, wanted: number): Run {
    this.#runs ??= this.#extents();
    const runs = this.#runs;
    let low = 0;
    let high = runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((runs[middle] as Run).logical <= logical) low = middle + 1;
      else high = middle;
    }
    const run = runs[low - 1];
    if (run !== undefined && logical < run.logical + run.count) {
      const skip = logical - run.logical;
      const physical = run.physical === 0 ? 0 : run.physical + skip;
      return { logical, physical, count: Math.min(wanted, run.count - skip) };
    }
    const gap = (runs[low]?.logical ?? Number.POSITIVE_INFINITY) - logical;
    return { logical, physical: 0, count: Math.min(wanted, gap) };
  }

  #extents(): Run[] {
    const runs: Run[] = [];
    const walk = (node: Bytes, depth: number | undefined): void => {
      if (node.u16(0) !== extentMagic) throw new Corrupt(`${node.what}: no magic number`);
      const entries = node.u16(2);
      const height = node.u16(6);
      if (height > extentDepth || (depth !== undefined && height !== depth)) {
        throw new Corrupt(`${node.what}: a depth of ${height}`);
      }
      for (let index = 0; index < entries; index += 1) {
        this.#volume.source.budget.step(1, node.what);
        if (runs.length >= limits.fileExtents) {
          throw new LimitExceeded(`${node.what}: more than ${limits.fileExtents} extents`);
        }
        const at = 12 + index * 12;
        if (height > 0) {
          const block = node.u16(at + 8) * 4294967296 + node.u32(at + 4);
          const { blockSize, source } = this.#volume;
          const what = `ext4 inode ${this.#number}, extent block ${block}`;
          walk(source.read(block * blockSize, blockSize, what), height - 1);
          continue;
        }
        const logical = node.u32(at);
        const length = node.u16(at + 4);
        // Over 32768: that many blocks less 32768, reserved but never written, so zeros.
        const isWritten = length <= 32768;
        const count = isWritten ? length : length - 32768;
        const last = runs.at(-1);
        if (count === 0 || (last !== undefined && logical < last.logical + last.count)) {
          throw new Corrupt(`${node.what}: extent ${index} (${count} blocks from ${logical}) is out of order`);
        }
        runs.push({ logical, physical: isWritten ? node.u16(at + 6) * 4294967296 + node.u32(at + 8) : 0, count });
      }
    };
    walk(this.#raw.slice(0x28, blockMapSize, `ext4 inode ${this.#number}, extent root`), undefined);
    return runs;
  }

  #mappedAt(logical: number, wanted: number): Run {
    const first = this.#mappedBlock(logical);
    let count = 1;
    while (count < wanted && this.#mappedBlock(logical + count) === (first === 0 ? 0 : first + count)) count += 1;
    this.#volume.source.budget.step(count, `ext4 inode ${this.#number}`);
    return { logical, physical: first, count };
  }

  /** The block map of ext2 and ext3: twelve direct numbers, then one, two and three levels of blocks full of numbers. */
  #mappedBlock(logical: number): number {
    if (logical < 12) return this.#raw.u32(0x28 + logical * 4);
    const perBlock = this.#volume.blockSize / 4;
    let rest = logical - 12;
    let reach = perBlock;
    for (let level = 1; level <= 3; level += 1) {
      if (rest < reach) {
        let block = this.#raw.u32(0x28 + (11 + level) * 4);
        for (let step = reach / perBlock; step >= 1 && block !== 0; step /= perBlock) {
          block = this.#indirectBlock(block).u32((Math.floor(rest / step) % perBlock) * 4);
        }
        return block;
      }
      rest -= reach;
      reach *= perBlock;
    }
    throw new Corrupt(`ext4 inode ${this.#number}: block ${logical} is behind what a block map can hold`);
  }

  #indirectBlock(block: number): Bytes {
    const known = this.#indirect.get(block);
    if (known !== undefined) return known;
    const { blockSize, source } = this.#volume;
    const read = source.read(block * blockSize, blockSize, `ext4 inode ${this.#number}, indirect block ${block}`);
    // Three levels are in use at a time; a bound keeps a hostile map from filling the memory.
    if (this.#indirect.size >= 16) this.#indirect.clear();
    this.#indirect.set(block, read);
    return read;
  }

  /** The 60 bytes of the block map, and the rest in the attribute "system.data" behind the inode's own fields. */
  #inlineParts(): readonly Bytes[] {
    this.#inline ??= this.#readInline();
    return this.#inline;
  }

  #readInline(): readonly Bytes[] {
    const raw = this.#raw;
    const what = `ext4 inode ${this.#number}, inline data`;
    const head = raw.slice(0x28, blockMapSize, what);
    if (raw.length < 132) return [head];
    const attributes = 128 + raw.u16(128);
    if (attributes + 4 > raw.length || raw.u32(attributes) !== attributeMagic) return [head];
    const base = attributes + 4;
    for (let at = base; at + 16 <= raw.length && raw.u32(at) !== 0; ) {
      const nameLength = raw.u8(at);
      if (raw.u8(at + 1) === systemAttribute && raw.latin1(at + 16, nameLength) === 'data') {
        const size = raw.u32(at + 8);
        return size === 0 ? [head] : [head, raw.slice(base + raw.u16(at + 2), size, what)];
      }
      at += (16 + nameLength + 3) & ~3;
    }
    return [head];
  }
}

/** With blocks of 64 KiB a record may be too long for its 16 bits; the two low ones, else always 0, then count as high. */
function recordLength(stored: number, blockSize: number): number {
  if (blockSize < 65536) return stored;
  return stored === 65535 || stored === 0 ? blockSize : (stored & 65532) | ((stored & 3) << 16);
}
