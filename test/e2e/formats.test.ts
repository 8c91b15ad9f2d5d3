/** The formats of a report for programs, in both forms, and what serves them: node_exporter. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { aptInput, forms, inOwnRun, kataCheck, sampleNode, samplePackages } from './program.ts';

const test = suite('formats');
const blocked = ['--root', sampleNode, '--to', '1.1.0'];
const fits = ['--root', sampleNode, '--to', '1.0.0'];
const undetermined = ['--root', sampleNode, '--image', '/nowhere.img', '--strict'];

const rows: readonly [rule: string, args: readonly string[], status: number, stdout: RegExp][] = [
  ['a plugin: OK', ['--format', 'nagios', ...fits], 0, /^KATA OK - the guest image fits the runtime \| pairs=1/],
  ['a plugin: CRITICAL', ['--format=nagios', ...blocked], 2, /^KATA CRITICAL - \[KC103\]/],
  ['a plugin: WARNING', ['--format=nagios', ...blocked, '--mode', 'warn'], 1, /^KATA WARNING - \[KC103\]/],
  ['a plugin: what could not be determined', ['--format=nagios', ...undetermined], 3, /^KATA UNKNOWN - \[KC203\]/],
  ['a plugin: wrong use', ['--format=nagios', '--frobnicate'], 3, /^KATA UNKNOWN - unknown option --frobnicate\n$/],
  [
    'a plugin: switched off',
    ['--format=nagios', ...blocked, '--mode', 'off'],
    0,
    /^KATA OK - kata-check is switched off\n$/,
  ],
  [
    'metrics keep the exit status',
    ['--format', 'openmetrics', ...blocked],
    10,
    /^# HELP kata_check_info (?:.*\n)*# EOF\n$/,
  ],
  ['JSON Lines keep the exit status', ['--format', 'jsonl', ...blocked], 10, /^\{"schema":1,.*\}\n$/],
  ['--json twice', ['--json', '--format', 'json', ...fits], 0, /^\{\n {2}"schema": 1,/],
];

for (const form of forms) {
  for (const [rule, args, status, stdout] of rows) {
    test(
      `${form.name}: ${rule}`,
      () => {
        const outcome = kataCheck(form, args);
        assert.match(outcome.stdout, stdout);
        assert.is(outcome.status, status);
      },
      form,
    );
  }

  test(
    `${form.name}: two formats at once are wrong use`,
    () => assert.match(kataCheck(form, ['--json', '--format', 'jsonl']).stderr, /--json and --format jsonl exclude/),
    form,
  );

  test(
    `${form.name}: --output replaces a file as a whole, readable for all, and leaves nothing beside it`,
    () => {
      const folder = temporaryFolder();
      const file = join(folder, 'kata-check.prom');
      writeFileSync(file, 'old');
      chmodSync(file, 0o600);
      const before = statSync(file).ino;
      const { status, stdout } = kataCheck(form, ['--format', 'openmetrics', '--output', file, ...blocked]);
      assert.equal([status, stdout], [10, '']);
      assert.match(readFileSync(file, 'utf8'), /^kata_check_verdict\{verdict="block"\} 1$/m);
      assert.is.not(statSync(file).ino, before, 'who has the old one open reads all of it');
      assert.is(statSync(file).mode & 0o777, 0o644);
      assert.equal(readdirSync(folder), ['kata-check.prom']);
      const nowhere = kataCheck(form, ['--format', 'openmetrics', '--output', join(file, 'below'), ...blocked]);
      assert.is(nowhere.status, 1);
      const link = join(folder, 'stdout');
      symlinkSync('/dev/null', link);
      const refused = kataCheck(form, ['--output', link, ...blocked]);
      assert.match(refused.stderr, /stdout: is a symbolic link, not a regular file/);
      assert.equal([refused.status, readlinkSync(link)], [1, '/dev/null'], '/dev/stdout stays what it is');
    },
    form,
  );

  test(
    `${form.name}: the metrics know of a stop, and that a later transaction was let through`,
    () => {
      const folder = temporaryFolder();
      const steps = ['kata-runtime', 'kata-containers-image'].map((name) => ({
        name,
        old: '1.0.0-1',
        next: '1.1.0-1',
        what: join(samplePackages, `${name}_1.1.0-1_all.deb`),
      }));
      writeFileSync(join(folder, 'one'), aptInput(steps.slice(0, 1)));
      writeFileSync(join(folder, 'both'), aptInput(steps));
      // Of what is planned: a check of what is there, which fits, would mark the stop as resolved.
      const metrics = `"$@" --root ${sampleNode} --to 1.0.0 --format openmetrics | grep last_stop`;
      const hook = (input: string): string =>
        `"$@" hook apt < ${join(folder, input)} 2> /dev/null; echo $?; ${metrics}`;
      const [program, ...args] = inOwnRun(['bash', '-c', `${hook('one')}; ${hook('both')}`, 'bash', ...form.argv]);
      const { stdout } = spawnSync(program as string, args, { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
      const stopped = 'kata_check_last_stop_time_seconds{manager="apt",codes="KC101"} TIME';
      assert.equal(stdout.replace(/\b\d{10}(?:\.\d+)?$/gm, 'TIME').match(/^(?!#).+$/gm), [
        ...['10', stopped, 'kata_check_last_stop_resolved 0'],
        ...['0', stopped, 'kata_check_last_stop_resolved 1'],
      ]);
    },
    { needs: [...form.needs, 'root', 'unshare', 'dpkg-deb'] },
  );
}

test(
  'node_exporter serves the metrics from the folder of its textfile collector',
  async () => {
    const folder = temporaryFolder();
    const [form] = forms;
    assert.ok(form);
    kataCheck(form, ['--format', 'openmetrics', '--output', join(folder, 'kata-check.prom'), ...blocked]);
    const port = await freePort();
    const args = ['--collector.disable-defaults', '--collector.textfile', `--collector.textfile.directory=${folder}`];
    const exporter = spawn('prometheus-node-exporter', [...args, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: 'ignore',
    });
    try {
      const served = await answerOf(`http://127.0.0.1:${port}/metrics`);
      assert.match(served, /^kata_check_verdict\{verdict="block"\} 1$/m);
      assert.match(served, /^kata_check_pair_verdict\{agent_version="1\.0\.0",codes="KC103",.*verdict="block"\} 1$/m);
      assert.match(served, /^node_textfile_scrape_error 0$/m);
    } finally {
      exporter.kill();
    }
  },
  { needs: ['prometheus-node-exporter'] },
);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Asks until somebody listens; the test's own timeout ends it. */
async function answerOf(url: string): Promise<string> {
  for (;;) {
    const answer = await fetch(url).catch(() => null);
    if (answer !== null) return answer.text();
    await new Promise((done) => setTimeout(done, 50));
  }
}
