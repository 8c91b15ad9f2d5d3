/**
 * Every file of a whole tree, as our readers read it and as another program does: debugfs, Linux itself, fsck.erofs, cpio, bsdtar.
 * The tree is half of this system's own files and half of what is odd: long and deep and not UTF-8, sparse and large.
 * Left out: ext4 with inline_data, of which debugfs 1.47.0 dumps more than the file's size.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openInitrd } from '../../src/read/cpio.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { compare, type Figures, host, open } from './compare.ts';
import { disks, makeTree, packInitrd, packWithout, sh, unpackers } from './forms.ts';

const test = suite('oracle');
const folder = temporaryFolder();
const mebibyte = 1024 * 1024;

let packed: string | undefined;

function oddTree(): string {
  packed ??= makeTree(join(folder, 'tree'), {
    bytes: 60 * mebibyte,
    files: 2500,
    folders: 60,
    wide: 1500,
    large: 20 * mebibyte,
  });
  return packed;
}

function tell(name: string, other: string, { files, others, bytes }: Figures): void {
  assert.ok(files > 5000 && bytes > 180e6, `${name}: only ${files} files and ${bytes} bytes were compared`);
  console.log(`\n  ${name} beside ${other}: ${files} files, ${bytes} bytes, ${others} others, differences 0`);
}

for (const form of disks) {
  test(
    `${form.name}: every file is what ${form.other} reads`,
    async () => {
      const image = join(folder, 'image');
      const out = join(folder, 'out');
      packWithout(form, image, oddTree());
      mkdirSync(out);
      form.unpack(image, out);
      try {
        const source = open(image);
        tell(form.name, form.other, await compare(form.open(source), source.budget, out));
      } finally {
        form.release?.(out);
        rmSync(out, { recursive: true });
        rmSync(image);
      }
    },
    { needs: ['bash', 'cp', ...form.needs], timeout: 300 },
  );
}

for (const [index, unpacker] of unpackers.entries()) {
  test(
    `cpio: every file is what ${unpacker.name} reads`,
    async () => {
      const image = join(folder, 'initrd');
      const out = join(folder, 'out');
      sh(packInitrd(index === 0 ? 'newc' : 'crc'), oddTree(), image);
      mkdirSync(out);
      try {
        sh(unpacker.script, image, out);
        const source = open(image);
        const { filesystem } = await openInitrd(host, source);
        tell(index === 0 ? 'cpio newc' : 'cpio crc', unpacker.name, await compare(filesystem, source.budget, out));
      } finally {
        rmSync(out, { recursive: true });
        rmSync(image, { force: true });
      }
    },
    { needs: ['bash', 'find', 'sort', 'cpio', unpacker.needs], timeout: 300 },
  );
}
