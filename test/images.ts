/**
 * Real guest images for tests: trees packed by the real mkfs programs, laid out as Kata's image_builder.sh does.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const folders: string[] = [];

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kata-check-test-'));
  if (folders.push(folder) === 1) {
    process.on('exit', () => {
      for (const path of folders) rmSync(path, { recursive: true, force: true });
    });
  }
  return folder;
}

/** File contents by path; `-> target` in the key's value makes a symlink of it. */
export type Tree = Readonly<Record<string, string | Uint8Array | { readonly link: string }>>;

export function writeTree(folder: string, tree: Tree): string {
  for (const [path, content] of Object.entries(tree)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    if (typeof content === 'object' && 'link' in content) symlinkSync(content.link, file);
    else writeFileSync(file, content);
  }
  return folder;
}

/** osbuilder.yaml of format 0.0.2, in which `version:` stands three times. */
export function osbuilderYaml(agentVersion: string): string {
  return `---
osbuilder:
  url: "https://github.com/kata-containers/kata-containers/tools/osbuilder"
  version: "unknown"
rootfs-creation-time: "2026-03-20T17:20:21.431783008+0000Z"
description: "osbuilder rootfs"
file-format-version: "0.0.2"
architecture: "x86_64"
base-distro:
  name: "Debian"
  version: "13"
  packages:
    default:
      - "iptables"
    extra:

agent:
  url: "https://github.com/kata-containers/kata-containers"
  name: "kata-agent"
  version: "${agentVersion}"
  agent-is-init-daemon: "no"
`;
}

/** What a guest image holds at the least: the summary, an agent, an init. */
export function guestTree(agentVersion: string): Tree {
  return {
    'var/lib/osbuilder/osbuilder.yaml': osbuilderYaml(agentVersion),
    'usr/bin/kata-agent': '\x7fELF stand-in for the agent',
    'usr/lib/systemd/systemd': '\x7fELF stand-in for the init',
    'usr/sbin/init': { link: '../lib/systemd/systemd' },
    sbin: { link: 'usr/sbin' },
  };
}

export const summaryPath = '/var/lib/osbuilder/osbuilder.yaml';

export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    maxBuffer: 1 << 28,
  });
}

/** Makes a bare ext filesystem of `size` (as mke2fs takes it) from a tree. */
export function makeExt(file: string, folder: string, size: string, ...options: string[]): string {
  run('mkfs.ext4', '-q', '-F', ...options, '-d', folder, file, size);
  return file;
}

const sector = 512;
const mebibyte = 1024 * 1024;

function masterBootRecord(partitions: readonly { readonly start: number; readonly length: number }[]): Buffer {
  const record = Buffer.alloc(sector);
  for (const [index, { start, length }] of partitions.entries()) {
    const at = 446 + index * 16;
    record[at + 4] = 0x83;
    record.writeUInt32LE(start / sector, at + 8);
    record.writeUInt32LE(length / sector, at + 12);
  }
  record.writeUInt16LE(0xaa55, 510);
  return record;
}

export interface DiskOptions {
  /** The DAX header of image_builder.sh: a second MBR at 2 MiB, and what is in the first moved by 2 MiB. */
  readonly dax?: boolean;
  /** A second partition, as a measured image has for its hashes. */
  readonly second?: Uint8Array;
}

/** Puts a filesystem into partition 1 of a disk image with an MBR. */
export function makeDisk(file: string, filesystem: string, options: DiskOptions = {}): string {
  const content = readFileSync(filesystem);
  const shift = options.dax === true ? 2 * mebibyte : 0;
  const start = shift + mebibyte;
  const length = Math.ceil(content.length / sector) * sector;
  const partitions = [{ start, length }];
  const second = options.second;
  if (second !== undefined)
    partitions.push({ start: start + length, length: Math.ceil(second.length / sector) * sector });
  const descriptor = openSync(file, 'w');
  writeSync(descriptor, masterBootRecord(partitions), 0, sector, 0);
  if (options.dax === true) {
    writeSync(descriptor, 'NVDIMM_PFN_INFO\0', 4096);
    const inner = partitions.map((partition) => ({ ...partition, start: partition.start - shift }));
    writeSync(descriptor, masterBootRecord(inner), 0, sector, shift);
  }
  writeSync(descriptor, content, 0, content.length, start);
  if (second !== undefined) writeSync(descriptor, second, 0, second.length, start + length);
  closeSync(descriptor);
  return file;
}

/** What a measured image has beside its filesystem, made by veritysetup as image_builder.sh does. */
export interface Verity {
  /** The bytes of the second partition. */
  readonly hashes: Uint8Array;
  /** As `kernel_verity_params` and root_hash_VARIANT.txt have it. */
  readonly parameters: string;
  /** What veritysetup prints, which was root_hash_VARIANT.txt until 3.26. */
  readonly printed: string;
}

export function makeVerity(filesystem: string, ...options: string[]): Verity {
  const file = `${filesystem}.hash`;
  writeFileSync(file, '');
  const salt = '00112233445566778899aabbccddeeff';
  const printed = run('veritysetup', 'format', `--salt=${salt}`, ...options, filesystem, file);
  const value = (label: string): string => new RegExp(`^${label}:\\s+(\\S+)`, 'm').exec(printed)?.[1] ?? '';
  return {
    hashes: readFileSync(file),
    parameters: `root_hash=${value('Root hash')},salt=${value('Salt')},data_blocks=${value('Data blocks')},data_block_size=4096,hash_block_size=4096`,
    printed,
  };
}

/** The minor version of mkfs.erofs 1, 0 when it does not say; its help and its version begin with the name and the number. */
export function erofsVersion(): number {
  const { stdout, stderr } = spawnSync('mkfs.erofs', ['-V'], { encoding: 'utf8' });
  return Number(/mkfs\.erofs(?: \(erofs-utils\))? 1\.([0-9]+)/.exec(`${stdout}${stderr}`)?.[1] ?? 0);
}
