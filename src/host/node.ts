/**
 * The host on Node.js. execa is imported only when a program is run: its import costs more than a whole check.
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  lstatSync,
  mkdirSync,
  open,
  openSync,
  read,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { constants as system } from 'node:os';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { getSystemErrorMap } from 'node:util';
import { Worker } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import { Io, LimitExceeded, NotFound } from '../errors.ts';
import { formOf } from './decompress.ts';
import {
  besidePath,
  type Completed,
  cleanEnvironment,
  type File,
  type FileKind,
  findProgram,
  type Host,
  lossyText,
  notRegular,
  patience,
  type RunOptions,
  type Status,
  type TemporaryFile,
  temporaryDirectories,
} from './host.ts';

/** Linux value that Node.js does not name; the same on x86_64, aarch64, s390x and ppc64le. */
const O_PATH = 0o10000000;
/** Kept of a program's error output, in bytes: enough for a message, too little to flood a log. */
const stderrLimit = 4096;
/** Until a full pipe is tried again, in milliseconds. */
const retryPause = 5;

function failure(error: unknown, path: string): Error {
  const { code } = error as NodeJS.ErrnoException;
  // A name with a zero byte is nobody's.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ERR_INVALID_ARG_VALUE')
    return new NotFound(`${path}: no such file or directory`);
  return new Io(`${path}: ${inWords(error)}`);
}

function inWords(error: unknown): string {
  const { errno = 0, code, message } = error as NodeJS.ErrnoException;
  return getSystemErrorMap().get(errno)?.[1] ?? code ?? message;
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failure(error, path);
  }
}

function kindOf(stats: Stats): FileKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return 'device';
  return 'other';
}

function openFile(path: string): { descriptor: number; size: number } {
  // O_NONBLOCK: opening a FIFO without a writer would wait for ever otherwise.
  const descriptor = attempt(path, () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  const stats = fstatSync(descriptor);
  if (!stats.isFile()) {
    closeSync(descriptor);
    throw notRegular(path, kindOf(stats));
  }
  return { descriptor, size: stats.size };
}

/** Undefined for what is no regular file of at most `limit` bytes, or cannot be read. */
function contentOf(path: string, limit: number): Buffer | undefined {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const stats = fstatSync(descriptor);
      return stats.isFile() && stats.size <= limit ? readFileSync(descriptor) : undefined;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

class NodeFile implements File {
  readonly path: string;
  readonly descriptor: number;
  protected length: number;

  constructor(path: string, { descriptor, size } = openFile(path)) {
    this.path = path;
    this.descriptor = descriptor;
    this.length = size;
  }

  get size(): number {
    return this.length;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = attempt(this.path, () => readSync(this.descriptor, bytes, done, length - done, offset + done));
      if (count === 0) throw new Io(`${this.path}: ends at byte ${offset + done}, before byte ${offset + length}`);
      done += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

const zeros = Buffer.alloc(65536);

class NodeTemporaryFile extends NodeFile implements TemporaryFile {
  constructor(name: string) {
    super(name, { descriptor: openUnnamed(), size: 0 });
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += zeros.length) {
      const piece = bytes.subarray(at, at + zeros.length);
      // The last byte of a hole is written, as it may be that of the file.
      if (zeros.compare(piece, 0, piece.length, 0, piece.length) === 0) {
        this.length += piece.length - 1;
        this.#put(piece.subarray(-1));
      } else this.#put(piece);
    }
  }

  #put(piece: Uint8Array): void {
    for (let done = 0; done < piece.length; ) {
      const { length } = this;
      const count = attempt(this.path, () => writeSync(this.descriptor, piece, done, piece.length - done, length));
      done += count;
      this.length += count;
    }
  }
}

/** Its name is taken away at once, before anything is in it. */
function openUnnamed(): number {
  let problem: Error | undefined;
  for (const directory of temporaryDirectories) {
    const path = `${directory}/kata-check-${randomBytes(12).toString('hex')}`;
    try {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(path);
      return descriptor;
    } catch (error) {
      problem = new Io(`no temporary file in ${directory}: ${inWords(error)}`);
    }
  }
  throw problem ?? new Io('no place for a temporary file');
}

/** Process groups that are running now, so that an interrupt ends them with us. */
const running = new Set<number>();

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function killAll(status: number): never {
  for (const leader of running) killGroup(leader);
  process.exit(status);
}

function interrupted(signal: NodeJS.Signals): void {
  killAll(signal === 'SIGINT' ? 130 : 143);
}

/** How many programs begin or run: signals are only caught meanwhile. */
let catching = 0;

function catchInterrupts(): void {
  catching += 1;
  if (catching > 1) return;
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
}

function releaseInterrupts(): void {
  catching -= 1;
  if (catching > 0) return;
  process.off('SIGINT', interrupted);
  process.off('SIGTERM', interrupted);
}

/** The stream closes its descriptor when it is destroyed, whatever `autoClose` says; this one is the file's. */
const withoutClose = { open, read, close: (_: number, done: (error: null) => void) => done(null) };

/** Leaves the file open, and its position as it is. */
function inputOf({ file, offset }: NonNullable<RunOptions['input']>): Readable {
  if (!(file instanceof NodeFile)) throw new Io(`${file.path}: not a file of this host`);
  return createReadStream('', { fd: file.descriptor, start: offset, fs: withoutClose });
}

async function* runProgram(
  host: Host,
  argv: readonly string[],
  options: RunOptions,
): AsyncGenerator<Uint8Array, { status: number; stderr: string }> {
  const [name = '', ...rest] = argv;
  if (host.now() >= options.deadline) throw new LimitExceeded(`${name} was not started: the deadline is over`);
  const program = findProgram(host, name);
  if (rest.some((argument) => argument.includes('\0'))) {
    throw new Io(`${name} could not be run: an argument holds a zero byte`);
  }
  const input = options.input === undefined ? undefined : inputOf(options.input);
  const { execa } = await import('execa');
  // Before the program begins: a signal that comes while it does would end us alone.
  catchInterrupts();
  const subprocess = execa(program, rest, {
    env: cleanEnvironment,
    extendEnv: false,
    cwd: '/',
    detached: true,
    reject: false,
    buffer: false,
    encoding: 'buffer',
    stdout: 'pipe',
    stderr: 'pipe',
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
  });
  const leader = subprocess.pid;
  const late = `${name} did not end before the deadline`;
  let expired = false;
  let timer: NodeJS.Timeout | undefined;
  if (leader !== undefined) {
    running.add(leader);
    timer = setTimeout(
      () => {
        expired = true;
        killGroup(leader);
        // Who left the group may still hold the pipes.
        subprocess.stdout.destroy();
        subprocess.stderr.destroy();
      },
      Math.max(0, options.deadline - host.now()),
    );
  }
  try {
    let stderr = '';
    subprocess.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < stderrLimit) stderr += chunk.toString('latin1').slice(0, stderrLimit - stderr.length);
    });
    let total = 0;
    for await (const chunk of subprocess.stdout as AsyncIterable<Uint8Array>) {
      total += chunk.length;
      if (total > options.outputLimit) {
        throw new LimitExceeded(`${name} gave more than ${options.outputLimit} bytes`);
      }
      yield chunk;
    }
    const result = await subprocess;
    if (expired) throw new LimitExceeded(late);
    if (result.exitCode !== undefined) return { status: result.exitCode, stderr };
    if (result.signal !== undefined) return { status: 128 + system.signals[result.signal], stderr };
    throw new Io(`${name} could not be run: ${result.originalMessage ?? 'unknown reason'}`);
  } catch (error) {
    if (expired) throw new LimitExceeded(late);
    throw error;
  } finally {
    clearTimeout(timer);
    input?.destroy();
    if (leader !== undefined) {
      killGroup(leader);
      running.delete(leader);
    }
    releaseInterrupts();
  }
}

/** It may be there already. Throws NotFound, Io. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw failure(error, path);
  }
}

/**
 * A thread that kills this process after so many milliseconds, the last ones told. While the main thread waits for a filesystem that does
 * not answer, nothing else in the process can.
 */
function killer(): (milliseconds: number) => void {
  const cells = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(
    `const { workerData: cells } = require('node:worker_threads');
    for (let told = 0; ; told = Atomics.load(cells, 0)) {
      if (Atomics.wait(cells, 0, told, told === 0 ? Infinity : Atomics.load(cells, 1)) === 'timed-out') process.kill(process.pid, 'SIGKILL');
    }`,
    { eval: true, env: {}, execArgv: [], stdout: false, workerData: cells },
  );
  worker.unref();
  return (milliseconds) => {
    Atomics.store(cells, 1, Math.min(Math.ceil(milliseconds), 2 ** 31 - 1));
    Atomics.add(cells, 0, 1);
    Atomics.notify(cells, 0);
  };
}

class NodeHost implements Host {
  readonly arguments: readonly string[] = process.argv.slice(2);
  readonly workingDirectory = process.cwd();
  readonly userId = process.geteuid?.() ?? 0;

  environment(name: string): string | undefined {
    return process.env[name];
  }

  now(): number {
    return performance.now();
  }

  #end: NodeJS.Timeout | undefined;
  #killer: ReturnType<typeof killer> | undefined;

  endAt(deadline: number, status: number): void {
    clearTimeout(this.#end);
    const left = Math.max(0, deadline - this.now());
    this.#end = setTimeout(() => killAll(status), left);
    this.#end.unref();
    this.#killer ??= killer();
    this.#killer(left + patience);
  }

  open(path: string): File {
    return new NodeFile(path);
  }

  temporaryFile(name: string): TemporaryFile {
    return new NodeTemporaryFile(name);
  }

  readText(path: string, limit: number): string {
    const bytes = this.readBytes(path, limit);
    const text = Buffer.from(bytes).toString('utf8');
    return text.includes('\ufffd') ? lossyText(bytes) : text;
  }

  readBytes(path: string, limit: number): Uint8Array {
    const { descriptor } = openFile(path);
    try {
      const chunks: Buffer[] = [];
      let total = 0;
      for (;;) {
        const chunk = Buffer.alloc(65536);
        const count = attempt(path, () => readSync(descriptor, chunk));
        if (count === 0) return Buffer.concat(chunks);
        total += count;
        if (total > limit) throw new LimitExceeded(`${path}: larger than ${limit} bytes`);
        chunks.push(chunk.subarray(0, count));
      }
    } finally {
      closeSync(descriptor);
    }
  }

  reach(name: string): string {
    const descriptor = attempt(name, () => openSync(Buffer.from(name, 'latin1'), O_PATH));
    return `/proc/${process.pid}/fd/${descriptor}`;
  }

  holding(paths: readonly string[], texts: readonly string[], limit: number): string[] {
    const wanted = texts.map((text) => Buffer.from(text));
    return paths.filter((path) => {
      const content = contentOf(path, limit);
      return content !== undefined && wanted.some((text) => content.includes(text));
    });
  }

  readDirectory(path: string): string[] {
    return attempt(path, () => readdirSync(path));
  }

  readLink(path: string): string {
    return attempt(path, () => readlinkSync(path));
  }

  status(path: string): Status | undefined {
    try {
      const stats = lstatSync(path);
      return {
        kind: kindOf(stats),
        size: stats.size,
        mode: stats.mode & 0o7777,
        owner: stats.uid,
        identity: `${stats.dev}:${stats.ino}`,
      };
    } catch (error) {
      const problem = failure(error, path);
      if (problem instanceof NotFound) return undefined;
      throw problem;
    }
  }

  async run(argv: readonly string[], options: RunOptions): Promise<Completed> {
    const output = runProgram(this, argv, options);
    const chunks: Uint8Array[] = [];
    for (;;) {
      const step = await output.next();
      if (step.done) return { ...step.value, stdout: Buffer.concat(chunks) };
      chunks.push(step.value);
    }
  }

  async *stream(argv: readonly string[], options: RunOptions): AsyncGenerator<Uint8Array> {
    const { status, stderr } = yield* runProgram(this, argv, options);
    if (status !== 0) throw new Io(`${argv[0]} failed with status ${status}: ${stderr.trim()}`);
  }

  unpacked(argv: readonly string[], bytes: Uint8Array, limit: number): Uint8Array | undefined {
    try {
      // Node.js has no xz, and zstd since 22.15 only.
      return formOf(argv) === 'gzip' ? gunzipSync(bytes, { maxOutputLength: limit }) : undefined;
    } catch {
      return undefined;
    }
  }

  async *input(descriptor: number, limit: number, deadline: number): AsyncGenerator<Uint8Array> {
    const name = `descriptor ${descriptor}`;
    const stats = attempt(name, () => fstatSync(descriptor));
    let total = 0;
    const counted = (chunk: Uint8Array): Uint8Array => {
      total += chunk.length;
      if (total > limit) throw new LimitExceeded(`${name}: more than ${limit} bytes`);
      return chunk;
    };
    if (stats.isFIFO() || stats.isSocket() || isatty(descriptor)) {
      const socket = new Socket({ fd: descriptor, readable: true, writable: false });
      let expired = false;
      const timer = Number.isFinite(deadline)
        ? setTimeout(
            () => {
              expired = true;
              socket.destroy();
            },
            Math.max(0, deadline - this.now()),
          )
        : undefined;
      try {
        for await (const chunk of socket) yield counted(chunk as Uint8Array);
      } catch (error) {
        if (!expired) throw error instanceof LimitExceeded ? error : failure(error, name);
      } finally {
        clearTimeout(timer);
      }
      if (expired) throw new LimitExceeded(`${name}: did not end before the deadline`);
      return;
    }
    for (;;) {
      const chunk = new Uint8Array(65536);
      const count = attempt(name, () => readSync(descriptor, chunk));
      if (count === 0) return;
      yield counted(chunk.subarray(0, count));
    }
  }

  replaceFile(path: string, text: string, mode: number): void {
    const folder = path.slice(0, path.lastIndexOf('/'));
    const beside = besidePath(path, process.pid);
    const above = folder.slice(0, folder.lastIndexOf('/'));
    if (above !== '' && this.status(above) === undefined) makeDirectory(above);
    makeDirectory(folder);
    attempt(path, () => {
      rmSync(beside, { force: true });
      try {
        writeFileSync(beside, text, { flag: 'wx', mode });
        renameSync(beside, path);
      } catch (error) {
        rmSync(beside, { force: true });
        throw error;
      }
    });
  }

  removeFile(path: string): void {
    try {
      unlinkSync(path);
    } catch (error) {
      const problem = failure(error, path);
      if (!(problem instanceof NotFound)) throw problem;
    }
  }

  isTerminal(descriptor: 1 | 2): boolean {
    return isatty(descriptor);
  }

  write(descriptor: 1 | 2, text: string): void {
    let rest = Buffer.from(text);
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(descriptor, rest));
      } catch (error) {
        // A closed pipe or a full disk: nobody is left to tell.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        // A full pipe that somebody who shares it made non-blocking: its reader has not come yet.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryPause);
      }
    }
  }

  exit(status: number): never {
    process.exit(status);
  }
}

export function createNodeHost(): Host {
  return new NodeHost();
}
