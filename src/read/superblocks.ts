/**
 * By which mark each filesystem that is read is known. Apart from the readers, of which an image needs one. Sources: those that ext4.ts, erofs.ts and
 * xfs.ts name.
 */

import type { Source } from './source.ts';

/** In bytes: where a superblock is, how long, and where in it the magic number stands. */
export const superblocks = {
  ext4: { offset: 1024, size: 1024, at: 56, magic: 0xef53 },
  erofs: { offset: 1024, size: 128, at: 0, magic: 0xe0f5e1e2 },
  xfs: { offset: 0, size: 512, at: 0, magic: 0x58465342 },
} as const;

/** Whether a superblock of ext2, ext3 or ext4 stands in the source. Throws Io. */
export function isExt4(source: Source): boolean {
  const { offset, size, at, magic } = superblocks.ext4;
  return source.length >= offset + size && source.read(offset + at, 2, 'ext4 superblock').u16(0) === magic;
}

/** Whether an erofs superblock stands in the source. Throws Io. */
export function isErofs(source: Source): boolean {
  const { offset, size, at, magic } = superblocks.erofs;
  return source.length >= offset + size && source.read(offset + at, 4, 'erofs superblock').u32(0) === magic;
}

/** Whether an xfs superblock stands in the source. Throws Io. */
export function isXfs(source: Source): boolean {
  const { offset, size, at, magic } = superblocks.xfs;
  return source.length >= offset + size && source.read(offset + at, 4, 'xfs superblock').u32be(0) === magic;
}
