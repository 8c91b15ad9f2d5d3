/** The static program gives the native one's answers in a folder that holds nothing but it and what it reads. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeExt, run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, inNothing, kataCheck, staticProgram } from './program.ts';

const test = suite('static program');
const native = forms.find(({ name }) => name === 'native');
const needs = ['root', staticProgram, ...(native?.needs ?? [])];

/** Packed by `sh -c`, from the guest's tree. */
function initrd(to: string, pack: string): void {
  const tree = writeTree(temporaryFolder(), guestTree('3.12.0'));
  run('/bin/sh', '-c', `cd '${tree}' && find . | cpio -o -H newc --quiet | ${pack} > '${to}'`);
}

for (const [what, make, tools] of [
  ['an ext4 image', (to: string) => makeExt(to, writeTree(temporaryFolder(), guestTree('3.12.0')), '8M'), []],
  ['a plain initrd', (to: string) => initrd(to, 'cat'), ['cpio']],
  ['an initrd of gzip', (to: string) => initrd(to, 'gzip -n'), ['cpio']],
  ['an initrd of zstd', (to: string) => initrd(to, 'zstd -q'), ['cpio', 'zstd']],
  ['an initrd of xz', (to: string) => initrd(to, 'xz -C crc32'), ['cpio', 'xz']],
  [
    'two streams of xz with zeros between',
    (to: string) => initrd(to, "(xz; head -c 8 /dev/zero; printf '' | xz)"),
    ['cpio', 'xz'],
  ],
  ['an initrd of xz that breaks off', (to: string) => initrd(to, 'xz | head -c 300'), ['cpio', 'xz']],
  ['an initrd of xz with something else behind it', (to: string) => initrd(to, "(xz; printf 'other')"), ['cpio', 'xz']],
] as const) {
  test(
    `${what}: the same answer`,
    () => {
      const folder = temporaryFolder();
      make(join(folder, 'image'));
      const here = kataCheck(native as never, ['image', '--json', '--root', folder, '/image']);
      const there = inNothing(folder, 'image', '--json', '/image');
      assert.equal(there, { ...here, stdout: here.stdout.replaceAll(`${folder}/image`, '/image') });
      assert.match(there.stdout, / breaks off|too early|"version": "3\.12\.0"|are broken/);
    },
    { needs: [...needs, ...tools] },
  );
}

test(
  'a package whose members are packed with xz is read',
  () => {
    const folder = temporaryFolder();
    const deb = { name: 'kata-containers-image', version: '3.12.0-1', files: { 'usr/share/doc/x': 'x' } };
    makeDeb(folder, deb);
    const args = ['--json', '/kata-containers-image_3.12.0-1_all.deb'];
    const there = inNothing(folder, ...args);
    assert.is(there.stderr, '');
    assert.is(there.status, 0);
    assert.is(JSON.parse(there.stdout).schema, 1);
  },
  { needs },
);

test(
  'what only a program can decompress is told, and by which one',
  () => {
    const folder = temporaryFolder();
    initrd(join(folder, 'image'), 'bzip2');
    const there = inNothing(folder, 'image', '--json', '/image');
    assert.is(there.status, 11);
    assert.match(there.stdout + there.stderr, /the program bzip2 is not installed; it is in the package bzip2/);
  },
  { needs: [...needs, 'cpio', 'bzip2'] },
);

test('its table has every function that is looked for at run time', () => {
  const source = (name: string): string =>
    readFileSync(join(import.meta.dirname, '../../packaging/native', name), 'utf8');
  const names = (text: string, form: RegExp): string[] => [...text.matchAll(form)].map(([, name = '']) => name).sort();
  const wanted = names(source('native.c'), /dlsym\(handle, "(\w+)"\)/g);
  assert.ok(wanted.length > 10);
  assert.equal(names(source('linked.c'), /PART\((\w+)\),/g), wanted);
});
