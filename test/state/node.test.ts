import * as assert from 'uvu/assert';
import type { Measured } from '../../src/locate/measured.ts';
import {
  belongsTogether,
  changesBoth,
  fits,
  type Image,
  isAsMeasured,
  isMeasuredFor,
  type Runtime,
  type State,
  type User,
} from '../../src/state/node.ts';
import { suite } from '../suite.ts';

const test = suite('the model of a node');

const runtime = (prefix: string | null, language: Runtime['language'], isIncoming = false): Runtime =>
  ({ name: 'kata-runtime', prefix, language, isIncoming }) as Runtime;
const user = (prefix: string | null, language: User['language'], path = '/c.toml'): User => ({
  path,
  prefix,
  language,
});
const image = (...usedBy: readonly User[]): Image =>
  ({ facts: { path: '/a.img' }, usedBy, incoming: null }) as unknown as Image;

const pairs: readonly [rule: string, runtime: Runtime, image: Image, belong: boolean][] = [
  ['a configuration of the same prefix and language', runtime('/usr', 'go'), image(user('/usr', 'go')), true],
  ['another prefix', runtime('/usr', 'go'), image(user('/opt/kata', 'go')), false],
  ['another language', runtime('/opt/kata', 'go'), image(user('/opt/kata', 'rust')), false],
  ['a prefix that is not known may be any', runtime(null, 'go'), image(user('/opt/kata', 'go')), true],
  ['a language that is not known may be any', runtime('/usr', null), image(user('/usr', 'rust')), true],
  ['one of several is enough', runtime('/usr', 'go'), image(user('/opt/kata', 'go'), user('/usr', null)), true],
  ['an image that nobody names is for all', runtime('/usr', 'go'), image(), true],
];

for (const [rule, one, other, belong] of pairs) {
  test(`a runtime and an image belong together: ${rule}: ${belong}`, () => {
    assert.is(belongsTogether(one, other), belong);
  });
}

test('what is not known fits all', () => {
  assert.equal(
    [fits(null, 'a'), fits('a', null), fits(null, null), fits('a', 'a'), fits('a', 'b')],
    [true, true, true, true, false],
  );
});

test('runtime and image change together only where both come', () => {
  const coming = { ...image(), incoming: { package: 'i' } } as unknown as Image;
  const state = (runtimes: readonly Runtime[], images: readonly Image[]): State => ({ runtimes, images }) as State;
  assert.is(changesBoth(state([runtime('/usr', 'go', true)], [coming])), true);
  assert.is(changesBoth(state([runtime('/usr', 'go')], [coming])), false);
  assert.is(changesBoth(state([runtime('/usr', 'go', true)], [image()])), false);
});

const measured = (parts: Partial<Measured>): Measured => ({
  image: '/a.img',
  source: '/c.toml',
  isConfigured: true,
  expected: 'ab',
  actual: 'ab',
  problem: null,
  ...parts,
});

test('an image is as measured only where both hashes are known and the same', () => {
  assert.is(isAsMeasured(measured({})), true);
  assert.is(isAsMeasured(measured({ actual: 'cd' })), false);
  assert.is(isAsMeasured(measured({ expected: null, actual: null })), false);
  assert.is(isAsMeasured(measured({ problem: 'it cannot be read' })), false);
});

test('a measurement counts for the runtimes that read the configuration which asks for it; a file beside the image counts for all', () => {
  const go = runtime('/usr', 'go');
  assert.is(isMeasuredFor(measured({}), go, image(user('/usr', 'go'))), true);
  assert.is(isMeasuredFor(measured({}), go, image(user('/opt/kata', 'go'))), false);
  assert.is(isMeasuredFor(measured({ source: '/d.toml' }), go, image(user('/usr', 'go'))), false);
  assert.is(isMeasuredFor(measured({ source: '/a.hash', isConfigured: false }), go, image()), true);
  assert.is(isMeasuredFor(measured({ image: '/b.img' }), go, image(user('/usr', 'go'))), false);
});
