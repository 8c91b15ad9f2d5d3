/** The hooks of dpkg under the real dpkg of this machine, which works on a sample node below another root. */

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import {
  aptInput,
  type Form,
  forms,
  imageStep,
  inOwnRun,
  kataCheck,
  dpkgNode as node,
  type Outcome,
  runtimeStep,
  sampleNode,
  samplePackages,
} from './program.ts';

const test = suite('kata-check hook dpkg and hook preinst');
const line = readFileSync(join(import.meta.dirname, '../../hooks/dpkg/kata-check'), 'utf8').match(
  /^pre-invoke=(.*)$/m,
)?.[1];
assert.ok(line !== undefined);
const [runtime, image] = [runtimeStep.what, imageStep.what];

/** With the line of dpkg.cfg.d, and this form in the place of the installed program; or without that line. */
function dpkg(
  form: Form,
  root: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  isHooked = true,
): Outcome {
  const program = join(temporaryFolder(), 'kata-check');
  writeFileSync(program, `#!/bin/sh\nexec ${form.argv.map((word) => `'${word}'`).join(' ')} "$@"\n`, { mode: 0o755 });
  const options = [`--root=${root}`, '--force-not-root', '--force-script-chrootless'];
  if (isHooked) options.push(`--pre-invoke=${line?.replaceAll('/usr/bin/kata-check', program)}`);
  const [command = '', ...argv] = inOwnRun(['dpkg', ...options, ...words]);
  const lock = join(root, 'var/lib/dpkg/lock-frontend');
  writeFileSync(lock, '');
  // This process is the front end.
  const isLocked = env.DPKG_FRONTEND_LOCKED !== undefined && env.LOCK === undefined;
  const descriptor = isLocked ? openSync(lock, 'a') : undefined;
  const { status, stdout, stderr } = spawnSync(command, argv, {
    encoding: 'utf8',
    cwd: samplePackages,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
    timeout: 60_000,
  });
  if (descriptor !== undefined) closeSync(descriptor);
  return { status, stdout, stderr };
}

const broken = join(temporaryFolder(), 'broken_1_all.deb');
writeFileSync(broken, 'no archive');

const versionOf = (root: string): string =>
  run('dpkg-query', `--admindir=${root}/var/lib/dpkg`, '-W', '-f', '$' + '{Version}', 'kata-runtime');

for (const form of forms) {
  const needs = ['dpkg', 'dpkg-query', '/proc/self/stat', ...form.needs];
  const cases: readonly [
    rule: string,
    words: readonly string[],
    status: number,
    said: RegExp,
    version: string,
    env?: Readonly<Record<string, string>>,
  ][] = [
    ['the runtime alone is stopped', ['-i', runtime], 2, /stopped dpkg \[KC101\]: /, '1.0.0-1'],
    ['unpacking it is as well', ['--unpack', runtime], 2, /stopped dpkg \[/, '1.0.0-1'],
    ['by a relative path', ['-i', 'kata-runtime_1.1.0-1_all.deb'], 2, /stopped dpkg \[/, '1.0.0-1'],
    ['both pass', ['-i', runtime, image], 0, /^$/, '1.1.0-1'],
    ['from a folder, too', ['-iR', '.'], 0, /^$/, '1.1.0-1'],
    ['allowed in the environment', ['-i', runtime], 0, /warning \[KC101\]: /, '1.1.0-1', { KATA_CHECK_ALLOW: 'KC101' }],
    ['warned', ['-i', runtime], 0, /warning \[KC101\]: /, '1.1.0-1', { KATA_CHECK_MODE: 'warn' }],
    ['switched off', ['-i', runtime], 0, /^$/, '1.1.0-1', { KATA_CHECK_MODE: 'off' }],
    [
      'a front end that left no token is told',
      ['-i', runtime],
      0,
      /warning \[KC101\]: /,
      '1.1.0-1',
      { DPKG_FRONTEND_LOCKED: 'true' },
    ],
    [
      'C8: the variable alone, which a front end sets that has the lock, lets nothing pass',
      ['-i', runtime],
      2,
      /stopped dpkg \[KC101\]/,
      '1.0.0-1',
      { DPKG_FRONTEND_LOCKED: 'true', LOCK: '' },
    ],
    ['configuring is not asked', ['--configure', '-a'], 0, /^$/, '1.0.0-1'],
    ['removing is not asked', ['-r', 'kata-containers-image'], 0, /^$/, '1.0.0-1'],
  ];
  for (const [rule, words, status, said, version, env] of cases) {
    test(
      `${form.name}: ${rule}`,
      () => {
        const root = node();
        const outcome = dpkg(form, root, words, env);
        assert.match(outcome.stderr.replace(/^dpkg: (?:warning|error).*\n/gm, ''), said, outcome.stderr);
        assert.is(outcome.status, status, outcome.stderr);
        assert.is(versionOf(root), version);
      },
      { needs },
    );
  }

  const preinst = `#!/bin/sh\n${form.argv.join(' ')} hook preinst "$@" || case $? in 10 | 11) exit 1 ;; esac\n`;
  const asking = (name: string, fields: Readonly<Record<string, string>>): string =>
    makeDeb(temporaryFolder(), { name, version: '1.1.0-1', fields, scripts: { preinst } });
  const runtimeAsks = (): string => asking('kata-runtime', { 'Kata-Agent-Requires': '>=1.1.0' });
  const imageAsks = (agent: string): string => asking('kata-containers-image', { 'Kata-Agent-Version': agent });
  const asked: readonly [
    rule: string,
    words: () => readonly string[],
    status: number,
    told: number,
    version: string,
    env?: Readonly<Record<string, string>>,
  ][] = [
    ['it stops its package, where nobody was asked before', () => ['-i', runtimeAsks()], 1, 1, '1.0.0-1'],
    ['the image comes, too', () => ['-i', runtimeAsks(), imageAsks('1.1.0')], 0, 0, '1.1.0-1'],
    ['the image comes first', () => ['-i', imageAsks('1.1.0'), runtimeAsks()], 0, 0, '1.1.0-1'],
    [
      'the image that comes does not fit either: told once',
      () => ['-i', imageAsks('1.0.5'), runtimeAsks()],
      0,
      1,
      '1.1.0-1',
    ],
    [
      'a front end may bring the image later',
      () => ['-i', runtimeAsks()],
      0,
      1,
      '1.1.0-1',
      { DPKG_FRONTEND_LOCKED: 'true' },
    ],
    ['allowed', () => ['-i', runtimeAsks()], 0, 1, '1.1.0-1', { KATA_CHECK_ALLOW: 'KC101' }],
    ['one of those that come cannot be read', () => ['-i', runtimeAsks(), broken], 1, 1, '1.1.0-1'],
  ];
  for (const [rule, words, status, told, version, env] of asked) {
    test(
      `${form.name}: a preinst: ${rule}`,
      () => {
        const root = node();
        const outcome = dpkg(form, root, words(), env, false);
        assert.is(outcome.stderr.split('[KC101]').length - 1, told, outcome.stderr);
        assert.is(/This package is left as it was\./.test(outcome.stderr), version === '1.0.0-1');
        assert.is(outcome.status, status, outcome.stderr);
        assert.is(versionOf(root), version);
      },
      { needs: [...needs, 'root', 'unshare'] },
    );
  }

  test(
    `${form.name}: what dpkg's own hook has let go on, a preinst does not ask again`,
    () => {
      const root = node();
      const { status, stderr } = dpkg(form, root, ['-i', runtimeAsks()], { KATA_CHECK_MODE: 'warn' });
      assert.is(stderr.split('[KC101]').length - 1, 1, stderr);
      assert.is(status, 0);
    },
    { needs: [...needs, 'root', 'unshare'] },
  );

  test(
    `${form.name}: what goes wrong is no block`,
    () => {
      const hook = (args: readonly string[], env: Readonly<Record<string, string>> = {}): number | null =>
        kataCheck(form, ['hook', ...args], { env: { DPKG_ROOT: sampleNode, ...env } }).status;
      assert.is(hook(['dpkg'], { DPKG_HOOK_ACTION: 'install' }), 0, 'no dpkg above');
      assert.is(hook(['dpkg'], { DPKG_HOOK_ACTION: 'remove' }), 0);
      assert.is(hook(['dpkg']), 0);
      assert.is(hook(['dpkg', 'x']), 2);
      assert.is(hook(['preinst']), 2);
      assert.is(hook(['preinst', 'upgrade', '1.0.0-1', '1.1.0-1'], { DPKG_MAINTSCRIPT_PACKAGE: 'kata-runtime' }), 0);
      assert.is(hook(['preinst', 'abort-upgrade', '1.1.0-1']), 0);
      assert.is(hook(['dpkg', 'triggered'], { DPKG_ROOT: '/nowhere/at/all' }), 1);
    },
    { needs },
  );

  test(
    `${form.name}: afterwards a mismatch is told, with status 0, and nothing else is`,
    () => {
      const root = node();
      const triggered = (env: Readonly<Record<string, string>> = {}): Outcome =>
        kataCheck(form, ['hook', 'dpkg', 'triggered', '/usr/bin/kata-runtime'], { env: { DPKG_ROOT: root, ...env } });
      assert.equal(triggered(), { status: 0, stdout: '', stderr: '' }, 'it fits');
      assert.is(dpkg(form, root, ['-i', runtime], { KATA_CHECK_MODE: 'off' }).status, 0);
      for (const env of [{}, { KATA_CHECK_MODE: 'warn' }, { DPKG_FRONTEND_LOCKED: 'true' }]) {
        const { status, stderr, stdout } = triggered(env);
        assert.match(
          stderr,
          /^kata-check: warning \[KC101\]: the\s+guest\s+image\s+does\s+not\s+fit\s+the\s+installed\s+Kata\s+runtime$/m,
        );
        assert.not.match(stderr, /stopped|Nothing was changed/);
        assert.equal([status, stdout], [0, '']);
      }
      assert.is(triggered({ KATA_CHECK_ALLOW: 'KC101' }).stderr, '');
      assert.is(triggered({ KATA_CHECK_MODE: 'off' }).stderr, '');
      rmSync(join(root, 'usr'), { recursive: true });
      assert.equal(triggered(), { status: 0, stdout: '', stderr: '' }, 'nothing of Kata is left');
    },
    { needs },
  );

  test(
    `${form.name}: where apt was told to go on, a dpkg below it is not asked again; below another process it is`,
    () => {
      // perl is what calls both: the nearest process that is no shell. Given words come before, it is one further up.
      const script = `
        my ($root, $deb, @program) = @ARGV;
        open my $lock, '>>', "$root/var/lib/dpkg/lock-frontend" or die;
        my @apt = ('sh', '-c', '"$@" hook apt < "$INPUT"', 'sh', @program);
        system(split(/,/, $ENV{BETWEEN}), @apt) == 0 or die;
        exit(system('dpkg', "--root=$root", '--force-not-root', "--pre-invoke=@program hook dpkg", '-i', $deb) >> 8);`;
      const called = (between: string): Outcome => {
        const root = node();
        writeFileSync(
          join(root, 'input'),
          aptInput([{ name: 'vim', old: '1', next: '2', what: '/vim_2_all.deb' }], ['KataCheck::Mode=off'], root),
        );
        const [command = '', ...argv] = inOwnRun(['perl', '-e', script, root, runtime, ...form.argv]);
        const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', APT_HOOK_INFO_FD: '0', DPKG_FRONTEND_LOCKED: 'true' };
        const { status, stdout, stderr } = spawnSync(command, argv, {
          encoding: 'utf8',
          env: { ...env, INPUT: join(root, 'input'), BETWEEN: between },
          timeout: 60_000,
        });
        return { status, stdout, stderr };
      };
      const below = called('');
      assert.not.match(below.stderr, /kata-check/);
      assert.is(below.status, 0, below.stderr);
      const beside = called('perl,-e,exit(system(@ARGV) >> 8)');
      assert.match(beside.stderr, /kata-check: warning \[/);
    },
    { needs: [...needs, 'root', 'unshare', 'perl'] },
  );

  test(
    `${form.name}: a stop is recorded where it can be, without a word of apt's configuration`,
    () => {
      const root = node();
      const secret = 'Acquire::http::Proxy=http://user:hunter2@proxy';
      writeFileSync(
        join(root, 'input'),
        aptInput([{ name: 'kata-runtime', old: '1.0.0-1', next: '1.1.0-1', what: runtime }], [secret], root),
      );
      const script = `"$@" hook apt < '${root}/input'; echo $?; cat /run/kata-check/last.json; stat -c %a /run/kata-check/last.json; find /run/kata-check -type f`;
      const [command = '', ...argv] = inOwnRun(['sh', '-c', script, 'sh', ...form.argv]);
      const { stdout } = spawnSync(command, argv, {
        encoding: 'utf8',
        env: { PATH: '/usr/bin:/bin' },
        timeout: 60_000,
      });
      const [status, ...rest] = stdout.split('\n');
      assert.is(status, '10');
      const end = rest.indexOf('}');
      const last = JSON.parse(rest.slice(0, end + 1).join('\n'));
      assert.equal([last.schema, last.manager, last.root, last.exitCode], [1, 'apt', root, 10]);
      assert.ok(Math.abs(Date.parse(last.time) - Date.now()) < 3600_000);
      assert.equal(rest.slice(end + 1), ['644', '/run/kata-check/last.json', ''], 'and nothing is left beside it');
      assert.not.match(stdout, /hunter2/);
    },
    { needs: [...needs, 'root', 'unshare'] },
  );
}

test(
  'a package of any name is known by what it declares',
  () => {
    const root = node();
    const folder = temporaryFolder();
    const vendor = makeDeb(folder, { name: 'vendor-vm', version: '9', fields: { 'Kata-Agent-Requires': '>=9.0.0' } });
    for (const form of forms.filter(({ needs }) => needs.every((path) => existsSync(path)))) {
      const { status, stderr } = dpkg(form, root, ['-i', vendor]);
      assert.match(stderr, /stopped dpkg \[KC101\]: /);
      assert.is(status, 2);
    }
  },
  { needs: ['dpkg', '/proc/self/stat'] },
);
