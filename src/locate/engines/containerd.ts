/**
 * The handlers of containerd: `[plugins."…".containerd.runtimes.HANDLER]`, where the plugin's name depends on the version of the file,
 * and `options.ConfigPath` names the configuration. `imports` name further files, with `*` and `?`. A handler has a snapshotter of its own
 * (`snapshotter`), else the plugin's.
 *
 * Not read: templates from which k3s makes its file; patterns with `[`.
 */

import type { TomlTable } from 'smol-toml';
import type { Host } from '../../host/host.ts';
import type { Placed } from '../../protocol/settings.ts';
import { filesIn, nameOf } from '../files.ts';
import { isTable, type Lines, readToml, type Unread } from '../toml.ts';
import { type Handler, speaksOfKata, tablesIn, textOf } from './handler.ts';

/** The file from which containerd begins, and patterns of files that somebody else merges into it: those are read before it. */
const installations: readonly { readonly file: string; readonly parts?: readonly string[] }[] = [
  { file: '/etc/containerd/config.toml' },
  { file: '/var/lib/rancher/k3s/agent/etc/containerd/config.toml' },
  { file: '/var/lib/rancher/rke2/agent/etc/containerd/config.toml' },
  // k0s merges these itself into /run/k0s/containerd-cri.toml, which is there only while it runs (k0s: pkg/component/worker/containerd).
  { file: '/etc/k0s/containerd.toml', parts: ['/etc/k0s/containerd.d/*.toml'] },
  { file: '/var/snap/microk8s/current/args/containerd.toml' },
  // Talos merges the parts that its extensions bring into conf.d/cri.toml, which its containerd.toml imports.
  { file: '/etc/cri/containerd.toml', parts: ['/etc/cri/conf.d/*.part', '/etc/cri/conf.d/*.toml'] },
];

/** Of the file's version 1, 2 and 3. */
const plugins = ['cri', 'io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime'] as const;

/** With all that they import. A node has a handful. */
const importLimit = 100;

export function containerdHandlers(host: Host, unread: Unread[]): Handler[] {
  return installations.flatMap(({ file, parts = [] }) => {
    const pending = [...parts.flatMap((pattern) => matching(host, pattern)), file];
    const documents = withImports(host, file, pending, unread);
    const usual = documents.map(usualSnapshotter).findLast((found) => found !== undefined);
    return documents.flatMap((document) => handlersOf(document, usual));
  });
}

interface Document {
  readonly file: string;
  readonly content: TomlTable;
  readonly lines: Lines;
}

/** The images' plugin of the file's version 3. */
const imagesPlugin = 'io.containerd.cri.v1.images';

/** Of the handlers that name none. */
function usualSnapshotter(document: Document): Placed | undefined {
  const tables = [...plugins.map((plugin) => ['plugins', plugin, 'containerd']), ['plugins', imagesPlugin]];
  return tables.map((keys) => snapshotterIn(document, keys)).find((found) => found !== undefined);
}

function snapshotterIn({ file, content, lines }: Document, keys: readonly string[]): Placed | undefined {
  const last = keys.at(-1) ?? '';
  const table = tablesIn(content, ...keys.slice(0, -1)).find(([name]) => name === last)?.[1];
  const value = textOf(table?.snapshotter);
  return value === undefined
    ? undefined
    : { value, path: file, line: lines.get(`${keys.join('.')}.snapshotter`) ?? null };
}

function handlersOf(document: Document, usual: Placed | undefined): Handler[] {
  const { file, content } = document;
  return runtimesOf(content).map(([name, runtime, keys]): Handler => {
    const options = isTable(runtime.options) ? runtime.options : {};
    const type = textOf(runtime.runtime_type);
    // The last two run a program as runc is run.
    const program = textOf(runtime.runtime_path) ?? textOf(options.BinaryName) ?? textOf(runtime.runtime_engine);
    return {
      by: `containerd, handler ${name}`,
      file,
      configuration: textOf(options.ConfigPath),
      program,
      type,
      isKata: speaksOfKata(type, program, runtime.pod_annotations, runtime.container_annotations),
      snapshotter: snapshotterIn(document, [...keys, name]) ?? usual,
    };
  });
}

/** Until 1.7 two of them also stood outside of the list. */
const singleHandlers: readonly string[] = ['default_runtime', 'untrusted_workload_runtime'];

/** With the names of the tables around them. */
function runtimesOf(document: TomlTable): (readonly [name: string, runtime: TomlTable, around: readonly string[]])[] {
  return plugins.flatMap((plugin) => {
    const outer = ['plugins', plugin, 'containerd'];
    const single = tablesIn(document, ...outer).filter(([name]) => singleHandlers.includes(name));
    const listed = tablesIn(document, ...outer, 'runtimes');
    return [
      ...single.map(([name, runtime]) => [name, runtime, outer] as const),
      ...listed.map(([name, runtime]) => [name, runtime, [...outer, 'runtimes']] as const),
    ];
  });
}

/** The pending files and what they import, in the order in which later ones win. */
function withImports(host: Host, first: string, pending: string[], unread: Unread[]): Document[] {
  const documents: Document[] = [];
  const seen = new Set<string>();
  while (pending.length > 0) {
    const file = pending.shift() ?? '';
    if (seen.has(file) || host.status(file) === undefined) continue;
    if (seen.size === importLimit) {
      unread.push({ path: first, message: `${first}: imports more than ${importLimit} files` });
      break;
    }
    seen.add(file);
    const lines: Lines = new Map();
    const document = readToml(host, file, unread, undefined, lines);
    if (document === undefined) continue;
    documents.push({ file, content: document, lines });
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
