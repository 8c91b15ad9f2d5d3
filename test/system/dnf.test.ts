/** The real dnf 4 in a Debian trixie, with the real package of kata-check and its plugin. Every test begins at runtime 1.0.0 and image 1.0.0. */

import { copyFileSync, existsSync, rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import type { Outcome } from './debian.ts';
import { failures, image, needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('dnf 4 of Debian trixie');
const plugin = '/usr/lib/python3/dist-packages/dnf-plugins/kata_check.py';
const hangs = '/etc/dnf/plugins/kata-check.conf';
let made: RpmNode | Error | undefined;

function node(): RpmNode {
  if (made === undefined) {
    made = new Error('no node could be made: see the first test');
    const fresh = new RpmNode('trixie', 'dnf', ['dnf', 'python3-dnf']);
    fresh.write('/etc/dnf/dnf.conf', '[main]\ngpgcheck=0\nlocalpkg_gpgcheck=0\nplugins=1\n');
    fresh.write('/etc/yum.repos.d/lab.repo', '[lab]\nname=lab\nbaseurl=file:///repository\n');
    made = fresh;
  }
  if (made instanceof Error) throw made;
  made.reset();
  return made;
}

const dnf = (where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome =>
  where.run(['dnf', '-y', '--releasever=1', ...args], env);
const stopped =
  /kata-check: stopped dnf: the guest image does not fit the\s+(incoming|installed)\s+Kata\s+runtime\s+\[KC101\]/;

/** It is stopped, with status 1, and all is as it was. */
function isStopped(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const before = where.state();
  const { status, output } = dnf(where, args, env);
  assert.match(output, stopped, args.join(' '));
  assert.match(output, /Nothing was changed\.\nError: stopped by kata-check/);
  assert.is(output.match(/^kata-check: /gm)?.length, 1, 'it is said once');
  assert.is(status, 1);
  assert.is(where.state(), before);
  return output;
}

/** Status 0, and not a word of kata-check's. */
function passes(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const { status, output } = dnf(where, args, env);
  assert.not.match(output, /kata-check: /, args.join(' '));
  assert.is(status, 0, output);
}

test(
  'the runtime alone is stopped, from the repository and from a file',
  () => {
    const where = node();
    const output = isStopped(where, ['upgrade', 'kata-runtime-1.1.0']);
    assert.match(output, /installed {3}agent 1\.0\.0 .*kata-containers\.img/);
    assert.match(output, /dnf install kata-runtime kata-containers-image/);
    assert.match(output, /override {4}KATA_CHECK_ALLOW=KC101 dnf …/);
    isStopped(where, ['install', '/repository/kata-runtime-1.1.0-1.noarch.rpm']);
    isStopped(where, ['-q', 'upgrade', 'kata-runtime']);
  },
  { needs, timeout: 900 },
);

test(
  'runtime and image together pass without a word, in both orders, up and down',
  () => {
    for (const names of [
      ['kata-runtime', 'kata-containers-image'],
      ['kata-containers-image', 'kata-runtime'],
    ]) {
      const where = node();
      const at = (version: string): string[] => names.map((name) => `${name}-${version}`);
      passes(where, ['upgrade', ...at('1.1.0')]);
      where.has(...at('1.1.0'));
      passes(where, ['downgrade', ...at('1.0.0')]);
      where.has(...at('1.0.0'));
      passes(where, ['install', ...at('1.1.1').map((name) => `/repository/${name}-1.noarch.rpm`)]);
      where.has(...at('1.1.1'));
    }
    const where = node();
    passes(where, ['upgrade']);
    where.has('kata-runtime-1.1.1', 'kata-containers-image-1.1.1');
  },
  { needs, timeout: 300 },
);

test(
  'the image alone, and each alone down again',
  () => {
    const where = node();
    isStopped(where, ['upgrade', 'kata-containers-image']);
    passes(where, ['upgrade']);
    isStopped(where, ['downgrade', 'kata-runtime-1.0.0']);
    isStopped(where, ['downgrade', 'kata-containers-image-1.0.0']);
    passes(where, ['downgrade', 'kata-runtime-1.1.0']);
    where.has('kata-runtime-1.1.0', 'kata-containers-image-1.1.1');
  },
  { needs, timeout: 300 },
);

test(
  'something else, a reinstallation, and the removal of both pass without a word; that of the image is told',
  () => {
    const where = node();
    passes(where, ['upgrade', 'unrelated']);
    passes(where, ['reinstall', 'kata-runtime']);
    const { status, output } = dnf(where, ['remove', 'kata-containers-image']);
    assert.match(output, /kata-check: warning: [^[]*\[KC302\]/);
    assert.is(status, 0);
    node();
    passes(where, ['remove', 'kata-containers-image', 'kata-runtime']);
  },
  { needs, timeout: 300 },
);

test(
  'what was allowed passes with the warning, said once',
  () => {
    for (const [env, isSaid] of [
      [{ KATA_CHECK_ALLOW: 'KC101' }, true],
      [{ KATA_CHECK_MODE: 'warn' }, true],
      [{ KATA_CHECK_MODE: 'off' }, false],
    ] as const) {
      const where = node();
      const { status, output } = dnf(where, ['upgrade', 'kata-runtime-1.1.0'], env);
      assert.is(output.match(/kata-check: warning: [^[]*\[KC101\]/g)?.length ?? 0, isSaid ? 1 : 0, output);
      assert.is(status, 0);
      where.has('kata-runtime-1.1.0');
    }
    const where = node();
    assert.is(dnf(where, ['--disableplugin=kata_check', 'upgrade', 'kata-runtime-1.1.0']).status, 0);
  },
  { needs, timeout: 300 },
);

test(
  'a custom image that no package owns is what counts',
  () => {
    const where = node();
    copyFileSync(where.path(image), where.path('/srv/custom.img'));
    where.write('/etc/kata-containers/configuration.toml', '[hypervisor.qemu]\nimage = "/srv/custom.img"\n');
    assert.match(isStopped(where, ['upgrade']), /agent 1\.0\.0 .*\/srv\/custom\.img/);
    rmSync(where.path('/etc/kata-containers'), { recursive: true });
  },
  { needs, timeout: 300 },
);

test(
  'the root of --installroot is the one that is judged',
  () => {
    const where = node();
    const inRoot = ['--installroot=/srv/root', '--setopt=reposdir=/etc/yum.repos.d'];
    passes(where, [...inRoot, 'install', 'unrelated-1.0.0']);
    passes(where, [...inRoot, 'install', 'kata-runtime-1.0.0', 'kata-containers-image-1.0.0']);
    where.rpm('-U', 'kata-containers-image-1.1.0-1.noarch.rpm', 'kata-runtime-1.1.0-1.noarch.rpm');
    const before = where.expect('rpm', '--root', '/srv/root', '-qa');
    isStopped(where, [...inRoot, 'upgrade', 'kata-runtime']);
    assert.is(where.expect('rpm', '--root', '/srv/root', '-qa'), before);
    passes(where, [...inRoot, 'upgrade']);
    assert.match(where.expect('rpm', '--root', '/srv/root', '-qa'), /kata-runtime-1\.1\.1/);
    rmSync(where.path('/srv/root'), { recursive: true });
  },
  { needs, timeout: 300 },
);

test(
  'no environment keeps it from stopping, and none keeps dnf from working',
  () => {
    const where = node();
    const env = { NODE_OPTIONS: '--require /nowhere.js', NODE_PATH: '/nowhere', KATA_CONF_FILE: '' };
    isStopped(where, ['upgrade', 'kata-runtime'], env);
    where.write('/run-it', 'exec dnf -y --releasever=1 upgrade kata-runtime <&- 2>&-\n');
    assert.is(where.run(['/bin/sh', '/run-it']).status, 1, 'closed descriptors');
    where.has('kata-runtime-1.0.0');
  },
  { needs, timeout: 300 },
);

for (const [rule, script] of failures) {
  test(
    `dnf goes on when kata-check ${rule}`,
    () => {
      const where = node();
      where.replaceProgram(script);
      const { status, output } = dnf(where, ['upgrade', 'kata-runtime-1.1.0']);
      assert.is(status, 0, output);
      assert.not.match(output, /Traceback/);
      where.has('kata-runtime-1.1.0');
    },
    { needs, timeout: 300 },
  );
}

test(
  'only 10 and 11 stop dnf, and a program that hangs is ended with all that it began',
  () => {
    for (const status of [10, 11]) {
      const where = node();
      where.replaceProgram(`exit ${status}`);
      assert.is(dnf(where, ['upgrade', 'kata-runtime-1.1.0']).status, 1);
      where.has('kata-runtime-1.0.0');
    }
    const where = node();
    where.write(hangs, '[main]\ntimeout = 1\n');
    where.replaceProgram('if test "$2" = dnf; then sleep 1234 & sleep 1234; fi');
    const { status, output } = dnf(where, ['upgrade', 'kata-runtime-1.1.0']);
    assert.is(status, 0);
    assert.match(output, /kata-check did not end within 1 seconds/);
    assert.not.match(where.expect('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'), /sleep 1234/);
    rmSync(where.path(hangs));
  },
  { needs, timeout: 300 },
);

test(
  'an interrupt ends dnf with all that kata-check began, and nothing is changed',
  () => {
    const where = node();
    const before = where.state();
    where.replaceProgram('touch /begun; sleep 2345');
    where.write(
      '/interrupt',
      [
        // Job control: what runs in the background of a script ignores interrupts otherwise.
        'set -m',
        'dnf -y --releasever=1 upgrade kata-runtime &',
        'while ! test -e /begun; do sleep 0.1; done',
        'kill -INT $!',
        'wait $!',
        'echo "status $?"',
      ].join('\n'),
    );
    assert.match(where.expect('bash', '/interrupt'), /status 1$/m);
    assert.is(where.state(), before);
    assert.not.match(where.expect('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'), /sleep 2345/);
    rmSync(where.path('/begun'));
  },
  { needs, timeout: 300 },
);

test(
  'installed, upgraded and removed by dnf itself; afterwards nothing of it is left or called',
  () => {
    const where = node();
    const [own = '', own4 = ''] = ownRpms();
    passes(where, ['reinstall', `/repository/${own}`, `/repository/${own4}`]);
    isStopped(where, ['upgrade', 'kata-runtime']);
    passes(where, ['remove', 'kata-check', 'python3-dnf-plugin-kata-check']);
    const left = where.expect(
      'sh',
      '-c',
      'find / -xdev -name "*kata[-_]check*" ! -path "/proc/*" ! -path "/repository/*" ! -path "/var/cache/*" ! -path "/run/*"',
    );
    assert.is(left, '');
    assert.not.ok(existsSync(where.path(plugin)));
    passes(where, ['upgrade', 'kata-runtime-1.1.0']);
    passes(where, ['downgrade', 'kata-runtime-1.0.0']);
    passes(where, ['install', 'kata-check', 'python3-dnf-plugin-kata-check']);
    isStopped(where, ['upgrade', 'kata-runtime']);
  },
  { needs, timeout: 300 },
);
