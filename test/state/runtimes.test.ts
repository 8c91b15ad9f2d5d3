import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { State } from '../../src/state/node.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import {
  after,
  declares,
  folder,
  guest,
  host,
  type Installed,
  image35,
  imagePackage,
  imagePath,
  judgeRows,
  naming,
  needs,
  node,
  onRealRoot,
  optConfig,
  optImage,
  optProgram,
  optShim,
  program,
  programs,
  type Row,
  runtime35,
  runtimePackage,
  rustConfig,
  rustProgram,
  since32,
  unpack,
  usrTree,
} from './roots.ts';

const test = suite('the runtimes after a transaction');

const rows: readonly Row[] = [
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
      `= kata-runtime 3.4.0-1 needs ${since32}, below /usr`,
      `= ${optProgram} null needs its version is not known, below /opt/kata`,
      `+ ${imagePath} 3.4.0 kata-containers-image 3.5.0-1 states 3.5.0`,
      `= ${optImage} 4.0.0`,
    ],
  ],
];

judgeRows(test, rows);

const who = ({ runtimes }: State): string[] =>
  runtimes.map(
    ({ name, versionText, versionSource, language }) => `${name} ${versionText} ${language} < ${versionSource}`,
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
