/**
 * What `gzip -dc` does, in this process: members in a row (RFC 1952), zeros behind the last one passed over, anything else there an
 * error, as in the gzip program and with its statuses. The native program does so with libz, which is twice as fast as that program.
 */

import { Io, LimitExceeded } from '../errors.ts';
import type { RunOptions } from './host.ts';

/** Decompresses one member after the other. */
export interface Inflater {
  /** Both ranges are from, to. Returns how many bytes were taken and given, and 0 to go on, 1 at a member's end, else an error. */
  step(
    input: ArrayBufferLike,
    inputFrom: number,
    inputTo: number,
    output: ArrayBufferLike,
    outputFrom: number,
    outputTo: number,
  ): [taken: number, given: number, status: number];
}

const inputSize = 65536;
/** Large, so that there are few promises to a megabyte. */
const outputSize = 262144;
/** Z_MEM_ERROR. */
const noMemory = -4;

/**
 * `read` fills a buffer from an offset on, and returns how many bytes that were, none at the end. A piece is good until the next one
 * is asked for. Throws Io with the status and words of the gzip program, LimitExceeded (deadline, output).
 */
export async function* gunzip(
  inflater: Inflater,
  read: (buffer: ArrayBufferLike, offset: number, length: number) => number,
  options: RunOptions,
  now: () => number,
): AsyncGenerator<Uint8Array> {
  const input = new Uint8Array(inputSize);
  const output = new Uint8Array(outputSize);
  let from = 0;
  let to = 0;
  let filled = 0;
  let total = 0;
  let isEnd = false;
  let isBetween = false;
  let problem: Error | undefined;
  while (problem === undefined) {
    if (now() > options.deadline) throw new LimitExceeded('gzip did not end before the deadline');
    // Between two members, both bytes of the magic number are looked at.
    if (to - from < (isBetween ? 2 : 1) && !isEnd) {
      input.copyWithin(0, from, to);
      to -= from;
      from = 0;
      const count = read(input.buffer, to, inputSize - to);
      to += count;
      isEnd = count === 0;
      continue;
    }
    if (isBetween) {
      while (from < to && input[from] === 0) from += 1;
      if (from === to && isEnd) break;
      if (from === to) continue;
      const isMember = to - from >= 2 && input[from] === 0x1f && input[from + 1] === 0x8b;
      if (!isMember) problem = failed(2, 'trailing garbage');
      isBetween = false;
    }
    if (problem === undefined) {
      const [taken, given, status] = inflater.step(input.buffer, from, to, output.buffer, filled, outputSize);
      from += taken;
      filled += given;
      total += given;
      if (status === noMemory) throw new LimitExceeded('gzip: not enough memory');
      if (status === 1) isBetween = true;
      else if (status !== 0) problem = failed(1, 'invalid compressed data');
      else if (taken === 0 && given === 0) problem = failed(1, 'unexpected end of file');
      if (total > options.outputLimit) throw new LimitExceeded(`gzip gave more than ${options.outputLimit} bytes`);
    }
    // What came before an error is good, and how much that was says where the segment ends.
    if (filled === outputSize || (problem !== undefined && filled > 0)) {
      yield output.subarray(0, filled);
      filled = 0;
    }
  }
  if (problem !== undefined) throw problem;
  if (filled > 0) yield output.subarray(0, filled);
}

function failed(status: number, message: string): Io {
  return new Io(`gzip failed with status ${status}: ${message}`);
}
