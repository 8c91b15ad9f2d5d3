/**
 * Numbers and strings out of bytes of an image, with a bounds check on each. Put together by hand from single bytes:
 * s390x is big-endian, and typed-array views there have read wrong in one QuickJS version.
 */

import { Corrupt } from '../errors.ts';

/** 8192 arguments at once is well below every engine's limit. */
const characterChunk = 8192;

/** Of a text: some of the lines before its first empty one, a character for each byte, and where that is; -1 where there is none. */
export interface Beginning {
  readonly lines: string[];
  readonly end: number;
}

/** Of a UTF-8 sequence with so many bytes behind its first one: the least character, or it would be shorter. */
const leastOfSequence = [0, 0x80, 0x800, 0x10000] as const;

/** What takes long in an interpreter. */
export interface Inner {
  latin1(bytes: Uint8Array): string;
  find(haystack: Uint8Array, needle: Uint8Array, from: number): number;
  linesBeginning(bytes: Uint8Array, beginnings: readonly string[]): Beginning;
  isPlain(bytes: Uint8Array): boolean;
  utf8(bytes: Uint8Array): string | undefined;
}

let inner: Inner = {
  latin1: (bytes) => {
    let text = '';
    for (let at = 0; at < bytes.length; at += characterChunk) {
      // Spreading the bytes would take ten times as long in QuickJS.
      text += String.fromCharCode.apply(null, bytes.subarray(at, at + characterChunk) as unknown as number[]);
    }
    return text;
  },
  find: (haystack, needle, from) => {
    const first = needle[0];
    if (first === undefined) return from;
    for (let at = haystack.indexOf(first, from); at !== -1; at = haystack.indexOf(first, at + 1)) {
      let matched = 1;
      while (matched < needle.length && haystack[at + matched] === needle[matched]) matched += 1;
      if (matched === needle.length) return at;
    }
    return -1;
  },
  linesBeginning: (bytes, beginnings) => {
    const text = latin1(bytes);
    const end = text.startsWith('\n') ? 0 : text.indexOf('\n\n') + 1 || -1;
    const lines = (end === -1 ? text : text.slice(0, end)).split('\n');
    const isWanted = (line: string): boolean =>
      beginnings.some((beginning) => line.slice(0, beginning.length).toLowerCase() === beginning);
    return { lines: lines.filter(isWanted), end };
  },
  isPlain: (bytes) => bytes.every((byte) => byte === 0x0a || (byte >= 0x20 && byte < 0x7f)),
  // By hand: QuickJS has no decoder but that of URLs, and what has to be escaped for it takes 256 times its size.
  utf8: (bytes) => {
    let text = '';
    let units: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const first = bytes[at] as number;
      at += 1;
      let character = first;
      if (first >= 0x80) {
        const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc0 || first > 0xf4) return undefined;
        character = first & (0x3f >> more);
        for (let left = more; left > 0; left -= 1) {
          const next = bytes[at] ?? 0;
          if (next >>> 6 !== 2) return undefined;
          character = (character << 6) | (next & 0x3f);
          at += 1;
        }
        const isSurrogate = character >= 0xd800 && character <= 0xdfff;
        if (character < (leastOfSequence[more] as number) || character > 0x10ffff || isSurrogate) return undefined;
      }
      if (character < 0x10000) units.push(character);
      else units.push(0xd800 + ((character - 0x10000) >> 10), 0xdc00 + (character & 0x3ff));
      if (units.length >= characterChunk || at >= bytes.length) {
        text += String.fromCharCode.apply(null, units);
        units = [];
      }
    }
    return text;
  },
};

/** At its start, a form of the program can give functions that do the same in less time. */
export function replaceInner(faster: Inner): void {
  inner = faster;
}

/** A text with one character (0 to 255) for each byte: names in an image need not be UTF-8 and must compare exactly. */
export function latin1(bytes: Uint8Array): string {
  return inner.latin1(bytes);
}

/** Where `needle` first stands at or after `from`, or -1. */
export function find(haystack: Uint8Array, needle: Uint8Array, from = 0): number {
  return inner.find(haystack, needle, from);
}

/** The lines before the first empty one that begin with one of these (8 at the most, in small letters of ASCII), in small or large letters. */
export function linesBeginning(bytes: Uint8Array, beginnings: readonly string[]): Beginning {
  return inner.linesBeginning(bytes, beginnings);
}

/** Nothing but printable ASCII and ends of lines. */
export function isPlain(bytes: Uint8Array): boolean {
  return inner.isPlain(bytes);
}

/** The text that UTF-8 bytes stand for; undefined when they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  return inner.utf8(bytes);
}

/** Bytes of a text of `latin1`'s form. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The UTF-8 bytes of a text, in which half a character is the replacement character. By hand: QuickJS has no TextEncoder. */
export function toUtf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'));
  return fromLatin1(escaped.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))));
}

/** A piece of an image that knows what it is, for messages. Offsets are in bytes from its start. */
export class Bytes {
  readonly data: Uint8Array;
  /** What this is, as "ext4 inode 12". */
  readonly what: string;

  constructor(data: Uint8Array, what: string) {
    this.data = data;
    this.what = what;
  }

  get length(): number {
    return this.data.length;
  }

  /** Throws Corrupt unless `length` bytes stand at `offset`. */
  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.data.length)) {
      throw new Corrupt(
        `${this.what}: bytes ${offset} to ${offset + length} lie outside its ${this.data.length} bytes`,
      );
    }
  }

  u8(offset: number): number {
    this.#check(offset, 1);
    return this.data[offset] as number;
  }

  u16(offset: number): number {
    this.#check(offset, 2);
    const { data } = this;
    return (data[offset] as number) | ((data[offset + 1] as number) << 8);
  }

  u32(offset: number): number {
    this.#check(offset, 4);
    const { data } = this;
    return (
      ((data[offset] as number) |
        ((data[offset + 1] as number) << 8) |
        ((data[offset + 2] as number) << 16) |
        ((data[offset + 3] as number) << 24)) >>>
      0
    );
  }

  /** Throws Corrupt when the number is too large to be a size or a place in any file (2^53 and more). */
  u64(offset: number): number {
    return this.#wide(this.u32(offset + 4), this.u32(offset), offset);
  }

  u16be(offset: number): number {
    return (this.u8(offset) << 8) | this.u8(offset + 1);
  }

  u32be(offset: number): number {
    return this.u16be(offset) * 65536 + this.u16be(offset + 2);
  }

  /** Throws Corrupt as `u64`. */
  u64be(offset: number): number {
    return this.#wide(this.u32be(offset), this.u32be(offset + 4), offset);
  }

  #wide(high: number, low: number, offset: number): number {
    const value = high * 4294967296 + low;
    if (!Number.isSafeInteger(value))
      throw new Corrupt(`${this.what}: the number at byte ${offset} is out of all range`);
    return value;
  }

  latin1(offset: number, length: number): string {
    return latin1(this.slice(offset, length).data);
  }

  /** A view, not a copy. */
  slice(offset: number, length: number, what = this.what): Bytes {
    this.#check(offset, length);
    return new Bytes(this.data.subarray(offset, offset + length), what);
  }
}
