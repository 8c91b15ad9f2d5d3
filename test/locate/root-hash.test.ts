import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { rootHashBeside } from '../../src/locate/root-hash.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('root_hash_*.txt beside an image');

const folder = '/opt/kata/share/kata-containers';
const plain = `${folder}/kata-containers.img`;
const confidential = `${folder}/kata-containers-confidential.img`;
const file = (variant: string): string => `${folder}/root_hash_${variant}.txt`;

const rows: readonly [rule: string, tree: Tree, image: string, expected: string | undefined][] = [
  ['none', { [plain]: 'x' }, plain, undefined],
  ['its variant', { [confidential]: 'x', [file('confidential')]: 'h' }, confidential, file('confidential')],
  ['another variant', { [confidential]: 'x', [file('nvidia-gpu')]: 'h' }, confidential, undefined],
  ['a variant whose name begins as its own', { [confidential]: 'x', [file('conf')]: 'h' }, confidential, undefined],
  ['the default image, since 4.0', { [plain]: 'x', [file('base')]: 'h' }, plain, file('base')],
  ['the default image, in the first releases', { [plain]: 'x', [file('vanilla')]: 'h' }, plain, file('vanilla')],
  ['no variant at all', { [plain]: 'x', [file('')]: 'h' }, plain, file('')],
  ['two that could be meant', { [plain]: 'x', [file('base')]: 'h', [file('vanilla')]: 'h' }, plain, undefined],
  [
    'a link to a name beside it',
    { [plain]: { link: 'kata-ubuntu-noble.image' }, [`${folder}/kata-ubuntu-noble.image`]: 'x', [file('base')]: 'h' },
    plain,
    file('base'),
  ],
  [
    'a link to somewhere else: the file may be of the image that was here',
    { [plain]: { link: '/srv/custom.img' }, '/srv/custom.img': 'x', [file('base')]: 'h' },
    plain,
    undefined,
  ],
  ['a name of its own', { [`${folder}/mine.img`]: 'x', [file('mine')]: 'h' }, `${folder}/mine.img`, undefined],
  ['an initrd', { [file('base')]: 'h' }, `${folder}/kata-containers-initrd.img`, undefined],
  ['a folder in its place', { [plain]: 'x', [`${file('base')}/x`]: 'h' }, plain, undefined],
  ['a file that dangles', { [plain]: 'x', [file('base')]: { link: 'none' } }, plain, undefined],
  ['one of a megabyte', { [plain]: 'x', [file('base')]: 'h'.repeat(1 << 20) }, plain, undefined],
];

for (const [rule, tree, image, expected] of rows) {
  test(rule, () => {
    const host = rootedHost(createNodeHost(), writeTree(temporaryFolder(), { '/etc/hostname': 'x', ...tree }));
    assert.equal(rootHashBeside(host, image), expected === undefined ? undefined : { path: expected, text: 'h' });
  });
}
