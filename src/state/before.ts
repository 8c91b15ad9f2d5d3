/**
 * The node before the transaction, as far as the state after it depends on it: what is installed, which images count, and who owns them.
 */

import { Room, type Wanted } from '../archive/incoming.ts';
import type { Host } from '../host/host.ts';
import { knownProtocol } from '../locate/additions.ts';
import { namesOf } from '../locate/configurations.ts';
import type { InstalledPackage } from '../locate/declared.ts';
import { type ConfiguredImage, type Installation, locateInstallation, usualImages } from '../locate/installation.ts';
import { installedPackages } from '../locate/packages.ts';
import { deployed, type Program, programsBelow, runtimePrograms } from '../locate/programs.ts';
import type { Known } from '../protocol/reach.ts';
import type { Reading } from './node.ts';
import type { Request } from './request.ts';
import type { PackageChange } from './transaction.ts';

export interface Before {
  /** The real one. */
  readonly host: Host;
  /** The one below the root that is judged. */
  readonly rooted: Host;
  readonly request: Request;
  readonly installation: Installation;
  /** The images to be judged, with the names under which a package can own them. */
  readonly images: readonly (ConfiguredImage & Wanted)[];
  /** Their paths, with the configurations that are there before. */
  readonly namedBefore: ReadonlySet<string>;
  /** The packages that bring other configurations, or take some away; none before it is known what comes. */
  readonly configured: ReadonlySet<string>;
  /** Nothing names an image, and none is there: these are where packages put one. */
  readonly isFresh: boolean;
  /** Owners of runtime programs, images and, in a transaction, configurations, and what is installed of the packages that change. */
  readonly packages: readonly InstalledPackage[];
  /** What the package databases were asked. */
  readonly asked: string;
  /** The protocol's tables, and why what was to be added to them was refused. */
  readonly known: Known;
  readonly refused: readonly string[];
  /** What something reads of the node's configurations. */
  readonly reading: Reading;
  /** For what is read out of packages, in milliseconds on the host's clock. */
  readonly payloadDeadline: number;
  readonly room: Room;
}

/** Of the time that is left, for what is read out of packages: what is installed is read, and all is told, in the rest. */
const payloadShare = 0.75;

/**
 * `configured`: `rooted`, or that with other configurations. `earlier`: the same node with others, whose packages need not be asked for again.
 * Throws Io, LimitExceeded.
 */
export async function nodeBefore(
  host: Host,
  rooted: Host,
  request: Request,
  steps: readonly PackageChange[],
  configured = rooted,
  earlier?: Before,
): Promise<Before> {
  // Below another root the environment is somebody else's. Of the shell that calls a package manager it says nothing of what the node's
  // runtimes read, and must not hide that.
  const isNow = request.root === '' && request.transaction === null && request.commandLine === undefined;
  const chosen = isNow ? host.environment('KATA_CONF_FILE') : undefined;
  const installation = locateInstallation(configured, chosen);
  const { images, isFresh } = imagesOf(rooted, request, installation);
  const now = host.now();
  const payloadDeadline = now + (request.deadline - now) * payloadShare;
  const { root, settings, deadline } = request;
  const listed = [...settings.runtimePackages, ...settings.imagePackages].map(({ value }) => value);
  const names = [...new Set([...listed, ...steps.map(({ name }) => name)])];
  const paths = [...installation.programs.map(({ path }) => path), ...images.flatMap((image) => image.names)];
  const files = steps.length === 0 ? [] : installation.files;
  const asked = JSON.stringify([paths, names, files]);
  const packages =
    earlier?.asked === asked
      ? earlier.packages
      : await installedPackages(host, root, [...new Set(paths)], names, deadline, files);
  const refused: string[] = [];
  const reading = readingOf(installation);
  return {
    host,
    rooted,
    request,
    installation,
    images,
    namedBefore: new Set(images.map(({ path }) => path)),
    configured: new Set(),
    isFresh,
    packages,
    asked,
    known: await knownProtocol(rooted, refused),
    refused,
    reading,
    payloadDeadline,
    room: new Room(),
  };
}

/** What something reads. */
export function readingOf({ configurations, programs, architecture }: Installation): Reading {
  const found = new Set(programs.map(({ language }) => language));
  const languages = (['go', 'rust'] as const).filter(
    (language) => found.size === 0 || found.has(null) || found.has(language),
  );
  return { configurations: configurations.filter(({ maskedBy }) => maskedBy === null), languages, architecture };
}

function imagesOf(rooted: Host, request: Request, installation: Installation): Pick<Before, 'images' | 'isFresh'> {
  const known = new Map(installation.images.map((image) => [image.path, image]));
  for (const { value, from } of request.settings.images) {
    const usedBy = [...(known.get(value)?.usedBy ?? []), { path: from, prefix: null, language: null }];
    known.set(value, { path: value, kind: 'guest', usedBy });
  }
  const isFresh = request.images.length === 0 && known.size === 0 && installation.configurations.length === 0;
  if (isFresh) {
    for (const { path, prefix } of usualImages) {
      known.set(path, { path, kind: 'guest', usedBy: [{ path, prefix, language: null }] });
    }
  }
  const chosen = request.images.length > 0 ? request.images : [...known.keys()];
  const images = chosen.map((path) => ({
    ...(known.get(path) ?? { path, kind: 'guest' as const, usedBy: [] }),
    names: namesOf(rooted, path),
  }));
  return { images, isFresh };
}

/** What is a runtime: in its usual places, and where this node's handlers name one. */
export function programsOf({ installation, request }: Before): readonly Program[] {
  const prefixes = new Set((request.transaction?.changes ?? []).flatMap(({ prefix }) => prefix ?? []));
  prefixes.delete(deployed);
  return [...runtimePrograms, ...installation.programs, ...[...prefixes].flatMap(programsBelow)];
}

/** Whether one of these packages owns a runtime program, a configured image or a configuration. */
export function ownsAnything({ packages }: Before, names: ReadonlySet<string>): boolean {
  return packages.some(({ name, owns, configures }) => names.has(name) && (owns.length > 0 || configures === true));
}

/** An image with the names under which a package can own it. */
export type Owned = Before['images'][number];

export function ownerOf({ packages }: Before, { names }: Owned): string | null {
  return packages.find(({ owns }) => names.some((name) => owns.includes(name)))?.name ?? null;
}
