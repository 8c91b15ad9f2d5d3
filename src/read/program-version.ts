/**
 * The version that a runtime of Kata has in itself, without running it.
 *
 * Go and Rust keep the texts of a program one behind the other without an end, so that a search for text cannot tell where one begins. But a
 * section of data holds their headers: a pointer, and a length. In a position-independent program the pointer is the addend of a relocation. Format:
 * ELF, elf(5), of 64 bits and either byte order; the numbers of the relocations are from the psABI of each architecture.
 *
 * - Go: the version is a variable, so that its header is in .data (https://pkg.go.dev/reflect#StringHeader). The same section holds versions of the
 *   Container Network Interface, 0.x and 1.x, so that not every program can be told.
 * - Rust: --version formats four constants (src/runtime-rs/crates/shim/src/bin/main.rs, show_version, the same from 3.0.0 to 4.1.0), so that their
 *   headers stand in this order in .data.rel.ro: the project's name, the runtime's name, the version, the commit. Three in a row are no chance. A compiler may
 *   lay them out in another way (rustc 1.95 does where the program has a fixed address): then nobody can tell.
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
const longestVersion = 32;
/** Of all texts that are read: a version, a commit and `-dirty`. */
const longest = longestVersion + 48;
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
  readonly source: Source;
  readonly #isBig: boolean;
  readonly relative: number;
  /** What is loaded of the file. */
  readonly loaded: readonly Part[];
  /** Of Go's variables, and of Rust's constants. */
  readonly variables: Part | undefined;
  readonly constants: Part | undefined;
  readonly relocations: readonly Part[];
  readonly isGo: boolean;

  /** Throws Corrupt, LimitExceeded, Io. */
  constructor(source: Source, isBig: boolean, relative: number) {
    this.source = source;
    this.#isBig = isBig;
    this.relative = relative;
    const header = this.read(0, headerBytes, 'ELF header');
    this.loaded = this.#loadedParts(header);
    const sections = this.#sections(header);
    const partOf = (wanted: string): Part | undefined =>
      sections.find(({ name, type }) => name === wanted && type === progbits);
    this.variables = partOf('.data');
    this.constants = partOf('.data.rel.ro');
    this.relocations = sections.filter(({ type }) => type === rela);
    this.isGo = sections.some(({ name }) => goSections.includes(name));
  }

  read(offset: number, length: number, what: string): Bytes {
    return this.source.read(offset, length, what);
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

/** Places of texts that are wanted, by the page of the file in which they begin; of each its place there, its length, and where its header is. */
class Candidates {
  readonly pages = new Map<number, number[]>();
  readonly #loaded: readonly Part[];
  #count = 0;

  constructor(loaded: readonly Part[]) {
    this.#loaded = loaded;
  }

  add(address: number, length: number, header: number): void {
    const part = this.#loaded.find((one) => address >= one.address && address + length <= one.address + one.size);
    if (part === undefined || this.#count >= limits.programStrings) return;
    this.#count += 1;
    const place = address - part.address + part.offset;
    const page = Math.floor(place / pageBytes);
    const known = this.pages.get(page);
    if (known === undefined) this.pages.set(page, [place, length, header]);
    else known.push(place, length, header);
  }
}

/** The length of the text whose header begins here, in bytes from the section's begin; undefined for what is none, or not wanted. */
type Wanted = (at: number) => number | undefined;

interface Section {
  readonly elf: Elf;
  readonly part: Part;
  readonly data: Bytes;
}

/** Null where there is none, or a larger one than any program has. Throws Corrupt, LimitExceeded, Io. */
function sectionOf(elf: Elf, part: Part | undefined): Section | null {
  if (part === undefined || part.size > limits.readBytes) return null;
  return { elf, part, data: elf.read(part.offset, part.size, 'ELF section of data') };
}

function lengthAt({ elf, data }: Section, at: number): number | undefined {
  return at + 16 > data.length ? undefined : elf.word(data, at + 8);
}

/** Throws Corrupt, LimitExceeded, Io. */
function candidatesIn({ elf, part, data }: Section, wanted: Wanted): Candidates {
  const found = new Candidates(elf.loaded);
  for (let at = 0; at + 16 <= data.length; at += 8) {
    const length = wanted(at);
    const address = length === undefined ? 0 : (elf.word(data, at) ?? 0);
    if (length !== undefined && address !== 0) found.add(address, length, at);
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
        const length = wanted(place);
        const address = elf.word(table, at + 16);
        if (length !== undefined && address !== undefined) found.add(address, length, place);
      }
    }
  }
  return found;
}

/** The texts by the places of their headers; `isFirst`: of what letter they may begin with, as nearly all fail there. Throws Corrupt, LimitExceeded, Io. */
function textsIn(section: Section, wanted: Wanted, isFirst: (letter: number) => boolean): Map<number, string> {
  const texts = new Map<number, string>();
  const { source } = section.elf;
  for (const [page, places] of candidatesIn(section, wanted).pages) {
    const start = page * pageBytes;
    const bytes = source.read(start, Math.min(pageBytes + longest, source.length - start), 'texts of a program').data;
    for (let at = 0; at < places.length; at += 3) {
      const [place = 0, length = 0, header = 0] = places.slice(at, at + 3);
      const from = place - start;
      if (isFirst(bytes[from] ?? 0)) texts.set(header, latin1(bytes.subarray(from, from + length)));
    }
  }
  return texts;
}

/**
 * The version as `3.29.0` or `2.5.0-rc1`; null for what is no runtime of a known architecture, and where it cannot be told.
 * Throws Corrupt, LimitExceeded, Io.
 */
export function programVersion(source: Source): string | null {
  if (source.length < headerBytes) return null;
  const header = source.read(0, headerBytes, 'ELF header');
  const isBig = header.u8(5) === 2;
  // ELF of 64 bits.
  if (header.latin1(0, 5) !== '\x7fELF\x02') return null;
  const relative = relativeRelocations.get(isBig ? header.u16be(18) : header.u16(18));
  if (relative === undefined) return null;
  const elf = new Elf(source, isBig, relative);
  const section = sectionOf(elf, elf.isGo ? elf.variables : elf.constants);
  if (section === null) return null;
  return elf.isGo ? goVersion(section) : rustVersion(section);
}

function goVersion(section: Section): string | null {
  const wanted: Wanted = (at) => {
    const length = lengthAt(section, at);
    return length !== undefined && length >= shortest && length <= longestVersion ? length : undefined;
  };
  const texts = textsIn(section, wanted, (letter) => letter >= 0x30 && letter <= 0x39);
  return theOwn([...new Set(texts.values())].filter((text) => versionText.test(text)));
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

const rustName = 'io.containerd.kata.v2';
/** Until 3.1 with the version before it; empty in a build that is not from git. */
const commitText = /^(?:[0-9a-f]{40}(?:-dirty)?)?$/;
const headerStep = 16;

function rustVersion(section: Section): string | null {
  const starts: number[] = [];
  const headers = new Set<number>();
  for (let at = 0; at + 3 * headerStep <= section.data.length && starts.length < limits.programStrings; at += 8) {
    if (lengthAt(section, at) !== rustName.length) continue;
    const [version = 0, commit = longest + 1] = [1, 2].map((next) => lengthAt(section, at + next * headerStep));
    if (version < shortest || version > longestVersion || commit > longest) continue;
    starts.push(at);
    for (const next of [0, 1, 2]) headers.add(at + next * headerStep);
  }
  if (starts.length === 0) return null;
  const texts = textsIn(
    section,
    (at) => (headers.has(at) ? lengthAt(section, at) : undefined),
    () => true,
  );
  const found = new Set<string>();
  for (const at of starts) {
    const [name, version = '', commit = ''] = [0, 1, 2].map((next) => texts.get(at + next * headerStep));
    const own = commit.startsWith(version) ? commit.slice(version.length).replace(/^-/, '') : commit;
    if (name === rustName && versionText.test(version) && commitText.test(own)) found.add(version);
  }
  const [first = null] = found;
  return found.size === 1 ? first : null;
}
