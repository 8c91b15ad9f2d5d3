/** A whole tree as our readers read it beside a folder that another program has unpacked. */

import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { type FileSystem, type Inode, pieces } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { raw } from './forms.ts';

export const host = createNodeHost();

export interface Figures {
  files: number;
  others: number;
  bytes: number;
}

type Content = (file: Inode) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Not a divisor of anything, so that pieces begin anywhere. */
const pieceSize = 1_000_003;
const fromInode: Content = (file) => pieces(file, pieceSize);

async function compareFile(
  path: string,
  size: number,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const descriptor = openSync(raw(path), 'r');
  try {
    let at = 0;
    for await (const piece of content) {
      const expected = Buffer.alloc(piece.length);
      readSync(descriptor, expected, 0, piece.length, at);
      if (!expected.equals(piece)) throw new Error(`${path}: other bytes in ${at} to ${at + piece.length}`);
      at += piece.length;
    }
    assert.is(at, size, path);
  } finally {
    closeSync(descriptor);
  }
}

/** All of what we read beside all of what stands in the folder `theirs`. Throws at the first difference. */
export async function compare(
  filesystem: FileSystem,
  budget: Budget,
  theirs: string,
  content = fromInode,
): Promise<Figures> {
  const figures: Figures = { files: 0, others: 0, bytes: 0 };
  const pending: [path: string, inode: Inode][] = [[theirs, filesystem.root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, inode] = next;
    // The budget is for one question, and this asks thousands.
    budget.spent = 0;
    const status = lstatSync(raw(path));
    if (inode.kind === 'file') {
      assert.ok(status.isFile(), path);
      assert.is(inode.size, status.size, path);
      await compareFile(path, status.size, content(inode));
      figures.files += 1;
      figures.bytes += inode.size;
      continue;
    }
    figures.others += 1;
    if (inode.kind === 'symlink') {
      assert.ok(status.isSymbolicLink(), path);
      assert.is(inode.target(), readlinkSync(raw(path), 'buffer').toString('latin1'), path);
    } else if (inode.kind === 'directory') {
      const names = [...inode.names()].sort();
      const expected = readdirSync(raw(path), 'buffer').map((name) => name.toString('latin1'));
      assert.equal(names, expected.sort(), path);
      for (const name of names) {
        const child = inode.lookup(name);
        assert.ok(child !== undefined, `${path}/${name} is listed but not found`);
        pending.push([`${path}/${name}`, child]);
      }
    }
  }
  return figures;
}

export function open(image: string): Source {
  return new Source(host.open(image), new Budget(host, host.now() + 300_000, Number.POSITIVE_INFINITY));
}
