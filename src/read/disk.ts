/**
 * Where the filesystem begins in a disk image: MBR, GPT or neither, and the DAX header of Kata's image_builder.sh.
 *
 * DAX: byte 4096 holds an nvdimm header (`NVDIMM_PFN_INFO`, Linux drivers/nvdimm/pfn.h) and byte 2 MiB a second MBR for the
 * guest; the first one counts from byte 0 and is read here. The partition type tells nothing (erofs is labelled as ext4).
 * Formats: MBR as in every PC; GPT as in the UEFI specification, section 5.3. Not read: logical partitions.
 */

import { Corrupt } from '../errors.ts';
import type { FileSystem } from './filesystem.ts';
import type { Source } from './source.ts';
import { isErofs, isExt4, isXfs } from './superblocks.ts';

const sectorSize = 512;
const protectiveType = 0xee;
/** The specification's minimum is 128 entries of 128 bytes, and nobody makes more. */
const gptEntryLimit = 1024;
const gptEntrySizeLimit = 4096;

export interface Partition {
  /** From 1, as tools count them. */
  readonly number: number;
  /** In bytes, from the start of the image. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

export interface Layout {
  readonly table: 'mbr' | 'gpt' | 'none';
  readonly dax: boolean;
  readonly partitions: readonly Partition[];
}

/** Throws Corrupt (a broken GPT), Io. */
export function readLayout(source: Source): Layout {
  const none: Layout = { table: 'none', dax: false, partitions: [] };
  if (source.length < sectorSize) return none;
  const record = source.read(0, sectorSize, 'master boot record');
  if (record.u16(510) !== 0xaa55) return none;
  const entries = [0, 1, 2, 3].map((index) => record.slice(446 + index * 16, 16, `MBR entry ${index + 1}`));
  if (entries.some((entry) => entry.u8(4) === protectiveType)) return readGpt(source);
  const partitions = entries.flatMap((entry, index) => {
    const offset = entry.u32(8) * sectorSize;
    const length = entry.u32(12) * sectorSize;
    return entry.u8(4) === 0 || length === 0 ? [] : [{ number: index + 1, offset, length }];
  });
  if (partitions.length === 0) return none;
  return { table: 'mbr', dax: hasDaxHeader(source), partitions };
}

function hasDaxHeader(source: Source): boolean {
  return source.length >= 4112 && source.read(4096, 16, 'DAX header').latin1(0, 16) === 'NVDIMM_PFN_INFO\0';
}

function readGpt(source: Source): Layout {
  const header = source.read(sectorSize, 92, 'GPT header');
  if (header.latin1(0, 8) !== 'EFI PART') throw new Corrupt('GPT header: no signature behind a protective MBR');
  const count = header.u32(80);
  const size = header.u32(84);
  if (count > gptEntryLimit || size < 128 || size > gptEntrySizeLimit) {
    throw new Corrupt(`GPT header: ${count} entries of ${size} bytes`);
  }
  const entries = source.read(header.u64(72) * sectorSize, count * size, 'GPT entries');
  const partitions: Partition[] = [];
  for (let index = 0; index < count; index += 1) {
    const entry = entries.slice(index * size, size, `GPT entry ${index + 1}`);
    if (entry.data.subarray(0, 16).every((byte) => byte === 0)) continue;
    const first = entry.u64(32);
    const last = entry.u64(40);
    if (last < first) throw new Corrupt(`${entry.what}: ends at sector ${last} before it begins at ${first}`);
    partitions.push({ number: index + 1, offset: first * sectorSize, length: (last - first + 1) * sectorSize });
  }
  return { table: 'gpt', dax: false, partitions };
}

/** Every filesystem that is read, in the order in which it is looked for. Its reader is loaded when there is one. */
const filesystems: readonly {
  readonly is: (source: Source) => boolean;
  readonly open: (source: Source) => Promise<FileSystem>;
}[] = [
  { is: isExt4, open: async (source) => (await import('./ext4.ts')).openExt4(source) },
  { is: isErofs, open: async (source) => (await import('./erofs.ts')).openErofs(source) },
  { is: isXfs, open: async (source) => (await import('./xfs.ts')).openXfs(source) },
];

export interface Found {
  /** Null for a filesystem without a table around it. */
  readonly partition: Partition | null;
  /** In bytes. */
  readonly offset: number;
  /** Throws as the reader. */
  open(): Promise<FileSystem>;
}

/** The first partition, else the whole image, that holds a known filesystem. Throws Io. */
export function findFileSystem(source: Source, layout: Layout): Found | undefined {
  const places: readonly (Partition | null)[] = layout.table === 'none' ? [null] : layout.partitions;
  for (const partition of places) {
    if (partition !== null && partition.offset >= source.length) continue;
    const part =
      partition === null ? source : source.part(partition.offset, partition.length, `partition ${partition.number}`);
    const filesystem = filesystems.find(({ is }) => is(part));
    if (filesystem !== undefined) return { partition, offset: part.offset, open: () => filesystem.open(part) };
  }
  return undefined;
}
