import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { concernsKata } from '../../src/state/relevance.ts';
import type { PackageChange } from '../../src/state/transaction.ts';
import { makeDeb } from '../debs.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('whether a transaction can concern Kata');
const host = createNodeHost();
const debs = temporaryFolder();

interface Known {
  readonly name: string;
  readonly list?: string;
  readonly fields?: string;
}

const libc: Known = { name: 'libc6', list: '/usr/lib/x86_64-linux-gnu/libc.so.6\n' };

/** A root whose dpkg knows these packages; a list's name may hold an architecture. */
function root(packages: readonly (Known & { readonly architecture?: string })[], tree: Tree = {}): string {
  const stanza = ({ name, fields = '' }: Known): string =>
    `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n${fields}Description: x\n about Kata-Agent\n`;
  return writeTree(temporaryFolder(), {
    'var/lib/dpkg/status': packages.map(stanza).join('\n'),
    ...Object.fromEntries(
      packages.flatMap(({ name, list, architecture }) =>
        list === undefined ? [] : [[`var/lib/dpkg/info/${name}${architecture ?? ''}.list`, list]],
      ),
    ),
    ...tree,
  });
}

const upgrade = (name: string): PackageChange => ({
  name,
  oldVersion: '1',
  newVersion: '2',
  action: 'unpack',
  archive: `/nowhere/${name}_2_all.deb`,
});
const added = (name: string, archive: string): PackageChange => ({ ...upgrade(name), oldVersion: null, archive });
const remove = (name: string): PackageChange => ({
  ...upgrade(name),
  newVersion: null,
  action: 'remove',
  archive: null,
});

const program: Tree = { 'usr/bin/kata-runtime': '#!/bin/sh\n' };
const plain = makeDeb(debs, { name: 'plain', version: '2' });
const declaring = makeDeb(debs, { name: 'declaring', version: '2', fields: { 'Kata-Agent-Version': '3.4.0' } });
const owning = (path: string, name = 'vendor'): readonly Known[] => [
  { name, list: `/.\n/usr\n${path}\n/usr/share/doc\n` },
];

const cases: readonly [
  rule: string,
  where: () => string,
  steps: readonly PackageChange[],
  expected: boolean,
  config?: string,
][] = [
  ['nothing changes', () => root([], program), [], false],
  ['something else changes', () => root(owning('/usr/bin/vim', 'vim'), program), [upgrade('vim')], false],
  [
    'it owns a drop-in of CRI-O',
    () => root(owning('/etc/crio/crio.conf.d/50-acme'), program),
    [upgrade('vendor')],
    true,
  ],
  [
    'it owns a drop-in of containerd',
    () => root(owning('/etc/containerd/conf.d/x.toml'), program),
    [upgrade('vendor')],
    true,
  ],
  ['its name contains kata', () => root([]), [upgrade('vim'), upgrade('my-kata-shim')], true],
  ['its name is listed', () => root([]), [upgrade('vm')], true, '[packages]\nruntime[] = vm\n'],
  ['so is that of one which goes', () => root([]), [remove('katacontainers-image-initrd')], true],
  [
    'it is installed and carries a field',
    () => root([{ name: 'vim' }, { name: 'vm', fields: 'Kata-Agent-Requires: >=3\n' }, libc]),
    [upgrade('vm')],
    true,
  ],
  [
    'the field by its other name',
    () => root([{ name: 'vm', fields: 'XB-Kata-Agent-Version: 3\n' }, libc]),
    [upgrade('vm')],
    true,
  ],
  [
    'another package carries a field',
    () =>
      root(
        [
          { name: 'vim', list: '/usr/bin/vim\n' },
          { name: 'vm', fields: 'Kata-Agent-Requires: >=3\n' },
        ],
        program,
      ),
    [upgrade('vim')],
    false,
  ],
  ['it owns a runtime program', () => root(owning('/usr/bin/containerd-shim-kata-v2')), [upgrade('vendor')], true],
  ['it owns something of Kata', () => root(owning('/opt/kata/VERSION')), [upgrade('vendor')], true],
  ['it owns what may be an image', () => root(owning('/srv/guest.img')), [remove('vendor')], true],
  ['an .image', () => root(owning('/srv/guest.image')), [upgrade('vendor')], true],
  ['an .initrd', () => root(owning('/srv/guest.initrd')), [upgrade('vendor')], true],
  ['what only begins so is none', () => root(owning('/srv/guest.img.gz')), [upgrade('vendor')], false],
  [
    'it owns a path of [images]',
    () => root(owning('/srv/a+b.raw')),
    [upgrade('vendor')],
    true,
    '[images]\npath[] = /srv/a+b.raw\n',
  ],
  [
    'it owns the last of many paths of [images]',
    () => root(owning('/srv/99.raw')),
    [upgrade('vendor')],
    true,
    `[images]\n${Array.from({ length: 100 }, (_, index) => `path[] = /srv/${index}.raw\n`).join('')}`,
  ],
  [
    'a path of [images] at the end of another',
    () => root(owning('/x/srv/a.raw2')),
    [upgrade('vendor')],
    false,
    '[images]\npath[] = /srv/a.raw\n',
  ],
  [
    'it comes for several architectures at once',
    () =>
      root([
        { ...libc, architecture: ':amd64' } as Known,
        { ...owning('/opt/kata/x')[0], name: 'vendor', architecture: ':amd64' } as Known,
      ]),
    [upgrade('vendor')],
    true,
  ],
  [
    'it is new, carries a field, and a runtime is there',
    () => root([], program),
    [added('declaring', declaring)],
    true,
  ],
  ['without a runtime a new one is not opened', () => root([]), [added('declaring', declaring)], false],
  ['it is new and carries none', () => root([], program), [added('plain', plain)], false],
  ['it is new and cannot be read', () => root([], program), [added('plain', '/nowhere/plain_1_all.deb')], false],
  ['it is no new one', () => root([], program), [{ ...added('declaring', declaring), oldVersion: '1' }], false],
  ['without dpkg: a runtime program tells', () => writeTree(temporaryFolder(), program), [upgrade('vim')], true],
  ['without dpkg and a runtime', () => writeTree(temporaryFolder(), { 'etc/hostname': 'x' }), [upgrade('vim')], false],
];

for (const [rule, where, steps, expected, config = ''] of cases) {
  test(
    `${expected ? 'yes' : 'no'}: ${rule}`,
    async () => {
      const at = where();
      writeTree(at, { 'etc/kata-check.conf': config });
      const loaded = loadConfig(rootedHost(host, at), undefined, []);
      assert.equal([loaded.mistakes, loaded.warnings], [[], []]);
      const question = { root: at, settings: loaded.config, deadline: host.now() + 60_000 };
      assert.is(await concernsKata(host, rootedHost(host, at), steps, question), expected);
    },
    { needs: ['dpkg-deb'] },
  );
}

test('links of the root stay below it', async () => {
  // What the link leads to on this machine would tell otherwise.
  const outside = writeTree(temporaryFolder(), { 'info/vendor.list': '/opt/kata/x\n', status: 'Package: vendor\n' });
  const at = temporaryFolder();
  writeTree(at, { 'var/lib/x': '' });
  symlinkSync(outside, join(at, 'var/lib/dpkg'));
  const { config } = loadConfig(rootedHost(host, at), undefined, []);
  const question = { root: at, settings: config, deadline: host.now() + 60_000 };
  assert.is(await concernsKata(host, rootedHost(host, at), [upgrade('vendor')], question), false);
});

test('a large upgrade runs no program and opens nothing but the database of dpkg', async () => {
  const names = Array.from({ length: 500 }, (_, index) => `lib${index}`);
  const at = root(
    names.map((name) => ({ name, list: `/usr/lib/${name}\n` })),
    { ...program, 'opt/kata/share/defaults/kata-containers/configuration.toml': 'image = "/x"\n' },
  );
  const looked: string[] = [];
  const recorder: Host = Object.assign(Object.create(host) as Host, {
    holding: (paths: readonly string[], texts: readonly string[], limit: number) => {
      looked.push(...paths);
      return host.holding(paths, texts, limit);
    },
    readText: (path: string) => {
      throw new Error(`${path} was read`);
    },
    run: (argv: readonly string[]) => {
      throw new Error(`${argv[0]} was run`);
    },
    status: (path: string) => host.status(path),
    readLink: (path: string) => host.readLink(path),
  });
  const { config } = loadConfig(rootedHost(host, at), undefined, []);
  const question = { root: at, settings: config, deadline: host.now() + 60_000 };
  assert.is(await concernsKata(recorder, rootedHost(recorder, at), names.map(upgrade), question), false);
  assert.is(looked.length, 501);
  assert.ok(looked.every((path) => path.startsWith(`${at}/var/lib/dpkg/`)));
});
