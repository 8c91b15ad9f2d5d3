import * as assert from 'uvu/assert';
import { betweenReleases, placeOf, placesOf, whyNotCovered } from '../../src/protocol/place.ts';
import { lastMinors } from '../../src/protocol/releases.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('places of versions among releases');
const version = (text: string): Version => parseVersion(text) as Version;

const ends: readonly [release: string, why: string | null][] = [
  ['4.1.3', null],
  ['4.2.0', 'the protocol history ends at 4.1'],
  ['5.0.0', 'the protocol history ends at 4.1'],
  ['0.9.0', 'the protocol history begins at 1.0.0'],
  ['3.33.0', 'the protocol history knows no release 3.33'],
];

for (const [release, why] of ends) {
  test(`${release} is ${why === null ? 'covered' : `not covered: ${why}`}`, () => {
    assert.is(whyNotCovered(version(release), lastMinors), why);
  });
}

const places: readonly [rule: string, written: string, from: string, to: string, between: string | null][] = [
  ['a release stands at one place', '3.12.0', '3.12.0', '3.12.0', null],
  ['a vendor’s release too', '3.15.0.aks0', '3.15.0', '3.15.0', null],
  [
    'a build behind a tag stands before the next release',
    '3.12.0-57-g0123abcde',
    '3.12.0',
    '3.13.0',
    'a build between 3.12.0 and 3.13.0',
  ],
  [
    'behind the last minor of a major, before the next major',
    '2.5.0+git1',
    '2.5.0',
    '3.0.0',
    'a build between 2.5.0 and 3.0.0',
  ],
];

for (const [rule, written, from, to, between] of places) {
  test(rule, () => {
    assert.equal([...new Set(placesOf(version(written), lastMinors))], [...new Set([placeOf(from), placeOf(to)])]);
    assert.is(betweenReleases(version(written), lastMinors), between);
  });
}

test('a pre-release stands before its release, or at it', () => {
  const [before = 0, at] = placesOf(version('3.2.0-rc0'), lastMinors);
  assert.is(at, placeOf('3.2.0'));
  assert.ok(before > placeOf('3.1.999') && before < placeOf('3.2.0'));
  assert.is(betweenReleases(version('3.2.0-rc0'), lastMinors), 'a build before 3.2.0');
});

test('the pre-releases of 2.0.0 spoke as it does, but for the first', () => {
  for (const text of ['2.0.0-alpha1', '2.0.0-alpha3', '2.0.0-rc1'])
    assert.equal(placesOf(version(text), lastMinors), [placeOf('2.0.0')], text);
  assert.is(placesOf(version('2.0.0-alpha0'), lastMinors).length, 2);
});

test('what comes behind the last release has no end', () => {
  assert.equal(placesOf(version('4.1.0-57-g0123abcde'), lastMinors), [placeOf('4.1.0'), Number.POSITIVE_INFINITY]);
  assert.is(betweenReleases(version('4.1.0-57-g0123abcde'), lastMinors), 'a build behind 4.1.0');
});
