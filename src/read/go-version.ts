/**
 * The version that a Go program of Kata has in itself, without running it.
 *
 * Go keeps the texts of a program one behind the other without an end, so that a search for text cannot tell where one begins. But the version is a
 * variable, so that the section .data holds its string header: a pointer, and a length (https://pkg.go.dev/reflect#StringHeader). In a
 * position-independent program the pointer is the addend of a relocation. Format: ELF, elf(5), of 64 bits and either byte order; the numbers of the relocations are
 * from the psABI of each architecture.
 *
 * The same section holds versions of the Container Network Interface, 0.x and 1.x, so that not every program can be told.
 */

import { Corrupt } from '../errors.ts';
import { type Bytes, latin1 } from './bytes.ts';
import * as limits from './limits.ts';
import type { Source } from './source.ts';

/** Of each architecture that Kata is built for, by e_machine: the relocation that adds the place of the program to an address. */
const relativeRelocations: ReadonlyMap<number, number> = new Map([
  [62, 8], // x86-64: R_X86_64_RELATIVE
  [183, 1027], // aarch64: R_AARCH64_RELATIVE
  [21, 22], // ppc64le: R_PPC64_RELATIVE
  [22, 12], // s390x: R_390_RELATIVE
]);

/** `0.0.0` to `999.999.999-alpha999`, and what vendors put behind. */
const shortest = 5;
const longest = 32;
const versionText = /^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:-(?:alpha|rc)[0-9]{1,3})?(?:\.[a-z]+[0-9]+)?$/;

/** Those by which a Go program is known: the first is inside of another one in some position-independent programs, the others came later. */
const goSections = ['.gopclntab', '.note.go.buildid', '.go.buildinfo'];

const headerBytes = 64;
const programHeaderBytes = 56;
const sectionHeaderBytes = 64;
const relocationBytes = 24;
const progbits = 1;
const rela = 4;
const pageBytes = 256 * 1024;

interface Part {
  /** In memory. */
  readonly address: number;
  /** In the file, in bytes. */
  readonly offset: number;
  readonly size: number;
}

class Elf {
  readonly #source: Source;
  readonly #isBig: boolean;
  readonly relative: number;
  /** What is loaded of the file. */
  readonly loaded: readonly Part[];
  readonly data: Part | undefined;
  readonly relocations: readonly Part[];
  readonly isGo: boolean;

  /** Throws Corrupt, LimitExceeded, Io. */
  constructor(source: Source, isBig: boolean, relative: number) {
    this.#source = source;
    this.#isBig = isBig;
    this.relative = relative;
    const header = this.read(0, headerBytes, 'ELF header');
    this.loaded = this.#loadedParts(header);
    const sections = this.#sections(header);
    this.data = sections.find(({ name, type }) => name === '.data' && type === progbits);
    this.relocations = sections.filter(({ type }) => type === rela);
    this.isGo = sections.some(({ name }) => goSections.includes(name));
  }

  read(offset: number, length: number, what: string): Bytes {
    return this.#source.read(offset, length, what);
  }

  u16(bytes: Bytes, at: number): number {
    return this.#isBig ? bytes.u16be(at) : bytes.u16(at);
  }

  u32(bytes: Bytes, at: number): number {
    return this.#isBig ? bytes.u32be(at) : bytes.u32(at);
  }

  u64(bytes: Bytes, at: number): number {
    return this.#isBig ? bytes.u64be(at) : bytes.u64(at);
  }

  /** The number of 64 bits, or undefined for one that is no place in any file: most of what stands in data is none. */
  word(bytes: Bytes, at: number): number | undefined {
    const [high, low] = this.#isBig ? [at, at + 4] : [at + 4, at];
    const upper = this.u32(bytes, high);
    return upper > 0xffff ? undefined : upper * 4294967296 + this.u32(bytes, low);
  }

  #loadedParts(header: Bytes): Part[] {
    const count = this.u16(header, 56);
    if (count > limits.programHeaders || this.u16(header, 54) !== programHeaderBytes) {
      throw new Corrupt(`${header.what}: ${count} program headers`);
    }
    const table = this.read(this.u64(header, 32), count * programHeaderBytes, 'ELF program headers');
    const parts: Part[] = [];
    for (let at = 0; at < table.length; at += programHeaderBytes) {
      // PT_LOAD.
      if (this.u32(table, at) !== 1) continue;
      parts.push({
        offset: this.u64(table, at + 8),
        address: this.u64(table, at + 16),
        size: this.u64(table, at + 32),
      });
    }
    return parts;
  }

  #sections(header: Bytes): (Part & { readonly name: string; readonly type: number })[] {
    const count = this.u16(header, 60);
    if (count > limits.programSections || (count > 0 && this.u16(header, 58) !== sectionHeaderBytes)) {
      throw new Corrupt(`${header.what}: ${count} sections`);
    }
    const table = this.read(this.u64(header, 40), count * sectionHeaderBytes, 'ELF section headers');
    const partAt = (at: number): Part => ({
      address: this.u64(table, at + 16),
      offset: this.u64(table, at + 24),
      size: this.u64(table, at + 32),
    });
    const namesAt = this.u16(header, 62) * sectionHeaderBytes;
    const names = namesAt < table.length ? partAt(namesAt) : { offset: 0, size: 0 };
    const length = Math.min(names.size, limits.programSectionNames);
    const texts = latin1(this.read(names.offset, length, 'names of ELF sections').data);
    const found = [];
    for (let at = 0; at < table.length; at += sectionHeaderBytes) {
      const start = this.u32(table, at);
      const name = texts.slice(start, start + 64).split('\0', 1)[0] ?? '';
      found.push({ ...partAt(at), name, type: this.u32(table, at + 4) });
    }
    return found;
  }
}

/** Places of texts that may be a version, in the file, by the page in which they begin; two numbers each, place and length. */
class Candidates {
  readonly pages = new Map<number, number[]>();
  readonly #loaded: readonly Part[];
  #count = 0;

  constructor(loaded: readonly Part[]) {
    this.#loaded = loaded;
  }

  add(address: number, length: number): void {
    const part = this.#loaded.find((one) => address >= one.address && address + length <= one.address + one.size);
    if (part === undefined || this.#count >= limits.programStrings) return;
    this.#count += 1;
    const place = address - part.address + part.offset;
    const page = Math.floor(place / pageBytes);
    const known = this.pages.get(page);
    if (known === undefined) this.pages.set(page, [place, length]);
    else known.push(place, length);
  }
}

/** The length of a string whose header begins at `at`, when it is that of a version. */
function lengthAt(elf: Elf, data: Bytes, at: number): number | undefined {
  if (at + 16 > data.length) return undefined;
  const length = elf.word(data, at + 8);
  return length !== undefined && length >= shortest && length <= longest ? length : undefined;
}

/** Throws Corrupt, LimitExceeded, Io. */
function candidatesIn(elf: Elf, part: Part): Candidates {
  const found = new Candidates(elf.loaded);
  const data = elf.read(part.offset, part.size, 'ELF section .data');
  for (let at = 0; at + 16 <= data.length; at += 8) {
    const length = lengthAt(elf, data, at);
    const address = length === undefined ? 0 : (elf.word(data, at) ?? 0);
    if (length !== undefined && address !== 0) found.add(address, length);
  }
  for (const { offset, size } of elf.relocations) {
    if (size > limits.programRelocations) continue;
    const step = Math.floor(pageBytes / relocationBytes) * relocationBytes;
    for (let from = 0; from < size; from += step) {
      const table = elf.read(offset + from, Math.min(step, size - from), 'ELF relocations');
      for (let at = 0; at + relocationBytes <= table.length; at += relocationBytes) {
        const place = (elf.word(table, at) ?? 0) - part.address;
        // The type is the lower half of r_info in both byte orders.
        if (place < 0 || place >= data.length || elf.word(table, at + 8) !== elf.relative) continue;
        const length = lengthAt(elf, data, place);
        const address = elf.word(table, at + 16);
        if (length !== undefined && address !== undefined) found.add(address, length);
      }
    }
  }
  return found;
}

/**
 * The version as `3.29.0` or `2.5.0-rc1`; null for what is no Go program of a known architecture, and where it cannot be told.
 * Throws Corrupt, LimitExceeded, Io.
 */
export function goVersion(source: Source): string | null {
  if (source.length < headerBytes) return null;
  const header = source.read(0, headerBytes, 'ELF header');
  const isBig = header.u8(5) === 2;
  // ELF of 64 bits.
  if (header.latin1(0, 5) !== '\x7fELF\x02') return null;
  const relative = relativeRelocations.get(isBig ? header.u16be(18) : header.u16(18));
  if (relative === undefined) return null;
  const elf = new Elf(source, isBig, relative);
  if (elf.data === undefined || !elf.isGo || elf.data.size > limits.readBytes) return null;
  const texts = new Set<string>();
  for (const [page, places] of candidatesIn(elf, elf.data).pages) {
    const start = page * pageBytes;
    const bytes = source.read(start, Math.min(pageBytes + longest, source.length - start), 'texts of a program').data;
    for (let at = 0; at < places.length; at += 2) {
      const from = (places[at] as number) - start;
      // Nearly all fail at their first letter.
      const first = bytes[from] ?? 0;
      if (first < 0x30 || first > 0x39) continue;
      const text = latin1(bytes.subarray(from, from + (places[at + 1] as number)));
      if (versionText.test(text)) texts.add(text);
    }
  }
  return theOwn([...texts]);
}

/**
 * Versions of the Container Network Interface stand beside Kata's: 0.x, and 1.x since Kata 2.4. A major version of two or more is Kata's; else
 * the only one of 1.x is, of a program that has no other.
 */
function theOwn(texts: readonly string[]): string | null {
  const major = (text: string): number => Number.parseInt(text, 10);
  const newer = texts.filter((text) => major(text) >= 2);
  if (newer.length > 0) return newer.length === 1 ? (newer[0] ?? null) : null;
  const older = texts.filter((text) => major(text) === 1);
  return older.length === 1 ? (older[0] ?? null) : null;
}
