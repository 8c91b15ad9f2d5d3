/**
 * The configurations of Kata that others name: containerd and CRI-O for a handler, and the wrapper scripts in /usr/local/bin that
 * kata-deploy wrote until containerd could name one.
 *
 * containerd: `[plugins."…".containerd.runtimes.HANDLER.options] ConfigPath`, where the plugin's name depends on the version of the
 * file; `imports` name further files, with `*`. CRI-O: `[crio.runtime.runtimes.HANDLER] runtime_config_path` in crio.conf and
 * crio.conf.d. Not read: what a handler that is not Kata's names; templates from which k3s makes its file.
 */

import type { TomlTable } from 'smol-toml';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import { confidential, isTable, languageOfName, type Reader, readToml, type Unread } from './configurations.ts';

export interface NamedConfiguration {
  readonly path: string;
  /** As "containerd, handler kata-qemu". */
  readonly by: string;
  readonly reader: Reader;
}

export interface Named {
  readonly configurations: readonly NamedConfiguration[];
  readonly unread: readonly Unread[];
}

interface Program extends Reader {
  /** Where it is. */
  readonly path: string;
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

/** `host` is rooted; `programs`: the runtimes that are there. Throws LimitExceeded, Io. */
export function namedConfigurations(host: Host, programs: readonly Program[]): Named {
  const unread: Unread[] = [];
  /** By daemon and handler: what is read later wins. */
  const found = new Map<string, NamedConfiguration>();
  const note = (by: string, configuration: unknown, program: string | undefined): void => {
    if (typeof configuration !== 'string' || !configuration.startsWith('/')) return;
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
  return { configurations: [...found.values()], unread };
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

/** A path, or those whose last part fits a pattern with `*`. */
function matching(host: Host, pattern: string): string[] {
  const name = pattern.slice(pattern.lastIndexOf('/') + 1);
  if (!name.includes('*')) return [pattern];
  const pieces = name.split('*');
  return filesIn(host, pattern.slice(0, -name.length - 1)).filter((path) =>
    fits(path.slice(path.lastIndexOf('/') + 1), pieces),
  );
}

/** Whether a name is made of these pieces with anything between them. In one pass: a pattern is input, too. */
function fits(name: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const next = name.indexOf(piece, at);
    if (next === -1) return false;
    at = next + piece.length;
  }
  return at <= name.length - last.length;
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
      .readDirectory(folder)
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
}

function handlersOf(document: TomlTable): [string, TomlTable][] {
  return containerdPlugins.flatMap((plugin) => tablesIn(document, 'plugins', plugin, 'containerd', 'runtimes'));
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
