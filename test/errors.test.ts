import * as assert from 'uvu/assert';
import { Corrupt, Io, LimitExceeded, NotFound, Problem, type ProblemKind, Unsupported, Usage } from '../src/errors.ts';
import { suite } from './suite.ts';

const test = suite('errors');

/** The kinds stand in JSON, where they never change. */
const kinds: readonly [kind: ProblemKind, make: new (message: string) => Problem][] = [
  ['not-found', NotFound],
  ['unsupported', Unsupported],
  ['corrupt', Corrupt],
  ['limit-exceeded', LimitExceeded],
  ['io', Io],
  ['usage', Usage],
];

for (const [kind, Kind] of kinds) {
  test(`${kind} is told from every other, and carries its message`, () => {
    const error = new Kind('a place');
    assert.is(error.kind, kind);
    assert.is(error.message, 'a place');
    assert.instance(error, Error);
    assert.instance(error, Problem);
    assert.equal(
      kinds.filter(([, Other]) => error instanceof Other).map(([other]) => other),
      [kind],
    );
  });
}

test('any other error is none of ours', () => {
  assert.not.instance(new TypeError('x'), Problem);
});
