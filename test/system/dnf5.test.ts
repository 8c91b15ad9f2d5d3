/** The real dnf 5 in a Debian sid, with the real package of kata-check. Every test begins at runtime 1.0.0 and image 1.0.0. */

import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import type { Outcome } from './debian.ts';
import { failures, image, needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('dnf 5 of Debian sid');
const actions = '/etc/dnf/libdnf5-plugins/actions.d/kata-check.actions';
let made: RpmNode | Error | undefined;

function node(): RpmNode {
  if (made === undefined) {
    made = new Error('no node could be made: see the first test');
    const fresh = new RpmNode('sid', 'dnf5', ['dnf5']);
    fresh.write('/etc/dnf/dnf.conf', '[main]\ngpgcheck=0\npkg_gpgcheck=0\nlocalpkg_gpgcheck=0\n');
    fresh.write('/etc/yum.repos.d/lab.repo', '[lab]\nname=lab\nbaseurl=file:///repository\n');
    // Else it takes the packages of earlier transactions for a repository of its own.
    fresh.write('/etc/dnf/libdnf5-plugins/local.conf', '[main]\nname = local\nenabled = false\n');
    made = fresh;
  }
  if (made instanceof Error) throw made;
  // The one of dnf 4 is for another Python.
  made.reset(ownRpms().filter((name) => name.startsWith('kata-check')));
  return made;
}

const dnf5 = (where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome =>
  where.run(['dnf5', '-y', '--releasever=1', ...args], env);
const stopped =
  /kata-check: stopped dnf5: the\s+guest\s+image\s+does\s+not\s+fit\s+the\s+(incoming|installed)\s+Kata\s+runtime\s+\[KC101\]/;
const itsLine = /kata-check\.actions" on line [0-9]+: Action calls for stop: kata-check: .* \[KC101\]/;

/** It is stopped, with status 1, and all is as it was. */
function isStopped(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const before = where.state();
  const { status, output } = dnf5(where, args, env);
  assert.match(output, stopped, args.join(' '));
  assert.match(output, /Nothing was changed\./);
  assert.match(output, itsLine);
  assert.is(output.match(/^kata-check: /gm)?.length, 1, 'it is said once');
  assert.is(status, 1);
  assert.is(where.state(), before);
  return output;
}

/** Status 0, and not a word of kata-check's. */
function passes(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const { status, output } = dnf5(where, args, env);
  assert.not.match(output, /kata-check: /, args.join(' '));
  assert.is(status, 0, output);
}

test(
  'the runtime alone is stopped, from the repository and from a file',
  () => {
    const where = node();
    const output = isStopped(where, ['upgrade', 'kata-runtime-1.1.0']);
    assert.match(output, /installed {3}agent 1\.0\.0 .*kata-containers\.img/);
    // Out of the package, as dnf 5 tells none of it.
    assert.match(output, /agent >=1\.1\.0 <1\.2\.0 \(its Provides kata-agent-requires\)/);
    assert.match(output, /dnf5 install kata-runtime kata-containers-image/);
    assert.match(output, /override {4}dnf5 --setvar=kata_check_allow=KC101 …/);
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
    const { status, output } = dnf5(where, ['remove', 'kata-containers-image']);
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
    for (const [args, env, isSaid] of [
      [['--setvar=kata_check_allow=KC101'], {}, true],
      [['--setvar=kata_check=warn'], {}, true],
      [['--setvar=kata_check=off'], {}, false],
      [[], { KATA_CHECK_ALLOW: 'KC101' }, true],
      [[], { KATA_CHECK_MODE: 'off' }, false],
    ] as const) {
      const where = node();
      const { status, output } = dnf5(where, [...args, 'upgrade', 'kata-runtime-1.1.0'], env);
      assert.is(output.match(/^kata-check: warning: [^[]*\[KC101\]/gm)?.length ?? 0, isSaid ? 1 : 0, output);
      assert.is(status, 0);
      where.has('kata-runtime-1.1.0');
    }
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
    const inRoot = ['--installroot=/srv/root', '--use-host-config'];
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
  'no environment keeps it from stopping',
  () => {
    const where = node();
    isStopped(where, ['upgrade', 'kata-runtime'], { NODE_OPTIONS: '--require /nowhere.js', NODE_PATH: '/nowhere' });
    where.write('/run-it', 'exec dnf5 -y --releasever=1 upgrade kata-runtime <&- 2>/dev/full\n');
    assert.is(where.run(['/bin/sh', '/run-it']).status, 1, 'closed descriptors');
    where.has('kata-runtime-1.0.0');
  },
  { needs, timeout: 300 },
);

for (const [rule, script] of failures) {
  test(
    `dnf 5 goes on when kata-check ${rule}`,
    () => {
      const where = node();
      where.replaceProgram(script);
      const { status, output } = dnf5(where, ['upgrade', 'kata-runtime-1.1.0']);
      assert.is(status, 0, output);
      where.has('kata-runtime-1.1.0');
    },
    { needs, timeout: 300 },
  );
}

test(
  'no status stops dnf 5, and a program that hangs is ended',
  () => {
    for (const script of ['exit 10', 'exit 11']) {
      const where = node();
      where.replaceProgram(script);
      assert.is(dnf5(where, ['upgrade', 'kata-runtime-1.1.0']).status, 0);
    }
    const where = node();
    const text = readFileSync(where.path(actions), 'utf8');
    where.write(actions, text.replace('timeout -k 5 60', 'timeout -k 1 1'));
    where.replaceProgram('if test "$2" = dnf5; then trap "" TERM; while :; do sleep 0.2; done; fi');
    const { status, output } = dnf5(where, ['upgrade', 'kata-runtime-1.1.0']);
    assert.is(status, 0, output);
    where.has('kata-runtime-1.1.0');
    where.write(actions, text);
  },
  { needs, timeout: 300 },
);

test(
  'installed, upgraded and removed by dnf 5 itself; afterwards nothing of it is left or called',
  () => {
    const where = node();
    passes(where, ['reinstall', 'kata-check']);
    isStopped(where, ['upgrade', 'kata-runtime']);
    passes(where, ['remove', 'kata-check']);
    const left = where.expect(
      'sh',
      '-c',
      'find / -xdev -name "*kata[-_]check*" ! -path "/proc/*" ! -path "/repository/*" ! -path "/var/cache/*" ! -path "/run/*"',
    );
    assert.is(left, '');
    passes(where, ['upgrade', 'kata-runtime-1.1.0']);
    passes(where, ['downgrade', 'kata-runtime-1.0.0']);
    passes(where, ['install', 'kata-check']);
    isStopped(where, ['upgrade', 'kata-runtime']);
  },
  { needs, timeout: 300 },
);
