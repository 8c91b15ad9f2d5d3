/**
 * The host on QuickJS (bellard.org/quickjs, 2025-04-26), for the native program.
 * `os` and `std` return negative error numbers instead of throwing.
 */

import * as native from 'native';
import * as os from 'os';
import * as std from 'std';
import { Io, LimitExceeded, NotFound } from '../errors.ts';
import { decompress, type FormName, formOf } from './decompress.ts';
import {
  besidePath,
  type Completed,
  cleanEnvironment,
  concatenated,
  type EntryTable,
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

/** Linux values that `os` does not name; the same on x86_64, aarch64, s390x and ppc64le. */
const O_NONBLOCK = 0o4000;
const SEEK_SET = 0;
const SEEK_END = 2;
const SIGKILL = 9;
const SIGXFSZ = 25;
const SIGCHLD = 17;
const ENOENT = 2;
const ENOTDIR = 20;
const EINTR = 4;
const EROFS = 30;
const EEXIST = 17;

/** One read of a pipe at the most, in bytes. */
const chunkSize = 262144;
/** Of a pipe whose bytes are kept: what Linux gives one of them. */
const keptSize = 65536;
/** What a program's output pipe may hold, in bytes: Linux' own limit for every user. Else, 64 KiB, both ends sleep all the time. */
const pipeSize = 1048576;
/** What native.c looks for in one pass over the files (`most_texts`). */
const textsAtOnce = 64;
/** Of a file that does not say its size, in bytes at first. */
const unsizedRead = 4095;
/** A program that goes on writing little is left alone for so many milliseconds, from so many reads on. */
const breath = 1;
const readsBeforeBreath = 4;
/** Of a temporary file, in bytes: so much of zeros becomes a hole. */
const holeSize = 65536;
/** Kept of a program's error output, in bytes: enough for a message, too little to flood a log. */
const stderrLimit = 4096;

function failure(errno: number, path: string): Error {
  if (errno === ENOENT || errno === ENOTDIR) return new NotFound(`${path}: no such file or directory`);
  return new Io(`${path}: ${inWords(errno)}`);
}

/** With a small letter, as Node.js has it. */
function inWords(errno: number): string {
  return std.strerror(errno).replace(/^./, (letter) => letter.toLowerCase());
}

/** A character for each byte. */
function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return native.latin1(buffer, byteOffset, byteOffset + length);
}

/** For read/bytes.ts. */
export const inner = {
  latin1,
  find: (haystack: Uint8Array, needle: Uint8Array, from: number): number => {
    const [end, needleEnd] = [haystack.byteOffset + haystack.length, needle.byteOffset + needle.length];
    return native.find(haystack.buffer, haystack.byteOffset, end, needle.buffer, needle.byteOffset, needleEnd, from);
  },
  linesBeginning: ({ buffer, byteOffset, length }: Uint8Array, beginnings: readonly string[]) => {
    const lines: string[] = [];
    return { lines, end: native.linesBeginning(buffer, byteOffset, byteOffset + length, beginnings, lines) };
  },
  utf8: ({ buffer, byteOffset, length }: Uint8Array): string | undefined =>
    native.utf8(buffer, byteOffset, byteOffset + length),
  isPlain: ({ buffer, byteOffset, length }: Uint8Array): boolean =>
    native.isPlain(buffer, byteOffset, byteOffset + length),
};

/** UTF-8, which QuickJS has no encoder for. */
function encoded(text: string): Uint8Array {
  const bytes = unescape(encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

/** Of this process; QuickJS does not tell it otherwise. Without /proc a number of no other run's, probably. */
function ownNumber(): number {
  return Number(os.readlink('/proc/self')[0]) || Math.floor(os.now() * 1000);
}

function kindOf(mode: number): FileKind {
  switch (mode & os.S_IFMT) {
    case os.S_IFREG:
      return 'file';
    case os.S_IFDIR:
      return 'directory';
    case os.S_IFLNK:
      return 'symlink';
    case os.S_IFBLK:
    case os.S_IFCHR:
      return 'device';
    default:
      return 'other';
  }
}

/** The kernel would take what stands before a zero byte for the name. */
function named(path: string): string {
  if (path.includes('\0')) throw new NotFound(`${path}: no such file or directory`);
  return path;
}

function openFile(path: string): number {
  const [stats, errno] = os.stat(named(path));
  if (stats === null) throw failure(errno, path);
  const kind = kindOf(stats.mode);
  if (kind !== 'file') throw notRegular(path, kind);
  // O_NONBLOCK: were it exchanged for a FIFO meanwhile, opening it would wait for ever otherwise.
  const descriptor = os.open(path, os.O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) throw failure(-descriptor, path);
  return descriptor;
}

class QuickJsFile implements File {
  readonly path: string;
  readonly descriptor: number;
  protected length: number;

  constructor(path: string, descriptor = openFile(path)) {
    this.path = path;
    this.descriptor = descriptor;
    this.length = os.seek(descriptor, 0, SEEK_END);
    if (this.length < 0) throw failure(-this.length, path);
  }

  get size(): number {
    return this.length;
  }

  /** A descriptor with a position of its own, at `offset`, to be closed by the caller. */
  another(offset: number): number {
    return positioned(openFile(this.path), offset, this.path);
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    positioned(this.descriptor, offset, this.path);
    let done = 0;
    while (done < length) {
      const count = os.read(this.descriptor, bytes.buffer, done, length - done);
      if (count === -EINTR) continue;
      if (count < 0) throw failure(-count, this.path);
      if (count === 0) throw new Io(`${this.path}: ends at byte ${offset + done}, before byte ${offset + length}`);
      done += count;
    }
    return bytes;
  }

  close(): void {
    os.close(this.descriptor);
  }
}

/** `os.read` and `os.write` count from where the descriptor stands, and all that share it stand there. */
function positioned(descriptor: number, offset: number, path: string): number {
  const position = os.seek(descriptor, offset, SEEK_SET);
  if (position < 0) throw failure(-position, path);
  return descriptor;
}

class QuickJsTemporaryFile extends QuickJsFile implements TemporaryFile {
  /** Opened a second time while it had a name: what a program reads must not move where this process reads and writes. */
  readonly #forPrograms: number;

  constructor(name: string) {
    const [descriptor, forPrograms] = openUnnamed();
    super(name, descriptor);
    this.#forPrograms = forPrograms;
  }

  override another(offset: number): number {
    const descriptor = os.dup(this.#forPrograms);
    if (descriptor < 0) throw failure(-descriptor, this.path);
    return positioned(descriptor, offset, this.path);
  }

  write(bytes: Uint8Array): void {
    const end = bytes.byteOffset + bytes.length;
    for (let from = bytes.byteOffset; from < end; from += holeSize) {
      const to = Math.min(end, from + holeSize);
      // The last byte of a hole is written, as it may be that of the file.
      const isHole = native.isZero(bytes.buffer, from, to);
      if (isHole) this.length += to - 1 - from;
      this.#put(bytes.buffer, isHole ? to - 1 : from, to);
    }
  }

  #put(buffer: ArrayBufferLike, from: number, to: number): void {
    positioned(this.descriptor, this.length, this.path);
    for (let at = from; at < to; ) {
      const count = os.write(this.descriptor, buffer, at, to - at);
      if (count === -EINTR) continue;
      if (count < 0) throw failure(-count, this.path);
      at += count;
      this.length += count;
    }
  }

  override close(): void {
    os.close(this.#forPrograms);
    super.close();
  }
}

/**
 * Twice the same file, for all and for reading. Its name is taken away at once, before anything is in it. In a container that holds nothing
 * but this program, or that nobody can write to, the file is in memory.
 */
function openUnnamed(): [descriptor: number, forReading: number] {
  let problem: Error | undefined;
  let isRoomless = true;
  for (const directory of temporaryDirectories) {
    const path = `${directory}/kata-check-${randomName()}`;
    const descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600);
    if (descriptor < 0) {
      problem = new Io(`no temporary file in ${directory}: ${inWords(-descriptor)}`);
      isRoomless &&= descriptor === -ENOENT || descriptor === -EROFS;
      continue;
    }
    const forReading = os.open(path, os.O_RDONLY);
    os.remove(path);
    if (forReading >= 0) return [descriptor, forReading];
    os.close(descriptor);
    problem = failure(-forReading, path);
    isRoomless = false;
  }
  const inMemory = isRoomless ? native.memoryFile() : -1;
  if (inMemory < 0) throw problem ?? new Io('no place for a temporary file');
  const forReading = os.open(`/proc/self/fd/${inMemory}`, os.O_RDONLY);
  // Without /proc there is no program either that would read it beside this one.
  return [inMemory, forReading >= 0 ? forReading : os.dup(inMemory)];
}

/** Without /dev/urandom it can be guessed; even then a file that is there already is not taken. */
function randomName(): string {
  const bytes = Uint8Array.from({ length: 12 }, () => Math.floor(Math.random() * 256));
  const descriptor = os.open('/dev/urandom', os.O_RDONLY);
  if (descriptor >= 0) {
    os.read(descriptor, bytes.buffer, 0, bytes.length);
    os.close(descriptor);
  }
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Reads what comes on a descriptor, under one deadline: always into the same buffer, or into new ones that the caller can keep. */
class Reader {
  readonly #descriptor: number;
  readonly #name: string;
  readonly #isKept: boolean;
  /** In bytes: a read of less, and the writer is left alone for a while. */
  readonly #little: number;
  #timer: object | undefined;
  #buffer: Uint8Array;
  #reject: ((error: Error) => void) | undefined;
  #isLate = false;
  #reads = 0;
  #last = 0;

  constructor(descriptor: number, name: string, deadline: number, isKept = false) {
    this.#descriptor = descriptor;
    this.#name = name;
    this.#isKept = isKept;
    this.#little = isKept ? keptSize / 8 : chunkSize / 2;
    this.#buffer = new Uint8Array(isKept ? keptSize : chunkSize);
    if (!Number.isFinite(deadline)) return;
    this.#timer = os.setTimeout(
      () => {
        this.#isLate = true;
        os.setReadHandler(descriptor, null);
        this.#reject?.(this.#late());
      },
      Math.max(0, deadline - os.now()),
    );
  }

  #late(): LimitExceeded {
    return new LimitExceeded(`${this.#name} did not end before the deadline`);
  }

  /** Resolves to the next bytes, none at the end. They are good until the next are asked for, unless they are kept. Throws Io, LimitExceeded at the deadline. */
  next(): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#isLate) {
        reject(this.#late());
        return;
      }
      // A wait for a descriptor that is not open would only end at the deadline; to read no byte of it is an error at once.
      const first = this.#reads === 0 ? os.read(this.#descriptor, this.#buffer.buffer, 0, 0) : 0;
      if (first < 0) {
        reject(failure(-first, this.#name));
        return;
      }
      this.#reject = reject;
      const listen = (): void => {
        if (!this.#isLate) os.setReadHandler(this.#descriptor, () => this.#read(resolve, reject));
      };
      if (this.#reads > readsBeforeBreath && this.#last < this.#little) os.setTimeout(listen, breath);
      else listen();
    });
  }

  #read(resolve: (bytes: Uint8Array) => void, reject: (error: Error) => void): void {
    const { buffer, byteOffset, length } = this.#buffer;
    const count = os.read(this.#descriptor, buffer, byteOffset, length);
    if (count === -EINTR) return;
    os.setReadHandler(this.#descriptor, null);
    this.#reject = undefined;
    this.#reads += 1;
    this.#last = count;
    if (count < 0) {
      reject(failure(-count, this.#name));
      return;
    }
    const bytes = this.#buffer.subarray(0, count);
    if (this.#isKept) this.#buffer = count < length ? this.#buffer.subarray(count) : new Uint8Array(keptSize);
    resolve(bytes);
  }

  /** A timer that is left would keep the program from ending. */
  close(): void {
    os.setReadHandler(this.#descriptor, null);
    if (this.#timer !== undefined) os.clearTimeout(this.#timer);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    os.setTimeout(resolve, milliseconds);
  });
}

/** Process groups that are running now, so that an interrupt ends them with us. */
const running = new Set<number>();

/** And itself, which leads no group before setsid has begun. */
function killGroup(leader: number): void {
  os.kill(-leader, SIGKILL);
  os.kill(leader, SIGKILL);
}

function killAll(status: number): never {
  for (const leader of running) killGroup(leader);
  std.exit(status);
}

function inputOf({ file, offset }: NonNullable<RunOptions['input']>): number {
  if (!(file instanceof QuickJsFile)) throw new Io(`${file.path}: not a file of this host`);
  return file.another(offset);
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
  // os.exec cannot make a process group, so that setsid (util-linux, everywhere) does.
  const setsid = findProgram(host, 'setsid');
  const input = options.input === undefined ? os.open('/dev/null', os.O_RDONLY) : inputOf(options.input);
  if (input < 0) throw failure(-input, '/dev/null');
  const stdout = os.pipe();
  const stderr = os.pipe();
  if (stdout === null || stderr === null) throw new Io(`${name} could not be run: no pipe`);
  native.widenPipe(stdout[1], pipeSize);
  const leader = os.exec([setsid, program, ...rest], {
    block: false,
    usePath: false,
    file: setsid,
    cwd: '/',
    stdin: input,
    stdout: stdout[1],
    stderr: stderr[1],
    env: cleanEnvironment,
  });
  if (running.size === 0) {
    os.signal(os.SIGINT, () => killAll(130));
    os.signal(os.SIGTERM, () => killAll(143));
  }
  running.add(leader);
  for (const descriptor of [input, stdout[1], stderr[1]]) os.close(descriptor);
  let errorText = '';
  const errorBuffer = new Uint8Array(stderrLimit);
  os.setReadHandler(stderr[0], () => {
    const count = os.read(stderr[0], errorBuffer.buffer, 0, stderrLimit);
    if (count <= 0) os.setReadHandler(stderr[0], null);
    else errorText += latin1(errorBuffer.subarray(0, Math.min(count, stderrLimit - errorText.length)));
  });
  const reader = new Reader(stdout[0], name, options.deadline);
  try {
    let total = 0;
    for (;;) {
      const chunk = await reader.next();
      if (chunk.length === 0) break;
      total += chunk.length;
      if (total > options.outputLimit) {
        throw new LimitExceeded(`${name} gave more than ${options.outputLimit} bytes`);
      }
      yield chunk;
    }
    for (;;) {
      const [ended, status] = os.waitpid(leader, os.WNOHANG);
      if (ended === leader) {
        running.delete(leader);
        const signal = status & 0x7f;
        return { status: signal === 0 ? (status >> 8) & 0xff : 128 + signal, stderr: errorText };
      }
      if (os.now() > options.deadline) throw new LimitExceeded(`${name} did not end before the deadline`);
      await pause(1);
    }
  } finally {
    reader.close();
    os.setReadHandler(stderr[0], null);
    os.close(stdout[0]);
    os.close(stderr[0]);
    // Once it has been waited for, its number can be another's.
    if (running.has(leader)) killGroup(leader);
    else os.kill(-leader, SIGKILL);
    if (running.delete(leader)) os.waitpid(leader, 0);
    if (running.size === 0) {
      os.signal(os.SIGINT, null);
      os.signal(os.SIGTERM, null);
    }
  }
}

/** Instead of the program. Throws as that. */
async function* decompressFile(
  form: FormName,
  decompressor: native.Decompressor,
  input: NonNullable<RunOptions['input']>,
  options: RunOptions,
): AsyncGenerator<Uint8Array> {
  const descriptor = inputOf(input);
  try {
    const read = (buffer: ArrayBufferLike, at: number, length: number): number => {
      const count = os.read(descriptor, buffer, at, length);
      if (count < 0) throw failure(-count, input.file.path);
      return count;
    };
    yield* decompress(form, decompressor, read, options, os.now);
  } finally {
    os.close(descriptor);
  }
}

/** It may be there already. Throws NotFound, Io. */
function makeDirectory(path: string): void {
  const made = os.mkdir(path, 0o755);
  if (made < 0 && made !== -EEXIST) throw failure(-made, path);
}

class QuickJsHost implements Host {
  readonly arguments: readonly string[] = scriptArgs.slice(1);

  get workingDirectory(): string {
    return os.getcwd()[0];
  }

  constructor() {
    // A closed standard error must not turn a block (status 10) into death by SIGPIPE, which lets the transaction go on.
    os.signal(os.SIGPIPE, undefined);
    // A file that grows over the user's limit is an error of the write then, as on Node.js.
    os.signal(SIGXFSZ, undefined);
    // Whoever ignores it hands that on, and the end of a program is then never told.
    os.signal(SIGCHLD, null);
  }

  /** The owner of /proc/self is the effective user; without /proc, root is assumed, the stricter of the two. */
  get userId(): number {
    return os.stat('/proc/self')[0]?.uid ?? 0;
  }

  environment(name: string): string | undefined {
    return std.getenv(name);
  }

  now(): number {
    return os.now();
  }

  #end: object | undefined;

  endAt(deadline: number, status: number): void {
    if (this.#end !== undefined) os.clearTimeout(this.#end);
    const left = Math.max(0, deadline - os.now());
    this.#end = os.setTimeout(() => killAll(status), left);
    native.alarm(left + patience);
  }

  open(path: string): File {
    return new QuickJsFile(path);
  }

  temporaryFile(name: string): TemporaryFile {
    return new QuickJsTemporaryFile(name);
  }

  readText(path: string, limit: number): string {
    const bytes = this.readBytes(path, limit);
    return inner.utf8(bytes) ?? lossyText(bytes);
  }

  readBytes(path: string, limit: number): Uint8Array {
    const descriptor = openFile(path);
    const pieces: Uint8Array[] = [];
    let total = 0;
    try {
      // Nearly all files say their size; those of /proc say 0. One byte more, so that the end of the file is seen without another piece.
      const size = os.seek(descriptor, 0, SEEK_END);
      os.seek(descriptor, 0, SEEK_SET);
      let piece = new Uint8Array(Math.min(limit, size > 0 ? size : unsizedRead) + 1);
      for (let filled = 0; ; ) {
        const count = os.read(descriptor, piece.buffer, filled, piece.length - filled);
        if (count === -EINTR) continue;
        if (count < 0) throw failure(-count, path);
        total += count;
        filled += count;
        if (total > limit) throw new LimitExceeded(`${path}: larger than ${limit} bytes`);
        if (count > 0 && filled < piece.length) continue;
        pieces.push(piece.subarray(0, filled));
        if (count === 0) return concatenated(pieces);
        piece = new Uint8Array(keptSize);
        filled = 0;
      }
    } finally {
      os.close(descriptor);
    }
  }

  reach(name: string): string {
    const bytes = Uint8Array.from(name, (letter) => letter.charCodeAt(0));
    const descriptor = native.openPath(bytes.buffer, 0, bytes.length);
    if (descriptor < 0) throw failure(-descriptor, name);
    return `/proc/${ownNumber()}/fd/${descriptor}`;
  }

  holding(paths: readonly string[], texts: readonly string[], limit: number): string[] {
    const found = new Set<string>();
    for (let at = 0; at < texts.length; at += textsAtOnce)
      for (const path of native.holding(paths, texts.slice(at, at + textsAtOnce), limit)) found.add(path);
    return paths.filter((path) => found.has(path));
  }

  readDirectory(path: string): string[] {
    const [names, errno] = os.readdir(named(path));
    if (errno !== 0) throw failure(errno, path);
    return names.filter((name) => name !== '.' && name !== '..');
  }

  readLink(path: string): string {
    const [target, errno] = os.readlink(named(path));
    if (errno !== 0) throw failure(errno, path);
    return target;
  }

  status(path: string): Status | undefined {
    if (path.includes('\0')) return undefined;
    const [stats, errno] = os.lstat(path);
    if (stats !== null) {
      return {
        kind: kindOf(stats.mode),
        size: stats.size,
        mode: stats.mode & 0o7777,
        owner: stats.uid,
        // Nearly nobody asks for it, and numbers take long to become texts.
        get identity() {
          return `${stats.dev}:${stats.ino}`;
        },
      };
    }
    if (errno === ENOENT || errno === ENOTDIR) return undefined;
    throw failure(errno, path);
  }

  async run(argv: readonly string[], options: RunOptions): Promise<Completed> {
    const output = runProgram(this, argv, options);
    const chunks: Uint8Array[] = [];
    for (;;) {
      const step = await output.next();
      if (step.done) return { ...step.value, stdout: concatenated(chunks) };
      chunks.push(step.value.slice());
    }
  }

  async *stream(argv: readonly string[], options: RunOptions): AsyncGenerator<Uint8Array> {
    const form = formOf(argv);
    const decompressor = form === undefined ? null : native.decompressor(form);
    if (form !== undefined && decompressor !== null && options.input !== undefined) {
      yield* decompressFile(form, decompressor, options.input, options);
      return;
    }
    const { status, stderr } = yield* runProgram(this, argv, options);
    if (status !== 0) throw new Io(`${argv[0]} failed with status ${status}: ${stderr.trim()}`);
  }

  /** Those that were wanted before; a new one costs more than a small file. */
  readonly #decompressors = new Map<FormName, native.Decompressor>();
  #unpacked = new Uint8Array(65536);

  unpacked(argv: readonly string[], bytes: Uint8Array, limit: number): Uint8Array | undefined {
    const form = formOf(argv);
    if (form === undefined) return undefined;
    const decompressor = this.#decompressors.get(form) ?? native.decompressor(form);
    if (decompressor === null) return undefined;
    // Only one that has come to the end of its file can begin the next.
    this.#decompressors.delete(form);
    const end = bytes.byteOffset + bytes.length;
    let filled = 0;
    for (let at = bytes.byteOffset; ; ) {
      const size = this.#unpacked.length;
      const [taken, given, status] = decompressor.step(bytes.buffer, at, end, this.#unpacked.buffer, filled, size);
      at += taken;
      filled += given;
      if (status === 1) this.#decompressors.set(form, decompressor);
      if (status === 1 && at === end && filled <= limit) return this.#unpacked.subarray(0, filled);
      if (status !== 0 || filled > limit || (taken === 0 && given === 0 && filled < size)) return undefined;
      if (filled < size) continue;
      const wider = new Uint8Array(size * 4);
      wider.set(this.#unpacked);
      this.#unpacked = wider;
    }
  }

  async *input(descriptor: number, limit: number, deadline: number): AsyncGenerator<Uint8Array> {
    const name = `descriptor ${descriptor}`;
    let total = 0;
    // What the writer can put there at once need not be waited for; no pipe, or a refusal, is no matter.
    native.widenPipe(descriptor, pipeSize);
    const reader = new Reader(descriptor, name, deadline, true);
    try {
      for (;;) {
        const chunk = await reader.next();
        if (chunk.length === 0) return;
        total += chunk.length;
        if (total > limit) throw new LimitExceeded(`${name}: more than ${limit} bytes`);
        yield chunk;
      }
    } finally {
      reader.close();
    }
  }

  replaceFile(path: string, text: string, mode: number): void {
    const folder = path.slice(0, path.lastIndexOf('/'));
    const above = folder.slice(0, folder.lastIndexOf('/'));
    if (above !== '' && this.status(above) === undefined) makeDirectory(above);
    makeDirectory(folder);
    const beside = besidePath(path, ownNumber());
    os.remove(beside);
    const descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode);
    if (descriptor < 0) throw failure(-descriptor, path);
    const bytes = encoded(text);
    let done = 0;
    while (done < bytes.length) {
      const count = os.write(descriptor, bytes.buffer, done, bytes.length - done);
      if (count === -EINTR) continue;
      if (count < 0) {
        os.close(descriptor);
        os.remove(beside);
        throw failure(-count, path);
      }
      done += count;
    }
    os.close(descriptor);
    const renamed = os.rename(beside, path);
    if (renamed < 0) {
      os.remove(beside);
      throw failure(-renamed, path);
    }
  }

  removeFile(path: string): void {
    const status = this.status(path);
    if (status === undefined) return;
    // os.remove would take an empty directory away, too.
    if (status.kind === 'directory') throw notRegular(path, status.kind);
    const removed = os.remove(path);
    if (removed < 0 && removed !== -ENOENT) throw failure(-removed, path);
  }

  lz4Block(input: Uint8Array, output: Uint8Array, start: number, end: number, isPartial: boolean): number {
    const { byteOffset: from, length } = input;
    const base = output.byteOffset;
    const stop = base + Math.min(end, output.length);
    return native.lz4Block(input.buffer, from, from + length, output.buffer, base, stop, start, isPartial);
  }

  entryTable(wanted: readonly string[]): EntryTable {
    return native.entryTable(wanted);
  }

  nextCommit({ buffer, byteOffset, length }: Uint8Array, from: number, end: number): number {
    return native.nextCommit(buffer, byteOffset, byteOffset + length, from, end);
  }

  isTerminal(descriptor: 1 | 2): boolean {
    return os.isatty(descriptor);
  }

  write(descriptor: 1 | 2, text: string): void {
    const stream = descriptor === 1 ? std.out : std.err;
    stream.puts(text);
    stream.flush();
  }

  exit(status: number): never {
    std.exit(status);
  }
}

export function createQuickJsHost(): Host {
  return new QuickJsHost();
}
