/**
 * What a running dpkg is about to unpack, from its arguments (dpkg(1)): a hook of dpkg is told the action, but none of the packages.
 */

import { readDebFields } from '../archive/deb.ts';
import type { PackageFields } from '../archive/members.ts';
import { attempt, LimitExceeded, Problem, Usage } from '../errors.ts';
import type { Host, Status } from '../host/host.ts';
import { rootedHost } from '../host/rooted.ts';
import { installedPackages } from '../locate/packages.ts';
import { runtimePrograms } from '../locate/programs.ts';
import type { PackageChange, Transaction } from '../state/transaction.ts';
import { type Ancestor, ancestorsOf, argumentsOf, pathOf } from './ancestors.ts';
import { nameOfArchive } from './apt.ts';
import { namesIn, reachable } from './file-names.ts';
import { hasToken } from './token.ts';

/** What is looked at below the folders of --recursive. */
const entryLimit = 100_000;
const depthLimit = 32;
/** So many packages are read whatever they are called. More come only when a system is made, and reading each would take seconds then. */
const fewArchives = 20;

/** A line for each lock of the machine, in bytes. */
const locksLimit = 16 * 1024 * 1024;

/** Options whose value is the next argument unless it is behind a `=`. */
const withValue = new Set([
  'abort-after',
  'admindir',
  'command-fd',
  'debug',
  'ignore-depends',
  'instdir',
  'log',
  'path-exclude',
  'path-include',
  'post-invoke',
  'pre-invoke',
  'root',
  'status-fd',
  'status-logger',
  'verify-format',
]);

export interface DpkgCommand {
  /** Archives, or folders of them. */
  readonly operands: readonly string[];
  readonly isRecursive: boolean;
}

/** `argv` with the program's name. dpkg's options end at the first argument that is none, or at `--`. */
export function parseDpkgArguments(argv: readonly string[]): DpkgCommand {
  const name = argv.slice(0, 3).findIndex(isDpkgName);
  const pending = argv.slice(Math.max(name, 0) + 1);
  let isRecursive = false;
  while (pending[0]?.startsWith('-')) {
    const argument = pending.shift() ?? '';
    if (argument === '--') break;
    if (!argument.startsWith('--')) {
      // Letters in one word; the rest of it, or the next word, is the value of -D.
      const letters = argument.slice(1).split('=', 1)[0] ?? '';
      const value = letters.indexOf('D');
      if ((value === -1 ? letters : letters.slice(0, value)).includes('R')) isRecursive = true;
      if (value !== -1 && argument.endsWith('D')) pending.shift();
      continue;
    }
    if (withValue.has(argument.slice(2))) pending.shift();
    if (argument === '--recursive') isRecursive = true;
  }
  return { operands: pending, isRecursive };
}

export interface Unpacking {
  readonly changes: readonly PackageChange[];
  /** Every package could be read. */
  readonly isWhole: boolean;
}

/**
 * `root`: the one that is changed, "" for the real one. Null where its arguments name no archive. Throws Io, LimitExceeded.
 */
export async function unpackedBy(
  host: Host,
  dpkg: Ancestor,
  root: string,
  deadline: number,
): Promise<Unpacking | null> {
  const { operands, isRecursive } = parseDpkgArguments(argumentsOf(host, dpkg));
  const given = operands.map((path) => pathOf(host, dpkg, path));
  const archives = isRecursive ? await archivesBelow(host, given, deadline) : given;
  if (archives.length === 0 || (archives.length > fewArchives && !canConcernKata(host, root, archives))) return null;
  const fields = new Map<string, PackageFields>();
  for (const archive of archives) {
    try {
      fields.set(archive, await readDebFields(host, archive, deadline));
    } catch (error) {
      // dpkg will say so itself.
      if (!(error instanceof Problem)) throw error;
    }
  }
  const names = [...fields.values()].map((known) => known.name);
  const installed = new Map(
    (await installedPackages(host, root, [], names, deadline)).map(({ name, version }) => [name, version]),
  );
  const changes = archives.map((archive): PackageChange => {
    const known = fields.get(archive);
    return {
      name: known?.name ?? nameOfArchive(archive),
      oldVersion: installed.get(known?.name ?? '') ?? null,
      newVersion: known?.version ?? null,
      action: 'unpack',
      archive,
    };
  });
  return { changes, isWhole: fields.size === archives.length };
}

function canConcernKata(host: Host, root: string, archives: readonly string[]): boolean {
  const rooted = root === '' ? host : rootedHost(host, root);
  return (
    archives.some((archive) => nameOfArchive(archive).includes('kata')) ||
    runtimePrograms.some(({ path }) => rooted.status(path) !== undefined)
  );
}

/** As dpkg looks for them: files that end in .deb, also through symlinks. Throws LimitExceeded, Io. */
async function archivesBelow(host: Host, folders: readonly string[], deadline: number): Promise<string[]> {
  const archives: string[] = [];
  const pending = folders.map((path) => ({ path, name: path, depth: 0 }));
  for (let index = 0; index < pending.length; index += 1) {
    if (index === entryLimit) throw new LimitExceeded(`more than ${entryLimit} files below ${folders.join(', ')}`);
    const { path = '', name = '', depth = 0 } = pending[index] ?? {};
    // Through the kernel, which alone can follow the links of /proc.
    if (host.status(`${path}/.`) === undefined) {
      if (name.endsWith('.deb')) archives.push(path);
      continue;
    }
    if (depth > depthLimit) continue;
    const names = (await namesBelow(host, path, deadline)).sort();
    pending.push(
      ...names.map((inside) => ({
        path: reachable(host, `${path.replace(/\/$/, '')}/${inside}`),
        name: inside,
        depth: depth + 1,
      })),
    );
  }
  return archives;
}

/** Names that are no UTF-8 are as file-names.ts has them. Throws LimitExceeded, NotFound, Io. */
async function namesBelow(host: Host, folder: string, deadline: number): Promise<string[]> {
  const names = host.readDirectory(folder);
  if (!names.some((name) => name.includes('\ufffd'))) return names;
  const argv = ['find', `${folder}/`, '-mindepth', '1', '-maxdepth', '1', '-printf', '%f\\0'];
  return namesIn((await host.run(argv, { deadline, outputLimit: entryLimit * 256 })).stdout);
}

/**
 * Of a pre-invoke hook (dpkg(1)), or `triggered` after the fact. Where a front end holds the lock (DPKG_FRONTEND_LOCKED) and left no token,
 * it does not call our hook, or that failed; it may have dpkg unpack in several runs, of which this is one.
 */
export async function dpkgTransaction(
  host: Host,
  args: readonly string[],
  deadline: number,
): Promise<Transaction | null> {
  const root = rootOf(host);
  const base = { manager: 'dpkg', root, mode: null, allow: [] };
  if (args[0] === 'triggered') return { ...base, changes: [], isDone: true };
  if (args.length > 0) throw new Usage(`hook dpkg takes no argument but triggered: ${args[0]}`);
  const action = host.environment('DPKG_HOOK_ACTION');
  if (action !== 'install' && action !== 'unpack') return null;
  const ancestors = ancestorsOf(host);
  const dpkg = dpkgAmong(host, ancestors);
  if (dpkg === undefined || hasToken(host, ancestors)) return null;
  const unpacking = await unpackedBy(host, dpkg, root, deadline);
  if (unpacking === null) return null;
  return { ...base, changes: unpacking.changes, isPart: isBelowFrontEnd(host, root, ancestors) };
}

/**
 * Of a package's preinst, with its own arguments: the last one that can stop it, and only for a dpkg that nothing was asked before.
 * Silent where the running dpkg's arguments do not tell that this package comes.
 */
export async function preinstTransaction(
  host: Host,
  args: readonly string[],
  deadline: number,
): Promise<Transaction | null> {
  if (args.length === 0)
    throw new Usage("hook preinst takes dpkg's own arguments: install or upgrade, and the versions");
  if (args[0] !== 'install' && args[0] !== 'upgrade') return null;
  const root = rootOf(host);
  const ancestors = ancestorsOf(host);
  const dpkg = dpkgAmong(host, ancestors);
  if (dpkg === undefined || hasToken(host, ancestors)) return null;
  const unpacking = await unpackedBy(host, dpkg, root, deadline);
  const own = host.environment('DPKG_MAINTSCRIPT_PACKAGE');
  if (unpacking === null || !unpacking.changes.some(({ name }) => name === own)) return null;
  const isPart = !unpacking.isWhole || isBelowFrontEnd(host, root, ancestors);
  return { manager: 'dpkg', root, changes: unpacking.changes, mode: null, allow: [], isPart };
}

/** The one that is changed; "" for the real one. */
function rootOf(host: Host): string {
  return (host.environment('DPKG_ROOT') ?? '').replace(/\/+$/, '');
}

function isDpkg({ command }: Ancestor): boolean {
  return command === 'dpkg';
}

/** Under its own name or, where it was diverted or is run by a loader, another: the nearest that is called as a dpkg is. */
export function dpkgAmong(host: Host, ancestors: readonly Ancestor[]): Ancestor | undefined {
  return (
    ancestors.find(isDpkg) ?? ancestors.find((ancestor) => argumentsOf(host, ancestor).slice(0, 3).some(isDpkgName))
  );
}

/** /usr/bin/dpkg, dpkg.real, dpkg.distrib; not dpkg-deb. */
function isDpkgName(word: string): boolean {
  return /^(?:.*\/)?dpkg(?:\.[^/]*)?$/.test(word);
}

/**
 * Whoever sets this variable holds dpkg's lock meanwhile (dpkg's doc/frontend.txt), and only root can. In the environment of some shell, where
 * nobody does, it means nothing. The lock is looked for with the processes above, and in proc_locks(5) by its inode alone: on an overlay its
 * device has two numbers.
 */
function isBelowFrontEnd(host: Host, root: string, ancestors: readonly Ancestor[]): boolean {
  if ((host.environment('DPKG_FRONTEND_LOCKED') ?? '') === '') return false;
  const lock = attempt(() => host.status(`${root}/var/lib/dpkg/lock-frontend`));
  if (lock === undefined) return true;
  const inode = lock.identity.slice(lock.identity.indexOf(':') + 1);
  const locks = attempt(() => host.readText('/proc/locks', locksLimit)) ?? '';
  return locks.includes(`:${inode} `) || ancestors.some((ancestor) => hasOpen(host, ancestor, lock));
}

function hasOpen(host: Host, { pid }: Ancestor, file: Status): boolean {
  const folder = `/proc/${pid}/fd`;
  const opened = (name: string): Status | undefined => host.status(host.readLink(`${folder}/${name}`));
  const descriptors = attempt(() => host.readDirectory(folder)) ?? [];
  return descriptors.some((name) => attempt(() => opened(name))?.identity === file.identity);
}
