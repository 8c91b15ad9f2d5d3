import * as assert from 'uvu/assert';
import { usedPairs } from '../../../src/judge/checks/used-pair.ts';
import { judge } from '../../../src/judge/judge.ts';
import type { State } from '../../../src/state/node.ts';
import { atOpt, corrupt, history, image, incomingImage, runtime, stateOf, usualPolicy } from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('runtimes and images that are used together');

test('by runtimes and then by images, and only those that read the same configurations', () => {
  const images = [image('3.4.0'), image('3.5.0', {}, { path: '/b' })];
  const state = stateOf([runtime('3.4.0'), runtime('3.6.0', undefined, atOpt), runtime('3.5.0')], images);
  assert.equal(
    usedPairs(state).map((pair) => `${pair.runtime.versionText} ${pair.agent?.text}`),
    ['3.4.0 3.4.0', '3.4.0 3.5.0', '3.5.0 3.4.0', '3.5.0 3.5.0'],
  );
});

test('the agent is that of the incoming image, and none of one that goes or cannot be read', () => {
  const images = [incomingImage('3.5.0'), image('3.4.0', { removedBy: 'x' }), image(null, {}, corrupt)];
  assert.equal(
    usedPairs(stateOf([runtime('3.4.0')], images)).map(({ agent }) => agent?.text),
    ['3.5.0', undefined, undefined],
  );
});

test('the tables are asked once for each pair, by all checks and for the report', () => {
  const state = stateOf([runtime('3.2.0', history)], [image('3.1.0'), image('3.2.0')]);
  let asked = 0;
  const counting: State = {
    ...state,
    known: {
      lastMinors: state.known.lastMinors,
      get rows() {
        asked += 1;
        return state.known.rows;
      },
    },
  };
  const { pairs } = judge(counting, usualPolicy);
  assert.is(asked, 2);
  assert.equal(
    pairs.map(({ reach }) => reach?.weight),
    ['block', 'none'],
  );
});

test('nothing is asked where a version is not known', () => {
  const { pairs } = judge(stateOf([runtime(null, { problem: 'x' })], [image('3.1.0')]), usualPolicy);
  assert.equal(
    pairs.map(({ reach }) => reach),
    [undefined],
  );
});
