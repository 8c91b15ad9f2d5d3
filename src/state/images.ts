/**
 * The guest images as they will be after the transaction: those of the node, and those that its packages bring or take away.
 */

import type { IncomingImage } from '../archive/incoming.ts';
import { usualImages } from '../locate/installation.ts';
import { readImage } from '../read/image.ts';
import { parseVersion } from '../version.ts';
import type { Before } from './before.ts';
import type { Incoming } from './incoming.ts';
import type { Image } from './node.ts';

/** `removed`: names of packages. Throws Io, LimitExceeded. */
export async function imagesAfter(
  before: Before,
  incoming: readonly Incoming[],
  removed: ReadonlySet<string>,
): Promise<Image[]> {
  const owners = new Map<string, string | null>();
  const bringers = new Map<string, Incoming>();
  for (const { path, names } of before.images) {
    const owner = before.packages.find(({ owns }) => names.some((name) => owns.includes(name)))?.name ?? null;
    owners.set(path, owner);
    const comes =
      incoming.findLast(({ isImage, paths }) => isImage && names.some((name) => paths?.has(name))) ??
      // What nobody can look into is taken to bring the image where packages put theirs.
      (owner === null && names.some(isUsual)
        ? incoming.findLast(({ isImage, paths }) => isImage && !paths)
        : undefined);
    if (comes !== undefined) bringers.set(path, comes);
  }
  const read = await readIncoming(before, incoming, bringers);
  const images: Image[] = [];
  for (const { path, kind, usedBy } of before.images) {
    const comes = bringers.get(path);
    if (comes === undefined && before.isFresh) continue;
    const owner = owners.get(path) ?? null;
    const found = read.get(path);
    const facts = found?.facts ?? (await readImage(before.rooted, path, { deadline: before.request.deadline }));
    images.push({
      usedBy,
      package: comes?.name ?? owner,
      incoming: comes === undefined ? null : incomingImage(comes, found),
      removedBy: comes === undefined && owner !== null && removed.has(owner) ? owner : null,
      facts: { ...facts, ...(kind === 'extension' ? { kind, unknown: null } : {}) },
    });
  }
  return images;
}

/** The images of the packages that do not state their agent. */
async function readIncoming(
  before: Before,
  incoming: readonly Incoming[],
  bringers: ReadonlyMap<string, Incoming>,
): Promise<Map<string, IncomingImage>> {
  const found = new Map<string, IncomingImage>();
  for (const comes of incoming) {
    const wanted = before.images.filter(({ path, kind }) => kind === 'guest' && bringers.get(path) === comes);
    if (comes.payload === null || wanted.length === 0 || (comes.declared?.agentVersion ?? null) !== null) continue;
    for (const [path, image] of await comes.payload.images(wanted)) found.set(path, image);
    comes.payload.close();
  }
  return found;
}

function isUsual(path: string): boolean {
  return usualImages.some((usual) => usual.path === path);
}

/** What a package says of the image that it brings, or what was read there. */
function incomingImage(comes: Incoming, found: IncomingImage | undefined): NonNullable<Image['incoming']> {
  const versionText = comes.declared?.agentVersion ?? null;
  const read = found?.facts;
  return {
    package: `${comes.name} ${comes.versionText ?? ''}`.trim(),
    versionText,
    version: versionText === null ? read?.agent?.version : parseVersion(versionText),
    isRead: read !== null && read !== undefined,
    problem: versionText === null ? (found?.problem ?? read?.problem?.message ?? read?.unknown ?? comes.problem) : null,
  };
}
