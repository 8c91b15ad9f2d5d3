import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Problem } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { programVersion } from '../../src/read/program-version.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { Random } from '../fuzz/mutate.ts';
import { hostOf, MemoryFile } from '../fuzz/property.ts';
import { temporaryFolder } from '../images.ts';
import { elf, goProgram, type MadeElf, rustRuntime, rustTexts } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('the version in a program');
const host = createNodeHost();

function versionOf(path: string): string | null {
  const file = host.open(path);
  try {
    return programVersion(new Source(file, new Budget(host, host.now() + 60_000)));
  } finally {
    file.close();
  }
}

const real: readonly [architecture: string, isPositionIndependent: boolean, version: string][] = [
  ['amd64', false, '3.29.0'],
  ['amd64', true, '2.5.0-rc1'],
  ['arm64', true, '3.19.1.kata3'],
  ['ppc64le', false, '2.5.0-alpha2'],
  ['s390x', false, '4.0.0'],
];

for (const [architecture, isPositionIndependent, version] of real) {
  test(
    `a real one for ${architecture}${isPositionIndependent ? ', position-independent' : ''}`,
    () => {
      assert.is(versionOf(goProgram({ version, architecture, isPositionIndependent })), version);
    },
    { needs: ['go'], timeout: 300 },
  );
}

const commit = '0123456789abcdef0123456789abcdef01234567';

for (const text of [commit, `${commit}-dirty`, '', `3.1.0-${commit}`]) {
  test(
    `a real one of Rust, built at ${text === '' ? 'no commit' : text}`,
    () => assert.is(versionOf(rustRuntime('3.1.0', text)), '3.1.0'),
    { needs: ['rustc'], timeout: 120 },
  );
}

const cni = ['0.1.0', '0.4.0', '1.0.0', '1.1.0'];

const rows: readonly [rule: string, made: MadeElf, expected: string | null][] = [
  ['x86-64, the pointers stand in the data', { texts: ['3.29.0'] }, '3.29.0'],
  ['x86-64, position-independent', { texts: ['3.29.0'], relocation: 8 }, '3.29.0'],
  ['aarch64', { texts: ['3.29.0'], machine: 183, relocation: 1027 }, '3.29.0'],
  ['ppc64le', { texts: ['3.29.0'], machine: 21, relocation: 22 }, '3.29.0'],
  ['s390x, big-endian', { texts: ['3.29.0'], machine: 22, isBig: true, relocation: 12 }, '3.29.0'],
  ['s390x, the pointers stand in the data', { texts: ['3.29.0'], machine: 22, isBig: true }, '3.29.0'],
  ['another architecture', { texts: ['3.29.0'], machine: 243 }, null],
  ['relocations of another kind say nothing of a place', { texts: ['3.29.0'], relocation: 6 }, null],
  ['versions of the Container Network Interface beside it', { texts: [...cni, '3.29.0'] }, '3.29.0'],
  ['a runtime of 1.x, beside 0.x of the interface', { texts: ['0.3.1', '1.12.0'] }, '1.12.0'],
  ['a runtime of 1.x or the interface: nobody can tell', { texts: ['1.0.0', '1.12.0'] }, null],
  ['two of 2 and more', { texts: ['2.5.0', '3.29.0'] }, null],
  ['the same one twice', { texts: ['3.29.0', '3.29.0'] }, '3.29.0'],
  ['the interface alone', { texts: ['0.3.1', '0.4.0'] }, null],
  ['a candidate', { texts: ['2.5.0-rc1', '1.0.0'] }, '2.5.0-rc1'],
  ['of a vendor', { texts: ['3.19.1.kata3'] }, '3.19.1.kata3'],
  ['texts that only begin as a version', { texts: ['3.29.0sha512', '3.29', '3.29.0-', 'v3.29.0'] }, null],
  ['nothing', { texts: [] }, null],
  ['Rust', rustTexts('3.29.0', commit), '3.29.0'],
  ['Rust, the pointers stand in the data', { ...rustTexts('4.1.0-rc1', commit), relocation: null }, '4.1.0-rc1'],
  ['Rust, s390x', { ...rustTexts('3.29.0', commit), machine: 22, isBig: true, relocation: 12 }, '3.29.0'],
  ['Rust, of changed sources', rustTexts('3.29.0', `${commit}-dirty`), '3.29.0'],
  ['Rust, not from git', rustTexts('3.29.0', ''), '3.29.0'],
  ['Rust, the version stands in its commit, too', rustTexts('3.0.0', `3.0.0-${commit}`), '3.0.0'],
  ['Rust, the commit is of another version', rustTexts('3.0.0', `3.1.0-${commit}`), null],
  ['Rust, something else stands where the commit does', rustTexts('3.29.0', 'x'), null],
  ['Rust, another name stands before the version', rustTexts('3.29.0', commit, 'io.containerd.runc.v2'), null],
  ['Rust, a version that is none', rustTexts('3.29', commit), null],
  [
    'Rust, in another order',
    { ...rustTexts('3.29.0', commit), texts: ['io.containerd.kata.v2', commit, '3.29.0'] },
    null,
  ],
  [
    'Rust, two versions',
    { ...rustTexts('', ''), texts: [...rustTexts('3.1.0', commit).texts, ...rustTexts('3.2.0', commit).texts] },
    null,
  ],
  ['Rust, only constants count', { ...rustTexts('3.29.0', commit), dataName: '.data' }, null],
  ['a program that is not of Go', { texts: ['3.29.0'], section: '.text' }, null],
  ['a newer Go names what it was built from', { texts: ['3.29.0'], section: '.go.buildinfo' }, '3.29.0'],
  ['only variables count', { texts: ['3.29.0'], dataName: '.rodata' }, null],
];

for (const [rule, made, expected] of rows) {
  test(`${rule}: ${expected ?? 'not known'}`, () => {
    const path = join(temporaryFolder(), 'program');
    writeFileSync(path, elf(made));
    assert.is(versionOf(path), expected);
  });
}

test('what is no ELF program of 64 bits has none', () => {
  const good = elf({ texts: ['3.29.0'] });
  const bits32 = Buffer.from(good);
  bits32[4] = 1;
  for (const bytes of [Buffer.alloc(0), Buffer.from('#!/bin/sh\n'), Buffer.alloc(1000), good.subarray(0, 63), bits32]) {
    const path = join(temporaryFolder(), 'program');
    writeFileSync(path, bytes);
    assert.is(versionOf(path), null);
  }
});

test('damaged programs give a version, none, or one of our errors, and end', () => {
  let refused = 0;
  for (let number = 0; number < 3000; number += 1) {
    const random = new Random(20261127, number);
    const relocation = number % 2 === 0 ? 8 : null;
    const bytes = elf(
      number % 3 === 0 ? { ...rustTexts('3.29.0', commit), relocation } : { texts: [...cni, '3.29.0'], relocation },
    );
    for (let count = 1 + random.below(3); count > 0; count -= 1) {
      const at = random.below(bytes.length - 8);
      const value = [0, 0xff, 0x7fffffff, 0x10000, random.below(1 << 30)][random.below(5)] as number;
      if (random.below(2) === 0) bytes[at] = value & 0xff;
      else bytes.writeUInt32LE(value, at);
    }
    const file = new MemoryFile('program', bytes);
    const memory = hostOf(host, () => file);
    try {
      const found = programVersion(new Source(file, new Budget(memory, memory.now() + 5000)));
      assert.ok(found === null || /^\d+\.\d+\.\d/.test(found), String(found));
    } catch (error) {
      assert.instance(error, Problem);
      refused += 1;
    }
  }
  assert.ok(refused > 100);
});
