/**
 * What every filesystem reader offers, and paths through it. Names and targets are byte strings (see bytes.ts).
 */

import { Corrupt, LimitExceeded, NotFound } from '../errors.ts';
import * as limits from './limits.ts';

export type InodeKind = 'file' | 'directory' | 'symlink' | 'other';

/** One file, directory or link. A method of the wrong kind throws Corrupt, as does anything that contradicts the format. */
export interface Inode {
  readonly kind: InodeKind;
  /** In bytes. */
  readonly size: number;
  /** Of a directory. */
  lookup(name: string): Inode | undefined;
  /** Of a directory, without `.` and `..`. Throws LimitExceeded over the limit of entries. */
  names(): Iterable<string>;
  /** Of a symlink. */
  target(): string;
  /** Of a file: exactly `length` bytes from `offset`; holes are zeros. At most limits.readBytes at once. */
  read(offset: number, length: number): Uint8Array;
}

export interface FileSystem {
  readonly type: 'ext4' | 'xfs' | 'erofs' | 'cpio';
  readonly root: Inode;
  /** What the reader noticed and read around, as "the journal was not replayed". */
  readonly notes: readonly string[];
}

/**
 * The inode at `path`, its symlinks resolved inside the image, or undefined when there is none.
 * Throws LimitExceeded (links, length), and what the reader throws.
 */
export function resolve(filesystem: FileSystem, path: string): Inode | undefined {
  let links = 0;
  const pending = path.split('/').reverse();
  const parents: Inode[] = [];
  let here = filesystem.root;
  while (pending.length > 0) {
    const name = pending.pop();
    if (name === undefined || name === '' || name === '.') continue;
    if (here.kind !== 'directory') return undefined;
    if (name === '..') {
      here = parents.pop() ?? filesystem.root;
      continue;
    }
    const next = here.lookup(name);
    if (next === undefined) return undefined;
    if (next.kind !== 'symlink') {
      parents.push(here);
      here = next;
      continue;
    }
    links += 1;
    if (links > limits.symlinks) throw new LimitExceeded(`${path}: more than ${limits.symlinks} symbolic links`);
    if (next.size > limits.pathBytes) {
      throw new LimitExceeded(`${path}: a symbolic link of ${next.size} bytes is too long`);
    }
    const target = next.target();
    if (target.startsWith('/')) {
      here = filesystem.root;
      parents.length = 0;
    }
    pending.push(...target.split('/').reverse());
    if (pending.length > limits.pathBytes) throw new LimitExceeded(`${path}: its symbolic links make it too long`);
  }
  return here;
}

/** A file's bytes from its start, in pieces of `step` bytes. */
export function* pieces(file: Inode, step: number, limit = file.size): Generator<Uint8Array> {
  const end = Math.min(file.size, limit);
  for (let at = 0; at < end; at += step) yield file.read(at, Math.min(step, end - at));
}

/** The whole of a small file. Throws NotFound, LimitExceeded (over `limit` bytes), Corrupt when it is no file. */
export function readFile(filesystem: FileSystem, path: string, limit: number): Uint8Array {
  const inode = resolve(filesystem, path);
  if (inode === undefined) throw new NotFound(`${path} is not in the image`);
  if (inode.kind !== 'file') throw new Corrupt(`${path} in the image is a ${inode.kind}, not a file`);
  if (inode.size > limit) throw new LimitExceeded(`${path} in the image has ${inode.size} bytes, more than ${limit}`);
  return inode.read(0, inode.size);
}
