/**
 * The handlers of containerd: `[plugins."…".containerd.runtimes.HANDLER]`, where the plugin's name depends on the version of the file,
 * and `options.ConfigPath` names the configuration. `imports` name further files, with `*` and `?`.
 *
 * Not read: templates from which k3s makes its file; patterns with `[`.
 */

import type { TomlTable } from 'smol-toml';
import type { Host } from '../../host/host.ts';
import { filesIn, nameOf } from '../files.ts';
import { isTable, readToml, type Unread } from '../toml.ts';
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
    return withImports(host, file, pending, unread).flatMap(handlersOf);
  });
}

interface Document {
  readonly file: string;
  readonly content: TomlTable;
}

function handlersOf({ file, content }: Document): Handler[] {
  return runtimesOf(content).map(([name, runtime]): Handler => {
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
    };
  });
}

/** Until 1.7 two of them also stood outside of the list. */
const singleHandlers: readonly string[] = ['default_runtime', 'untrusted_workload_runtime'];

function runtimesOf(document: TomlTable): [string, TomlTable][] {
  return plugins.flatMap((plugin) => [
    ...tablesIn(document, 'plugins', plugin, 'containerd').filter(([name]) => singleHandlers.includes(name)),
    ...tablesIn(document, 'plugins', plugin, 'containerd', 'runtimes'),
  ]);
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
    const document = readToml(host, file, unread);
    if (document === undefined) continue;
    documents.push({ file, content: document });
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
