import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { LimitExceeded, NotFound } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import type { InstalledPackage } from '../../src/locate/declared.ts';
import { installedPackages } from '../../src/locate/packages.ts';
import { run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('package databases');
const host = createNodeHost();

function ask(
  root: string,
  paths: readonly string[],
  names: readonly string[],
  on: Host = host,
): Promise<InstalledPackage[]> {
  return installedPackages(on, root, paths, names, host.now() + 60_000);
}

interface Entry {
  readonly name: string;
  readonly version?: string;
  readonly status?: string;
  readonly architecture?: string;
  readonly fields?: string;
  readonly owns?: readonly string[];
}

function dpkgRoot(entries: readonly Entry[], more: Tree = {}): string {
  const status = entries.map(
    ({ name, version = '1-1', status = 'install ok installed', architecture = 'all', fields = '' }) =>
      `Package: ${name}\nStatus: ${status}\nMaintainer: x\nArchitecture: ${architecture}\n` +
      `${architecture === 'all' ? '' : 'Multi-Arch: same\n'}Version: ${version}\n${fields}Description: x\n`,
  );
  const lists = entries.map(({ name, architecture = 'all', owns = [] }) => [
    `/var/lib/dpkg/info/${name}${architecture === 'all' ? '' : `:${architecture}`}.list`,
    owns.map((path) => `${path}\n`).join(''),
  ]);
  return writeTree(temporaryFolder(), {
    '/var/lib/dpkg/status': status.join('\n'),
    '/var/lib/dpkg/info/format': '1\n',
    ...Object.fromEntries(lists),
    ...more,
  });
}

const program = '/usr/bin/kata-runtime';
const image = '/usr/share/kata-containers/kata-containers.img';

const plain = (name: string, parts: Partial<InstalledPackage> = {}): InstalledPackage => ({
  name,
  version: '1-1',
  agentRequires: null,
  agentVersion: null,
  owns: [],
  ...parts,
});

const dpkgRows: readonly [
  rule: string,
  entries: readonly Entry[],
  paths: readonly string[],
  names: readonly string[],
  expected: readonly InstalledPackage[],
  more?: Tree,
][] = [
  ['by its path', [{ name: 'a', owns: [program] }], [program], [], [plain('a', { owns: [program] })]],
  ['by its name', [{ name: 'a', owns: [program] }, { name: 'b' }], [], ['b'], [plain('b')]],
  ['a path that nobody owns', [{ name: 'a', owns: [program] }], [image], [], []],
  ['a name that is not installed does not hide the others', [{ name: 'a' }], [], ['none', 'a', 'other'], [plain('a')]],
  [
    'a path that nobody owns does not hide the others',
    [{ name: 'a', owns: [program] }],
    [image, program, '/none'],
    [],
    [plain('a', { owns: [program] })],
  ],
  [
    'only the paths that were asked for',
    [{ name: 'a', owns: [program, image, '/usr'] }],
    [image],
    [],
    [plain('a', { owns: [image] })],
  ],
  [
    'several of one package',
    [{ name: 'a', owns: [program, image] }],
    [program, image],
    ['a'],
    [plain('a', { owns: [program, image] })],
  ],
  [
    'two owners of one path',
    [
      { name: 'a', owns: [program] },
      { name: 'b', owns: [program] },
    ],
    [program],
    [],
    [plain('a', { owns: [program] }), plain('b', { owns: [program] })],
  ],
  [
    'its version',
    [{ name: 'a', version: '1:3.4.0~rc1+git.717a30b-1' }],
    [],
    ['a'],
    [plain('a', { version: '1:3.4.0~rc1+git.717a30b-1' })],
  ],
  [
    'its fields',
    [{ name: 'a', fields: 'Kata-Agent-Requires: >=3.4.0 <3.6.0\nKata-Agent-Version: 3.5.0\n' }],
    [],
    ['a'],
    [plain('a', { agentRequires: '>=3.4.0 <3.6.0', agentVersion: '3.5.0' })],
  ],
  [
    'its fields with the XB- that was left',
    [{ name: 'a', fields: 'XB-Kata-Agent-Requires: >=3.4.0\nxb-kata-agent-version: 3.5.0\n' }],
    [],
    ['a'],
    [plain('a', { agentRequires: '>=3.4.0', agentVersion: '3.5.0' })],
  ],
  [
    'an architecture is no part of its name',
    [{ name: 'a', architecture: 'amd64', owns: [program] }],
    [program],
    [],
    [plain('a', { owns: [program] })],
  ],
  [
    'unpacked and not configured is there',
    [{ name: 'a', status: 'install ok unpacked', owns: [program] }],
    [program],
    [],
    [plain('a', { owns: [program] })],
  ],
  ['held back is there', [{ name: 'a', status: 'hold ok installed' }], [], ['a'], [plain('a', { isHeld: true })]],
  [
    'removed with its configuration left is not',
    [{ name: 'a', status: 'deinstall ok config-files', owns: ['/etc/x'] }],
    ['/etc/x'],
    ['a'],
    [],
  ],
  [
    'a package that another one moved aside is not asked after',
    [{ name: 'a', owns: [program] }],
    [program],
    [],
    [plain('a', { owns: [program] })],
    { '/var/lib/dpkg/diversions': `${program}\n${program}.distrib\nacme\n` },
  ],
  [
    'nor is what the admin moved aside',
    [{ name: 'a', owns: [program] }],
    [program],
    [],
    [plain('a', { owns: [program] })],
    { '/var/lib/dpkg/diversions': `${program}\n${program}.distrib\n:\n` },
  ],
  [
    'a path with a blank and a colon',
    [{ name: 'a', owns: ['/srv/my image: 1.img'] }],
    ['/srv/my image: 1.img'],
    [],
    [plain('a', { owns: ['/srv/my image: 1.img'] })],
  ],
  [
    'a path that is not ASCII',
    [{ name: 'a', owns: ['/srv/näme.img'] }],
    ['/srv/näme.img'],
    [],
    [plain('a', { owns: ['/srv/näme.img'] })],
  ],
  [
    'what dpkg would take for a pattern stands for itself',
    [
      { name: 'a', owns: [image] },
      { name: 'b', owns: ['/srv/[x]*?.img'] },
    ],
    ['/usr/share/*', '/srv/[x]*?.img'],
    ['?', '*'],
    [plain('b', { owns: ['/srv/[x]*?.img'] })],
  ],
  ['a name that looks like an option is none', [{ name: 'a' }], [], ['--version', 'a', '-l'], [plain('a')]],
  [
    'a path that no file can have',
    [{ name: 'a', owns: [program] }],
    ['/srv/a\0b', program],
    [],
    [plain('a', { owns: [program] })],
  ],
  ['nothing was asked', [{ name: 'a', owns: [program] }], [], [], []],
];

for (const [rule, entries, paths, names, expected, more = {}] of dpkgRows) {
  test(
    `dpkg: ${rule}`,
    async () => {
      const found = await ask(dpkgRoot(entries, more), paths, names);
      assert.equal(
        found.sort((a, b) => (a.name < b.name ? -1 : 1)),
        expected,
      );
    },
    { needs: ['dpkg-query'] },
  );
}

test('a root without a database has no packages, and nobody is asked', async () => {
  const silent: Host = {
    ...rootedHost(host, ''),
    run: () => {
      throw new Error('a program was run');
    },
  };
  const root = writeTree(temporaryFolder(), { '/var/lib/dpkg/info/x': '', '/var/lib/rpm/Packages': '' });
  assert.equal(await ask(root, [program], ['kata-runtime'], silent), []);
});

test('a database without its program has no packages', async () => {
  const without: Host = {
    ...rootedHost(host, ''),
    run: async ([name = '']) => {
      throw new NotFound(`the program ${name} is not installed`);
    },
  };
  const root = dpkgRoot([{ name: 'a' }], { '/var/lib/rpm/rpmdb.sqlite': '' });
  assert.equal(await ask(root, [program], ['a'], without), []);
});

test(
  'a deadline that is over is said, not taken for an empty answer',
  async () => {
    try {
      await installedPackages(host, dpkgRoot([{ name: 'a' }]), [], ['a'], host.now() - 1);
    } catch (error) {
      assert.instance(error, LimitExceeded);
      return;
    }
    assert.unreachable('an answer came');
  },
  { needs: ['dpkg-query'] },
);

interface Rpm {
  readonly name: string;
  readonly version: string;
  readonly owns?: readonly string[];
  readonly provides?: readonly string[];
}

/** A root with these in rpm's database, put there by rpm itself. */
function rpmRoot(rpms: readonly Rpm[], database: string): string {
  const root = temporaryFolder();
  const work = temporaryFolder();
  for (const { name, version, owns = [], provides = [] } of rpms) {
    const spec = join(work, `${name}.spec`);
    writeFileSync(
      spec,
      [
        `Name: ${name}`,
        ...(version.includes(':') ? [`Epoch: ${version.split(':')[0]}`] : []),
        `Version: ${version.replace(/^.*:/, '')}`,
        'Release: 1.fc41',
        'Summary: x',
        'License: x',
        'BuildArch: noarch',
        ...provides.map((provided) => `Provides: ${provided}`),
        '%description',
        'x',
        '%install',
        ...owns.map((path) => `mkdir -p "%{buildroot}$(dirname '${path}')" && echo x >"%{buildroot}${path}"`),
        '%files',
        ...owns.map((path) => `"${path}"`),
        '',
      ].join('\n'),
    );
    run('rpmbuild', '-bb', '--quiet', '--define', `_topdir ${work}`, '--define', '_build_id_links none', spec);
    const file = join(work, 'RPMS/noarch', `${name}-${version.replace(/^.*:/, '')}-1.fc41.noarch.rpm`);
    run('rpm', '--root', root, '--dbpath', database, '-i', '--justdb', '--nodeps', '--nosignature', file);
  }
  return root;
}

for (const database of ['/usr/lib/sysimage/rpm', '/var/lib/rpm']) {
  test(
    `rpm: owners, names and what they provide, from ${database}`,
    async () => {
      const rpms: readonly Rpm[] = [
        {
          name: 'kata-containers',
          version: '3.4.0',
          owns: [program, '/srv/my image.img'],
          provides: ['kata-agent-requires(min) = 3.4.0', 'kata-agent-requires(max) = 3.6.0', 'acme(x:y) = 1'],
        },
        { name: 'kata-image', version: '3.5.0~rc1', owns: [image], provides: ['kata-agent = 3.5.0'] },
        { name: 'acme-min', version: '1', provides: ['kata-agent-requires(min) = 3.4.0'] },
        { name: 'acme-max', version: '1', provides: ['kata-agent-requires(max) = 3.6.0'] },
        {
          name: 'acme-rc',
          version: '1:3.5.0~rc1',
          provides: ['kata-agent = 1:3.5.0~rc1-1', 'kata-agent-requires(min) = 3.5.0~rc1'],
        },
        { name: 'acme-unversioned', version: '1', provides: ['kata-agent', 'kata-agent-requires(min)'] },
      ];
      const paths = ['/none', program, image, '/srv/my image.img'];
      const names = ['none', 'kata-containers', 'acme-min', 'acme-max', 'acme-rc', 'acme-unversioned', '--version'];
      const found = await ask(rpmRoot(rpms, database), paths, names);
      assert.equal(
        found.sort((a, b) => (a.name < b.name ? -1 : 1)),
        [
          plain('acme-max', { version: '1-1.fc41', agentRequires: '<3.6.0' }),
          plain('acme-min', { version: '1-1.fc41', agentRequires: '>=3.4.0' }),
          plain('acme-rc', {
            version: '1:3.5.0~rc1-1.fc41',
            agentRequires: '>=3.5.0-rc1',
            agentVersion: '1:3.5.0~rc1-1',
          }),
          plain('acme-unversioned', { version: '1-1.fc41' }),
          plain('kata-containers', {
            version: '3.4.0-1.fc41',
            agentRequires: '>=3.4.0 <3.6.0',
            owns: [program, '/srv/my image.img'],
          }),
          plain('kata-image', { version: '3.5.0~rc1-1.fc41', agentVersion: '3.5.0', owns: [image] }),
        ],
      );
    },
    { needs: ['rpm', 'rpmbuild'] },
  );
}

test(
  'both databases in one root: both are asked',
  async () => {
    const root = rpmRoot([{ name: 'kata-image', version: '3.5.0', owns: [image] }], '/var/lib/rpm');
    writeTree(root, {
      '/var/lib/dpkg/status':
        'Package: kata-runtime\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: 1-1\nDescription: x\n',
      '/var/lib/dpkg/info/kata-runtime.list': `${program}\n`,
    });
    const found = await ask(root, [program, image], []);
    assert.equal(
      found.map(({ name, owns }) => [name, ...owns]),
      [
        ['kata-runtime', program],
        ['kata-image', image],
      ],
    );
  },
  { needs: ['dpkg-query', 'rpm', 'rpmbuild'] },
);

const configured = ['/etc/crio/crio.conf.d/50-acme', '/etc/kata-containers/configuration.toml'];
const configuring: readonly [name: string, needs: readonly string[], make: () => string][] = [
  ['dpkg', ['dpkg-query'], () => dpkgRoot([{ name: 'acme', owns: configured }])],
  ['rpm', ['rpm', 'rpmbuild'], () => rpmRoot([{ name: 'acme', version: '1', owns: configured }], '/var/lib/rpm')],
  [
    'pacman',
    [],
    () =>
      writeTree(temporaryFolder(), {
        '/var/lib/pacman/local/acme-1-1/files': `${configured.map((path) => `${path.slice(1)}\n`).join('')}`,
      }),
  ],
];
for (const [name, needs, make] of configuring) {
  test(
    `${name}: an owner of configurations is told as such, and not what it owns`,
    async () => {
      const asked = ['/none', ...configured];
      const found = await installedPackages(host, make(), [program], [], host.now() + 60_000, asked);
      assert.equal(
        found.map(({ name, owns, configures }) => [name, owns, configures]),
        [['acme', [], true]],
      );
    },
    { needs: [...needs] },
  );
}
