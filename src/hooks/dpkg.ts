/**
 * What a running dpkg is about to unpack, from its arguments (dpkg(1)): a hook of dpkg is told the action, but none of the packages.
 */

import { readDebFields } from '../archive/deb.ts';
import type { PackageFields } from '../archive/members.ts';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { rootedHost } from '../host/rooted.ts';
import { runtimePrograms } from '../locate/installation.ts';
import { installedPackages } from '../locate/packages.ts';
import type { PackageChange } from '../require/transaction.ts';
import { type Ancestor, argumentsOf, pathOf } from './ancestors.ts';

/** What is looked at below the folders of --recursive. */
const entryLimit = 100_000;
const depthLimit = 32;
/** So many packages are read whatever they are called. More come only when a system is made, and reading each would take seconds then. */
const fewArchives = 20;

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
  /** Of --root or --instdir, as it is written; null when there is none. */
  readonly root: string | null;
}

/** `argv` with the program's name. dpkg's options end at the first argument that is none, or at `--`. */
export function parseDpkgArguments(argv: readonly string[]): DpkgCommand {
  const pending = argv.slice(1);
  let isRecursive = false;
  let root: string | null = null;
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
    const [, name = '', equals, given = ''] = /^--([^=]*)(=?)(.*)$/s.exec(argument) ?? [];
    const value = withValue.has(name) && equals === '' ? (pending.shift() ?? '') : given;
    if (name === 'recursive') isRecursive = true;
    if (name === 'root' || name === 'instdir') root = value;
  }
  return { operands: pending, isRecursive, root };
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
  const archives = isRecursive ? archivesBelow(host, given) : given;
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

/** Without reading the archive: `/path/name_version_arch.deb`. */
export function nameOfArchive(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).split('_', 1)[0] ?? '';
}

function canConcernKata(host: Host, root: string, archives: readonly string[]): boolean {
  const rooted = root === '' ? host : rootedHost(host, root);
  return (
    archives.some((archive) => nameOfArchive(archive).includes('kata')) ||
    runtimePrograms.some(({ path }) => rooted.status(path) !== undefined)
  );
}

/** As dpkg looks for them: files that end in .deb, also through symlinks. Throws LimitExceeded, Io. */
function archivesBelow(host: Host, folders: readonly string[]): string[] {
  const archives: string[] = [];
  const pending = folders.map((path) => ({ path, depth: 0 }));
  for (let count = 0; pending.length > 0 && count < entryLimit; count += 1) {
    const { path = '', depth = 0 } = pending.shift() ?? {};
    // Through the kernel, which alone can follow the links of /proc.
    if (host.status(`${path}/.`) === undefined) {
      if (path.endsWith('.deb')) archives.push(path);
      continue;
    }
    if (depth > depthLimit) continue;
    const names = host.readDirectory(path).sort();
    pending.push(...names.map((name) => ({ path: `${path.replace(/\/$/, '')}/${name}`, depth: depth + 1 })));
  }
  return archives;
}
