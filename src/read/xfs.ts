/**
 * xfs of versions 4 and 5, read-only. Format: "XFS Algorithms & Data Structures" (superblock, inodes, data forks,
 * directories, symbolic links) and Linux, fs/xfs/libxfs/xfs_format.h and xfs_da_format.h. All numbers are big-endian.
 * An inode's number says where it stands, so the inode trees are not needed; directories are read linearly, so their
 * hashes are not.
 * Not read: the log (a note says when it is not empty), checksums, files on the realtime device, directories of
 * version 1 (before 2001), attributes.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import { Bytes, fromLatin1 } from './bytes.ts';
import type { FileSystem, Inode, InodeKind } from './filesystem.ts';
import * as limits from './limits.ts';
import type { Source } from './source.ts';
import { superblocks } from './superblocks.ts';

const { size: superblockSize } = superblocks.xfs;

/** Four letters as the number they stand for on disk. */
function magicNumber(letters: string): number {
  return new Bytes(fromLatin1(letters), 'magic number').u32be(0);
}

const magic = {
  superblock: superblocks.xfs.magic,
  inode: 0x494e,
  symlink: magicNumber('XSLM'),
  logRecord: 0xfeedbabe,
} as const;

/** Magic numbers of what has another header in version 5. */
const magicByVersion = {
  4: { extentTree: magicNumber('BMAP'), singleBlock: magicNumber('XD2B'), dataBlock: magicNumber('XD2D') },
  5: { extentTree: magicNumber('BMA3'), singleBlock: magicNumber('XDB3'), dataBlock: magicNumber('XDD3') },
} as const;

/** sb_versionnum beside the version in its low four bits. */
const versionBits = { shared: 0x200, unwrittenExtents: 0x1000, directories2: 0x2000, more: 0x8000 } as const;

/** sb_features2, of version 4: what a reader has to know of is `ftype`; the others are counters, attributes, owners. */
const secondFeatures = { known: 0x2 | 0x8 | 0x80 | 0x200, fileType: 0x200 } as const;

const needsRepair = 0x10;
const fileType = 0x1;

/** sb_features_incompat, of version 5. Files of the data device stand the same with all of these. */
const features: readonly { readonly bit: number; readonly name: string }[] = [
  { bit: 0x1, name: 'ftype' },
  { bit: 0x2, name: 'spinodes' },
  { bit: 0x4, name: 'meta_uuid' },
  { bit: 0x8, name: 'bigtime' },
  { bit: 0x10, name: 'needsrepair' },
  // Told by each inode's own flag.
  { bit: 0x20, name: 'nrext64' },
  { bit: 0x40, name: 'exchrange' },
  { bit: 0x80, name: 'parent' },
  { bit: 0x100, name: 'metadir' },
  // Zones are on the realtime device; a file there is refused when it is opened.
  { bit: 0x200, name: 'zoned' },
  { bit: 0x400, name: 'zone_gaps' },
];

/** di_format: what stands in an inode's data fork. */
const forms = { local: 1, extents: 2, tree: 3 } as const;
const realtimeFlag = 0x1; // di_flags
const wideCountFlag = 0x10; // di_flags2

const extentSize = 16;
/** Levels of an extent tree: XFS_BTREE_MAXLEVELS. */
const treeLevels = 9;
/** A directory's own blocks end here; behind are its hashes and lists of free space. In bytes. */
const directoryDataEnd = 32 * 1024 * 1024 * 1024;
/** XFS_SYMLINK_MAXLEN, in bytes. */
const symlinkBytes = 1024;
const symlinkHeaderSize = 56;
const freeTag = 0xffff;
/** In bytes, whatever the sectors of the disk are. */
const logSectorSize = 512;
/** Sectors from the log's end back to its last record: the largest stripe of a log, 256 KiB, twice. */
const logRecordSectors = 1024;
const unmountFlag = 0x20; // oh_flags

/** `count` blocks of a file from `logical` on stand at block `physical`, which is undefined when they are zeros. */
interface Run {
  readonly logical: number;
  readonly physical: number | undefined;
  readonly count: number;
}

interface DirectoryRecord {
  readonly block: Bytes;
  readonly nameOffset: number;
  readonly nameLength: number;
  /** Where the inode's number stands, and whether it has 8 bytes, not 4. */
  readonly inodeOffset: number;
  readonly isWide: boolean;
}

/** Throws Corrupt, Unsupported (naming the feature), Io, LimitExceeded. */
export function openXfs(source: Source): FileSystem {
  const volume = new Volume(source);
  const root = volume.inode(volume.rootNumber);
  if (root.kind !== 'directory') throw new Corrupt(`xfs inode ${volume.rootNumber}: the root is a ${root.kind}`);
  const notes: string[] = [];
  if (volume.needsRepair) notes.push('the xfs filesystem is marked as in need of repair');
  if (!volume.isLogEmpty()) notes.push('the xfs log holds changes that were not written back; they are not seen');
  return { type: 'xfs', root, notes };
}

class Volume {
  readonly source: Source;
  readonly version: 4 | 5;
  readonly needsRepair: boolean;
  /** In bytes. */
  readonly blockSize: number;
  /** Blocks of the filesystem that make one of a directory. */
  readonly directoryBlocks: number;
  /** Whether a directory's record holds a byte for the kind of the file. */
  readonly hasFileType: boolean;
  readonly rootNumber: number;
  readonly #logStart: number;
  readonly #logBlocks: number;
  readonly #inodeSize: number;
  readonly #inodesPerBlock: number;
  readonly #groupCount: number;
  readonly #groupBlocks: number;
  /** Block numbers count from a multiple of this in each allocation group, the next power of two. */
  readonly #groupStride: number;

  constructor(source: Source) {
    this.source = source;
    const superblock = source.read(0, superblockSize, 'xfs superblock');
    if (superblock.u32be(0) !== magic.superblock) throw new Corrupt('xfs superblock: no magic number');

    const versionField = superblock.u16be(100);
    const version = versionField & 0xf;
    if (version !== 4 && version !== 5) throw new Unsupported(`xfs version ${version}`);
    this.version = version;
    if ((versionField & versionBits.directories2) === 0) throw new Unsupported('xfs directories of version 1');
    if ((versionField & versionBits.unwrittenExtents) === 0) throw new Unsupported('xfs without unwritten extents');
    if ((versionField & versionBits.shared) !== 0) throw new Unsupported('xfs feature shared');
    if (version === 5) {
      const incompatible = superblock.u32be(216);
      const known = features.reduce((bits, { bit }) => bits | bit, 0);
      const unknown = (incompatible & ~known) >>> 0;
      if (unknown !== 0) throw new Unsupported(`xfs features 0x${unknown.toString(16)}`);
      this.hasFileType = (incompatible & fileType) !== 0;
      this.needsRepair = (incompatible & needsRepair) !== 0;
    } else {
      // Written to one of two places by the compiler's alignment, once; Linux takes both together.
      const second = (versionField & versionBits.more) === 0 ? 0 : superblock.u32be(200) | superblock.u32be(204);
      const unknown = (second & ~secondFeatures.known) >>> 0;
      if (unknown !== 0) throw new Unsupported(`xfs features2 0x${unknown.toString(16)}`);
      this.hasFileType = (second & secondFeatures.fileType) !== 0;
      this.needsRepair = false;
    }
    if (superblock.u8(126) !== 0) throw new Corrupt('xfs superblock: mkfs.xfs did not finish');

    const logBlockSize = superblock.u8(120);
    this.blockSize = superblock.u32be(4);
    if (logBlockSize < 9 || logBlockSize > 16 || this.blockSize !== 2 ** logBlockSize) {
      throw new Corrupt(`xfs superblock: blocks of ${this.blockSize} bytes, their logarithm ${logBlockSize}`);
    }
    const logInodeSize = superblock.u8(122);
    this.#inodeSize = superblock.u16be(104);
    if (
      logInodeSize < 8 ||
      logInodeSize > 11 ||
      logInodeSize > logBlockSize ||
      this.#inodeSize !== 2 ** logInodeSize ||
      superblock.u8(123) !== logBlockSize - logInodeSize
    ) {
      throw new Corrupt(`xfs superblock: inodes of ${this.#inodeSize} bytes, their logarithm ${logInodeSize}`);
    }
    this.#inodesPerBlock = this.blockSize / this.#inodeSize;
    const logDirectoryBlocks = superblock.u8(192);
    // XFS_MAX_BLOCKSIZE_LOG: 64 KiB for both kinds of blocks.
    if (logBlockSize + logDirectoryBlocks > 16) {
      throw new Corrupt(`xfs superblock: directory blocks of 2^${logDirectoryBlocks} blocks`);
    }
    this.directoryBlocks = 2 ** logDirectoryBlocks;
    this.#groupBlocks = superblock.u32be(84);
    this.#groupCount = superblock.u32be(88);
    const logGroupBlocks = superblock.u8(124);
    this.#groupStride = 2 ** logGroupBlocks;
    if (
      this.#groupCount === 0 ||
      this.#groupBlocks === 0 ||
      logGroupBlocks > 32 ||
      this.#groupBlocks > this.#groupStride
    ) {
      const groups = `${this.#groupCount} groups of ${this.#groupBlocks} blocks`;
      throw new Corrupt(`xfs superblock: ${groups}, their logarithm ${logGroupBlocks}`);
    }
    this.rootNumber = superblock.u64be(56);
    this.#logStart = superblock.u64be(48);
    this.#logBlocks = superblock.u32be(96);
  }

  /** The byte where `count` blocks from block `number` on stand, all in one allocation group. */
  blockOffset(number: number, count: number, what: string): number {
    const group = Math.floor(number / this.#groupStride);
    const block = number % this.#groupStride;
    if (group >= this.#groupCount || block + count > this.#groupBlocks) {
      const groups = `${this.#groupCount} groups of ${this.#groupBlocks} blocks`;
      throw new Corrupt(`${what}: ${count} blocks from ${block} of group ${group} on lie outside ${groups}`);
    }
    return (group * this.#groupBlocks + block) * this.blockSize;
  }

  readBlock(number: number, what: string): Bytes {
    return this.source.read(this.blockOffset(number, 1, what), this.blockSize, what);
  }

  /** Whether the last record of the log says that the filesystem was unmounted. A log on another device is taken as empty. */
  isLogEmpty(): boolean {
    if (this.#logStart === 0 || this.#logBlocks === 0) return true;
    const start = this.blockOffset(this.#logStart, this.#logBlocks, 'xfs log');
    const count = (this.#logBlocks * this.blockSize) / logSectorSize;
    const sector = (index: number): Bytes =>
      this.source.read(start + (index % count) * logSectorSize, logSectorSize, `xfs log, sector ${index % count}`);
    // Each sector begins with the number of the pass over the log that wrote it, or has it behind a record's magic number.
    const pass = (index: number): number => {
      const bytes = sector(index);
      const first = bytes.u32be(0);
      return first === magic.logRecord ? bytes.u32be(4) : first;
    };
    const latest = pass(0);
    if (latest === 0) return true;
    // The log ends where the number of the latest pass does.
    let end = count;
    if (pass(count - 1) !== latest) {
      let low = 0;
      end = count - 1;
      while (low + 1 < end) {
        const middle = (low + end) >>> 1;
        if (pass(middle) === latest) low = middle;
        else end = middle;
      }
    }
    for (let back = 1; back <= Math.min(logRecordSectors, count); back += 1) {
      const at = end - back + count;
      const record = sector(at);
      if (record.u32be(0) !== magic.logRecord) continue;
      // One sector of header for each 32 KiB that a record may have; version 1 has one only.
      const headers = (record.u32be(8) & 2) === 0 ? 1 : Math.max(1, Math.ceil(record.u32be(320) / 32768));
      const isLast = headers + Math.ceil(record.u32be(12) / logSectorSize) === back;
      return isLast && record.u32be(40) === 1 && (sector(at + headers).u8(9) & unmountFlag) !== 0;
    }
    return false;
  }

  inode(number: number): XfsInode {
    const what = `xfs inode ${number}`;
    const block = Math.floor(number / this.#inodesPerBlock);
    const offset = this.blockOffset(block, 1, what) + (number % this.#inodesPerBlock) * this.#inodeSize;
    return new XfsInode(this, number, this.source.read(offset, this.#inodeSize, what));
  }
}

const kinds: Readonly<Record<number, InodeKind>> = {
  4096: 'other',
  8192: 'other',
  16384: 'directory',
  24576: 'other',
  32768: 'file',
  40960: 'symlink',
  49152: 'other',
};

class XfsInode implements Inode {
  readonly kind: InodeKind;
  readonly size: number;
  readonly #volume: Volume;
  readonly #number: number;
  readonly #what: string;
  readonly #form: number;
  readonly #isRealtime: boolean;
  readonly #extentCount: number;
  readonly #fork: Bytes;
  #runs: readonly Run[] | undefined;

  constructor(volume: Volume, number: number, raw: Bytes) {
    this.#volume = volume;
    this.#number = number;
    this.#what = raw.what;
    if (raw.u16be(0) !== magic.inode) throw new Corrupt(`${raw.what}: no magic number`);
    const version = raw.u8(4);
    if (version < 1 || version > 3 || (version === 3) !== (volume.version === 5)) {
      throw new Corrupt(`${raw.what}: version ${version} in a filesystem of version ${volume.version}`);
    }
    if (version === 3 && raw.u64be(152) !== number) throw new Corrupt(`${raw.what}: it says it is another inode`);
    const mode = raw.u16be(2);
    const kind = kinds[mode & 0xf000];
    // A free inode has the mode 0.
    if (kind === undefined) throw new Corrupt(`${raw.what}: a mode of 0${mode.toString(8)}`);
    this.kind = kind;
    this.#form = raw.u8(5);
    this.size = raw.u64be(56);
    this.#isRealtime = kind === 'file' && (raw.u16be(90) & realtimeFlag) !== 0;
    const hasWideCount = version === 3 && (raw.u32be(124) & wideCountFlag) !== 0;
    this.#extentCount = hasWideCount ? raw.u64be(24) : raw.u32be(76);
    const forkOffset = version === 3 ? 176 : 100;
    const attributes = raw.u8(82) * 8;
    this.#fork = raw.slice(forkOffset, attributes === 0 ? raw.length - forkOffset : attributes);
  }

  #checkKind(kind: InodeKind): void {
    if (this.kind !== kind) throw new Corrupt(`${this.#what} is a ${this.kind}, not a ${kind}`);
    if (this.#isRealtime) throw new Unsupported(`${this.#what} is on the realtime device`);
  }

  lookup(name: string): Inode | undefined {
    const bytes = fromLatin1(name);
    for (const { block, nameOffset, nameLength, inodeOffset, isWide } of this.#records()) {
      if (nameLength !== bytes.length) continue;
      let same = 0;
      while (same < nameLength && block.data[nameOffset + same] === bytes[same]) same += 1;
      if (same === nameLength) return this.#volume.inode(isWide ? block.u64be(inodeOffset) : block.u32be(inodeOffset));
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
    this.#checkKind('symlink');
    const { size } = this;
    if (size > symlinkBytes) throw new Corrupt(`${this.#what}: a symbolic link of ${size} bytes`);
    if (this.#form === forms.local) return this.#fork.latin1(0, size);
    const { version, blockSize, source } = this.#volume;
    // In version 5 a header stands before each extent's part of the target, not before each block's.
    const header = version === 5 ? symlinkHeaderSize : 0;
    let target = '';
    let next = 0;
    for (const { logical, physical, count } of this.#allRuns()) {
      if (target.length === size) break;
      const what = `${this.#what}, target from block ${logical} on`;
      if (physical === undefined || logical !== next) throw new Corrupt(`${what}: a hole before or in it`);
      next = logical + count;
      const length = Math.min(count * blockSize, header + size - target.length);
      const part = source.read(this.#volume.blockOffset(physical, count, what), length, what);
      const isRight =
        version === 4 ||
        (part.u32be(0) === magic.symlink &&
          part.u32be(4) === target.length &&
          part.u32be(8) === length - header &&
          part.u64be(32) === this.#number);
      if (!isRight) throw new Corrupt(`${what}: its header is not that of this part of this link`);
      target += part.latin1(header, length - header);
    }
    if (target.length !== size) throw new Corrupt(`${this.#what}: ${target.length} of its target's ${size} bytes`);
    return target;
  }

  read(offset: number, length: number): Uint8Array {
    this.#checkKind('file');
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new Corrupt(`${this.#what}: bytes ${offset} to ${offset + length} of ${this.size}`);
    }
    if (length > limits.readBytes) throw new LimitExceeded(`${this.#what}: ${length} bytes at once`);
    return this.#readBlocks(offset, length);
  }

  *#records(): Generator<DirectoryRecord> {
    this.#checkKind('directory');
    if (this.#form === forms.local) {
      yield* this.#shortRecords();
      return;
    }
    for (const block of this.#directoryBlocks()) {
      this.#volume.source.budget.step(block.length / limits.stepBytes, block.what);
      const { start, end } = this.#dataArea(block);
      for (let at = start; at < end; ) {
        const isFree = block.u16be(at) === freeTag;
        const nameLength = isFree ? 0 : block.u8(at + 8);
        const length = isFree ? block.u16be(at + 2) : this.#recordLength(nameLength);
        if (length < 8 || length % 8 !== 0 || at + length > end || (!isFree && nameLength === 0)) {
          throw new Corrupt(`${block.what}: the record at byte ${at} has a length of ${length}`);
        }
        // Each record, used or free, ends with its own place.
        if (block.u16be(at + length - 2) !== at)
          throw new Corrupt(`${block.what}: the record at byte ${at} is not one`);
        if (!isFree) yield { block, nameOffset: at + 9, nameLength, inodeOffset: at, isWide: true };
        at += length;
      }
    }
  }

  /** A number of 8 bytes, the name's length and the name, perhaps a kind, and the record's place; a multiple of 8. */
  #recordLength(nameLength: number): number {
    return Math.ceil((8 + 1 + nameLength + (this.#volume.hasFileType ? 1 : 0) + 2) / 8) * 8;
  }

  /** A small directory inside the inode: no records for "." and "..", and numbers of 4 bytes unless one needs 8. */
  *#shortRecords(): Generator<DirectoryRecord> {
    if (this.size > this.#fork.length) throw new Corrupt(`${this.#what}: ${this.size} bytes inside of it`);
    const block = this.#fork.slice(0, this.size, `${this.#what}, short directory`);
    const isWide = block.u8(1) !== 0;
    const numberLength = isWide ? 8 : 4;
    const count = block.u8(0);
    let at = 2 + numberLength;
    for (let index = 0; index < count; index += 1) {
      const nameLength = block.u8(at);
      if (nameLength === 0) throw new Corrupt(`${block.what}: the record at byte ${at} has no name`);
      const nameOffset = at + 3;
      const inodeOffset = nameOffset + nameLength + (this.#volume.hasFileType ? 1 : 0);
      at = inodeOffset + numberLength;
      if (at > block.length) throw new Corrupt(`${block.what}: record ${index} of ${count} is cut`);
      yield { block, nameOffset, nameLength, inodeOffset, isWide };
    }
    if (at !== block.length) throw new Corrupt(`${block.what}: ${count} records end at byte ${at} of ${block.length}`);
  }

  *#directoryBlocks(): Generator<Bytes> {
    const { blockSize, directoryBlocks } = this.#volume;
    const length = directoryBlocks * blockSize;
    let read = 0;
    let next = 0;
    for (const run of this.#allRuns()) {
      if (run.logical >= directoryDataEnd / blockSize) break;
      const end = Math.min(run.logical + run.count, directoryDataEnd / blockSize);
      // One block of the directory may be in several extents, and one extent may hold several.
      next = Math.max(next, Math.floor(run.logical / directoryBlocks));
      for (; next * directoryBlocks < end; next += 1) {
        read += length;
        if (read > limits.directoryBytes) {
          throw new LimitExceeded(`${this.#what}: a directory of more than ${limits.directoryBytes} bytes`);
        }
        yield new Bytes(this.#readBlocks(next * length, length), `${this.#what}, directory block ${next}`);
      }
    }
    // Even an empty directory has a block; and what is lost of one must not pass for names that never were.
    if (read === 0 || next * length !== this.size) {
      throw new Corrupt(`${this.#what}: a directory of ${this.size} bytes whose blocks end at ${next * length}`);
    }
  }

  /** Where the records stand in a directory's block. */
  #dataArea(block: Bytes): { readonly start: number; readonly end: number } {
    const { version } = this.#volume;
    const { singleBlock, dataBlock } = magicByVersion[version];
    const found = block.u32be(0);
    if (found !== singleBlock && found !== dataBlock) throw new Corrupt(`${block.what}: no magic number`);
    if (version === 5 && block.u64be(40) !== this.#number) throw new Corrupt(`${block.what}: it is another inode's`);
    const start = version === 5 ? 64 : 16;
    if (found === dataBlock) return { start, end: block.length };
    // A directory of a single block has its hashes, 8 bytes each, and their count behind the records.
    const hashes = block.u32be(block.length - 8);
    const end = block.length - 8 - hashes * 8;
    if (end < start) throw new Corrupt(`${block.what}: ${hashes} hashes`);
    return { start, end };
  }

  /** What the fork's blocks hold; bytes that no extent covers are zeros. */
  #readBlocks(offset: number, length: number): Uint8Array {
    const result = new Uint8Array(length);
    const { blockSize, source } = this.#volume;
    for (let done = 0; done < length; ) {
      const logical = Math.floor((offset + done) / blockSize);
      const within = (offset + done) % blockSize;
      const what = `${this.#what}, block ${logical}`;
      const run = this.#runAt(logical, Math.ceil((within + length - done) / blockSize));
      const count = Math.min(length - done, run.count * blockSize - within);
      // Zeros cost as much as what is read, or a hole of some petabytes would be read for hours.
      if (run.physical === undefined) source.budget.spend(count, what);
      else {
        const at = this.#volume.blockOffset(run.physical, run.count, what) + within;
        result.set(source.read(at, count, what).data, done);
      }
      done += count;
    }
    return result;
  }

  /** Where the blocks from `logical` on stand: at least one, at most `wanted`. */
  #runAt(logical: number, wanted: number): Run {
    const runs = this.#allRuns();
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
      const physical = run.physical === undefined ? undefined : run.physical + skip;
      return { logical, physical, count: Math.min(wanted, run.count - skip) };
    }
    const gap = (runs[low]?.logical ?? Number.POSITIVE_INFINITY) - logical;
    return { logical, physical: undefined, count: Math.min(wanted, gap) };
  }

  #allRuns(): readonly Run[] {
    this.#runs ??= this.#readRuns();
    return this.#runs;
  }

  #readRuns(): Run[] {
    const runs: Run[] = [];
    if (this.#form === forms.extents) {
      this.#addExtents(runs, this.#fork, 0, this.#extentCount);
    } else if (this.#form === forms.tree) {
      this.#walkTree(runs);
      if (runs.length !== this.#extentCount) {
        throw new Corrupt(`${this.#what}: ${runs.length} extents in its tree, not ${this.#extentCount}`);
      }
    } else {
      throw new Corrupt(`${this.#what}: a ${this.kind} of form ${this.#form}`);
    }
    return runs;
  }

  /** The root of the tree is in the inode, and every other node is a block whose level is one less than its parent's. */
  #walkTree(runs: Run[]): void {
    const level = this.#fork.u16be(0);
    if (level === 0 || level > treeLevels) throw new Corrupt(`${this.#what}: an extent tree of ${level} levels`);
    const pending: { readonly block: number; readonly level: number }[] = [];
    const descend = (node: Bytes, header: number, height: number, count: number): void => {
      // First room for all keys, then the block numbers.
      const room = Math.floor((node.length - header) / 16);
      if (count === 0 || count > room) throw new Corrupt(`${node.what}: ${count} entries where ${room} fit`);
      this.#volume.source.budget.step(count, node.what);
      for (let index = count - 1; index >= 0; index -= 1) {
        pending.push({ block: node.u64be(header + room * 8 + index * 8), level: height - 1 });
      }
    };
    descend(this.#fork, 4, level, this.#fork.u16be(2));
    const { version } = this.#volume;
    const header = version === 5 ? 72 : 24;
    for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
      const node = this.#volume.readBlock(entry.block, `${this.#what}, extent block ${entry.block}`);
      if (node.u32be(0) !== magicByVersion[version].extentTree) throw new Corrupt(`${node.what}: no magic number`);
      if (version === 5 && node.u64be(56) !== this.#number) throw new Corrupt(`${node.what}: it is another inode's`);
      const height = node.u16be(4);
      if (height !== entry.level) throw new Corrupt(`${node.what}: level ${height}, not ${entry.level}`);
      const count = node.u16be(6);
      if (height > 0) descend(node, header, height, count);
      else if (count === 0) throw new Corrupt(`${node.what}: no extents`);
      else this.#addExtents(runs, node, header, count);
    }
  }

  /** An extent is a number of 128 bits: never written (1), place in the file (54), block (52), count (21). */
  #addExtents(runs: Run[], node: Bytes, start: number, count: number): void {
    if (start + count * extentSize > node.length) throw new Corrupt(`${node.what}: ${count} extents`);
    if (runs.length + count > limits.fileExtents) {
      throw new LimitExceeded(`${this.#what}: more than ${limits.fileExtents} extents`);
    }
    this.#volume.source.budget.step(count, node.what);
    for (let index = 0; index < count; index += 1) {
      const at = start + index * extentSize;
      const [first, second, third, fourth] = [
        node.u32be(at),
        node.u32be(at + 4),
        node.u32be(at + 8),
        node.u32be(at + 12),
      ];
      const isWritten = first < 0x80000000;
      const logical = (first % 0x80000000) * 2 ** 23 + Math.floor(second / 512);
      const physical = (second % 512) * 2 ** 43 + third * 2 ** 11 + Math.floor(fourth / 2 ** 21);
      const blocks = fourth % 2 ** 21;
      const last = runs.at(-1);
      if (
        blocks === 0 ||
        !Number.isSafeInteger(logical + blocks) ||
        (last !== undefined && logical < last.logical + last.count)
      ) {
        throw new Corrupt(`${node.what}: extent ${index} (${blocks} blocks from ${logical}) is out of order`);
      }
      this.#volume.blockOffset(physical, blocks, `${node.what}, extent ${index}`);
      runs.push({ logical, physical: isWritten ? physical : undefined, count: blocks });
    }
  }
}
