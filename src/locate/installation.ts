/**
 * Which runtimes, configurations and guest images a node has.
 *
 * Order of the Go runtime: $KATA_CONF_FILE, /etc/kata-containers/configuration.toml, then the path that was compiled in: below
 * /usr/share/defaults (Fedora: /usr/share/kata-containers/defaults) or /opt/kata/share/defaults. The first two mask the
 * others, for every installed runtime. The last ones each belong to the runtime that is installed below the same prefix.
 */

import { parse, type TomlTable } from 'smol-toml';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { resolvePath } from '../host/rooted.ts';

/** A configuration of Kata has 20 to 40 kB. */
const configurationLimit = 1024 * 1024;

export interface Configuration {
  readonly path: string;
  /** Below which directory the runtime is installed that reads it; null when every one does. */
  readonly prefix: string | null;
  /** As written, `image` and `initrd` of all hypervisor sections. */
  readonly images: readonly string[];
  /** Why it could not be read; null when it could. */
  readonly problem: string | null;
}

const local = '/etc/kata-containers/configuration.toml';

const packaged: readonly { readonly prefix: string; readonly path: string }[] = [
  { prefix: '/usr', path: '/usr/share/defaults/kata-containers/configuration.toml' },
  { prefix: '/usr', path: '/usr/share/kata-containers/defaults/configuration.toml' },
  { prefix: '/opt/kata', path: '/opt/kata/share/defaults/kata-containers/configuration.toml' },
];

/** Programs that are a runtime, in the order in which one speaks for its prefix. */
export const runtimePrograms: readonly { readonly prefix: string; readonly path: string }[] = [
  { prefix: '/usr', path: '/usr/bin/kata-runtime' },
  { prefix: '/usr', path: '/usr/bin/containerd-shim-kata-v2' },
  { prefix: '/usr/local', path: '/usr/local/bin/kata-runtime' },
  { prefix: '/usr/local', path: '/usr/local/bin/containerd-shim-kata-v2' },
  { prefix: '/opt/kata', path: '/opt/kata/bin/kata-runtime' },
  { prefix: '/opt/kata', path: '/opt/kata/bin/containerd-shim-kata-v2' },
  { prefix: '/opt/kata', path: '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2' },
];

/** Where images are when no configuration says so. */
const usualImages: readonly { readonly prefix: string; readonly path: string }[] = ['/usr', '/opt/kata'].flatMap(
  (prefix) =>
    ['kata-containers.img', 'kata-containers-initrd.img'].map((name) => ({
      prefix,
      path: `${prefix}/share/kata-containers/${name}`,
    })),
);

export interface ConfiguredImage {
  readonly path: string;
  readonly usedBy: readonly { readonly path: string; readonly prefix: string | null }[];
}

export interface Installation {
  readonly programs: readonly { readonly prefix: string; readonly path: string }[];
  readonly configurations: readonly Configuration[];
  readonly images: readonly ConfiguredImage[];
}

/** `host` is rooted. Throws LimitExceeded, Io. */
export function locateInstallation(host: Host): Installation {
  const programs = runtimePrograms.filter(({ path }) => host.status(path) !== undefined);
  const configurations = locateConfigurations(host);
  const named = configurations.flatMap((configuration) =>
    configuration.images.map((image) => ({ image, by: { path: configuration.path, prefix: configuration.prefix } })),
  );
  const images = new Map<string, { path: string; prefix: string | null }[]>();
  for (const { image, by } of named) images.set(image, [...(images.get(image) ?? []), by]);
  if (configurations.length === 0) {
    for (const { path, prefix } of usualImages) {
      if (host.status(path) !== undefined) images.set(path, [{ path, prefix }]);
    }
  }
  return { programs, configurations, images: [...images].map(([path, usedBy]) => ({ path, usedBy })) };
}

function locateConfigurations(host: Host): Configuration[] {
  const chosen = host.environment('KATA_CONF_FILE');
  const masks = chosen?.startsWith('/') === true ? [chosen, local] : [local];
  const mask = masks.find((path) => host.status(path) !== undefined);
  const candidates =
    mask !== undefined
      ? [{ prefix: null, path: mask }]
      : packaged.filter(({ path }) => host.status(path) !== undefined);
  return candidates.map(({ prefix, path }) => {
    try {
      return { path, prefix, images: imagesOf(parse(host.readText(path, configurationLimit))), problem: null };
    } catch (error) {
      return { path, prefix, images: [], problem: problemIn(error, path) };
    }
  });
}

function problemIn(error: unknown, path: string): string {
  if (error instanceof Problem) return error.message;
  const { line, column, message } = error as { line?: number; column?: number; message: string };
  const [reason = message] = message.replace(/^Invalid TOML document: /, '').split('\n');
  return line === undefined ? `${path}: ${reason}` : `${path}, line ${line}, column ${column ?? 1}: ${reason}`;
}

/** `[hypervisor.qemu]`, `[hypervisor.clh]` and so on: whatever stands below `hypervisor`. */
function imagesOf(document: TomlTable): string[] {
  const { hypervisor } = document;
  if (!isTable(hypervisor)) return [];
  const paths = Object.values(hypervisor)
    .filter(isTable)
    .flatMap((section) => [section.image, section.initrd])
    .filter((path): path is string => typeof path === 'string' && path.startsWith('/'));
  return [...new Set(paths)];
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The names under which a file can belong to a package: as named, and where its symlinks end. */
export function namesOf(host: Host, path: string): string[] {
  try {
    return [...new Set([path, resolvePath(host, '', path)])];
  } catch (error) {
    // A loop, say: whoever reads it finds the same, and says so of this one image.
    if (error instanceof Problem) return [path];
    throw error;
  }
}
