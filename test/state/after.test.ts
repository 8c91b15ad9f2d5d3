import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Config, loadConfig } from '../../src/config.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { type After, stateAfter } from '../../src/state/after.ts';
import type { State } from '../../src/state/node.ts';
import type { Request } from '../../src/state/request.ts';
import type { PackageChange } from '../../src/state/transaction.ts';
import { parseRange } from '../../src/version.ts';
import { type Deb, makeDeb } from '../debs.ts';
import { guestTree, makeExt, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the state after a transaction');
const needs = ['mkfs.ext4', 'dpkg-deb', 'dpkg-query', 'gzip'];
const host = createNodeHost();
const folder = temporaryFolder();

const guests = new Map<string, Uint8Array>();

/** A guest image with this agent: a bare filesystem, as small as there is. */
function guest(agent: string): Uint8Array {
  const known = guests.get(agent);
  if (known !== undefined) return known;
  const tree = writeTree(join(folder, `tree-${guests.size}`), guestTree(agent));
  const options = ['-b', '1024', '-O', '^has_journal', '-N', '32'];
  const bytes = readFileSync(makeExt(join(folder, `guest-${guests.size}`), tree, '256K', ...options));
  guests.set(agent, bytes);
  return bytes;
}

interface Installed {
  readonly name: string;
  readonly version: string;
  readonly owns: readonly string[];
  readonly fields?: Readonly<Record<string, string>>;
  readonly status?: string;
}

const program = '/usr/bin/kata-runtime';
const optProgram = '/opt/kata/bin/kata-runtime';
const imagePath = '/usr/share/kata-containers/kata-containers.img';
const optImage = '/opt/kata/share/kata-containers/kata-containers.img';
const usrConfig = '/usr/share/defaults/kata-containers/configuration.toml';
const optConfig = '/opt/kata/share/defaults/kata-containers/configuration.toml';

function naming(...paths: readonly string[]): string {
  return paths.map((path, index) => `[hypervisor.h${index}]\nimage = ${JSON.stringify(path)}\n`).join('');
}

/** A root with these packages in dpkg's database and these files; a program is one line of shell that says nothing. */
function node(packages: readonly Installed[], tree: Tree): string {
  const status = packages.map(
    ({ name, version, fields = {}, status = 'install ok installed' }) =>
      `Package: ${name}\nStatus: ${status}\nMaintainer: x\nArchitecture: all\nVersion: ${version}\n${Object.entries(
        fields,
      )
        .map(([key, value]) => `${key}: ${value}\n`)
        .join('')}Description: x\n`,
  );
  const lists = packages.map(({ name, owns }) => [
    `/var/lib/dpkg/info/${name}.list`,
    owns.map((path) => `${path}\n`).join(''),
  ]);
  return writeTree(temporaryFolder(), {
    '/var/lib/dpkg/status': status.join('\n'),
    ...Object.fromEntries(lists),
    ...tree,
  });
}

const runtimePackage: Installed = { name: 'kata-runtime', version: '3.4.0-1', owns: [program, usrConfig] };
const imagePackage: Installed = { name: 'kata-containers-image', version: '3.4.0-1', owns: [imagePath] };
const usrTree = (): Tree => ({ [program]: '#!/bin/sh\n', [usrConfig]: naming(imagePath), [imagePath]: guest('3.4.0') });

/** The usual node: runtime and image 3.4.0 from two packages. */
const usual = (): string => node([runtimePackage, imagePackage], usrTree());

interface Parts {
  readonly changes?: readonly PackageChange[];
  readonly to?: string;
  readonly requires?: string;
  readonly images?: readonly string[];
  readonly config?: string;
  readonly host?: Host;
}

function configOf(text: string): Config {
  const root = writeTree(temporaryFolder(), { '/etc/kata-check.conf': text });
  const { config, mistakes } = loadConfig({ ...rootedHost(host, root), userId: 1000 }, undefined, []);
  assert.equal([...mistakes], []);
  return config;
}

async function after(root: string, parts: Parts = {}): Promise<After> {
  const real = parts.host ?? host;
  const request: Request = {
    root,
    transaction:
      parts.changes === undefined ? null : { manager: 'apt', root, changes: parts.changes, mode: null, allow: [] },
    to: parts.to ?? null,
    requires: parts.requires === undefined ? undefined : parseRange(parts.requires),
    images: parts.images ?? [],
    config: configOf(parts.config ?? ''),
    deadline: host.now() + 60_000,
  };
  return stateAfter(real, rootedHost(real, root), request);
}

/** `+` comes, `=` is there and stays, `-` goes. */
function told({ runtimes, images }: State): string[] {
  return [
    ...runtimes.map(
      ({ isIncoming, name, versionText, requirement, requirementProblem, prefix, replaces }) =>
        `${isIncoming ? '+' : '='} ${name} ${versionText} needs ${requirement?.range.text ?? requirementProblem}, below ${prefix}${replaces === null ? '' : `, replaces ${replaces}`}`,
    ),
    ...images.map(({ facts, incoming, removedBy }) => {
      const agent = facts.agent?.version.text ?? facts.problem?.kind ?? 'no version';
      const sign = incoming !== null ? '+' : removedBy !== null ? '-' : '=';
      const states =
        incoming === null
          ? ''
          : incoming.isRead
            ? ` read out of ${incoming.package}`
            : ` ${incoming.package} states ${incoming.versionText}${incoming.problem === null ? '' : `: ${incoming.problem.replace(/^.*: (dpkg-deb failed) .*/s, '$1')}`}`;
      return `${sign} ${facts.path} ${agent}${states}${removedBy === null ? '' : ` by ${removedBy}`}`;
    }),
  ];
}

const debs = temporaryFolder();

function unpack(
  deb: Deb,
  oldVersion: string | null = '3.4.0-1',
  newVersion: string | null = deb.version,
): PackageChange {
  return { name: deb.name, oldVersion, newVersion, action: 'unpack', archive: makeDeb(debs, deb) };
}

function remove(name: string, oldVersion = '3.4.0-1'): PackageChange {
  return { name, oldVersion, newVersion: null, action: 'remove', archive: null };
}

function configure({ name, oldVersion, newVersion }: PackageChange): PackageChange {
  return { name, oldVersion, newVersion, action: 'configure', archive: null };
}

/** An archive that is not there: whoever opens it is found out. */
function unopened(name: string, oldVersion: string | null, newVersion: string): PackageChange {
  return { name, oldVersion, newVersion, action: 'unpack', archive: join(debs, 'none', `${name}.deb`) };
}

/** A package that its manager has not fetched yet, or does not say where it is. */
function unfetched(name: string): PackageChange {
  return { name, oldVersion: '3.4.0-1', newVersion: '3.5.0-1', action: 'unpack', archive: null };
}

/** What the protocol's history says of every runtime from 3.3 to 3.12. */
const since33 = '>=3.3.0';

const runtime35 = (fields: Readonly<Record<string, string>> = {}): Deb => ({
  name: 'kata-runtime',
  version: '3.5.0-1',
  fields,
});
const image35 = (fields: Readonly<Record<string, string>> = { 'Kata-Agent-Version': '3.5.0' }): Deb => ({
  name: 'kata-containers-image',
  version: '3.5.0-1',
  fields,
});
const declares = { 'Kata-Agent-Requires': '>=3.5.0 <3.6.0' };

/** `make` runs when the test does: some need what a skipped test's machine has not. */
type Row = readonly [
  rule: string,
  make: () => { readonly root: string } & Parts,
  expected: readonly string[],
  warnings?: readonly RegExp[],
];

const rows: readonly Row[] = [
  // One side, both sides.
  [
    'the runtime alone: the image stays as it is',
    () => ({ root: usual(), changes: [unpack(runtime35(declares))] }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'the image alone: against the runtime that stays',
    () => ({ root: usual(), changes: [unpack(image35())] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'both together, in either order',
    () => ({ root: usual(), changes: [unpack(image35()), unpack(runtime35(declares))] }),
    [
      '+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below /usr, replaces 3.4.0-1',
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'an image without the field is read out of the package; what is installed does not speak for it',
    () => ({ root: usual(), changes: [unpack({ ...image35({}), files: { [imagePath]: guest('3.5.0') } })] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.5.0 read out of kata-containers-image 3.5.0-1`,
    ],
  ],
  [
    'a stated version wins over what is in the package',
    () => ({ root: usual(), changes: [unpack({ ...image35(), files: { [imagePath]: guest('9.9.9') } })] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'a package that brings the image no more',
    () => ({ root: usual(), changes: [unpack(image35({}))] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states null: ${imagePath} is not in the package`,
    ],
  ],
  [
    'a first installation of both, where nothing is there and nothing names an image',
    () => ({
      root: node([], {}),
      changes: [
        unpack({ ...runtime35(declares), files: { [program]: '#!/bin/sh\n' } }, null),
        unpack({ ...image35({}), files: { [imagePath]: guest('3.4.0') } }, null),
      ],
    }),
    [
      '+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below /usr',
      `+ ${imagePath} 3.4.0 read out of kata-containers-image 3.5.0-1`,
    ],
  ],
  [
    'a configuration that names no image is no such place',
    () => ({
      root: node([], { [usrConfig]: '[hypervisor.remote]\n' }),
      changes: [unpack({ ...image35({}), files: { [imagePath]: guest('3.4.0') } }, null)],
    }),
    [],
  ],

  // What is not at hand before the transaction.
  [
    'a runtime that is not at hand: by what the package manager tells',
    () => ({
      root: usual(),
      changes: [{ ...unfetched('kata-runtime'), declared: { agentRequires: '>=3.5.0', agentVersion: null } }],
    }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'by its version, where nothing is told',
    () => ({ root: usual(), changes: [unfetched('kata-runtime')] }),
    [`+ kata-runtime 3.5.0-1 needs ${since33}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'but the history is not its word where the one before had a word of its own',
    () => ({
      root: node([{ ...runtimePackage, fields: declares }, imagePackage], usrTree()),
      changes: [unfetched('kata-runtime')],
    }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0-0 <3.6.0-0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'an image that is not at hand: by what the package manager tells',
    () => ({
      root: usual(),
      changes: [{ ...unfetched('kata-containers-image'), declared: { agentRequires: null, agentVersion: '3.5.0' } }],
    }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'and not known where nothing is told',
    () => ({ root: usual(), changes: [unfetched('kata-containers-image')] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states null: the package is not at hand before it is installed`,
    ],
  ],
  [
    'a payload that breaks off behind what may be an image, in a package of no known name',
    () => {
      const files = {
        [imagePath]: Buffer.concat([guest('3.5.0'), Buffer.alloc(1 << 20)]),
        '/usr/share/z': 'z'.repeat(9999),
      };
      const change = unpack({ name: 'kata-acme', version: '3.5.0-1', files, compression: 'none' }, null);
      run('truncate', '-s', '-20000', change.archive ?? '');
      return { root: node([runtimePackage], usrTree()), changes: [change] };
    },
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-acme 3.5.0-1 states null: dpkg-deb failed`,
    ],
    [/^the payload of the incoming package cannot be read: /],
  ],
  ['something else that is not at hand is not asked after', () => ({ root: usual(), changes: [unfetched('vim')] }), []],
  [
    'a runtime without the field: the history',
    () => ({ root: usual(), changes: [unpack(runtime35())] }),
    [`+ kata-runtime 3.5.0-1 needs ${since33}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'one package that is both',
    () => {
      const both: Installed = { name: 'kata-containers', version: '3.4.0-1', owns: [program, usrConfig, imagePath] };
      const deb: Deb = { name: 'kata-containers', version: '3.5.0-1', fields: { 'Kata-Agent-Version': '3.5.0' } };
      return { root: node([both], usrTree()), changes: [unpack(deb)] };
    },
    [
      `+ kata-containers 3.5.0-1 needs ${since33}, below /usr, replaces 3.4.0-1`,
      `+ ${imagePath} 3.4.0 kata-containers 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'a downgrade is a change as any other',
    () => ({ root: usual(), changes: [unpack({ ...runtime35(), version: '3.3.0-1' })] }),
    ['+ kata-runtime 3.3.0-1 needs >=3.3.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'an epoch and a pre-release',
    () => ({ root: usual(), changes: [unpack({ ...runtime35(), version: '1:3.5.0~rc1-1' })] }),
    [`+ kata-runtime 1:3.5.0~rc1-1 needs ${since33}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'a version of no known form needs nothing that is known',
    () => ({ root: usual(), changes: [unpack({ ...runtime35(), version: '3.5.0.1-1' })] }),
    [
      '+ kata-runtime 3.5.0.1-1 needs its version is of no known form: 3.5.0.1-1, below /usr, replaces 3.4.0-1',
      `= ${imagePath} 3.4.0`,
    ],
  ],

  // What the package manager does not tell.
  [
    'neither version is told: the archive and the database say them',
    () => ({ root: usual(), changes: [unpack(runtime35(declares), null, null)] }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'the archive cannot be read: its name and version are known all the same',
    () => ({ root: usual(), changes: [unopened('kata-runtime', '3.4.0-1', '3.5.0-1')] }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0-0 <3.6.0-0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
    [/^the incoming package cannot be read: .*none\/kata-runtime\.deb/],
  ],
  [
    'a new image package that cannot be read is taken to bring the image where packages put theirs',
    () => ({
      root: node([], { [program]: '', [usrConfig]: naming(imagePath, '/srv/my.img') }),
      changes: [unopened('kata-containers-image', null, '3.5.0-1')],
    }),
    [
      '= /usr/bin/kata-runtime null needs its version is not known, below /usr',
      `+ ${imagePath} not-found kata-containers-image 3.5.0-1 states null: ${join(debs, 'none/kata-containers-image.deb')}: no such file or directory`,
      '= /srv/my.img not-found',
    ],
    [/^the incoming package cannot be read: /],
  ],
  [
    'but not where another package has its own',
    () => ({
      root: node([{ name: 'acme-image', version: '3.4.0-1', owns: [imagePath] }], usrTree()),
      changes: [unopened('kata-containers-image', null, '3.5.0-1')],
    }),
    [`= ${imagePath} 3.4.0`],
    [/^the incoming package cannot be read: /],
  ],

  // What changes nothing.
  [
    'configuring alone judges nothing',
    () => ({ root: usual(), changes: [configure(unopened('kata-runtime', '3.4.0-1', '3.5.0-1'))] }),
    [],
  ],
  [
    'a reinstallation judges nothing',
    () => ({ root: usual(), changes: [unopened('kata-runtime', '3.4.0-1', '3.4.0-1')] }),
    [],
  ],
  [
    'a reinstalled runtime stays, for an image that comes with it',
    () => ({ root: usual(), changes: [unopened('kata-runtime', '3.4.0-1', '3.4.0-1'), unpack(image35())] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'an upgrade of something else is not opened, and no image is read',
    () => ({ root: usual(), changes: [unopened('vim', '9.0', '9.1')] }),
    [],
  ],

  // Removals.
  [
    'the image goes: the runtime that stays is asked',
    () => ({ root: usual(), changes: [remove('kata-containers-image')] }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `- ${imagePath} 3.4.0 by kata-containers-image`],
  ],
  ['the runtime goes', () => ({ root: usual(), changes: [remove('kata-runtime')] }), [`= ${imagePath} 3.4.0`]],
  [
    'both go',
    () => ({ root: usual(), changes: [remove('kata-containers-image'), remove('kata-runtime')] }),
    [`- ${imagePath} 3.4.0 by kata-containers-image`],
  ],
  [
    'the image goes while the runtime is upgraded',
    () => ({ root: usual(), changes: [remove('kata-containers-image'), unpack(runtime35(declares))] }),
    [
      '+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below /usr, replaces 3.4.0-1',
      `- ${imagePath} 3.4.0 by kata-containers-image`,
    ],
  ],
  [
    'another package brings the image in its place',
    () => {
      const deb: Deb = { ...image35(), name: 'acme-guest', files: { [imagePath]: 'x' } };
      return { root: usual(), changes: [remove('kata-containers-image'), unpack(deb, null)] };
    },
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `+ ${imagePath} 3.4.0 acme-guest 3.5.0-1 states 3.5.0`],
  ],
  ['something else goes', () => ({ root: usual(), changes: [remove('vim', '9.0')] }), []],

  // Packages of other names.
  [
    'a package that owns the program is the runtime, whatever its name',
    () => {
      const acme: Installed = { name: 'acme-sandbox', version: '3.4.0-1', owns: [program, usrConfig] };
      return {
        root: node([acme, imagePackage], usrTree()),
        changes: [unpack({ ...runtime35(), name: 'acme-sandbox' })],
      };
    },
    [`+ acme-sandbox 3.5.0-1 needs ${since33}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'one that owns a configured image is the image',
    () => {
      const acme: Installed = { name: 'acme-guest', version: '3.4.0-1', owns: [imagePath] };
      return { root: node([runtimePackage, acme], usrTree()), changes: [unpack({ ...image35(), name: 'acme-guest' })] };
    },
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `+ ${imagePath} 3.4.0 acme-guest 3.5.0-1 states 3.5.0`],
  ],
  [
    'so is one that owns what a configured link leads to',
    () => {
      const target = '/usr/share/kata-containers/kata-containers-3.4.0.img';
      const acme: Installed = { name: 'acme-guest', version: '3.4.0-1', owns: [target] };
      const tree: Tree = { ...usrTree(), [imagePath]: { link: 'kata-containers-3.4.0.img' }, [target]: guest('3.4.0') };
      return { root: node([runtimePackage, acme], tree), changes: [unpack({ ...image35(), name: 'acme-guest' })] };
    },
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `+ ${imagePath} 3.4.0 acme-guest 3.5.0-1 states 3.5.0`],
  ],
  [
    'a new package that declares is the runtime',
    () => ({ root: usual(), changes: [unpack({ name: 'acme-sandbox', version: '9-1', fields: declares }, null)] }),
    ['+ acme-sandbox 9-1 needs >=3.5.0 <3.6.0, below null', `= ${imagePath} 3.4.0`],
  ],
  [
    'an upgrade of one that declares already',
    () => {
      const acme: Installed = {
        name: 'acme-sandbox',
        version: '8-1',
        owns: [],
        fields: { 'Kata-Agent-Requires': '>=3.4.0' },
      };
      return {
        root: node([acme, imagePackage], usrTree()),
        changes: [unpack({ name: 'acme-sandbox', version: '9-1', fields: declares }, '8-1')],
      };
    },
    ['+ acme-sandbox 9-1 needs >=3.5.0 <3.6.0, below null, replaces 8-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'a new package that declares nothing is none',
    () => ({ root: usual(), changes: [unpack({ name: 'acme-tools', version: '1' }, null)] }),
    [],
  ],
  [
    'a listed name is enough',
    () => ({
      root: usual(),
      changes: [unpack({ name: 'acme-sandbox', version: '3.5.0-1' }, null)],
      config: '[packages]\nruntime[] = acme-sandbox\n',
    }),
    [`+ acme-sandbox 3.5.0-1 needs ${since33}, below null`, `= ${imagePath} 3.4.0`],
  ],
  [
    'an image package counts only for the images that it owns or brings',
    () => {
      const tree = {
        ...usrTree(),
        [usrConfig]: naming(imagePath, '/srv/custom.img'),
        '/srv/custom.img': guest('1.0.0'),
      };
      return { root: node([runtimePackage, imagePackage], tree), changes: [unpack(image35())] };
    },
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
      '= /srv/custom.img 1.0.0',
    ],
  ],
  [
    'a new image package: its payload says which image it brings',
    () => {
      const tree = {
        ...usrTree(),
        [usrConfig]: naming(imagePath, '/srv/custom.img'),
        '/srv/custom.img': guest('1.0.0'),
      };
      const deb: Deb = { ...image35(), files: { '/srv/custom.img': 'x', '/usr/share/doc/x': '' } };
      return { root: node([runtimePackage], tree), changes: [unpack(deb, null)] };
    },
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `= ${imagePath} 3.4.0`,
      '+ /srv/custom.img 1.0.0 kata-containers-image 3.5.0-1 states 3.5.0',
    ],
  ],
  [
    'a new runtime package: its payload says where it belongs',
    () => ({
      root: node([imagePackage], { [usrConfig]: naming(imagePath), [imagePath]: guest('3.4.0') }),
      changes: [unpack({ ...runtime35(), files: { [optProgram]: 'x' } }, null)],
    }),
    [`+ kata-runtime 3.5.0-1 needs ${since33}, below /opt/kata`, `= ${imagePath} 3.4.0`],
  ],
  [
    'a removed package with its configuration left is not installed',
    () => ({
      root: node([{ ...runtimePackage, status: 'deinstall ok config-files' }, imagePackage], usrTree()),
      changes: [unpack(runtime35(declares), null)],
    }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below null', `= ${imagePath} 3.4.0`],
  ],

  // Two places.
  [
    'the other place has its own runtime: it stays, unless an image changes it is not asked',
    () => {
      const tree = { ...usrTree(), [optProgram]: '', [optConfig]: naming(optImage), [optImage]: guest('4.0.0') };
      return { root: node([runtimePackage, imagePackage], tree), changes: [unpack(runtime35(declares))] };
    },
    [
      '+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below /usr, replaces 3.4.0-1',
      `= ${imagePath} 3.4.0`,
      `= ${optImage} 4.0.0`,
    ],
  ],
  [
    'an image comes: every runtime that stays is there',
    () => {
      const tree = { ...usrTree(), [optProgram]: '', [optConfig]: naming(optImage), [optImage]: guest('4.0.0') };
      return { root: node([runtimePackage, imagePackage], tree), changes: [unpack(image35())] };
    },
    [
      `= kata-runtime 3.4.0-1 needs ${since33}, below /usr`,
      `= ${optProgram} null needs its version is not known, below /opt/kata`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
      `= ${optImage} 4.0.0`,
    ],
  ],

  // By hand.
  [
    'by hand: what is installed',
    () => ({ root: usual() }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: what the installed runtime declares',
    () => ({ root: node([{ ...runtimePackage, fields: declares }, imagePackage], usrTree()) }),
    ['= kata-runtime 3.4.0-1 needs >=3.5.0 <3.6.0, below /usr', `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: --to takes the place of all that is installed',
    () => ({ root: usual(), to: '4.0.0' }),
    ['+ kata-runtime 4.0.0 needs >=3.29.0, below null', `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: --requires wins',
    () => ({ root: node([{ ...runtimePackage, fields: declares }, imagePackage], usrTree()), requires: '>=1.0.0' }),
    ['= kata-runtime 3.4.0-1 needs >=1.0.0, below /usr', `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: images but no runtime is said, not passed over',
    () => ({ root: node([imagePackage], { [usrConfig]: naming(imagePath), [imagePath]: guest('3.4.0') }) }),
    ['= kata-runtime null needs its version is not known, below null', `= ${imagePath} 3.4.0`],
  ],
  ['by hand: nothing of Kata', () => ({ root: node([], { '/etc/hostname': 'x' }) }), []],
  [
    'by hand: a program and no image',
    () => ({ root: node([runtimePackage], { [program]: '' }) }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`],
  ],
  [
    'by hand: a node without a package database',
    () => ({ root: writeTree(temporaryFolder(), usrTree()) }),
    [`= ${program} null needs its version is not known, below /usr`, `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: --image instead of what the configuration names',
    () => ({
      root: node([runtimePackage], { ...usrTree(), '/srv/a.img': guest('1.0.0') }),
      images: ['/srv/a.img', '/srv/none.img'],
    }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, '= /srv/a.img 1.0.0', '= /srv/none.img not-found'],
  ],
  [
    "by hand: an image of kata-check's own configuration beside those of Kata's",
    () => ({
      root: node([runtimePackage], { ...usrTree(), '/srv/a.img': guest('1.0.0') }),
      config: '[images]\npath[] = /srv/a.img\n',
    }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `= ${imagePath} 3.4.0`, '= /srv/a.img 1.0.0'],
  ],

  // Images that are none.
  [
    'an image that is a link to itself is a problem of the image, not of the check',
    () => ({ root: node([runtimePackage], { ...usrTree(), [imagePath]: { link: 'kata-containers.img' } }) }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `= ${imagePath} limit-exceeded`],
  ],
  [
    'so is a name that no file can have',
    () => ({ root: node([runtimePackage], { ...usrTree(), [usrConfig]: naming(`/${'n'.repeat(5000)}`) }) }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `= /${'n'.repeat(5000)} limit-exceeded`],
  ],
  [
    'and one with a zero byte',
    () => ({ root: node([runtimePackage], { ...usrTree(), [usrConfig]: naming('/srv/a\u0000b') }) }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, '= /srv/a\u0000b io'],
  ],
  [
    'a file that is no image',
    () => ({ root: node([runtimePackage], { ...usrTree(), [imagePath]: 'text' }) }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`, `= ${imagePath} unsupported`],
  ],
  [
    'a broken configuration of Kata is told with its place',
    () => ({ root: node([runtimePackage], { [program]: '', [usrConfig]: '[hypervisor.qemu]\nimage = "/x\n' }) }),
    [`= kata-runtime 3.4.0-1 needs ${since33}, below /usr`],
    [/configuration\.toml, line 2, column \d+: /],
  ],
];

for (const [rule, make, expected, warnings = []] of rows) {
  test(
    rule,
    async () => {
      const { root, ...parts } = make();
      const { state, warnings: more } = await after(root, parts);
      const said = [...more, ...state.unread.map(({ message }) => message)];
      assert.equal(told(state), expected);
      assert.is(said.length, warnings.length, said.join('\n'));
      for (const [index, pattern] of warnings.entries()) assert.match(said[index] ?? '', pattern);
      assert.is(state.onlyChanges, parts.changes !== undefined);
      if (parts.changes !== undefined && state.runtimes.length > 0) assert.is(state.manager, 'apt');
    },
    { needs },
  );
}

/** Says what was asked of it, and answers nothing but `status`. */
function closed(asked: string[]): Host {
  const refuse = (what: string) => (): never => {
    throw new Error(`${what} was asked for`);
  };
  return {
    ...rootedHost(host, ''),
    status: (path) => {
      asked.push(path);
      return host.status(path);
    },
    open: refuse('open'),
    readText: refuse('readText'),
    readDirectory: refuse('readDirectory'),
    readLink: refuse('readLink'),
    run: refuse('run'),
    stream: refuse('stream'),
    input: refuse('input'),
    replaceFile: refuse('replaceFile'),
    removeFile: refuse('removeFile'),
  };
}

const indifferent: readonly [rule: string, changes: readonly PackageChange[], isLookedAt: boolean][] = [
  [
    'an upgrade, an installation and a removal',
    [unopened('vim', '9.0', '9.1'), unopened('emacs', null, '29'), remove('nano')],
    true,
  ],
  ['a thousand packages', Array.from({ length: 1000 }, (_, index) => unopened(`lib${index}`, '1', '2')), true],
  ['an installation of which the versions are not told', [{ ...unopened('vim', null, '9.1'), newVersion: null }], true],
  ['configuring alone', [configure(unopened('vim', '9.0', '9.1'))], false],
  ['configuring alone, even of Kata', [configure(unopened('kata-runtime', '3.4.0-1', '3.5.0-1'))], false],
  ['a reinstallation, even of Kata', [unopened('kata-runtime', '3.4.0-1', '3.4.0-1')], false],
  ['nothing', [], false],
];

for (const [rule, changes, isLookedAt] of indifferent) {
  test(`a node that has nothing of Kata opens nothing and runs nothing: ${rule}`, async () => {
    const root = writeTree(temporaryFolder(), { '/etc/hostname': 'x' });
    const asked: string[] = [];
    const real = closed(asked);
    const config = configOf('');
    const rooted = {
      ...rootedHost(host, root),
      ...closed(asked),
      status: (path: string) => closed(asked).status(root + path),
    };
    const request: Request = {
      root,
      transaction: { manager: 'apt', root, changes, mode: null, allow: [] },
      to: null,
      requires: undefined,
      images: [],
      config,
      deadline: host.now() + 60_000,
    };
    const { state, warnings } = await stateAfter(real, rooted, request);
    assert.equal([state.runtimes, state.images, warnings], [[], [], []]);
    assert.is(asked.length > 0, isLookedAt);
    assert.ok(asked.length < 20, `${asked.length} paths were looked at`);
  });
}

test(
  'of a large upgrade only the packages of Kata are opened',
  async () => {
    const programs: string[] = [];
    const recorder: Host = {
      ...rootedHost(host, ''),
      run: (argv, options) => {
        programs.push(argv[0] === 'dpkg-deb' ? argv.join(' ') : (argv[0] ?? ''));
        return host.run(argv, options);
      },
      stream: (argv, options) => {
        programs.push(argv.join(' '));
        return host.stream(argv, options);
      },
    };
    const runtime = unpack(runtime35(declares));
    const changes = [unopened('vim', '9.0', '9.1'), runtime, unopened('libc6', '2.36', '2.37')];
    const { state } = await after(usual(), { changes, host: recorder });
    assert.is(state.runtimes.length, 1);
    assert.equal(programs, ['dpkg-query', 'dpkg-query', `dpkg-deb -f ${runtime.archive}`]);
  },
  { needs },
);

test(
  'nothing below another root is ever run, though no package owns it',
  async () => {
    const mark = join(folder, 'was-run');
    const root = writeTree(temporaryFolder(), {
      ...usrTree(),
      [program]: `#!/bin/sh\ntouch ${mark}\necho kata-runtime : 3.4.0\n`,
    });
    chmodSync(join(root, program), 0o755);
    const { state } = await after(root);
    assert.is(state.runtimes[0]?.versionText, null);
    assert.is(host.status(mark), undefined);
  },
  { needs },
);

test(
  'the name that a package gives itself counts more than that of its file',
  async () => {
    const path = join(debs, 'download.deb');
    writeFileSync(path, readFileSync(makeDeb(debs, runtime35(declares))));
    const change: PackageChange = {
      name: 'download',
      oldVersion: null,
      newVersion: null,
      action: 'unpack',
      archive: path,
    };
    const { state } = await after(usual(), { changes: [change] });
    assert.equal(
      state.runtimes.map(({ name, versionText, source }) => [name, versionText, source]),
      [['kata-runtime', '3.5.0-1', path]],
    );
  },
  { needs },
);

const rustProgram = '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2';
const optShim = '/opt/kata/bin/containerd-shim-kata-v2';
const rustConfig = '/opt/kata/share/defaults/kata-containers/runtime-rs/configuration.toml';

/** As if the tree were the real root: its programs answer as told here, and no package database is there. */
async function onRealRoot(tree: Tree, answers: Readonly<Record<string, string>>, environment = ''): Promise<State> {
  const root = writeTree(temporaryFolder(), tree);
  for (const path of Object.keys(tree)) if (path.includes('/bin/')) chmodSync(join(root, path), 0o755);
  const real: Host = {
    ...rootedHost(host, root),
    userId: 1000,
    environment: (name) => (name === 'KATA_CONF_FILE' ? environment : undefined),
    run: async ([path = '']) => ({
      status: 0,
      stdout: new TextEncoder().encode(answers[path] === undefined ? '' : `kata-runtime  : ${answers[path]}\n`),
      stderr: '',
    }),
  };
  const request: Request = {
    root: '',
    transaction: null,
    to: null,
    requires: undefined,
    images: [],
    config: configOf(''),
    deadline: host.now() + 60_000,
  };
  return (await stateAfter(real, real, request)).state;
}

const who = ({ runtimes }: State): string[] =>
  runtimes.map(
    ({ name, versionText, versionSource, language }) => `${name} ${versionText} ${language} < ${versionSource}`,
  );

const programs: Tree = { [optProgram]: 'x', [optShim]: 'x', [rustProgram]: 'x', '/opt/kata/VERSION': '3.7.0\n' };

const asked: readonly [
  rule: string,
  tree: Tree,
  answers: Readonly<Record<string, string>>,
  expected: readonly string[],
][] = [
  [
    'each language for itself; a program of the same version is no further runtime',
    programs,
    { [optProgram]: '3.6.0', [optShim]: '3.6.0', [rustProgram]: '3.6.0' },
    [`${optProgram} 3.6.0 go < ${optProgram} --version`, `${rustProgram} 3.6.0 rust < ${rustProgram} --version`],
  ],
  [
    'a program of another version below the same prefix is one more',
    programs,
    { [optProgram]: '3.6.0', [optShim]: '3.7.0', [rustProgram]: '3.7.0' },
    [
      `${optProgram} 3.6.0 go < ${optProgram} --version`,
      `${optShim} 3.7.0 go < ${optShim} --version`,
      `${rustProgram} 3.7.0 rust < ${rustProgram} --version`,
    ],
  ],
  [
    'the file VERSION is not believed, though the program says nothing',
    { [optProgram]: 'x', '/opt/kata/VERSION': '3.7.0\n' },
    {},
    [`${optProgram} null go < null`],
  ],
];

for (const [rule, tree, answers, expected] of asked) {
  test(`installed runtimes: ${rule}`, async () => {
    assert.equal(who(await onRealRoot(tree, answers)), expected);
  });
}

test(
  'below another root the file VERSION speaks for the programs beside it, and is named',
  async () => {
    const { state } = await after(node([], programs));
    assert.equal(who(state), [
      `${optProgram} 3.7.0 go < /opt/kata/VERSION`,
      `${rustProgram} 3.7.0 rust < /opt/kata/VERSION`,
    ]);
  },
  { needs },
);

test(
  '$KATA_CONF_FILE counts on the real root alone',
  async () => {
    const tree = { ...programs, '/k.toml': naming('/k.img'), [optConfig]: naming('/o.img') };
    const paths = ({ images }: State): string[] => images.map(({ facts }) => facts.path);
    assert.equal(paths(await onRealRoot(tree, {}, '/k.toml')), ['/k.img']);
    const environment = (name: string): string | undefined => (name === 'KATA_CONF_FILE' ? '/k.toml' : undefined);
    const { state } = await after(node([], tree), { host: { ...rootedHost(host, ''), environment } });
    assert.equal(paths(state), ['/o.img']);
  },
  { needs },
);

test(
  'a package with one of the two runtimes does not replace the other, and is judged with its own images',
  async () => {
    const installed: Installed = { name: 'kata-go', version: '3.4.0-1', owns: [optShim] };
    const tree: Tree = {
      [optShim]: '',
      [rustProgram]: '',
      [optConfig]: naming('/go.img'),
      [rustConfig]: naming('/rust.img'),
      '/go.img': guest('3.4.0'),
      '/rust.img': guest('3.4.0'),
    };
    const root = node([installed, { name: 'kata-rs', version: '3.4.0-1', owns: [rustProgram, '/rust.img'] }], tree);
    const changes = [unpack({ name: 'kata-rs', version: '3.5.0-1', fields: { 'Kata-Agent-Version': '3.5.0' } })];
    const { state } = await after(root, { changes });
    assert.equal(who(state), ['kata-rs 3.5.0-1 rust < package kata-rs', 'kata-go 3.4.0-1 go < package kata-go']);
    assert.equal(
      state.images.map(({ usedBy }) => usedBy.map(({ language }) => language)),
      [['go'], ['rust']],
    );
  },
  { needs },
);

test(
  'extension images are what the configuration says, whatever they look like',
  async () => {
    const extended = `${naming(imagePath)}[[hypervisor.h0.guest_extension_images]]\npath = "/gpu.img"\n`;
    const tree = { ...usrTree(), [usrConfig]: extended, '/gpu.img': guest('3.4.0') };
    const { state } = await after(node([runtimePackage], tree));
    assert.equal(
      state.images.map(({ facts }) => `${facts.path} ${facts.kind} ${facts.unknown}`),
      [`${imagePath} guest null`, '/gpu.img extension null'],
    );
  },
  { needs },
);
