import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { readMeasurement } from '../../src/read/measurement.ts';
import { parseVerityParameters, type VerityParameters } from '../../src/read/verity.ts';
import { guestTree, makeDisk, makeExt, makeVerity, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the root hash of an image');
const host = createNodeHost();
const folder = temporaryFolder();

test(
  'it is that of the hash partition; without one there is none, and what cannot be read is no hash, with the reason',
  () => {
    const filesystem = makeExt(join(folder, 'x.ext4'), writeTree(join(folder, 'x'), guestTree('3.31.0')), '4M');
    const { parameters, hashes } = makeVerity(filesystem);
    const parsed = parseVerityParameters(parameters) as VerityParameters;
    const measured = makeDisk(join(folder, 'measured.img'), filesystem, { dax: true, second: hashes });
    const plain = makeDisk(join(folder, 'plain.img'), filesystem, { dax: true });
    const read = (path: string) => readMeasurement(host, path, parsed, { deadline: host.now() + 10_000 });
    assert.equal(read(measured), { rootHash: parsed.rootHash, problem: null });
    assert.equal(read(plain), { rootHash: null, problem: null });
    for (const path of [join(folder, 'none.img'), folder]) {
      const { rootHash, problem } = read(path);
      assert.is(rootHash, null);
      assert.match(problem ?? '', path);
    }
  },
  { needs: ['mkfs.ext4', 'veritysetup'] },
);
