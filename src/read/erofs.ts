/**
 * erofs, read-only: plain, inline, chunk-based and lz4-compressed files, with big clusters, inlined tails, fragments
 * and shared (deduplicated) clusters. Format: Linux, Documentation/filesystems/erofs and fs/erofs/erofs_fs.h.
 * Not read: lzma, deflate, zstd, 48-bit block numbers, compressed metadata, data on a second device, attributes,
 * checksums. The compression settings behind the superblock are passed over: they only narrow the format's own limits.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import { Bytes } from './bytes.ts';
import type { FileSystem, Inode, InodeKind } from './filesystem.ts';
import * as limits from './limits.ts';
import { decompressBlock } from './lz4.ts';
import type { Source } from './source.ts';
import { superblocks } from './superblocks.ts';

const { offset: superblockOffset, size: superblockSize, magic } = superblocks.erofs;

/** s_feature_incompat: what changes how files are read. */
const incompatible = { zeroPadding: 0x1, bigClusters: 0x2, fragments: 0x20 } as const;

/** Every incompatible feature by its bit; `read` says whether files can be read in spite of it. */
const features: readonly { readonly bit: number; readonly name: string; readonly read: boolean }[] = [
  { bit: 0x1, name: 'zero_padding', read: true },
  { bit: 0x2, name: 'compr_cfgs, big_pcluster', read: true },
  { bit: 0x4, name: 'chunked_file', read: true },
  // A chunk that lies on a second device is refused when it is read.
  { bit: 0x8, name: 'device_table, compr_head2', read: true },
  { bit: 0x10, name: 'ztailpacking', read: true },
  { bit: 0x20, name: 'fragments, dedupe', read: true },
  { bit: 0x40, name: 'xattr_prefixes', read: true },
  { bit: 0x80, name: '48bit', read: false },
  { bit: 0x100, name: 'metabox', read: false },
];

const slotSize = 32;
const direntSize = 12;
const nameBytes = 255;

const layouts = { plain: 0, compressedFull: 1, inline: 2, compressedCompact: 3, chunks: 4 } as const;
const chunkFormat = { bits: 0x1f, indexes: 0x20 } as const;
const noBlock = 0xffffffff;

const advise = {
  /** For compact indexes: the middle ones take two bytes each. For full ones: extent records stand in their place. */
  twoBytesOrExtents: 0x1,
  big1: 0x2,
  big2: 0x4,
  inlineTail: 0x8,
  interlaced: 0x10,
  fragment: 0x20,
} as const;

/** What a logical cluster is: the begin of a physical one (stored as it is, or by the first or second algorithm), or none. */
const clusterTypes = { plain: 0, head1: 1, nonHead: 2, head2: 3 } as const;
const algorithms = ['lz4', 'lzma', 'deflate', 'zstd'];
/** In a distance to the head: it is a count of blocks instead. */
const isBlockCount = 0x800;
const isPartialReference = 0x8000;

/** The format's own limits of a physical cluster, in bytes: Z_EROFS_PCLUSTER_MAX_SIZE and _DSIZE. */
const encodedBytes = 1024 * 1024;
const decodedBytes = 12 * 1024 * 1024;
/** Cluster indexes are read by this many bytes; a multiple of every group of them. */
const indexWindow = 4096;

/** One logical cluster's index. */
interface Cluster {
  readonly type: number;
  /** Of a head: where in its logical cluster the data begin, in bytes. */
  readonly offset: number;
  /** Of a head: its first block. */
  readonly block: number;
  /** Of a head: the block decompresses to more than this file has of it. */
  readonly isPartial: boolean;
  /** Of a non-head: how many logical clusters before it the head is, or nearer to it. */
  readonly back: number;
  /** Of the first non-head: how many blocks the physical cluster has, when it is said there. */
  readonly blocks: number | undefined;
  /** Where the next index or group of indexes stands, in bytes. */
  readonly next: number;
}

/** A part of a compressed file that is decompressed at once. Places and lengths are in bytes. */
interface Extent {
  readonly start: number;
  readonly end: number;
  readonly form: 'shifted' | 'interlaced' | 'lz4' | 'fragment';
  /** In the image; of a fragment, in the packed inode. */
  readonly offset: number;
  readonly length: number;
  readonly isPartial: boolean;
}

/** Throws Corrupt, Unsupported (naming the feature), Io, LimitExceeded. */
export function openErofs(source: Source): FileSystem {
  const volume = new Volume(source);
  return { type: 'erofs', root: volume.root(), notes: [] };
}

class Volume {
  readonly source: Source;
  readonly blockBits: number;
  readonly blockSize: number;
  /** Of a directory: a number of whole blocks whose names do not cross into the next. */
  readonly directoryBlockSize: number;
  readonly hasZeroPadding: boolean;
  readonly hasBigClusters: boolean;
  readonly #metadata: number;
  readonly #rootNumber: number;
  readonly #packedNumber: number;
  #packed: ErofsInode | undefined;

  constructor(source: Source) {
    this.source = source;
    const superblock = source.read(superblockOffset, superblockSize, 'erofs superblock');
    if (superblock.u32(0) !== magic) throw new Corrupt('erofs superblock: no magic number');

    const present = superblock.u32(80);
    let unknown = present;
    for (const { bit, name, read } of features) {
      if ((present & bit) === 0) continue;
      if (!read) throw new Unsupported(`erofs feature ${name}`);
      unknown &= ~bit;
    }
    if (unknown !== 0) throw new Unsupported(`erofs features 0x${(unknown >>> 0).toString(16)}`);
    this.hasZeroPadding = (present & incompatible.zeroPadding) !== 0;
    this.hasBigClusters = (present & incompatible.bigClusters) !== 0;

    this.blockBits = superblock.u8(12);
    if (this.blockBits < 9 || this.blockBits > 16) {
      throw new Corrupt(`erofs superblock: log2 of the block size is ${this.blockBits}`);
    }
    this.blockSize = 1 << this.blockBits;
    const directoryBits = this.blockBits + superblock.u8(90);
    // Names' places have 16 bits.
    if (directoryBits > 16) throw new Corrupt(`erofs superblock: log2 of the directory block size is ${directoryBits}`);
    this.directoryBlockSize = 1 << directoryBits;
    this.#metadata = superblock.u32(40) * this.blockSize;
    this.#rootNumber = superblock.u16(14);
    this.#packedNumber = (present & incompatible.fragments) === 0 ? 0 : superblock.u64(96);
  }

  root(): ErofsInode {
    return this.inode(this.#rootNumber);
  }

  /** `number` counts slots of 32 bytes from where the metadata begin. */
  inode(number: number): ErofsInode {
    const offset = this.#metadata + number * slotSize;
    // The second half of an extended one holds nothing that is needed.
    return new ErofsInode(this, number, offset, this.source.read(offset, slotSize, `erofs inode ${number}`));
  }

  /** The nameless file that holds the ends of many. */
  packed(): ErofsInode {
    if (this.#packedNumber === 0) throw new Corrupt('erofs superblock: fragments, but no inode that packs them');
    this.#packed ??= this.inode(this.#packedNumber);
    return this.#packed;
  }

  isPacked(number: number): boolean {
    return number === this.#packedNumber;
  }
}

const kinds: Readonly<Record<number, InodeKind>> = { 16384: 'directory', 32768: 'file', 40960: 'symlink' };

class ErofsInode implements Inode {
  readonly kind: InodeKind;
  readonly size: number;
  readonly #volume: Volume;
  readonly #number: number;
  readonly #layout: number;
  /** The field i_u: first block, or form of the chunks. */
  readonly #place: number;
  /** Where the inode and its attributes end, in bytes. */
  readonly #end: number;
  #map: ClusterMap | undefined;
  #indexes: IndexReader | undefined;
  #decoded: { readonly extent: Extent; readonly data: Uint8Array } | undefined;

  constructor(volume: Volume, number: number, offset: number, raw: Bytes) {
    this.#volume = volume;
    this.#number = number;
    const format = raw.u16(0);
    const isExtended = (format & 1) !== 0;
    this.#layout = (format >>> 1) & 7;
    if (format >>> 4 !== 0) throw new Unsupported(`erofs inode ${number} of format 0x${format.toString(16)}`);
    if (this.#layout > layouts.chunks) throw new Unsupported(`erofs inode ${number} of data layout ${this.#layout}`);
    this.kind = kinds[raw.u16(4) & 0xf000] ?? 'other';
    this.size = isExtended ? raw.u64(8) : raw.u32(8);
    this.#place = raw.u32(16);
    const attributes = raw.u16(2);
    const attributeBytes = attributes === 0 ? 0 : 12 + (attributes - 1) * 4;
    this.#end = offset + (isExtended ? 2 : 1) * slotSize + attributeBytes;
  }

  #checkKind(kind: InodeKind): void {
    if (this.kind !== kind) throw new Corrupt(`erofs inode ${this.#number} is a ${this.kind}, not a ${kind}`);
  }

  lookup(name: string): Inode | undefined {
    const bytes = Uint8Array.from(name, (character) => character.charCodeAt(0));
    for (const { block, index, start, end } of this.#entries()) {
      if (end - start !== bytes.length) continue;
      let same = 0;
      while (same < bytes.length && block.data[start + same] === bytes[same]) same += 1;
      if (same === bytes.length) return this.#volume.inode(block.u64(index * direntSize));
    }
    return undefined;
  }

  *names(): Generator<string> {
    for (const { block, start, end } of this.#entries()) {
      const name = block.latin1(start, end - start);
      if (name !== '.' && name !== '..') yield name;
    }
  }

  target(): string {
    this.#checkKind('symlink');
    if (this.size > limits.pathBytes) {
      throw new LimitExceeded(`erofs inode ${this.#number}: a symbolic link of ${this.size} bytes`);
    }
    return new Bytes(this.readData(0, this.size), `target of erofs inode ${this.#number}`).latin1(0, this.size);
  }

  read(offset: number, length: number): Uint8Array {
    this.#checkKind('file');
    return this.readData(offset, length);
  }

  /** Linearly, though names are sorted: a hostile order must not hide an entry from one kind of search. */
  *#entries(): Generator<{ block: Bytes; index: number; start: number; end: number }> {
    this.#checkKind('directory');
    if (this.size > limits.directoryBytes) {
      throw new LimitExceeded(`erofs directory ${this.#number}: ${this.size} bytes`);
    }
    const step = this.#volume.directoryBlockSize;
    for (let at = 0; at < this.size; at += step) {
      const data = this.readData(at, Math.min(step, this.size - at));
      const block = new Bytes(data, `erofs directory ${this.#number}, block ${at / step}`);
      // The names begin where the entries end.
      const first = block.u16(8);
      if (first < direntSize || first % direntSize !== 0 || first > block.length) {
        throw new Corrupt(`${block.what}: the first name at byte ${first}`);
      }
      const count = first / direntSize;
      this.#volume.source.budget.step(block.length / limits.stepBytes, block.what);
      let start = first;
      for (let index = 0; index < count; index += 1) {
        let end: number;
        if (index + 1 < count) {
          end = block.u16((index + 1) * direntSize + 8);
        } else {
          const terminator = data.indexOf(0, start);
          end = terminator === -1 ? block.length : terminator;
        }
        if (end <= start || end > block.length || end - start > nameBytes) {
          throw new Corrupt(`${block.what}: the name of entry ${index} from byte ${start} to ${end}`);
        }
        yield { block, index, start, end };
        start = end;
      }
    }
  }

  /** As `read`, of an inode of any kind. */
  readData(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new Corrupt(`erofs inode ${this.#number}: bytes ${offset} to ${offset + length} of ${this.size}`);
    }
    if (length > limits.readBytes) throw new LimitExceeded(`erofs inode ${this.#number}: ${length} bytes at once`);
    const result = new Uint8Array(length);
    if (length === 0) return result;
    switch (this.#layout) {
      case layouts.plain:
      case layouts.inline:
        this.#readFlat(offset, result);
        break;
      case layouts.chunks:
        this.#readChunks(offset, result);
        break;
      default:
        this.#readCompressed(offset, result);
    }
    return result;
  }

  #readFlat(offset: number, result: Uint8Array): void {
    const { blockSize, source } = this.#volume;
    // Of an inline file the last block, whole or not, stands behind the inode.
    const tail = this.#layout === layouts.inline ? (Math.ceil(this.size / blockSize) - 1) * blockSize : this.size;
    const inBlocks = Math.max(0, Math.min(result.length, tail - offset));
    if (inBlocks > 0) {
      const what = `erofs inode ${this.#number}, byte ${offset}`;
      result.set(source.read(this.#place * blockSize + offset, inBlocks, what).data);
    }
    if (inBlocks === result.length) return;
    if ((this.#end % blockSize) + this.size - tail > blockSize) {
      throw new Corrupt(`erofs inode ${this.#number}: its inline data cross a block's end`);
    }
    const place = this.#end + offset + inBlocks - tail;
    const what = `erofs inode ${this.#number}, inline data`;
    result.set(source.read(place, result.length - inBlocks, what).data, inBlocks);
  }

  #readChunks(offset: number, result: Uint8Array): void {
    const { blockSize, source } = this.#volume;
    const format = this.#place & 0xffff;
    if ((format & ~(chunkFormat.bits | chunkFormat.indexes)) !== 0) {
      throw new Unsupported(`erofs inode ${this.#number} with chunks of format 0x${format.toString(16)}`);
    }
    const chunkSize = blockSize * 2 ** (format & chunkFormat.bits);
    const hasIndexes = (format & chunkFormat.indexes) !== 0;
    const unit = hasIndexes ? 8 : 4;
    const table = Math.ceil(this.#end / unit) * unit;
    this.#indexes ??= new IndexReader(source, `erofs inode ${this.#number}, chunk indexes`);
    for (let done = 0; done < result.length; ) {
      const chunk = Math.floor((offset + done) / chunkSize);
      const within = (offset + done) % chunkSize;
      const count = Math.min(result.length - done, chunkSize - within);
      const index = this.#indexes.at(table + chunk * unit, unit);
      const block = index.u32(unit - 4);
      if (block !== noBlock) {
        const device = hasIndexes ? index.u16(2) : 0;
        if (device !== 0) throw new Unsupported(`erofs inode ${this.#number} with data on device ${device}`);
        const what = `erofs inode ${this.#number}, chunk ${chunk}`;
        result.set(source.read(block * blockSize + within, count, what).data, done);
      } else {
        // Zeros cost as much as what is read, or a hole of some petabytes would be read for hours.
        source.budget.spend(count, `erofs inode ${this.#number}, chunk ${chunk}`);
      }
      done += count;
    }
  }

  #readCompressed(offset: number, result: Uint8Array): void {
    this.#map ??= new ClusterMap(this.#volume, {
      number: this.#number,
      size: this.size,
      end: this.#end,
      isCompact: this.#layout === layouts.compressedCompact,
    });
    const map = this.#map;
    for (let done = 0; done < result.length; ) {
      const at = offset + done;
      const last = this.#decoded?.extent;
      const extent = last !== undefined && at >= last.start && at < last.end ? last : map.extentAt(at);
      const count = Math.min(result.length - done, extent.end - at);
      if (extent.form === 'fragment') {
        if (this.#volume.isPacked(this.#number)) {
          throw new Corrupt(`erofs inode ${this.#number}: a fragment of the inode that packs the fragments`);
        }
        result.set(this.#volume.packed().readData(extent.offset + at - extent.start, count), done);
      } else {
        // The last one is kept: a file read in pieces is decompressed once.
        if (this.#decoded?.extent !== extent) {
          // Not both at once: each may have 12 MB.
          this.#decoded = undefined;
          this.#decoded = { extent, data: this.#decode(extent) };
        }
        const from = at - extent.start;
        result.set(this.#decoded.data.subarray(from, from + count), done);
      }
      done += count;
    }
  }

  #decode(extent: Extent): Uint8Array {
    const { blockSize, hasZeroPadding, source } = this.#volume;
    const { start, offset, length } = extent;
    const size = extent.end - start;
    const what = `erofs inode ${this.#number}, cluster at byte ${start}`;
    const encoded = source.read(offset, length, what).data;
    if (extent.form === 'shifted') return encoded.subarray(0, size);
    if (extent.form === 'interlaced') {
      // Every byte keeps its place within a block: the first ones stand at the end.
      const data = new Uint8Array(size);
      const toBlockEnd = blockSize - (start % blockSize);
      const head = length - toBlockEnd;
      if (head < 0) throw new Corrupt(`${what}: ${length} bytes are too few`);
      data.set(encoded.subarray(head, head + Math.min(size, toBlockEnd)));
      if (size > toBlockEnd) data.set(encoded.subarray(0, size - toBlockEnd), toBlockEnd);
      return data;
    }
    let from = 0;
    if (hasZeroPadding) {
      // The data end with the cluster; the zeros before them are fewer than a block.
      const padding = Math.min(length, blockSize);
      while (from < padding && encoded[from] === 0) from += 1;
      if (from === padding) throw new Corrupt(`${what}: nothing but zeros`);
    }
    // What comes out costs as well: a block of 4 KiB may hold a megabyte, and many names may stand for it.
    source.budget.spend(size, what);
    const data = new Uint8Array(size);
    const block = {
      input: encoded.subarray(from),
      output: data,
      start: 0,
      end: size,
      // Without padding only the decompressed size tells where the data end.
      isPartial: extent.isPartial || !hasZeroPadding,
      what,
    };
    const decoded = decompressBlock(block, source.budget.lz4Block);
    if (decoded !== size) throw new Corrupt(`${what}: ${decoded} bytes, not ${size}`);
    return data;
  }
}

/** Small reads of a table, the last window of it kept. Throws as Source.read does. */
class IndexReader {
  readonly #source: Source;
  readonly #what: string;
  #start = 0;
  #window: Bytes | undefined;

  constructor(source: Source, what: string) {
    this.#source = source;
    this.#what = what;
  }

  /** `length` bytes at `offset`, both in bytes, which cross no border of a window. */
  at(offset: number, length: number): Bytes {
    const start = Math.floor(offset / indexWindow) * indexWindow;
    if (this.#window === undefined || this.#start !== start) {
      // Behind the end of the image: one read that says so.
      const available = Math.max(offset - start + length, Math.min(indexWindow, this.#source.length - start));
      this.#window = this.#source.read(start, available, this.#what);
      this.#start = start;
    }
    return this.#window.slice(offset - start, length);
  }
}

interface CompressedInode {
  readonly number: number;
  readonly size: number;
  readonly end: number;
  readonly isCompact: boolean;
}

/** How a compressed file is cut into extents: a header behind the inode, then an index for each logical cluster. */
class ClusterMap {
  readonly #volume: Volume;
  readonly #inode: CompressedInode;
  readonly #what: string;
  readonly #indexes: IndexReader;
  readonly #advise: number;
  readonly #algorithms: readonly [number, number];
  /** Where the indexes begin, in bytes. */
  readonly #table: number;
  /** In bytes: one block, as mkfs.erofs 1.5 writes them; others are refused. */
  readonly #clusterSize: number;
  /** Where in the packed inode the end of the file stands, without the high half that an index may hold. */
  readonly #fragment: number;
  readonly #isWholeFragment: boolean;
  /** The last head, when its data stand elsewhere, and where. */
  readonly #tail: { readonly head: number; readonly offset: number; readonly length: number } | undefined;

  constructor(volume: Volume, inode: CompressedInode) {
    const what = `erofs inode ${inode.number}, cluster indexes`;
    this.#volume = volume;
    this.#inode = inode;
    this.#what = what;
    this.#indexes = new IndexReader(volume.source, what);
    this.#clusterSize = volume.blockSize;
    const place = Math.ceil(inode.end / 8) * 8;
    const header = this.#indexes.at(place, 8);
    // Full indexes have an unused one before the first.
    this.#table = place + (inode.isCompact ? 8 : 16);
    this.#fragment = header.u32(0);
    this.#advise = header.u16(4);
    this.#algorithms = [header.u8(6) & 15, header.u8(6) >>> 4];
    this.#isWholeFragment = (header.u8(7) & 0x80) !== 0;
    if (this.#isWholeFragment) {
      // All other bits of the header are the place then.
      this.#fragment += (header.u32(4) & 0x7fffffff) * 4294967296;
      return;
    }

    if (!inode.isCompact && this.#has(advise.twoBytesOrExtents)) throw new Unsupported('erofs extent records');
    if ((header.u8(7) & 15) !== 0) {
      throw new Unsupported(`erofs logical clusters of ${volume.blockSize * 2 ** (header.u8(7) & 15)} bytes`);
    }
    if (inode.isCompact && volume.blockBits > (this.#has(advise.twoBytesOrExtents) ? 12 : 14)) {
      throw new Unsupported(`erofs compact indexes with blocks of ${volume.blockSize} bytes`);
    }
    if (this.#has(advise.big1 | advise.big2) && !volume.hasBigClusters) {
      throw new Corrupt(`${what}: big clusters, which the superblock does not know`);
    }
    if (inode.isCompact && this.#has(advise.big1) !== this.#has(advise.big2)) {
      throw new Corrupt(`${what}: big clusters of one algorithm only`);
    }
    const hasInlineTail = this.#has(advise.inlineTail);
    if (!hasInlineTail && !this.#has(advise.fragment)) return;
    const last = this.#cluster(Math.floor((inode.size - 1) / this.#clusterSize));
    const { head, cluster } = this.#headBefore(inode.size - 1);
    if (hasInlineTail) {
      const length = header.u16(2);
      if (length === 0 || (last.next % volume.blockSize) + length > volume.blockSize) {
        throw new Corrupt(`${what}: an inline cluster of ${length} bytes at byte ${last.next}`);
      }
      this.#tail = { head, offset: last.next, length };
    } else {
      const high = inode.isCompact ? 0 : cluster.block;
      this.#tail = { head, offset: this.#fragment + high * 4294967296, length: 0 };
    }
  }

  #has(flag: number): boolean {
    return (this.#advise & flag) !== 0;
  }

  /** The extent that holds a byte of the file, which must be below its size. */
  extentAt(position: number): Extent {
    const { size } = this.#inode;
    if (this.#isWholeFragment) {
      return { start: 0, end: size, form: 'fragment', offset: this.#fragment, length: 0, isPartial: false };
    }
    const { head, cluster, from } = this.#headBefore(position);
    const start = head * this.#clusterSize + cluster.offset;
    if (head === this.#tail?.head) {
      const { offset, length } = this.#tail;
      const form = this.#has(advise.inlineTail) ? this.#form(cluster) : 'fragment';
      return this.#checked({ start, end: size, form, offset, length, isPartial: cluster.isPartial });
    }
    return this.#checked({
      start,
      end: this.#extentEnd(start, from),
      form: this.#form(cluster),
      offset: cluster.block * this.#volume.blockSize,
      length: this.#blocks(head, cluster) * this.#volume.blockSize,
      isPartial: cluster.isPartial,
    });
  }

  #checked(extent: Extent): Extent {
    const { start, end, form, length } = extent;
    if (form === 'fragment') return extent;
    const isStored = form !== 'lz4';
    if (length > encodedBytes || end - start > (isStored ? length : decodedBytes)) {
      throw new Corrupt(
        `${this.#what}: bytes ${start} to ${end} from ${length} ${isStored ? 'stored' : 'encoded'} ones`,
      );
    }
    return extent;
  }

  #form({ type }: Cluster): Extent['form'] {
    if (type === clusterTypes.plain) return this.#has(advise.interlaced) ? 'interlaced' : 'shifted';
    const algorithm = this.#algorithms[type === clusterTypes.head1 ? 0 : 1];
    if (algorithm === 0) return 'lz4';
    throw new Unsupported(`erofs ${algorithms[algorithm] ?? `compression algorithm ${algorithm}`}`);
  }

  /** The head whose data hold a byte, and from which logical cluster on to look for the next one. */
  #headBefore(position: number): { head: number; cluster: Cluster; from: number } {
    let head = Math.floor(position / this.#clusterSize);
    let cluster = this.#cluster(head);
    if (cluster.type !== clusterTypes.nonHead && position % this.#clusterSize >= cluster.offset) {
      return { head, cluster, from: head + 1 };
    }
    const from = cluster.type === clusterTypes.nonHead ? head + 1 : head;
    let back = cluster.type === clusterTypes.nonHead ? cluster.back : 1;
    for (;;) {
      if (back < 1 || back > head) throw new Corrupt(`${this.#what}: cluster ${head} points back by ${back}`);
      head -= back;
      cluster = this.#cluster(head);
      if (cluster.type !== clusterTypes.nonHead) return { head, cluster, from };
      back = cluster.back;
    }
  }

  /** Where the next head's data begin, looked for from logical cluster `from` on, or the file's end. */
  #extentEnd(start: number, from: number): number {
    const { size } = this.#inode;
    for (let number = from; number * this.#clusterSize < size; number += 1) {
      if ((number - 1) * this.#clusterSize - start > decodedBytes) {
        throw new Corrupt(`${this.#what}: the cluster at byte ${start} has no end within ${decodedBytes} bytes`);
      }
      const cluster = this.#cluster(number);
      if (cluster.type !== clusterTypes.nonHead) return Math.min(size, number * this.#clusterSize + cluster.offset);
    }
    return size;
  }

  /** How many blocks a physical cluster has: one, or what the index behind its head says. */
  #blocks(head: number, { type }: Cluster): number {
    const isBig = this.#has(type === clusterTypes.head1 ? advise.big1 : advise.big2);
    if (!isBig || (head + 1) * this.#clusterSize >= this.#inode.size) return 1;
    const next = this.#cluster(head + 1);
    if (next.type !== clusterTypes.nonHead) return 1;
    // What is stored as it is has one block, if nothing else is said.
    const blocks = next.blocks ?? (type === clusterTypes.plain ? 1 : 0);
    if (blocks === 0) throw new Corrupt(`${this.#what}: cluster ${head + 1} has no number of blocks`);
    return blocks;
  }

  #cluster(number: number): Cluster {
    this.#volume.source.budget.step(limits.clusterSteps, this.#what);
    const cluster = this.#inode.isCompact ? this.#compactCluster(number) : this.#fullCluster(number);
    if (cluster.type !== clusterTypes.nonHead && cluster.offset >= this.#clusterSize) {
      throw new Corrupt(`${this.#what}: cluster ${number} begins at its byte ${cluster.offset}`);
    }
    if (cluster.blocks !== undefined && !this.#has(advise.big1 | advise.big2)) {
      throw new Corrupt(`${this.#what}: cluster ${number} counts blocks, but no cluster is big`);
    }
    return cluster;
  }

  /** Eight bytes: type and flags, where the data begin, and the block or two distances. */
  #fullCluster(number: number): Cluster {
    const offset = this.#table + number * 8;
    const index = this.#indexes.at(offset, 8);
    const flags = index.u16(0);
    const type = flags & 3;
    const next = offset + 8;
    if (type !== clusterTypes.nonHead) {
      const isPartial = (flags & isPartialReference) !== 0;
      return { type, offset: index.u16(2), block: index.u32(4), isPartial, back: 0, blocks: undefined, next };
    }
    return { type, offset: 0, block: 0, isPartial: false, ...distance(index.u16(4)), next };
  }

  /**
   * Groups of 16 indexes in 32 bytes, where that is allowed and as far as such groups are aligned, else of 2 in 8.
   * A group ends with the number of the block before its first head's.
   */
  #compactCluster(number: number): Cluster {
    const total = Math.ceil(this.#inode.size / this.#clusterSize);
    const leading = ((32 - (this.#table % 32)) / 4) % 8;
    const isPacked = this.#has(advise.twoBytesOrExtents) && leading < total;
    const packed = isPacked ? Math.floor((total - leading) / 16) * 16 : 0;
    let place = this.#table + number * 4;
    let isSmall = false;
    if (number >= leading) {
      isSmall = number - leading < packed;
      const small = isSmall ? number - leading : packed;
      place -= small * 2;
    }
    const size = isSmall ? 32 : 8;
    const groupOffset = Math.floor(place / size) * size;
    const group = new CompactGroup(this.#indexes.at(groupOffset, size), isSmall, this.#volume.blockBits);
    const next = groupOffset + size;
    const position = (place - groupOffset) / (isSmall ? 2 : 4);
    const type = group.type(position);
    if (type === clusterTypes.nonHead) {
      return { type, offset: 0, block: 0, isPartial: false, ...group.distance(position), next };
    }
    const block = group.block(position, this.#has(advise.big1));
    return { type, offset: group.value(position), block, isPartial: false, back: 0, blocks: undefined, next };
  }
}

/** What a non-head's number means: how far back the head is, or, right behind the head, how many blocks it has. */
function distance(value: number): { back: number; blocks: number | undefined } {
  if ((value & isBlockCount) === 0) return { back: value, blocks: undefined };
  return { back: 1, blocks: value & ~isBlockCount };
}

class CompactGroup {
  readonly #bytes: Bytes;
  readonly #count: number;
  readonly #bits: number;
  readonly #valueBits: number;

  constructor(bytes: Bytes, isSmall: boolean, clusterBits: number) {
    this.#bytes = bytes;
    this.#count = isSmall ? 16 : 2;
    this.#bits = isSmall ? 14 : 16;
    // Room for a count of blocks, whose mark is bit 11.
    this.#valueBits = Math.max(clusterBits, 12);
  }

  #index(position: number): number {
    const bit = position * this.#bits;
    return this.#bytes.u32(bit >>> 3) >>> (bit & 7);
  }

  type(position: number): number {
    return (this.#index(position) >>> this.#valueBits) & 3;
  }

  value(position: number): number {
    return this.#index(position) & ((1 << this.#valueBits) - 1);
  }

  #isHead(position: number): boolean {
    return this.type(position) !== clusterTypes.nonHead;
  }

  distance(position: number): { back: number; blocks: number | undefined } {
    const own = distance(this.value(position));
    if (own.blocks !== undefined || position + 1 < this.#count) return own;
    // The last of a group has the distance to the next head instead; its neighbour knows that to the one before.
    const before = position - 1;
    return { back: this.#isHead(before) ? 1 : distance(this.value(before)).back + 1, blocks: undefined };
  }

  /** The first block of the head at `position`: those of the heads before it in the group lie between. */
  block(position: number, isBig: boolean): number {
    let block = this.#bytes.u32(this.#bytes.length - 4);
    if (!isBig) block += 1;
    for (let before = 0; before < position; before += 1) {
      if (!this.#isHead(before)) {
        if (isBig) block += distance(this.value(before)).blocks ?? 0;
      } else if (!isBig || this.#isHead(before + 1)) {
        block += 1;
      }
    }
    return block;
  }
}
