/**
 * The configurations of Kata that others name: containerd and CRI-O for a handler, and the wrapper scripts in /usr/local/bin that
 * kata-deploy wrote until containerd could name one.
 *
 * containerd: `[plugins."…".containerd.runtimes.HANDLER.options] ConfigPath`, where the plugin's name depends on the version of the
 * file; `imports` name further files, with `*` and `?`. CRI-O: `[crio.runtime.runtimes.HANDLER] runtime_config_path` in crio.conf and
 * crio.conf.d. Not read: what a handler that is not Kata's names; templates from which k3s makes its file; patterns with `[`.
 *
 * A shim that such a file names and that is not in one of the usual places is a runtime of its own.
 */

import type { TomlTable } from 'smol-toml';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import { confidential, endOfLinks, languageOfName, type NamedConfiguration, type Reader } from './configurations.ts';
import { isTable, readToml, type Unread } from './toml.ts';

export interface Named {
  readonly configurations: readonly NamedConfiguration[];
  /** The shims that they name in other places. */
  readonly programs: readonly NamedProgram[];
  readonly unread: readonly Unread[];
}

export interface NamedProgram extends Reader {
  readonly path: string;
  readonly prefix: string;
}

interface Program extends NamedProgram {
  /** What leads there: itself, or a link or a script that others may name. */
  readonly calledAs: string;
}

/** The usual one; k3s and rke2, k0s, MicroK8s. */
const containerdFiles: readonly string[] = [
  '/etc/containerd/config.toml',
  '/var/lib/rancher/k3s/agent/etc/containerd/config.toml',
  '/var/lib/rancher/rke2/agent/etc/containerd/config.toml',
  '/etc/k0s/containerd.toml',
  '/var/snap/microk8s/current/args/containerd.toml',
];

/** Of the file's version 1, 2 and 3. */
const containerdPlugins = ['cri', 'io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime'] as const;

const crioFile = '/etc/crio/crio.conf';
/** With all that they import. A node has a handful. */
const importLimit = 100;
/** kata-deploy's have less than 300 bytes. */
const wrapperLimit = 4096;
const wrapperFolder = '/usr/local/bin';

/** `host` is rooted; `known`: the runtimes that are there. Throws LimitExceeded, Io. */
export function namedConfigurations(host: Host, known: readonly Program[]): Named {
  const unread: Unread[] = [];
  const others: NamedProgram[] = [];
  const programs: Program[] = [...known];
  /** By daemon and handler: what is read later wins. */
  const found = new Map<string, NamedConfiguration>();
  const note = (by: string, configuration: unknown, program: string | undefined): void => {
    if (typeof configuration !== 'string' || !configuration.startsWith('/')) return;
    if (program !== undefined && !programs.some(({ calledAs }) => calledAs === program)) {
      const end = programBehind(host, program, programs);
      if (end !== undefined) {
        if (!programs.some(({ path }) => path === end.path)) others.push(end);
        programs.push({ ...end, calledAs: program });
      }
    }
    found.set(by, { path: configuration, by, reader: readerOf(programs, configuration, program) });
  };
  for (const file of containerdFiles) {
    for (const document of withImports(host, file, unread)) {
      for (const [handler, runtime] of handlersOf(document)) {
        if (!isKata(runtime) || !isTable(runtime.options)) continue;
        note(`containerd, handler ${handler}`, runtime.options.ConfigPath, shimOf(programs, runtime));
      }
    }
  }
  for (const file of [crioFile, ...filesIn(host, `${crioFile}.d`)]) {
    const document = isFile(host, file) ? readToml(host, file, unread) : undefined;
    for (const [handler, runtime] of tablesIn(document, 'crio', 'runtime', 'runtimes')) {
      if (!isKata(runtime) && runtime.runtime_type !== 'vm') continue;
      note(`CRI-O, handler ${handler}`, runtime.runtime_config_path, textOf(runtime.runtime_path));
    }
  }
  for (const path of filesIn(host, wrapperFolder)) {
    const script = /\/containerd-shim-kata-[^/]*v2$/.test(path) ? scriptIn(host, path) : undefined;
    if (script === undefined) continue;
    const configuration = /\bKATA_CONF_FILE=["']?([^\s"']+)/.exec(script)?.[1];
    note(path, configuration, wrappedProgram(script, programs)?.calledAs);
  }
  return { configurations: [...found.values()], programs: others, unread };
}

/** The file and what it imports, in the order in which later ones win. */
function withImports(host: Host, first: string, unread: Unread[]): TomlTable[] {
  const documents: TomlTable[] = [];
  const seen = new Set<string>();
  const pending = [first];
  while (pending.length > 0) {
    const file = pending.shift() ?? '';
    if (seen.has(file) || host.status(file) === undefined) continue;
    if (seen.size === importLimit) {
      unread.push({ path: first, message: `${first}: imports more than ${importLimit} files` });
      break;
    }
    seen.add(file);
    const document = readToml(host, file, unread);
    if (document === undefined) continue;
    documents.push(document);
    const folder = file.slice(0, file.lastIndexOf('/'));
    for (const pattern of Array.isArray(document.imports) ? document.imports : []) {
      if (typeof pattern !== 'string') continue;
      pending.push(...matching(host, pattern.startsWith('/') ? pattern : `${folder}/${pattern}`));
    }
  }
  return documents;
}

/** A path, or those that fit a pattern with `*` and `?`. */
function matching(host: Host, pattern: string): string[] {
  let paths = [''];
  for (const part of pattern.split('/').slice(1)) {
    paths = /[*?]/.test(part)
      ? paths.flatMap((folder) => filesIn(host, folder).filter((path) => fits(nameOf(path), part)))
      : paths.map((folder) => `${folder}/${part}`);
    // One more than is read, so that it is told.
    paths = paths.slice(0, importLimit + 1);
  }
  return paths;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether a name fits a pattern. Only the last `*` is ever tried again: a pattern is input, too. */
function fits(name: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === '*') {
      star = at;
      retry = index;
      at += 1;
    } else if (pattern[at] === '?' || pattern[at] === name[index]) {
      at += 1;
      index += 1;
    } else if (star !== -1) {
      at = star + 1;
      retry += 1;
      index = retry;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}

/** What is there and is no folder; CRI-O does not mind one. A link that dangles is a file that cannot be read. */
function isFile(host: Host, path: string): boolean {
  try {
    return host.status(path) !== undefined && followedStatus(host, path)?.kind !== 'directory';
  } catch (error) {
    if (error instanceof Problem) return true;
    throw error;
  }
}

/** Sorted; none of what is no directory. */
function filesIn(host: Host, folder: string): string[] {
  try {
    return host
      .readDirectory(folder === '' ? '/' : folder)
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
}

/** Until 1.7 two of them also stood outside of the list. */
const singleHandlers: readonly string[] = ['default_runtime', 'untrusted_workload_runtime'];

function handlersOf(document: TomlTable): [string, TomlTable][] {
  return containerdPlugins.flatMap((plugin) => [
    ...tablesIn(document, 'plugins', plugin, 'containerd').filter(([name]) => singleHandlers.includes(name)),
    ...tablesIn(document, 'plugins', plugin, 'containerd', 'runtimes'),
  ]);
}

/** The tables below a path of keys. */
function tablesIn(document: TomlTable | undefined, ...keys: readonly string[]): [string, TomlTable][] {
  let table: unknown = document;
  for (const key of keys) table = isTable(table) && Object.hasOwn(table, key) ? table[key] : undefined;
  if (!isTable(table)) return [];
  return Object.entries(table).filter((entry): entry is [string, TomlTable] => isTable(entry[1]));
}

function isKata({ runtime_type: type, runtime_path: path }: TomlTable): boolean {
  return [type, path].some((text) => typeof text === 'string' && text.includes('kata'));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * The path of the shim that containerd runs for a handler: runtime_path, else for io.containerd.kata.v2 the first containerd-shim-kata-v2
 * in containerd's own PATH, where /usr/local/bin comes first.
 */
function shimOf(
  programs: readonly Program[],
  { runtime_type: type, runtime_path: path }: TomlTable,
): string | undefined {
  const given = textOf(path);
  if (given !== undefined) return given;
  const name = `/bin/containerd-shim-${(textOf(type) ?? '').replace(/^io\.containerd\./, '').replaceAll('.', '-')}`;
  return ['/usr/local', '/usr']
    .map((prefix) => prefix + name)
    .find((candidate) => programs.some(({ calledAs }) => calledAs === candidate));
}

/** The runtime that a path leads to: one of these, by a link or a script, or a shim in a place of its own. */
function programBehind(host: Host, path: string, programs: readonly Program[]): NamedProgram | undefined {
  try {
    const end = endOfLinks(host, path);
    const script = scriptIn(host, end);
    const known =
      programs.find(({ calledAs }) => calledAs === end || endOfLinks(host, calledAs) === end) ??
      (script === undefined ? undefined : wrappedProgram(script, programs));
    if (known !== undefined) return known;
    const prefix = /^(\/.+?)(\/runtime-rs)?\/bin\/(?:containerd-shim-kata[a-z0-9-]*-v2|kata-runtime)$/.exec(end);
    if (host.status(end)?.kind !== 'file' || prefix === null) return undefined;
    return { path: end, prefix: prefix[1] ?? '', language: prefix[2] === undefined ? null : 'rust' };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** Whom a configuration belongs to: the program that is named with it, else one that is there and below whose prefix it lies. */
function readerOf(programs: readonly Program[], configuration: string, program: string | undefined): Reader {
  const known = programs.find(({ calledAs }) => calledAs === program);
  if (known !== undefined) return { prefix: known.prefix, language: known.language };
  const prefix = ['/opt/kata', confidential].find(
    (one) => configuration.startsWith(`${one}/`) && programs.some((other) => other.prefix === one),
  );
  if (prefix === undefined) return { prefix: null, language: null };
  return { prefix, language: prefix === '/opt/kata' ? languageOfName(configuration) : null };
}

/** The text of a small script; undefined for anything else. */
export function scriptIn(host: Host, path: string): string | undefined {
  try {
    const file = host.open(path);
    const isSmall = file.size > 2 && file.size <= wrapperLimit;
    file.close();
    const text = isSmall ? host.readText(path, wrapperLimit) : '';
    return text.startsWith('#!') ? text : undefined;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** The known runtime that a script runs. */
export function wrappedProgram<T extends { readonly path: string; readonly calledAs?: string }>(
  script: string,
  programs: readonly T[],
): T | undefined {
  const words = script.split(/[\s"']+/);
  return programs.find(({ path, calledAs = path }) => words.includes(calledAs));
}
