import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Problem } from '../../src/errors.ts';
import type { File } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { openErofs } from '../../src/read/erofs.ts';
import { type FileSystem, type Inode, pieces, resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isErofs } from '../../src/read/superblocks.ts';
import { erofsVersion, guestTree, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { corpusFolder, suite } from '../suite.ts';
import { everyForm, incompatibleOffset, incompressible, layout, noBlock, seeded, type, u16 } from './erofs-maker.ts';

const test = suite('erofs');
const host = createNodeHost();
const folder = temporaryFolder();

function open(image: string, offset = 0): Source {
  return new Source(host.open(image), new Budget(host, host.now() + 60_000, Number.POSITIVE_INFINITY), offset);
}

/** Text of words in an order of chance. */
function compressible(length: number, seed = 5): Buffer {
  const next = seeded(seed);
  const words: string[] = [];
  for (let size = 0; size < length; size += 8) words.push(`w${next() % 4000}-${next() % 10} `.padEnd(8, '.'));
  return Buffer.from(words.join('').slice(0, length));
}

function manyFiles(tree: string, count: number): void {
  mkdirSync(join(tree, 'many'), { recursive: true });
  for (let index = 0; index < count; index += 1) {
    writeFileSync(join(tree, 'many', `file-${index}-${'n'.repeat(index % 90)}`), `${index}`);
  }
}

/** A tree with what makes an erofs reader fail: sizes around a block, clusters of every kind, names of all sorts. */
function oddTree(): string {
  const tree = writeTree(join(folder, 'tree'), guestTree('4.1.0'));
  for (const size of [0, 1, 2, 63, 511, 512, 513, 4095, 4096, 4097, 8191, 8192, 8193, 12_287, 65_536, 65_537]) {
    writeFileSync(join(tree, `text-${size}`), compressible(size, size));
    writeFileSync(join(tree, `noise-${size}`), incompressible(size, size));
  }
  writeFileSync(join(tree, 'text'), compressible(5_000_001));
  writeFileSync(join(tree, 'noise'), incompressible(1_000_003));
  // Program code, which compresses by about half, as an agent does.
  writeFileSync(join(tree, 'program'), readFileSync(process.execPath).subarray(1_000_000, 4_100_000));
  const turns = Array.from({ length: 60 }, (_, index) =>
    index % 2 === 0 ? incompressible(index * 977, index) : compressible(index * 1499, index),
  );
  writeFileSync(join(tree, 'text-and-noise'), Buffer.concat(turns));
  const sparse = Buffer.alloc(5_000_000);
  sparse.write('in the middle', 2_500_001);
  writeFileSync(join(tree, 'sparse'), sparse);
  writeFileSync(join(tree, 'zeros'), Buffer.alloc(3_000_000));
  // The same content again, moved by a few bytes: what deduplication finds.
  writeFileSync(join(tree, 'text-again'), Buffer.concat([Buffer.from('moved'), compressible(1_000_000)]));
  manyFiles(tree, 300);
  mkdirSync(join(tree, 'empty'));
  // One byte less than the format allows: mkfs.erofs 1.5 cuts the last one off and then finds no such file.
  writeFileSync(join(tree, 'N'.repeat(254)), 'a long name');
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from('b\xfccher\xff\x01', 'latin1')]), 'not UTF-8');
  symlinkSync(`/${'./'.repeat(2000)}usr/bin`, join(tree, 'long-link'));
  symlinkSync('usr/bin', join(tree, 'short-link'));
  return tree;
}

let packed: string | undefined;
function tree(): string {
  packed ??= oddTree();
  return packed;
}

function bytesOfPath(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** Compares everything below an inode with a folder; returns how many files and links that were. */
function compare(inode: Inode, path: string, budget: Budget): number {
  // Each lookup reads its directory from the start: many in one are more than a check may read.
  budget.spent = 0;
  const status = lstatSync(bytesOfPath(path));
  if (status.isSymbolicLink()) {
    assert.is(inode.kind, 'symlink', path);
    assert.is(inode.target(), readlinkSync(bytesOfPath(path), 'latin1'), path);
    return 1;
  }
  if (!status.isDirectory()) {
    assert.is(inode.kind, 'file', path);
    assert.is(inode.size, status.size, path);
    // No multiple of a block: pieces begin and end inside clusters.
    const ours = Buffer.concat([...pieces(inode, 100_001)]);
    assert.is(Buffer.compare(ours, readFileSync(bytesOfPath(path))), 0, path);
    return 1;
  }
  assert.is(inode.kind, 'directory', path);
  const names = readdirSync(bytesOfPath(path), 'latin1').sort();
  assert.equal([...inode.names()].sort(), names, path);
  let count = 0;
  for (const name of names) {
    const child = inode.lookup(name);
    assert.ok(child, `${path}/${name}`);
    count += compare(child as Inode, `${path}/${name}`, budget);
  }
  return count;
}

function openFilesystem(source: Source): FileSystem {
  assert.ok(isErofs(source));
  const filesystem = openErofs(source);
  assert.equal([...filesystem.notes], []);
  return filesystem;
}

const zeroPadding = 0x1;
const bigClusters = 0x2;
const chunkedFile = 0x4;
const tailPacking = 0x10;
const fragments = 0x20;

const version = erofsVersion();
/** With lz4hc mkfs.erofs 1.5 pads in spite of legacy-compress; 1.8 does not. */
const legacyPadding = version < 6 ? zeroPadding : 0;

interface Form {
  readonly name: string;
  readonly options: readonly string[];
  /** The incompatible features that the image must have, so that a mkfs that passes over an option is noticed. */
  readonly features: number;
  /** Since which minor version of erofs-utils 1 mkfs.erofs makes it. */
  readonly since?: number;
}

/** Each layout of data once, and what Kata's image_builder.sh makes; the usual run leaves the other forms to the long one. */
const usual = [
  'plain',
  'what image_builder.sh makes',
  'lz4',
  'full indexes, no padding',
  'clusters of 1 MiB',
  'inlined tails',
  'chunks with indexes',
  'chunks in a block map',
];

const forms: readonly Form[] = [
  { name: 'plain', options: [], features: 0 },
  { name: 'what image_builder.sh made before 3.31', options: ['-Enoinline_data'], features: 0 },
  { name: 'what image_builder.sh makes', options: ['-zlz4hc', '-Enoinline_data'], features: zeroPadding },
  { name: 'compact inodes', options: ['-Eforce-inode-compact'], features: 0 },
  { name: 'extended inodes', options: ['-Eforce-inode-extended', '-zlz4'], features: zeroPadding },
  { name: 'lz4', options: ['-zlz4'], features: zeroPadding },
  { name: 'lz4hc at its slowest', options: ['-zlz4hc,12'], features: zeroPadding },
  { name: 'full indexes, no padding', options: ['-zlz4', '-Elegacy-compress'], features: 0 },
  { name: 'full indexes, lz4hc', options: ['-zlz4hc', '-Elegacy-compress'], features: legacyPadding },
  { name: 'clusters of 64 KiB', options: ['-zlz4hc', '-C65536'], features: zeroPadding | bigClusters },
  { name: 'clusters of 1 MiB', options: ['-zlz4', '-C1048576'], features: zeroPadding | bigClusters },
  {
    name: 'clusters of 64 KiB with full indexes',
    options: ['-zlz4', '-C65536', '-Elegacy-compress'],
    features: bigClusters,
  },
  { name: 'inlined tails', options: ['-zlz4hc', '-Eztailpacking'], features: zeroPadding | tailPacking },
  {
    name: 'inlined tails and clusters of 64 KiB',
    options: ['-zlz4hc', '-C65536', '-Eztailpacking'],
    features: zeroPadding | bigClusters | tailPacking,
  },
  {
    name: 'inlined tails with full indexes',
    options: ['-zlz4hc', '-Eztailpacking,legacy-compress'],
    features: legacyPadding | tailPacking,
  },
  { name: 'short extents', options: ['-zlz4', '--max-extent-bytes=8192'], features: zeroPadding },
  { name: 'chunks of 4 KiB', options: ['--chunksize=4096'], features: chunkedFile },
  { name: 'chunks of 64 KiB', options: ['--chunksize=65536'], features: chunkedFile },
  { name: 'chunks with indexes', options: ['--chunksize=4096', '-Eforce-chunk-indexes'], features: chunkedFile },
  { name: 'chunks in a block map', options: ['--chunksize=4096', '-Eforce-inode-blockmap'], features: chunkedFile },
  { name: 'fragments', options: ['-zlz4hc', '-Efragments'], features: zeroPadding | fragments, since: 6 },
  { name: 'all fragments', options: ['-zlz4hc', '-Eall-fragments'], features: zeroPadding | fragments, since: 6 },
  {
    name: 'fragments of big clusters',
    options: ['-zlz4hc', '-C65536', '-Efragments,ztailpacking'],
    features: zeroPadding | bigClusters | fragments | tailPacking,
    since: 6,
  },
  { name: 'shared clusters', options: ['-zlz4hc', '-Ededupe'], features: zeroPadding | fragments, since: 6 },
  { name: 'blocks of 512 bytes', options: ['-b512', '-zlz4hc'], features: zeroPadding | bigClusters, since: 6 },
  { name: 'blocks of 1 KiB', options: ['-b1024'], features: 0, since: 6 },
];

for (const [index, { name, options, features, since }] of forms.entries()) {
  // What an older mkfs.erofs cannot make is tested by the images made here, further down.
  if (since !== undefined && version < since) continue;
  test(
    `${name}: everything is read as it was packed`,
    () => {
      const image = join(folder, `form-${index}.img`);
      run('mkfs.erofs', '--quiet', ...options, image, tree());
      assert.is(readFileSync(image).readUInt32LE(incompatibleOffset), features, 'the form is not what was asked for');
      const source = open(image);
      const filesystem = openFilesystem(source);
      assert.ok(compare(filesystem.root, tree(), source.budget) > 340);
      assert.ok(resolve(filesystem, summaryPath));
      assert.is(resolve(filesystem, '/long-link/kata-agent')?.kind, 'file');
      assert.ok(resolve(filesystem, '/sbin/init'));
      assert.is(resolve(filesystem, '/usr/none'), undefined);
      assert.is(resolve(filesystem, '/text/below-a-file'), undefined);
      // fsck.erofs 1.8 does not find the superblock's end in blocks of 1 KiB.
      if (options.includes('-b1024')) return;
      const extracted = join(folder, `extracted-${index}`);
      run('fsck.erofs', `--extract=${extracted}`, image);
      // A reader of the format's authors sees the same.
      run('diff', '-r', '--no-dereference', extracted, tree());
    },
    { needs: ['mkfs.erofs', 'fsck.erofs'], isLong: !usual.includes(name) },
  );
}

test(
  'a directory of 3000 entries: all are listed and found',
  () => {
    const large = join(folder, 'large');
    manyFiles(large, 3000);
    const image = join(folder, 'large.img');
    run('mkfs.erofs', '--quiet', image, large);
    const source = open(image);
    assert.is(compare(openFilesystem(source).root, large, source.budget), 3000);
  },
  { needs: ['mkfs.erofs'] },
);

class MemoryFile implements File {
  readonly path = 'made.img';
  readonly size: number;
  readonly #content: Uint8Array;

  constructor(content: Uint8Array) {
    this.#content = content;
    this.size = content.length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#content.slice(offset, offset + length);
  }

  close(): void {}
}

function openMemory(image: Uint8Array): Source {
  return new Source(new MemoryFile(image), new Budget(host, host.now() + 10_000));
}

for (const bits of [9, 10, 11, 12, 13, 14, 15, 16]) {
  test(`blocks of ${1 << bits} bytes: a file of every form is read as it was made`, () => {
    const maker = everyForm(bits);
    const source = openMemory(maker.finish());
    const filesystem = openFilesystem(source);
    const names = Object.keys(maker.tree);
    assert.equal([...filesystem.root.names()].sort(), [...names].sort());
    for (const name of names) {
      const content = maker.tree[name] as Buffer;
      const inode = filesystem.root.lookup(name) as Inode;
      assert.is(inode.size, content.length, name);
      for (const step of [content.length, 1013]) {
        assert.is(Buffer.compare(Buffer.concat([...pieces(inode, step)]), content), 0, `${name} by ${step} bytes`);
      }
      // From the end to the start: every extent is looked for from its last byte.
      for (let at = content.length - 1; at >= 0; at -= 997) assert.is(inode.read(at, 1)[0], content[at], name);
    }
  });
}

/** All of a small file; of a large one the first 4 MiB and the last byte. */
function readThrough(inode: Inode): void {
  for (const piece of pieces(inode, 300_000, 4_000_000)) assert.ok(piece.length > 0);
  if (inode.size > 0) assert.is(inode.read(inode.size - 1, 1).length, 1);
}

interface Fault {
  readonly rule: string;
  /** The file that is then read; '' when opening must fail. */
  readonly file: string;
  /** Changes an image of blocks of 4 KiB. `behind` is where the fields behind the file's inode stand. */
  readonly change: (image: Buffer, places: { inode: number; behind: number; root: number }) => void;
  readonly kind: 'corrupt' | 'unsupported' | 'limit-exceeded';
  readonly message: RegExp;
}

function directoryOffset(image: Buffer, root: number): number {
  return image.readUInt32LE(root + 16) * 4096;
}

const faults: readonly Fault[] = [
  ...(
    [
      [0x80, /feature 48bit$/],
      [0x100, /feature metabox$/],
      [0x40000000, /features 0x40000000$/],
    ] as const
  ).map(
    ([bit, message]): Fault => ({
      rule: `feature 0x${bit.toString(16)}`,
      file: '',
      change: (image) => image.writeUInt32LE((0x3f | bit) >>> 0, incompatibleOffset),
      kind: 'unsupported',
      message,
    }),
  ),
  ...['lzma', 'deflate', 'zstd', 'compression algorithm 9'].map(
    (name, index): Fault => ({
      rule: `a cluster of ${name}`,
      file: 'full',
      change: (image, { behind }) => image.writeUInt8([1, 2, 3, 9][index] as number, behind + 6),
      kind: 'unsupported',
      message: new RegExp(`^erofs ${name}$`),
    }),
  ),
  {
    rule: 'a cluster of the second algorithm, zstd',
    file: 'full',
    change: (image, { behind }) => image.writeUInt8(0x30, behind + 6),
    kind: 'unsupported',
    message: /^erofs zstd$/,
  },
  {
    rule: 'an inode of unknown format',
    file: 'plain',
    change: (image, { inode }) => image.writeUInt16LE(0x10, inode),
    kind: 'unsupported',
    message: /of format 0x10/,
  },
  {
    rule: 'an unknown data layout',
    file: 'plain',
    change: (image, { inode }) => image.writeUInt16LE(5 << 1, inode),
    kind: 'unsupported',
    message: /data layout 5/,
  },
  {
    rule: 'chunks with 48-bit numbers',
    file: 'chunk-map',
    change: (image, { inode }) => image.writeUInt16LE(0x41, inode + 16),
    kind: 'unsupported',
    message: /chunks of format 0x41/,
  },
  {
    rule: 'a chunk on a second device',
    file: 'chunk-index',
    change: (image, { behind }) => image.writeUInt16LE(1, behind + 2),
    kind: 'unsupported',
    message: /on device 1/,
  },
  {
    rule: 'extent records',
    file: 'full',
    change: (image, { behind }) => image.writeUInt16LE(1, behind + 4),
    kind: 'unsupported',
    message: /extent records/,
  },
  {
    rule: 'logical clusters of two blocks',
    file: 'full',
    change: (image, { behind }) => image.writeUInt8(1, behind + 7),
    kind: 'unsupported',
    message: /logical clusters of 8192 bytes/,
  },
  ...[0, 8, 17, 255].map(
    (bits): Fault => ({
      rule: `blocks of 2^${bits} bytes`,
      file: '',
      change: (image) => image.writeUInt8(bits, 1024 + 12),
      kind: 'corrupt',
      message: /log2 of the block size/,
    }),
  ),
  {
    rule: 'directory blocks of 128 KiB',
    file: '',
    change: (image) => image.writeUInt8(5, 1024 + 90),
    kind: 'corrupt',
    message: /log2 of the directory block size is 17/,
  },
  {
    rule: 'a root behind the end',
    file: '',
    change: (image) => image.writeUInt16LE(0xffff, 1024 + 14),
    kind: 'corrupt',
    message: /inode 65535: bytes .* outside the image/,
  },
  ...[0, 11, 13, 4097, 0xffff].map(
    (place): Fault => ({
      rule: `a first name at byte ${place}`,
      file: 'plain',
      change: (image, { root }) => image.writeUInt16LE(place, directoryOffset(image, root) + 8),
      kind: 'corrupt',
      message: /the first name at byte/,
    }),
  ),
  {
    rule: 'names that go backwards',
    file: 'plain',
    change: (image, { root }) => image.writeUInt16LE(2, directoryOffset(image, root) + 2 * 12 + 8),
    kind: 'corrupt',
    message: /the name of entry 1/,
  },
  {
    rule: 'a name behind the end of its block',
    file: 'plain',
    change: (image, { root }) => image.writeUInt16LE(0xfff0, directoryOffset(image, root) + 2 * 12 + 8),
    kind: 'corrupt',
    message: /the name of entry 1/,
  },
  {
    rule: 'an inode number that no place has',
    file: 'chunk-index',
    change: (image, { root }) => image.fill(0xff, directoryOffset(image, root) + 24, directoryOffset(image, root) + 32),
    kind: 'corrupt',
    message: /out of all range/,
  },
  {
    rule: 'a directory of 4 GiB',
    file: 'plain',
    change: (image, { root }) => image.writeUInt32LE(0xffffffff, root + 8),
    kind: 'limit-exceeded',
    message: /directory 1: 4294967295 bytes/,
  },
  {
    rule: 'a file longer than the image',
    file: 'plain',
    change: (image, { inode }) => image.writeUInt32LE(0xffffffff, inode + 8),
    kind: 'corrupt',
    message: /outside the image/,
  },
  {
    rule: 'inline data over a border of blocks',
    file: 'inline',
    change: (image, { inode }) => image.writeUInt32LE(3 * 4096 - 1, inode + 8),
    kind: 'corrupt',
    message: /cross a block/,
  },
  {
    rule: 'a compressed file with more indexes than the image has bytes',
    file: 'full-tail',
    change: (image, { inode }) => image.writeUInt32LE(0xffffffff, inode + 8),
    kind: 'corrupt',
    message: /cluster indexes/,
  },
  {
    rule: 'a first cluster that is no head',
    file: 'full',
    change: (image, { behind }) => image.writeUInt16LE(type.nonHead, behind + 16),
    kind: 'corrupt',
    message: /cluster 0 points back/,
  },
  {
    rule: 'a cluster that points to itself',
    file: 'full-end',
    change: (image, { behind }) => image.writeUInt16LE(0, behind + 16 + 3 * 8 + 4),
    kind: 'corrupt',
    message: /cluster 3 points back by 0/,
  },
  {
    rule: 'a cluster that begins behind its end',
    file: 'full',
    change: (image, { behind }) => image.writeUInt16LE(4096, behind + 16 + 2),
    kind: 'corrupt',
    message: /cluster 0 begins at its byte 4096/,
  },
  {
    rule: 'a cluster that does not end within 12 MiB',
    file: 'full',
    change: (image, { inode, behind }) => {
      image.writeUInt32LE(0x7fffffff, inode + 8);
      image.fill(u16(type.nonHead, 0, 1, 1), behind + 24, behind + 24 + 3200 * 8);
    },
    kind: 'corrupt',
    message: /has no end within 12582912 bytes/,
  },
  {
    rule: 'a big cluster of no blocks',
    file: 'full-big',
    change: (image, { behind }) => image.writeUInt16LE(0x800, behind + 24 + 4),
    kind: 'corrupt',
    message: /cluster 1 has no number of blocks/,
  },
  {
    rule: 'a big cluster without a number of blocks',
    file: 'full-big',
    change: (image, { behind }) => image.writeUInt16LE(1, behind + 24 + 4),
    kind: 'corrupt',
    message: /cluster 1 has no number of blocks/,
  },
  {
    rule: 'a cluster of more than 1 MiB',
    file: 'full-big',
    change: (image, { behind }) => image.writeUInt16LE(0x800 | 257, behind + 24 + 4),
    kind: 'corrupt',
    message: /from 1052672 encoded ones/,
  },
  {
    rule: 'a number of blocks where none is big',
    file: 'full',
    change: (image, { behind }) => image.writeUInt16LE(0x801, behind + 24 + 4),
    kind: 'corrupt',
    message: /cluster 1 counts blocks/,
  },
  {
    rule: 'big clusters without the feature',
    file: 'full-big',
    change: (image) => image.writeUInt32LE(0x3d, incompatibleOffset),
    kind: 'corrupt',
    message: /big clusters, which the superblock does not know/,
  },
  {
    rule: 'compact indexes with big clusters of one algorithm',
    file: 'compact-big',
    change: (image, { behind }) => image.writeUInt16LE(0x2, behind + 4),
    kind: 'corrupt',
    message: /of one algorithm only/,
  },
  ...[0, 4096].map(
    (length): Fault => ({
      rule: `an inline cluster of ${length} bytes`,
      file: 'full-tail',
      change: (image, { behind }) => image.writeUInt16LE(length, behind + 2),
      kind: 'corrupt',
      message: /an inline cluster of/,
    }),
  ),
  {
    rule: 'stored data longer than their cluster',
    file: 'shifted',
    change: (image, { behind }) => image.fill(u16(type.nonHead, 0, 1, 1), behind + 16 + 4 * 8, behind + 16 + 5 * 8),
    kind: 'corrupt',
    message: /from 4096 stored ones/,
  },
  {
    rule: 'a fragment without a packed inode',
    file: 'whole',
    change: (image) => image.writeUInt32LE(0, 1024 + 96),
    kind: 'corrupt',
    message: /no inode that packs them/,
  },
  {
    rule: 'a packed inode that is a fragment of itself',
    file: 'whole',
    change: (image, { inode }) => image.writeUInt32LE((inode - 4096) / 32, 1024 + 96),
    kind: 'corrupt',
    message: /a fragment of the inode that packs the fragments/,
  },
  {
    rule: 'a packed inode whose end is a fragment',
    file: 'whole',
    change: (image, { inode }) => {
      image.writeUInt32LE((inode - 4096) / 32, 1024 + 96);
      image.writeUInt32LE(0x80000000, inode + 32 + 4);
    },
    kind: 'corrupt',
    message: /a fragment of the inode that packs the fragments/,
  },
  {
    rule: 'a fragment behind the packed inode',
    file: 'whole',
    change: (image, { behind }) => image.writeUInt32LE(0x7fffffff, behind),
    kind: 'corrupt',
    message: /bytes 2147483647 to/,
  },
  {
    rule: 'a cluster of zeros',
    file: 'full',
    change: (image, { behind }) => {
      const block = image.readUInt32LE(behind + 20) * 4096;
      image.fill(0, block, block + 4096);
    },
    kind: 'corrupt',
    message: /cluster at byte 0: nothing but zeros/,
  },
  {
    rule: 'a cluster cut short',
    file: 'full',
    change: (image, { behind }) => {
      const block = image.readUInt32LE(behind + 20) * 4096;
      image.fill(0x20, block, block + 4093);
    },
    kind: 'corrupt',
    message: /cluster at byte 0: .*lz4/,
  },
  {
    rule: 'a cluster behind the end of the image',
    file: 'full',
    change: (image, { behind }) => image.writeUInt32LE(0xfffffff0, behind + 20),
    kind: 'corrupt',
    message: /cluster at byte 0: .*outside the image/,
  },
];

for (const { rule, file, change, kind, message } of faults) {
  test(`${rule}: ${kind}`, () => {
    const maker = everyForm(12);
    const image = maker.finish();
    const places = maker.places[file] ?? { inode: 0, behind: 0 };
    change(image, { ...places, root: maker.places['']?.inode ?? 0 });
    let seen: unknown;
    try {
      const inode = openErofs(openMemory(image)).root.lookup(file);
      if (inode !== undefined) readThrough(inode);
    } catch (error) {
      seen = error;
    }
    assert.instance(seen, Problem);
    assert.is((seen as Problem).kind, kind, (seen as Problem).message);
    assert.match((seen as Problem).message, message);
  });
}

test('a directory that holds itself: a path through it ends', () => {
  const maker = everyForm(12);
  const image = maker.finish();
  const root = maker.places['']?.inode ?? 0;
  const filesystem = openErofs(openMemory(image));
  const names = [...filesystem.root.names()];
  // Entries stand in the order of names, "." and ".." among them.
  const index = [...names, '.', '..'].sort().indexOf('plain');
  image.writeUInt32LE(1, directoryOffset(image, root) + index * 12);
  const looped = openErofs(openMemory(image));
  assert.is(resolve(looped, `${'/plain'.repeat(200)}/full`)?.size, maker.tree.full?.length);
  assert.equal([...(resolve(looped, '/plain/plain')?.names() ?? [])], names);
});

/** Reads what it reaches of an image; only a Problem may come of it. Returns how many inodes were read and how many failed. */
function readHostile(source: Source): { read: number; failed: number } {
  let read = 0;
  let failed = 0;
  const attempt = (action: () => void) => {
    try {
      action();
      read += 1;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      failed += 1;
    }
  };
  attempt(() => {
    const waiting: Inode[] = [openErofs(source).root];
    for (let visited = 0; visited < 100; visited += 1) {
      const inode = waiting.pop();
      if (inode === undefined) break;
      attempt(() => {
        if (inode.kind === 'symlink') inode.target();
        if (inode.kind === 'file') readThrough(inode);
        if (inode.kind !== 'directory') return;
        let names = 0;
        for (const name of inode.names()) {
          names += 1;
          if (names > 100) break;
          attempt(() => {
            const child = inode.lookup(name);
            if (child !== undefined) waiting.push(child);
          });
        }
      });
    }
  });
  return { read, failed };
}

const targets = ['the superblock', 'inodes and indexes', 'directories', 'clusters'] as const;

for (const [index, target] of targets.entries()) {
  for (const bits of [9, 12]) {
    test(
      `200 images with blocks of ${1 << bits} bytes, changed in ${target}: read or refused`,
      () => {
        const maker = everyForm(bits);
        const original = maker.finish();
        const root = maker.places['']?.inode ?? 0;
        const metadata = Math.ceil(1152 / maker.blockSize) * maker.blockSize;
        const lastInode = Math.max(...Object.values(maker.places).map(({ behind }) => behind));
        const directory = original.readUInt32LE(root + 16) * maker.blockSize;
        const [from, to] = (
          [
            [1024, 1152],
            [metadata, lastInode + 200],
            [directory, original.length],
            [metadata + 32_768, directory],
          ] as const
        )[index] as readonly [number, number];
        const next = seeded(20_250_101 + index * 64 + bits);
        let failed = 0;
        for (let round = 0; round < 200; round += 1) {
          const image = Buffer.from(original);
          for (let change = 0; change <= round % 8; change += 1) {
            const at = from + (next() % (to - from));
            // Values at a border are likelier to hurt than any.
            const value = [0, 1, 0x7f, 0x80, 0xff, next(), (image[at] as number) ^ (1 << (next() % 8)), next()];
            image[at] = value[next() % value.length] as number;
          }
          const started = Date.now();
          try {
            if (readHostile(openMemory(image)).failed > 0) failed += 1;
          } catch (error) {
            throw new Error(`round ${round}`, { cause: error });
          }
          assert.ok(Date.now() - started < 12_000, `round ${round} took ${Date.now() - started} ms`);
        }
        assert.ok(failed > 10, `${failed} of 200 were found out`);
      },
      { timeout: 300, isLong: true },
    );
  }
}

// Guest images and hostile files that are not part of kata-check.
for (const [name, offset, agent] of [
  ['erofs-lz4hc-dax', 3145728, '3.31.0'],
  ['erofs-no-yaml', 1048576, undefined],
  ['erofs-gpu-extension', 1048576, undefined],
] as const) {
  const packed = join(corpusFolder('images'), `${name}.img.zst`);
  test(
    `corpus: ${name}`,
    () => {
      const image = join(folder, `${name}.img`);
      run('zstd', '-q', '-d', '-o', image, packed);
      const source = open(image, offset);
      assert.ok(isErofs(source));
      const filesystem = openErofs(source);
      const summary = resolve(filesystem, summaryPath);
      const text = summary === undefined ? undefined : Buffer.from(summary.read(0, summary.size)).toString();
      assert.is(/kata-agent"\n +version: "([^"]*)"/.exec(text ?? '')?.[1], agent);
      assert.is(readHostile(source).failed, 0);
    },
    { needs: ['zstd', packed] },
  );
}

for (const name of ['issue11.erofs', 'issue15.erofs']) {
  const crasher = join(corpusFolder('erofs-crashers'), name);
  test(
    `corpus: ${name}`,
    () => {
      assert.ok(readHostile(openMemory(readFileSync(crasher))).failed > 0);
    },
    { needs: [crasher] },
  );
}

test(
  'found by fuzzing: a hole of a petabyte, in one chunk, is not read for hours',
  () => {
    const tree = writeTree(join(folder, 'hole'), { file: incompressible(8192) });
    const image = join(folder, 'hole.img');
    run('mkfs.erofs', '--quiet', '--chunksize=4096', '-Eforce-inode-extended', image, tree);
    const bytes = readFileSync(image);
    const extendedInChunks = (layout.chunks << 1) | 1;
    let inode = 0;
    for (let at = 0; at < bytes.length; at += 32) {
      const isIt = bytes.readUInt16LE(at) === extendedInChunks && bytes.readUInt32LE(at + 8) === 8192;
      if (isIt) inode = at;
    }
    assert.ok(inode > 0);
    bytes.writeBigUInt64LE(1n << 50n, inode + 8);
    // Chunks of 2^31 blocks, their places in a block map; the first one is a hole.
    bytes.writeUInt32LE(31, inode + 16);
    bytes.writeUInt32LE(noBlock, inode + 64);
    writeFileSync(image, bytes);
    const file = resolve(openFilesystem(open(image)), '/file') as Inode;
    assert.is(file.size, 2 ** 50);
    assert.throws(() => {
      for (const _ of pieces(file, 1 << 20));
    }, /more than \d+ bytes read/);
  },
  { needs: ['mkfs.erofs'] },
);
