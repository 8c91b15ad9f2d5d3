import * as assert from 'uvu/assert';
import { forms } from '../e2e/program.ts';
import { suite } from '../suite.ts';
import { budget, counts } from './counts.ts';

const test = suite('instruction counts');
const native = forms.find(({ name }) => name === 'native');
/** What a change may cost before somebody has to look at it, and to write the budget anew. */
const room = 1.05;

test(
  'nothing takes more than 5 % above its budget of instructions (test/bench/counts.ts --write sets it)',
  () => {
    const found = counts();
    assert.equal(Object.keys(found), Object.keys(budget));
    for (const [what, multiple] of Object.entries(found)) {
      const allowed = (budget[what] ?? 0) * room;
      assert.ok(
        multiple <= allowed,
        `${what}: ${multiple} of the calibrating program's, more than ${allowed.toFixed(3)}`,
      );
    }
  },
  { needs: ['root', 'valgrind', 'unshare', 'cpio', ...(native?.needs ?? [])] },
);
