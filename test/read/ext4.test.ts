import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { File } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { openExt4 } from '../../src/read/ext4.ts';
import { type Inode, pieces, resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isExt4 } from '../../src/read/superblocks.ts';
import { guestTree, makeExt, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('ext4');
const host = createNodeHost();
const folder = temporaryFolder();
const needs = ['mkfs.ext4', 'e2fsck'];

function open(image: string): Source {
  return new Source(host.open(image), new Budget(host, host.now() + 60_000, Number.POSITIVE_INFINITY));
}

/** A tree with what makes an ext reader fail: a large directory, deep and long names, holes, links of both forms. */
function oddTree(name: string): string {
  const tree = writeTree(join(folder, name), guestTree('3.31.0'));
  mkdirSync(join(tree, 'many'));
  for (let index = 0; index < 700; index += 1)
    writeFileSync(join(tree, 'many', `file-${index}-${'n'.repeat(index % 90)}`), `${index}`);
  writeFileSync(join(tree, 'large'), Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index * 7)));
  const sparse = Buffer.alloc(2_000_000);
  sparse.write('in the middle', 1_000_001);
  // mke2fs 1.47.0 with inline_data forgets a hole at the end.
  sparse.write('end', sparse.length - 3);
  writeFileSync(join(tree, 'sparse'), sparse);
  symlinkSync(`/${'./'.repeat(100)}usr/bin/kata-agent`, join(tree, 'long-link'));
  symlinkSync('usr/bin', join(tree, 'short-link'));
  return tree;
}

/** The first ones are what guest images have; the usual run leaves the others to the long one. */
const usual = 5;
const forms: readonly [name: string, options: readonly string[]][] = [
  ['what image_builder.sh makes', ['-b', '4096']],
  ['blocks of 1 KiB', ['-b', '1024']],
  ['inline data and large directories', ['-O', 'inline_data,large_dir']],
  ['ext2: block maps', ['-t', 'ext2', '-b', '1024', '-O', '^extents,^64bit,^metadata_csum,^huge_file,^flex_bg']],
  ['ext3: block maps and a journal', ['-t', 'ext3', '-b', '4096', '-O', '^extents,^64bit,^metadata_csum']],
  ['blocks of 2 KiB, 64bit, no checksums', ['-b', '2048', '-O', '64bit,^metadata_csum']],
  ['blocks of 64 KiB', ['-b', '65536']],
  ['inodes of 128 bytes', ['-I', '128', '-O', '^extra_isize']],
  ['meta_bg', ['-b', '1024', '-O', 'meta_bg,^resize_inode', '-g', '1024']],
  ['bigalloc', ['-b', '1024', '-O', 'bigalloc', '-C', '16384']],
  ['metadata_csum_seed, casefold', ['-O', 'metadata_csum_seed,casefold']],
  ['one copy of the superblock only', ['-O', 'sparse_super2,^resize_inode', '-b', '1024']],
];

for (const [index, [name, options]] of forms.entries()) {
  test(
    `${name}: files are read as they were packed`,
    () => {
      const tree = oddTree(`form-${index}`);
      const image = makeExt(join(folder, `form-${index}.img`), tree, '64M', ...options);
      run('e2fsck', '-fyD', image);
      const source = open(image);
      assert.ok(isExt4(source));
      const filesystem = openExt4(source);
      assert.equal([...filesystem.notes], []);
      const paths = [summaryPath, '/many/file-0-', '/many/file-699-', '/large', '/sparse'].map((path) =>
        path === '/many/file-699-' ? `${path}${'n'.repeat(699 % 90)}` : path,
      );
      for (const path of paths) {
        const inode = resolve(filesystem, path);
        assert.ok(inode, path);
        const ours = Buffer.concat([...pieces(inode as never, 100_001)]);
        assert.is(Buffer.compare(ours, readFileSync(join(tree, path))), 0, path);
      }
      const many = resolve(filesystem, '/many');
      assert.is([...(many?.names() ?? [])].length, 700);
      assert.is(resolve(filesystem, '/long-link')?.size, resolve(filesystem, '/usr/bin/kata-agent')?.size);
      assert.ok(resolve(filesystem, '/short-link/kata-agent'));
      assert.ok(resolve(filesystem, '/sbin/init'));
      assert.is(resolve(filesystem, '/usr/none'), undefined);
      assert.is(resolve(filesystem, '/large/below-a-file'), undefined);
    },
    { needs, isLong: index >= usual },
  );
}

test(
  'found by fuzzing: a file of more extents than any has is refused before they fill the memory',
  () => {
    const tree = join(folder, 'extents');
    mkdirSync(tree);
    const blockSize = 65536;
    writeFileSync(join(tree, 'file'), Buffer.alloc(120 * blockSize, 'x'));
    const image = makeExt(join(folder, 'extents.img'), tree, '16M', '-b', `${blockSize}`, '-O', '^has_journal');
    const bytes = readFileSync(image);
    const reads: number[] = [];
    const file: File = {
      path: image,
      size: bytes.length,
      read: (offset, length) => {
        reads.push(offset);
        return Uint8Array.from(bytes.subarray(offset, offset + length));
      },
      close: () => {},
    };
    const find = (): Inode =>
      resolve(openExt4(new Source(file, new Budget(host, host.now() + 60_000))), '/file') as Inode;
    const inode = find();
    const inodeOffset = reads.at(-1) as number;
    const places = Array.from({ length: 120 }, (_, index) => {
      inode.read(index * blockSize, 1);
      return (reads.at(-1) as number) / blockSize;
    });
    const first = places.find((place, index) => places[index + 59] === place + 59) as number;
    assert.ok(first > 0);
    // Blocks of the file become its own extent tree: a root, a node, and leaves of single blocks with holes between.
    const header = (at: number, entries: number, depth: number): void => {
      for (const [index, value] of [0xf30a, entries, entries, depth].entries())
        bytes.writeUInt16LE(value, at + index * 2);
    };
    const inLeaf = Math.floor((blockSize - 12) / 12);
    const root = inodeOffset + 0x28;
    bytes.fill(0, root, root + 60);
    bytes.fill(0, first * blockSize, (first + 60) * blockSize);
    header(root, 1, 2);
    bytes.writeUInt32LE(first, root + 12 + 4);
    header(first * blockSize, 59, 1);
    for (let leaf = 0; leaf < 59; leaf += 1) {
      const start = (first + 1 + leaf) * blockSize;
      bytes.writeUInt32LE(first + 1 + leaf, first * blockSize + 12 + leaf * 12 + 4);
      header(start, inLeaf, 0);
      for (let index = 0; index < inLeaf; index += 1) {
        const at = start + 12 + index * 12;
        bytes.writeUInt32LE((leaf * inLeaf + index) * 2, at);
        bytes.writeUInt16LE(1, at + 4);
        bytes.writeUInt32LE(1, at + 8);
      }
    }
    assert.throws(() => find().read(0, 1), /more than 32768 extents/);
    // As many as are allowed are read.
    header(first * blockSize, 6, 1);
    assert.is(find().read(0, 1).length, 1);
  },
  { needs },
);
