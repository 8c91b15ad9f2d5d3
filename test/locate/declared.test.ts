import * as assert from 'uvu/assert';
import { type Declared, declares } from '../../src/locate/declared.ts';
import { suite } from '../suite.ts';

const test = suite('what a package states of Kata');

for (const [rule, declared, isStated] of [
  ['nothing is known of it', undefined, false],
  ['it is not installed', null, false],
  ['neither', { agentRequires: null, agentVersion: null }, false],
  ['a range', { agentRequires: '>=3.28.0', agentVersion: null }, true],
  ['a range that is empty, which is a mistake of the packager', { agentRequires: '', agentVersion: null }, true],
  ['the version of the agent in it', { agentRequires: null, agentVersion: '3.29.0' }, true],
] as readonly [string, Declared | null | undefined, boolean][]) {
  test(rule, () => assert.is(declares(declared), isStated));
}
