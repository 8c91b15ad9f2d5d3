/**
 * A Debian of its own in a temporary folder, made by debootstrap from the mirror that this machine's apt uses: once for each suite, in
 * $KATA_CHECK_CACHE where that is set, and copied for each test file. Nothing is mounted in it but /proc, for a test that asks for it.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, temporaryFolder } from '../images.ts';

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** What the tests of package managers need beside the base system. */
const included = ['aptitude', 'unattended-upgrades', 'sudo'];
const trees = new Map<string, string>();

function mirrorOfThisMachine(): string {
  const targets = run(
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI) $(ORIGIN) $(CODENAME)',
    'Created-By: Packages',
  );
  const mirror = targets
    .split('\n')
    .map((line) => line.split(' '))
    .find(
      ([uri, origin, codename]) => origin === 'Debian' && uri !== undefined && !/security/.test(`${uri}${codename}`),
    )?.[0];
  if (mirror === undefined) throw new Error('apt knows no Debian mirror: run apt-get update');
  return mirror;
}

/** The tree that is copied: never run in. `name` tells apart what is made of one suite. */
export function pristine(suite: string, packages = included, name = suite): string {
  const cache = process.env.KATA_CHECK_CACHE;
  const tree = trees.get(name) ?? join(cache === undefined ? temporaryFolder() : cache, `debian-${name}`);
  trees.set(name, tree);
  if (existsSync(tree)) return tree;
  rmSync(`${tree}.new`, { recursive: true, force: true });
  execFileSync(
    'debootstrap',
    ['--variant=minbase', `--include=${packages.join(',')}`, suite, `${tree}.new`, mirrorOfThisMachine()],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  renameSync(`${tree}.new`, tree);
  return tree;
}

export class Debian {
  readonly root: string;

  get mirror(): string {
    return mirrorOfThisMachine();
  }

  /** `name` tells apart what is made of one suite with other packages. */
  constructor(suite: string, packages = included, name = suite) {
    this.root = join(temporaryFolder(), name);
    execFileSync('cp', ['-a', '--reflink=auto', pristine(suite, packages, name), this.root], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    mkdirSync(join(this.root, 'repository'));
    writeFileSync(join(this.root, 'etc/apt/sources.list'), 'deb [trusted=yes] file:/repository ./\n');
  }

  /** Runs a program in the chroot; standard output and error together, as a person sees them. */
  run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
    const { status, stdout, error } = spawnSync(
      'chroot',
      [this.root, '/bin/sh', '-c', 'exec "$@" 2>&1', 'sh', ...argv],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          DEBIAN_FRONTEND: 'noninteractive',
          LC_ALL: 'C',
          HOME: '/root',
          ...env,
        },
        timeout: 120_000,
        maxBuffer: 1 << 26,
      },
    );
    if (error !== undefined) throw error;
    return { status, output: stdout };
  }

  /** With /proc, as on a node; without it a hook cannot tell below which package manager it runs. */
  withProc<T>(action: () => T): T {
    const proc = join(this.root, 'proc');
    execFileSync('mount', ['-t', 'proc', 'proc', proc]);
    try {
      return action();
    } finally {
      // Whatever is still in use there: this folder is removed at the end, and /proc must not be in it then.
      execFileSync('umount', ['--lazy', proc]);
    }
  }

  /** As `run`, for what must succeed. */
  expect(...argv: string[]): string {
    const { status, output } = this.run(argv);
    if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}:\n${output}`);
    return output;
  }

  /** Makes apt know all packages of the repository folder. */
  publish(): void {
    const folder = join(this.root, 'repository');
    const stanzas = readdirSync(folder)
      .filter((name) => name.endsWith('.deb'))
      .map((name) => {
        const content = readFileSync(join(folder, name));
        const hash = createHash('sha256').update(content).digest('hex');
        return `${run('dpkg-deb', '-f', join(folder, name)).trimEnd()}\nFilename: ./${name}\nSize: ${content.length}\nSHA256: ${hash}\n`;
      });
    writeFileSync(join(folder, 'Packages'), stanzas.join('\n'));
    this.expect('apt-get', 'update');
  }

  /** What dpkg knows, and whether it is whole. */
  packages(): string {
    return `${this.expect('dpkg', '-l')}\n${this.expect('dpkg', '--audit')}`;
  }
}
