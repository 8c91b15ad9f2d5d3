/**
 * A node of rpm: a Debian with dnf 4, dnf 5 or zypper in it, which has the real package of kata-check and small packages of Kata in a
 * repository. Each program runs in a mount namespace of its own, where the tree is a mount point (rpm >= 4.20 wants that) and has /proc;
 * both are gone with it, however it ends.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { guestTree, makeDisk, makeExt, run, temporaryFolder, writeTree } from '../images.ts';
import { makeRpm, type Rpm } from '../rpms.ts';
import { type Outcome, pristine } from './debian.ts';

const dist = join(import.meta.dirname, '../../dist');
const program = '/usr/bin/kata-check';
export const image = '/usr/share/kata-containers/kata-containers.img';
const configuration = '/usr/share/defaults/kata-containers/configuration.toml';

export const needs = ['root', 'debootstrap', 'unshare', 'mkfs.ext4', 'rpmbuild'];

/** kata-check's own, the plugin of dnf 4 apart. */
export function ownRpms(): string[] {
  const names = readdirSync(dist).filter((name) => name.endsWith('.rpm'));
  assert.is(names.length, 2, 'npm run build:rpm makes the packages');
  return names;
}

/** Where the package below puts its image, and a file that makes its builder fail. */
export const builtImage = '/var/cache/kata-containers/kata-containers-initrd.img';
export const failsToBuild = '/etc/kata-build-fails';

/** One package, as Fedora's: it brings runtime, agent and builder, and its %post puts an image on the node that no package owns. */
export function builtOnTheNode(version: string, scratch: string): Rpm {
  const initrd = join(scratch, `initrd-${version}`);
  run(
    'sh',
    '-c',
    `cd "$0" && find . | cpio -o -H newc --quiet | gzip > "$1"`,
    writeTree(`${initrd}.tree`, guestTree(version)),
    initrd,
  );
  const builder = '/usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh';
  const [major = '', minor = ''] = version.split('.');
  return {
    name: 'kata-containers',
    version,
    provides: [`kata-agent-requires(min) = ${version}`, `kata-agent-requires(max) = ${major}.${Number(minor) + 1}.0`],
    preamble: ['AutoReqProv: no'],
    files: {
      'usr/bin/kata-runtime': `#!/bin/sh\necho "kata-runtime  : ${version}"\n`,
      'usr/libexec/kata-containers/agent/usr/bin/kata-agent': 'x',
      'usr/libexec/kata-containers/osbuilder/parts': readFileSync(initrd),
      [builder]: `#!/bin/sh\n! test -e ${failsToBuild} && mkdir -p ${dirname(builtImage)} && cp \${0%/*}/parts ${builtImage}\n`,
      [configuration]: `[hypervisor.qemu]\ninitrd = "${builtImage}"\n`,
    },
    scriptlets: ['%post', `sh ${builder}`],
  };
}

let made: string | undefined;

/** A folder of packages, the same for all nodes. */
function packages(): string {
  if (made !== undefined) return made;
  const folder = temporaryFolder();
  const scratch = temporaryFolder();
  for (const [version, min, max] of [
    ['1.0.0', '1.0.0', '1.1.0'],
    ['1.1.0', '1.1.0', '1.2.0'],
    ['1.1.1', '1.1.0', '1.2.0'],
  ] as const) {
    makeRpm(folder, {
      name: 'kata-runtime',
      version,
      provides: [`kata-agent-requires(min) = ${min}`, `kata-agent-requires(max) = ${max}`],
      preamble: ['AutoReqProv: no'],
      files: {
        'usr/bin/kata-runtime': `#!/bin/sh\necho "kata-runtime  : ${version}"\n`,
        [configuration]: `[hypervisor.qemu]\nimage = "${image}"\n`,
      },
    });
    const filesystem = makeExt(
      join(scratch, `${version}.ext4`),
      writeTree(join(scratch, version), guestTree(version)),
      '16M',
    );
    const disk = readFileSync(makeDisk(join(scratch, `${version}.img`), filesystem, { dax: true }));
    makeRpm(folder, {
      name: 'kata-containers-image',
      version,
      provides: [`kata-agent = ${version}`],
      files: { [image]: disk },
    });
    makeRpm(folder, { name: 'unrelated', version });
  }
  for (const version of ['1.0.0', '1.1.0']) makeRpm(folder, builtOnTheNode(version, scratch));
  const own = ownRpms();
  for (const name of own) copyFileSync(join(dist, name), join(folder, name));
  // What a distribution of rpm would have installed.
  const required = own.flatMap((name) => run('rpm', '-qp', '--requires', join(folder, name)).trimEnd().split('\n'));
  const provides = [...new Set(required)].filter((name) => !/^(rpmlib|config|kata-check)/.test(name));
  makeRpm(folder, { name: 'base', version: '1', provides });
  made = folder;
  return folder;
}

const startingPoint = ['kata-runtime-1.0.0-1.noarch.rpm', 'kata-containers-image-1.0.0-1.noarch.rpm'];

export class RpmNode {
  readonly root: string;

  constructor(suite: string, manager: string, included: readonly string[]) {
    const tree = pristine(suite, [...included, 'rpm', 'createrepo-c'], `${suite}-${manager}`);
    this.root = join(temporaryFolder(), manager);
    execFileSync('cp', ['-a', '--reflink=auto', tree, this.root], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('cp', ['-r', packages(), join(this.root, 'repository')]);
    this.expect('createrepo_c', '-q', '/repository');
    this.rpm('-U', 'base-1-1.noarch.rpm');
  }

  /** Runs a program in the chroot; standard output and error together, as a person sees them. */
  run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
    const script =
      'mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c \'exec "$@" 2>&1\' sh "$@"';
    const { status, stdout, error } = spawnSync(
      'unshare',
      ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, this.root, ...argv],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', HOME: '/root', ...env },
        timeout: 120_000,
        maxBuffer: 1 << 26,
      },
    );
    if (error !== undefined) throw error;
    return { status, output: stdout };
  }

  /** As `run`, for what must succeed. */
  expect(...argv: string[]): string {
    const { status, output } = this.run(argv);
    if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}:\n${output}`);
    return output;
  }

  path(inside: string): string {
    return join(this.root, inside);
  }

  /** Of files of the repository, past every trigger. */
  rpm(action: '-U' | '-e', ...names: string[]): void {
    const files = action === '-U' ? names.map((name) => `/repository/${name}`) : names;
    const options = action === '-U' ? ['--oldpackage', '--replacepkgs'] : [];
    this.expect('rpm', action, ...options, '--nodeps', '--noscripts', '--notriggers', ...files);
  }

  /** Brings the node back to runtime 1.0.0, image 1.0.0 and kata-check as it is packaged, `own` of it. */
  reset(own = ownRpms()): void {
    this.rpm('-U', ...startingPoint, 'unrelated-1.0.0-1.noarch.rpm', ...own);
  }

  /** What rpm knows, and what is on the disk of it. */
  state(): string {
    const files = ['/usr/bin/kata-runtime', configuration, image]
      .map((path) => this.path(path))
      .map((path) => (existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'none'));
    return [...this.expect('rpm', '-qa').trimEnd().split('\n').sort(), ...files].join('\n');
  }

  has(...packages: readonly string[]): void {
    const installed = this.expect('rpm', '-qa').split('\n');
    for (const name of packages) assert.ok(installed.includes(`${name}-1.noarch`), `${name} in ${installed}`);
  }

  /** Puts a script in the place of the program; undefined for nothing at all. */
  replaceProgram(script: string | undefined): void {
    this.expect('rm', '-f', program);
    if (script !== undefined) writeFileSync(this.path(program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** A file of an admin. */
  write(path: string, text: string): void {
    mkdirSync(join(this.path(path), '..'), { recursive: true });
    writeFileSync(this.path(path), text);
  }
}

/** Ways in which a program can fail; none of them may stop a package manager, nor leave anything changed that was not to be. */
export const failures: readonly (readonly [rule: string, script: string | undefined])[] = [
  ['is gone', undefined],
  ['fails', 'exit 1'],
  ['does not know its arguments', 'exit 2'],
  ['ends with a status of its own', 'exit 99'],
  ['crashes', 'kill -SEGV $$'],
  ['is killed', 'kill -KILL $$'],
  ['says garbage', 'echo "}{ garbage"; echo garbage >&2'],
  ['closes everything', 'exec <&- >&- 2>&-; exit 1'],
];
