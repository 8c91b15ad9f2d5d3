/**
 * Questions to the package database of a root: who owns a path, and what does a package declare. dpkg and rpm are asked through
 * their own programs, on the database below the root, and pacman's database is read; no program below the root is run.
 */

import { attempt, NotFound } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus, rootedHost } from '../host/rooted.ts';
import { utf8 } from '../read/bytes.ts';
import type { InstalledPackage } from './declared.ts';
import { askPacman } from './pacman.ts';
import { pacmanDatabase } from './programs.ts';
import { declaredByProvides } from './provides.ts';

const outputLimit = 16 * 1024 * 1024;

/** A line: the name, the version, and the Provides, in which no comma stands. */
export const rpmFormat = '%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t[%{PROVIDENEVRS},]\\n';

/** Where rpm keeps its database: since 4.16 of Fedora 36 and openSUSE, and before. */
const rpmDatabases = ['/usr/lib/sysimage/rpm', '/var/lib/rpm'];

/**
 * The installed packages that own one of `paths` or of `configurations`, or are named in `names`. `root`: "" for the real one; `host` is
 * not rooted. Empty when the root has no package database. Throws LimitExceeded, Io.
 */
export async function installedPackages(
  host: Host,
  root: string,
  paths: readonly string[],
  names: readonly string[],
  deadline: number,
  configurations: readonly string[] = [],
): Promise<InstalledPackage[]> {
  const found: InstalledPackage[] = [];
  // A configuration can name what no file, and no argument of a program, can be called.
  const possible = paths.filter((path) => !path.includes('\0'));
  const all = [...possible, ...configurations];
  if (followedStatus(host, `${root}/var/lib/dpkg/status`) !== undefined) {
    found.push(...(await askDpkg(host, `${root}/var/lib/dpkg`, all, names, deadline)));
  }
  const rpm = rpmDatabaseOf(host, root);
  if (rpm !== undefined) found.push(...(await askRpm(host, rpm, possible, configurations, names, deadline)));
  found.push(...askPacman(rootedHost(host, root), pacmanDatabase, all, names));
  if (configurations.length === 0) return found;
  return found.map((known) => {
    const owns = known.owns.filter((path) => possible.includes(path));
    return { ...known, owns, ...(owns.length < known.owns.length ? { configures: true } : {}) };
  });
}

/** The folder of rpm's database, with the root before it; undefined where there is none. `host` is not rooted. */
export function rpmDatabaseOf(host: Host, root: string): string | undefined {
  const folder = rpmDatabases.find((path) => followedStatus(host, `${root}${path}/rpmdb.sqlite`) !== undefined);
  return folder === undefined ? undefined : `${root}${folder}`;
}

/** Standard output whatever the status: "no such package" of one name says nothing of the others. Empty without the program. */
async function ask(host: Host, argv: readonly string[], deadline: number): Promise<string> {
  try {
    return utf8((await host.run(argv, { deadline, outputLimit })).stdout) ?? '';
  } catch (error) {
    if (error instanceof NotFound) return '';
    throw error;
  }
}

/** The characters that dpkg-query takes as a pattern stand for themselves behind a backslash. */
function literal(path: string): string {
  return path.replace(/[*?[\]\\]/g, '\\$&');
}

/** A package has some MB of list at the most. */
const listLimit = 64 * 1024 * 1024;

/**
 * Which packages own which of the paths, from their lists NAME.list or NAME:ARCHITECTURE.list, as `dpkg-query -S` says it too: that needs
 * ten times as long, as it keeps every path of every package in mind.
 */
function ownedOfDpkg(host: Host, admindir: string, paths: readonly string[]): ReadonlyMap<string, string[]> {
  const owned = new Map<string, string[]>();
  const possible = paths.filter((path) => !path.includes('\n'));
  if (possible.length === 0) return owned;
  const names = (attempt(() => host.readDirectory(`${admindir}/info`)) ?? []).filter((name) => name.endsWith('.list'));
  const lists = names.map((name) => `${admindir}/info/${name}`);
  const texts = possible.map((path) => `${path}\n`);
  for (const list of host.holding(lists, texts, listLimit).sort()) {
    const name = list.slice(list.lastIndexOf('/') + 1, -'.list'.length).replace(/:[a-z0-9-]+$/, '');
    // dpkg may take it away meanwhile.
    const known = new Set(attempt(() => host.readText(list, listLimit))?.split('\n'));
    const owns = possible.filter((path) => known.has(path));
    if (owns.length > 0) owned.set(name, [...new Set([...(owned.get(name) ?? []), ...owns])]);
  }
  return owned;
}

async function askDpkg(
  host: Host,
  admindir: string,
  paths: readonly string[],
  names: readonly string[],
  deadline: number,
): Promise<InstalledPackage[]> {
  const owned = ownedOfDpkg(host, admindir, paths);
  const asked = [...new Set([...owned.keys(), ...names])];
  if (asked.length === 0) return [];
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format =
    '${db:Status-Status}\\t${db:Status-Want}\\t${Package}\\t${Version}\\t${Kata-Agent-Requires}${XB-Kata-Agent-Requires}\\t' +
    '${Kata-Agent-Version}${XB-Kata-Agent-Version}\\n';
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const answer = await ask(
    host,
    ['dpkg-query', `--admindir=${admindir}`, '-W', '-f', format, '--', ...asked.map(literal)],
    deadline,
  );
  return answer.split('\n').flatMap((line): InstalledPackage[] => {
    const [status, want, name = '', version = '', requires = '', agent = ''] = line.split('\t');
    // Removed, with its configuration left behind.
    if (status === undefined || status === '' || status === 'config-files' || status === 'not-installed') return [];
    return [
      {
        name,
        version,
        agentRequires: requires === '' ? null : requires,
        agentVersion: agent === '' ? null : agent,
        owns: owned.get(name) ?? [],
        ...(want === 'hold' ? { isHeld: true } : {}),
      },
    ];
  });
}

async function askRpm(
  host: Host,
  database: string,
  paths: readonly string[],
  configurations: readonly string[],
  names: readonly string[],
  deadline: number,
): Promise<InstalledPackage[]> {
  const byName = new Map<string, InstalledPackage & { owns: string[] }>();
  const note = (line: string, path: string | null): void => {
    const [name = '', version, provides = ''] = line.split('\t');
    if (version === undefined) return;
    const known = byName.get(name) ?? { name, version, ...declaredByProvides(provides.split(',')), owns: [] };
    if (path !== null) known.owns.push(path);
    byName.set(name, known);
  };
  // rpm does not say which of several paths an answer is for: of the configurations it does not matter.
  const [first] = configurations;
  const questions = [...paths.map((path) => [path]), ...(first === undefined ? [] : [configurations])];
  for (const question of questions) {
    const answer = await ask(
      host,
      ['rpm', '--dbpath', database, '-qf', '--queryformat', rpmFormat, '--', ...question],
      deadline,
    );
    for (const line of answer.split('\n')) note(line, question[0] ?? null);
  }
  if (names.length > 0) {
    const answer = await ask(
      host,
      ['rpm', '--dbpath', database, '-q', '--queryformat', rpmFormat, '--', ...names],
      deadline,
    );
    for (const line of answer.split('\n')) note(line, null);
  }
  return [...byName.values()];
}
