import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { isErofs, openErofs } from '../../src/read/erofs.ts';
import { type FileSystem, type Inode, pieces, resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { guestTree, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('erofs');
const host = createNodeHost();
const folder = temporaryFolder();

function open(image: string, offset = 0): Source {
  return new Source(host.open(image), new Budget(host, host.now() + 60_000), offset);
}

/** A row of numbers that is the same in every run. */
function seeded(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function incompressible(length: number, seed = 3): Buffer {
  const next = seeded(seed);
  return Buffer.from(Uint8Array.from({ length }, () => next()));
}

/** Text of words in an order of chance. */
function compressible(length: number, seed = 5): Buffer {
  const next = seeded(seed);
  const words: string[] = [];
  for (let size = 0; size < length; size += 8) words.push(`w${next() % 4000}-${next() % 10} `.padEnd(8, '.'));
  return Buffer.from(words.join('').slice(0, length));
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
  mkdirSync(join(tree, 'many'));
  for (let index = 0; index < 3000; index += 1) {
    writeFileSync(join(tree, 'many', `file-${index}-${'n'.repeat(index % 90)}`), `${index}`);
  }
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
  // Each lookup reads its directory from the start: three thousand in one are more than a check may read.
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

const incompatibleOffset = 1024 + 80;
const zeroPadding = 0x1;
const bigClusters = 0x2;
const chunkedFile = 0x4;
const tailPacking = 0x10;
const fragments = 0x20;

interface Form {
  readonly name: string;
  readonly options: readonly string[];
  /** The incompatible features that the image must have, so that a mkfs that passes over an option is noticed. */
  readonly features: number;
  /** Since which minor version of erofs-utils 1 mkfs.erofs makes it. */
  readonly since?: number;
}

const forms: readonly Form[] = [
  { name: 'plain', options: [], features: 0 },
  { name: 'what image_builder.sh made before 3.31', options: ['-Enoinline_data'], features: 0 },
  { name: 'what image_builder.sh makes', options: ['-zlz4hc', '-Enoinline_data'], features: zeroPadding },
  { name: 'compact inodes', options: ['-Eforce-inode-compact'], features: 0 },
  { name: 'extended inodes', options: ['-Eforce-inode-extended', '-zlz4'], features: zeroPadding },
  { name: 'lz4', options: ['-zlz4'], features: zeroPadding },
  { name: 'lz4hc at its slowest', options: ['-zlz4hc,12'], features: zeroPadding },
  { name: 'full indexes, no padding', options: ['-zlz4', '-Elegacy-compress'], features: 0 },
  // With lz4hc mkfs.erofs pads in spite of the option.
  { name: 'full indexes, padded', options: ['-zlz4hc', '-Elegacy-compress'], features: zeroPadding },
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
    features: zeroPadding | tailPacking,
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
  { name: 'blocks of 512 bytes', options: ['-b512', '-zlz4hc'], features: zeroPadding, since: 6 },
  { name: 'blocks of 1 KiB', options: ['-b1024'], features: 0, since: 6 },
];

/** The minor version of mkfs.erofs 1; its help and its version begin with the name and the number. */
function mkfsVersion(): number {
  const { stdout, stderr } = spawnSync('mkfs.erofs', ['-V'], { encoding: 'utf8' });
  return Number(/mkfs\.erofs(?: \(erofs-utils\))? 1\.([0-9]+)/.exec(`${stdout}${stderr}`)?.[1] ?? 0);
}

const version = mkfsVersion();

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
      assert.ok(compare(filesystem.root, tree(), source.budget) > 3040);
      assert.ok(resolve(filesystem, summaryPath));
      assert.is(resolve(filesystem, '/long-link/kata-agent')?.kind, 'file');
      assert.ok(resolve(filesystem, '/sbin/init'));
      assert.is(resolve(filesystem, '/usr/none'), undefined);
      assert.is(resolve(filesystem, '/text/below-a-file'), undefined);
      const extracted = join(folder, `extracted-${index}`);
      run('fsck.erofs', `--extract=${extracted}`, image);
      // A reader of the format's authors sees the same.
      run('diff', '-r', '--no-dereference', extracted, tree());
    },
    { needs: ['mkfs.erofs', 'fsck.erofs'] },
  );
}
