/**
 * The members of a tar stream, for what packages hold. Format: POSIX ustar, with GNU's long names ("L", "K") and pax headers ("x").
 * Numbers are octal, or base-256 when the first bit is set. Not read: what sparse members hold, multi-volume archives.
 */

import { Corrupt, LimitExceeded } from '../errors.ts';
import { Bytes, latin1 } from '../read/bytes.ts';
import { Content, type Member, PieceReader } from './members.ts';

const blockSize = 512;
/** A name longer than what Linux can open is no use, and pax headers hold little else. */
const headerLimit = 65536;

/** Of a sparse member in GNU's old form: 21 pieces to a block. A file of a terabyte could have some thousands. */
const sparseBlockLimit = 10_000;

const types: Readonly<Record<string, Member['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
  S: 'sparse',
};

/** `what` names the archive in messages. Leaving the loop early ends the stream. Throws Corrupt, LimitExceeded. */
export async function* tarMembers(pieces: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Member> {
  const reader = new PieceReader(pieces, what);
  let extended: Extended = {};
  try {
    for (;;) {
      const place = `${what}, byte ${reader.position}`;
      const header = new Bytes(await reader.exactly(blockSize), place);
      if (header.data.every((byte) => byte === 0)) return;
      const size = extended.size ?? number(header, 124, 12);
      const padding = (blockSize - (size % blockSize)) % blockSize;
      const letter = header.latin1(156, 1);
      if (letter === 'L' || letter === 'K' || letter === 'x' || letter === 'g') {
        if (size > headerLimit) throw new LimitExceeded(`${place}: a header of ${size} bytes`);
        extended = { ...extended, ...extensions(letter, latin1(await reader.exactly(size, place)), place) };
        await reader.skip(padding, place);
        continue;
      }
      if (letter === 'S') await skipSparseMap(reader, header, place);
      const prefix = header.latin1(257, 6) === 'ustar\0' ? terminated(header, 345, 155) : '';
      const name = extended.path ?? (prefix === '' ? '' : `${prefix}/`) + terminated(header, 0, 100);
      const type = types[letter] ?? 'other';
      const content = new Content(reader, size, place);
      yield {
        path: name.replace(/^(\.?\/+)+/, ''),
        type: extended.isSparse === true && type === 'file' ? 'sparse' : type,
        size,
        target: extended.target ?? terminated(header, 157, 100),
        identity: null,
        content: (limit) => content.all(limit),
        pieces: () => content.pieces(),
      };
      await reader.skip(content.left + padding, place);
      extended = {};
    }
  } finally {
    await reader.close();
  }
}

/** What headers of their own say of the member behind them. */
interface Extended {
  readonly path?: string;
  readonly target?: string;
  readonly size?: number;
  readonly isSparse?: boolean;
}

function extensions(letter: 'L' | 'K' | 'x' | 'g', text: string, place: string): Extended {
  const [first = ''] = text.split('\0', 1);
  if (letter === 'L') return { path: first };
  if (letter === 'K') return { target: first };
  if (letter === 'g') return {};
  const [path, target, size] = ['path', 'linkpath', 'size'].map((key) => paxValue(text, key));
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size)) throw new Corrupt(`${place}: a size of ${size.slice(0, 40)}`);
  return {
    ...(path === undefined ? {} : { path }),
    ...(target === undefined ? {} : { target }),
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(/^[0-9]+ GNU\.sparse\./m.test(text) ? { isSparse: true } : {}),
  };
}

/** GNU's old form: the map of what is no hole goes on in blocks behind the header, as long as each says so. */
async function skipSparseMap(reader: PieceReader, header: Bytes, place: string): Promise<void> {
  let goesOn = header.u8(482) !== 0;
  for (let count = 0; goesOn; count += 1) {
    if (count === sparseBlockLimit) throw new LimitExceeded(`${place}: a map of more than ${count} blocks`);
    goesOn = (await reader.exactly(blockSize, place))[504] !== 0;
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
