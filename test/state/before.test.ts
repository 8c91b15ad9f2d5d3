import * as assert from 'uvu/assert';
import { rootedHost } from '../../src/host/rooted.ts';
import type { State } from '../../src/state/node.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import {
  after,
  declares,
  guest,
  host,
  imagePackage,
  imagePath,
  judgeRows,
  naming,
  needs,
  node,
  onRealRoot,
  optConfig,
  program,
  programs,
  type Row,
  runtimePackage,
  since32,
  usrConfig,
  usrTree,
  usual,
} from './roots.ts';

const test = suite('the node before a transaction');

const rows: readonly Row[] = [
  [
    'by hand: what is installed',
    () => ({ root: usual() }),
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: what the installed runtime declares',
    () => ({ root: node([{ ...runtimePackage, fields: declares }, imagePackage], usrTree()) }),
    ['= kata-runtime 3.4.0-1 needs >=3.5.0 <3.6.0, below /usr', `= ${imagePath} 3.4.0`],
  ],
  [
    'by hand: --to takes the place of all that is installed',
    () => ({ root: usual(), to: '4.0.0' }),
    ['+ kata-runtime 4.0.0 needs >=3.2.0, below null', `= ${imagePath} 3.4.0`],
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
    ['= kata-runtime 3.4.0-1 needs >=2.0.0, below /usr'],
    [/^\/usr\/bin\/kata-runtime: no configuration was found that this runtime reads$/],
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
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, '= /srv/a.img 1.0.0', '= /srv/none.img not-found'],
  ],
  [
    "by hand: an image of kata-check's own configuration beside those of Kata's",
    () => ({
      root: node([runtimePackage], { ...usrTree(), '/srv/a.img': guest('1.0.0') }),
      config: '[images]\npath[] = /srv/a.img\n',
    }),
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `= ${imagePath} 3.4.0`, '= /srv/a.img 1.0.0'],
  ],
];

judgeRows(test, rows);

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
