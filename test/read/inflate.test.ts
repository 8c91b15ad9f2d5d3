import { deflateRawSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { inflate } from '../../src/read/inflate.ts';
import { suite } from '../suite.ts';

const test = suite('DEFLATE in memory');

/** The same numbers each time: a linear congruential generator. */
function noise(length: number, seed: number, values: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % values;
  });
}

function isSame(found: Uint8Array | undefined, expected: Uint8Array): boolean {
  return found !== undefined && Buffer.from(found).equals(expected);
}

const rows: readonly [rule: string, data: Uint8Array, level: number, strategy: number][] = [
  ['nothing', new Uint8Array(), 9, 0],
  ['one byte', Uint8Array.of(7), 9, 0],
  ['stored blocks, more than one', noise(100_000, 1, 256), 0, 0],
  ['the fixed code', noise(5000, 2, 4), 9, 4],
  ['dynamic codes of few symbols', noise(100_000, 3, 3), 9, 0],
  ['dynamic codes of many symbols', noise(100_000, 4, 256), 9, 2],
  ['long runs that overlap what they copy', new Uint8Array(70_000), 9, 0],
  ['distances of all lengths', Uint8Array.from({ length: 90_000 }, (_, at) => (at * at) >>> 7), 6, 0],
];

for (const [rule, data, level, strategy] of rows) {
  test(`${rule}: as zlib compressed it`, () => {
    const packed = deflateRawSync(data, { level, strategy });
    const shifted = Uint8Array.from([1, 2, 3, ...packed, 9, 9]);
    assert.ok(isSame(inflate(shifted, 3, data.length + 10), data));
    // No more than is asked for, from the front.
    const half = Math.floor(data.length / 2);
    assert.ok(isSame(inflate(shifted, 3, half), data.slice(0, half)));
  });
}

test('what breaks off or is damaged gives nothing or something, and ends', () => {
  const packed = deflateRawSync(noise(8000, 5, 50));
  for (let cut = 0; cut < packed.length - 1; cut += 397)
    assert.is(inflate(packed.subarray(0, cut), 0, 20_000), undefined);
  let refused = 0;
  for (let at = 0; at < packed.length; at += 113) {
    const damaged = Uint8Array.from(packed);
    damaged[at] = (damaged[at] as number) ^ 0x5a;
    const found = inflate(damaged, 0, 20_000);
    if (found === undefined) refused += 1;
    else assert.ok(found.length <= 20_000);
  }
  assert.ok(refused > 0);
});
