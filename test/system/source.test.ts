/**
 * The source packages: the same bytes from another folder, and built without a network: the .dsc in a Debian of its own with nothing but its build
 * dependencies, the .src.rpm by this machine's rpmbuild. Then the life of the .deb: over 0.1.0 with changed files, removed, purged.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { Debian } from './debian.ts';

const test = suite('source packages');
const top = join(import.meta.dirname, '../..');
const needs = ['root', 'debootstrap', 'dpkg-source', 'rpmbuild', 'unshare', join(top, '.git')];
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

/** A checkout of the last commit in another folder, with what `npm ci` installs. */
function checkout(): string {
  const folder = join(temporaryFolder(), 'elsewhere');
  run('git', 'clone', '--quiet', top, folder);
  symlinkSync(join(top, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'dist'));
  return folder;
}

/** SHA-256 by the name of the file. */
function sums(folder: string, names: RegExp): Readonly<Record<string, string>> {
  const found = readdirSync(folder)
    .filter((name) => names.test(name))
    .sort();
  return Object.fromEntries(found.map((name) => [name, run('sha256sum', join(folder, name)).slice(0, 64)]));
}

function make(folder: string, program: string, env: Readonly<Record<string, string>> = {}): void {
  execFileSync(join(folder, program), { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
}

let sources: string | undefined;

/** The folder with the source packages. */
function built(): string {
  if (sources === undefined) {
    const folder = checkout();
    make(folder, 'packaging/source/build');
    sources = join(folder, 'dist');
  }
  return sources;
}

test(
  'they are the same bytes from another folder, in another zone and language',
  () => {
    const names = /\.tar\.xz$|\.dsc$|\.src\.rpm$/;
    const other = checkout();
    make(other, 'packaging/source/build', { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
    const first = sums(built(), names);
    assert.is(Object.keys(first).length, 5);
    assert.equal(sums(join(other, 'dist'), names), first);
  },
  { needs, timeout: 600 },
);

test(
  'the packages are, too',
  () => {
    const folders = [checkout(), checkout()] as const;
    const [first, second] = folders.map((folder, index) => {
      const env = { TZ: index === 0 ? 'UTC' : 'Asia/Tokyo' };
      make(folder, 'packaging/deb/build', env);
      make(folder, 'packaging/rpm/build', env);
      return sums(join(folder, 'dist'), /\.deb$|\.rpm$|^kata-check$/);
    });
    assert.is(Object.keys(first ?? {}).length, 4);
    assert.equal(second, first);
  },
  { needs: [...needs, 'dh'], timeout: 600 },
);

/** A Debian with the build dependencies and nothing of ours. */
function builder(): Debian {
  const where = new Debian('trixie');
  writeFileSync(join(where.root, 'etc/apt/sources.list'), `deb ${where.mirror} trixie main\n`);
  const install = ['apt-get', 'install', '-qq', '-y', '--no-install-recommends'];
  for (const argv of [
    ['apt-get', 'update', '-qq'],
    [...install, 'build-essential', 'debhelper', 'esbuild', 'libquickjs', 'nodejs', 'quickjs', 'e2fsprogs'],
  ])
    execFileSync('chroot', [where.root, ...argv], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
  return where;
}

function offline(root: string, script: string): string {
  const { status, stdout } = spawnSync(
    'unshare',
    ['--net', 'chroot', root, 'sh', '-c', `exec 2>&1; set -e; ${script}`],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/nonexistent', LC_ALL: 'C.UTF-8' },
    },
  );
  assert.is(status, 0, stdout.split('\n').slice(-30).join('\n'));
  return stdout;
}

/** As 0.1.0 was: another version, and configuration files that were to change. */
function predecessor(where: Debian, deb: string): void {
  const folder = join(temporaryFolder(), 'predecessor');
  run('dpkg-deb', '-R', deb, folder);
  const control = join(folder, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 0.1.0'));
  appendFileSync(join(folder, 'etc/kata-check.conf'), '; of 0.1.0\n');
  run('dpkg-deb', '--root-owner-group', '-b', folder, join(where.root, 'build/predecessor.deb'));
}

test(
  'the .dsc builds without a network; its package passes its own test, goes over 0.1.0, is removed and purged',
  () => {
    const where = builder();
    const folder = join(where.root, 'build');
    mkdirSync(folder);
    for (const name of readdirSync(built()).filter((entry) => entry.startsWith(`kata-check_${version}`)))
      copyFileSync(join(built(), name), join(folder, name));
    const told = offline(
      where.root,
      'cd /build; dpkg-source -x *.dsc source; cd source; DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage -us -uc',
    );
    assert.match(told, /=> status 10: apt stops before it changes anything/, 'dh_auto_test has asked the program');
    const deb = readdirSync(folder).find((name) => name.endsWith('.deb')) ?? '';
    assert.match(deb, new RegExp(`^kata-check_${version}-1_.*\\.deb$`));
    predecessor(where, join(folder, deb));

    where.withProc(() => {
      where.expect('dpkg', '-i', `/build/${deb}`);
      const { status, output } = where.run(['sh', '/build/source/debian/tests/upgrade']);
      assert.is(status, 0, output);
      where.expect('dpkg', '--purge', 'kata-check', 'kata-runtime', 'kata-containers-image');
    });

    const apt = join(where.root, 'etc/apt/apt.conf.d');
    where.expect('dpkg', '-i', '/build/predecessor.deb');
    appendFileSync(join(where.root, 'etc/kata-check.conf'), 'mode = warn\n');
    appendFileSync(join(apt, '20kata-check'), '// ours\n');
    rmSync(join(apt, '52kata-check-unattended'));
    where.expect('dpkg', '--force-confold', '-i', `/build/${deb}`);
    assert.match(readFileSync(join(where.root, 'etc/kata-check.conf'), 'utf8'), /\nmode = warn\n$/);
    const hooks = (): readonly string[] => readdirSync(apt).filter((name) => name.includes('kata-check'));
    assert.equal(hooks(), ['20kata-check'], 'what the administrator removed does not come back');
    where.expect('dpkg', '--remove', 'kata-check');
    assert.equal(hooks(), ['20kata-check.disabled']);
    where.expect('apt-get', 'check');
    where.expect('dpkg', '-i', `/build/${deb}`);
    assert.match(readFileSync(join(apt, '20kata-check'), 'utf8'), /\n\/\/ ours\n$/);
    where.expect('dpkg', '--purge', 'kata-check');
    assert.is(where.expect('find', '/etc', '/usr', '/var', '/run', '-name', '*kata-check*'), '');
  },
  { needs, timeout: 900 },
);

test(
  'the .src.rpm builds without a network',
  () => {
    const source = readdirSync(built()).find((name) => name.endsWith('.src.rpm')) ?? '';
    const work = temporaryFolder();
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--net', 'rpmbuild', '--rebuild', '--nodeps', '--define', `_topdir ${work}`, join(built(), source)],
      { encoding: 'utf8', maxBuffer: 1 << 26, env: { PATH: esbuildBefore(), HOME: '/nonexistent', LC_ALL: 'C.UTF-8' } },
    );
    assert.is(status, 0, `${stdout}${stderr}`.split('\n').slice(-30).join('\n'));
    assert.match(stdout, /=> status 10: apt stops before it changes anything/, '%check has asked the program');
    const made = run('find', join(work, 'RPMS'), '-name', '*.rpm').trim().split('\n');
    assert.is(made.length, 2);
    const [main = ''] = made.filter((path) => basename(path).startsWith('kata-check-'));
    const provides = run('rpm', '-qp', '--provides', main);
    for (const name of ['quickjs', 'npm(semver)', 'npm(citty)'])
      assert.ok(provides.includes(`bundled(${name}) = `), name);
    assert.match(run('rpm', '-qp', '--changelog', main), new RegExp(`- ${version}-1\n`));
  },
  { needs, timeout: 900 },
);

/** esbuild stands for the distribution's here. */
function esbuildBefore(): string {
  const folder = temporaryFolder();
  // It may be a script that looks for the program beside itself.
  writeFileSync(join(folder, 'esbuild'), `#!/bin/sh\nexec '${join(top, 'node_modules/.bin/esbuild')}' "$@"\n`, {
    mode: 0o755,
  });
  return `${folder}:/usr/sbin:/usr/bin:/sbin:/bin`;
}
