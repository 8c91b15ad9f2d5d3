/**
 * Where the structures of an image stand, and the numbers in them. The places are found by reading: our own readers tell of
 * each piece they take what it is. The fields are those that the readers look at; formats as in their files.
 */

export interface Field {
  /** In the image, in bytes. */
  readonly at: number;
  readonly width: 1 | 2 | 4 | 8;
  /** hex: eight hexadecimal digits, whatever the width of their number. */
  readonly order: 'little' | 'big' | 'hex';
}

export interface Place {
  /** `ext4 inode`, `xfs superblock`. */
  readonly kind: string;
  readonly offset: number;
  readonly length: number;
  readonly fields: readonly Field[];
}

/** A piece that a reader took, and what it called it. */
export interface Piece {
  readonly what: string;
  readonly offset: number;
  readonly length: number;
}

type Layout = (bytes: Uint8Array) => readonly [at: number, width: number][];

/** `at:width` pairs. */
function rows(text: string): [at: number, width: number][] {
  return text.split(' ').map((pair) => {
    const [at = '', width = ''] = pair.split(':');
    return [Number(at), Number(width)];
  });
}

function fixed(text: string): Layout {
  const fields = rows(text);
  return (bytes) => fields.filter(([at, width]) => at + width <= bytes.length);
}

/** A header, and then records of the same form up to the end. */
function repeated(header: string, start: number, step: number, record: string): Layout {
  const [head, each] = [header === '' ? [] : rows(header), rows(record)];
  return (bytes) => {
    const fields = [...head];
    for (let at = start; at + step <= bytes.length; at += step) {
      for (const [offset, width] of each) fields.push([at + offset, width]);
    }
    return fields.filter(([at, width]) => at + width <= bytes.length);
  };
}

function little(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
}

function big(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

function letters(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

const extRecords: Layout = (bytes) => {
  const fields: [number, number][] = [];
  for (let at = 0; at + 8 <= bytes.length; at += Math.max(8, little(bytes, at + 4))) {
    fields.push([at, 4], [at + 4, 2], [at + 6, 1], [at + 7, 1], [at + 8, 1]);
  }
  return fields;
};

/** Of xfs, the records behind the header of 64 or 16 bytes; of a file's block, nothing. */
const xfsRecords: Layout = (bytes) => {
  const start = { XDB3: 64, XDD3: 64, XD2B: 16, XD2D: 16 }[letters(bytes, 0, 4)];
  if (start === undefined) return [];
  const fields = rows('0:4 40:8');
  fields.push([bytes.length - 8, 4], [bytes.length - 4, 4]);
  for (let at = start; at + 16 <= bytes.length; ) {
    const isFree = big(bytes, at) === 0xffff;
    const length = isFree ? big(bytes, at + 2) : Math.ceil((12 + (bytes[at + 8] as number)) / 8) * 8;
    if (length < 8) break;
    fields.push([at, 2], [at, 8], [at + 2, 2], [at + 8, 1], [at + 9, 1], [at + length - 2, 2]);
    at += length;
  }
  return fields.filter(([at, width]) => at >= 0 && at + width <= bytes.length);
};

/** Of a directory, its entries; of a file, nothing. */
const erofsRecords: Layout = (bytes) => {
  const end = little(bytes, 8);
  if (end < 12 || end % 12 !== 0 || end >= bytes.length) return [];
  const fields: [number, number][] = [];
  for (let at = 0; at < end; at += 12) fields.push([at, 8], [at + 8, 2], [at + 10, 1]);
  fields.push([end, 1]);
  return fields;
};

const extentNode = repeated('0:2 2:2 4:2 6:2', 12, 12, '0:4 4:2 4:4 6:2 8:2 8:4');
const xfsInode =
  '0:2 2:2 4:1 5:1 24:8 56:8 76:4 82:1 90:2 124:4 152:8 100:1 101:1 100:2 102:2 104:4 104:8 112:8 176:1 177:1 176:2 178:2 178:4 182:1';

/** By the reader's name of the piece, without numbers. */
const layouts: readonly { readonly what: RegExp; readonly order: Field['order']; readonly layout: Layout }[] = [
  { what: /^master boot record$/, order: 'little', layout: repeated('510:2', 446, 16, '4:1 8:4 12:4') },
  { what: /^GPT header$/, order: 'little', layout: fixed('0:8 8:4 12:4 16:4 72:8 80:4 84:4 88:4') },
  { what: /^GPT entries$/, order: 'little', layout: repeated('', 0, 128, '0:8 8:8 32:8 40:8 48:8') },
  { what: /^DAX header$/, order: 'little', layout: fixed('0:8 8:8') },
  {
    what: /^ext4 superblock$/,
    order: 'little',
    layout: fixed(
      '0:4 4:4 20:4 24:4 28:4 32:4 36:4 40:4 56:2 76:4 88:2 92:4 96:4 96:2 100:4 254:2 260:4 0x24c:4 0x250:4 0x150:4',
    ),
  },
  { what: /^ext4 group descriptor/, order: 'little', layout: fixed('0:4 4:4 8:4 40:4') },
  { what: /^ext4 inode # extent block/, order: 'little', layout: extentNode },
  { what: /^ext4 inode # indirect block/, order: 'little', layout: repeated('', 0, 4, '0:4') },
  {
    what: /^ext4 inode #$/,
    order: 'little',
    layout: (bytes) => [
      ...fixed('0:2 4:4 0x20:4 0x6c:4 128:2 132:4 136:1 137:1 138:2 144:4')(bytes),
      ...extentNode(bytes.subarray(0x28, 0x64)).map(([at, width]): [number, number] => [at + 0x28, width]),
      ...repeated('', 0x28, 4, '0:4')(bytes.subarray(0, 0x64)),
    ],
  },
  { what: /^ext4 directory # block/, order: 'little', layout: extRecords },
  {
    what: /^xfs superblock$/,
    order: 'big',
    layout: fixed(
      '0:4 4:4 48:8 56:8 84:4 88:4 96:4 100:2 104:2 120:1 121:1 122:1 123:1 124:1 126:1 192:1 200:4 204:4 216:4 218:2',
    ),
  },
  { what: /^xfs log/, order: 'big', layout: fixed('0:4 4:4 8:4 9:1 12:4 40:4 320:4') },
  {
    what: /^xfs inode #$/,
    order: 'big',
    layout: (bytes) => [
      ...fixed(xfsInode)(bytes),
      ...repeated('', bytes[4] === 3 ? 176 : 100, 16, '0:1 0:8 4:4 8:8 12:4')(bytes),
    ],
  },
  {
    what: /^xfs inode # extent block/,
    order: 'big',
    layout: repeated('0:4 4:2 6:2 24:8 56:8', 72, 8, '0:1 0:8 4:4'),
  },
  { what: /^xfs inode # target/, order: 'big', layout: fixed('0:4 4:4 8:4 32:8 56:1 57:1') },
  { what: /^xfs inode # block/, order: 'big', layout: xfsRecords },
  { what: /^erofs superblock$/, order: 'little', layout: fixed('0:4 12:1 13:1 14:2 40:4 44:4 80:4 84:2 90:1 96:8') },
  { what: /^erofs inode #$/, order: 'little', layout: fixed('0:2 2:2 4:2 8:4 8:8 16:4 16:2') },
  { what: /^erofs inode # (byte|inline data)/, order: 'little', layout: erofsRecords },
  // Behind an inode, below.
  { what: /^erofs cluster header$/, order: 'little', layout: fixed('0:4 0:2 2:2 4:2 6:1 7:1') },
  { what: /^erofs full indexes$/, order: 'little', layout: repeated('', 8, 8, '0:2 2:2 4:2 4:4 6:2') },
  { what: /^erofs compact indexes$/, order: 'little', layout: repeated('', 0, 4, '0:1 0:2 2:2 0:4') },
  { what: /^erofs chunk indexes$/, order: 'little', layout: repeated('', 0, 4, '0:4 0:2 2:2') },
  { what: /^cpio header$/, order: 'hex', layout: repeated('', 6, 8, '0:4') },
  { what: /^cpio (name|content)$/, order: 'little', layout: repeated('', 0, 1, '0:1') },
];

/** The indexes that stand behind an erofs inode of `data`; the reader takes them by windows that hold more. */
function behindInode(data: Uint8Array, { offset }: Piece, blockBits: number): Piece[] {
  const format = little(data, offset);
  const layout = (format >>> 1) & 7;
  const size = little(data, offset + 8) + little(data, offset + 10) * 65536;
  const attributes = little(data, offset + 2);
  const end = offset + ((format & 1) === 0 ? 32 : 64) + (attributes === 0 ? 0 : 12 + (attributes - 1) * 4);
  const count = Math.ceil(size / 2 ** blockBits);
  const header = Math.ceil(end / 8) * 8;
  if (layout === 4) return [{ what: 'erofs chunk indexes', offset: header, length: Math.min(64, count * 8) }];
  if (layout !== 1 && layout !== 3) return [];
  const indexes = { offset: header + 8, length: Math.min(1024, layout === 1 ? (count + 1) * 8 : count * 4) };
  const what = layout === 1 ? 'erofs full indexes' : 'erofs compact indexes';
  return [
    { what: 'erofs cluster header', offset: header, length: 8 },
    { what, ...indexes },
  ];
}

/** Headers, names and the begin of contents of all archives in a row. */
export function cpioPieces(data: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at + 110 <= data.length; ) {
    if (letters(data, at, 5) !== '07070') {
      at += 4;
      continue;
    }
    const number = (field: number): number => Number.parseInt(letters(data, at + field, 8), 16) || 0;
    const [size, nameSize] = [number(54), number(94)];
    const content = Math.ceil((at + 110 + nameSize) / 4) * 4;
    pieces.push({ what: 'cpio header', offset: at, length: 110 });
    pieces.push({ what: 'cpio name', offset: at + 110, length: nameSize });
    if (size > 0) pieces.push({ what: 'cpio content', offset: content, length: Math.min(size, 64) });
    at = Math.ceil((content + size) / 4) * 4;
  }
  return pieces.filter(({ offset, length }) => length > 0 && offset + length <= data.length);
}

function kindOf(what: string): string {
  return what
    .replace(/(?<!ext)[0-9]+/g, '#')
    .replace(/,/g, '')
    .replace(/ #.*# on$|(?<=block|byte|descriptor|sector) #.*$/, '');
}

/** Places of one kind beyond these are not worth the memory. */
const placesOfKind = 400;

/** What stands where the readers read. `pieces`: what they took from `data`. */
export function placesOf(data: Uint8Array, pieces: readonly Piece[]): Place[] {
  const superblock = pieces.find(({ what, length }) => what === 'erofs superblock' && length >= 128);
  const blockBits = superblock === undefined ? 12 : (data[superblock.offset + 12] ?? 12);
  const all = pieces.flatMap((piece) =>
    /^erofs inode [0-9]+$/.test(piece.what) ? [piece, ...behindInode(data, piece, blockBits)] : [piece],
  );
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  return all.flatMap(({ what, offset, length }) => {
    const kind = kindOf(what);
    const key = `${kind}:${offset}:${length}`;
    const count = counts.get(kind) ?? 0;
    if (length === 0 || offset + length > data.length || seen.has(key) || count >= placesOfKind) return [];
    seen.add(key);
    counts.set(kind, count + 1);
    const row = layouts.find((layout) => layout.what.test(kind));
    const numbers = row?.layout(data.subarray(offset, offset + length)) ?? [];
    const fields = numbers
      .filter(([at, width]) => at + width <= length)
      .map(([at, width]) => ({ at: offset + at, width: width as Field['width'], order: row?.order ?? 'little' }));
    return [{ kind, offset, length, fields }];
  });
}
