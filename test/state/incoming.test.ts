import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { PackageChange } from '../../src/state/transaction.ts';
import { type Deb, makeDeb } from '../debs.ts';
import { run, type Tree } from '../images.ts';
import { suite } from '../suite.ts';
import {
  after,
  debs,
  declares,
  guest,
  type Installed,
  image35,
  imagePackage,
  imagePath,
  judgeRows,
  naming,
  needs,
  node,
  optProgram,
  program,
  type Row,
  runtime35,
  runtimePackage,
  since32,
  unfetched,
  unopened,
  unpack,
  usrConfig,
  usrTree,
  usual,
} from './roots.ts';

const test = suite('what one package brings');

const rows: readonly Row[] = [
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
    [`+ kata-runtime 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'but the history is not its word where the one before had a word of its own',
    () => ({
      root: node([{ ...runtimePackage, fields: declares }, imagePackage], usrTree()),
      changes: [unfetched('kata-runtime')],
    }),
    ['+ kata-runtime 3.5.0-1 needs >=3.2.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'an image that is not at hand: by what the package manager tells',
    () => ({
      root: usual(),
      changes: [{ ...unfetched('kata-containers-image'), declared: { agentRequires: null, agentVersion: '3.5.0' } }],
    }),
    [
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'and not known where nothing is told',
    () => ({ root: usual(), changes: [unfetched('kata-containers-image')] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-acme 3.5.0-1 states null: dpkg-deb failed`,
    ],
    [/^the payload of the incoming package cannot be read: /],
  ],
  ['something else that is not at hand is not asked after', () => ({ root: usual(), changes: [unfetched('vim')] }), []],
  [
    'a runtime without the field: the history',
    () => ({ root: usual(), changes: [unpack(runtime35())] }),
    [`+ kata-runtime 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'one package that is both',
    () => {
      const both: Installed = { name: 'kata-containers', version: '3.4.0-1', owns: [program, usrConfig, imagePath] };
      const deb: Deb = { name: 'kata-containers', version: '3.5.0-1', fields: { 'Kata-Agent-Version': '3.5.0' } };
      return { root: node([both], usrTree()), changes: [unpack(deb)] };
    },
    [
      `+ kata-containers 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`,
      `+ ${imagePath} 3.4.0 kata-containers 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'a downgrade is a change as any other',
    () => ({ root: usual(), changes: [unpack({ ...runtime35(), version: '3.3.0-1' })] }),
    ['+ kata-runtime 3.3.0-1 needs >=3.2.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
  ],
  [
    'an epoch and a pre-release',
    () => ({ root: usual(), changes: [unpack({ ...runtime35(), version: '1:3.5.0~rc1-1' })] }),
    [`+ kata-runtime 1:3.5.0~rc1-1 needs ${since32}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'a version of no known form needs nothing that is known',
    () => ({ root: usual(), changes: [unpack({ ...runtime35(), version: '3.5.0really3.4.0-1' })] }),
    [
      '+ kata-runtime 3.5.0really3.4.0-1 needs its version cannot be read: 3.5.0really3.4.0-1, below /usr, replaces 3.4.0-1',
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
    ['+ kata-runtime 3.5.0-1 needs >=3.2.0, below /usr, replaces 3.4.0-1', `= ${imagePath} 3.4.0`],
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
    [`+ acme-sandbox 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`, `= ${imagePath} 3.4.0`],
  ],
  [
    'one that owns a configured image is the image',
    () => {
      const acme: Installed = { name: 'acme-guest', version: '3.4.0-1', owns: [imagePath] };
      return { root: node([runtimePackage, acme], usrTree()), changes: [unpack({ ...image35(), name: 'acme-guest' })] };
    },
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `+ ${imagePath} 3.4.0 acme-guest 3.5.0-1 states 3.5.0`],
  ],
  [
    'so is one that owns what a configured link leads to',
    () => {
      const target = '/usr/share/kata-containers/kata-containers-3.4.0.img';
      const acme: Installed = { name: 'acme-guest', version: '3.4.0-1', owns: [target] };
      const tree: Tree = { ...usrTree(), [imagePath]: { link: 'kata-containers-3.4.0.img' }, [target]: guest('3.4.0') };
      return { root: node([runtimePackage, acme], tree), changes: [unpack({ ...image35(), name: 'acme-guest' })] };
    },
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `+ ${imagePath} 3.4.0 acme-guest 3.5.0-1 states 3.5.0`],
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
    [`+ acme-sandbox 3.5.0-1 needs ${since32}, below null`, `= ${imagePath} 3.4.0`],
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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
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
    [`+ kata-runtime 3.5.0-1 needs >=2.0.0, below /opt/kata`, `= ${imagePath} 3.4.0`],
  ],
  [
    'a removed package with its configuration left is not installed',
    () => ({
      root: node([{ ...runtimePackage, status: 'deinstall ok config-files' }, imagePackage], usrTree()),
      changes: [unpack(runtime35(declares), null)],
    }),
    ['+ kata-runtime 3.5.0-1 needs >=3.5.0 <3.6.0, below null', `= ${imagePath} 3.4.0`],
  ],
];

judgeRows(test, rows);

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
