/** The part of QuickJS's `std` and `os` modules that quickjs.ts uses (bellard.org/quickjs, "Modules"). */

declare module 'std' {
  export const out: { puts(text: string): void; flush(): void };
  export const err: { puts(text: string): void; flush(): void };
  export function exit(status: number): never;
  export function getenv(name: string): string | undefined;
  export function strerror(errno: number): string;
  export function open(path: string, flags: string, error?: { errno: number }): StdFile | null;
  /** Null when it cannot be read. */
  export function loadFile(path: string): string | null;
  export interface StdFile {
    readAsString(maximum?: number): string;
    close(): number;
  }
}

declare module 'os' {
  export interface Stat {
    mode: number;
    size: number;
    uid: number;
    dev: number;
    ino: number;
  }
  export const O_RDONLY: number;
  export const O_RDWR: number;
  export const O_WRONLY: number;
  export const O_CREAT: number;
  export const O_EXCL: number;
  export const S_IFMT: number;
  export const S_IFREG: number;
  export const S_IFDIR: number;
  export const S_IFLNK: number;
  export const S_IFBLK: number;
  export const S_IFCHR: number;
  export const SIGINT: number;
  export const SIGTERM: number;
  export const SIGPIPE: number;
  export const WNOHANG: number;
  export function open(path: string, flags: number, mode?: number): number;
  export function write(descriptor: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  export function mkdir(path: string, mode: number): number;
  export function rename(from: string, to: string): number;
  export function dup(descriptor: number): number;
  export function remove(path: string): number;
  export function close(descriptor: number): number;
  export function seek(descriptor: number, offset: number, whence: number): number;
  export function read(descriptor: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  export function readdir(path: string): [string[], number];
  export function readlink(path: string): [string, number];
  export function lstat(path: string): [Stat | null, number];
  export function stat(path: string): [Stat | null, number];
  export function isatty(descriptor: number): boolean;
  export function pipe(): [number, number] | null;
  export function exec(
    argv: string[],
    options: {
      block: boolean;
      usePath: boolean;
      file: string;
      cwd: string;
      stdin: number;
      stdout: number;
      stderr: number;
      env: Record<string, string>;
    },
  ): number;
  export function waitpid(pid: number, options: number): [number, number];
  export function kill(pid: number, signal: number): number;
  export function signal(signal: number, handler: (() => void) | null | undefined): void;
  export function setReadHandler(descriptor: number, handler: (() => void) | null): void;
  export function setTimeout(handler: () => void, milliseconds: number): object;
  export function clearTimeout(timer: object): void;
  export function now(): number;
  export function getcwd(): [string, number];
}

/** packaging/native/native.c */
declare module 'native' {
  export type Decompressor = import('./decompress.ts').Decompressor;
  /** Null where the system lacks libz, libzstd, liblzma or liblz4. */
  export function decompressor(form: import('./decompress.ts').FormName): Decompressor | null;
  /** SIGALRM in so many milliseconds, whatever the caller had made of it; the last call counts. */
  export function alarm(milliseconds: number): void;
  /** Whether all bytes from..to of the buffer are zero. */
  export function isZero(buffer: ArrayBufferLike, from: number, to: number): boolean;
  /** Ranges are from, to; `start` counts from the output's. Returns where in that the block ended, or -1 for a bad one. */
  export function lz4Block(
    input: ArrayBufferLike,
    inputFrom: number,
    inputTo: number,
    output: ArrayBufferLike,
    outputFrom: number,
    outputTo: number,
    start: number,
    isPartial: boolean,
  ): number;
  export function entryTable(wanted: readonly string[]): import('./host.ts').EntryTable;
  /** `start`, `end` and the result count from the range's beginning. */
  export function nextCommit(buffer: ArrayBufferLike, from: number, to: number, start: number, end: number): number;
  /** Where the second range first stands in the first one at or after `start`, which counts from its beginning as the result does; or -1. */
  export function find(
    buffer: ArrayBufferLike,
    from: number,
    to: number,
    needle: ArrayBufferLike,
    needleFrom: number,
    needleTo: number,
    start: number,
  ): number;
  /** Puts the lines into an array, and returns where the first empty one is; see read/bytes.ts. */
  export function linesBeginning(
    buffer: ArrayBufferLike,
    from: number,
    to: number,
    beginnings: readonly string[],
    lines: string[],
  ): number;
  /** Undefined for what is no UTF-8. */
  export function utf8(buffer: ArrayBufferLike, from: number, to: number): string | undefined;
  export function isPlain(buffer: ArrayBufferLike, from: number, to: number): boolean;
  /** A character for each byte. */
  export function latin1(buffer: ArrayBufferLike, from: number, to: number): string;
  /** The descriptor of a file in memory, or -1. */
  export function memoryFile(): number;
  /** A descriptor (O_PATH) of the file whose name is these bytes, or a negative error number. */
  export function openPath(buffer: ArrayBufferLike, from: number, to: number): number;
  export function widenPipe(descriptor: number, bytes: number): void;
  export function holding(paths: readonly string[], texts: readonly string[], limit: number): string[];
}

/** Arguments of the program, its own name first. */
declare const scriptArgs: string[];
