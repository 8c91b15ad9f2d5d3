/**
 * What `gzip -dc`, `zstd -dcq`, `xz -dc` and `lz4 -dc` do, in this process: members in a row (RFC 1952, RFC 8878), and anything else behind them an error with
 * the status of the program. The native program does so with their libraries, in half their time
 * or, for hundreds of small files, in a hundredth.
 */

import { Io, LimitExceeded } from '../errors.ts';
import type { RunOptions } from './host.ts';

/** Decompresses one member after the other. */
export interface Decompressor {
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

/** What decides on what follows a member. */
interface Form {
  readonly command: string;
  /** Bytes of a magic number. */
  readonly magicSize: number;
  isMember(input: Uint8Array, at: number): boolean;
  /** Zeros behind the last member are passed over, and nothing behind them is a member. */
  readonly takesZeros: boolean;
  /** Less than a magic number is a member that breaks off. */
  readonly isCutByLess: boolean;
  /** The status of the program when something else follows. */
  readonly trailing: number;
  /** Bytes of input that must be there for a step, unless there are no more; and what one step may give at the most. */
  readonly least?: number;
  readonly most?: number;
}

/** The frames to be skipped are those of zstd and lz4 alike. */
function isSkippable(input: Uint8Array, at: number): boolean {
  return (
    (input[at] as number) >>> 4 === 5 && input[at + 1] === 0x2a && input[at + 2] === 0x4d && input[at + 3] === 0x18
  );
}

const forms = {
  gzip: {
    command: 'gzip -dc',
    magicSize: 2,
    isMember: (input, at) => input[at] === 0x1f && input[at + 1] === 0x8b,
    takesZeros: true,
    isCutByLess: true,
    trailing: 2,
  },
  zstd: {
    command: 'zstd -dcq --memory=32MB',
    magicSize: 4,
    isMember: (input, at) =>
      (input[at] === 0x28 && input[at + 1] === 0xb5 && input[at + 2] === 0x2f && input[at + 3] === 0xfd) ||
      isSkippable(input, at),
    takesZeros: false,
    isCutByLess: false,
    trailing: 1,
  },
  // The library itself takes streams in a row, and zeros between them. What its error is about it does not tell, as its program.
  xz: {
    command: 'xz -dc -T1 --memlimit-decompress=72MiB',
    magicSize: 1,
    isMember: () => false,
    takesZeros: false,
    isCutByLess: false,
    trailing: 1,
  },
  lz4: {
    command: 'lz4 -dc',
    magicSize: 4,
    isMember: (input, at) =>
      (input[at] === 0x04 && input[at + 1] === 0x22 && input[at + 2] === 0x4d && input[at + 3] === 0x18) ||
      (input[at] === 0x02 && input[at + 1] === 0x21 && input[at + 2] === 0x4c && input[at + 3] === 0x18) ||
      isSkippable(input, at),
    takesZeros: false,
    isCutByLess: false,
    trailing: 1,
    // Of a legacy frame: the length of a block, and a block.
    least: 4,
    most: 8 * 1024 * 1024,
  },
} as const satisfies Record<string, Form>;

export type FormName = keyof typeof forms;

/** Which form a command decompresses, if it is one of these. */
export function formOf(argv: readonly string[]): FormName | undefined {
  const command = argv.join(' ');
  return (['gzip', 'zstd', 'xz', 'lz4'] as const).find((name) => forms[name].command === command);
}

const inputSize = 262144;
/** Large, so that there are few promises to a megabyte. */
const smallOutput = 1048576;
/** Z_MEM_ERROR, for all. */
const noMemory = -4;

/**
 * `read` fills a buffer from an offset on, and returns how many bytes that were, none at the end. A piece is good until the next one
 * is asked for. Throws Io with the status of the program, LimitExceeded (deadline, output).
 */
export async function* decompress(
  name: FormName,
  decompressor: Decompressor,
  read: (buffer: ArrayBufferLike, offset: number, length: number) => number,
  options: RunOptions,
  now: () => number,
): AsyncGenerator<Uint8Array> {
  const form: Form = forms[name];
  const failed = (status: number, message: string): Io => new Io(`${name} failed with status ${status}: ${message}`);
  const input = new Uint8Array(inputSize);
  const least = form.least ?? 1;
  const outputSize = form.most ?? smallOutput;
  const output = new Uint8Array(outputSize);
  let from = 0;
  let to = 0;
  let filled = 0;
  let total = 0;
  let isEnd = false;
  let isBetween = false;
  let isBehindZeros = false;
  let problem: Error | undefined;
  while (problem === undefined) {
    if (now() > options.deadline) throw new LimitExceeded(`${name} did not end before the deadline`);
    // Between two members, the whole magic number is looked at.
    if (to - from < (isBetween ? form.magicSize : least) && !isEnd) {
      input.copyWithin(0, from, to);
      to -= from;
      from = 0;
      const count = read(input.buffer, to, inputSize - to);
      to += count;
      isEnd = count === 0;
      continue;
    }
    if (isBetween) {
      for (; form.takesZeros && from < to && input[from] === 0; from += 1) isBehindZeros = true;
      if (from === to && isEnd) break;
      if (to - from < form.magicSize && !isEnd) continue;
      const isWhole = to - from >= form.magicSize;
      if (!isWhole && form.isCutByLess && !isBehindZeros) problem = failed(1, 'unexpected end of file');
      else if (!isWhole || isBehindZeros || !form.isMember(input, from))
        problem = failed(form.trailing, 'trailing garbage');
      isBetween = false;
    }
    if (problem === undefined) {
      const [taken, given, status] = decompressor.step(input.buffer, from, to, output.buffer, filled, outputSize);
      from += taken;
      filled += given;
      total += given;
      if (status === noMemory) problem = failed(1, 'not enough memory');
      else if (status === 1) isBetween = true;
      else if (status !== 0) problem = failed(1, 'invalid compressed data');
      else if (taken === 0 && given === 0) problem = failed(1, 'unexpected end of file');
      if (total > options.outputLimit) throw new LimitExceeded(`${name} gave more than ${options.outputLimit} bytes`);
    }
    // What came before an error is good, and how much that was says where the segment ends.
    if (filled === outputSize || (filled > 0 && (problem !== undefined || form.most !== undefined))) {
      yield output.subarray(0, filled);
      filled = 0;
    }
  }
  if (problem !== undefined) throw problem;
  if (filled > 0) yield output.subarray(0, filled);
}
