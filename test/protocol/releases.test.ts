import * as assert from 'uvu/assert';
import { earlyBuilds, firstRelease, lastMinor, lastMinors } from '../../src/protocol/releases.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite("the releases of the protocol's tables");
const version = (text: string): Version => parseVersion(text) as Version;

test('the first and the last release are covered, and no major version is left out between them', () => {
  const [first, last] = [version(firstRelease), version(`${lastMinor}.0`)];
  assert.equal(
    [...lastMinors.keys()],
    Array.from({ length: last.major }, (_, index) => first.major + index),
  );
  assert.is(lastMinors.get(last.major), last.minor);
});

test('an early build is a pre-release of the release that it speaks as', () => {
  for (const [release, build] of earlyBuilds) {
    const { major, minor, patch, stands } = version(build);
    assert.equal([`${major}.${minor}.${patch}`, stands], [release, 'before']);
  }
});
