import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ProblemKind } from '../../src/errors.ts';
import { NotFound } from '../../src/errors.ts';
import type { File, Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { type ImageFacts, readImage, withoutAgent } from '../../src/read/image.ts';
import * as limits from '../../src/read/limits.ts';
import { forms } from '../e2e/program.ts';
import {
  guestTree,
  makeDisk,
  makeExt,
  osbuilderYaml,
  run,
  summaryPath,
  type Tree,
  temporaryFolder,
  writeTree,
} from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('guest images');
const host = createNodeHost();
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

function read(path: string, on: Host = host, deep = false): Promise<ImageFacts> {
  return readImage(on, path, { deadline: on.now() + 60_000, deep });
}

let count = 0;

/** A fresh folder with this tree. */
function packed(tree: Tree): string {
  count += 1;
  return writeTree(at(`tree-${count}`), { 'etc/hostname': 'x', ...tree });
}

const ext = (file: string, tree: Tree): string => makeExt(file, packed(tree), '2M', '-b', '1024');

function initrd(file: string, tree: Tree, compress = 'cat'): string {
  run('sh', '-c', `cd '${packed(tree)}' && find . | cpio -H newc -o --quiet | ${compress} >'${file}'`);
  return file;
}

const disk = {
  form: 'disk',
  table: 'mbr',
  dax: false,
  partitions: 1,
  partition: 1,
  offset: 1 << 20,
  filesystem: 'ext4',
  compression: null,
} as const;
const cpio = {
  form: 'initrd',
  table: null,
  dax: null,
  partitions: null,
  partition: null,
  offset: null,
  filesystem: null,
} as const;

const good: readonly [
  rule: string,
  make: (file: string) => string,
  expected: Partial<ImageFacts>,
  agent: string | null,
  needs: readonly string[],
][] = [
  ['a disk', (file) => makeDisk(file, ext(`${file}.fs`, guestTree('3.4.0'))), disk, '3.4.0', ['mkfs.ext4']],
  [
    'a disk with the DAX header',
    (file) => makeDisk(file, ext(`${file}.fs`, guestTree('3.4.0')), { dax: true }),
    { ...disk, dax: true, offset: 3 << 20 },
    '3.4.0',
    ['mkfs.ext4'],
  ],
  [
    'a bare filesystem',
    (file) => ext(file, guestTree('3.4.0')),
    { ...disk, table: 'none', partitions: 0, partition: null, offset: 0 },
    '3.4.0',
    ['mkfs.ext4'],
  ],
  [
    'an extension image',
    (file) => ext(file, {}),
    { ...disk, table: 'none', partitions: 0, partition: null, offset: 0, kind: 'extension', unknown: null },
    null,
    ['mkfs.ext4'],
  ],
  [
    'a guest that does not say',
    (file) => ext(file, { ...guestTree(''), [summaryPath]: osbuilderYaml('unknown') }),
    {
      kind: 'guest',
      unknown: `${summaryPath} does not say it; /usr/bin/kata-agent does not name its version; /sbin/init does not name its version`,
    },
    null,
    ['mkfs.ext4'],
  ],
  [
    'an initrd that starts a shell, and is no extension image',
    (file) => initrd(file, { init: '#!/bin/sh\n' }),
    { ...cpio, compression: null, kind: 'guest', unknown: withoutAgent.unknown },
    null,
    ['cpio'],
  ],
  ['an initrd as it is', (file) => initrd(file, guestTree('3.4.0')), { ...cpio, compression: null }, '3.4.0', ['cpio']],
  [
    'an initrd packed with gzip',
    (file) => initrd(file, guestTree('3.4.0'), 'gzip'),
    { ...cpio, compression: 'gzip' },
    '3.4.0',
    ['cpio', 'gzip'],
  ],
  [
    'an initrd packed with zstd',
    (file) => initrd(file, guestTree('3.4.0'), 'zstd -q'),
    { ...cpio, compression: 'zstd' },
    '3.4.0',
    ['cpio', 'zstd'],
  ],
  [
    'a link',
    (file) => {
      symlinkSync(ext(`${file}.fs`, guestTree('3.4.0')), file);
      return file;
    },
    { form: 'disk', resolvedPath: at('good-9.fs') },
    '3.4.0',
    ['mkfs.ext4'],
  ],
];

for (const [index, [rule, make, expected, agent, needs]] of good.entries()) {
  test(
    `read: ${rule}`,
    async () => {
      const path = make(at(`good-${index}`));
      const facts = await read(path);
      assert.is(facts.problem, null);
      assert.is(facts.path, path);
      assert.is(facts.agent?.version.text ?? null, agent);
      for (const [key, value] of Object.entries(expected)) assert.equal(facts[key as keyof ImageFacts], value, key);
    },
    { needs },
  );
}

test(
  'read: what the binary says is told only when it is asked for',
  async () => {
    const commit = '0123456789abcdef0123456789abcdef01234567';
    const path = ext(at('contradiction'), { ...guestTree('3.4.0'), 'usr/bin/kata-agent': `x 3.3.0-${commit} x` });
    assert.is((await read(path)).contradiction, null);
    assert.is((await read(path, host, true)).contradiction?.version.text, '3.3.0');
  },
  { needs: ['mkfs.ext4'] },
);

const problems: readonly [
  rule: string,
  make: (file: string) => void,
  kind: ProblemKind,
  said: RegExp,
  needs?: readonly string[],
][] = [
  ['it is not there', () => {}, 'not-found', /bad-0: no such file or directory$/],
  ['a dangling link', (file) => symlinkSync('none', file), 'not-found', /none: no such file or directory$/],
  ['a link to itself', (file) => symlinkSync(file, file), 'limit-exceeded', /more than 40 symbolic links$/],
  ['a directory', (file) => mkdirSync(file), 'io', /is a directory, not a regular file$/],
  ['a FIFO', (file) => run('mkfifo', file), 'io', /FIFO/],
  ['nothing in it', (file) => writeFileSync(file, ''), 'unsupported', /is empty$/],
  ['one byte', (file) => writeFileSync(file, 'x'), 'unsupported', /no ext4, xfs or erofs filesystem in it$/],
  [
    'a text',
    (file) => writeFileSync(file, 'no image\n'.repeat(1000)),
    'unsupported',
    /no ext4, xfs or erofs filesystem in it$/,
  ],
  [
    'a disk of which no partition is known',
    (file) => {
      writeFileSync(`${file}.fs`, Buffer.alloc(1 << 20));
      makeDisk(file, `${file}.fs`);
    },
    'unsupported',
    /no ext4, xfs or erofs filesystem in any of its 1 partitions$/,
  ],
  [
    'a disk cut off in its filesystem',
    (file) => {
      makeDisk(`${file}.whole`, ext(`${file}.fs`, guestTree('3.4.0')));
      writeFileSync(file, readFileSync(`${file}.whole`).subarray(0, (1 << 20) + 8192));
    },
    'corrupt',
    /lie outside the image/,
    ['mkfs.ext4'],
  ],
  [
    'an initrd cut off',
    (file) => {
      initrd(`${file}.whole`, guestTree('3.4.0'));
      writeFileSync(file, readFileSync(`${file}.whole`).subarray(0, 700));
    },
    'corrupt',
    /./,
    ['cpio'],
  ],
];

for (const [index, [rule, make, kind, said, needs = []]] of problems.entries()) {
  test(
    `a problem, and no error: ${rule}`,
    async () => {
      const path = at(`bad-${index}`);
      make(path);
      const facts = await read(path);
      assert.is(facts.problem?.kind, kind, facts.problem?.message);
      assert.match(facts.problem?.message ?? '', said);
      assert.is(facts.agent, null);
      assert.is(facts.path, path);
    },
    { needs, timeout: 30 },
  );
}

test('a problem, and no error: a deadline that is over', async () => {
  writeFileSync(at('late'), Buffer.alloc(4096));
  const facts = await readImage(host, at('late'), { deadline: host.now() - 1 });
  assert.is(facts.problem?.kind, 'limit-exceeded');
});

test(
  'a program that is missing is not an image that is missing',
  async () => {
    const path = initrd(at('no-program'), guestTree('3.4.0'), 'zstd -q');
    const refuse = (): never => {
      throw new NotFound('the program zstd is not installed');
    };
    const without: Host = {
      ...rootedHost(host, ''),
      run: async () => refuse(),
      stream: (): AsyncIterable<Uint8Array> => ({ [Symbol.asyncIterator]: refuse }),
    };
    const { problem } = await read(path, without);
    assert.is(problem?.kind, 'unsupported');
    assert.match(problem?.message ?? '', /^the program zstd is not installed/);
  },
  { needs: ['cpio', 'zstd'] },
);

test('what is open is closed, whatever comes of it', async () => {
  writeFileSync(at('text'), 'no image\n'.repeat(1000));
  let open = 0;
  const counting: Host = {
    ...rootedHost(host, ''),
    open: (path) => {
      const file = host.open(path);
      open += 1;
      const counted: File = {
        path: file.path,
        size: file.size,
        read: (offset, length) => file.read(offset, length),
        close: () => {
          open -= 1;
          file.close();
        },
      };
      return counted;
    },
  };
  assert.is((await read(at('text'), counting)).problem?.kind, 'unsupported');
  assert.is(open, 0);
});

test(
  'below a root the links of the image stay below it',
  async () => {
    const root = writeTree(at('root'), { 'srv/image': { link: '/images/one' }, 'images/x': '' });
    ext(join(root, 'images/one'), guestTree('3.4.0'));
    const facts = await read('/srv/image', rootedHost(host, root));
    assert.equal([facts.resolvedPath, facts.agent?.version.text], ['/images/one', '3.4.0']);
  },
  { needs: ['mkfs.ext4'] },
);

test('what holds a guest and cannot be read is named for what it is', async () => {
  const igvm = at('igvm.img');
  writeFileSync(igvm, `IGVM${'\0'.repeat(2000)}`);
  const secure = at('kata-containers-se-gpu.img');
  writeFileSync(secure, Buffer.alloc(4096, 0x5a));
  for (const [path, said] of [
    [igvm, /an IGVM file, whose guest is not read$/],
    [secure, /for IBM Secure Execution, which is encrypted$/],
  ] as const) {
    const { problem } = await read(path);
    assert.is(problem?.kind, 'unsupported');
    assert.match(problem?.message ?? '', said);
  }
});

const time = '/usr/bin/time';
const native = forms.filter(({ name }) => name === 'native');

/** A summary of the largest size, filled up. */
const fillings: readonly [what: string, begin: string, filling: string][] = [
  ['line ends', '', '\n'],
  ['blanks', 'agent:\n  version:', ' '],
  ['sections', '', 'agent:\n'],
  ['letters of two bytes', 'agent:\n  version: ', '\xc3\xa4'],
  ['bytes that are no UTF-8', 'agent:\n  version: ', '\xff'],
];

for (const { argv, needs } of native) {
  for (const [what, begin, filling] of fillings) {
    test(
      `a summary of the largest size, full of ${what}: less than 16 MB of memory in the native form`,
      () => {
        const size = limits.summaryBytes;
        const summary = (begin + filling.repeat(Math.floor((size - begin.length) / filling.length))).slice(0, size);
        const tree = packed({});
        mkdirSync(join(tree, 'var/lib/osbuilder'), { recursive: true });
        writeFileSync(join(tree, summaryPath), summary, 'latin1');
        const image = makeExt(at('summary.img'), tree, '4M', '-b', '1024');
        const { status, stdout, stderr } = spawnSync(time, ['-f', '%M', ...argv, 'image', image], {
          encoding: 'utf8',
        });
        assert.is(status, 11, stdout + stderr);
        assert.match(stdout, /osbuilder\.yaml\s+(does not say it|says\s[\s\S]*which\s+is\s+no\s+version)/);
        const kibibytes = Number(stderr.trim().split('\n').at(-1));
        assert.ok(kibibytes * 1024 < 16_000_000, `${kibibytes} KiB`);
      },
      { needs: ['mkfs.ext4', time, ...needs] },
    );
  }
}

/** Images that made the readers keep much, of what real programs make. */
const dear: readonly [what: string, needs: string, make: (image: string, tree: string) => void][] = [
  [
    'clusters of erofs of which each holds 12 MB',
    'mkfs.erofs',
    (image, tree) => {
      writeFileSync(join(tree, 'usr/bin/kata-agent'), Buffer.alloc(60 << 20, 'z'));
      run('mkfs.erofs', '--quiet', '-zlz4hc', '-C1048576', image, tree);
    },
  ],
  [
    'an agent of more pieces than are kept',
    'mkfs.ext4',
    (image, tree) => {
      const agent = openSync(join(tree, 'usr/bin/kata-agent'), 'w');
      // Each with a hole behind it.
      for (let index = 0; index < 33_000; index += 1) writeSync(agent, Buffer.alloc(4096, 'y'), 0, 4096, index * 8192);
      closeSync(agent);
      makeExt(image, tree, '220M', '-b', '1024');
    },
  ],
];

for (const { argv, needs } of native) {
  for (const [what, tool, make] of dear) {
    test(
      `${what}: less than 16 MB of memory in the native form`,
      () => {
        const tree = packed({ 'usr/bin/x': '' });
        const image = at('dear.img');
        make(image, tree);
        const { stdout, stderr } = spawnSync(time, ['-f', '%M', ...argv, 'image', image], { encoding: 'utf8' });
        assert.match(stdout.replace(/\s+/g, ' '), /kata-agent does not name its version|more than 32768 extents/);
        const kibibytes = Number(stderr.trim().split('\n').at(-1));
        assert.ok(kibibytes * 1024 < 16_000_000, `${kibibytes} KiB`);
      },
      { needs: [tool, time, ...needs], isLong: true },
    );
  }
}
