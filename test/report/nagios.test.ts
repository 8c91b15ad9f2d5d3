import * as assert from 'uvu/assert';
import type { Report } from '../../src/check.ts';
import { reportDocument } from '../../src/report/json.ts';
import { pluginLine, pluginResult } from '../../src/report/nagios.ts';
import { history, image, reportOf, runtime } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the report of a monitoring plugin');
const where = { host: 'node-1', root: '/', time: '2026-01-31T12:00:00.000Z' };
const pair = (agent: string, policy = {}): Report =>
  reportOf([runtime('3.29.0', history)], [image(agent)], { sandboxes: { running: 2, ids: ['a', 'b'] } }, policy);

const rows: readonly [rule: string, report: Report, isProven: boolean, status: number, text: RegExp][] = [
  [
    'a pair that fits is OK',
    pair('3.29.0'),
    true,
    0,
    /^KATA OK - the guest image fits the runtime \| pairs=1;;;0 blocked=0;;;0 warned=0;;;0 sandboxes=2;;;0\n$/,
  ],
  [
    'nothing of Kata is OK',
    reportOf([], []),
    true,
    0,
    /^KATA OK - no runtime of Kata .* \| pairs=0;;;0 blocked=0;;;0 warned=0;;;0\n$/,
  ],
  ['a mismatch is CRITICAL', pair('3.1.0'), true, 2, /^KATA CRITICAL - \[KC103\] .*\.img \| pairs=1;;;0 blocked=1/],
  ['one that only warns is WARNING', pair('3.1.0', { mode: 'warn' }), true, 1, /^KATA WARNING - \[KC103\] .*warned=1/],
  ['what blocks as it could not be determined is UNKNOWN', pair('3.1.0'), false, 3, /^KATA UNKNOWN - /],
];
for (const [rule, report, isProven, status, text] of rows) {
  test(rule, () => {
    const result = pluginResult(reportDocument(report, 0, where), isProven);
    assert.match(result.text, text);
    assert.is(result.status, status);
  });
}

test('a text cannot begin the performance data, nor a line', () => {
  assert.is(pluginLine('unknown', 'a|b\nc').text, 'KATA UNKNOWN - a/b\\u000ac\n');
});
