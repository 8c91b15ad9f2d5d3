import * as assert from 'uvu/assert';
import { speaksOfKata, tablesIn, textOf } from '../../../src/locate/engines/handler.ts';
import { suite } from '../../suite.ts';

const test = suite('handlers');

test('tables below a path of keys, and nothing else', () => {
  const document = { a: { b: { x: { y: 1 }, z: 2, w: [] } }, c: 1 };
  assert.equal(tablesIn(document, 'a', 'b'), [['x', { y: 1 }]]);
  for (const keys of [['a', 'none'], ['c'], ['a', 'b', 'z'], ['constructor']])
    assert.equal(tablesIn(document, ...keys), []);
  assert.equal(tablesIn(undefined, 'a'), []);
});

test('words of Kata, alone or in lists', () => {
  assert.ok(speaksOfKata('io.containerd.kata.v2'));
  assert.ok(speaksOfKata(undefined, 5, ['x', 'io.katacontainers.*']));
  assert.not(speaksOfKata('io.containerd.runc.v2', undefined, null, ['x'], {}));
});

test('a text that says something', () => {
  assert.is(textOf('x'), 'x');
  for (const value of ['', 5, null, undefined, ['x']]) assert.is(textOf(value), undefined);
});
