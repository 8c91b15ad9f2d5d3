/**
 * The real zypper in a Debian trixie, with the real package of kata-check. Nothing stops zypper: what kata-check has to say is in zypper's
 * log, and on the screen where rpm's triggers say it. Every test begins at runtime 1.0.0 and image 1.0.0.
 */

import { existsSync, readFileSync, rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import type { Outcome } from './debian.ts';
import { failures, needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('zypper of Debian trixie');
const log = '/var/log/zypper.log';
let made: RpmNode | Error | undefined;

function node(): RpmNode {
  if (made === undefined) {
    made = new Error('no node could be made: see the first test');
    const fresh = new RpmNode('trixie', 'zypper', ['zypper']);
    fresh.write('/etc/zypp/repos.d/lab.repo', '[lab]\nname=lab\nenabled=1\nbaseurl=dir:///repository\ngpgcheck=0\n');
    made = fresh;
  }
  if (made instanceof Error) throw made;
  made.reset(ownRpms().filter((name) => name.startsWith('kata-check')));
  return made;
}

interface Said extends Outcome {
  /** The lines of kata-check in zypper's log. */
  readonly logged: string;
}

function zypper(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): Said {
  rmSync(where.path(log), { force: true });
  const outcome = where.run(['zypper', '-n', '--no-gpg-checks', ...args], env);
  const lines = existsSync(where.path(log)) ? readFileSync(where.path(log), 'utf8') : '';
  return { ...outcome, logged: [...lines.matchAll(/ ! (kata-check: .*)$/gm)].map(([, line]) => line).join('\n') };
}

const mismatch =
  /^kata-check: warning \[KC101\]: the\s+guest\s+image\s+does\s+not\s+fit\s+the\s+(incoming|installed)\s+Kata\s+runtime$/gm;

/** It is told once on the screen, and in the log; zypper does what it was told to. */
function isTold(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const { status, output, logged } = zypper(where, args, env);
  assert.is(output.match(mismatch)?.length, 1, output);
  assert.match(logged, /\[KC101\]:\s+the\s+guest\s+image\s+does\s+not\s+fit\s+the\s+installed\s+Kata\s+runtime/);
  assert.is(status, 0);
}

/** Not a word on the screen. Before the packages are fetched, zypper's plugin cannot know what an incoming image holds, and says so in the log. */
function passes(where: RpmNode, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const { status, output, logged } = zypper(where, args, env);
  assert.not.match(output, /kata-check: /, args.join(' '));
  assert.not.match(logged, /KC10/);
  assert.is(status, 0, output);
}

test(
  'the runtime alone, and the image alone, are told on the screen and in the log',
  () => {
    const where = node();
    isTold(where, ['install', 'kata-runtime-1.1.0']);
    where.has('kata-runtime-1.1.0', 'kata-containers-image-1.0.0');
    node();
    isTold(where, ['install', 'kata-containers-image-1.1.0']);
    where.has('kata-runtime-1.0.0', 'kata-containers-image-1.1.0');
    node();
    isTold(where, ['install', '/repository/kata-runtime-1.1.0-1.noarch.rpm']);
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
      passes(where, ['install', ...at('1.1.0')]);
      where.has(...at('1.1.0'));
      passes(where, ['install', '--oldpackage', ...at('1.0.0')]);
      where.has(...at('1.0.0'));
    }
    const where = node();
    passes(where, ['update']);
    where.has('kata-runtime-1.1.1', 'kata-containers-image-1.1.1');
  },
  { needs, timeout: 300 },
);

test(
  'each alone down again; a patch release alone',
  () => {
    const where = node();
    zypper(where, ['update']);
    isTold(where, ['install', '--oldpackage', 'kata-containers-image-1.0.0']);
    node();
    zypper(where, ['update']);
    isTold(where, ['install', '--oldpackage', 'kata-runtime-1.0.0']);
    node();
    zypper(where, ['install', 'kata-runtime-1.1.0', 'kata-containers-image-1.1.0']);
    passes(where, ['install', 'kata-runtime-1.1.1']);
  },
  { needs, timeout: 300 },
);

test(
  'something else and removals pass; that of the image is in the log',
  () => {
    const where = node();
    passes(where, ['install', 'unrelated-1.1.0']);
    assert.is(zypper(where, ['install', 'unrelated-1.1.1']).logged, '');
    const { status, logged } = zypper(where, ['remove', 'kata-containers-image']);
    assert.match(logged, /warning \[KC302\]: /);
    assert.is(status, 0);
    node();
    passes(where, ['remove', 'kata-containers-image', 'kata-runtime']);
  },
  { needs, timeout: 300 },
);

test(
  'KATA_CHECK_MODE=off is silent, and no environment keeps it from telling',
  () => {
    const where = node();
    passes(where, ['install', 'kata-runtime-1.1.0'], { KATA_CHECK_MODE: 'off' });
    node();
    isTold(where, ['install', 'kata-runtime-1.1.0'], { NODE_OPTIONS: '--require /nowhere.js', NODE_PATH: '/nowhere' });
  },
  { needs, timeout: 300 },
);

test(
  'below another root zypper asks nobody',
  () => {
    const where = node();
    const inRoot = ['--root', '/srv/root', '--reposd-dir', '/etc/zypp/repos.d'];
    for (const args of [
      ['install', 'kata-runtime-1.0.0', 'kata-containers-image-1.0.0'],
      ['install', 'kata-runtime-1.1.0'],
    ]) {
      const { status, output } = zypper(where, [...inRoot, ...args]);
      assert.not.match(output, /kata-check: /);
      assert.is(status, 0, output);
    }
    rmSync(where.path('/srv/root'), { recursive: true });
  },
  { needs, timeout: 300 },
);

for (const [rule, script] of failures) {
  test(
    `zypper goes on when kata-check ${rule}`,
    () => {
      const where = node();
      where.replaceProgram(script);
      const { status, output } = zypper(where, ['install', 'kata-runtime-1.1.0']);
      assert.is(status, 0, output);
      where.has('kata-runtime-1.1.0');
    },
    { needs, timeout: 300 },
  );
}

test(
  'zypper goes on when kata-check hangs, and nothing of it stays behind',
  () => {
    const where = node();
    where.replaceProgram('if test "$2" = zypper; then exec sleep 4321; fi');
    const { status, output } = zypper(where, ['install', 'kata-runtime-1.1.0'], { ZYPP_PLUGIN_TIMEOUT: '1' });
    assert.is(status, 0, output);
    where.has('kata-runtime-1.1.0');
    assert.not.match(where.expect('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'), /sleep 4321/);
  },
  { needs, timeout: 300 },
);

test(
  'installed, upgraded and removed by zypper itself; afterwards nothing of it is left or called',
  () => {
    const where = node();
    assert.is(zypper(where, ['install', '--force', 'kata-check']).status, 0);
    isTold(where, ['install', 'kata-runtime-1.1.0']);
    assert.is(zypper(where, ['remove', 'kata-check']).status, 0);
    const left = where.expect(
      'sh',
      '-c',
      'find / -xdev -name "*kata[-_]check*" ! -path "/proc/*" ! -path "/repository/*" ! -path "/var/cache/*" ! -path "/run/*"',
    );
    assert.is(left, '');
    passes(where, ['install', '--oldpackage', 'kata-runtime-1.0.0']);
    // As kata-check comes in, it looks at what is there.
    assert.is(zypper(where, ['install', 'kata-check']).status, 0);
    isTold(where, ['install', 'kata-runtime-1.1.0']);
  },
  { needs, timeout: 300 },
);
