/**
 * Initrds: cpio archives in the newc (070701) and crc (070702) forms, plain or compressed, several in a row. Format:
 * Linux, Documentation/driver-api/early-userspace/buffer-format.rst; where it is silent, this follows what the kernel's
 * init/initramfs.c does, since the guest's kernel unpacks the same bytes: later entries win, a file is written through the
 * hard links it has, a directory that is not empty is never replaced, paths go through symbolic links made before.
 * Otherwise than the kernel: a directory missing on the way to an entry is made (a note says so).
 * Not read: the older cpio forms (odc, binary), and the checksums of the crc form.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { latin1 } from './bytes.ts';
import {
  type Compression,
  type CompressionName,
  compressionOf,
  DecompressorFailed,
  decompress,
  firstNonZero,
  isCpio,
  magicSize,
  skipZeros,
} from './decompress.ts';
import { type FileSystem, type Inode, type InodeKind, pieces, resolve } from './filesystem.ts';
import * as limits from './limits.ts';
import type { Source } from './source.ts';
import { Entry, type Segment, Tree } from './tree.ts';

export const headerSize = 110;
export const trailer = 'TRAILER!!!';
/** Where each field of eight hexadecimal digits that is used here stands in a header. */
const field = { inode: 6, mode: 14, links: 38, size: 54, deviceMajor: 62, deviceMinor: 70, nameSize: 94 } as const;
/** One read of a plain archive: a header and its name, and what small entries follow. */
const readAhead = 4096;
/** Pieces of a plain file's content. */
const pieceSize = 256 * 1024;

export interface Initrd {
  readonly filesystem: FileSystem;
  /** Of the last compressed segment; null when all archives are plain. */
  readonly compression: CompressionName | null;
  /**
   * The content of a file of `filesystem`, in pieces. For a compressed initrd this decompresses its segment once more,
   * and ending the loop early ends the decompressor. Throws as `openInitrd`.
   */
  stream(file: Inode): AsyncIterable<Uint8Array>;
}

/** Whether the source begins like an initrd: a cpio header, or a compressed stream. Throws Io, Unsupported (lzma, lzo). */
export function isInitrd(source: Source): boolean {
  if (source.length < magicSize) return false;
  const head = source.read(0, magicSize, 'initrd').data;
  return isCpio(head) || compressionOf(head) !== undefined;
}

/**
 * Reads all archives of an initrd, each compressed segment in one pass. `Inode.read` of a file from a compressed segment
 * works only for the `wanted` paths (symbolic links followed), up to limits.summaryBytes each; for all others there is `stream`.
 * Throws Corrupt (with the byte's position in the plain stream), Unsupported, LimitExceeded, Io, and NotFound when the
 * decompressor is not installed.
 */
export async function openInitrd(
  host: Pick<Host, 'stream'>,
  source: Source,
  wanted: readonly string[] = [],
): Promise<Initrd> {
  const names = new Set(wanted.map((path) => path.slice(path.lastIndexOf('/') + 1)));
  const tree = new Tree(source, names);
  let compression: CompressionName | null = null;
  let segments = 0;
  let at = skipZeros(source, 0, limits.initrdPadding);
  if (at === undefined) throw new Corrupt(`${source.path} holds nothing but zeros`);
  while (at !== undefined) {
    const head = source.read(at, Math.min(magicSize, source.length - at), 'initrd').data;
    let end: number | undefined;
    if (isCpio(head)) {
      const cursor = new SourceCursor(source, at);
      await readArchive(cursor, tree, { source, compression: undefined, offset: 0 });
      end = cursor.position;
    } else {
      const form = compressionOf(head);
      if (form === undefined && compression !== null) {
        tree.note(`what stands behind the last archive, from byte ${at} of the file on, is none and was not read`);
        break;
      }
      if (form === undefined) throw unknownForm(head, `byte ${at} of ${source.path}`, at === 0);
      segments += 1;
      if (segments > limits.initrdSegments) {
        throw new LimitExceeded(`${source.path}: more than ${limits.initrdSegments} compressed segments`);
      }
      compression = form.name;
      end = await readSegment(host, source, form, at, tree);
    }
    at = end === undefined ? undefined : skipZeros(source, end, limits.initrdPadding);
  }
  const filesystem: FileSystem = { type: 'cpio', root: new Entry(tree, 0), notes: tree.notes() };
  const stream = (file: Inode): AsyncIterable<Uint8Array> => contentOf(host, file);
  for (const path of wanted) {
    const file = resolve(filesystem, path);
    if (!(file instanceof Entry) || file.kind !== 'file' || file.size > limits.summaryBytes) continue;
    if (file.kept === undefined && file.segment.compression !== undefined)
      file.keep(await joined(stream(file), file.size));
  }
  return { filesystem, compression, stream };
}

function unknownForm(head: Uint8Array, where: string, isFirst: boolean): Error {
  const text = latin1(head);
  if (text === '070707') return new Unsupported(`${where}: a cpio archive in the odc form (070707)`);
  if (head[0] === 0xc7 && head[1] === 0x71) return new Unsupported(`${where}: a cpio archive in the old binary form`);
  const message = `${where}: neither a cpio header nor a compressed stream`;
  return isFirst ? new Unsupported(message) : new Corrupt(message);
}

async function joined(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const all = new Uint8Array(size);
  let at = 0;
  for await (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Reads the archives of a compressed segment. Returns where what follows begins in the file; undefined when nothing does. */
async function readSegment(
  host: Pick<Host, 'stream'>,
  source: Source,
  compression: Compression,
  offset: number,
  tree: Tree,
): Promise<number | undefined> {
  const cursor = new StreamCursor(host, source, compression, offset);
  const segment: Segment = { source, compression, offset };
  try {
    let archives = 0;
    while (await cursor.skipZeros()) {
      await readArchive(cursor, tree, segment, archives === 0);
      archives += 1;
    }
    if (archives === 0) throw cursor.failure ?? new Corrupt(`${cursor.what}: no archive in ${cursor.position} bytes`);
    return followingPlace(source, compression, offset, cursor, tree);
  } catch (error) {
    // Bad data spoil the archive, too. Where depends on how much of them a decompressor gives before it stops, so it is not told.
    if (error instanceof Corrupt || error instanceof Unsupported) await cursor.drain();
    throw cursor.failure?.isTrailing === false ? cursor.failure : error;
  } finally {
    await cursor.close();
  }
}

/**
 * The programs take segments of their own form that follow at once; at anything else they stop, with an error that is
 * none where the segment is known to end before the file does.
 */
function followingPlace(
  source: Source,
  compression: Compression,
  offset: number,
  cursor: StreamCursor,
  tree: Tree,
): number | undefined {
  const { failure } = cursor;
  if (failure === undefined && !compression.isSilent) return undefined;
  if (failure?.isTrailing === false) throw failure;
  const end = compression.findEnd(source, offset, cursor.position);
  if (end === undefined) {
    tree.note(`what stands behind the ${compression.name} segment at byte ${offset} was not read`);
    return undefined;
  }
  const behind = source.length - end;
  const isPadding =
    compression.padding !== undefined &&
    behind % compression.padding === 0 &&
    skipZeros(source, end, limits.initrdPadding) === undefined;
  if (failure !== undefined && (behind <= 0 || isPadding)) throw failure;
  return behind > 0 ? end : undefined;
}

async function* contentOf(host: Pick<Host, 'stream'>, file: Inode): AsyncGenerator<Uint8Array> {
  if (!(file instanceof Entry) || file.kind !== 'file') throw new Corrupt(`a ${file.kind} in an initrd has no content`);
  const { segment, size, kept } = file;
  if (kept !== undefined) yield kept;
  else if (segment.compression === undefined) yield* pieces(file, pieceSize);
  else {
    const cursor = new StreamCursor(host, segment.source, segment.compression, segment.offset);
    try {
      const start = cursor.skip(file.at);
      if (start !== undefined) await start;
      for (let left = size; left > 0; ) {
        const piece = await cursor.some(left);
        left -= piece.length;
        yield piece;
      }
    } finally {
      await cursor.close();
    }
  }
}

/** A place in a plain stream of archives. What is there at once comes without a promise: there are tens of thousands of headers. */
interface Cursor {
  /** In bytes. */
  readonly position: number;
  /** Names the stream in messages. */
  readonly what: string;
  /** The next `length` bytes, maybe as a view; the caller bounds them. Throws Corrupt at the end. */
  take(length: number): Uint8Array | Promise<Uint8Array>;
  /** Passes over `length` bytes. Throws Corrupt at the end. */
  skip(length: number): Promise<void> | undefined;
  /** Passes over the entries that the host takes into the tree by itself; none where it does not. Throws Corrupt at the end, LimitExceeded. */
  walk(tree: Tree, segment: Segment): Promise<void> | undefined;
}

/** Skips by seeking: of a file's content nothing is read. */
class SourceCursor implements Cursor {
  position: number;
  readonly what: string;
  readonly #source: Source;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Where `#buffer` stands in the source. */
  #start = 0;

  constructor(source: Source, position: number) {
    this.#source = source;
    this.position = position;
    this.what = `cpio archive in ${source.path}`;
  }

  take(length: number): Uint8Array {
    const { position } = this;
    if (position < this.#start || position + length > this.#start + this.#buffer.length) {
      this.#check(length);
      const wanted = Math.min(Math.max(length, readAhead), this.#source.length - position);
      // The number of entries bounds that of these reads.
      this.#buffer = this.#source.file.read(this.#source.offset + position, wanted);
      this.#start = position;
    }
    this.position = position + length;
    return this.#buffer.subarray(position - this.#start, position - this.#start + length);
  }

  skip(length: number): undefined {
    this.#check(length);
    this.position += length;
  }

  walk(tree: Tree, segment: Segment): undefined {
    this.position = tree.walk(this.position, segment);
  }

  #check(length: number): void {
    const { position } = this;
    if (position + length > this.#source.length) {
      const end = `the file has ${this.#source.length} bytes`;
      throw new Corrupt(`${this.what}: bytes ${position} to ${position + length} are needed, but ${end}`);
    }
  }
}

const empty = new Uint8Array(0);

class StreamCursor implements Cursor {
  position = 0;
  readonly what: string;
  /** Why the decompressor stopped, when its data was bad. */
  failure: DecompressorFailed | undefined;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #source: Source;
  #chunk: Uint8Array = empty;
  /** Where the next byte stands in `#chunk`. */
  #at = 0;

  constructor(host: Pick<Host, 'stream'>, source: Source, compression: Compression, offset: number) {
    this.#source = source;
    this.what = `${compression.name} stream from byte ${offset} of ${source.path}`;
    this.#chunks = decompress(host, compression, source, offset)[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  take(length: number): Uint8Array | Promise<Uint8Array> {
    const end = this.#at + length;
    if (end > this.#chunk.length) return this.#collect(length);
    const bytes = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    this.position += length;
    return bytes;
  }

  async #collect(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const piece = await this.some(length - done);
      bytes.set(piece, done);
      done += piece.length;
    }
    return bytes;
  }

  skip(length: number): Promise<void> | undefined {
    const end = this.#at + length;
    if (end > this.#chunk.length) return this.#skipOn(length);
    this.#at = end;
    this.position += length;
    return undefined;
  }

  walk(tree: Tree, segment: Segment): Promise<void> | undefined {
    if (this.#at === this.#chunk.length) return undefined;
    return this.skip(tree.walk(this.position, segment, this.#chunk, this.#at) - this.position);
  }

  async #skipOn(length: number): Promise<void> {
    for (let left = length; left > 0; ) left -= (await this.some(left)).length;
  }

  /** Passes over all that is left, so that a failure is known. Throws LimitExceeded (deadline, output), Io. */
  async drain(): Promise<void> {
    while (await this.#next());
  }

  /** At least one and at most `limit` of the next bytes. Throws Corrupt at the end. */
  async some(limit: number): Promise<Uint8Array> {
    if (this.#at === this.#chunk.length && !(await this.#next())) {
      const reason = this.failure === undefined ? '' : ` (${this.failure.message})`;
      throw new Corrupt(`${this.what}: breaks off at byte ${this.position} of the plain stream${reason}`);
    }
    const piece = this.#chunk.subarray(this.#at, this.#at + limit);
    this.#at += piece.length;
    this.position += piece.length;
    return piece;
  }

  /** Whether anything but zeros follows; then it is the next. */
  async skipZeros(): Promise<boolean> {
    const start = this.position;
    for (;;) {
      const place = firstNonZero(this.#chunk, this.#at);
      const skipped = (place === -1 ? this.#chunk.length : place) - this.#at;
      this.#at += skipped;
      this.position += skipped;
      if (place !== -1) return true;
      if (this.position - start > limits.initrdPadding) {
        throw new LimitExceeded(`${this.what}: more than ${limits.initrdPadding} bytes of zeros from byte ${start}`);
      }
      if (!(await this.#next())) return false;
    }
  }

  /** Gets the next chunk that holds anything; false at the end. */
  async #next(): Promise<boolean> {
    this.#source.budget.checkTime(this.what);
    this.#at = 0;
    this.#chunk = empty;
    try {
      while (this.#chunk.length === 0) {
        const step = await this.#chunks.next();
        if (step.done === true) return false;
        this.#chunk = step.value;
      }
      return true;
    } catch (error) {
      if (!(error instanceof DecompressorFailed)) throw error;
      this.failure = error;
      return false;
    }
  }
}

/** The value of each hexadecimal digit by its character; -1 for every other. */
const digits = new Int8Array(256).fill(-1);
for (const [value, character] of [...'0123456789abcdef'].entries()) {
  digits[character.charCodeAt(0)] = value;
  digits[character.toUpperCase().charCodeAt(0)] = value;
}

/** Four digits; negative when one of them is none. */
function quarter(header: Uint8Array, at: number): number {
  // Written out, as it is asked for eight times and more for every entry of every initrd.
  return (
    ((digits[header[at] as number] as number) << 12) |
    ((digits[header[at + 1] as number] as number) << 8) |
    ((digits[header[at + 2] as number] as number) << 4) |
    (digits[header[at + 3] as number] as number)
  );
}

function hexadecimal(header: Uint8Array, offset: number, what: string, start: number): number {
  const high = quarter(header, offset);
  const low = quarter(header, offset + 4);
  if ((high | low) >= 0) return high * 65536 + low;
  let at = offset;
  while ((digits[header[at] as number] as number) >= 0) at += 1;
  throw new Corrupt(`${what}: the header at byte ${start} has no hexadecimal digit at its byte ${at}`);
}

/** To the next multiple of four. */
export function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}

const formatMask = 0xf000;
const kinds: Readonly<Record<number, InodeKind>> = { 16384: 'directory', 32768: 'file', 40960: 'symlink' };

/** The part of a header that is used. */
export interface CpioHeader {
  readonly kind: InodeKind;
  /** In bytes, as all sizes here. */
  readonly size: number;
  /** With the zero byte at its end; behind the name stands padding to `headerSize`. */
  readonly nameSize: number;
  /** What is the same for all names of one file; undefined when it has but one. */
  readonly shared: { readonly format: number; readonly device: string; readonly inode: number } | undefined;
}

/** `header` begins as `isCpio` says; `what` and `start` are its archive and place in messages. Throws Corrupt. */
export function parseCpioHeader(header: Uint8Array, what: string, start: number): CpioHeader {
  const format = hexadecimal(header, field.mode, what, start) & formatMask;
  const size = hexadecimal(header, field.size, what, start);
  const nameSize = hexadecimal(header, field.nameSize, what, start);
  const kind = kinds[format] ?? 'other';
  let shared: CpioHeader['shared'];
  if (kind !== 'directory' && hexadecimal(header, field.links, what, start) > 1) {
    const [major, minor] = [field.deviceMajor, field.deviceMinor].map((at) => hexadecimal(header, at, what, start));
    shared = { format, device: `${major}:${minor}`, inode: hexadecimal(header, field.inode, what, start) };
  }
  if (nameSize < 1 || nameSize > limits.pathBytes) {
    throw new Corrupt(`${what}: the header at byte ${start} has a name of ${nameSize} bytes`);
  }
  return { kind, size, nameSize, shared };
}

/** The name is a C string: what stands behind its end is none of it. Throws Corrupt. */
export function cpioName(bytes: Uint8Array, nameSize: number, what: string, start: number): string {
  const end = bytes.indexOf(0);
  if (end === -1 || end >= nameSize) throw new Corrupt(`${what}: the name of the header at byte ${start} has no end`);
  return latin1(bytes.subarray(0, end));
}

/** What the kernel keeps until the trailer: the first file of each number that has several names. */
class HardLinks {
  /** The file's number in the tree by its identity. */
  readonly first = new Map<number, number>();
  readonly #what: string;
  readonly #devices = new Map<string, number>();

  constructor(what: string) {
    this.#what = what;
  }

  /** A number, since there may be one for each entry. Throws LimitExceeded (devices). */
  identity({ format, device, inode }: NonNullable<CpioHeader['shared']>): number {
    let index = this.#devices.get(device);
    if (index === undefined) {
      index = this.#devices.size;
      if (index === limits.initrdDevices) {
        throw new LimitExceeded(`${this.#what}: hard links on more than ${limits.initrdDevices} devices`);
      }
      this.#devices.set(device, index);
    }
    return (index * 16 + format / 4096) * 4294967296 + inode;
  }
}

/** `isFirst`: of all of a compressed stream. */
async function nextHead(cursor: Cursor, isFirst: boolean): Promise<Omit<CpioHeader, 'nameSize'> & { path: string }> {
  const place = cursor.position;
  const got = cursor.take(headerSize);
  const header = got instanceof Promise ? await got : got;
  if (!isCpio(header)) {
    if (isFirst)
      throw unknownForm(header.subarray(0, magicSize), `${cursor.what}: byte ${place} of what is in it`, true);
    throw new Corrupt(`${cursor.what}: no cpio header at byte ${place} of the plain stream`);
  }
  const { nameSize, ...rest } = parseCpioHeader(header, cursor.what, place);
  const named = cursor.take(nameSize + padding(headerSize + nameSize));
  const path = cpioName(named instanceof Promise ? await named : named, nameSize, cursor.what, place);
  return { path, ...rest };
}

/** Reads one archive, up to its trailer and the padding of that. */
async function readArchive(cursor: Cursor, tree: Tree, segment: Segment, isFirst = false): Promise<void> {
  const linked = new HardLinks(cursor.what);
  const start = cursor.position;
  for (;;) {
    let place: number;
    do {
      place = cursor.position;
      const walked = cursor.walk(tree, segment);
      if (walked !== undefined) await walked;
    } while (cursor.position > place);
    const { path, kind, size, shared } = await nextHead(cursor, isFirst && place === start);
    const identity = shared === undefined ? undefined : linked.identity(shared);
    tree.count(path.length);
    if (path === trailer) {
      if (size !== 0) throw new Corrupt(`${cursor.what}: the trailer at byte ${place} has ${size} bytes of content`);
      return;
    }
    const at = cursor.position;
    const isText = kind === 'symlink' && size <= limits.pathBytes;
    const isKept = kind === 'file' && segment.compression !== undefined && tree.keeps(path, size);
    let content: Uint8Array | undefined;
    if (isText || isKept) {
      const taken = cursor.take(size);
      // A view into a chunk would hold all of that chunk in memory.
      content = (taken instanceof Promise ? await taken : taken).slice();
    }
    const skipped = cursor.skip((content === undefined ? size : 0) + padding(size));
    if (skipped !== undefined) await skipped;

    if (kind === 'symlink') tree.addLink(path, content);
    else if (kind === 'directory') tree.addDirectory(path, size);
    else if (kind === 'other' && size > 0) tree.leaveOut();
    else {
      const first = identity === undefined ? undefined : linked.first.get(identity);
      const node = first === undefined ? tree.place(path, kind) : tree.put(path, first);
      if (identity !== undefined && node !== undefined) linked.first.set(identity, node);
      // Without content, a further name of a file leaves it as it is.
      if (node !== undefined && (first === undefined || size > 0)) tree.fill(node, size, segment, at, content);
    }
  }
}
