import * as assert from 'uvu/assert';
import type { File } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isErofs, isExt4, isXfs } from '../../src/read/superblocks.ts';
import { suite } from '../suite.ts';

const test = suite('marks of filesystems');
const host = createNodeHost();

/** A source of so many bytes with these ones in it. */
function source(length: number, at: number, mark: readonly number[]): Source {
  const bytes = new Uint8Array(length);
  for (const [index, value] of mark.entries()) bytes[at + index] = value;
  const file: File = {
    path: 'made.img',
    size: length,
    read: (from, count) => bytes.slice(from, from + count),
    close() {},
  };
  return new Source(file, new Budget(host, host.now() + 10_000));
}

/** What stands where, as mkfs.ext4, mkfs.erofs and mkfs.xfs write it. */
const marks = {
  ext4: { is: isExt4, at: 1024 + 56, mark: [0x53, 0xef], least: 2048 },
  erofs: { is: isErofs, at: 1024, mark: [0xe2, 0xe1, 0xf5, 0xe0], least: 1152 },
  xfs: { is: isXfs, at: 0, mark: [0x58, 0x46, 0x53, 0x42], least: 512 },
};

for (const [name, { is, at, mark, least }] of Object.entries(marks)) {
  test(`${name}: its mark at its place, and nothing else`, () => {
    assert.ok(is(source(4096, at, mark)));
    assert.not(is(source(4096, at + 1, mark)), 'a byte further on');
    assert.not(is(source(4096, at, [...mark].reverse())), 'the other order of bytes');
    for (const other of Object.values(marks)) if (other.is !== is) assert.not(other.is(source(4096, at, mark)));
  });

  test(`${name}: a source that ends within the superblock holds none`, () => {
    assert.ok(is(source(least, at, mark)));
    for (const length of [0, 1, at, least - 1]) assert.not(is(source(length, at, mark)), `${length}`);
  });
}
