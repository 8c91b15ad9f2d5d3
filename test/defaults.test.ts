import * as assert from 'uvu/assert';
import { loadConfig } from '../src/config.ts';
import { codesIn, type Override, readConfig, unconfigured } from '../src/defaults.ts';
import { createNodeHost } from '../src/host/node.ts';
import { rootedHost } from '../src/host/rooted.ts';
import { type Tree, temporaryFolder, writeTree } from './images.ts';
import { suite } from './suite.ts';

const test = suite('what holds without a configuration');
const main = '/etc/kata-check.conf';
const dropIns = `${main}.d`;

test('a list of codes, with blanks and nothing in it', () => {
  assert.equal(codesIn(' KC101, KC103,,'), ['KC101', 'KC103']);
});

for (const [rule, tree, overrides, isSilent] of [
  ['no file', {}, [], true],
  ['comments and blank lines alone', { [main]: '# x\n\n  ; mode = off\n\t\n' }, [], true],
  ['a key behind comments', { [main]: '; x\n\n mode = off\n' }, [], false],
  ['a key behind a carriage return', { [main]: '; x\rmode = off\n' }, [], false],
  ['a section without a key', { [main]: '[packages]\n' }, [], false],
  ['a drop-in with a key', { [main]: '; x\n', [`${dropIns}/a.conf`]: 'mode = off\n' }, [], false],
  ['a mode of the environment', {}, [{ from: 'the environment', mode: 'warn' }], false],
  ['a finding that is allowed', {}, [{ from: 'the environment', allow: ['KC101'] }], false],
  ['an environment without a word of us', {}, [{ from: 'the environment', mode: undefined, allow: [] }], true],
] as readonly [string, Tree, readonly Override[], boolean][]) {
  test(`what holds where nobody configured anything needs no file to be understood: ${rule}`, () => {
    // As anybody but root, who is not told to believe the file.
    const node = { ...rootedHost(createNodeHost(), writeTree(temporaryFolder(), tree)), userId: 1000 };
    const found = unconfigured(readConfig(node, undefined, overrides));
    assert.is(found !== undefined, isSilent);
    if (found !== undefined) assert.equal(found, loadConfig(node, undefined, overrides));
  });
}
