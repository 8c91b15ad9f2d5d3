/**
 * The real apt in a real Debian, with the real package of kata-check and two small packages of Kata. Its tests build on each other, as
 * an admin's day does, but each brings the node back to runtime 1.0.0 and image 1.0.0 before it begins.
 */

import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import type { Debian, Outcome } from './debian.ts';
import { guestImage, prepare } from './kata-node.ts';

for (const suiteName of ['bookworm', 'trixie']) {
  const test = suite(`apt of Debian ${suiteName}`);
  const needs = ['root', 'debootstrap', 'mkfs.ext4', 'dpkg-deb'];
  let debian: Debian | Error | undefined;

  const install = (node: Debian, packages: readonly string[], options: readonly string[] = []): Outcome =>
    node.run(['apt-get', 'install', '-y', '--allow-downgrades', ...options, ...packages]);
  const node = (): Debian => {
    // Made once, by the first test; when that fails, the others must not try for minutes each.
    if (debian === undefined) {
      debian = new Error(`no Debian ${suiteName} could be made: see the first test`);
      debian = prepare(suiteName);
    }
    if (debian instanceof Error) throw debian;
    const { status, output } = install(
      debian,
      ['kata-runtime=1.0.0-1', 'kata-containers-image=1.0.0-1', 'unrelated=1.0.0-1', 'kata-check'],
      ['-o', 'KataCheck::Mode=off'],
    );
    assert.is(status, 0, output);
    return debian;
  };
  const said = /kata-check: stopped apt \[KC101\]: the guest image does not fit the incoming Kata runtime/;
  const isInstalled = (where: Debian, name: string, version: string): void =>
    assert.match(where.expect('dpkg-query', '-W', name), new RegExp(`^${name}\t${version}$`, 'm'));

  test(
    'the runtime alone: apt ends with 100, and nothing is changed',
    () => {
      const where = node();
      const before = where.packages();
      const { status, output } = install(where, ['kata-runtime=1.1.0-1']);
      assert.match(output, said);
      assert.match(output, /installed {3}agent 1\.0\.0\s+\S*kata-containers\.img/);
      assert.match(output, /apt-get install kata-runtime kata-containers-image/);
      assert.match(output, /Nothing was changed\./);
      assert.is(status, 100);
      assert.is(where.packages(), before);
      assert.is(where.expect('dpkg', '--audit'), '');
      where.expect('apt-get', 'check');
    },
    { needs, timeout: 900 },
  );

  test(
    'runtime and image together pass without a word',
    () => {
      const where = node();
      const { status, output } = install(where, ['kata-runtime=1.1.0-1', 'kata-containers-image=1.1.0-1']);
      assert.not.match(output, /kata-check:/);
      assert.is(status, 0, output);
      isInstalled(where, 'kata-runtime', '1.1.0-1');
      isInstalled(where, 'kata-containers-image', '1.1.0-1');
      assert.match(where.expect('kata-check'), /fits/);
    },
    { needs, timeout: 300 },
  );

  test(
    'upgrade and dist-upgrade of everything pass',
    () => {
      const where = node();
      where.expect('apt-get', 'upgrade', '-y');
      isInstalled(where, 'kata-runtime', '1.1.1-1');
      isInstalled(where, 'kata-containers-image', '1.1.1-1');
    },
    { needs, timeout: 300 },
  );

  test(
    'the image alone is judged against the installed runtime; both downgraded pass',
    () => {
      const where = node();
      const alone = install(where, ['kata-containers-image=1.1.0-1']);
      assert.match(alone.output, /\[KC101\]: the guest image does not fit the installed Kata runtime/);
      assert.is(alone.status, 100);
      assert.is(install(where, ['kata-runtime=1.1.1-1', 'kata-containers-image=1.1.1-1']).status, 0);
      assert.is(install(where, ['kata-runtime=1.0.0-1']).status, 100, 'a downgrade of the runtime alone');
      assert.is(install(where, ['kata-runtime=1.0.0-1', 'kata-containers-image=1.0.0-1']).status, 0);
    },
    { needs, timeout: 300 },
  );

  test(
    'a patch release that declares the same agents passes alone',
    () => {
      const where = node();
      assert.is(install(where, ['kata-runtime=1.1.0-1', 'kata-containers-image=1.1.0-1']).status, 0);
      assert.is(install(where, ['kata-runtime=1.1.1-1']).status, 0);
    },
    { needs, timeout: 300 },
  );

  test(
    'Mode=warn and Allow pass, and the warning is printed',
    () => {
      for (const option of ['KataCheck::Mode=warn', 'KataCheck::Allow=KC101', 'KataCheck::Allow::=KC101']) {
        const where = node();
        const { status, output } = install(where, ['kata-runtime=1.1.0-1'], ['-o', option]);
        assert.match(output, /kata-check: warning \[KC101\]: /, option);
        assert.is(status, 0, option);
      }
    },
    { needs, timeout: 300 },
  );

  test(
    'something else is installed, and Kata removed, without a word',
    () => {
      const where = node();
      for (const argv of [
        ['apt-get', 'install', '-y', 'unrelated=1.1.0-1'],
        ['apt-get', 'install', '-y', '--reinstall', 'kata-runtime=1.0.0-1'],
        ['apt-get', 'remove', '-y', 'kata-runtime', 'kata-containers-image'],
      ]) {
        assert.not.match(where.expect(...argv), /kata-check: /, argv.join(' '));
      }
    },
    { needs, timeout: 300 },
  );

  test(
    'removing the image below the runtime is said',
    () => {
      const where = node();
      assert.match(where.expect('apt-get', 'remove', '-y', 'kata-containers-image'), /warning \[KC302\]: /);
    },
    { needs, timeout: 300 },
  );

  test(
    'a custom image that no package owns is what counts',
    () => {
      const where = node();
      writeTree(where.root, {
        'srv/custom.img': guestImage('1.0.0'),
        'etc/kata-containers/configuration.toml': '[hypervisor.qemu]\nimage = "/srv/custom.img"\n',
      });
      const { status, output } = install(where, ['kata-runtime=1.1.0-1', 'kata-containers-image=1.1.0-1']);
      assert.match(output, /agent 1\.0\.0\s+\/srv\/custom\.img/);
      assert.is(status, 100);
      rmSync(join(where.root, 'etc/kata-containers'), { recursive: true });
    },
    { needs, timeout: 300 },
  );

  test(
    'a repair is never stopped',
    () => {
      const where = node();
      where.expect('dpkg', '--unpack', '/repository/kata-runtime_1.1.0-1_all.deb');
      const { status, output } = where.run(['apt-get', '-f', 'install', '-y']);
      assert.is(status, 0, output);
    },
    { needs, timeout: 300 },
  );

  test(
    'apt works when kata-check is removed, purged, deleted by hand, or crashes; installed again it stops again',
    () => {
      const where = node();
      const upgrade = (): Outcome => install(where, ['kata-runtime=1.1.0-1']);

      where.expect('apt-get', 'remove', '-y', 'kata-check');
      assert.equal(
        readdirSync(join(where.root, 'etc/apt/apt.conf.d'))
          .filter((name) => name.includes('kata'))
          .sort(),
        ['20kata-check.disabled', '52kata-check-unattended.disabled'],
      );
      assert.is(upgrade().status, 0);

      node();
      assert.is(upgrade().status, 100, 'the hook is back');
      rmSync(join(where.root, 'usr/bin/kata-check'));
      const gone = upgrade();
      assert.not.match(gone.output, /kata-check: |not found/, 'without a word');
      assert.is(gone.status, 0);

      const program = join(where.root, 'usr/bin/kata-check');
      // Without it before, as one that says "stop" to everything would stop its own repair.
      const again = (): void => {
        rmSync(program, { force: true });
        where.expect('sh', '-c', 'dpkg -i /repository/kata-check_*.deb');
      };
      again();
      for (const crash of ['exit 1', 'exit 2', 'kill -SEGV $$', 'exit 99']) {
        node();
        writeFileSync(program, `#!/bin/sh\n${crash}\n`);
        assert.is(upgrade().status, 0, crash);
      }
      for (const stop of [10, 11]) {
        again();
        node();
        writeFileSync(program, `#!/bin/sh\nexit ${stop}\n`);
        assert.is(upgrade().status, 100, `status ${stop}`);
      }
      again();
      where.expect('dpkg', '-P', 'kata-check');
      assert.equal(
        readdirSync(join(where.root, 'etc/apt/apt.conf.d')).filter((name) => name.includes('kata')),
        [],
      );
      assert.is(install(where, ['unrelated=1.1.1-1']).status, 0);
    },
    { needs, timeout: 600 },
  );
}
