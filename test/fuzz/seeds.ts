/**
 * Small good images of every form, made by the real programs, for damage. The same in every run as far as the programs
 * allow: fixed identifiers and times.
 */

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { erofsVersion, guestTree, makeDisk, run, temporaryFolder, writeTree } from '../images.ts';
import { agentProto, compressed, descriptorsOf, elf, protoFilesOf, rustTexts } from '../programs.ts';
import { everyForm } from '../read/erofs-maker.ts';
import { has } from '../suite.ts';
import type { Seed } from './campaign.ts';

export const readers = ['ext4', 'xfs', 'erofs', 'cpio', 'stream', 'disk', 'initrd', 'program'] as const;
export type Reader = (typeof readers)[number];

/** What makes a reader's images; without it, those that need it are left out. */
export const programs: Readonly<Record<Reader, readonly string[]>> = {
  ext4: ['mkfs.ext4'],
  xfs: ['mkfs.xfs', 'env'],
  erofs: ['mkfs.erofs'],
  cpio: ['cpio'],
  stream: ['cpio'],
  disk: ['mkfs.ext4', 'mkfs.erofs'],
  initrd: ['cpio', 'gzip', 'zstd', 'xz', 'lz4', 'bzip2'],
  program: ['protoc'],
};

const identifier = '01234567-89ab-4cde-8f01-23456789abcd';
const time = '1700000000';
const sampleImage = join(
  import.meta.dirname,
  '../fixtures/founding-case/node/usr/share/kata-containers/kata-containers.img',
);

/** Text of numbers, which compresses by about half. */
function text(length: number): Buffer {
  const lines: string[] = [];
  for (let index = 0; lines.length * 8 < length + 8; index += 1) lines.push(`${(index * 7919) % 99991}`.padEnd(8, '.'));
  return Buffer.from(lines.join('').slice(0, length));
}

function noise(length: number): Buffer {
  let state = 88172645;
  return Buffer.from(
    Uint8Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state;
    }),
  );
}

/** A guest with files, directories and links of every size and kind. */
function makeTree(folder: string, many: number): string {
  const tree = writeTree(folder, guestTree('3.31.0'));
  const version = `3.31.0-${'0123456789abcdef'.repeat(3).slice(0, 40)}`;
  writeFileSync(join(tree, 'usr/bin/kata-agent'), Buffer.concat([text(20_000), Buffer.from(version), noise(5000)]));
  mkdirSync(join(tree, 'many'));
  for (let index = 0; index < many; index += 1)
    writeFileSync(join(tree, 'many', `file-${index}-${'n'.repeat(index % 90)}`), `${index}`);
  writeFileSync(join(tree, 'text'), text(100_000));
  writeFileSync(join(tree, 'noise'), noise(30_000));
  writeFileSync(join(tree, 'empty'), '');
  mkdirSync(join(tree, 'deep/in/the/tree'), { recursive: true });
  writeFileSync(join(tree, 'deep/in/the/tree/file'), 'deep');
  symlinkSync('usr/bin/kata-agent', join(tree, 'short-link'));
  symlinkSync(`${'./'.repeat(100)}usr/bin`, join(tree, 'long-link'));
  return tree;
}

/** Blocks with holes between: extents enough for a tree, block numbers enough for two levels. */
function addHoles(tree: string): void {
  const file = openSync(join(tree, 'holes'), 'w');
  for (let index = 0; index < 400; index += 1) writeSync(file, text(1024), 0, 1024, index * 2048);
  closeSync(file);
}

type Form = readonly [name: string, ...options: string[]];

const extForms: readonly Form[] = [
  ['blocks of 4 KiB', '-b', '4096', '4M'],
  ['blocks of 1 KiB', '-b', '1024', '4M'],
  ['blocks of 2 KiB, 64bit', '-b', '2048', '-O', '64bit,^metadata_csum', '4M'],
  ['blocks of 64 KiB', '-b', '65536', '-O', '^has_journal', '16M'],
  ['ext2', '-t', 'ext2', '-b', '1024', '-O', '^extents,^64bit,^metadata_csum,^huge_file,^flex_bg', '4M'],
  ['ext3', '-t', 'ext3', '-b', '4096', '-O', '^extents,^64bit,^metadata_csum', '8M'],
  ['inodes of 128 bytes', '-I', '128', '-O', '^extra_isize', '4M'],
  ['inline data', '-b', '1024', '-O', 'inline_data,large_dir', '4M'],
  ['meta_bg', '-b', '1024', '-O', 'meta_bg,^resize_inode', '-g', '1024', '4M'],
  ['bigalloc', '-b', '1024', '-O', 'bigalloc', '-C', '4096', '8M'],
  ['sparse_super2', '-O', 'sparse_super2,^resize_inode', '-b', '1024', '4M'],
];

function ext4(folder: string): Seed[] {
  const sample = { name: 'ext4-sample.img', data: readFileSync(sampleImage) };
  if (!has('mkfs.ext4')) return [sample];
  const tree = makeTree(join(folder, 'tree'), 80);
  addHoles(tree);
  const made = extForms.map(([name, ...options], index) => {
    const file = join(folder, `ext4-${index}.img`);
    const size = options.pop() as string;
    const fixed = ['-U', identifier, '-E', `hash_seed=${identifier},root_owner=0:0`];
    run(
      'env',
      `E2FSPROGS_FAKE_TIME=${time}`,
      'mkfs.ext4',
      '-q',
      '-F',
      '-N',
      '256',
      ...fixed,
      ...options,
      '-d',
      tree,
      file,
      size,
    );
    return { name: `ext4-${name}`, data: readFileSync(file) };
  });
  return [sample, ...made];
}

const xfsForms: readonly Form[] = [
  ['the defaults'],
  ['version 4', '-m', 'crc=0'],
  ['version 4, blocks of 512 bytes', '-m', 'crc=0', '-b', 'size=512', '-i', 'size=256', '-n', 'ftype=0'],
  ['blocks of 1 KiB', '-b', 'size=1024', '-m', 'rmapbt=1'],
  ['directory blocks of 16 KiB', '-n', 'size=16384', '-i', 'size=1024'],
];

/** What mkfs.xfs takes instead of a folder: a list of what the image shall hold. */
function xfsList(tree: string): string {
  const lines = ['/', '0 0', 'd--755 0 0'];
  const list = (place: string): void => {
    for (const name of readdirSync(place).sort()) {
      const path = join(place, name);
      const status = lstatSync(path);
      if (status.isSymbolicLink()) lines.push(`${name} l--777 0 0 ${execFileSync('readlink', ['-n', path])}`);
      else if (status.isDirectory()) {
        lines.push(`${name} d--755 0 0`);
        list(path);
      } else lines.push(`${name} ---644 0 0 ${path}`);
    }
    lines.push('$');
  };
  list(tree);
  return `${lines.join('\n')}\n`;
}

function xfs(folder: string): Seed[] {
  if (!has('mkfs.xfs')) return [];
  const tree = makeTree(join(folder, 'tree'), 80);
  // Each file takes a block between two of the directory's: extents enough for a tree.
  mkdirSync(join(tree, 'twisted'));
  for (let index = 0; index < 900; index += 1) writeFileSync(join(tree, 'twisted', `${index}-${'t'.repeat(100)}`), 'x');
  writeFileSync(join(folder, 'list'), xfsList(tree));
  return xfsForms.map(([name, ...options], index) => {
    const file = join(folder, `xfs-${index}.img`);
    const small = ['TEST_DIR=/', 'TEST_DEV=/', 'QA_CHECK_FS=1'];
    const fixed = ['-d', `file,name=${file},size=16m`, '-p', join(folder, 'list')];
    run('env', ...small, 'mkfs.xfs', '-q', ...fixed, ...options);
    return { name: `xfs-${name}`, data: readFileSync(file) };
  });
}

const erofsForms: readonly Form[] = [
  ['plain'],
  ['no inline data', '-Enoinline_data'],
  ['lz4hc, no inline data', '-zlz4hc', '-Enoinline_data'],
  ['extended inodes', '-Eforce-inode-extended', '-zlz4'],
  ['full indexes, no padding', '-zlz4', '-Elegacy-compress'],
  ['full indexes, padded', '-zlz4hc', '-Elegacy-compress'],
  ['clusters of 64 KiB', '-zlz4hc', '-C65536'],
  ['full indexes of 64 KiB', '-zlz4', '-C65536', '-Elegacy-compress'],
  ['inlined tails', '-zlz4hc', '-Eztailpacking'],
  ['inlined tails, full indexes', '-zlz4hc', '-Eztailpacking,legacy-compress'],
  ['chunks', '--chunksize=4096'],
  ['chunk indexes', '--chunksize=4096', '-Eforce-chunk-indexes'],
  ['chunks with holes, extended inodes', '--chunksize=4096', '-Eforce-inode-extended'],
];

/** Since erofs-utils 1.6; an older mkfs.erofs passes over what it does not know. */
const newErofsForms: readonly Form[] = [
  ['fragments', '-zlz4hc', '-Efragments'],
  ['all fragments', '-zlz4hc', '-Eall-fragments'],
  ['shared clusters', '-zlz4hc', '-Ededupe'],
  ['shared clusters of 64 KiB, fragments, inlined tails', '-zlz4hc', '-C65536', '-Eall-fragments,dedupe,ztailpacking'],
  ['blocks of 512 bytes', '-zlz4hc', '-b512'],
  ['blocks of 1 KiB', '-b1024'],
];

/** By hand, with fragments and shared clusters too, whatever mkfs.erofs there is. */
function erofsByHand(): Seed[] {
  return [9, 12, 14].map((bits) => ({
    name: `erofs-by hand, blocks of ${1 << bits} bytes`,
    data: everyForm(bits).finish(),
  }));
}

function erofs(folder: string): Seed[] {
  if (!has('mkfs.erofs')) return erofsByHand();
  const tree = makeTree(join(folder, 'tree'), 80);
  addHoles(tree);
  writeFileSync(join(tree, 'hole'), '');
  truncateSync(join(tree, 'hole'), 300_000);
  const forms = erofsVersion() < 6 ? erofsForms : [...erofsForms, ...newErofsForms];
  const made = forms.map(([name, ...options], index) => {
    const file = join(folder, `erofs-${index}.img`);
    run('mkfs.erofs', '--quiet', '-T', time, '-U', identifier, ...options, file, tree);
    return { name: `erofs-${name}`, data: readFileSync(file) };
  });
  return [...made, ...erofsByHand()];
}

/** The same bytes whenever they are made: the times of its files are in each header. */
function pack(tree: string, form: 'newc' | 'crc'): Buffer {
  run('find', tree, '-exec', 'touch', '-h', '-d', `@${time}`, '{}', '+');
  const list = execFileSync('find', ['.', '-print'], { cwd: tree, encoding: 'utf8' }).trim().split('\n').sort();
  return execFileSync('cpio', ['-o', '--quiet', '--reproducible', '-H', form], {
    cwd: tree,
    input: `${list.join('\n')}\n`,
    maxBuffer: 1 << 26,
  });
}

function archives(folder: string): {
  readonly all: Buffer;
  readonly crc: Buffer;
  readonly early: Buffer;
  readonly small: Buffer;
} {
  const tree = makeTree(join(folder, 'tree'), 40);
  execFileSync('ln', ['text', 'hard-link'], { cwd: tree });
  const early = writeTree(join(folder, 'early'), { 'kernel/x86/microcode/GenuineIntel.bin': noise(3000) });
  const small = writeTree(join(folder, 'small'), guestTree('3.31.0'));
  return { all: pack(tree, 'newc'), crc: pack(tree, 'crc'), early: pack(early, 'newc'), small: pack(small, 'newc') };
}

function cpio(folder: string): Seed[] {
  if (!has('cpio')) return [];
  const { all, crc, early, small } = archives(folder);
  return [
    { name: 'cpio-newc', data: all },
    { name: 'cpio-crc', data: crc },
    { name: 'cpio-small', data: small },
    { name: 'cpio-two in a row', data: Buffer.concat([early, Buffer.alloc(1024), small]) },
  ];
}

/** Archives as they come out of a decompressor, which property.ts stands in for: no program is started. */
function stream(folder: string): Seed[] {
  return cpio(folder).flatMap(({ name, data }) =>
    [0, 1, 2, 3, 4].map((cut) => {
      // How the chunks are cut, and whether the program stops at something behind them.
      const head = Buffer.of(0x1f, 0x8b, 0, 0, cut, cut === 4 ? 2 : 0, 0, 0, 0, 0);
      return { name: `stream-${name}-${cut}`, data: Buffer.concat([head, data]) };
    }),
  );
}

const compressors: readonly [name: string, ...argv: string[]][] = [
  ['gzip', 'gzip', '-nc'],
  ['zstd', 'zstd', '-qc'],
  ['xz', 'xz', '-c'],
  ['lz4', 'lz4', '-qc'],
  ['lz4 legacy', 'lz4', '-lqc'],
  ['bzip2', 'bzip2', '-c'],
];

/** The compressed forms, each of which costs a program's start for each look. */
function initrd(folder: string): Seed[] {
  if (!has('cpio')) return [];
  const { all, early, small } = archives(folder);
  return compressors.flatMap(([name, program = '', ...options]) => {
    if (!has(program)) return [];
    const packed = (bytes: Buffer): Buffer => execFileSync(program, options, { input: bytes, maxBuffer: 1 << 26 });
    return [
      { name: `initrd-${name}`, data: packed(all) },
      { name: `initrd-${name}-early`, data: Buffer.concat([early, packed(small), Buffer.alloc(512), early]) },
    ];
  });
}

/** Sectors of 512 bytes: the protective record, the header, 128 entries, and the filesystem from 1 MiB on. */
function gptDisk(filesystem: Uint8Array): Buffer {
  const disk = Buffer.alloc(1024 * 1024 + filesystem.length + 34 * 512);
  const sectors = disk.length / 512;
  disk[450] = 0xee;
  disk.writeUInt32LE(1, 454);
  disk.writeUInt32LE(sectors - 1, 458);
  disk.writeUInt16LE(0xaa55, 510);
  disk.write('EFI PART', 512);
  for (const [at, value] of [
    [8, 0x10000],
    [12, 92],
    [24, 1],
    [72, 2],
    [80, 128],
    [84, 128],
  ] as const)
    disk.writeUInt32LE(value, 512 + at);
  disk.write('linux filesystem', 1024);
  disk.writeUInt32LE(2048, 1024 + 32);
  disk.writeUInt32LE(2047 + filesystem.length / 512, 1024 + 40);
  disk.set(filesystem, 1024 * 1024);
  return disk;
}

function disk(folder: string): Seed[] {
  const sample = { name: 'disk-sample.img', data: readFileSync(sampleImage) };
  if (!has('mkfs.ext4') || !has('mkfs.erofs')) return [sample];
  const tree = writeTree(join(folder, 'tree'), guestTree('3.31.0'));
  const ext = join(folder, 'ext.img');
  const compressed = join(folder, 'erofs.img');
  run(
    'env',
    `E2FSPROGS_FAKE_TIME=${time}`,
    'mkfs.ext4',
    '-q',
    '-F',
    '-b',
    '1024',
    '-U',
    identifier,
    '-O',
    '^has_journal',
    '-d',
    tree,
    ext,
    '512K',
  );
  run('mkfs.erofs', '--quiet', '-T', time, '-U', identifier, '-zlz4hc', compressed, tree);
  const dax = makeDisk(join(folder, 'dax.img'), ext, { dax: true });
  const measured = makeDisk(join(folder, 'measured.img'), compressed, { second: noise(8192) });
  return [
    sample,
    { name: 'disk-dax', data: readFileSync(dax) },
    { name: 'disk-measured', data: readFileSync(measured) },
    { name: 'disk-gpt', data: gptDisk(readFileSync(ext)) },
  ];
}

/** Small ELF programs with descriptors in both forms, and the texts beside them. */
function program(): Seed[] {
  const all = descriptorsOf(protoFilesOf(agentProto(['PauseContainer'])));
  const texts = Buffer.from('\0/grpc.AgentService/PauseContainer is not supported\0grpc.CreateContainerRequest');
  const made = (relocation: number | null, descriptors: readonly Buffer[]): Buffer =>
    Buffer.concat([elf({ texts: ['0.4.0', '3.29.0'], relocation }), ...descriptors, texts]);
  return [
    { name: 'program-raw', data: made(null, all) },
    { name: 'program-gzip', data: made(8, all.map(compressed)) },
    { name: 'program-rust', data: Buffer.concat([elf(rustTexts('3.29.0', 'a'.repeat(40))), ...all]) },
  ];
}

const makers: Readonly<Record<Reader, (folder: string) => Seed[]>> = {
  ext4,
  xfs,
  erofs,
  cpio,
  stream,
  disk,
  initrd,
  program,
};

/** In the folder given, or in one that is gone when the process ends. */
export function makeSeeds(reader: Reader, folder = temporaryFolder()): Seed[] {
  // Not as Node's buffers, whose slices are views.
  return makers[reader](folder).map(({ name, data }) => ({ name, data: new Uint8Array(data) }));
}
