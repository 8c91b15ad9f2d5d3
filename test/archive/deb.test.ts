import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { debMembers, parseControl, readDebFields } from '../../src/archive/deb.ts';
import { type PackageFields, placeOf } from '../../src/archive/members.ts';
import { Corrupt, Io, LimitExceeded, NotFound, Unsupported } from '../../src/errors.ts';
import type { Host, RunOptions } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { makeDeb } from '../debs.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('debs');
const folder = temporaryFolder();
const host = createNodeHost();

/** A node of another distribution: every program but dpkg's. */
const foreign: Host = {
  ...rootedHost(host, ''),
  async run(argv: readonly string[], options: RunOptions) {
    if (argv[0] === 'dpkg-deb') throw new NotFound('the program dpkg-deb is not installed');
    return host.run(argv, options);
  },
  async *stream(argv: readonly string[], options: RunOptions) {
    if (argv[0] === 'dpkg-deb') throw new NotFound('the program dpkg-deb is not installed');
    yield* host.stream(argv, options);
  },
};

const readers: readonly [name: string, host: Host][] = [
  ['dpkg-deb', host],
  ['built in', foreign],
];

const deadline = (): number => host.now() + 60_000;

async function pathsOf(reader: Host, path: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const member of debMembers(reader, path, deadline())) paths.push(placeOf(member) ?? member.path);
  return paths;
}

/** Throws what reading the fields, or the paths, of the file throws. */
async function failure(action: () => Promise<unknown>): Promise<Error> {
  try {
    await action();
  } catch (error) {
    return error as Error;
  }
  assert.unreachable('it was read');
  throw new Error();
}

const long = `/usr/share/kata-containers/${'n'.repeat(150)}.img`;
const files = {
  '/usr/bin/kata-runtime': '#!/bin/sh\n',
  '/usr/share/kata-containers/kata-containers-1.1.0.img': 'x'.repeat(300_000),
  '/usr/share/kata-containers/kata-containers.img': { link: 'kata-containers-1.1.0.img' },
  '/usr/share/doc/näme': '',
  [long]: '',
};
const brought = [...Object.keys(files)].sort();

for (const compression of ['none', 'gzip', 'xz', 'zstd']) {
  test(
    `compression ${compression}: fields and paths, by dpkg-deb and built in`,
    async () => {
      const path = makeDeb(folder, {
        name: `kata-runtime-${compression}`,
        version: '1:3.5.0-1',
        fields: { 'Kata-Agent-Requires': '>=3.4.0 <3.6.0' },
        files,
        compression,
      });
      for (const [name, reader] of readers) {
        assert.equal(
          await readDebFields(reader, path, deadline()),
          {
            name: `kata-runtime-${compression}`,
            version: '1:3.5.0-1',
            agentRequires: '>=3.4.0 <3.6.0',
            agentVersion: null,
          },
          name,
        );
        const paths = await pathsOf(reader, path);
        assert.equal(paths.filter((found) => brought.includes(found)).sort(), brought, name);
      }
      assert.equal(await pathsOf(foreign, path), await pathsOf(host, path));
    },
    { needs: ['dpkg-deb', ...(compression === 'none' ? [] : [compression])] },
  );
}

const fields: readonly [
  rule: string,
  written: Readonly<Record<string, string>>,
  expected: Pick<PackageFields, 'agentRequires' | 'agentVersion'>,
][] = [
  ['none of them', {}, { agentRequires: null, agentVersion: null }],
  ['what the runtime needs', { 'Kata-Agent-Requires': '>=3.4.0' }, { agentRequires: '>=3.4.0', agentVersion: null }],
  ['what the image has', { 'Kata-Agent-Version': '3.5.0' }, { agentRequires: null, agentVersion: '3.5.0' }],
  [
    'both, in one package',
    { 'Kata-Agent-Requires': '3.5.x', 'Kata-Agent-Version': '3.5.0' },
    { agentRequires: '3.5.x', agentVersion: '3.5.0' },
  ],
  [
    'in any case',
    { 'kata-agent-REQUIRES': '3.5.x', 'KATA-AGENT-VERSION': '3.5.0' },
    { agentRequires: '3.5.x', agentVersion: '3.5.0' },
  ],
  [
    'with the XB- that dpkg-gencontrol did not take off',
    { 'XB-Kata-Agent-Requires': '3.5.x', 'xb-kata-agent-version': '3.5.0' },
    { agentRequires: '3.5.x', agentVersion: '3.5.0' },
  ],
  [
    'folded over lines',
    { 'Kata-Agent-Requires': '>=3.4.0\n <3.6.0\n\t|| >=4.0.0', 'Kata-Agent-Version': '\n 3.5.0' },
    { agentRequires: '>=3.4.0 <3.6.0 || >=4.0.0', agentVersion: '3.5.0' },
  ],
  ['another field that ends so', { 'X-Kata-Agent-Version': '3.5.0' }, { agentRequires: null, agentVersion: null }],
];

for (const [index, [rule, written, expected]] of fields.entries()) {
  test(
    `fields: ${rule}`,
    async () => {
      const path = makeDeb(folder, { name: `fields-${index}`, version: '1', fields: written });
      for (const [name, reader] of readers) {
        const { agentRequires, agentVersion } = await readDebFields(reader, path, deadline());
        assert.equal({ agentRequires, agentVersion }, expected, name);
      }
    },
    { needs: ['dpkg-deb', 'gzip'] },
  );
}

test('control files: a field ends where the next line begins without a blank', () => {
  assert.equal(parseControl('A: 1\nB:2\nC:\n long\n .\n\tmore\nno field\n: nameless\nD: a:b\n'), [
    ['A', '1'],
    ['B', '2'],
    ['C', 'long . more'],
    ['D', 'a:b'],
  ]);
  assert.equal(parseControl(''), []);
});

type Member = readonly [name: string, content: Uint8Array | string];

/** ar(5), by hand: for what dpkg-deb would never write. */
function archive(name: string, members: readonly Member[]): string {
  const parts: Uint8Array[] = [Buffer.from('!<arch>\n')];
  for (const [member, content] of members) {
    const bytes = Buffer.from(content);
    const head = `${member.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${`${bytes.length}`.padEnd(10)}\`\n`;
    parts.push(Buffer.from(head), bytes, Buffer.alloc(bytes.length % 2, '\n'));
  }
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

function tar(files: Readonly<Record<string, string>>): Uint8Array {
  const parts = Object.entries(files).flatMap(([path, text]) => {
    const head = Buffer.alloc(512);
    head.write(path, 0);
    head.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
    head.write('0', 156);
    head.write('ustar\0', 257);
    const checksum = head.reduce((sum, byte) => sum + byte, 8 * 0x20);
    head.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
    const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    body.write(text);
    return [head, body];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const debianBinary: Member = ['debian-binary', '2.0\n'];
const control: Member = ['control.tar', tar({ './control': 'Package: x\nVersion: 1\n' })];
const data: Member = ['data.tar', tar({ './usr/bin/x': '' })];

const odd: readonly [rule: string, members: readonly Member[]][] = [
  [
    'names with a slash at their end, as GNU ar writes',
    [
      ['debian-binary/', '2.0\n'],
      ['control.tar/', control[1]],
      ['data.tar/', data[1]],
    ],
  ],
  ['members of odd size', [debianBinary, ['_odd', 'odd'], control, ['_more', 'x'], data]],
  [
    'control is not the first of its archive',
    [debianBinary, ['control.tar', tar({ './md5sums': 'x', './control': 'Package: x\nVersion: 1\n' })], data],
  ],
];

for (const [index, [rule, members]] of odd.entries()) {
  test(`built in: ${rule}`, async () => {
    const path = archive(`odd-${index}.deb`, members);
    const { name, version } = await readDebFields(foreign, path, deadline());
    assert.equal([name, version], ['x', '1']);
    assert.equal(await pathsOf(foreign, path), ['/usr/bin/x']);
  });
}

type Kind = typeof Corrupt | typeof Io | typeof LimitExceeded | typeof NotFound | typeof Unsupported;

const real = (name: string, compression: string): string =>
  makeDeb(folder, { name, version: '1', fields: { 'Kata-Agent-Version': '3.5.0' }, files, compression });

/** `kinds`: of dpkg-deb and built in. */
const broken: readonly [rule: string, make: () => string, kinds: readonly [Kind, Kind], said: RegExp][] = [
  ['a file that is not there', () => join(folder, 'none.deb'), [NotFound, NotFound], /none\.deb.*[Nn]o such file/],
  [
    'a text',
    () => {
      writeFileSync(join(folder, 'text.deb'), 'this is a text and no package, and it is longer than a header of ar\n');
      return join(folder, 'text.deb');
    },
    [Corrupt, Corrupt],
    /text\.deb.*(not a Debian format archive|is not a \.deb)/,
  ],
  [
    'nothing at all',
    () => {
      writeFileSync(join(folder, 'empty.deb'), '');
      return join(folder, 'empty.deb');
    },
    [Corrupt, Corrupt],
    /empty\.deb/,
  ],
  [
    'broken off in its control member, not compressed',
    () => {
      const path = real('cut-none', 'none');
      writeFileSync(path, readFileSync(path).subarray(0, 400));
      return path;
    },
    [Corrupt, Corrupt],
    /cut-none/,
  ],
  [
    'broken off in its control member, gzip',
    () => {
      const path = real('cut-gzip', 'gzip');
      writeFileSync(path, readFileSync(path).subarray(0, 200));
      return path;
    },
    [Corrupt, Corrupt],
    /cut-gzip/,
  ],
  [
    'broken off in a header of ar',
    () => {
      const path = real('cut-header', 'gzip');
      writeFileSync(path, readFileSync(path).subarray(0, 100));
      return path;
    },
    [Corrupt, Corrupt],
    /cut-header/,
  ],
  ['no control member', () => archive('no-control.deb', [debianBinary, data]), [Corrupt, Corrupt], /no-control/],
  [
    'no control file in it',
    () => archive('no-file.deb', [debianBinary, ['control.tar', tar({ './md5sums': 'x' })], data]),
    [Corrupt, Corrupt],
    /no-file/,
  ],
  [
    'a control file without fields',
    () => archive('no-fields.deb', [debianBinary, ['control.tar', tar({ './control': 'nothing\n' })], data]),
    [Corrupt, Corrupt],
    /no-fields/,
  ],
  [
    'a control file that names no version',
    () => archive('no-version.deb', [debianBinary, ['control.tar', tar({ './control': 'Package: x\n' })], data]),
    [Corrupt, Corrupt],
    /no-version.*names no package or no version/,
  ],
];

for (const [rule, make, kinds, said] of broken) {
  test(
    `refused: ${rule}`,
    async () => {
      const path = make();
      for (const [index, [name, reader]] of readers.entries()) {
        const error = await failure(() => readDebFields(reader, path, deadline()));
        assert.instance(error, kinds[index] as Kind, `${name}: ${error}`);
        assert.match(error.message, said, name);
      }
    },
    { needs: ['dpkg-deb', 'gzip'] },
  );
}

const refusedBuiltIn: readonly [rule: string, members: readonly Member[], kind: Kind, said: RegExp][] = [
  [
    'a compression of no known name',
    [debianBinary, ['control.tar.Z', 'x'], data],
    Unsupported,
    /control\.tar\.Z is compressed in an unknown way$/,
  ],
  [
    'a control file over the limit',
    [debianBinary, ['control.tar', tar({ './control': `A: ${'x'.repeat(1 << 20)}` })]],
    LimitExceeded,
    /more than 1048576$/,
  ],
  [
    'a hundred members without a control',
    Array.from({ length: 101 }, (): Member => ['_x', '']).concat([control]),
    Corrupt,
    /holds no control\.tar$/,
  ],
  [
    'bytes that are no gzip',
    [debianBinary, ['control.tar.gz', 'this is no gzip'], data],
    Corrupt,
    /its control archive is broken, ends too early, or needs too much memory/,
  ],
];

for (const [index, [rule, members, kind, said]] of refusedBuiltIn.entries()) {
  test(
    `refused built in: ${rule}`,
    async () => {
      const error = await failure(() => readDebFields(foreign, archive(`refused-${index}.deb`, members), deadline()));
      assert.instance(error, kind, `${error}`);
      assert.match(error.message, said);
    },
    { needs: ['gzip'] },
  );
}

test('refused built in: the size of a member is no number', async () => {
  const path = archive('size.deb', [debianBinary, control]);
  const bytes = readFileSync(path);
  bytes.write('-1        ', 8 + 48);
  writeFileSync(path, bytes);
  const error = await failure(() => readDebFields(foreign, path, deadline()));
  assert.instance(error, Corrupt);
  assert.match(error.message, /size\.deb, byte 8: not the header of an ar member$/);
});

/** Bytes that no compressor makes shorter. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >> 16;
  }
  return bytes;
}

test(
  'a payload that breaks off is an error, not a short list',
  async () => {
    for (const compression of ['none', 'gzip', 'xz', 'zstd']) {
      const path = makeDeb(folder, {
        name: `payload-${compression}`,
        version: '1',
        files: { '/usr/share/noise': noise(200_000), '/usr/share/z-last': '' },
        compression,
      });
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.subarray(0, bytes.length / 2));
      for (const [name, reader] of readers) {
        const error = await failure(() => pathsOf(reader, path));
        assert.ok(error instanceof Corrupt || error instanceof Io, `${name}, ${compression}: ${error}`);
      }
    }
  },
  { needs: ['dpkg-deb', 'gzip', 'xz', 'zstd'] },
);
