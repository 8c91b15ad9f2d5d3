/** A whole tree as our readers read it, a line for each entry: the same in both forms, and on every architecture. */

import type { Host } from '../../src/host/host.ts';
import { isInitrd, openInitrd } from '../../src/read/cpio.ts';
import { openErofs } from '../../src/read/erofs.ts';
import { openExt4 } from '../../src/read/ext4.ts';
import { type FileSystem, type Inode, pieces } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isErofs, isExt4 } from '../../src/read/superblocks.ts';
import { openXfs } from '../../src/read/xfs.ts';

type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** FNV-1a of 32 bits: every byte and its place count. */
async function sum(content: Pieces): Promise<number> {
  let value = 0x811c9dc5;
  for await (const piece of content)
    for (let at = 0; at < piece.length; at += 1) value = Math.imul(value ^ (piece[at] as number), 0x01000193);
  return value >>> 0;
}

/** Bytes of a path as they are, escaped where they are no printable ASCII. */
const written = (path: string): string =>
  path.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** Not a divisor of anything, so that pieces begin anywhere. */
const pieceSize = 100_003;

interface Opened {
  readonly root: Inode;
  /** The content of the nth entry, if it is asked for: each file of a compressed initrd decompresses all of it. */
  content(file: Inode, number: number): Pieces | undefined;
}

async function open(host: Host, source: Source): Promise<Opened> {
  const opened = ({ root }: FileSystem): Opened => ({ root, content: (file) => pieces(file, pieceSize) });
  if (isExt4(source)) return opened(openExt4(source));
  if (isErofs(source)) return opened(openErofs(source));
  if (!isInitrd(source)) return opened(openXfs(source));
  const { filesystem, compression, stream } = await openInitrd(host, source);
  const isRead = (number: number): boolean => compression === null || number % 50 === 0;
  return { root: filesystem.root, content: (file, number) => (isRead(number) ? stream(file) : undefined) };
}

/** Every entry of an image, in the order of names. */
export async function walk(host: Host, image: string): Promise<string[]> {
  const budget = new Budget(host, host.now() + 300_000, Number.POSITIVE_INFINITY);
  const { root, content } = await open(host, new Source(host.open(image), budget));
  const lines: string[] = [];
  const pending: [path: string, inode: Inode][] = [['', root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, inode] = next;
    // The budget is for one question, and this asks hundreds.
    budget.spent = 0;
    const data = inode.kind === 'file' ? content(inode, lines.length) : undefined;
    const target = inode.kind === 'symlink' ? written(inode.target()) : '-';
    const facts = [inode.kind, inode.size, target, data === undefined ? '-' : await sum(data)];
    lines.push(`${written(path)} ${facts.join(' ')}`);
    if (inode.kind !== 'directory') continue;
    for (const name of [...inode.names()].sort()) {
      const child = inode.lookup(name);
      if (child === undefined) throw new Error(`${written(`${path}/${name}`)} is listed but not found`);
      pending.push([`${path}/${name}`, child]);
    }
  }
  return lines;
}
