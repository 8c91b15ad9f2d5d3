import { copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { readLayout } from '../../src/read/disk.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { parseVerityParameters, readRootHash, type VerityParameters } from '../../src/read/verity.ts';
import { guestTree, makeDisk, makeExt, run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('verity');
const host = createNodeHost();
const folder = temporaryFolder();
const needs = ['veritysetup', 'mkfs.ext4'];
const salt = 'aa00bb11cc22dd33ee44ff5566778899';

function rootHashOf(image: string, parameters: VerityParameters) {
  const source = new Source(host.open(image), new Budget(host, host.now() + 10_000));
  const found = readRootHash(source, readLayout(source), parameters);
  return { found, spent: source.budget.spent };
}

/** A measured image as image_builder.sh makes it, and the parameters that veritysetup prints for it. */
function measured(name: string, size: string, dax: boolean, ...options: string[]): { image: string; text: string } {
  const filesystem = makeExt(join(folder, `${name}.ext4`), writeTree(join(folder, name), guestTree('3.31.0')), size);
  const hashes = join(folder, `${name}.hash`);
  writeFileSync(hashes, '');
  const printed = run('veritysetup', 'format', `--salt=${salt}`, ...options, filesystem, hashes);
  const value = (label: string): string => new RegExp(`^${label}:\\s+(\\S+)`, 'm').exec(printed)?.[1] ?? '';
  const text = `root_hash=${value('Root hash')},salt=${value('Salt')},data_blocks=${value('Data blocks')},data_block_size=${value('Data block size')},hash_block_size=${value('Hash block size')}`;
  return { image: makeDisk(join(folder, `${name}.img`), filesystem, { dax, second: readFileSync(hashes) }), text };
}

const forms: readonly [rule: string, size: string, dax: boolean, options: readonly string[], hasSuperblock: boolean][] =
  [
    ['with a superblock, as until 3.26', '64M', true, [], true],
    ['without one, as since 3.27', '64M', true, ['--no-superblock'], false],
    ['without the DAX header', '64M', false, ['--no-superblock'], false],
    ['a tree of one level', '256K', false, ['--no-superblock'], false],
    ['hash blocks of 1 KiB', '16M', false, ['--hash-block-size=1024'], true],
    ['hash blocks of 1 KiB without a superblock', '16M', false, ['--hash-block-size=1024', '--no-superblock'], false],
  ];

for (const [index, [rule, size, dax, options, hasSuperblock]] of forms.entries()) {
  test(
    `${rule}: the root hash is what veritysetup says, one changed bit gives another, and only the top block is read`,
    () => {
      const { image, text } = measured(`form-${index}`, size, dax, ...options);
      const parameters = parseVerityParameters(text);
      assert.ok(parameters, text);
      const { found, spent } = rootHashOf(image, parameters);
      assert.equal(found, { rootHash: parameters.rootHash, hasSuperblock });
      assert.ok(spent < 16384, `${spent} bytes read`);

      const changed = join(folder, 'changed.img');
      copyFileSync(image, changed);
      const source = new Source(host.open(image), new Budget(host, host.now() + 10_000));
      const second = readLayout(source).partitions[1];
      assert.ok(second);
      const at = second.offset + (hasSuperblock ? parameters.hashBlockSize : 0) + 5;
      const descriptor = openSync(changed, 'r+');
      writeSync(descriptor, Uint8Array.of((readFileSync(image)[at] ?? 0) ^ 1), 0, 1, at);
      assert.is.not(rootHashOf(changed, parameters).found?.rootHash, parameters.rootHash);
    },
    { needs },
  );
}

test('an image of one partition has no root hash', () => {
  const image = join(
    import.meta.dirname,
    '../fixtures/founding-case/node/usr/share/kata-containers/kata-containers.img',
  );
  const parameters = parseVerityParameters(`root_hash=${'0'.repeat(64)},salt=`);
  assert.ok(parameters);
  assert.is(rootHashOf(image, parameters).found, undefined);
});

const texts: readonly [rule: string, text: string, isGood: boolean][] = [
  [
    'as in the configuration',
    `root_hash=${'a'.repeat(64)},salt=00ff,data_blocks=1,data_block_size=4096,hash_block_size=4096`,
    true,
  ],
  ['as in root_hash.txt, with its line end', `root_hash=${'A'.repeat(64)},salt=00ff\n`, true],
  [
    'as veritysetup prints it, which root_hash.txt was until 3.26',
    `VERITY header information for x\nUUID:            \t\nHash block size: \t4096 [bytes]\nSalt:            \t00ff\nRoot hash:      \t${'a'.repeat(64)}\n`,
    true,
  ],
  ['no salt', `root_hash=${'a'.repeat(64)},salt=-`, true],
  ['nothing', '', false],
  ['a hash that is too short', 'root_hash=abcd,salt=00', false],
  ['half a byte of salt', `root_hash=${'a'.repeat(64)},salt=0`, false],
  ['a block size that is no power of two', `root_hash=${'a'.repeat(64)},salt=00,hash_block_size=4095`, false],
  ['a block size that is too large', `root_hash=${'a'.repeat(64)},salt=00,hash_block_size=1073741824`, false],
];

for (const [rule, text, isGood] of texts) {
  test(`parameters: ${rule}`, () => assert.is(parseVerityParameters(text) !== undefined, isGood));
}

test('what veritysetup prints is read whole', () => {
  const printed = `Hash block size: \t1024 [bytes]\nSalt:            \t00FF\nRoot hash:      \t${'a'.repeat(64)}\n`;
  assert.equal(parseVerityParameters(printed), { rootHash: 'a'.repeat(64), salt: '00ff', hashBlockSize: 1024 });
});

test(
  'without a salt only a superblock can tell the root hash',
  () => {
    for (const options of [[], ['--no-superblock']]) {
      const { image, text } = measured(`saltless-${options.length}`, '256K', false, ...options);
      const parameters = parseVerityParameters(text.replace(/,salt=[^,]*/, ''));
      assert.ok(parameters);
      assert.is(parameters.salt, null);
      if (options.length === 0) assert.is(rootHashOf(image, parameters).found?.rootHash, parameters.rootHash);
      else assert.throws(() => rootHashOf(image, parameters), /no superblock/);
    }
  },
  { needs },
);
