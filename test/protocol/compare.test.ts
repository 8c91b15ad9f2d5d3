import * as assert from 'uvu/assert';
import { protocolOf, stepsBetween } from '../../src/protocol/compare.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('the steps between two releases');

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version`);
  return parsed;
}

const protocols: readonly [release: string, protocol: string | null][] = [
  ['1.0.0', '1.0'],
  ['1.1.0', '1.1'],
  ['1.6.0', '2.0'],
  ['1.8.0', '2.1'],
  ['2.0.0', '3.0'],
  ['2.1.1', '4.0'],
  ['2.2.1', '4.1'],
  ['2.2.2', '4.2'],
  ['2.3.0', '4.3'],
  ['2.4.0', '5.0'],
  ['2.4.1', '5.1'],
  ['3.7.0', '5.4'],
  ['3.8.0', '5.4'],
  ['4.1.0', '5.12'],
  ['1.6.0-rc1', '1.5 or 2.0'],
  ['4.2.0', null],
];

for (const [release, protocol] of protocols) {
  test(`release ${release} speaks protocol ${protocol ?? 'nobody knows which'}`, () => {
    assert.is(protocolOf(version(release)), protocol);
  });
}

test('steps between two releases, whichever comes first, and after one', () => {
  const names = (one: string, other: string | null): string[] =>
    stepsBetween(version(one), other === null ? null : version(other)).map(({ release }) => release);
  assert.equal(names('2.1.0', '2.4.0'), ['2.2.0', '2.2.2', '2.3.0', '2.4.0']);
  assert.equal(names('2.4.0', '2.1.0'), ['2.2.0', '2.2.2', '2.3.0', '2.4.0']);
  assert.equal(names('3.17.0', null), ['3.18.0', '3.28.0', '3.29.0', '3.32.0', '4.0.0']);
  assert.equal(names('4.0.0', '4.1.0'), []);
  assert.equal(names('1.6.0-rc1', '1.5.0'), ['1.6.0'], 'which may be in it');
  assert.equal(names('1.6.0-rc1', '1.7.0'), ['1.6.0', '1.7.0'], 'or not');
  assert.equal(names('1.6.0-rc1', '1.6.0-rc1'), []);
});
