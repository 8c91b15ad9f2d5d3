/**
 * The only seam between kata-check and the world. Everything else in `src/` reaches files, programs, time and
 * the terminal through a `Host`; `node.ts` and `quickjs.ts` implement it.
 *
 * Paths are absolute. Times are milliseconds of `now()`, a clock that only goes forward.
 */

import { Io, NotFound } from '../errors.ts';

export type FileKind = 'file' | 'directory' | 'symlink' | 'device' | 'other';

export interface Status {
  readonly kind: FileKind;
  /** Size in bytes. */
  readonly size: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** Numeric user id of the owner. */
  readonly owner: number;
  /** Of the same file, and of no other at the same time: device and inode. */
  readonly identity: string;
}

/** An open regular file or block device. */
export interface File {
  readonly path: string;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** For what the host itself does with the file, where it does. */
  readonly descriptor?: number;
  /** Exactly `length` bytes from `offset` (both in bytes). Throws Io when the file ends before, or cannot be read. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

/** A file without a name: only who has it open can reach it, and it is gone with the process, however that ends. */
export interface TemporaryFile extends File {
  /** Bytes written so far. */
  readonly size: number;
  /** At the end; a piece of nothing but zeros may become a hole. Throws Io (a full disk). */
  write(bytes: Uint8Array): void;
}

/**
 * What the archives of an initrd unpack to, for read/tree.ts, which knows what it means: an entry is a number here, the first is 0. Names and
 * targets are byte strings. A number that is none is -1.
 */
export interface EntryTable {
  /** Returns the number of a new entry. */
  add(kind: number): number;
  /** The entry of that name in a directory. */
  find(directory: number, name: string): number;
  /** Puts an entry at a name, in the place of what is there; a new name counts in the size of the directory. */
  put(directory: number, name: string, entry: number): void;
  names(directory: number): string[];
  /** Columns: 0 the kind (0 directory, 1 file, 2 symbolic link, 3 other), 1 the size, 2 where the content begins, 3 the number of its segment. */
  get(entry: number, column: number): number;
  set(entry: number, column: number, value: number): void;
  target(entry: number): string;
  setTarget(entry: number, target: string): void;
  /** The directory that was remembered last, when this path led there, and no name was put in the place of another one since. */
  recall(path: string): number;
  remember(path: string, directory: number): void;
  /**
   * Takes the next entries of an archive by itself, as far as they are as nearly all are: from the bytes `from` to `to`, or of an open file from
   * `from` on, with `to` bytes in all. `state` is where it stands in the stream, how many entries and bytes of names may still come, how many parts of paths were
   * gone through, and the number of the segment. It returns before it takes long.
   */
  readonly walk?: (state: ArrayBufferLike, source: ArrayBufferLike | number, from: number, to: number) => void;
}

export interface RunOptions {
  /** When the program and all its children are killed, on the `now()` clock. */
  readonly deadline: number;
  /** How many bytes of output are taken before the program is killed. */
  readonly outputLimit: number;
  /** What the program reads: nothing, or an open file of this host from `offset` (bytes) to its end. One program at a time. */
  readonly input?: { readonly file: File; readonly offset: number };
}

export interface Completed {
  /** Exit status; 128 + the signal's number when a signal ended it. */
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

export interface Host {
  /** Arguments after the program's name. */
  readonly arguments: readonly string[];
  environment(name: string): string | undefined;
  /** Absolute; where relative paths on the command line begin. */
  readonly workingDirectory: string;
  /** Effective user id. */
  readonly userId: number;
  now(): number;
  /**
   * Ends the program with `status` at `deadline`, with every program it runs, whatever it may be waiting for then. The last net below
   * the deadlines of single steps: a hook must not hang. The last call counts. While it waits in the kernel it cannot end itself: it is killed a second later.
   */
  endAt(deadline: number, status: number): void;

  /** Never waits: a FIFO or a directory is an error. Throws NotFound, Io. */
  open(path: string): File;
  /** The whole of a small file, also of one under /proc, decoded as UTF-8. Throws NotFound, Io, LimitExceeded (over `limit` bytes). */
  readText(path: string, limit: number): string;
  /** As `readText`, but its bytes. Throws likewise. */
  readBytes(path: string, limit: number): Uint8Array;
  /**
   * A path below /proc that leads to the file or folder whose name has these bytes, a character each, as long as this program runs; also for the
   * programs that it runs. For names that are no text. Throws NotFound, Io.
   */
  reach(name: string): string;
  /** A new, empty one, for this user only. `name`: what messages call it. Throws Io. */
  temporaryFile(name: string): TemporaryFile;
  /**
   * Those of many files that hold one of the texts. One that is missing, larger than `limit` bytes, no regular file, a
   * symlink itself, or cannot be read, holds none.
   */
  holding(paths: readonly string[], texts: readonly string[], limit: number): string[];
  /** Names without `.` and `..`, in no order. Throws NotFound, Io. */
  readDirectory(path: string): string[];
  /** Throws NotFound, Io. */
  readLink(path: string): string;
  /**
   * The path with every symlink followed, where this host is a part of another one: so each part of the path is looked at once, and not
   * from the root again. `followLast`: the last component, too. Throws LimitExceeded, Io. Absent: rooted.ts does it.
   */
  resolve?(path: string, followLast: boolean): string;
  /** Of the path itself, not of what a symlink points to; undefined when there is none. Throws Io. */
  status(path: string): Status | undefined;

  /**
   * Runs a program without a shell, in its own process group, with a clean environment (C locale, fixed PATH) and no
   * input but `options.input`. A name without `/` is looked up in the fixed PATH only.
   * Throws NotFound (no such program), LimitExceeded (deadline, output), Io.
   */
  run(argv: readonly string[], options: RunOptions): Promise<Completed>;
  /** As `run`, but yields standard output as it comes, each piece good only until the next one is asked for; a non-zero status throws Io at the end. Leaving the loop early kills the program. */
  stream(argv: readonly string[], options: RunOptions): AsyncIterable<Uint8Array>;
  /**
   * What the program would make of these few bytes, where the host can do that at once and without it; undefined where it cannot, and for
   * bytes that are damaged, or give more than `limit`. Good until it is called again.
   */
  unpacked(argv: readonly string[], bytes: Uint8Array, limit: number): Uint8Array | undefined;
  /**
   * What comes on an inherited descriptor, piece by piece, until its end. Leaving the loop early closes nothing that matters.
   * `deadline` may be Infinity. Throws Io, LimitExceeded (deadline, or over `limit` bytes).
   */
  input(descriptor: number, limit: number, deadline: number): AsyncIterable<Uint8Array>;

  /**
   * Puts a small file with this text and these permission bits in the place of an old one, at once: whoever reads sees the one or the other. Its folder is
   * made when it is missing (two levels at the most, 0o755). No symlink is followed to it. Throws NotFound, Io.
   */
  replaceFile(path: string, text: string, mode: number): void;
  /** It may be gone already. No symlink is followed to it. Throws Io (a directory, or no permission). */
  removeFile(path: string): void;

  /**
   * One block of LZ4, where the host decompresses it faster than JavaScript does. Writes `output` from `start` to no further than `end`;
   * partial: stops there, whatever else the input holds. Returns where it ended, or -1 for a bad block.
   */
  readonly lz4Block?: (input: Uint8Array, output: Uint8Array, start: number, end: number, isPartial: boolean) => number;
  /** A table for the entries of one initrd, where the host has one that is faster than JavaScript. `wanted`: names that it leaves to its caller. */
  readonly entryTable?: (wanted: readonly string[]) => EntryTable;
  /** Where, from `from` on and before `end`, the next dash stands with a decimal digit before and 40 hexadecimal ones behind it; else -1. */
  readonly nextCommit?: (bytes: Uint8Array, from: number, end: number) => number;

  isTerminal(descriptor: 1 | 2): boolean;
  /** Writes all of the text; an error (a closed pipe, a full disk) is ignored, as there is nobody left to tell. */
  write(descriptor: 1 | 2, text: string): void;
  exit(status: number): never;
}

const kindNames: Readonly<Record<FileKind, string>> = {
  file: 'a file',
  directory: 'a directory',
  symlink: 'a symbolic link',
  device: 'a device',
  other: 'a FIFO or socket',
};

/** All of an inherited descriptor until its end. Throws as `Host.input`. */
export async function readAll(host: Host, descriptor: number, limit: number, deadline: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of host.input(descriptor, limit, deadline)) pieces.push(piece);
  return concatenated(pieces);
}

export function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Bytes that are no UTF-8, each of which that belongs to no letter as one U+FFFD, in both forms of the program. */
export function lossyText(bytes: Uint8Array): string {
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  const letter =
    /[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|(?:\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f])[\x80-\xbf]|(?:\xf0[\x90-\xbf]|[\xf1-\xf3][\x80-\xbf]|\xf4[\x80-\x8f])[\x80-\xbf]{2}|[\x80-\xff]/g;
  return latin1.replace(letter, (part) =>
    part.length > 1 || part < '\x80' ? decodeURIComponent(escape(part)) : '\ufffd',
  );
}

/** Behind `endAt`, in milliseconds: when the kernel kills the program where it waits, as for a filesystem that does not answer. */
export const patience = 1000;

/** Where `replaceFile` writes first: beside the file, under a name that no other run uses. */
export function besidePath(path: string, number: number): string {
  return `${path}.new-${number.toString(36)}`;
}

/** What `open` throws for anything but a regular file. */
export function notRegular(path: string, kind: FileKind): Io {
  return new Io(`${path}: is ${kindNames[kind]}, not a regular file`);
}

/** Where temporary files may be large; not the caller's TMPDIR, which is of whoever called the package manager. */
export const temporaryDirectories = ['/var/tmp', '/tmp'];

/** Never the caller's PATH: a hook runs as root with whatever environment the user had. */
export const programDirectories = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export const cleanEnvironment = {
  PATH: programDirectories.join(':'),
  LC_ALL: 'C',
} as const;

/** The absolute path of a program: itself when it is one, else the first hit in the fixed PATH. Throws NotFound. */
export function findProgram(host: Pick<Host, 'status'>, name: string): string {
  const candidates = name.includes('/') ? [name] : programDirectories.map((directory) => `${directory}/${name}`);
  const found = candidates.find((path) => host.status(path) !== undefined);
  if (found === undefined) throw new NotFound(`the program ${name} is not installed`);
  return found;
}
