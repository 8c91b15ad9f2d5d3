import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { suite } from '../suite.ts';
import { campaign } from './campaign.ts';
import { applyPatches, mutate, Random } from './mutate.ts';
import { fuzzNative, nativeProgram, stored } from './native.ts';
import { fuzz } from './process.ts';
import { Fault, hostOf, MemoryFile } from './property.ts';
import { makeSeeds, programs, readers } from './seeds.ts';

const test = suite('fuzz');
const host = createNodeHost();

/** A few seconds each; the compressed forms start programs for each image. */
const counts = {
  ext4: 40,
  xfs: 40,
  erofs: 40,
  cpio: 80,
  stream: 60,
  disk: 40,
  initrd: 8,
  program: 250,
} as const;

for (const reader of readers) {
  test(
    `${reader}: damaged images give an answer or one of the six problems`,
    async () => {
      const { report, text } = await fuzz(reader, 20260823, counts[reader], 100);
      assert.ok(report !== undefined && report.faults === 0, text);
      assert.is(report?.mutations, counts[reader]);
      // Neither is all damage noticed, nor none.
      assert.ok((report?.outcomes.corrupt ?? 0) > counts[reader] / 20, text);
      assert.ok((report?.outcomes.corrupt ?? 0) < counts[reader], text);
    },
    { needs: reader === 'ext4' || reader === 'disk' ? [] : programs[reader] },
  );
}

/** QuickJS takes about ten times as long. */
const nativeCounts = {
  ext4: 60,
  xfs: 40,
  erofs: 60,
  cpio: 150,
  stream: 100,
  disk: 100,
  initrd: 40,
  program: 200,
} as const;

for (const reader of readers) {
  test(
    `${reader}: damaged images give the same in the native form, to the letter`,
    async () => {
      const count = nativeCounts[reader];
      const native = await fuzzNative(reader, 20260823, count, 100);
      assert.ok(native.report !== undefined && native.report.faults === 0, native.text);
      assert.is(native.report.mutations, count);
      assert.ok(native.report.outcomes.corrupt > 0, native.text);
      // The file of a damaged initrd, which is on the disk, is named in its messages, and each of the two has its own.
      if (reader === 'initrd') return;
      assert.is(native.report.digest, (await fuzz(reader, 20260823, count, 100, stored(reader))).report?.digest);
    },
    { needs: [nativeProgram, ...programs[reader]], timeout: 600, isLong: true },
  );
}

test(
  'an initrd made at another time is the same to the byte, so that both forms are shown the same damage',
  async () => {
    const made = (): string[] => makeSeeds('cpio').map(({ data }) => createHash('sha256').update(data).digest('hex'));
    const first = made();
    // The times in its headers are whole seconds.
    await new Promise((done) => setTimeout(done, 1100));
    assert.ok(first.length > 0);
    assert.equal(made(), first);
  },
  { needs: ['cpio'] },
);

test('the same seed damages the same bytes', () => {
  const [seed] = makeSeeds('disk');
  const target = { data: seed?.data ?? new Uint8Array(), places: [] };
  const made = (number: number): string => JSON.stringify(mutate(new Random(7, number), target));
  const twice = [0, 1, 2, 3].map((number) => [made(number), made(number)]);
  for (const [first, second] of twice) assert.is(first, second);
  assert.is(new Set(twice.map(([first]) => first)).size, 4);
});

test('damage is taken away again', () => {
  const [seed] = makeSeeds('disk');
  const data = seed?.data ?? new Uint8Array();
  const before = data.slice();
  for (let number = 0; number < 300; number += 1) {
    applyPatches(data, mutate(new Random(3, number), { data, places: [] }).patches)();
  }
  assert.is(Buffer.compare(before, data), 0);
});

/** A host that reads the sample image, but fails as a broken reader would. */
async function faultsOf(break_: (read: () => Uint8Array) => Uint8Array): Promise<string> {
  const [seed] = makeSeeds('disk');
  assert.ok(seed);
  class Broken extends MemoryFile {
    override read(offset: number, length: number): Uint8Array {
      return break_(() => super.read(offset, length));
    }
  }
  const store = (data: Uint8Array): { host: Host; path: string } => ({
    host: hostOf(host, () => new Broken('/broken', data)),
    path: '/broken',
  });
  const { faults } = await campaign(host, [seed as never], { seed: 1, first: 0, count: 1, bound: 1000, store });
  return faults.map(({ message }) => message).join();
}

test('an error that is none of the six is found, and so is a message that says nothing', async () => {
  assert.match(await faultsOf(() => new Uint8Array(-1)), /RangeError/);
  assert.match(
    await faultsOf(() => {
      throw new Corrupt('byte NaN');
    }),
    /it says: byte NaN/,
  );
});

test('a hang is found', async () => {
  const message = await faultsOf((read) => {
    const end = host.now() + 1100;
    while (host.now() < end);
    return read();
  });
  assert.match(message, /a hang/);
});

test('reading out of bounds is found', () => {
  const file = new MemoryFile('/x', new Uint8Array(10));
  for (const [offset, length] of [
    [5, 6],
    [-1, 2],
    [0, 0.5],
    [Number.NaN, 1],
  ] as const) {
    assert.throws(
      () => file.read(offset, length),
      (error: unknown) => error instanceof Fault,
    );
  }
});
