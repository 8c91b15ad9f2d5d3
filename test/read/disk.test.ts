import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { findFileSystem, type Layout, readLayout } from '../../src/read/disk.ts';
import { resolve } from '../../src/read/filesystem.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { guestTree, makeDisk, makeExt, run, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('disks');
const host = createNodeHost();
const folder = temporaryFolder();
const mebibyte = 1 << 20;

function open(path: string): Source {
  return new Source(host.open(path), new Budget(host, host.now() + 60_000));
}

const tree = (): string => writeTree(join(temporaryFolder(), 'tree'), guestTree('3.4.0'));

const makers: readonly [type: 'ext4' | 'erofs' | 'xfs', program: string, make: (file: string) => string][] = [
  ['ext4', 'mkfs.ext4', (file) => makeExt(file, tree(), '2M')],
  [
    'erofs',
    'mkfs.erofs',
    (file) => {
      run('mkfs.erofs', file, tree());
      return file;
    },
  ],
  [
    'xfs',
    'mkfs.xfs',
    (file) => {
      run('truncate', '-s', '320M', file);
      run('mkfs.xfs', '-q', file);
      return file;
    },
  ],
];

for (const [type, program, make] of makers) {
  test(
    `${type} is found whatever is around it`,
    async () => {
      const bare = make(join(folder, `${type}.fs`));
      const places: readonly [
        name: string,
        file: string,
        layout: Partial<Layout>,
        partition: number | null,
        offset: number,
      ][] = [
        ['bare', bare, { table: 'none', dax: false }, null, 0],
        ['mbr', makeDisk(join(folder, `${type}.mbr`), bare), { table: 'mbr', dax: false }, 1, mebibyte],
        [
          'dax',
          makeDisk(join(folder, `${type}.dax`), bare, { dax: true }),
          { table: 'mbr', dax: true },
          1,
          3 * mebibyte,
        ],
        [
          'hashes',
          makeDisk(join(folder, `${type}.two`), bare, { second: Buffer.alloc(8192, 1) }),
          { table: 'mbr', dax: false },
          1,
          mebibyte,
        ],
      ];
      for (const [name, file, layout, partition, offset] of places) {
        const source = open(file);
        const read = readLayout(source);
        assert.equal({ table: read.table, dax: read.dax }, layout, name);
        const found = findFileSystem(source, read);
        assert.equal([found?.partition?.number ?? null, found?.offset], [partition, offset], name);
        const filesystem = await found?.open();
        assert.is(filesystem?.type, type, name);
        if (filesystem !== undefined && type !== 'xfs') assert.ok(resolve(filesystem, summaryPath), name);
      }
    },
    { needs: [program] },
  );
}

/** A disk of 16 MiB with the table that sfdisk makes of this script, and an ext4 at `at`. */
function partitioned(name: string, script: string, at: number | null): string {
  const file = join(folder, name);
  run('truncate', '-s', '16M', file);
  writeFileSync(`${file}.script`, script);
  run('sh', '-c', `sfdisk -q '${file}' <'${file}.script'`);
  if (at === null) return file;
  const content = readFileSync(makeExt(`${file}.fs`, tree(), '2M'));
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, content, 0, content.length, at);
  closeSync(descriptor);
  return file;
}

const tables: readonly [
  rule: string,
  script: string,
  at: number | null,
  layout: readonly string[],
  found: number | null,
][] = [
  ['GPT', 'label: gpt\nstart=2048, size=6144\n', mebibyte, ['gpt', '1 at 1048576: 3145728'], 1],
  [
    'GPT: the second partition holds it',
    'label: gpt\nstart=2048, size=2048\nstart=4096, size=6144\n',
    2 * mebibyte,
    ['gpt', '1 at 1048576: 1048576', '2 at 2097152: 3145728'],
    2,
  ],
  [
    'GPT: a number that is not in order',
    'label: gpt\n5 : start=2048, size=6144\n',
    mebibyte,
    ['gpt', '5 at 1048576: 3145728'],
    5,
  ],
  [
    'GPT with more entries than usual',
    'label: gpt\ntable-length: 256\nstart=4096, size=6144\n',
    2 * mebibyte,
    ['gpt', '1 at 2097152: 3145728'],
    1,
  ],
  ['GPT without a partition', 'label: gpt\n', null, ['gpt'], null],
  [
    'MBR: the third partition alone',
    'label: dos\n3 : start=2048, size=6144\n',
    mebibyte,
    ['mbr', '3 at 1048576: 3145728'],
    3,
  ],
  ['MBR: no filesystem in it', 'label: dos\nstart=2048, size=6144\n', null, ['mbr', '1 at 1048576: 3145728'], null],
  ['MBR without a partition is none', 'label: dos\n', null, ['none'], null],
];

for (const [index, [rule, script, at, layout, found]] of tables.entries()) {
  test(
    `tables: ${rule}`,
    async () => {
      const source = open(partitioned(`table-${index}`, script, at));
      const read = readLayout(source);
      assert.equal(
        [read.table, ...read.partitions.map(({ number, offset, length }) => `${number} at ${offset}: ${length}`)],
        layout,
      );
      const filesystem = findFileSystem(source, read);
      assert.is(filesystem?.partition?.number ?? null, found);
      if (filesystem !== undefined) assert.ok(resolve(await filesystem.open(), summaryPath));
    },
    { needs: ['sfdisk', 'mkfs.ext4'] },
  );
}

function bytes(
  name: string,
  size: number,
  ...writes: readonly (readonly [offset: number, content: Uint8Array | string])[]
): string {
  const content = Buffer.alloc(size);
  for (const [offset, piece] of writes) content.set(Buffer.from(piece), offset);
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

const signature = [510, Uint8Array.from([0x55, 0xaa])] as const;
const protective = [446 + 4, Uint8Array.from([0xee])] as const;

function numbers(...values: readonly number[]): Uint8Array {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32LE(value, index * 4);
  return buffer;
}

function entry(type: number, start: number, length: number): Uint8Array {
  return Buffer.concat([Uint8Array.from([0, 0, 0, 0, type, 0, 0, 0]), numbers(start, length)]);
}

const plain: readonly [rule: string, make: () => string, expected: Layout][] = [
  ['less than a sector', () => bytes('short', 511), { table: 'none', dax: false, partitions: [] }],
  ['zeros', () => bytes('zeros', 4096), { table: 'none', dax: false, partitions: [] }],
  [
    'a signature and nothing else',
    () => bytes('signature', 4096, signature),
    { table: 'none', dax: false, partitions: [] },
  ],
  [
    'an entry of no type',
    () => bytes('no-type', 4096, signature, [446, entry(0, 1, 1)]),
    { table: 'none', dax: false, partitions: [] },
  ],
  [
    'an entry of no length',
    () => bytes('no-length', 4096, signature, [446, entry(0x83, 1, 0)]),
    { table: 'none', dax: false, partitions: [] },
  ],
  [
    'an entry far behind the end is one, and holds nothing',
    () => bytes('far', 8192, signature, [446, entry(0x83, 0xffffffff, 0xffffffff)]),
    { table: 'mbr', dax: false, partitions: [{ number: 1, offset: 0xffffffff * 512, length: 0xffffffff * 512 }] },
  ],
  [
    'half a DAX header',
    () => bytes('half-dax', 4111, signature, [446, entry(0x83, 1, 1)], [4096, 'NVDIMM_PFN_INFO']),
    { table: 'mbr', dax: false, partitions: [{ number: 1, offset: 512, length: 512 }] },
  ],
];

for (const [rule, make, expected] of plain) {
  test(`by hand: ${rule}`, () => {
    const source = open(make());
    assert.equal(readLayout(source), expected);
    assert.is(findFileSystem(source, expected), undefined);
  });
}

const gptHeader = (count: number, size: number, lba = 2): readonly [number, Uint8Array] => [
  512,
  Buffer.concat([Buffer.from('EFI PART'), Buffer.alloc(64), numbers(lba, 0, count, size)]),
];

const brokenTables: readonly [rule: string, make: () => string, said: RegExp][] = [
  [
    'a protective MBR alone',
    () => bytes('gpt-1', 512, signature, protective),
    /^GPT header: bytes 512 to 604 lie outside/,
  ],
  [
    'no signature',
    () => bytes('gpt-2', 4096, signature, protective),
    /^GPT header: no signature behind a protective MBR$/,
  ],
  [
    'four billion entries',
    () => bytes('gpt-3', 4096, signature, protective, gptHeader(0xffffffff, 128)),
    /^GPT header: 4294967295 entries of 128 bytes$/,
  ],
  [
    'entries of four gigabytes',
    () => bytes('gpt-4', 4096, signature, protective, gptHeader(1, 0xffffffff)),
    /^GPT header: 1 entries of 4294967295 bytes$/,
  ],
  [
    'entries too short',
    () => bytes('gpt-5', 4096, signature, protective, gptHeader(4, 64)),
    /^GPT header: 4 entries of 64 bytes$/,
  ],
  [
    'entries behind the end',
    () => bytes('gpt-6', 4096, signature, protective, gptHeader(128, 128, 100)),
    /^GPT entries: bytes 51200 to 67584 lie outside/,
  ],
  [
    'a partition that ends before it begins',
    () =>
      bytes('gpt-7', 4096, signature, protective, gptHeader(4, 128), [
        1024,
        Buffer.concat([Buffer.alloc(32, 1), numbers(9, 0, 5, 0)]),
      ]),
    /^GPT entry 1: ends at sector 5 before it begins at 9$/,
  ],
  [
    'a partition beyond all range',
    () =>
      bytes('gpt-8', 4096, signature, protective, gptHeader(4, 128), [
        1024,
        Buffer.concat([Buffer.alloc(32, 1), numbers(0, 0x200000, 5, 0)]),
      ]),
    /^GPT entry 1: the number at byte 32 is out of all range$/,
  ],
];

for (const [rule, make, said] of brokenTables) {
  test(`refused: ${rule}`, () => {
    const source = open(make());
    assert.throws(
      () => readLayout(source),
      (error: unknown) => error instanceof Corrupt && said.test(error.message),
    );
  });
}
