/**
 * Decompresses DEFLATE (RFC 1951) that is in memory, up to a given number of bytes: for the small gzip streams that are embedded in programs.
 * Whole files go through `decompress.ts`, which is faster and works piece by piece.
 */

/** RFC 1951, section 3.2.5: bases and extra bits of the length codes 257 to 285, and of the distance codes. */
const lengthBases = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBases = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const distanceBits = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/** Section 3.2.7: in which order the lengths of the code of code lengths stand. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const maximumBits = 15;

/** A canonical Huffman code: how many codes there are of each length, and the symbols in the order of their codes. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

/** The data are no DEFLATE, or end too early. Kept inside of this file. */
class Broken extends Error {}

function codeOf(lengths: readonly number[]): Code {
  const counts = new Uint16Array(maximumBits + 1);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  const offsets = new Uint16Array(maximumBits + 2);
  for (let bits = 1; bits <= maximumBits; bits += 1) {
    offsets[bits + 1] = (offsets[bits] as number) + (counts[bits] as number);
  }
  const symbols = new Uint16Array(lengths.length);
  for (const [symbol, length] of lengths.entries()) {
    if (length === 0) continue;
    symbols[offsets[length] as number] = symbol;
    offsets[length] = (offsets[length] as number) + 1;
  }
  counts[0] = 0;
  return { counts, symbols };
}

let fixed: readonly [lengths: Code, distances: Code] | undefined;

/** Section 3.2.6. Made when the first block asks for them. */
function fixedCodes(): readonly [lengths: Code, distances: Code] {
  fixed ??= [
    codeOf(Array.from({ length: 288 }, (_, at) => (at < 144 ? 8 : at < 256 ? 9 : at < 280 ? 7 : 8))),
    codeOf(new Array<number>(30).fill(5)),
  ];
  return fixed;
}

class Inflater {
  readonly output: Uint8Array;
  filled = 0;
  readonly #input: Uint8Array;
  #at: number;
  #hold = 0;
  #held = 0;

  constructor(input: Uint8Array, start: number, limit: number) {
    this.#input = input;
    this.#at = start;
    this.output = new Uint8Array(limit);
  }

  get isFull(): boolean {
    return this.filled === this.output.length;
  }

  /** The next bits, the first one the lowest; at most 16. */
  bits(count: number): number {
    while (this.#held < count) {
      const byte = this.#input[this.#at];
      if (byte === undefined) throw new Broken();
      this.#hold |= byte << this.#held;
      this.#at += 1;
      this.#held += 8;
    }
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#held -= count;
    return value;
  }

  #symbol({ counts, symbols }: Code): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let bits = 1; bits <= maximumBits; bits += 1) {
      code |= this.bits(1);
      const count = counts[bits] as number;
      if (code - count < first) return symbols[index + code - first] as number;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Broken();
  }

  stored(): void {
    this.#hold = 0;
    this.#held = 0;
    const length = this.bits(16);
    if ((length ^ this.bits(16)) !== 0xffff) throw new Broken();
    for (let left = length; left > 0 && !this.isFull; left -= 1) this.#put(this.bits(8));
  }

  /** Section 3.2.7. */
  readCodes(): [lengths: Code, distances: Code] {
    const lengthCount = this.bits(5) + 257;
    const distanceCount = this.bits(5) + 1;
    const orderCount = this.bits(4) + 4;
    if (lengthCount > 286 || distanceCount > 30) throw new Broken();
    const ofLengths = new Array<number>(19).fill(0);
    for (const place of lengthOrder.slice(0, orderCount)) ofLengths[place] = this.bits(3);
    const code = codeOf(ofLengths);
    const lengths: number[] = [];
    while (lengths.length < lengthCount + distanceCount) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths.push(symbol);
        continue;
      }
      const repeated = symbol === 16 ? lengths[lengths.length - 1] : 0;
      if (repeated === undefined) throw new Broken();
      const times = symbol === 16 ? 3 + this.bits(2) : symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7);
      for (let left = times; left > 0; left -= 1) lengths.push(repeated);
    }
    if (lengths.length > lengthCount + distanceCount) throw new Broken();
    return [codeOf(lengths.slice(0, lengthCount)), codeOf(lengths.slice(lengthCount))];
  }

  compressed(lengths: Code, distances: Code): void {
    while (!this.isFull) {
      const symbol = this.#symbol(lengths);
      if (symbol === 256) return;
      if (symbol < 256) {
        this.#put(symbol);
        continue;
      }
      const base = lengthBases[symbol - 257];
      if (base === undefined) throw new Broken();
      const length = base + this.bits(lengthBits[symbol - 257] as number);
      const place = this.#symbol(distances);
      const far = distanceBases[place];
      if (far === undefined) throw new Broken();
      const distance = far + this.bits(distanceBits[place] as number);
      if (distance > this.filled) throw new Broken();
      for (let left = length; left > 0 && !this.isFull; left -= 1) {
        this.#put(this.output[this.filled - distance] as number);
      }
    }
  }

  #put(byte: number): void {
    this.output[this.filled] = byte;
    this.filled += 1;
  }
}

/**
 * What the DEFLATE data from byte `start` on hold, but not more than `limit` bytes of it; a checksum behind them is not looked at.
 * Undefined for what is no such data, or breaks off before.
 */
export function inflate(input: Uint8Array, start: number, limit: number): Uint8Array | undefined {
  const inflater = new Inflater(input, start, limit);
  try {
    for (let isLast = false; !isLast && !inflater.isFull; ) {
      isLast = inflater.bits(1) === 1;
      const type = inflater.bits(2);
      if (type === 0) inflater.stored();
      else if (type === 1) inflater.compressed(...fixedCodes());
      else if (type === 2) inflater.compressed(...inflater.readCodes());
      else return undefined;
    }
  } catch (error) {
    if (error instanceof Broken) return undefined;
    throw error;
  }
  return inflater.output.subarray(0, inflater.filled);
}
