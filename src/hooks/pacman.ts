/**
 * What pacman tells a hook: the names of the packages that come in or go, a line each, and nothing else (alpm-hooks(5), NeedsTargets). Which
 * files come in is in the arguments of `pacman -U`, or pacman itself says it of what it fetched (`pacman -S --print`, which takes no lock).
 */

import { openPackage } from '../archive/package.ts';
import { Problem, Usage } from '../errors.ts';
import { type Host, readAll } from '../host/host.ts';
import { pacmanVersions } from '../locate/pacman.ts';
import { pacmanDatabase, runtimePrograms } from '../locate/programs.ts';
import { utf8 } from '../read/bytes.ts';
import { inputLimit, type PackageChange, type Transaction } from '../state/transaction.ts';
import { type Ancestor, ancestorsOf, argumentsOf, pathOf } from './ancestors.ts';

const moments = ['before', 'removal', 'after'];
/** Packages in files that are opened for their names. More come only when a system is made. */
const mostFiles = 50;
const printLimit = 16 * 1024 * 1024;

/** Throws Usage, LimitExceeded, Io. */
export async function pacmanTransaction(
  host: Host,
  args: readonly string[],
  deadline: number,
): Promise<Transaction | null> {
  const [moment = '', ...rest] = args;
  if (!moments.includes(moment) || rest.length > 0) throw new Usage('hook pacman takes before, removal or after');
  const base = { manager: 'pacman', root: '', mode: null, allow: [] };
  if (moment === 'after') return { ...base, changes: [], isDone: true };
  const names = (utf8(await readAll(host, 0, inputLimit, deadline)) ?? '').split('\n').filter((name) => name !== '');
  const installed = pacmanVersions(host, pacmanDatabase);
  const change = (name: string, action: PackageChange['action'], coming?: Coming): PackageChange => ({
    name,
    oldVersion: installed.get(name) ?? null,
    newVersion: coming?.version ?? null,
    action,
    archive: coming?.archive ?? null,
  });
  if (moment === 'removal') return { ...base, changes: names.map((name) => change(name, 'remove')) };
  const coming = await comingPackages(host, names, deadline);
  return { ...base, changes: names.map((name) => change(name, 'unpack', coming.get(name))) };
}

interface Coming {
  readonly version: string;
  /** Null when it is not on this node. */
  readonly archive: string | null;
}

async function comingPackages(
  host: Host,
  names: readonly string[],
  deadline: number,
): Promise<ReadonlyMap<string, Coming>> {
  const pacman = ancestorsOf(host).find(({ command }) => command === 'pacman');
  const files = pacman === undefined ? [] : packageFilesOf(argumentsOf(host, pacman));
  if (pacman !== undefined && files.length > 0) return inFiles(host, pacman, files, deadline);
  // On a node without a runtime nothing can stop to fit, so that the time is saved.
  const hasRuntime = runtimePrograms.some(({ path }) => host.status(path) !== undefined);
  return hasRuntime ? fetched(host, names, deadline) : new Map();
}

/** The operands that are files of packages; a name of a package in a repository has no slash and no such ending. */
export function packageFilesOf(argv: readonly string[]): string[] {
  return argv.slice(1).filter((argument) => !argument.startsWith('-') && /\.pkg\.tar(?:\.[a-z0-9]+)?$/.test(argument));
}

async function inFiles(
  host: Host,
  pacman: Ancestor,
  files: readonly string[],
  deadline: number,
): Promise<ReadonlyMap<string, Coming>> {
  const coming = new Map<string, Coming>();
  for (const file of files.slice(0, mostFiles)) {
    const archive = pathOf(host, pacman, file);
    try {
      const { name, version } = await openPackage(host, archive, deadline).fields();
      coming.set(name, { version, archive });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }
  return coming;
}

/** A line for each: the name, the version, and where it is: `file://PATH` for what is in pacman's cache. */
async function fetched(host: Host, names: readonly string[], deadline: number): Promise<ReadonlyMap<string, Coming>> {
  const argv = ['pacman', '-S', '--print', '--nodeps', '--nodeps', '--print-format', '%n\t%v\t%l', '--', ...names];
  try {
    const { stdout } = await host.run(argv, { deadline, outputLimit: printLimit });
    return parsePrinted(utf8(stdout) ?? '');
  } catch (error) {
    if (error instanceof Problem) return new Map();
    throw error;
  }
}

export function parsePrinted(text: string): ReadonlyMap<string, Coming> {
  return new Map(
    text.split('\n').flatMap((line): [string, Coming][] => {
      const [name = '', version = '', location = ''] = line.split('\t');
      if (name === '' || version === '') return [];
      const archive = location.startsWith('file:///') ? location.slice('file://'.length) : null;
      return [[name, { version, archive }]];
    }),
  );
}
