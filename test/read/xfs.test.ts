import {
  closeSync,
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
import { createNodeHost } from '../../src/host/node.ts';
import { type FileSystem, type Inode, pieces, readFile, resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isXfs, openXfs } from '../../src/read/xfs.ts';
import { guestTree, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('xfs');
const host = createNodeHost();
const folder = temporaryFolder();
const needs = ['mkfs.xfs', 'xfs_db', 'env'];
const asRoot = ['root', 'mkfs.xfs', 'env', 'mount', 'umount', 'xfs_db', 'fallocate', 'cp'];

function open(image: string): Source {
  return new Source(host.open(image), new Budget(host, host.now() + 60_000));
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
function snapshotOfImage(filesystem: FileSystem, limit = Number.POSITIVE_INFINITY): Snapshot {
  const found: Snapshot = new Map();
  const pending: [path: string, inode: Inode][] = [['', filesystem.root]];
  for (let next = pending.pop(); next !== undefined && found.size < limit; next = pending.pop()) {
    const [path, inode] = next;
    if (inode.kind === 'symlink') found.set(path, `-> ${inode.target()}`);
    else if (inode.kind === 'file') found.set(path, Buffer.concat([...pieces(inode, 1_000_001)]));
    else if (inode.kind === 'directory') {
      const names = [...inode.names()].sort();
      found.set(path, names);
      const some = names.length < sampledFrom ? names : names.filter((_, index) => index % 97 === 0);
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

function oddTree(name: string, twisted: number): string {
  const tree = writeTree(join(folder, name), guestTree('3.31.0'));
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
      const tree = oddTree(`form-${index}`, size === '512m' ? 10 : 1500);
      // Of a long link, mkfs.xfs 6.1 writes no header in version 5; Linux does not read it either.
      if (name.startsWith('version 4')) symlinkSync(`/${'./'.repeat(400)}usr`, join(tree, 'long-link'));
      const image = makeXfs(join(folder, `form-${index}.img`), tree, size, ...options);
      if (!hasRoom.test(options.join(' '))) assert.is(field(image, '/twisted', 'core.format'), '3 (btree)');
      const source = open(image);
      assert.ok(isXfs(source));
      const filesystem = openXfs(source);
      assert.equal([...filesystem.notes], []);
      assertSame(snapshotOfImage(filesystem), snapshotOfFolder(tree));
      assert.is(
        readFile(filesystem, summaryPath, 10_000).toString(),
        Uint8Array.from(readFileSync(join(tree, summaryPath))).toString(),
      );
      assert.ok(resolve(filesystem, '/short-link/kata-agent'));
      assert.ok(resolve(filesystem, '/sbin/init'));
      assert.is(resolve(filesystem, '/usr/none'), undefined);
      assert.is(resolve(filesystem, '/large/below-a-file'), undefined);
      if (name.startsWith('version 4')) assert.ok(resolve(filesystem, '/long-link/bin'));
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
      assertSame(snapshotOfImage(openXfs(open(image))), packed);
      rmSync(image);
    },
    { needs: asRoot },
  );
}
