/**
 * The real rpm, of Debian trixie and of this machine, with the real package of kata-check and its triggers: nothing stops rpm, and a mismatch
 * is told once. Every test begins at runtime 1.0.0 and image 1.0.0.
 */

import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import type { Outcome } from './debian.ts';
import { failures, image, needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('rpm of Debian trixie');
let made: RpmNode | Error | undefined;

function node(): RpmNode {
  if (made === undefined) {
    made = new Error('no node could be made: see the first test');
    // As for dnf 4, so that the tree is made once.
    made = new RpmNode('trixie', 'dnf', ['dnf', 'python3-dnf']);
  }
  if (made instanceof Error) throw made;
  made.reset(ownRpms().filter((name) => name.startsWith('kata-check')));
  return made;
}

const file = (name: string): string => `/repository/${name}-1.noarch.rpm`;
const [runtime, guest] = ['kata-runtime', 'kata-containers-image'];

function upgrade(where: RpmNode, names: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
  return where.run(['rpm', '-U', '--oldpackage', ...names.map(file)], env);
}

/** Told once, and done. */
function isTold(where: RpmNode, names: readonly string[], said: RegExp): void {
  const { status, output } = upgrade(where, names);
  assert.match(output, said);
  assert.is(output.match(/^kata-check: /gm)?.length, 1, output);
  assert.is(status, 0);
  where.has(...names);
}

function passes(where: RpmNode, names: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  assert.equal(upgrade(where, names, env), { status: 0, output: '' }, names.join(' '));
  where.has(...names);
}

const incoming =
  /^kata-check: warning \[KC101\]: the\s+guest\s+image\s+does\s+not\s+fit\s+the\s+incoming\s+Kata\s+runtime/m;
const installed =
  /^kata-check: warning \[KC101\]: the\s+guest\s+image\s+does\s+not\s+fit\s+the\s+installed\s+Kata\s+runtime/m;

test(
  'the runtime alone and the image alone are told before they are unpacked',
  () => {
    const where = node();
    isTold(where, [`${runtime}-1.1.0`], incoming);
    passes(where, [`${guest}-1.1.0`]);
    isTold(where, [`${guest}-1.0.0`], installed);
    node();
    isTold(where, [`${guest}-1.1.1`], installed);
  },
  { needs, timeout: 900 },
);

test(
  'runtime and image together pass without a word, in both orders, up and down',
  () => {
    for (const names of [
      [runtime, guest],
      [guest, runtime],
    ]) {
      const where = node();
      for (const version of ['1.1.0', '1.1.1', '1.0.0'])
        passes(
          where,
          names.map((name) => `${name}-${version}`),
        );
    }
    const where = node();
    passes(where, [`${runtime}-1.1.0`, `${guest}-1.1.0`, 'unrelated-1.1.0']);
    passes(where, [`${runtime}-1.1.1`]);
    passes(where, ['unrelated-1.1.1']);
  },
  { needs, timeout: 300 },
);

test(
  'relative paths, and packages of which scriptlets cannot see the files',
  () => {
    const where = node();
    // By then rpm is in /, so that it is told afterwards.
    const relative = where.run(['sh', '-c', 'cd /repository && rpm -U kata-runtime-1.1.0-1.noarch.rpm']);
    assert.match(relative.output, installed);
    // So it is of files in /tmp: rpm >= 4.20 gives its scriptlets one of their own.
    for (const names of [[runtime], [runtime, guest]]) {
      node();
      const copies = names.map((name) => `/tmp/${name}.rpm`);
      for (const name of names) copyFileSync(where.path(file(`${name}-1.1.0`)), where.path(`/tmp/${name}.rpm`));
      const { status, output } = where.run(['rpm', '-U', ...copies]);
      assert.is(status, 0);
      if (names.length === 2) assert.is(output, '');
      else assert.match(output, installed);
    }
  },
  { needs, timeout: 300 },
);

test(
  'a custom image, removals, and what was allowed',
  () => {
    const where = node();
    copyFileSync(where.path(image), where.path('/srv/custom.img'));
    where.write('/etc/kata-containers/configuration.toml', '[hypervisor.qemu]\nimage = "/srv/custom.img"\n');
    isTold(where, [`${runtime}-1.1.0`, `${guest}-1.1.0`], incoming);
    rmSync(where.path('/etc/kata-containers'), { recursive: true });
    node();
    passes(where, [`${runtime}-1.1.0`], { KATA_CHECK_MODE: 'off' });
    assert.equal(where.run(['rpm', '-e', runtime, guest]), { status: 0, output: '' });
  },
  { needs, timeout: 300 },
);

test(
  'a package of Kata that asks in its own scriptlet',
  () => {
    const where = node();
    const ask = (...args: string[]): Outcome => where.run(['/usr/bin/kata-check', 'hook', 'rpm', ...args]);
    // Below no rpm nothing is known of a transaction.
    assert.equal(ask('prein', runtime, '1.1.0'), { status: 0, output: '' });
    assert.equal(ask('triggered'), { status: 0, output: '' });
    where.rpm('-U', `${runtime}-1.1.0-1.noarch.rpm`);
    assert.match(ask('triggered').output, installed);
    for (const wrong of [[], ['later'], ['triggered', 'x'], ['prein', 'a', 'b', 'c']])
      assert.is(ask(...wrong).status, 2);
  },
  { needs, timeout: 300 },
);

for (const [rule, script] of failures) {
  test(
    `rpm goes on when kata-check ${rule}`,
    () => {
      const where = node();
      where.replaceProgram(script);
      assert.is(upgrade(where, [`${runtime}-1.1.0`]).status, 0);
      where.has(`${runtime}-1.1.0`);
      where.expect('rpm', '-e', 'kata-check');
    },
    { needs, timeout: 300 },
  );
}

test(
  'rpm goes on when kata-check says stop, and is gone with all that belongs to it',
  () => {
    const where = node();
    where.replaceProgram('exit 10');
    assert.is(upgrade(where, [`${runtime}-1.1.0`]).status, 0);
    where.expect('rpm', '-e', 'kata-check');
    const left = where.expect(
      'sh',
      '-c',
      'find / -xdev -name "*kata[-_]check*" ! -path "/proc/*" ! -path "/repository/*" ! -path "/var/cache/*" ! -path "/run/*"',
    );
    assert.is(left, '');
    passes(where, [`${runtime}-1.1.1`]);
    // As it comes in, it looks at what is there.
    const own = ownRpms().find((name) => name.startsWith('kata-check'));
    assert.match(where.expect('rpm', '-U', `/repository/${own}`), installed);
  },
  { needs, timeout: 300 },
);

test(
  "kata-check's own package goes over 0.1.0: what the administrator wrote stays, and is kept aside when the package goes",
  () => {
    const where = node();
    const own = `/repository/${ownRpms().find((name) => name.startsWith('kata-check'))}`;
    const configuration = 'etc/kata-check.conf';
    const predecessor = makeRpm(where.path('/repository'), {
      name: 'kata-check',
      version: '0.1.0',
      files: { [configuration]: '; of 0.1.0\n' },
      attributes: { [configuration]: '%config(noreplace)' },
    });
    for (const isChanged of [false, true]) {
      where.expect('rpm', '-U', '--oldpackage', '--replacefiles', predecessor.slice(where.root.length));
      if (isChanged) where.write(`/${configuration}`, 'mode = warn\n');
      where.expect('rpm', '-U', own);
      const shipped = readFileSync(where.path(`/${configuration}${isChanged ? '.rpmnew' : ''}`), 'utf8');
      assert.match(shipped, /^[;#].*kata-check/);
      if (!isChanged) where.expect('rpm', '-e', 'kata-check');
    }
    assert.is(readFileSync(where.path(`/${configuration}`), 'utf8'), 'mode = warn\n');
    // It counts: the mode is the administrator's, and the mismatch is told as always.
    isTold(where, [`${runtime}-1.1.0`], incoming);
    where.expect('rpm', '-e', 'kata-check');
    assert.is(readFileSync(where.path(`/${configuration}.rpmsave`), 'utf8'), 'mode = warn\n');
    assert.not.ok(existsSync(where.path(`/${configuration}`)));
    rmSync(where.path(`/${configuration}.rpmsave`));
    rmSync(where.path(`/${configuration}.rpmnew`), { force: true });
    rmSync(predecessor);
  },
  { needs, timeout: 300 },
);

test(
  'rpm --root: the package in the root looks at that root, and one outside at nothing',
  () => {
    const where = node();
    const inRoot = ['rpm', '--root', '/srv/root', '-U', '--nodeps'];
    where.expect('mkdir', '-p', '/srv/root');
    const own = ownRpms().find((name) => name.startsWith('kata-check'));
    const both = where.run([...inRoot, file(`${runtime}-1.0.0`), file(`${guest}-1.0.0`)]);
    assert.is(both.status, 0);
    assert.not.match(both.output, /kata-check: /);
    const { output } = where.run([...inRoot, file(`${runtime}-1.1.0`)]);
    assert.not.match(output, /kata-check: /);
    // In the root is no shell for its triggers: rpm says so, and goes on.
    where.run([...inRoot, '--noscripts', '--notriggers', `/repository/${own}`]);
    where.run([...inRoot, file(`${guest}-1.1.0`)]);
    assert.match(where.expect('rpm', '--root', '/srv/root', '-qa'), /kata-containers-image-1\.1\.0/);
    rmSync(where.path('/srv/root'), { recursive: true });
  },
  { needs, timeout: 300 },
);
