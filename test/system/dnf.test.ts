/** The real dnf 4 in a Debian trixie, with the real package of kata-check and its plugin. */

import { rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import { Dnf, testDnf } from './dnf-both.ts';
import { needs, RpmNode } from './rpm-node.ts';

const test = suite('dnf 4 of Debian trixie');
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

const dnf = new Dnf('dnf', node, /^Nothing was changed\.[^:]*(?::\n {4}dnf .*)?\nError: stopped by kata-check/m);

testDnf(test, dnf, {
  said: [
    /installed {3}agent 1\.0\.0\s+\S*kata-containers\.img/,
    /dnf install kata-runtime kata-containers-image/,
    /override {4}KATA_CHECK_ALLOW=KC101 dnf .*upgrade/,
  ],
  overrides: [
    [[], { KATA_CHECK_ALLOW: 'KC101' }, true],
    [[], { KATA_CHECK_MODE: 'warn' }, true],
    [[], { KATA_CHECK_MODE: 'off' }, false],
    // rpm's triggers tell it then.
    [['--disableplugin=kata_check'], {}, true],
  ],
  rootOptions: ['--setopt=reposdir=/etc/yum.repos.d'],
  own: ['kata-check', 'python3-dnf-plugin-kata-check'],
});

test(
  'only 10 and 11 stop dnf, and a program that hangs is ended with all that it began',
  () => {
    for (const status of [10, 11]) {
      const where = node();
      where.replaceProgram(`exit ${status}`);
      assert.is(dnf.run(where, ['upgrade', 'kata-runtime-1.1.0']).status, 1);
      where.has('kata-runtime-1.0.0');
    }
    const where = node();
    where.write(hangs, '[main]\ntimeout = 1\n');
    where.replaceProgram('if test "$2" = dnf; then sleep 1234 & sleep 1234; fi');
    const { status, output } = dnf.run(where, ['upgrade', 'kata-runtime-1.1.0']);
    assert.is(status, 0);
    assert.match(output, /kata-check did not end within 1 seconds/);
    assert.not.match(where.expect('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'), /sleep 1234/);
    rmSync(where.path(hangs));
  },
  { needs, timeout: 300 },
);

test(
  'a mistake in the configuration of the plugin is one line, and dnf and the check go on',
  () => {
    for (const text of ['[main]\ntimeout = 60s\n', '[main]\ntimeout =\n', 'timeout = 5\n', '[main\n']) {
      const where = node();
      where.write(hangs, text);
      const { status, output } = dnf.run(where, ['upgrade', 'kata-runtime-1.1.0']);
      rmSync(where.path(hangs));
      assert.not.match(output, /Traceback/, text);
      assert.is(status, 1, output);
      assert.match(output, /stopped dnf/, text);
      const lines = output.match(/^kata-check: its configuration among the plugins of dnf is not used: .+$/gm);
      assert.is(lines?.length, 1, output);
    }
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
