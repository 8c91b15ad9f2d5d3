/**
 * Which runtimes, configurations and guest images a node has, and which of them belong together.
 *
 * A link or a wrapper script that leads to a known runtime is that runtime, not another one.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Configuration, endOfLinks, type Language, locateConfigurations } from './configurations.ts';
import { scriptIn, wrappedProgram } from './engines/wrappers.ts';
import { namedConfigurations } from './handlers.ts';
import type { NamedImage } from './named-images.ts';
import { type Program, runtimePrograms } from './programs.ts';
import { architectureOf } from './settings.ts';
import type { Unread } from './toml.ts';

/** Where images are when no configuration says so. */
export const usualImages: readonly { readonly prefix: string; readonly path: string }[] = [
  '/usr',
  '/usr/local',
  '/opt/kata',
].flatMap((prefix) =>
  ['kata-containers.img', 'kata-containers-initrd.img'].map((name) => ({
    prefix,
    path: `${prefix}/share/kata-containers/${name}`,
  })),
);

/** Who names an image, and for which runtimes. */
export interface User {
  readonly path: string;
  readonly prefix: string | null;
  readonly language: Language | null;
  /** The drop-in that names it; undefined for the configuration itself. */
  readonly namedIn?: string | undefined;
}

export interface ConfiguredImage extends Omit<NamedImage, 'verity' | 'namedIn'> {
  readonly usedBy: readonly User[];
}

export interface Installation {
  readonly programs: readonly Program[];
  /** The masked ones, too. */
  readonly configurations: readonly Configuration[];
  /** Each once, with all who name it. */
  readonly images: readonly ConfiguredImage[];
  /** What was read to find them: configurations, drop-ins, and the files of container engines that name one of them. */
  readonly files: readonly string[];
  /** What containerd or CRI-O is configured by and could not be read; each configuration has its own. */
  readonly unread: readonly Unread[];
  /** `s390x` or `other`. */
  readonly architecture: string;
}

/** `host` is rooted; `chosen`: $KATA_CONF_FILE, where it counts. Throws LimitExceeded, Io. */
export function locateInstallation(host: Host, chosen?: string): Installation {
  const present = runtimePrograms.filter(({ path }) => host.status(path) !== undefined);
  const ends = present.map((program) => ({ ...endOf(host, program, present), calledAs: program.path }));
  const own = present.filter((_, index) => ends[index]?.path === ends[index]?.calledAs);
  const named = namedConfigurations(host, ends);
  const all: readonly Program[] = [...own, ...named.programs];
  const prefixes = [...new Set(all.map(({ prefix }) => prefix))];
  const architecture = architectureOf(host);
  const configurations = locateConfigurations(host, chosen, prefixes, named.configurations).map((configuration) => {
    const { path, namedBy, settings } = configuration;
    const isItsOwn = (other: string | null): boolean => other === path || (other === null && namedBy === null);
    const snapshotters = named.snapshotters.filter((one) => isItsOwn(one.configuration)).map(({ placed }) => placed);
    return { ...configuration, settings: { ...settings, architecture, snapshotters } };
  });
  const programs = all.map((program) => ({ ...program, language: languageOf(program, configurations) }));
  const images = imagesOf(host, configurations);
  return {
    programs,
    configurations,
    images,
    architecture,
    files: [
      ...new Set([
        ...configurations.flatMap(({ path, resolvedPath, dropIns }) => [path, resolvedPath, ...dropIns]),
        ...named.configurations.map(({ file }) => file),
      ]),
    ],
    unread: [...named.unread, ...bare(programs, configurations, images)],
  };
}

/** Programs for which no configuration was found: they start no pod, or read one that nobody here knows of. */
function bare(
  programs: readonly Program[],
  configurations: readonly Configuration[],
  images: readonly ConfiguredImage[],
): Unread[] {
  const isRead = ({ prefix, language }: Program): boolean =>
    [...configurations.flatMap(({ readers }) => readers), ...images.flatMap(({ usedBy }) => usedBy)].some(
      (reader) => (reader.prefix ?? prefix) === prefix && (reader.language ?? language) === language,
    );
  return programs
    .filter((program) => !isRead(program))
    .map(({ path }) => ({
      path,
      message: `${path}: no configuration was found that this runtime reads`,
      reason: 'bare' as const,
    }));
}

/** The runtime that this one leads to in the end; itself when it is one of its own. */
function endOf(host: Host, program: Program, present: readonly Program[]): Program {
  let end = program;
  // A script that runs another one, which is a link; not more steps than there are programs.
  for (const _ of present) {
    const next = otherBehind(host, end, present);
    if (next === undefined) return end;
    end = next;
  }
  // In a circle each is as good as another.
  return program;
}

/** The runtime to which this one only leads, by a link or a script; undefined for one of its own. */
function otherBehind(host: Host, program: Program, present: readonly Program[]): Program | undefined {
  try {
    const end = endOfLinks(host, program.path);
    // Of several names of one file one is the runtime: that which is no link itself, though its folder may be behind one, else the first.
    const names = present.filter(({ path }) => endOfLinks(host, path) === end);
    const first = names.find(({ path }) => host.status(path)?.kind !== 'symlink') ?? names[0];
    if (first !== undefined && first.path !== program.path) return first;
    const script = scriptIn(host, end);
    const others = present.filter(({ path }) => path !== program.path);
    return script === undefined ? undefined : wrappedProgram(script, others);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** A shim whose place does not tell is the Rust one where only that one has a configuration. */
function languageOf({ language, prefix }: Program, configurations: readonly Configuration[]): Language | null {
  if (language !== null) return language;
  const isFor = (wanted: Language): boolean =>
    configurations.some(({ readers }) =>
      readers.some((reader) => reader.language === wanted && (reader.prefix === null || reader.prefix === prefix)),
    );
  return isFor('rust') && !isFor('go') ? 'rust' : 'go';
}

function imagesOf(host: Host, configurations: readonly Configuration[]): ConfiguredImage[] {
  const images = new Map<string, ConfiguredImage>();
  const add = ({ path, kind }: Omit<NamedImage, 'verity'>, users: readonly User[]): void => {
    const known = images.get(path);
    images.set(path, {
      path,
      // What one configuration boots from is a guest image, whatever another one makes of it.
      kind: known === undefined || kind === 'guest' ? kind : known.kind,
      usedBy: [...(known?.usedBy ?? []), ...users],
    });
  };
  for (const { path, readers, images: named, maskedBy } of configurations) {
    if (maskedBy !== null) continue;
    for (const image of named)
      add(
        image,
        readers.map((reader) => ({
          path,
          ...reader,
          ...(image.namedIn === undefined ? {} : { namedIn: image.namedIn }),
        })),
      );
  }
  if (configurations.length === 0) {
    for (const { path, prefix } of usualImages) {
      if (host.status(path) !== undefined) add({ path, kind: 'guest' }, [{ path, prefix, language: null }]);
    }
  }
  return [...images.values()];
}
