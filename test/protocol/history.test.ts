import * as assert from 'uvu/assert';
import { isBreak, steps } from '../../src/protocol/history.ts';
import { firstRelease, lastMinors } from '../../src/protocol/releases.ts';
import { compareVersions, parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite("the protocol's history");

const version = (text: string): Version => parseVersion(text) as Version;

test('the steps stand in the order of their releases, each once, and within what was looked at', () => {
  const releases = [firstRelease, ...steps.map(({ release }) => release)].map(version);
  for (const [index, release] of releases.entries()) {
    const before = releases[index - 1];
    if (before !== undefined) assert.ok(compareVersions(before, release) < 0, release.text);
    assert.ok(release.minor <= (lastMinors.get(release.major) ?? -1), release.text);
  }
});

test('a break raises the first number of the protocol and begins the second anew; an addition raises the second', () => {
  let [breaks, additions] = [1, 0];
  for (const { release, protocol, changes } of steps) {
    if (changes.some(isBreak)) [breaks, additions] = [breaks + 1, 0];
    // What only the guest sees is no change to the runtime.
    else if (changes.some(({ subject }) => subject !== 'guest')) additions += 1;
    assert.is(protocol, `${breaks}.${additions}`, release);
  }
});

test('what was renamed says its new name, and nothing else does', () => {
  for (const { release, changes } of steps)
    for (const { name, how, to } of changes) assert.is(to !== null, how === 'renamed', `${release} ${name}`);
});

test('a call comes and goes in turn', () => {
  // Those of 1.0.0.
  const known = new Set(['AddInterface', 'RemoveInterface', 'ListProcesses']);
  for (const { release, changes } of steps) {
    for (const { subject, how, name } of changes.filter((change) => change.subject === 'call')) {
      assert.is(known.has(name), how === 'removed', `${release} ${subject} ${name}`);
      if (how === 'added') known.add(name);
      else known.delete(name);
    }
  }
});
