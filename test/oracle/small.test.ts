/**
 * A small tree with all that is odd, in every form: each file as another program reads it, and the same in the native form. Where CROSS names
 * another architecture, as packaging/native/build takes it, that form is made for it and runs under qemu-user.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { nativeProgram } from '../fuzz/native.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { compare, host, open } from './compare.ts';
import { disks, makeTree, packInitrd, packWithout, sh } from './forms.ts';
import { walk } from './walk.ts';

const test = suite('oracle, a small tree in both forms');
const folder = temporaryFolder();
const top = join(import.meta.dirname, '../..');

let made: { readonly tree: string; readonly program: string } | undefined;

function make(): NonNullable<typeof made> {
  if (made !== undefined) return made;
  const program = join(folder, 'walk');
  run(join(top, 'packaging/native/build'), join(import.meta.dirname, 'walk.quickjs.ts'), program);
  const amounts = { bytes: 3_000_000, files: 60, folders: 2, wide: 300, large: 1_000_000 };
  made = { tree: makeTree(join(folder, 'tree'), amounts), program };
  return made;
}

/** What the native form reads is what the Node form reads; returns how many entries that are. */
async function compareForms(image: string): Promise<number> {
  const ours = await walk(host, image);
  const natives = run(join(top, 'packaging/native/run'), '--program', make().program, image);
  assert.equal(natives.trimEnd().split('\n'), ours);
  return ours.length;
}

for (const form of disks) {
  test(
    `${form.name}: every file is what ${form.other} reads, in both forms`,
    async () => {
      const image = join(folder, 'image');
      const out = join(folder, 'out');
      packWithout(form, image, make().tree);
      mkdirSync(out);
      form.unpack(image, out);
      try {
        const source = open(image);
        await compare(form.open(source), source.budget, out);
        assert.ok((await compareForms(image)) > 800);
      } finally {
        form.release?.(out);
        rmSync(out, { recursive: true });
        rmSync(image);
      }
    },
    { needs: ['bash', 'cp', nativeProgram, ...form.needs], timeout: 300 },
  );
}

for (const program of ['', 'gzip', 'zstd', 'xz', 'lz4']) {
  test(
    `cpio ${program}: every file is the same in both forms`,
    async () => {
      const image = join(folder, 'initrd');
      sh(packInitrd('newc'), make().tree, image);
      if (program !== '') sh('"$2" -c "$1" > "$1.packed" && mv "$1.packed" "$1"', image, program);
      assert.ok((await compareForms(image)) > 800);
      rmSync(image);
    },
    { needs: ['bash', 'find', 'sort', 'cpio', nativeProgram, ...(program === '' ? [] : [program])], timeout: 300 },
  );
}
