import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import {
  after,
  guest,
  imagePath,
  judgeRows,
  naming,
  needs,
  node,
  program,
  type Row,
  runtimePackage,
  since32,
  usrConfig,
  usrTree,
} from './roots.ts';

const test = suite('the guest images after a transaction');

const rows: readonly Row[] = [
  [
    'an image that is a link to itself is a problem of the image, not of the check',
    () => ({ root: node([runtimePackage], { ...usrTree(), [imagePath]: { link: 'kata-containers.img' } }) }),
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `= ${imagePath} limit-exceeded`],
  ],
  [
    'so is a name that no file can have',
    () => ({ root: node([runtimePackage], { ...usrTree(), [usrConfig]: naming(`/${'n'.repeat(5000)}`) }) }),
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `= /${'n'.repeat(5000)} limit-exceeded`],
  ],
  [
    'and one with a zero byte',
    () => ({ root: node([runtimePackage], { ...usrTree(), [usrConfig]: naming('/srv/a\u0000b') }) }),
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, '= /srv/a\u0000b not-found'],
  ],
  [
    'a file that is no image',
    () => ({ root: node([runtimePackage], { ...usrTree(), [imagePath]: 'text' }) }),
    [`= kata-runtime 3.4.0-1 needs ${since32}, below /usr`, `= ${imagePath} unsupported`],
  ],
  [
    'a broken configuration of Kata is told with its place',
    () => ({ root: node([runtimePackage], { [program]: '', [usrConfig]: '[hypervisor.qemu]\nimage = "/x\n' }) }),
    ['= kata-runtime 3.4.0-1 needs >=2.0.0, below /usr'],
    [/configuration\.toml, line 2, column \d+: /],
  ],
];

judgeRows(test, rows);

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
