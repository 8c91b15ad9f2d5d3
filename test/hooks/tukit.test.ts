import * as assert from 'uvu/assert';
import { Usage } from '../../src/errors.ts';
import { tukitTransaction } from '../../src/hooks/tukit.ts';
import { suite } from '../suite.ts';

const test = suite("tukit's plugin");

test('a snapshot that is complete is judged where it lies', () => {
  const { root, isStaged, changes } = tukitTransaction(['finalize-pre', '/.snapshots/7/snapshot/', '7']) ?? {};
  assert.is(root, '/.snapshots/7/snapshot');
  assert.is(isStaged, true);
  assert.equal(changes, []);
});

for (const args of [['init-pre'], ['execute-pre', '/x', '7', 'zypper', 'up'], ['finalize-post', '7', 'discarded']]) {
  test(`nothing to say at another stage: ${args[0]}`, () => assert.is(tukitTransaction(args), null));
}

for (const args of [
  [],
  ['finalize-pre'],
  ['finalize-pre', 'x', '7'],
  ['finalize-pre', '/x'],
  ['finalize-pre', '/x', '7', '8'],
]) {
  test(`wrong use: ${args.join(' ')}`, () =>
    assert.throws(
      () => tukitTransaction(args),
      (error: Error) => error instanceof Usage,
    ));
}
