/**
 * The configurations of Kata that others name: the handlers of container engines, and wrapper scripts.
 *
 * A handler is Kata's when its names say so, or when the configuration that it names is one of Kata's: forks call their shims what they
 * like. A shim that a handler names and that is not in one of the usual places is a runtime of its own.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Placed } from '../protocol/settings.ts';
import { endOfLinks, languageOfName, type NamedConfiguration, type Reader } from './configurations.ts';
import { containerdHandlers } from './engines/containerd.ts';
import { crioHandlers } from './engines/crio.ts';
import { dockerHandlers } from './engines/docker.ts';
import type { Handler } from './engines/handler.ts';
import { configurationOf, scriptIn, wrappedProgram, wrapperHandlers } from './engines/wrappers.ts';
import { confidential } from './programs.ts';
import { isTable, readToml, type Unread } from './toml.ts';

export interface Named {
  readonly configurations: readonly NamedConfiguration[];
  /** The shims that they name in other places. */
  readonly programs: readonly NamedProgram[];
  readonly unread: readonly Unread[];
  /** Of Kata's handlers, by the configuration that they name; null for the default one. */
  readonly snapshotters: readonly { readonly configuration: string | null; readonly placed: Placed }[];
}

export interface NamedProgram extends Reader {
  readonly path: string;
  readonly prefix: string;
}

interface Program extends NamedProgram {
  /** What leads there: itself, or a link or a script that others may name. */
  readonly calledAs: string;
}

/** `host` is rooted; `known`: the runtimes that are there. Throws LimitExceeded, Io. */
export function namedConfigurations(host: Host, known: readonly Program[]): Named {
  const unread: Unread[] = [];
  const others: NamedProgram[] = [];
  const programs: Program[] = [...known];
  /** By daemon and handler: what is read later wins. */
  const found = new Map<string, NamedConfiguration>();
  const relative = new Map<string, Unread>();
  const snapshotters: Named['snapshotters'][number][] = [];
  const handlers = [
    ...containerdHandlers(host, unread),
    ...crioHandlers(host, unread),
    ...dockerHandlers(host, unread),
    ...wrapperHandlers(host),
  ];
  for (const handler of handlers) {
    const { snapshotter: placed } = handler;
    const configuration = handler.configuration ?? configurationOf(scriptBehind(host, handler.program));
    if (configuration === undefined && handler.isKata && placed !== undefined) {
      snapshotters.push({ configuration: null, placed });
    }
    if (configuration?.startsWith('/') !== true) {
      const odd = configuration === undefined || !handler.isKata ? undefined : relativePath(handler, configuration);
      if (odd !== undefined) relative.set(handler.by, odd);
      continue;
    }
    if (!handler.isKata && !isOfKata(host, configuration)) continue;
    if (placed !== undefined) snapshotters.push({ configuration, placed });
    const program = handler.program ?? shimOf(programs, handler);
    if (program !== undefined && !programs.some(({ calledAs }) => calledAs === program)) {
      const end = programBehind(host, program, programs);
      if (end !== undefined) {
        if (!programs.some(({ path }) => path === end.path)) others.push(end);
        programs.push({ ...end, calledAs: program });
      }
    }
    const { by, file } = handler;
    relative.delete(by);
    found.set(by, { path: configuration, by, file, reader: readerOf(programs, configuration, program) });
  }
  unread.push(...relative.values());
  return { configurations: [...found.values()], programs: others, unread, snapshotters };
}

/** Nothing of a script's variable, of which only the shell knows what it stands for. */
function relativePath({ by, file, configuration: own }: Handler, configuration: string): Unread | undefined {
  if ((own === undefined || by === file) && /[$`~]/.test(configuration)) return undefined;
  const message = `${file}: it names the configuration ${JSON.stringify(configuration)}, which is no absolute path`;
  return { path: file, message, reason: 'relative', namedBy: by, namedIn: file };
}

function scriptBehind(host: Host, program: string | undefined): string | undefined {
  return program?.startsWith('/') === true ? scriptIn(host, endOfLinks(host, program)) : undefined;
}

/** The name that every configuration of Kata has, and of forks. */
const usualName = /\/configuration(?:-[\w-]+)?\.toml$/;

/**
 * A file with a table of hypervisors is a configuration of Kata. What cannot be read belongs to whoever else reads it; of one that is gone
 * only the name tells.
 */
function isOfKata(host: Host, configuration: string): boolean {
  if (host.status(configuration) === undefined) return usualName.test(configuration);
  const document = readToml(host, configuration, []);
  return isTable(document?.hypervisor) && Object.values(document.hypervisor).some(isTable);
}

/** For io.containerd.kata.v2 containerd runs the first containerd-shim-kata-v2 in its own PATH, where /usr/local/bin comes first. */
function shimOf(programs: readonly Program[], { type = '' }: Handler): string | undefined {
  const name = `/bin/containerd-shim-${type.replace(/^io\.containerd\./, '').replaceAll('.', '-')}`;
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
    const parts = /^(\/.+?)(\/runtime-rs)?\/bin\/(?:containerd-shim-[a-z0-9.-]+-v2|kata-runtime)$/.exec(end);
    const prefix = parts?.[1];
    if (host.status(end)?.kind !== 'file' || prefix === undefined) return undefined;
    return { path: end, prefix, language: parts?.[2] === undefined ? languageBeside(host, prefix) : 'rust' };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** kata-deploy puts the shim in Rust below runtime-rs/: where there is such a folder, the other one is in Go. */
function languageBeside(host: Host, prefix: string): 'go' | null {
  return host.status(`${prefix}/runtime-rs`) === undefined ? null : 'go';
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
