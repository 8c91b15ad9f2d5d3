import * as assert from 'uvu/assert';
import { isAsked, isLacking } from '../../src/protocol/bounds.ts';
import { placeOf } from '../../src/protocol/place.ts';
import type { Row } from '../../src/protocol/row.ts';
import { suite } from '../suite.ts';

const test = suite('of which releases a row speaks');

const row: Row = {
  id: 'x',
  kind: 'call',
  name: 'x',
  go: '2.0.0..2.2.0',
  lacks: '<1.9.0 || >=2.0.0 <2.1.0 || >=3.0.0',
  when: 'called',
  effect: 'pod',
  sources: [],
};

const asked: readonly [rule: string, row: Row, runtime: string, asked: boolean][] = [
  ['not before the first release', row, '1.99.0', false],
  ['from the first release', row, '2.0.0', true],
  ['up to the last one', row, '2.1.9', true],
  ['not from the end on', row, '2.2.0', false],
  ['without an end for ever', { ...row, go: '2.0.0..' }, '99.0.0', true],
];
for (const [rule, one, runtime, expected] of asked) {
  test(`a runtime asks it ${rule}`, () =>
    assert.is(isAsked(one, { language: 'go', runtime: placeOf(runtime) }), expected));
}

test('a runtime of a language that is not named never asks it', () =>
  assert.is(isAsked(row, { language: 'rust', runtime: placeOf('2.0.0') }), false));

test('a build behind the last release asks what has no end, and only that', () => {
  const at = { language: 'go' as const, runtime: Number.POSITIVE_INFINITY };
  assert.is(isAsked({ ...row, go: '2.0.0..' }, at), true);
  assert.is(isAsked(row, at), false);
});

const lacking: readonly [agent: string, lacking: boolean][] = [
  ['1.0.0', true],
  ['1.9.0', false],
  ['2.0.0', true],
  ['2.1.0', false],
  ['3.0.0', true],
  ['9.0.0', true],
];
for (const [agent, expected] of lacking) {
  test(`agent ${agent} ${expected ? 'does not understand' : 'understands'} it`, () =>
    assert.is(isLacking(row, placeOf(agent)), expected));
}
