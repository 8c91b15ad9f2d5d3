/**
 * The database of pacman: a folder for each installed package, NAME-VERSION-RELEASE, with `desc` (blocks of a %FIELD% and its values) and
 * `files` (a list of paths without the first slash). Source: libalpm, be_local.c; a package states what it provides as NAME=VERSION.
 */

import { attempt, Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { InstalledPackage } from './declared.ts';
import { declaredByProvides } from './provides.ts';

/** A description has some kB, and the longest list of files some MB. */
const fileLimit = 64 * 1024 * 1024;

/** The versions of what is installed, by name; empty where pacman is not in use. */
export function pacmanVersions(host: Host, database: string): ReadonlyMap<string, string> {
  return new Map(entriesOf(host, database).map(({ name, version }) => [name, version]));
}

/** The installed packages that own one of `paths` or are named in `names`. Throws Io, LimitExceeded. */
export function askPacman(
  host: Host,
  database: string,
  paths: readonly string[],
  names: readonly string[],
): InstalledPackage[] {
  const entries = entriesOf(host, database);
  const lists = entries.map(({ folder }) => `${database}/${folder}/files`);
  const texts = paths.map((path) => `\n${path.slice(1)}\n`);
  const owning = new Set(host.holding(lists, texts, fileLimit));
  return entries.flatMap(({ name, version, folder }): InstalledPackage[] => {
    const list = `${database}/${folder}/files`;
    if (!owning.has(list) && !names.includes(name)) return [];
    const owned = owning.has(list) ? new Set(host.readText(list, fileLimit).split('\n')) : new Set<string>();
    const declared = declaredByProvides(providesOf(textOf(host, `${database}/${folder}/desc`)));
    return [{ name, version, ...declared, owns: paths.filter((path) => owned.has(path.slice(1))) }];
  });
}

/** The list of files and the description of each of these packages that is installed. */
export function pacmanFiles(host: Host, database: string, names: ReadonlySet<string>): string[] {
  return entriesOf(host, database).flatMap(({ name, folder }) =>
    names.has(name) ? [`${database}/${folder}/files`, `${database}/${folder}/desc`] : [],
  );
}

interface Entry {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

/** NAME-VERSION-RELEASE, where a name may have dashes and a version has none. */
export function entriesOf(host: Host, database: string): Entry[] {
  try {
    return host.readDirectory(database).flatMap((folder): Entry[] => {
      const [, name, version] = /^(.+)-([^-]+-[^-]+)$/.exec(folder) ?? [];
      return name === undefined || version === undefined ? [] : [{ name, version, folder }];
    });
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
}

function textOf(host: Host, path: string): string {
  return attempt(() => host.readText(path, fileLimit)) ?? '';
}

function providesOf(description: string): string[] {
  const block = /^%PROVIDES%\n((?:.+\n)*)/m.exec(description)?.[1] ?? '';
  return block.split('\n').map(asProvide);
}

/** In the words of rpm: pacman allows no brackets in a name and no blanks around the sign. */
export function asProvide(text: string): string {
  return text.replace(/^kata-agent-requires-(min|max)=/, 'kata-agent-requires($1)=').replace('=', ' = ');
}
