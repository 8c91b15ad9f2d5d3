import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Problem } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { goVersion } from '../../src/read/go-version.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { Random } from '../fuzz/mutate.ts';
import { hostOf, MemoryFile } from '../fuzz/property.ts';
import { temporaryFolder } from '../images.ts';
import { goProgram } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('the version in a Go program');
const host = createNodeHost();

function versionOf(path: string): string | null {
  const file = host.open(path);
  try {
    return goVersion(new Source(file, new Budget(host, host.now() + 60_000)));
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

interface Made {
  readonly machine?: number;
  readonly isBig?: boolean;
  /** The relocation's number; null: the pointers stand in the data. */
  readonly relocation?: number | null;
  readonly texts: readonly string[];
  readonly section?: string;
  readonly dataName?: string;
}

/** An ELF program of a few hundred bytes: texts in a row, their headers, relocations, and the names of the sections. */
function elf({
  machine = 62,
  isBig = false,
  relocation = null,
  texts,
  section = '.gopclntab',
  dataName = '.data',
}: Made): Buffer {
  const base = 0x400000;
  const run = Buffer.from(`run on ${texts.join('')}7 on`);
  const runAt = 64 + 56;
  const dataAt = Math.ceil((runAt + run.length) / 8) * 8;
  const relocationsAt = dataAt + texts.length * 16;
  const names = `\0${section}\0${dataName}\0.rela.dyn\0.shstrtab\0`;
  const namesAt = relocationsAt + (relocation === null ? 0 : texts.length * 24);
  const sectionsAt = Math.ceil((namesAt + names.length) / 8) * 8;
  const bytes = Buffer.alloc(sectionsAt + 5 * 64);
  const u16 = (at: number, value: number): unknown =>
    isBig ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at);
  const u32 = (at: number, value: number): unknown =>
    isBig ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
  const u64 = (at: number, value: number): unknown =>
    isBig ? bytes.writeBigUInt64BE(BigInt(value), at) : bytes.writeBigUInt64LE(BigInt(value), at);
  bytes.write(`\x7fELF\x02${isBig ? '\x02' : '\x01'}\x01`, 'latin1');
  u16(18, machine);
  u64(32, 64);
  u64(40, sectionsAt);
  for (const [at, value] of [
    [54, 56],
    [56, 1],
    [58, 64],
    [60, 5],
    [62, 4],
  ] as const)
    u16(at, value);
  // One part of the program, all of it: PT_LOAD.
  u32(64, 1);
  u64(72, 0);
  u64(80, base);
  u64(96, namesAt);
  run.copy(bytes, runAt);
  let textAt = base + runAt + 7;
  for (const [index, text] of texts.entries()) {
    const at = dataAt + index * 16;
    u64(at + 8, text.length);
    if (relocation === null) u64(at, textAt);
    else {
      const entry = relocationsAt + index * 24;
      u64(entry, base + at);
      u64(entry + 8, relocation);
      u64(entry + 16, textAt);
    }
    textAt += text.length;
  }
  bytes.write(names, namesAt);
  const sections = [
    [section, 1, runAt, 0],
    [dataName, 1, dataAt, texts.length * 16],
    ['.rela.dyn', 4, relocationsAt, namesAt - relocationsAt],
    ['.shstrtab', 3, namesAt, names.length],
  ] as const;
  for (const [index, [name, type, offset, size]] of sections.entries()) {
    const at = sectionsAt + (index + 1) * 64;
    u32(at, names.indexOf(`\0${name}\0`) + 1);
    u32(at + 4, type);
    u64(at + 16, base + offset);
    u64(at + 24, offset);
    u64(at + 32, size);
  }
  return bytes;
}

const cni = ['0.1.0', '0.4.0', '1.0.0', '1.1.0'];

const rows: readonly [rule: string, made: Made, expected: string | null][] = [
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
    const bytes = elf({ texts: [...cni, '3.29.0'], relocation: number % 2 === 0 ? 8 : null });
    for (let count = 1 + random.below(3); count > 0; count -= 1) {
      const at = random.below(bytes.length - 8);
      const value = [0, 0xff, 0x7fffffff, 0x10000, random.below(1 << 30)][random.below(5)] as number;
      if (random.below(2) === 0) bytes[at] = value & 0xff;
      else bytes.writeUInt32LE(value, at);
    }
    const file = new MemoryFile('program', bytes);
    const memory = hostOf(host, () => file);
    try {
      const found = goVersion(new Source(file, new Budget(memory, memory.now() + 5000)));
      assert.ok(found === null || /^\d+\.\d+\.\d/.test(found), String(found));
    } catch (error) {
      assert.instance(error, Problem);
      refused += 1;
    }
  }
  assert.ok(refused > 100);
});
