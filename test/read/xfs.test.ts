import {
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt, LimitExceeded, Problem, Unsupported } from '../../src/errors.ts';
import type { File } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type FileSystem, type Inode, pieces, readFile, resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isXfs } from '../../src/read/superblocks.ts';
import { openXfs } from '../../src/read/xfs.ts';
import { guestTree, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { corpusFolder, suite } from '../suite.ts';

const test = suite('xfs');
const host = createNodeHost();
const folder = temporaryFolder();
const needs = ['mkfs.xfs', 'xfs_db', 'env'];
/**
 * These mount. Where another test makes a mount namespace meanwhile, the filesystem stays mounted there after it is unmounted here, and
 * xfs_db finds it in use. So only the long run has them, in which nothing does that.
 */
const asRoot = ['root', 'mkfs.xfs', 'env', 'mount', 'umount', 'xfs_db', 'fallocate', 'cp'];

function open(image: string): Source {
  return new Source(host.open(image), new Budget(host, host.now() + 60_000, Number.POSITIVE_INFINITY));
}

/** What stands at each path: a file's bytes, `-> target` of a link, the sorted names of a directory. */
type Snapshot = Map<string, Buffer | string | readonly string[]>;

function snapshotOfFolder(top: string): Snapshot {
  const found: Snapshot = new Map();
  const pending = [''];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const place = join(top, path);
    const status = lstatSync(place);
    if (status.isSymbolicLink()) found.set(path, `-> ${readlinkSync(place, 'latin1')}`);
    else if (status.isFile()) found.set(path, readFileSync(place));
    else if (status.isDirectory()) {
      const names = readdirSync(place).sort();
      found.set(path, names);
      for (const name of names) pending.push(`${path}/${name}`);
    } else found.set(path, 'other');
  }
  return found;
}

/** Of directories with so many entries, not every file is looked up: each lookup reads the directory again. */
const sampledFrom = 1000;

/** The same as our reader sees it. `limit`: how many paths, for damaged images, whose directories may form a ring. */
function snapshotOfImage(filesystem: FileSystem, limit = Number.POSITIVE_INFINITY, sampled = sampledFrom): Snapshot {
  const found: Snapshot = new Map();
  const pending: [path: string, inode: Inode][] = [['', filesystem.root]];
  for (let next = pending.pop(); next !== undefined && found.size < limit; next = pending.pop()) {
    const [path, inode] = next;
    if (inode.kind === 'symlink') found.set(path, `-> ${inode.target()}`);
    else if (inode.kind === 'file') found.set(path, Buffer.concat([...pieces(inode, 1_000_001)]));
    else if (inode.kind === 'directory') {
      const names = [...inode.names()].sort();
      found.set(path, names);
      const some = names.length < sampled ? names : names.filter((_, index) => index % 97 === 0);
      for (const name of some) {
        const child = inode.lookup(name);
        if (child === undefined) throw new Error(`${path}/${name} is listed but not found`);
        pending.push([`${path}/${name}`, child]);
      }
    } else found.set(path, 'other');
  }
  return found;
}

function assertSame(ours: Snapshot, packed: Snapshot): void {
  for (const [path, content] of ours) {
    const expected = packed.get(path);
    if (Buffer.isBuffer(content)) {
      assert.ok(Buffer.isBuffer(expected), path);
      assert.is(Buffer.compare(content, expected as Buffer), 0, path);
    } else assert.equal(content, expected, path);
  }
  for (const path of packed.keys()) {
    const siblings = packed.get(path.slice(0, path.lastIndexOf('/')));
    if (Array.isArray(siblings) && siblings.length >= sampledFrom) continue;
    assert.ok(ours.has(path), `${path} was not read`);
  }
}

/** Packs a tree without mounting: mkfs.xfs 6.1 takes no folder but a list of what the image shall hold. */
function makeXfs(image: string, tree: string, size: string, ...options: string[]): string {
  const lines = ['/', '0 0', 'd--755 0 0'];
  const list = (place: string): void => {
    for (const name of readdirSync(place).sort()) {
      const path = join(place, name);
      const status = lstatSync(path);
      if (status.isSymbolicLink()) lines.push(`${name} l--777 0 0 ${readlinkSync(path)}`);
      else if (status.isDirectory()) {
        lines.push(`${name} d--755 0 0`);
        list(path);
      } else lines.push(`${name} ---644 0 0 ${path}`);
    }
    lines.push('$');
  };
  list(tree);
  writeFileSync(`${image}.proto`, `${lines.join('\n')}\n`);
  formatXfs(image, size, '-p', `${image}.proto`, ...options);
  return image;
}

function formatXfs(image: string, size: string, ...options: string[]): void {
  rmSync(image, { force: true });
  // Since 6.0, mkfs.xfs makes nothing below 300 MB but for its own tests, which it knows by these.
  const small = ['TEST_DIR=/', 'TEST_DEV=/', 'QA_CHECK_FS=1'];
  run('env', ...small, 'mkfs.xfs', '-q', '-d', `file,name=${image},size=${size}`, ...options);
}

/** Runs `fill` on the mounted filesystem and returns what Linux then sees there. */
function fillMounted(image: string, fill: (top: string) => void, options = 'loop'): Snapshot {
  const top = `${image}.mount`;
  mkdirSync(top, { recursive: true });
  run('mount', '-t', 'xfs', '-o', options, image, top);
  try {
    fill(top);
    run('sync', '-f', top);
    return snapshotOfFolder(top);
  } finally {
    // The loop device was made by mount and goes with it.
    run('umount', top);
  }
}

/** A field of an inode as xfs_db prints it, "3 (btree)". */
function field(image: string, path: string, name: string): string {
  const printed = run('xfs_db', '-r', '-c', `path ${path}`, '-c', `print ${name}`, image);
  return printed.slice(printed.indexOf('=') + 1).trim();
}

function numbered(length: number, seed: number): Buffer {
  const content = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) content.writeUInt32LE((at * 2654435761 + seed) >>> 0, at);
  return content;
}

/** A tree with directories of every form. The same files are made only once. */
function oddTree(twisted: number, hasLongLink: boolean): string {
  const tree = join(folder, `tree-${twisted}-${hasLongLink}`);
  if (existsSync(tree)) return tree;
  writeTree(tree, guestTree('3.31.0'));
  mkdirSync(join(tree, 'empty'));
  mkdirSync(join(tree, 'some'));
  for (let index = 0; index < 50; index += 1) writeFileSync(join(tree, 'some', `file-${index}`), `${index}`);
  mkdirSync(join(tree, 'more'));
  for (let index = 0; index < 700; index += 1)
    writeFileSync(join(tree, 'more', `file-${index}-${'n'.repeat(index % 90)}`), `${index}`);
  // Each file takes a block between two of the directory's: a directory in many extents, so with an extent tree.
  mkdirSync(join(tree, 'twisted'));
  for (let index = 0; index < twisted; index += 1)
    writeFileSync(join(tree, 'twisted', `${'t'.repeat(100)}${index}`), 'x');
  writeFileSync(join(tree, 'large'), numbered(3_000_001, 7));
  writeFileSync(join(tree, 'nothing'), '');
  symlinkSync('usr/bin', join(tree, 'short-link'));
  if (hasLongLink) symlinkSync(`/${'./'.repeat(400)}usr`, join(tree, 'long-link'));
  return tree;
}

const forms: readonly [name: string, size: string, options: readonly string[]][] = [
  ['what image_builder.sh makes', '64m', ['-m', 'reflink=0', '-b', 'size=4096']],
  ['the defaults', '64m', []],
  ['version 4', '64m', ['-m', 'crc=0']],
  ['version 4 without kinds in directories', '64m', ['-m', 'crc=0', '-n', 'ftype=0']],
  ['version 4, blocks of 512 bytes, inodes of 256', '64m', ['-m', 'crc=0', '-b', 'size=512', '-i', 'size=256']],
  [
    'version 4, no 32-bit project ids, attr=1',
    '64m',
    ['-m', 'crc=0', '-i', 'projid32bit=0,attr=1', '-l', 'lazy-count=0'],
  ],
  ['blocks of 1 KiB', '64m', ['-b', 'size=1024']],
  ['blocks of 64 KiB', '512m', ['-b', 'size=65536']],
  ['inodes of 2 KiB', '64m', ['-i', 'size=2048']],
  ['directory blocks of 64 KiB', '64m', ['-n', 'size=65536']],
  [
    'version 4, blocks of 512 bytes, directory blocks of 64 KiB',
    '64m',
    ['-m', 'crc=0', '-b', 'size=512', '-n', 'size=64k'],
  ],
  // mkfs.xfs 6.1 wants more room for the log of these.
  ['64-bit extent counts', '300m', ['-i', 'nrext64=1']],
  ['32-bit times', '64m', ['-m', 'bigtime=0,inobtcount=0']],
  ['no sparse inodes, no free-inode tree', '64m', ['-m', 'finobt=0,inobtcount=0', '-i', 'sparse=0']],
  ['reverse map', '64m', ['-m', 'rmapbt=1']],
  ['sectors of 4 KiB', '64m', ['-s', 'size=4096']],
  ['names without case', '64m', ['-n', 'version=ci']],
  ['many allocation groups', '256m', ['-d', 'agcount=15']],
];

/** Where the extents of oddTree's directory `twisted` are so few, or the inode so large, that they need no tree. */
const hasRoom = /size=(2048|64k|65536)/;

for (const [index, [name, size, options]] of forms.entries()) {
  test(
    `${name}: files are read as they were packed`,
    () => {
      // Of a long link, mkfs.xfs 6.1 writes no header in version 5; Linux does not read it either.
      const hasLongLink = name.startsWith('version 4');
      const tree = oddTree(size === '512m' ? 10 : 1500, hasLongLink);
      const image = makeXfs(join(folder, `form-${index}.img`), tree, size, ...options);
      if (!hasRoom.test(options.join(' '))) assert.is(field(image, '/twisted', 'core.format'), '3 (btree)');
      const source = open(image);
      assert.ok(isXfs(source));
      const filesystem = openXfs(source);
      assert.equal([...filesystem.notes], []);
      assertSame(snapshotOfImage(filesystem), snapshotOfFolder(tree));
      assert.ok(resolve(filesystem, '/short-link/kata-agent'));
      assert.ok(resolve(filesystem, '/sbin/init'));
      assert.is(resolve(filesystem, '/usr/none'), undefined);
      assert.is(resolve(filesystem, '/large/below-a-file'), undefined);
      if (hasLongLink) assert.ok(resolve(filesystem, '/long-link/bin'));
      rmSync(image);
    },
    { needs },
  );
}

/** `blocks` extents of one block each, holes between: an extent tree. */
function writeFragmented(file: string, blocks: number, blockSize: number): void {
  const descriptor = openSync(file, 'w');
  for (let index = 0; index < blocks; index += 1) {
    const content = numbered(blockSize, index);
    writeSync(descriptor, content, 0, content.length, index * 2 * blockSize);
  }
  closeSync(descriptor);
}

function fillOddly(blockSize: number): (top: string) => void {
  return (top) => {
    writeTree(top, guestTree('3.31.0'));
    for (const count of [0, 5, 50, 500, 6000]) {
      const many = join(top, `many-${count}`);
      mkdirSync(many);
      for (let index = 0; index < count; index += 1) writeFileSync(join(many, `${'n'.repeat(index % 60)}${index}`), '');
    }
    // Freed records, and free blocks in the middle of a directory.
    for (let index = 1000; index < 4000; index += 1)
      rmSync(join(top, 'many-6000', `${'n'.repeat(index % 60)}${index}`));
    // Two directories that grow by turns get their blocks by turns.
    mkdirSync(join(top, 'twin-a'));
    mkdirSync(join(top, 'twin-b'));
    for (let index = 0; index < 900; index += 1) {
      for (const twin of ['twin-a', 'twin-b']) symlinkSync('x', join(top, twin, `${'t'.repeat(200)}${index}`));
    }
    writeFragmented(join(top, 'fragments-100'), 100, blockSize);
    writeFragmented(join(top, 'fragments-3000'), Math.min(3000, 12_000_000 / blockSize), blockSize);
    for (const length of [1, 59, 155, 156, 157, 335, 336, 337, 500, 967, 968, 969, 1023]) {
      symlinkSync(`${'/'.repeat(length - 1)}x`, join(top, `link-${length}`));
    }
    // Reserved, never written, with something written in the middle and a hole at the end.
    run('fallocate', '-l', '1000000', join(top, 'reserved'));
    const reserved = openSync(join(top, 'reserved'), 'r+');
    writeSync(reserved, 'in the middle', 500_001);
    closeSync(reserved);
    run('truncate', '-s', '3000000', join(top, 'reserved'));
    run('truncate', '-s', '5000000', join(top, 'hole'));
    run('mkfifo', join(top, 'pipe'));
    writeFileSync(join(top, 'large'), numbered(5_000_003, 3));
  };
}

interface MountedForm {
  readonly name: string;
  readonly blockSize: number;
  readonly options: readonly string[];
  /** [path, field, value] as xfs_db must see them: that the odd forms did come about. */
  readonly shapes: readonly (readonly [path: string, field: string, value: string | RegExp])[];
}

const mountedForms: readonly MountedForm[] = [
  {
    name: 'the defaults',
    blockSize: 4096,
    options: [],
    shapes: [
      ['/many-5', 'core.format', '1 (local)'],
      ['/many-50', 'core.format', '2 (extents)'],
      ['/many-500', 'core.format', '2 (extents)'],
      ['/fragments-100', 'core.format', '3 (btree)'],
      ['/fragments-3000', 'u3.bmbt.level', '2'],
      ['/link-1023', 'core.format', '2 (extents)'],
    ],
  },
  {
    name: 'blocks of 1 KiB, small directory blocks, reverse map, one group',
    blockSize: 1024,
    options: ['-b', 'size=1024', '-n', 'size=4096', '-m', 'rmapbt=1', '-d', 'agcount=1'],
    shapes: [
      ['/fragments-3000', 'u3.bmbt.level', '2'],
      ['/twin-a', 'core.format', '3 (btree)'],
      ['/link-1023', 'core.nblocks', '2'],
    ],
  },
  {
    name: '64-bit extent counts, inodes of 2 KiB, directory blocks of 64 KiB',
    blockSize: 4096,
    options: ['-i', 'nrext64=1,size=2048', '-n', 'size=65536'],
    shapes: [
      ['/many-5', 'core.format', '1 (local)'],
      ['/fragments-3000', 'core.format', '3 (btree)'],
      ['/fragments-3000', 'v3.nrext64', '1'],
    ],
  },
];

for (const [index, { name, blockSize, options, shapes }] of mountedForms.entries()) {
  test(
    `${name}: what Linux wrote is read as Linux reads it`,
    () => {
      const image = join(folder, `mounted-${index}.img`);
      formatXfs(image, '128m', ...options);
      const packed = fillMounted(image, fillOddly(blockSize));
      for (const [path, place, value] of shapes) {
        const seen = field(image, path, place);
        if (typeof value === 'string') assert.is(seen, value, `${path}: ${place}`);
        else assert.match(seen, value, `${path}: ${place}`);
      }
      const filesystem = openXfs(open(image));
      assert.equal([...filesystem.notes], []);
      assertSame(snapshotOfImage(filesystem), packed);
      rmSync(image);
    },
    { needs: asRoot, isLong: true },
  );
}

test(
  'a log that was not written back is noted, one that was is not',
  () => {
    const image = join(folder, 'log.img');
    const copy = join(folder, 'log-copy.img');
    formatXfs(image, '64m');
    assert.equal([...openXfs(open(image)).notes], []);
    fillMounted(image, (top) => {
      writeTree(top, guestTree('3.31.0'));
      run('sync', '-f', top);
      copyFileSync(image, copy);
    });
    assert.equal([...openXfs(open(image)).notes], []);
    assert.match(openXfs(open(copy)).notes.join(), /log holds changes/);
    // Passes over the log: it has a megabyte or more, and each of these takes several kilobytes of it.
    for (let pass = 0; pass < 6; pass += 1) {
      fillMounted(image, (top) => {
        for (let index = 0; index < 600; index += 1) mkdirSync(join(top, `${pass}-${index}`));
        run('sync', '-f', top);
        for (let index = 0; index < 600; index += 1) rmSync(join(top, `${pass}-${index}`), { recursive: true });
      });
      assert.equal([...openXfs(open(image)).notes], [], `after ${pass + 1} times`);
    }
  },
  { needs: asRoot, isLong: true },
);

test(
  'blocks that two files share are read for both',
  () => {
    const image = join(folder, 'shared.img');
    formatXfs(image, '64m', '-m', 'reflink=1,rmapbt=1');
    const packed = fillMounted(image, (top) => {
      writeFileSync(join(top, 'first'), numbered(1_000_000, 1));
      run('cp', '--reflink=always', join(top, 'first'), join(top, 'second'));
      const second = openSync(join(top, 'second'), 'r+');
      writeSync(second, 'changed', 500_000);
      closeSync(second);
    });
    assert.is(field(image, '/second', 'v3.reflink'), '1');
    assertSame(snapshotOfImage(openXfs(open(image))), packed);
  },
  { needs: asRoot, isLong: true },
);

/** An image in memory, to be damaged. */
class Memory implements File {
  readonly path = 'damaged.img';
  readonly size: number;
  /** Where something was read: [offset, length]. */
  readonly reads: [offset: number, length: number][] = [];
  readonly #data: Buffer;

  constructor(data: Buffer, size = data.length) {
    this.#data = data;
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array {
    this.reads.push([offset, length]);
    return Uint8Array.from(this.#data.subarray(offset, offset + length));
  }

  close(): void {}
}

function inMemory(data: Buffer, seconds = 20, size = data.length): Source {
  return new Source(new Memory(data, size), new Budget(host, host.now() + seconds * 1000, Number.POSITIVE_INFINITY));
}

let pristine: Buffer | undefined;

/** A copy of an image of version 5 with inodes of 512 bytes. */
function sample(): Buffer {
  pristine ??= readFileSync(makeXfs(join(folder, 'sample.img'), oddTree(1500, false), '64m', '-b', 'size=1024'));
  return Buffer.from(pristine);
}

/** Where the inode of a path stands: one of version 5 holds its own number. */
function inodeAt(data: Buffer, path: string): number {
  const number = BigInt(field(join(folder, 'sample.img'), path, 'v3.inumber'));
  for (let at = 0; at < data.length; at += 512) {
    if (data.readUInt16BE(at) === 0x494e && data.readBigUInt64BE(at + 152) === number) return at;
  }
  throw new Error(`no inode for ${path}`);
}

function problemOf(action: () => unknown): Problem {
  try {
    action();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

type Kind = new (message: string) => Problem;

const superblocks: readonly [rule: string, damage: (data: Buffer) => void, kind: Kind, message: RegExp][] = [
  ['an unknown feature is named by its bit', (d) => d.writeUInt32BE(0x800b, 216), Unsupported, /xfs features 0x8000$/],
  ['the highest bit too', (d) => d.writeUInt32BE(0x8000000b, 216), Unsupported, /xfs features 0x80000000$/],
  ['version 3', (d) => d.writeUInt16BE(0x3003, 100), Unsupported, /xfs version 3/],
  ['version 6', (d) => d.writeUInt16BE(0xb4a6, 100), Unsupported, /xfs version 6/],
  ['directories of version 1', (d) => d.writeUInt16BE(0x94a5, 100), Unsupported, /directories of version 1/],
  ['no unwritten extents', (d) => d.writeUInt16BE(0xa4a5, 100), Unsupported, /without unwritten extents/],
  ['the feature nobody knows', (d) => d.writeUInt16BE(0xb6a5, 100), Unsupported, /feature shared/],
  [
    'an unknown second feature of version 4',
    (d) => {
      d.writeUInt16BE(0xb4a4, 100);
      d.writeUInt32BE(0x1000, 200);
      d.writeUInt32BE(0, 204);
    },
    Unsupported,
    /features2 0x1000$/,
  ],
  ['no magic number', (d) => d.writeUInt32BE(0, 0), Corrupt, /superblock: no magic/],
  ['unfinished by mkfs', (d) => d.writeUInt8(1, 126), Corrupt, /did not finish/],
  ['a block size that is not its logarithm', (d) => d.writeUInt32BE(4096, 4), Corrupt, /blocks of 4096 bytes/],
  ['blocks of 2^200', (d) => d.writeUInt8(200, 120), Corrupt, /logarithm 200/],
  ['inodes of 0 bytes', (d) => d.writeUInt16BE(0, 104), Corrupt, /inodes of 0 bytes/],
  [
    'inodes larger than blocks',
    (d) => {
      d.writeUInt16BE(2048, 104);
      d.writeUInt8(11, 122);
    },
    Corrupt,
    /inodes of 2048 bytes/,
  ],
  ['directory blocks of 2^255', (d) => d.writeUInt8(255, 192), Corrupt, /directory blocks/],
  ['no allocation groups', (d) => d.writeUInt32BE(0, 88), Corrupt, /0 groups/],
  ['allocation groups of no blocks', (d) => d.writeUInt32BE(0, 84), Corrupt, /groups of 0 blocks/],
  ['groups larger than their logarithm', (d) => d.writeUInt32BE(0xffffffff, 84), Corrupt, /4294967295 blocks/],
  ['groups of 2^255', (d) => d.writeUInt8(255, 124), Corrupt, /logarithm 255/],
  ['a root far outside', (d) => d.writeUInt32BE(0x1fffff, 56), Corrupt, /lie outside/],
  ['a root beyond all numbers', (d) => d.writeUInt32BE(0xffffffff, 56), Corrupt, /out of all range/],
  ['a log outside', (d) => d.writeUInt32BE(0xffffffff, 96), Corrupt, /xfs log.* lie outside/],
];

for (const [rule, damage, kind, message] of superblocks) {
  test(
    `superblock: ${rule}`,
    () => {
      const data = sample();
      damage(data);
      const problem = problemOf(() => openXfs(inMemory(data)));
      assert.instance(problem, kind);
      assert.match(problem.message, message);
    },
    { needs },
  );
}

test(
  'features that move nothing are read, a filesystem in need of repair is noted',
  () => {
    const data = sample();
    // exchrange, parent, metadir, zoned, zone_gaps: of Linux 6.10 to 6.15, which mkfs.xfs 6.1 cannot make.
    data.writeUInt32BE((data.readUInt32BE(216) | 0x7c0) >>> 0, 216);
    assert.equal([...openXfs(inMemory(data)).notes], []);
    assert.is(readFile(openXfs(inMemory(data)), summaryPath, 10_000).length > 100, true);
    data.writeUInt32BE((data.readUInt32BE(216) | 0x10) >>> 0, 216);
    assert.match(openXfs(inMemory(data)).notes.join(), /in need of repair/);
  },
  { needs },
);

test(
  'what is no xfs is not taken for it',
  () => {
    assert.not(isXfs(inMemory(Buffer.alloc(511))));
    assert.not(isXfs(inMemory(Buffer.alloc(4096))));
    assert.not(isXfs(inMemory(Buffer.from('XFSB'))));
  },
  { needs: [] },
);

const fork = 176;

/** The 128 bits of an extent. */
function extent(logical: bigint, physical: bigint, count: bigint, unwritten = 0n): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE((unwritten << 63n) | (logical << 9n) | (physical >> 43n), 0);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, physical << 21n) | count, 8);
  return bytes;
}

function setExtents(inode: Buffer, ...extents: Buffer[]): void {
  inode.writeUInt8(2, 5);
  inode.writeUInt32BE(extents.length, 76);
  for (const [index, bytes] of extents.entries()) bytes.copy(inode, fork + index * 16);
}

const inodes: readonly [rule: string, path: string, damage: (inode: Buffer) => void, kind: Kind, message: RegExp][] = [
  ['a realtime file', '/large', (i) => i.writeUInt16BE(1, 90), Unsupported, /inode \d+ is on the realtime device/],
  ['no magic number', '/large', (i) => i.writeUInt16BE(0, 0), Corrupt, /inode \d+: no magic/],
  [
    'a version of another filesystem',
    '/large',
    (i) => i.writeUInt8(2, 4),
    Corrupt,
    /version 2 in a filesystem of version 5/,
  ],
  ['the number of another inode', '/large', (i) => i.writeUInt8(9, 159), Corrupt, /another inode/],
  ['a free inode is broken, not absent', '/large', (i) => i.writeUInt16BE(0, 2), Corrupt, /a mode of 00/],
  ['a file inside its inode', '/large', (i) => i.writeUInt8(1, 5), Corrupt, /a file of form 1/],
  ['a form that is none', '/large', (i) => i.writeUInt8(99, 5), Corrupt, /a file of form 99/],
  ['a size beyond all numbers', '/large', (i) => i.writeUInt8(0x7f, 56), Corrupt, /out of all range/],
  [
    'more extents than the inode has room for',
    '/large',
    (i) => i.writeUInt32BE(0xffffffff, 76),
    Corrupt,
    /4294967295 extents/,
  ],
  [
    'the wide count of extents',
    '/large',
    (i) => {
      i.writeUInt8(0x10 | i.readUInt8(127), 127);
      i.writeUInt32BE(77, 28);
    },
    Corrupt,
    /77 extents/,
  ],
  ['a fork that ends behind the inode', '/large', (i) => i.writeUInt8(255, 82), Corrupt, /lie outside its 512 bytes/],
  ['an extent of no blocks', '/large', (i) => setExtents(i, extent(0n, 100n, 0n)), Corrupt, /out of order/],
  [
    'extents that overlap',
    '/large',
    (i) => setExtents(i, extent(0n, 100n, 9n), extent(8n, 200n, 9n)),
    Corrupt,
    /extent 1 .* out of order/,
  ],
  [
    'an extent behind the last group',
    '/large',
    (i) => setExtents(i, extent(0n, (1n << 52n) - 1n, 1n)),
    Corrupt,
    /extent 0: .* lie outside/,
  ],
  [
    "an extent over a group's end",
    '/large',
    (i) => setExtents(i, extent(0n, 100n, (1n << 21n) - 1n)),
    Corrupt,
    /extent 0: .* lie outside/,
  ],
  [
    'an extent beyond all numbers',
    '/large',
    (i) => setExtents(i, extent((1n << 54n) - 1n, 100n, 1n)),
    Corrupt,
    /out of order/,
  ],
  [
    'a file of petabytes that is one hole',
    '/large',
    (i) => {
      setExtents(i);
      i.writeUInt8(0x0f, 57);
    },
    LimitExceeded,
    /bytes read/,
  ],
  [
    'a file of petabytes never written',
    '/large',
    (i) => {
      setExtents(i, extent(0n, 100n, 200n, 1n));
      i.writeUInt8(0x0f, 57);
    },
    LimitExceeded,
    /bytes read/,
  ],
  ['a tree of no levels', '/twisted', (i) => i.writeUInt16BE(0, fork), Corrupt, /tree of 0 levels/],
  ['a tree of 60000 levels', '/twisted', (i) => i.writeUInt16BE(60000, fork), Corrupt, /tree of 60000 levels/],
  ['a tree of another height', '/twisted', (i) => i.writeUInt16BE(5, fork), Corrupt, /level 0, not 4/],
  ['a tree with an empty root', '/twisted', (i) => i.writeUInt16BE(0, fork + 2), Corrupt, /0 entries/],
  ['a tree with too full a root', '/twisted', (i) => i.writeUInt16BE(65535, fork + 2), Corrupt, /65535 entries/],
  ['a tree with a lost extent', '/twisted', (i) => i.writeUInt32BE(1, 76), Corrupt, /extents in its tree, not 1/],
  [
    'a directory whose size hides its end',
    '/more',
    (i) => i.writeBigUInt64BE(4096n, 56),
    Corrupt,
    /a directory of 4096 bytes whose blocks/,
  ],
  [
    'a directory without blocks',
    '/more',
    (i) => {
      setExtents(i);
      i.writeBigUInt64BE(0n, 56);
    },
    Corrupt,
    /a directory of 0 bytes/,
  ],
  [
    'a directory of blocks that are none of one',
    '/more',
    (i) => setExtents(i, extent(0n, 1n << 14n, 16000n)),
    Corrupt,
    /no magic|record/,
  ],
  ["a directory's blocks never written", '/more', (i) => setExtents(i, extent(0n, 100n, 4n, 1n)), Corrupt, /no magic/],
  ['blocks of another directory', '/more', (i) => setExtents(i, extent(0n, 0n, 4n)), Corrupt, /no magic/],
  [
    'a short directory longer than its inode',
    '/empty',
    (i) => i.writeBigUInt64BE(4000n, 56),
    Corrupt,
    /4000 bytes inside of it/,
  ],
  [
    'a short directory with more records than bytes',
    '/empty',
    (i) => i.writeUInt8(255, fork),
    Corrupt,
    /bytes \d+ to \d+ lie outside|is cut/,
  ],
  ['a link longer than its inode', '/short-link', (i) => i.writeBigUInt64BE(1000n, 56), Corrupt, /lie outside its/],
  ['a link longer than links are', '/short-link', (i) => i.writeBigUInt64BE(1025n, 56), Corrupt, /link of 1025 bytes/],
  [
    'a link in a block that is not its own',
    '/short-link',
    (i) => setExtents(i, extent(0n, 0n, 1n)),
    Corrupt,
    /its header is not/,
  ],
  ['a link that begins with a hole', '/short-link', (i) => setExtents(i, extent(1n, 0n, 1n)), Corrupt, /a hole before/],
  ['a link without blocks', '/short-link', (i) => setExtents(i), Corrupt, /0 of its target's 7 bytes/],
];

/** Looks at all of what stands at a path of one or no folders. */
function lookAt(data: Buffer, path: string): void {
  const inode = openXfs(inMemory(data)).root.lookup(path.slice(1));
  if (inode?.kind === 'directory') for (const _ of inode.names());
  else if (inode?.kind === 'symlink') inode.target();
  else if (inode !== undefined) for (const _ of pieces(inode, 1_000_000));
}

for (const [rule, path, damage, kind, message] of inodes) {
  test(
    `inode: ${rule}`,
    () => {
      const data = sample();
      const at = inodeAt(data, path);
      damage(data.subarray(at, at + 512));
      const began = Date.now();
      const problem = problemOf(() => lookAt(data, path));
      assert.instance(problem, kind, problem.message);
      assert.match(problem.message, message);
      assert.ok(Date.now() - began < 5000, 'in a bounded time');
    },
    { needs },
  );
}

const blocks: readonly [
  rule: string,
  path: string,
  magic: string,
  owner: number,
  damage: (block: Buffer) => void,
  message: RegExp,
][] = [
  [
    'of a directory, of another inode',
    '/more',
    'XDD3',
    40,
    (b) => b.writeUInt8(9, 47),
    /block 0: it is another inode's/,
  ],
  ['of a directory, without magic', '/more', 'XDD3', 40, (b) => b.writeUInt8(9, 0), /block 0: no magic/],
  [
    'with a record of no length',
    '/more',
    'XDD3',
    40,
    (b) => b.writeUInt32BE(0xffff0000, 64),
    /byte 64 has a length of 0/,
  ],
  [
    'with a record of odd length',
    '/more',
    'XDD3',
    40,
    (b) => b.writeUInt32BE(0xffff0009, 64),
    /byte 64 has a length of 9/,
  ],
  [
    'with a record over its end',
    '/more',
    'XDD3',
    40,
    (b) => b.writeUInt32BE(0xfffffff8, 64),
    /byte 64 has a length of 65528/,
  ],
  ['with a record that has no name', '/more', 'XDD3', 40, (b) => b.writeUInt8(0, 72), /byte 64 has a length of 16/],
  // "." has 16 bytes, the last two of which hold its place.
  ['with a record of another place', '/more', 'XDD3', 40, (b) => b.writeUInt16BE(80, 78), /byte 64 is not one/],
  [
    'of a tree, of another inode',
    '/twisted',
    'BMA3',
    56,
    (b) => b.writeUInt8(9, 63),
    /extent block \d+: it is another inode's/,
  ],
  ['of a tree, without magic', '/twisted', 'BMA3', 56, (b) => b.writeUInt8(9, 0), /extent block \d+: no magic/],
  ['of a tree, empty', '/twisted', 'BMA3', 56, (b) => b.writeUInt16BE(0, 6), /extent block \d+: no extents/],
  [
    'of a tree, with more than fits',
    '/twisted',
    'BMA3',
    56,
    (b) => b.writeUInt16BE(60, 6),
    /extent block \d+: 60 extents/,
  ],
];

for (const [rule, path, magic, owner, damage, message] of blocks) {
  test(
    `block: ${rule}`,
    () => {
      const data = sample();
      const number = data.readBigUInt64BE(inodeAt(data, path) + 152);
      let at = 0;
      while (data.toString('latin1', at, at + 4) !== magic || data.readBigUInt64BE(at + owner) !== number) at += 1024;
      damage(data.subarray(at, at + 1024));
      const problem = problemOf(() => lookAt(data, path));
      assert.instance(problem, Corrupt, problem.message);
      assert.match(problem.message, message);
    },
    { needs },
  );
}

test(
  'a tree whose blocks are named twice is not walked twice',
  () => {
    const data = sample();
    const inode = data.subarray(inodeAt(data, '/twisted'));
    const room = Math.floor(((inode.readUInt8(82) === 0 ? 512 - fork : inode.readUInt8(82) * 8) - 4) / 16);
    const pointers = fork + 4 + room * 8;
    inode.copy(inode, pointers + 8, pointers, pointers + 8);
    inode.writeUInt16BE(2, fork + 2);
    assert.match(problemOf(() => lookAt(data, '/twisted')).message, /out of order/);
  },
  { needs },
);

test(
  'an extent that was never written is zeros, whatever stands there',
  () => {
    const data = sample();
    const at = inodeAt(data, '/large');
    const before = resolve(openXfs(inMemory(data)), '/large')?.read(0, 5000) as Uint8Array;
    assert.ok(before.some((byte) => byte !== 0));
    data.writeUInt8(0x80 | data.readUInt8(at + fork), at + fork);
    const after = resolve(openXfs(inMemory(data)), '/large')?.read(0, 5000) as Uint8Array;
    assert.ok(after.every((byte) => byte === 0));
  },
  { needs },
);

test(
  'the second features of version 4 may stand in the second place only',
  () => {
    const image = makeXfs(join(folder, 'second.img'), oddTree(10, false), '32m', '-m', 'crc=0');
    const data = readFileSync(image);
    assert.ok((data.readUInt32BE(200) & 0x200) !== 0);
    data.writeUInt32BE(0, 200);
    assertSame(snapshotOfImage(openXfs(inMemory(data))), snapshotOfFolder(oddTree(10, false)));
  },
  { needs },
);

test(
  'inodes behind 2^32 are found, also from a short directory',
  () => {
    const image = join(folder, 'wide.img');
    // A sparse file: a group has a terabyte, and each new directory of a directory goes to the next group.
    formatXfs(image, '4t', '-l', 'size=64m');
    const packed = fillMounted(image, (top) => {
      for (let index = 0; index < 8; index += 1) writeTree(join(top, 'all', `${index}`), { file: `file ${index}` });
    });
    assert.is(field(image, '/all', 'core.format'), '1 (local)');
    assert.ok(Number(field(image, '/all', 'u3.sfdir3.hdr.i8count')) > 0);
    assertSame(snapshotOfImage(openXfs(open(image))), packed);
    rmSync(image);
  },
  { needs: asRoot, isLong: true },
);

/** The same numbers from 0 up to `limit` for the same seed. */
function generator(seed: number): (limit: number) => number {
  let state = Math.imul(seed + 1, 2654435761) >>> 0;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

const oddNumbers = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** Changes what the reader looks at, and mostly the small pieces: superblock, inodes, tree and directory blocks. */
function damage(
  data: Buffer,
  reads: readonly (readonly [offset: number, length: number])[],
  next: (limit: number) => number,
): void {
  const place = (width: number): number => {
    const [offset, length] = reads[next(reads.length)] as readonly [number, number];
    // The first bytes hold what counts.
    const reach = next(2) === 0 ? Math.min(length, 256) : length;
    return Math.max(0, Math.min(offset + next(reach), data.length - width));
  };
  for (let changes = 1 + next(3); changes > 0; changes -= 1) {
    const way = next(6);
    if (way === 0) {
      const at = place(1);
      data.writeUInt8(data.readUInt8(at) ^ (1 << next(8)), at);
    } else if (way === 1) data.writeUInt8(next(256), place(1));
    else if (way === 2) data.writeUInt16BE((oddNumbers[next(oddNumbers.length)] as number) & 0xffff, place(2) & ~1);
    else if (way === 3) data.writeUInt32BE(oddNumbers[next(oddNumbers.length)] as number, place(4) & ~3);
    else if (way === 4) {
      const at = place(4) & ~3;
      data.writeUInt32BE((data.readUInt32BE(at) + next(17) - 8) >>> 0, at);
    } else data.copyWithin(place(64) & ~7, place(64) & ~7, (place(64) & ~7) + 8 + next(56));
  }
}

const damagedForms: readonly [name: string, size: string, options: readonly string[]][] = [
  ['version 5', '32m', ['-b', 'size=1024']],
  ['version 4', '32m', ['-m', 'crc=0', '-b', 'size=512', '-i', 'size=256', '-n', 'size=4096']],
];
/** More of them for a longer search: KATA_CHECK_XFS_CASES=20000. */
const cases = Number(process.env.KATA_CHECK_XFS_CASES ?? 300);

for (const [name, size, options] of damagedForms) {
  test(
    `${name}, damaged: an answer or a problem, in a bounded time`,
    () => {
      const tree = oddTree(1500, name === 'version 4');
      const image = makeXfs(join(folder, `${name}.img`), tree, size, ...options);
      const whole = readFileSync(image);
      const file = new Memory(whole);
      const packed = snapshotOfImage(
        openXfs(new Source(file, new Budget(host, host.now() + 20_000, Number.POSITIVE_INFINITY))),
        400,
        40,
      );
      const reads = file.reads.filter(([, length]) => length <= 65536);
      const outcomes = { same: 0, other: 0, problem: 0 };
      const data = Buffer.from(whole);
      for (let seed = 1; seed <= cases; seed += 1) {
        whole.copy(data);
        const next = generator(seed);
        damage(data, reads, next);
        const length = seed % 50 === 0 ? next(data.length) : data.length;
        const began = Date.now();
        try {
          const found = snapshotOfImage(openXfs(inMemory(data, 3, length)), 400, 40);
          const isSame = [...packed].every(([path, content]) => {
            const ours = found.get(path);
            return Buffer.isBuffer(ours) ? ours.equals(content as Buffer) : String(ours) === String(content);
          });
          outcomes[isSame ? 'same' : 'other'] += 1;
        } catch (error) {
          if (!(error instanceof Problem)) throw new Error(`seed ${seed}: ${(error as Error).stack}`);
          outcomes.problem += 1;
        }
        const took = Date.now() - began;
        assert.ok(took < 6000, `seed ${seed}: ${took} ms`);
      }
      // That the damage reaches the reader, and not always at once.
      assert.ok(outcomes.problem > cases / 5, JSON.stringify(outcomes));
      assert.ok(outcomes.same > cases / 20, JSON.stringify(outcomes));
    },
    { needs, timeout: 3600, isLong: true },
  );
}

const packedImage = join(corpusFolder('images'), 'xfs-dax.img.zst');

test(
  'the image of the corpus: its summary names the agent',
  () => {
    const image = join(folder, 'corpus.img');
    run('zstd', '-q', '-d', '-f', packedImage, '-o', image);
    const filesystem = openXfs(open(image).part(3145728, Number.MAX_SAFE_INTEGER, 'partition 1'));
    assert.equal([...filesystem.notes], []);
    assert.match(
      Buffer.from(readFile(filesystem, summaryPath, 100_000)).toString(),
      /name: "kata-agent"\n {2}version: "3\.31\.0"/,
    );
  },
  { needs: ['zstd', packedImage] },
);
