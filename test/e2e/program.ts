/** The program in both its forms, as a user runs it. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../images.ts';

const dist = join(import.meta.dirname, '../../dist');
const native = join(dist, 'kata-check');

export interface Form {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** For `needs` of a test. */
  readonly needs: readonly string[];
}

const emulated = process.env.KATA_CHECK_NATIVE?.split(' ') as [string, ...string[]] | undefined;

export const forms: readonly Form[] = [
  { name: 'Node.js', argv: [process.execPath, join(dist, 'kata-check.mjs')], needs: [] },
  // KATA_CHECK_NATIVE runs another one in its place, such as that of another architecture: `qemu-s390x-static -L /usr/s390x-linux-gnu PROGRAM`.
  { name: 'native', argv: emulated ?? [native], needs: [native] },
];

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/** When a report was made, which is never the same twice. */
const clock = /("time": ?"|_time_seconds )[-0-9.:TZ]+/g;

/** Nothing of the caller's environment reaches the program but PATH. */
export function kataCheck(form: Form, args: readonly string[], options: RunOptions = {}): Outcome {
  const [program, ...first] = form.argv;
  const { status, stdout, stderr, error } = spawnSync(program, [...first, ...args], {
    encoding: 'utf8',
    cwd: options.cwd ?? '/',
    input: options.input ?? '',
    env: { PATH: '/usr/bin:/bin', ...options.env },
    timeout: 60_000,
    maxBuffer: 1 << 26,
  });
  // A program that is switched off ends before it has read its input, as it may.
  if (error !== undefined && !('code' in error && error.code === 'EPIPE')) throw error;
  return { status, stdout: stdout.replace(clock, '$1TIME'), stderr };
}

/** Through a shell, for redirections; the program is `"$@"`. */
export function kataCheckInShell(form: Form, script: string, env: Readonly<Record<string, string>> = {}): Outcome {
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['-c', script, 'bash', ...form.argv], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', ...env },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/**
 * As root, with an empty /run of its own: what hooks leave there would be found by the next test, and by this machine. `prepare`: further
 * shell in that place, before.
 */
export function inOwnRun(argv: readonly string[], prepare = ':'): string[] {
  if (process.geteuid?.() !== 0) return [...argv];
  const script = `mount -t tmpfs -o mode=755 tmpfs /run && ${prepare} && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', ...argv];
}

export const staticProgram = join(dist, 'kata-check-static');

/** The static program in a chroot that holds nothing but it and what is in the folder; as root. */
export function inNothing(folder: string, ...args: string[]): Outcome {
  copyFileSync(staticProgram, join(folder, 'kata-check'));
  const { status, stdout, stderr } = spawnSync('chroot', [folder, '/kata-check', ...args], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin' },
  });
  return { status, stdout: stdout.replace(clock, '$1TIME'), stderr };
}

export const sampleNode = join(import.meta.dirname, '../fixtures/founding-case/node');
export const samplePackages = join(import.meta.dirname, '../fixtures/founding-case/incoming');

export interface Step {
  readonly name: string;
  readonly old: string | null;
  readonly next: string | null;
  /** A path, `**CONFIGURE**` or `**REMOVE**`. */
  readonly what: string;
}

const upgradeOf = (name: string): Step => ({
  name,
  old: '1.0.0-1',
  next: '1.1.0-1',
  what: join(samplePackages, `${name}_1.1.0-1_all.deb`),
});

/** The upgrades of the sample node's two packages: each alone does not fit the other one. */
export const runtimeStep = upgradeOf('kata-runtime');
export const imageStep = upgradeOf('kata-containers-image');

/** A copy of the sample node in which the real dpkg can work. */
export function dpkgNode(): string {
  const root = join(temporaryFolder(), 'node');
  cpSync(sampleNode, root, { recursive: true });
  for (const folder of ['info', 'updates', 'triggers'])
    mkdirSync(join(root, 'var/lib/dpkg', folder), { recursive: true });
  writeFileSync(join(root, 'var/lib/dpkg/available'), '');
  return root;
}

/** What apt writes for these steps, in protocol version 3, for the sample node or another root. */
export function aptInput(steps: readonly Step[], options: readonly string[] = [], root = sampleNode): string {
  const lines = steps.map(({ name, old, next, what }) => {
    const sign = old !== null && old === next ? '=' : next === null ? '>' : '<';
    const side = (version: string | null): string => (version === null ? '- - none' : `${version} all none`);
    return `${name} ${side(old)} ${sign} ${side(next)} ${what}`;
  });
  return ['VERSION 3', 'APT::Architecture=amd64', `DPkg::Options::=--root=${root}`, ...options, '', ...lines, ''].join(
    '\n',
  );
}
