/**
 * The guest images as they will be after the transaction: those of the node, and those that its packages bring or take away.
 */

import type { IncomingImage } from '../archive/incoming.ts';
import { Problem } from '../errors.ts';
import { builderOf } from '../locate/builders.ts';
import { usualImages } from '../locate/installation.ts';
import { type ImageFacts, readImage, withoutAgent } from '../read/image.ts';
import { shareOf } from '../read/source.ts';
import { parseVersion } from '../version.ts';
import { identified } from './agents.ts';
import { type Before, type Owned, ownerOf } from './before.ts';
import { Descriptions } from './evidence.ts';
import type { Incoming } from './incoming.ts';
import type { Image } from './node.ts';
import { broughtBuilder, rebuiltImages } from './rebuilt.ts';

/** `removed`: names of packages. Throws Io, LimitExceeded. */
export async function imagesAfter(
  before: Before,
  incoming: readonly Incoming[],
  removed: ReadonlySet<string>,
): Promise<Image[]> {
  const bringers = new Map<string, Incoming>();
  for (const image of before.images) {
    const comes = bringerOf(before, image, incoming);
    if (comes !== undefined) bringers.set(image.path, comes);
  }
  const isOwned = (image: Owned): boolean =>
    bringers.has(image.path) || (ownerOf(before, image) !== null && !isGhost(image, incoming));
  const others = before.images.filter((image) => !isOwned(image));
  const rebuilt = await rebuiltImages(before, incoming, others);
  const read = await readIncoming(before, incoming, bringers);
  const images: Image[] = [];
  for (const [index, image] of before.images.entries()) {
    const { path, kind, usedBy } = image;
    const rebuiltBy = rebuilt.get(path) ?? null;
    const isGone = await isTakenAway(before, image, incoming, read.get(path)?.problem ?? null);
    const comes = isGone ? undefined : bringers.get(path);
    if (comes === undefined && rebuiltBy === null && before.isFresh) continue;
    const owner = ownerOf(before, image);
    const builder = builderOf(before.rooted, path) ?? broughtBuilder(incoming);
    const found = read.get(path);
    const installed = new Descriptions();
    const observe = kind === 'guest' ? () => installed.observe() : undefined;
    const deadline = shareOf(before.host.now(), before.request.deadline, before.images.length - index);
    const facts =
      found?.facts ?? (await identified(before, await readImage(before.rooted, path, { deadline, observe })));
    // What an image says that is replaced is no matter.
    const described = comes === undefined ? installed : found?.facts ? comes.descriptions.agents.get(path) : undefined;
    // A new configuration may name what a script makes when it has been unpacked: whether it is there then, is seen afterwards.
    const isAwaited = comes === undefined && rebuiltBy === null && facts.problem?.kind === 'not-found';
    const isNamedAnew = !before.namedBefore.has(path);
    if (isAwaited && !isGone && isNamedAnew && incoming.some(mayMakeFiles)) continue;
    images.push({
      description: rebuiltBy === null ? (described?.any() ?? null) : null,
      usedBy,
      package: comes?.name ?? owner,
      incoming: comes === undefined ? null : incomingImage(comes, found),
      removedBy: comes === undefined && owner !== null && (isGone || removed.has(owner)) ? owner : null,
      rebuiltBy,
      ...(isGone ? { isLeftNamed: true } : {}),
      ...(comes === undefined && isHeld(before, owner) ? { isHeld: true } : {}),
      ...(comes === undefined && isNamedAnew ? { isNamedAnew } : {}),
      ...(owner === null && builder !== undefined ? { builder } : {}),
      facts: { ...facts, ...kindOf(kind, facts) },
    });
  }
  return images;
}

/** It has a script, or nobody knows. */
function mayMakeFiles({ payload, manifest }: Incoming): boolean {
  return payload === null || manifest.script.trim() !== '';
}

/** What names an image says what it is: without an agent an extension image is whole, and a guest image is none. */
function kindOf(kind: 'guest' | 'extension', facts: ImageFacts): Pick<ImageFacts, 'kind' | 'unknown'> {
  if (kind === 'extension') return { kind, unknown: null };
  if (facts.kind === 'guest' || facts.problem !== null) return { kind: facts.kind, unknown: facts.unknown };
  return withoutAgent;
}

function isHeld({ packages }: Before, owner: string | null): boolean {
  return packages.some((known) => known.name === owner && known.isHeld === true);
}

/** The package that brings the image. */
function bringerOf(before: Before, image: Owned, incoming: readonly Incoming[]): Incoming | undefined {
  const { names } = image;
  const brings = incoming.findLast(({ paths }) => names.some((name) => paths?.has(name)));
  if (brings !== undefined) return brings;
  // A package whose script makes the image, and which states the agent in it, stands for the image.
  const states = incoming.findLast(
    (coming) => coming.declared?.agentVersion !== null && isGhost(image, [coming]) && coming.declared !== null,
  );
  if (states !== undefined) return states;
  // What nobody can look into is taken to bring the image where packages put theirs.
  return ownerOf(before, image) === null && names.some(isUsual)
    ? incoming.findLast(({ isImage, paths }) => isImage && !paths)
    : undefined;
}

function isGhost({ names }: Owned, incoming: readonly Incoming[]): boolean {
  return incoming.some(({ manifest }) => names.some((name) => manifest.files.get(name)?.isGhost === true));
}

/** What a package brings in the place of an image: one of another name. */
const imageName = /\.(?:img|image|initrd)$/;

/**
 * Whether the package that owns the image comes with another one instead: so it says itself, or it was read and the image was not found in
 * it. A package in which there is no image at all may be damaged, so that nothing is known. Nor is anything known where the configured path
 * is a link that no package owns: a script may lead that link to another image.
 */
async function isTakenAway(
  before: Before,
  image: Owned,
  incoming: readonly Incoming[],
  problem: string | null,
): Promise<boolean> {
  const owner = ownerOf(before, image);
  const comes = incoming.find(({ name }) => name === owner);
  const owns = before.packages.find(({ name }) => name === owner)?.owns ?? [];
  if (comes === undefined || !owns.includes(image.path) || isGhost(image, [comes])) return false;
  if (incoming.some(({ name, paths }) => name !== owner && image.names.some((path) => paths?.has(path)))) return false;
  if (![...(comes.paths ?? [])].some((path) => imageName.test(path) && !image.names.includes(path))) return false;
  if (comes.isWhole) return !image.names.some((path) => comes.paths?.has(path));
  if (problem === null || comes.payload === null) return false;
  try {
    const places = new Set(await comes.payload.places());
    return !image.names.some((path) => places.has(path));
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

/** The images of the packages that do not state their agent; by hand those of the others too, to compare the two. */
async function readIncoming(
  before: Before,
  incoming: readonly Incoming[],
  bringers: ReadonlyMap<string, Incoming>,
): Promise<Map<string, IncomingImage>> {
  const found = new Map<string, IncomingImage>();
  const wantedOf = (comes: Incoming): readonly Owned[] =>
    isStated(comes) && before.request.transaction?.isByHand !== true
      ? []
      : before.images.filter(({ path, kind }) => kind === 'guest' && bringers.get(path) === comes);
  const wanted = new Map(incoming.map((comes) => [comes, wantedOf(comes)]));
  // What was kept of the others takes the room.
  for (const [{ payload }, images] of wanted) if (images.length === 0) payload?.close();
  for (const [comes, images] of wanted) {
    if (comes.payload === null || images.length === 0) continue;
    for (const [path, image] of await comes.payload.images(images)) found.set(path, image);
    comes.payload.close();
  }
  return found;
}

function isStated({ declared }: Incoming): boolean {
  return (declared?.agentVersion ?? null) !== null;
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
