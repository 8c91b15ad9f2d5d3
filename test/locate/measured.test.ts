import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { locateInstallation } from '../../src/locate/installation.ts';
import { measuredImages } from '../../src/locate/measured.ts';
import { guestTree, makeDisk, makeExt, makeVerity, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('measured images of a node');
const host = createNodeHost();
const folder = temporaryFolder();

const image = '/opt/kata/share/kata-containers/kata-containers.img';
const local = '/etc/kata-containers/configuration.toml';
const packaged = '/opt/kata/share/defaults/kata-containers/configuration.toml';
const beside = '/opt/kata/share/kata-containers/root_hash_base.txt';

let made: { readonly measured: Buffer; readonly plain: Buffer; readonly parameters: string; readonly hash: string };

function guest(): typeof made {
  if (made !== undefined) return made;
  const filesystem = makeExt(join(folder, 'ext4'), writeTree(join(folder, 'tree'), guestTree('4.1.0')), '16M');
  const { hashes, parameters } = makeVerity(filesystem, '--no-superblock');
  made = {
    measured: readFileSync(makeDisk(join(folder, 'measured'), filesystem, { second: hashes })),
    plain: readFileSync(makeDisk(join(folder, 'plain'), filesystem)),
    parameters,
    hash: /^root_hash=([0-9a-f]+)/.exec(parameters)?.[1] ?? '',
  };
  return made;
}

/** With the image's own salt: there is no superblock that could tell it. */
const other = (): string => guest().parameters.replace(/^root_hash=[0-9a-f]+/, `root_hash=${'0'.repeat(64)}`);

const asking = (parameters: string): string =>
  `[hypervisor.qemu]\nimage = "${image}"\nkernel_verity_params = "${parameters}"\n`;
const plainly = `[hypervisor.qemu]\nimage = "${image}"\n`;

const rows: readonly [rule: string, tree: () => Tree, expected: () => readonly string[]][] = [
  [
    'the hash that a configuration asks for is the one of the image',
    () => ({ [image]: guest().measured, [local]: asking(guest().parameters) }),
    () => [`${local} asks ${guest().hash}, has ${guest().hash}`],
  ],
  [
    'it asks for another one',
    () => ({ [image]: guest().measured, [local]: asking(other()) }),
    () => [`${local} asks ${'0'.repeat(64)}, has ${guest().hash}`],
  ],
  [
    'the image is not measured',
    () => ({ [image]: guest().plain, [local]: asking(other()) }),
    () => [`${local} asks ${'0'.repeat(64)}, has null`],
  ],
  [
    'what it asks for cannot be read',
    () => ({ [image]: guest().measured, [local]: asking('root_hash=xyz') }),
    () => [`${local} asks null, has null`],
  ],
  ['the image is missing', () => ({ [local]: asking(other()) }), () => []],
  [
    'a masked configuration asks for nothing',
    () => ({
      '/opt/kata/bin/kata-runtime': '',
      [image]: guest().measured,
      [local]: asking(guest().parameters),
      [packaged]: asking(other()),
    }),
    () => [`${local} asks ${guest().hash}, has ${guest().hash}`],
  ],
  [
    'the file beside it, where no configuration asks',
    () => ({ [image]: guest().measured, [local]: plainly, [beside]: other() }),
    () => [`${beside} knows ${'0'.repeat(64)}, has ${guest().hash}`],
  ],
  [
    'a configuration counts more than the file',
    () => ({ [image]: guest().measured, [local]: asking(guest().parameters), [beside]: other() }),
    () => [`${local} asks ${guest().hash}, has ${guest().hash}`],
  ],
  [
    'the file is of no matter to an image that is not measured',
    () => ({ [image]: guest().plain, [local]: plainly, [beside]: other() }),
    () => [],
  ],
  ['a folder in the place of the image', () => ({ [`${image}/x`]: '', [local]: asking(other()) }), () => []],
];

for (const [rule, tree, expected] of rows) {
  test(
    rule,
    () => {
      const rooted = rootedHost(host, writeTree(temporaryFolder(), tree()));
      const found = measuredImages(rooted, locateInstallation(rooted), host.now() + 20_000);
      assert.equal(
        found.map((one) => `${one.source} ${one.isConfigured ? 'asks' : 'knows'} ${one.expected}, has ${one.actual}`),
        expected(),
      );
      for (const one of found) assert.equal([one.image, one.problem], [image, null]);
    },
    { needs: ['mkfs.ext4', 'veritysetup'] },
  );
}
