/**
 * Guest images of real size for the measurements: about 250 MB of programs and libraries of this very system, with a summary and
 * an agent of 60 MB, as a disk of each filesystem and as initrds. What is there already is not made again.
 */

import { execFileSync } from 'node:child_process';
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
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDisk, osbuilderYaml, run } from '../images.ts';
import { has } from '../suite.ts';

const mebibyte = 1024 * 1024;
const version = '3.31.0';
const commit = '0123456789abcdef0123456789abcdef01234567';
/** Larger files are left out: no guest image holds them. */
const largestFile = 12 * mebibyte;
export interface Part {
  readonly from: readonly string[];
  /** A folder of the tree. */
  readonly to: string;
  /** When to stop. */
  readonly bytes: number;
  readonly files: number;
}

/** Of files beside the agent; what is in `opt` is on the disks only. */
const parts: readonly Part[] = [
  { from: ['/usr/lib', '/usr/bin', '/usr/sbin'], to: '', bytes: 140 * mebibyte, files: 6000 },
  { from: ['/usr/share'], to: 'opt', bytes: 80 * mebibyte, files: 8000 },
];

/** Copies files, directories and links, in the order of their names, until there are enough. */
export function copySome(part: Part, tree: string): { files: number; bytes: number } {
  let files = 0;
  let bytes = 0;
  const pending: string[] = [...part.from].reverse();
  for (let path = pending.pop(); path !== undefined && bytes < part.bytes && files < part.files; path = pending.pop()) {
    const status = lstatSync(path);
    const to = join(tree, part.to, path);
    if (status.isDirectory()) {
      // A folder of a hundred large libraries after another of small texts makes a better mixture than either.
      const names = readdirSync(path).sort().slice(0, 400);
      pending.push(...names.map((name) => `${path}/${name}`).reverse());
    } else if (status.isSymbolicLink() || (status.isFile() && status.size <= largestFile)) {
      mkdirSync(dirname(to), { recursive: true });
      if (status.isSymbolicLink()) symlinkSync(readlinkSync(path), to);
      else copyFileSync(path, to);
      files += 1;
      bytes += status.size;
    }
  }
  return { files, bytes };
}

/** 60 MB of this program's own interpreter, which is machine code and texts as an agent is, with a version near its end. */
function writeAgent(file: string): void {
  const size = 60 * mebibyte;
  const node = readFileSync(process.execPath);
  const content = Buffer.alloc(size);
  for (let at = 0; at < size; at += node.length) node.copy(content, at);
  content.write(`\0${version}-${commit}\0`, size - 3 * mebibyte, 'latin1');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode: 0o755 });
}

export interface Fixture {
  /** As kata-check gets it. */
  readonly image: string;
  /** The bare filesystem, for programs that know no partitions; of an initrd, the image. */
  readonly bare: string;
  /** In bytes, of `bare`. */
  readonly size: number;
}

/** `disk` holds the filesystem at 3 MiB. */
export const diskOffset = 3 * mebibyte;

export type FixtureName = 'ext4' | 'xfs' | 'erofs' | 'erofs lz4hc' | 'initrd gzip' | 'initrd zstd' | 'initrd plain';

/** A maker that fails leaves no half file behind. */
function once(file: string, make: (temporary: string) => void): string {
  if (existsSync(file)) return file;
  const temporary = `${file}.new`;
  rmSync(temporary, { force: true, recursive: true });
  make(temporary);
  renameSync(temporary, file);
  return file;
}

function sh(script: string, ...args: string[]): void {
  execFileSync('/bin/bash', ['-o', 'pipefail', '-c', script, 'bash', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** A file of so many bytes without content. */
function makeSparse(file: string, size: number): void {
  const descriptor = openSync(file, 'w');
  writeSync(descriptor, Buffer.alloc(1), 0, 1, size - 1);
  closeSync(descriptor);
}

/** mkfs.xfs 6.1 takes no folder, so that it is filled where root may mount. */
function makeXfs(file: string, tree: string): void {
  makeSparse(file, 512 * mebibyte);
  run('mkfs.xfs', '-q', '-f', '-m', 'reflink=0', '-b', 'size=4096', file);
  const top = `${file}.mount`;
  mkdirSync(top);
  try {
    run('mount', '-t', 'xfs', '-o', 'loop', file, top);
    try {
      sh('cp -a "$1/." "$2/"', tree, top);
    } finally {
      run('umount', top);
    }
  } finally {
    rmSync(top, { recursive: true });
  }
}

const makers: Readonly<
  Record<FixtureName, { readonly needs: readonly string[]; make(file: string, tree: string): void }>
> = {
  ext4: {
    needs: ['mkfs.ext4'],
    make: (file, tree) => run('mkfs.ext4', '-q', '-F', '-b', '4096', '-d', tree, file, '384M'),
  },
  xfs: { needs: ['mkfs.xfs', 'root', 'mount'], make: makeXfs },
  erofs: { needs: ['mkfs.erofs'], make: (file, tree) => run('mkfs.erofs', '-Enoinline_data', file, tree) },
  'erofs lz4hc': {
    needs: ['mkfs.erofs'],
    make: (file, tree) => run('mkfs.erofs', '-zlz4hc', '-Enoinline_data', file, tree),
  },
  'initrd plain': { needs: ['cpio'], make: (file, tree) => sh(pack('cat'), tree, file) },
  // As image_builder.sh does, but for the time that -9 takes.
  'initrd gzip': { needs: ['cpio', 'gzip'], make: (file, tree) => sh(pack('gzip -6'), tree, file) },
  'initrd zstd': { needs: ['cpio', 'zstd'], make: (file, tree) => sh(pack('zstd -q -10 -T2'), tree, file) },
};

/** `find` gives names in the directory's own order, which differs from one copy to another. */
function pack(compressor: string): string {
  return `cd "$1" && find . -path ./opt -prune -o -print | LC_ALL=C sort | cpio --quiet -H newc -o | ${compressor} > "$2"`;
}

/** In the folder of the images, as it is packed. */
export const agentPath = 'tree/usr/bin/kata-agent';

export interface Fixtures {
  readonly tree: { readonly files: number; readonly bytes: number };
  /** Undefined with the reason where a program is missing. */
  get(name: FixtureName): Fixture | string;
}

export function fixtures(folder: string): Fixtures {
  mkdirSync(folder, { recursive: true });
  const tree = join(folder, 'tree');
  once(tree, (to) => {
    for (const part of parts) copySome(part, to);
    writeAgent(join(to, 'usr/bin/kata-agent'));
    mkdirSync(join(to, 'var/lib/osbuilder'), { recursive: true });
    writeFileSync(join(to, 'var/lib/osbuilder/osbuilder.yaml'), osbuilderYaml(version));
  });
  let files = 0;
  let bytes = 0;
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += lstatSync(join(entry.parentPath, entry.name)).size;
  }
  return {
    tree: { files, bytes },
    get: (name) => {
      const { needs, make } = makers[name];
      const missing = needs.filter((need) => !has(need));
      if (missing.length > 0) return `needs ${missing.join(', ')}`;
      const bare = once(join(folder, `${name.replace(' ', '-')}.img`), (file) => make(file, tree));
      const { size } = statSync(bare);
      if (name.startsWith('initrd')) return { image: bare, bare, size };
      const image = once(
        join(folder, `${name.replace(' ', '-')}.disk`),
        (file) => void makeDisk(file, bare, { dax: true }),
      );
      return { image, bare, size };
    },
  };
}
