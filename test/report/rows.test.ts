import * as assert from 'uvu/assert';
import { wrap } from '../../src/report/rows.ts';
import { suite } from '../suite.ts';

const test = suite('lines for a terminal');

const wrapped: readonly [rule: string, text: string, expected: readonly string[]][] = [
  ['what fits stays', '1234567890', ['1234567890']],
  ['at a blank', '12345 67890', ['12345', '67890']],
  ['behind a slash', '/2345/789012', ['/2345/', '789012']],
  ['a blank is better than a slash', '12 45/789012', ['12', '45/789012']],
  ['else anywhere', '123456789012', ['1234567890', '12']],
  ['nothing', '', ['']],
];

for (const [rule, text, expected] of wrapped) {
  test(`lines of ten columns: ${rule}`, () => {
    assert.equal(wrap(text, 10), expected);
  });
}

test(
  'a long text is wrapped in no time',
  () => {
    assert.is(wrap('x'.repeat(1 << 20), 60).length, Math.ceil((1 << 20) / 60));
  },
  { timeout: 5 },
);
