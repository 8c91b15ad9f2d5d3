import * as assert from 'uvu/assert';
import type { Host } from '../../src/host/host.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { stateAfter } from '../../src/state/after.ts';
import type { Request } from '../../src/state/request.ts';
import type { PackageChange } from '../../src/state/transaction.ts';
import type { Deb } from '../debs.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import {
  after,
  configOf,
  configure,
  declares,
  guest,
  host,
  image35,
  imagePath,
  judgeRows,
  needs,
  node,
  program,
  type Row,
  remove,
  runtime35,
  since32,
  unopened,
  unpack,
  usrConfig,
  usual,
} from './roots.ts';

const test = suite('the state after a transaction');

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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
      `+ ${imagePath} 3.5.0 read out of kata-containers-image 3.5.0-1`,
    ],
  ],
  [
    'a stated version wins over what is in the package',
    () => ({ root: usual(), changes: [unpack({ ...image35(), files: { [imagePath]: guest('9.9.9') } })] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
    ],
  ],
  [
    'a package that brings the image no more',
    () => ({ root: usual(), changes: [unpack(image35({}))] }),
    [
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
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
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `- ${imagePath} 3.4.0 by kata-containers-image`],
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
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `+ ${imagePath} 3.4.0 acme-guest 3.5.0-1 states 3.5.0`],
  ],
  ['something else goes', () => ({ root: usual(), changes: [remove('vim', '9.0')] }), []],
];

judgeRows(test, rows);

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
    const settings = configOf('');
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
      settings,
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
        programs.push(`${argv[0]} of ${options.input?.file.path}`);
        return host.stream(argv, options);
      },
    };
    const runtime = unpack(runtime35(declares));
    const changes = [unopened('vim', '9.0', '9.1'), runtime, unopened('libc6', '2.36', '2.37')];
    const { state } = await after(usual(), { changes, host: recorder });
    assert.is(state.runtimes.length, 1);
    const control = `gzip of ${runtime.archive}`;
    // Its control archive for the fields and for what it lists, and all of it, as it lists nothing.
    assert.equal(programs, ['dpkg-query', control, control, 'dpkg-deb of undefined']);
  },
  { needs },
);
