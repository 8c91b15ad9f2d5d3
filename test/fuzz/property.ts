/**
 * What must hold for whatever bytes an image has: an answer, or one of the six problems of src/errors.ts with a message;
 * within the limits of bytes and time; nothing else thrown. Runs on Node.js and QuickJS alike.
 */

import { Io, LimitExceeded, NotFound, Problem, type ProblemKind } from '../../src/errors.ts';
import type { File, Host, RunOptions } from '../../src/host/host.ts';
import { DescriptorSearch } from '../../src/protocol/descriptors.ts';
import { compareDescriptions } from '../../src/protocol/evidence.ts';
import { summaryPath } from '../../src/read/agent.ts';
import { isInitrd, openInitrd } from '../../src/read/cpio.ts';
import { findFileSystem, readLayout } from '../../src/read/disk.ts';
import type { FileSystem, Inode } from '../../src/read/filesystem.ts';
import { readImage } from '../../src/read/image.ts';
import * as limits from '../../src/read/limits.ts';
import { programVersion } from '../../src/read/program-version.ts';
import { Budget, Source } from '../../src/read/source.ts';
import type { Piece } from './structures.ts';

/** The property does not hold. */
export class Fault extends Error {}

/** An image in memory that counts what is taken from it. */
export class MemoryFile implements File {
  readonly path: string;
  readonly size: number;
  readonly descriptor?: number;
  /** In bytes. */
  taken = 0;
  readonly #data: Uint8Array;

  /** `descriptor`: of a file with the same bytes. */
  constructor(path: string, data: Uint8Array, size = data.length, descriptor?: number) {
    this.path = path;
    this.size = size;
    if (descriptor !== undefined) this.descriptor = descriptor;
    this.#data = data;
  }

  read(offset: number, length: number): Uint8Array {
    if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
      throw new Fault(`${length} bytes were read from ${offset} on`);
    }
    if (offset + length > this.size) throw new Fault(`read behind the end: ${length} bytes from ${offset} on`);
    if (length > limits.readBytes) throw new Fault(`${length} bytes were read at once`);
    this.taken += length;
    if (this.taken > limits.imageBytes + limits.readBytes) throw new Fault(`${this.taken} bytes were read`);
    return this.#data.slice(offset, offset + length);
  }

  close(): void {}
}

/** Notes what the readers take. */
class TracedSource extends Source {
  readonly #file: File;
  readonly #pieces: Piece[];

  constructor(file: File, budget: Budget, pieces: Piece[], offset = 0, length = file.size - offset) {
    super(file, budget, offset, length);
    this.#file = file;
    this.#pieces = pieces;
  }

  override read(offset: number, length: number, what: string): ReturnType<Source['read']> {
    const bytes = super.read(offset, length, what);
    this.#pieces.push({ what, offset: this.offset + offset, length });
    return bytes;
  }

  override part(offset: number, length: number, what: string): Source {
    const part = super.part(offset, length, what);
    return new TracedSource(this.#file, this.budget, this.#pieces, part.offset, part.length);
  }
}

export interface Examined {
  /** All that was answered, or was wrong, in one text: both forms of the program must say the same. */
  readonly answer: string;
  /** `answer` when no problem was met anywhere. */
  readonly outcome: 'answer' | ProblemKind;
  readonly milliseconds: number;
}

export interface ExamineOptions {
  /** A hang, if it takes longer. In milliseconds. */
  readonly bound: number;
  /** Read all of it, as far as the limits go, not only samples. */
  readonly isThorough: boolean;
}

/** Throws Fault unless it is a problem with a message that says something. */
function checkProblem(error: unknown): Problem {
  if (error instanceof Fault) throw error;
  if (!(error instanceof Problem)) {
    throw new Fault(error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error));
  }
  checkMessage(error.message);
  return error;
}

function checkMessage(message: string): void {
  if (message === '' || /NaN|undefined|Infinity|\[object/.test(message)) throw new Fault(`it says: ${message}`);
  if (/before the deadline/.test(message)) throw new Fault(`a hang: ${message}`);
}

/** Inodes looked at in one image; a damaged tree may be a ring. */
const inodeLimit = { sampled: 150, thorough: 1000 } as const;
/** Children of one directory: each lookup reads the directory from its start. */
const childLimit = { sampled: 20, thorough: 100 } as const;
/** Bytes read from one image by samples. */
const sampledBytes = 16 * 1024 * 1024;
const pieceSize = 256 * 1024;

/** A walk through the whole tree, which goes on behind a problem. */
class Walk {
  readonly problems: Problem[] = [];
  /** What the inodes are, in their order. */
  readonly seen: (string | number)[] = [];
  readonly #budget: Budget;
  readonly #isThorough: boolean;
  /** What was only collected. */
  readonly files: Inode[] = [];
  #isStreamed = false;
  #isOver = false;

  constructor(budget: Budget, isThorough: boolean) {
    this.#budget = budget;
    this.#isThorough = isThorough;
  }

  #attempt<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      const problem = checkProblem(error);
      this.problems.push(problem);
      if (problem instanceof LimitExceeded && this.#budget.spent > limits.imageBytes) this.#isOver = true;
      return undefined;
    }
  }

  /** `isStreamed`: files are only collected. */
  run(filesystem: FileSystem, isStreamed = false): void {
    this.#isStreamed = isStreamed;
    const pending: Inode[] = [filesystem.root];
    const most = this.#isThorough ? inodeLimit.thorough : inodeLimit.sampled;
    for (let count = 0; count < most && !this.#isOver; count += 1) {
      const inode = pending.shift();
      if (inode === undefined) return;
      if (!this.#isThorough && this.#budget.spent > sampledBytes) return;
      this.#attempt(() => this.#visit(inode, pending));
    }
  }

  #visit(inode: Inode, pending: Inode[]): void {
    if (!Number.isSafeInteger(inode.size) || inode.size < 0) throw new Fault(`a size of ${inode.size} bytes`);
    this.seen.push(inode.kind, inode.size);
    if (inode.kind === 'directory') this.#visitDirectory(inode, pending);
    else if (inode.kind === 'symlink') {
      const target = inode.target();
      this.seen.push(target);
      if (target.length > limits.pathBytes) throw new Fault(`a target of ${target.length} bytes`);
    } else if (inode.kind === 'file') this.#visitFile(inode);
  }

  #visitDirectory(inode: Inode, pending: Inode[]): void {
    const names: string[] = [];
    this.#attempt(() => {
      for (const name of inode.names()) {
        names.push(name);
        if (names.length > limits.imageSteps) throw new Fault('more names than a directory may have');
      }
    });
    const most = this.#isThorough ? childLimit.thorough : childLimit.sampled;
    const step = Math.max(1, Math.floor(names.length / most));
    this.seen.push(...names.slice(0, most));
    for (let index = 0; index < names.length && !this.#isOver; index += step) {
      const name = names[index] as string;
      this.#attempt(() => {
        const child = inode.lookup(name);
        if (child === undefined) throw new Fault(`the name "${name}" is listed, but not found`);
        pending.push(child);
      });
    }
    this.#attempt(() => inode.lookup('no such name'));
  }

  #visitFile(inode: Inode): void {
    if (this.#isStreamed) {
      this.files.push(inode);
      return;
    }
    const { size } = inode;
    if (size <= pieceSize) {
      const whole = inode.read(0, size);
      if (whole.length !== size) throw new Fault(`${whole.length} bytes, not ${size}`);
      this.#compareParts(inode, whole);
      return;
    }
    for (let at = 0; at < size; ) {
      const length = Math.min(pieceSize, size - at);
      const piece = inode.read(at, length);
      if (piece.length !== length) throw new Fault(`${piece.length} bytes, not ${length}`);
      at += length;
      // Samples: the start, the middle and the end.
      if (!this.#isThorough && at < size - 2 * pieceSize) at = at < size / 2 ? Math.floor(size / 2) : size - 70_001;
    }
  }

  /** What can be read at once can be read in parts, and is the same. */
  #compareParts(inode: Inode, whole: Uint8Array): void {
    const step = Math.ceil(whole.length / 3) + 1;
    for (let at = 0; at < whole.length; at += step) {
      const length = Math.min(step, whole.length - at);
      const part = inode.read(at, length);
      for (let index = 0; index < length; index += 97) {
        if (part[index] !== whole[at + index]) throw new Fault(`byte ${at + index} is not the same when read again`);
      }
    }
  }
}

/** The budget's end must come by bytes, not by time. */
function budgetOf(
  host: Pick<Host, 'now' | 'lz4Block' | 'entryTable' | 'nextCommit'>,
  { bound }: ExamineOptions,
): Budget {
  return new Budget(host, host.now() + bound);
}

async function walkImage(host: Host, source: Source, options: ExamineOptions): Promise<Walk> {
  const walk = new Walk(source.budget, options.isThorough);
  try {
    if (isInitrd(source)) {
      const { filesystem, compression, stream } = await openInitrd(host, source, [summaryPath]);
      walk.run(filesystem, compression !== null);
      // Each decompresses all that stands before it once more.
      for (const file of walk.files.slice(-2)) {
        let length = 0;
        for await (const piece of stream(file)) length += piece.length;
        if (length !== file.size) throw new Fault(`${length} bytes came of a file of ${file.size}`);
      }
    } else {
      const found = findFileSystem(source, readLayout(source));
      if (found !== undefined) walk.run(await found.open());
    }
  } catch (error) {
    walk.problems.push(checkProblem(error));
  }
  return walk;
}

/** What a program says of itself, wherever its pieces end. */
function examineProgram(host: Host, path: string, options: ExamineOptions): Examined {
  const start = host.now();
  const source = new Source(host.open(path), budgetOf(host, options));
  let outcome: Examined['outcome'] = 'answer';
  try {
    const version = programVersion(source);
    if (version !== null && !/^[0-9]+\.[0-9]+\.[0-9]/.test(version)) throw new Fault(`a version ${version}`);
  } catch (error) {
    outcome = checkProblem(error).kind;
  }
  const search = new DescriptorSearch();
  for (let at = 0; at < source.length; at += 1021) {
    search.add(source.read(at, Math.min(1021, source.length - at), 'program').data);
  }
  const description = search.result();
  for (const name of description?.calls.keys() ?? []) if (!/^\w+\/\w+$/.test(name)) throw new Fault(`a call ${name}`);
  if (description !== null) compareDescriptions(description, description);
  return { answer: outcome, outcome, milliseconds: host.now() - start };
}

/** Throws Fault when the property does not hold for the image that `host.open` gives. */
export async function examine(host: Host, path: string, options: ExamineOptions): Promise<Examined> {
  const start = host.now();
  if (path.startsWith('/program-')) return examineProgram(host, path, options);
  const facts = await readImage(host, path, {
    deadline: start + options.bound,
    deep: true,
  });
  const { problem, agent, unknown, kind } = facts;
  if (problem !== null) checkMessage(problem.message);
  else if (agent === null && unknown === null && kind === 'guest') throw new Fault('no agent, and no reason why');
  if (agent !== null && !/^[0-9]+\.[0-9]+\.[0-9]+/.test(agent.version.text))
    throw new Fault(`an agent ${agent.version.text}`);
  const file = host.open(path);
  try {
    const source = new Source(file, budgetOf(host, options));
    const { problems, seen } =
      file.size === 0 ? new Walk(source.budget, false) : await walkImage(host, source, options);
    const answer = JSON.stringify([facts, ...problems.map(({ kind: of, message }) => [of, message]), seen]);
    return { answer, outcome: problem?.kind ?? problems[0]?.kind ?? 'answer', milliseconds: host.now() - start };
  } finally {
    file.close();
  }
}

/** The pieces that the readers take from an undamaged image. Throws Fault when they meet a problem. */
export async function trace(host: Host, path: string): Promise<Piece[]> {
  const options: ExamineOptions = { bound: 60_000, isThorough: false };
  const pieces: Piece[] = [];
  const source = new TracedSource(host.open(path), budgetOf(host, options), pieces);
  const [problem] = (await walkImage(host, source, options)).problems;
  if (problem !== undefined) throw new Fault(`${path}, which is whole: ${problem.message}`);
  return pieces;
}

/** Of the stand-in for a compressed stream. */
const streamHead = 10;
const chunkSizes = [65_536, 61, 110, 4096, 0];

/**
 * The host with one image in memory; no more of a host is needed than its clock and its decoder. Its only program is a `gzip` that passes everything on
 * behind the head, which says how large the chunks are and how the program ends.
 */
export function hostOf(host: Pick<Host, 'now' | 'lz4Block' | 'entryTable' | 'nextCommit'>, file: () => File): Host {
  return {
    now: () => host.now(),
    lz4Block: host.lz4Block,
    entryTable: host.entryTable,
    nextCommit: host.nextCommit,
    open: file,
    status: () => undefined,
    async *stream([program]: readonly string[], { input }: RunOptions): AsyncGenerator<Uint8Array> {
      const { offset = 0 } = input ?? {};
      const image = file();
      if (program !== 'gzip') throw new NotFound(`the program ${program} is not installed`);
      const head = image.read(offset, Math.min(streamHead, image.size - offset));
      const step = chunkSizes[(head[4] ?? 0) % chunkSizes.length] as number;
      for (let at = offset + streamHead; at < image.size; ) {
        const length = Math.min(step === 0 ? 3000 : step, image.size - at);
        if (step === 0) yield new Uint8Array(0);
        yield image.read(at, length);
        at += length;
      }
      const status = (head[5] ?? 0) % 4;
      if (status === 3) throw new LimitExceeded('gzip gave more than it may');
      if (status > 0)
        throw new Io(`gzip failed with status ${status}: ${status === 2 ? 'trailing garbage' : 'crc error'}`);
    },
  } as unknown as Host;
}
