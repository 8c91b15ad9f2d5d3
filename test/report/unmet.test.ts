import * as assert from 'uvu/assert';
import { unmetLines } from '../../src/report/unmet.ts';
import { history, image, reportOf, runtime } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('what does no harm on this node');

test('what is switched off, with the setting, and what is only logged; no finding', () => {
  const { pairs } = reportOf([runtime('3.3.0', history)], [image('3.2.0')]);
  assert.equal(unmetLines(pairs), [
    'agent 3.2.0 does not understand the driver image_guest_pull of runtime 3.3.0; switched off here: no handler names a snapshotter',
  ]);
  const older = reportOf([runtime('3.2.0', history)], [image('3.1.0')]);
  assert.equal(unmetLines(older.pairs), [
    'agent 3.1.0 does not understand the call RemoveStaleVirtiofsShareMounts of runtime 3.2.0; an error is logged when a container stops',
  ]);
  const swap = reportOf([runtime('2.2.0', history)], [image('2.1.0')]);
  assert.ok(
    unmetLines(swap.pairs).includes(
      'agent 2.1.0 does not understand the call AddSwap of runtime 2.2.0; switched off here: enable_guest_swap = false (compiled in, as no configuration sets it)',
    ),
  );
});

test('nothing of versions that are not known', () => {
  const { pairs } = reportOf([runtime(null, { problem: 'unknown' })], [image('3.1.0')]);
  assert.equal(unmetLines(pairs), []);
});
