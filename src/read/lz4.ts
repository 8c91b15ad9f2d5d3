/**
 * One block of LZ4, decompressed. Format: lz4 project, doc/lz4_Block_format.md. A block is a row of sequences, each
 * some literal bytes and then a match, a copy of what stands up to 65535 bytes before; the last has literals only.
 * lz4 and lz4hc write the same form. Not read here: the frames around blocks, their checksums, dictionaries apart.
 */

import { Corrupt } from '../errors.ts';
import type { Host } from '../host/host.ts';

/** Shorter literals are copied one by one: in QuickJS a view and a call cost about as much as four bytes. */
const shortLiterals = 3;
const shortestMatch = 4;

export interface Block {
  readonly input: Uint8Array;
  /** Matches may reach back to its first byte, so blocks that depend on one another are put one behind the other. */
  readonly output: Uint8Array;
  /** Where in `output` to begin. */
  readonly start: number;
  /** Where in `output` it may not go on. */
  readonly end: number;
  /** Stop at `end`, whatever else the input holds. Else the input must be used up, and may end before `end`. */
  readonly isPartial: boolean;
  /** Names the block in messages. */
  readonly what: string;
}

/**
 * Returns where in `output` the block ended. Throws Corrupt when the input ends inside a sequence, when a match reaches
 * back before the output, and when there is more than fits. `fast`: the host's own decoder. It only says that a block is bad; what is
 * wrong with it is found out once more here.
 */
export function decompressBlock(block: Block, fast?: Host['lz4Block']): number {
  const { input, output, start, end, isPartial, what } = block;
  const stopped = fast?.(input, output, start, end, isPartial) ?? -1;
  if (stopped !== -1) return stopped;
  const inputEnd = input.length;
  const limit = Math.min(end, output.length);
  let from = 0;
  let at = start;
  while (from < inputEnd) {
    const token = input[from] as number;
    from += 1;

    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (from >= inputEnd) throw new Corrupt(`${what}: lz4 data ends inside a length`);
        more = input[from] as number;
        from += 1;
        literals += more;
      }
    }
    if (literals > limit - at) {
      if (!isPartial) throw new Corrupt(`${what}: lz4 data is longer than ${limit - start} bytes`);
      literals = limit - at;
    }
    if (literals > inputEnd - from) throw new Corrupt(`${what}: lz4 data ends inside its literals`);
    if (literals > shortLiterals) {
      output.set(input.subarray(from, from + literals), at);
      from += literals;
      at += literals;
    } else {
      for (let left = literals; left > 0; left -= 1) {
        output[at] = input[from] as number;
        at += 1;
        from += 1;
      }
    }
    if (from === inputEnd || (isPartial && at === limit)) return at;

    if (inputEnd - from < 2) throw new Corrupt(`${what}: lz4 data ends inside a match`);
    const distance = (input[from] as number) | ((input[from + 1] as number) << 8);
    from += 2;
    if (distance === 0 || distance > at) {
      throw new Corrupt(`${what}: an lz4 match at byte ${at} reaches back ${distance} bytes`);
    }
    let length = token & 15;
    if (length === 15) {
      let more = 255;
      while (more === 255) {
        if (from >= inputEnd) throw new Corrupt(`${what}: lz4 data ends inside a length`);
        more = input[from] as number;
        from += 1;
        length += more;
      }
    }
    length += shortestMatch;
    if (length > limit - at) {
      if (!isPartial) throw new Corrupt(`${what}: lz4 data is longer than ${limit - start} bytes`);
      length = limit - at;
    }
    const source = at - distance;
    if (distance >= length) {
      output.copyWithin(at, source, source + length);
      at += length;
    } else if (distance === 1) {
      output.fill(output[source] as number, at, at + length);
      at += length;
    } else {
      // The match runs into what it writes itself: each copy doubles what can be copied next.
      const matchEnd = at + length;
      for (let span = distance; at < matchEnd; span += span) {
        const count = Math.min(span, matchEnd - at);
        output.copyWithin(at, source, source + count);
        at += count;
      }
    }
    if (isPartial && at === limit) return at;
  }
  throw new Corrupt(`${what}: lz4 data ends without its last literals`);
}
