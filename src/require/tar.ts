/**
 * The members of a tar stream, for what packages hold. Format: POSIX ustar, with GNU's long names ("L", "K") and pax paths ("x").
 * Numbers are octal, or base-256 when the first bit is set. Not read: sparse members, multi-volume archives.
 */

import { Corrupt, LimitExceeded } from '../errors.ts';
import { Bytes, latin1 } from '../read/bytes.ts';

const blockSize = 512;
/** A name longer than what Linux can open is no use, and pax headers hold little else. */
const headerLimit = 65536;

export interface TarMember {
  /** As a byte string, without `./` or `/` in front. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** In bytes. */
  readonly size: number;
  /** Of a link. */
  readonly target: string;
  /** All of the content; to be called before the next member is asked for. Throws LimitExceeded over `limit` bytes. */
  content(limit: number): Promise<Uint8Array>;
}

const types: Readonly<Record<string, TarMember['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

/** Takes exactly so many bytes as are asked for out of pieces of any size. */
class Reader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  position = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** Calls `use` with the next `length` bytes in pieces; false when the stream ends before. */
  async take(length: number, use: (piece: Uint8Array) => void): Promise<boolean> {
    let left = length;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) return false;
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      this.position += piece.length;
      left -= piece.length;
      use(piece);
    }
    return true;
  }

  async exactly(length: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let at = 0;
    const isWhole = await this.take(length, (piece) => {
      bytes.set(piece, at);
      at += piece.length;
    });
    if (!isWhole) throw new Corrupt(`${what}: the archive breaks off at byte ${this.position}`);
    return bytes;
  }

  async skip(length: number, what: string): Promise<void> {
    if (!(await this.take(length, () => {})))
      throw new Corrupt(`${what}: the archive breaks off at byte ${this.position}`);
  }
}

/** `what` names the archive in messages. Leaving the loop early ends the stream. Throws Corrupt, LimitExceeded. */
export async function* tarMembers(pieces: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<TarMember> {
  const reader = new Reader(pieces);
  let longName: string | undefined;
  let longTarget: string | undefined;
  try {
    for (;;) {
      const place = `${what}, byte ${reader.position}`;
      const header = new Bytes(await reader.exactly(blockSize, what), place);
      if (header.data.every((byte) => byte === 0)) return;
      const size = number(header, 124, 12);
      const padding = (blockSize - (size % blockSize)) % blockSize;
      const type = header.latin1(156, 1);
      if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
        if (size > headerLimit) throw new LimitExceeded(`${place}: a header of ${size} bytes`);
        const text = latin1(await reader.exactly(size, place));
        await reader.skip(padding, place);
        if (type === 'L') longName = text.split('\0', 1)[0];
        else if (type === 'K') longTarget = text.split('\0', 1)[0];
        else if (type === 'x') {
          longName = paxValue(text, 'path') ?? longName;
          longTarget = paxValue(text, 'linkpath') ?? longTarget;
        }
        continue;
      }
      const prefix = header.latin1(257, 6) === 'ustar\0' ? terminated(header, 345, 155) : '';
      const name = longName ?? (prefix === '' ? '' : `${prefix}/`) + terminated(header, 0, 100);
      let left = size;
      yield {
        path: name.replace(/^(\.?\/+)+/, ''),
        type: types[type] ?? 'other',
        size,
        target: longTarget ?? terminated(header, 157, 100),
        content: async (limit) => {
          if (size > limit) throw new LimitExceeded(`${place}: ${size} bytes, more than ${limit}`);
          left = 0;
          return reader.exactly(size, place);
        },
      };
      await reader.skip(left + padding, place);
      longName = undefined;
      longTarget = undefined;
    }
  } finally {
    await reader.close();
  }
}

function terminated(header: Bytes, offset: number, length: number): string {
  return header.latin1(offset, length).split('\0', 1)[0] ?? '';
}

function number(header: Bytes, offset: number, length: number): number {
  if ((header.u8(offset) & 0x80) !== 0) {
    const high = header.slice(offset, length - 8).data;
    if (high[0] !== 0x80 || high.subarray(1).some((byte) => byte !== 0))
      throw new Corrupt(`${header.what}: the number at byte ${offset} is out of all range`);
    return header.u64be(offset + length - 8);
  }
  const text = header.latin1(offset, length).replace(/[\0 ]+/g, '');
  if (!/^[0-7]*$/.test(text)) throw new Corrupt(`${header.what}: ${JSON.stringify(text)} is no octal number`);
  return text === '' ? 0 : Number.parseInt(text, 8);
}

/** `LENGTH KEY=VALUE\n`, of which the first of the key counts. */
function paxValue(records: string, key: string): string | undefined {
  return new RegExp(`^[0-9]+ ${key}=(.*)$`, 'm').exec(records)?.[1];
}
