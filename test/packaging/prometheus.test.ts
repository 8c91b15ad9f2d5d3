/** The example alert rules, by Prometheus' own tool. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { reportDocument } from '../../src/report/json.ts';
import { metricsText } from '../../src/report/openmetrics.ts';
import { history, image, reportOf, runtime } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the alert rules');
const folder = join(import.meta.dirname, '../../packaging/examples/prometheus');

test(
  'they are right, and alert when they should',
  () => {
    execFileSync('promtool', ['check', 'rules', join(folder, 'kata-check.rules.yml')]);
    execFileSync('promtool', ['test', 'rules', join(folder, 'kata-check.rules.test.yml')]);
  },
  { needs: ['promtool'] },
);

test('they name metrics and labels that kata-check writes', () => {
  const rules = readFileSync(join(folder, 'kata-check.rules.yml'), 'utf8');
  const where = { host: null, root: '/', time: '2026-01-31T12:00:00.000Z' };
  const report = reportOf([runtime('3.29.0', history)], [image('3.12.0')]);
  const written = metricsText(reportDocument(report, 10, where), {
    time: where.time,
    manager: 'apt',
    codes: [],
    resolved: null,
  });
  const names = [...new Set(rules.match(/kata_check_[a-z_]+/g))];
  assert.ok(names.length >= 4);
  for (const name of names) assert.match(written, new RegExp(`^${name}[ {]`, 'm'), name);
  const labels = [...rules.matchAll(/\$labels\.([a-z_]+)/g)].map(([, label]) => label);
  for (const label of labels.filter((name) => name !== 'instance'))
    assert.match(written, new RegExp(`[{,]${label}="`), label);
});
