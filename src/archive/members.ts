/**
 * What a package says of itself and brings, whatever its kind; and the reading of the archive in it out of a stream.
 */

import { Corrupt, LimitExceeded } from '../errors.ts';
import type { Declared } from '../locate/declared.ts';
import { fromLatin1, utf8 } from '../read/bytes.ts';

export interface PackageFields extends Declared {
  readonly name: string;
  /** As the package manager writes it, with epoch and revision. */
  readonly version: string;
  /** Why the version may be wrong; absent when it is sure. */
  readonly versionDoubt?: string;
}

export interface Member {
  /** As a byte string, without `./` or `/` in front. */
  readonly path: string;
  /** `sparse`: a file stored without its holes, in one of tar's ways. */
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'sparse' | 'other';
  /** In bytes. */
  readonly size: number;
  /** Of a link: of a symbolic one as it is written, of a hard one the path of a member before. */
  readonly target: string;
  /** The same for all names of one file, where the archive gives each of them a header; only one has the content. */
  readonly identity: string | null;
  /** All of the content; to be called before the next member is asked for. Throws LimitExceeded over `limit` bytes. */
  content(limit: number): Promise<Uint8Array>;
  /** The content in pieces, each good only until the next one; likewise. */
  pieces(): AsyncIterable<Uint8Array>;
}

/** Where a member will be, absolute; undefined for what leads out of its folder, and is at no path that could be looked for. */
export function placeOf(member: Pick<Member, 'path'>): string | undefined {
  return absolute(utf8(fromLatin1(member.path)) ?? member.path);
}

/** `/` before it, and each slash once. */
export function absolute(path: string): string | undefined {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  return names.includes('..') ? undefined : `/${names.join('/')}`;
}

/** Takes exactly so many bytes as are asked for out of pieces of any size. */
export class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  /** Names the archive in messages. */
  readonly what: string;
  position = 0;

  constructor(pieces: AsyncIterable<Uint8Array>, what: string) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.what = what;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** At least one and at most `limit` of the next bytes, good until the next are asked for; none at the end. */
  async some(limit: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) return this.#rest;
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(piece.length);
    this.position += piece.length;
    return piece;
  }

  /** The next `length` bytes in pieces. Throws Corrupt when the stream ends before; `what` is being read then. */
  async *pieces(length: number, what = this.what): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      const piece = await this.some(left);
      if (piece.length === 0) throw new Corrupt(`${what}: the archive breaks off at byte ${this.position}`);
      left -= piece.length;
      yield piece;
    }
  }

  /** The next `length` bytes; the caller bounds them. Throws likewise. */
  async exactly(length: number, what = this.what): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let at = 0;
    for await (const piece of this.pieces(length, what)) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** Throws likewise. */
  async skip(length: number, what = this.what): Promise<void> {
    for (let left = length; left > 0; ) {
      const piece = await this.some(left);
      if (piece.length === 0) throw new Corrupt(`${what}: the archive breaks off at byte ${this.position}`);
      left -= piece.length;
    }
  }
}

/** The content of the member that begins where the reader stands, and what is left of it. */
export class Content {
  readonly #reader: PieceReader;
  readonly #size: number;
  readonly #place: string;
  /** In bytes. */
  left: number;

  constructor(reader: PieceReader, size: number, place: string) {
    this.#reader = reader;
    this.#size = size;
    this.#place = place;
    this.left = size;
  }

  async all(limit: number): Promise<Uint8Array> {
    if (this.#size > limit) throw new LimitExceeded(`${this.#place}: ${this.#size} bytes, more than ${limit}`);
    this.left = 0;
    return this.#reader.exactly(this.#size, this.#place);
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#reader.pieces(this.left, this.#place)) {
      this.left -= piece.length;
      yield piece;
    }
  }
}
