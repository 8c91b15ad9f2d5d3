/**
 * The real pacman, as Debian packages it, in a system of its own: before, after, removals, files and a repository.
 */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { Debian, type Outcome } from './debian.ts';
import { guestImage, image, program } from './kata-node.ts';

const test = suite('pacman');
const needs = ['root', 'debootstrap', 'mkfs.ext4', 'bsdtar', 'zstd'];
const project = join(import.meta.dirname, '../..');
const configuration = '/usr/share/defaults/kata-containers/configuration.toml';

const runtime = (version: string, extra: readonly string[] = []): string =>
  makePackage('kata-runtime', version, extra, {
    [program]: `#!/bin/sh\necho "kata-runtime  : ${version}"\n`,
    [configuration]: `[hypervisor.qemu]\nimage = "${image}"\n`,
  });
const guest = (version: string): string =>
  makePackage('kata-containers-image', version, [], { [image]: guestImage(version) });

/** As makepkg lays it out: the description first, then the files. */
function makePackage(name: string, version: string, provides: readonly string[], files: Tree): string {
  const tree = writeTree(temporaryFolder(), {
    '.PKGINFO': [
      `pkgname = ${name}`,
      `pkgbase = ${name}`,
      `pkgver = ${version}-1`,
      'pkgdesc = made for a test',
      'arch = any',
      'builddate = 1',
      'size = 1',
      ...provides.map((text) => `provides = ${text}`),
      '',
    ].join('\n'),
    ...files,
  });
  run('chmod', '-R', 'u=rwX,go=rX', tree);
  run('chmod', '-R', 'a+x', join(tree, 'usr'));
  const file = join(temporaryFolder(), `${name}-${version}-1-any.pkg.tar.zst`);
  run('bsdtar', '-C', tree, '--zstd', '-cf', file, '.PKGINFO', 'usr');
  return file;
}

let node: Debian | undefined;

function system(): Debian {
  if (node !== undefined) return node;
  const debian = new Debian('trixie', ['pacman-package-manager', 'makepkg', 'libarchive-tools'], 'trixie-pacman');
  const place = (from: string, to: string): void => {
    mkdirSync(join(debian.root, to, '..'), { recursive: true });
    copyFileSync(join(project, from), join(debian.root, to));
  };
  place('dist/kata-check', '/usr/bin/kata-check');
  place('hooks/pacman/kata-check', '/usr/share/libalpm/scripts/kata-check');
  for (const name of ['60-kata-check', '60-kata-check-removal', '90-kata-check-after'])
    place(`hooks/pacman/${name}.hook`, `/usr/share/libalpm/hooks/${name}.hook`);
  writeFileSync(
    join(debian.root, 'etc/pacman.conf'),
    '[options]\nArchitecture = auto\nSigLevel = Never\n[kata]\nServer = file:///repository\n',
  );
  mkdirSync(join(debian.root, 'var/lib/pacman/sync'), { recursive: true });
  node = debian;
  return debian;
}

function pacman(...words: readonly string[]): Outcome {
  const debian = system();
  return debian.withProc(() => debian.run(['pacman', '--noconfirm', ...words]));
}

/** Brings files of packages into the system; returns what they are called there. */
function inside(...files: readonly string[]): string[] {
  return files.map((file) => {
    const name = file.slice(file.lastIndexOf('/') + 1);
    copyFileSync(file, join(system().root, 'repository', name));
    return `/repository/${name}`;
  });
}

const installed = (): string =>
  (
    system()
      .run(['pacman', '-Q'])
      .output.match(/^kata-.*$/gm) ?? []
  )
    .sort()
    .join(', ');

/** The same state before each test, whatever the one before has left. */
function begin(): void {
  const files = inside(runtime('1.0.0'), guest('1.0.0'));
  const { status, output } = pacman('-U', ...files);
  assert.is(status, 0, output);
  assert.is(installed(), 'kata-containers-image 1.0.0-1, kata-runtime 1.0.0-1');
}

const both = 'kata-containers-image 1.0.0-1, kata-runtime 1.0.0-1';

test(
  'a runtime alone that the image does not fit is stopped, and nothing is changed',
  () => {
    begin();
    const { status, output } = pacman('-U', ...inside(runtime('1.1.0')));
    assert.is(status, 1, output);
    assert.match(output, /stopped pacman/);
    assert.match(output, /PauseContainer|KC10[123]/);
    assert.is(installed(), both);
  },
  { needs, timeout: 600 },
);

test(
  'what a package provides counts: kata-agent-requires-min',
  () => {
    begin();
    const { status, output } = pacman('-U', ...inside(runtime('1.0.1', ['kata-agent-requires-min=1.1.0'])));
    assert.is(status, 1, output);
    assert.match(output, /KC101/);
    assert.is(installed(), both);
  },
  { needs, timeout: 600 },
);

test(
  'both together pass without a word of it',
  () => {
    begin();
    const { status, output } = pacman('-U', ...inside(runtime('1.1.0'), guest('1.1.0')));
    assert.is(status, 0, output);
    assert.not.match(output, /KC\d/);
    assert.is(installed(), 'kata-containers-image 1.1.0-1, kata-runtime 1.1.0-1');
  },
  { needs, timeout: 600 },
);

test(
  'out of a repository: a runtime alone is stopped, the override lets it go on with a warning',
  () => {
    begin();
    const debian = system();
    inside(runtime('1.1.0'));
    const add = 'cd /repository && rm -f kata.db* && repo-add -q kata.db.tar.gz kata-runtime-1.1.0-1-any.pkg.tar.zst';
    // repo-add reads /dev/fd, which is a link into /proc.
    debian.withProc(() => {
      debian.expect('sh', '-c', add);
      debian.expect('pacman', '-Sy');
    });
    const stopped = pacman('-S', 'kata-runtime');
    assert.is(stopped.status, 1, stopped.output);
    assert.match(stopped.output, /stopped pacman/);
    assert.is(installed(), both);
    const allowed = debian.withProc(() =>
      debian.run(['pacman', '--noconfirm', '-S', 'kata-runtime'], { KATA_CHECK_MODE: 'warn' }),
    );
    assert.is(allowed.status, 0, allowed.output);
    assert.match(allowed.output, /warning/);
    assert.match(installed(), /kata-runtime 1\.1\.0/);
  },
  { needs, timeout: 600 },
);

test(
  'an image that is removed below its runtime is told',
  () => {
    begin();
    const { status, output } = pacman('-R', 'kata-containers-image');
    assert.is(status, 0, output);
    assert.match(output, /KC302/);
  },
  { needs, timeout: 600 },
);

test(
  'when kata-check is gone, or fails, pacman goes on',
  () => {
    const path = join(system().root, 'usr/bin/kata-check');
    const whole = readFileSync(path);
    try {
      for (const text of ['#!/bin/sh\nexit 1\n', '#!/bin/sh\nkill -SEGV $$\n']) {
        begin();
        writeFileSync(path, text);
        assert.is(pacman('-U', ...inside(runtime('1.1.0'))).status, 0);
        writeFileSync(path, whole);
      }
    } finally {
      writeFileSync(path, whole);
    }
  },
  { needs, timeout: 600 },
);
