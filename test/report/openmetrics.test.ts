import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { reportDocument } from '../../src/report/json.ts';
import { metricsText } from '../../src/report/openmetrics.ts';
import { history, image, reportOf, runtime } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the report as metrics');
const where = { host: 'node-1', root: '/', time: '2026-01-31T12:00:00.000Z' };
const stop = { time: '2026-01-31T11:00:00.000Z', manager: 'apt', codes: ['KC103'], resolved: null };
const report = (agent: string, parts = {}) =>
  reportDocument(reportOf([runtime('3.29.0', history)], [image(agent)], parts), 0, where);
const samples = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(`kata_check_${name}`));

test('each pair has its verdict, its versions and its codes', () => {
  const text = metricsText(report('3.1.0'), null);
  const [sample, ...more] = samples(text, 'pair_verdict');
  assert.match(sample ?? '', /runtime_version="3\.29\.0",.*agent_version="3\.1\.0",verdict="block",codes="KC103"\} 1$/);
  assert.is(more.length, 0);
  assert.equal(
    samples(text, 'verdict').map((line) => line.slice(-1)),
    ['0', '0', '0', '1'],
  );
  assert.equal(samples(text, 'findings'), ['kata_check_findings{code="KC103",severity="block"} 1']);
  assert.equal(samples(text, 'time_seconds'), ['kata_check_time_seconds 1769860800']);
});

test('what is not known is left out: sandboxes, and a stop where there was none', () => {
  const text = metricsText(report('3.29.0'), null);
  assert.equal([...samples(text, 'sandboxes'), ...samples(text, 'last_stop')], []);
});

test('the last stop, and whether it is resolved', () => {
  const text = metricsText(report('3.29.0', { sandboxes: { running: 3, ids: [] } }), stop);
  assert.equal(samples(text, 'last_stop'), [
    'kata_check_last_stop_time_seconds{manager="apt",codes="KC103"} 1769857200',
    'kata_check_last_stop_resolved 0',
  ]);
  assert.equal(samples(text, 'sandboxes'), ['kata_check_sandboxes 3']);
  assert.match(metricsText(report('3.29.0'), { ...stop, resolved: stop.time }), /^kata_check_last_stop_resolved 1$/m);
});

test('a text from an image or a path cannot leave its label', () => {
  const odd = image('3.29.0');
  const hostile = { ...odd, facts: { ...odd.facts, path: '/srv/"} 1\n\\x' } };
  const text = metricsText(reportDocument(reportOf([], [hostile]), 0, where), null);
  assert.equal(samples(text, 'image_info'), [
    'kata_check_image_info{path="/srv/\\"} 1\\\\u000a\\\\x",agent_version="3.29.0"} 1',
  ]);
});

test('no series is there twice, as that makes the collector refuse the file', () => {
  const twice = reportDocument(reportOf([], [image('3.29.0'), image('3.29.0')]), 0, where);
  assert.is(samples(metricsText(twice, null), 'image_info').length, 1);
});

test(
  'promtool has nothing to say of it',
  () => {
    const input = metricsText(report('3.1.0', { sandboxes: { running: 3, ids: [] } }), stop);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    assert.equal([status, stdout, stderr], [0, '', '']);
  },
  { needs: ['promtool'] },
);
