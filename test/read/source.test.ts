import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt, LimitExceeded } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import * as limits from '../../src/read/limits.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the bytes of an image');
const host = createNodeHost();
const folder = temporaryFolder();
const path = join(folder, 'image');
writeFileSync(path, '0123456789');

function open(deadline = host.now() + 60_000, file = path): Source {
  return new Source(host.open(file), new Budget(host, deadline));
}

const reads: readonly [rule: string, source: () => Source, offset: number, length: number, expected: string][] = [
  ['all of it', () => open(), 0, 10, '0123456789'],
  ['a piece', () => open(), 3, 4, '3456'],
  ['nothing at its end', () => open(), 10, 0, ''],
  ['a part', () => open().part(2, 5, 'a part'), 0, 5, '23456'],
  ['a part of a part', () => open().part(2, 5, 'a part').part(1, 3, 'its part'), 1, 2, '45'],
  ['a part is cut at the end of the whole', () => open().part(8, 1000, 'a part'), 0, 2, '89'],
  ['a part at the very end is empty', () => open().part(10, 1, 'a part'), 0, 0, ''],
];

for (const [rule, make, offset, length, expected] of reads) {
  test(`read: ${rule}`, () => {
    const bytes = make().read(offset, length, 'a thing');
    assert.is(bytes.latin1(0, bytes.length), expected);
    assert.is(bytes.what, 'a thing');
  });
}

const outside: readonly [rule: string, read: () => unknown, said: RegExp][] = [
  [
    'across the end',
    () => open().read(8, 3, 'a thing'),
    /^a thing: bytes 8 to 11 lie outside the image \(.*image has 10 bytes there\)$/,
  ],
  ['behind the end', () => open().read(1e15, 1, 'a thing'), /lie outside/],
  ['before the start', () => open().read(-1, 1, 'a thing'), /lie outside/],
  ['less than nothing', () => open().read(5, -1, 'a thing'), /lie outside/],
  ['a length that is no number', () => open().read(5, Number.NaN, 'a thing'), /lie outside/],
  [
    'across the end of a part, inside the whole',
    () => open().part(2, 5, 'a part').read(4, 2, 'a thing'),
    /bytes 4 to 6 lie outside the image \(.* has 5 bytes there\)$/,
  ],
  [
    'before the start of a part, inside the whole',
    () => open().part(2, 5, 'a part').read(-1, 1, 'a thing'),
    /lie outside/,
  ],
  [
    'a part that begins behind the end',
    () => open().part(11, 1, 'a part'),
    /^a part: begins at byte 11, behind the end of .* \(10 bytes\)$/,
  ],
  ['a part that begins before the start', () => open().part(-1, 1, 'a part'), /behind the end/],
];

for (const [rule, read, said] of outside) {
  test(`refused: ${rule}`, () => {
    assert.throws(read, (error: unknown) => error instanceof Corrupt && said.test(error.message));
  });
}

test('too much at once is refused before it is read', () => {
  const large = join(folder, 'large');
  run('truncate', '-s', `${limits.imageBytes * 2}`, large);
  const source = open(host.now() + 60_000, large);
  assert.throws(
    () => source.read(0, limits.readBytes + 1, 'a thing'),
    (error: unknown) =>
      error instanceof LimitExceeded && /^a thing: 16777217 bytes at once are too many$/.test(error.message),
  );
  assert.is(source.budget.spent, 0);
  assert.is(source.read(0, limits.readBytes, 'a thing').length, limits.readBytes);
});

test('all parts share one budget of bytes', () => {
  const budget = new Budget(host, host.now() + 60_000);
  budget.spend(limits.imageBytes - 5, 'before');
  const source = new Source(host.open(path), budget);
  source.part(0, 5, 'a part').read(0, 3, 'a thing');
  source.read(0, 2, 'a thing');
  assert.throws(
    () => source.part(5, 5, 'another').read(0, 1, 'the last'),
    (error: unknown) =>
      error instanceof LimitExceeded && error.message === `the last: more than ${limits.imageBytes} bytes read`,
  );
});

test('a deadline that is over ends every reading', () => {
  const source = open(host.now() - 1);
  for (const action of [
    () => source.read(0, 1, 'a thing'),
    () => source.budget.checkTime('a thing'),
    () => source.part(0, 5, 'x').read(0, 1, 'a thing'),
  ]) {
    assert.throws(
      action,
      (error: unknown) => error instanceof LimitExceeded && error.message === 'a thing: not done before the deadline',
    );
  }
});
