/** The trees and the forms that the oracles' tests pack them in. */

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { openErofs } from '../../src/read/erofs.ts';
import { openExt4 } from '../../src/read/ext4.ts';
import type { FileSystem } from '../../src/read/filesystem.ts';
import type { Source } from '../../src/read/source.ts';
import { openXfs } from '../../src/read/xfs.ts';
import { copySome } from '../bench/images.ts';
import { run } from '../images.ts';
import { pristine } from '../system/debian.ts';

/** A path with one character for each byte, as Node takes it. */
export const raw = (path: string): Buffer => Buffer.from(path, 'latin1');

/** The same on every run, and nothing that lz4 could shorten. */
function noise(length: number, seed: number): Buffer {
  const content = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at + 4 <= length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    content.writeInt32LE(state, at);
  }
  return content;
}

function writeSparse(path: string, size: number, data: readonly number[]): void {
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, size);
  for (const [index, at] of data.entries()) writeSync(descriptor, noise(5001, index + 1), 0, 5001, at);
  closeSync(descriptor);
}

/** mkfs.erofs 1.5 takes no longer names: those of 255 bytes are in the folder `longest`. */
const nameBytes = 254;
/** XFS and small blocks of ext4 have no longer targets: those are in the folder `far`. */
const linkBytes = 1023;

/** How much there is of what is odd. */
export interface Amounts {
  /** Of this system's own files. */
  readonly bytes: number;
  readonly files: number;
  /** Folders of sixty files each. */
  readonly folders: number;
  /** Files in one folder. */
  readonly wide: number;
  /** Bytes of a file that cannot be compressed, and a fifth of the length of one that is mostly hole. */
  readonly large: number;
}

export function makeTree(top: string, { bytes, files, folders, wide, large }: Amounts): string {
  copySome({ from: ['/usr/lib', '/usr/bin'], to: '', bytes, files }, top);
  for (let directory = 0; directory < folders; directory += 1) {
    mkdirSync(join(top, 'many', `${directory}`), { recursive: true });
    for (let file = 0; file < 60; file += 1) {
      const size = (directory * 60 + file) * ((file % 5) + 1);
      writeFileSync(join(top, 'many', `${directory}`, `${file}`), noise(size - (size % 4), size + 1));
    }
  }
  mkdirSync(join(top, 'wide'));
  for (let file = 0; file < wide; file += 1)
    writeFileSync(join(top, 'wide', `${file}-${'w'.repeat(file % 200)}`), `${file}`);
  let deep = join(top, 'deep');
  for (let level = 0; level < 40; level += 1) {
    deep = join(deep, `level-${level}-${'d'.repeat(level)}`);
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(deep, 'file'), `${level}`);
  }
  const odd = `${top}/odd`;
  mkdirSync(odd);
  for (const name of [
    '\xff\xfe',
    'caf\xe9',
    '\x80'.repeat(nameBytes),
    'l'.repeat(nameBytes),
    ' ',
    '\n',
    '\\',
    '-',
    '*',
  ])
    writeFileSync(raw(`${odd}/${name}`), `content of ${name.length}`);
  mkdirSync(`${top}/longest`);
  for (const letter of ['n', '\xfe']) writeFileSync(raw(`${top}/longest/${letter.repeat(255)}`), letter);
  mkdirSync(`${top}/far`);
  for (let length = linkBytes + 1; length <= 4095; length += 307)
    symlinkSync('f'.repeat(length), `${top}/far/${length}`);
  symlinkSync('f'.repeat(4095), `${top}/far/last`);
  mkdirSync(`${top}/links`);
  for (let length = 1; length <= linkBytes; length += length < 260 ? 1 : 109)
    symlinkSync(raw(`\xe9${'t'.repeat(length - 1)}`), `${top}/links/${length}`);
  for (let count = 0; count < 40; count += 1)
    linkSync(join(top, 'many', `${folders - 1}`, `${count}`), join(top, 'links', `hard-${count}`));
  writeSparse(join(top, 'sparse'), 5 * large, [0, large / 5 + 17, 2.5 * large, 5 * large - 5001]);
  writeSparse(join(top, 'hole'), 3 * 1024 * 1024 + 1, []);
  writeFileSync(join(top, 'random'), noise(large, 99));
  writeFileSync(join(top, 'empty'), '');
  mkdirSync(join(top, 'nothing'));
  return top;
}

export function sh(script: string, ...args: string[]): void {
  execFileSync('/bin/bash', ['-o', 'pipefail', '-c', script, 'bash', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

export interface Form {
  readonly name: string;
  /** The other reader. */
  readonly other: string;
  readonly needs: readonly string[];
  /** A folder of the tree that this form cannot hold. */
  readonly without?: string;
  pack(image: string, tree: string): void;
  /** What the other reader makes of the image, in the folder `out`. */
  unpack(image: string, out: string): void;
  /** After `unpack`, always. */
  release?(out: string): void;
  open(source: Source): FileSystem;
}

const ext = (name: string, program: string, ...options: string[]): Form => ({
  name,
  other: 'debugfs rdump',
  needs: [program, 'debugfs'],
  pack: (image, tree) => run(program, '-q', '-F', ...options, '-d', tree, image, '400M'),
  unpack: (image, out) => run('debugfs', '-R', `rdump / ${out}`, image),
  open: openExt4,
});

const xfs = (name: string, ...options: string[]): Form => ({
  name,
  other: 'Linux',
  without: 'far',
  needs: ['root', 'mkfs.xfs', 'mount', 'umount'],
  pack: (image, tree) => {
    closeSync(openSync(image, 'w'));
    run('truncate', '-s', '500M', image);
    run('mkfs.xfs', '-q', '-f', ...options, image);
    const top = `${image}.fill`;
    mkdirSync(top, { recursive: true });
    run('mount', '-t', 'xfs', '-o', 'loop', image, top);
    try {
      sh('cp -a --sparse=always "$1/." "$2/"', tree, top);
    } finally {
      run('umount', top);
    }
  },
  unpack: (image, out) => run('mount', '-t', 'xfs', '-o', 'loop,ro', image, out),
  // The loop device, which mount made, goes with it.
  release: (out) => run('umount', out),
  open: openXfs,
});

const erofs = (name: string, ...options: string[]): Form => ({
  name,
  other: 'fsck.erofs --extract',
  without: 'longest',
  needs: ['mkfs.erofs', 'fsck.erofs'],
  pack: (image, tree) => run('mkfs.erofs', ...options, image, tree),
  unpack: (image, out) => run('fsck.erofs', `--extract=${out}`, '--force', '--overwrite', image),
  open: openErofs,
});

/**
 * By the erofs-utils of Debian 13, as those of Debian 12 make no fragments and share nothing. They run where they are, with the libraries
 * that came with them.
 */
function newer(program: string): string[] {
  const tree = pristine('trixie', ['erofs-utils'], 'erofs');
  const loader = run('find', join(tree, 'usr/lib'), '-name', 'ld-linux-*', '-type', 'f').trim().split('\n')[0] ?? '';
  return [loader, '--library-path', dirname(loader), join(tree, 'usr/bin', program)];
}

const newerErofs = (name: string, ...options: string[]): Form => ({
  ...erofs(name),
  other: 'a newer fsck.erofs --extract',
  needs: ['root', 'debootstrap'],
  pack: (image, tree) => runNewer('mkfs.erofs', ...options, image, tree),
  unpack: (image, out) => runNewer('fsck.erofs', `--extract=${out}`, '--force', '--overwrite', image),
});

function runNewer(program: string, ...args: string[]): string {
  const [loader = '', ...words] = newer(program);
  return run(loader, ...words, ...args);
}

export const disks: readonly Form[] = [
  ext('ext4', 'mkfs.ext4', '-b', '4096'),
  { ...ext('ext4, blocks of 1 KiB', 'mkfs.ext4', '-b', '1024'), without: 'far' },
  ext('ext2', 'mkfs.ext2', '-b', '4096'),
  xfs('xfs', '-m', 'reflink=0'),
  // Not every kernel mounts version 4 any more.
  xfs('xfs, blocks of 1 KiB', '-b', 'size=1024'),
  erofs('erofs', '-Enoinline_data'),
  erofs('erofs lz4hc', '-zlz4hc', '-Enoinline_data'),
  erofs('erofs lz4, big clusters, tails', '-zlz4', '-C65536', '-Eztailpacking'),
  erofs('erofs in chunks', '--chunksize=4096'),
  newerErofs('erofs lz4hc, fragments', '-zlz4hc', '-Efragments'),
  newerErofs(
    'erofs lz4hc, all fragments, shared big clusters, tails',
    '-zlz4hc',
    '-C65536',
    '-Eall-fragments,dedupe,ztailpacking',
  ),
];

export function packWithout({ without, pack }: Form, image: string, tree: string): void {
  if (without === undefined) {
    pack(image, tree);
    return;
  }
  const aside = `${tree}.aside`;
  renameSync(join(tree, without), aside);
  try {
    pack(image, tree);
  } finally {
    renameSync(aside, join(tree, without));
  }
}

export const unpackers = [
  { name: 'cpio -i', needs: 'cpio', script: 'cd "$2" && cpio -id --quiet --no-absolute-filenames < "$1"' },
  { name: 'bsdtar', needs: 'bsdtar', script: 'cd "$2" && bsdtar -xf "$1"' },
] as const;

/** Beginning from each name's own bytes: `sort` in another locale would stop at what is not UTF-8. */
export const packInitrd = (form: string): string =>
  `cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio -0 --quiet -H ${form} -o > "$2"`;
