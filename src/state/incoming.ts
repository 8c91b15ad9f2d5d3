/**
 * What one package of the transaction brings, as far as Kata is concerned.
 *
 * Which package is the runtime, which the image? First that speaks: it carries one of the fields; it owns, or its payload
 * brings, a runtime program or a configured image; its name is listed. One package can be both.
 */

import { IncomingPayload } from '../archive/incoming.ts';
import { type PackageFields, placeOf } from '../archive/members.ts';
import { openPackage, type PackageFile } from '../archive/package.ts';
import { Problem } from '../errors.ts';
import { isConfiguration } from '../locate/configurations.ts';
import { type Declared, declares } from '../locate/declared.ts';
import { installedManifest, type Manifest, nothingSaid } from '../locate/manifest.ts';
import { isOfOwnCounting } from '../version.ts';
import { type Before, programsOf } from './before.ts';
import { PayloadDescriptions } from './evidence.ts';
import { carriesField, lookShare } from './relevance.ts';
import type { PackageChange } from './transaction.ts';

/** What comes in with one package, as far as Kata is concerned. */
export interface Incoming {
  readonly change: PackageChange;
  readonly name: string;
  readonly versionText: string | null;
  /** Why its version may be wrong; null when it is sure, or not known. */
  readonly versionDoubt: string | null;
  /** Its version says too little of its programs, whose own word counts then. */
  readonly isOwnWordAsked: boolean;
  /** What it states, by itself or through the package manager; null when that is not known. */
  readonly declared: Declared | null;
  /** What it brings, or else what the installed version of it owns of runtime programs and configured images; null when nobody knows. */
  readonly paths: ReadonlySet<string> | null;
  /** Whether `paths` is all that it brings. */
  readonly isWhole: boolean;
  /** What it says of itself; of a package that is not at hand, what its installed version says; empty when nobody knows. */
  readonly manifest: Manifest;
  /** Null when the package cannot be read. */
  readonly payload: IncomingPayload | null;
  /** What its programs say of the agent protocol, after the payload was read. */
  readonly descriptions: PayloadDescriptions;
  /** Why it, or its payload, cannot be read; null when it can. */
  readonly problem: string | null;
  /** By which words it states what the runtime needs. */
  readonly statedBy: string;
  readonly isRuntime: boolean;
  readonly isImage: boolean;
}

/**
 * What each package of the transaction brings. Those that are known to be of Kata are read first, so that no crowd of other packages takes
 * the time that they need; new ones are then looked into for a field. `incoming` and `warnings` are added to.
 */
export async function examine(
  before: Before,
  steps: readonly PackageChange[],
  incoming: Incoming[],
  warnings: string[],
): Promise<void> {
  const { host, payloadDeadline } = before;
  const coming = steps.filter(({ action }) => action !== 'remove');
  const ofKata = new Set(coming.filter((change) => isOfKata(before, change)));
  // An upgrade of something that had nothing to do with Kata still has not; a new package says so in its fields.
  const others = coming.filter((change) => !ofKata.has(change) && change.oldVersion === null);
  for (const change of ofKata) {
    const found = await incomingOf(before, change, true, warnings);
    if (found !== undefined) incoming.push(found);
  }
  const start = host.now();
  const until = start + (payloadDeadline - start) * lookShare;
  for (const [index, change] of others.entries()) {
    if (host.now() > until) {
      warnings.push(
        `${others.length - index} of ${others.length} new packages were not looked into: there was no time`,
      );
      return;
    }
    if (change.archive === null || !(await carriesField(host, change.archive, payloadDeadline))) continue;
    const found = await incomingOf(before, change, false, warnings);
    if (found !== undefined) incoming.push(found);
  }
}

/** As somebody gave it by hand, by its name, by what the package manager says of it, or by what is installed of it: programs, images or configurations. */
function isOfKata({ request, packages }: Before, { name, declared }: PackageChange): boolean {
  const { runtimePackages, imagePackages } = request.settings;
  const installed = packages.find((known) => known.name === name);
  return (
    request.transaction?.isByHand === true ||
    name.includes('kata') ||
    [...runtimePackages, ...imagePackages].some(({ value }) => value === name) ||
    (installed !== undefined && (declares(installed) || installed.owns.length > 0 || installed.configures === true)) ||
    declares(declared)
  );
}

/** Undefined when the package has nothing to do with Kata. */
async function incomingOf(
  before: Before,
  change: PackageChange,
  isKnown: boolean,
  warnings: string[],
): Promise<Incoming | undefined> {
  const { runtimePackages, imagePackages } = before.request.settings;
  const isRuntimeName = (name: string): boolean => runtimePackages.some(({ value }) => value === name);
  const isImageName = (name: string): boolean => imagePackages.some(({ value }) => value === name);
  const installed = before.packages.find(({ name }) => name === change.name);
  const { file, fields, problem } = await opened(before, change);
  if (problem !== null && change.archive !== null && isKnown) {
    warnings.push(`the incoming package cannot be read: ${problem}`);
  }
  const declared = fields ?? change.declared ?? null;
  if (!isKnown && !declares(declared)) return undefined;
  const name = fields?.name ?? change.name;
  const owned = before.packages.find((known) => known.name === name)?.owns ?? [];
  const isStated = (declared?.agentVersion ?? null) !== null;
  const names = before.images.flatMap((image) => image.names);
  const versionText = change.newVersion ?? (fields?.version || null);
  const versionDoubt = fields?.versionDoubt ?? null;
  const isOwnWordAsked = versionText === null || versionDoubt !== null || isOfOwnCounting(versionText);
  const keeping = { host: before.rooted, deadline: before.payloadDeadline };
  const descriptions = new PayloadDescriptions(isOwnWordAsked ? keeping : null);
  const payload =
    file === null
      ? null
      : new IncomingPayload(
          before.rooted,
          file,
          names,
          before.payloadDeadline,
          { ...descriptions.observers, keepsText: isConfiguration },
          before.room,
        );
  const manifest = await manifestOf(before, file, installed?.name);
  const brought = await broughtBy(file, { manifest, owned, payload: isStated ? null : payload }, warnings);
  const { paths } = brought;
  const programs = programsOf(before).map(({ path }) => path);
  return {
    change,
    name,
    versionText,
    versionDoubt,
    isOwnWordAsked,
    declared,
    ...brought,
    manifest: manifest ?? nothingSaid,
    payload,
    descriptions,
    problem: problem ?? brought.problem,
    statedBy: file?.format === 'deb' ? 'Kata-Agent-Requires in the package' : 'kata-agent-requires in the package',
    isRuntime:
      (declared?.agentRequires ?? null) !== null || programs.some((path) => paths?.has(path)) || isRuntimeName(name),
    isImage:
      isStated ||
      (paths === null && payload?.holdsLikelyImage === true) ||
      names.some((path) => paths?.has(path)) ||
      isImageName(name),
  };
}

/** Never throws for what the package is. */
async function opened(
  { host, payloadDeadline }: Before,
  { archive, prefix }: PackageChange,
): Promise<Pick<Incoming, 'problem'> & { file: PackageFile | null; fields: PackageFields | null }> {
  if (archive === null)
    return { file: null, fields: null, problem: 'the package is not at hand before it is installed' };
  try {
    const file = openPackage(host, archive, payloadDeadline, prefix);
    return { file, fields: await file.fields(), problem: null };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { file: null, fields: null, problem: error.message };
  }
}

/** Of the package, or of its installed version where it is not at hand; undefined when it cannot be read. */
async function manifestOf(
  { host, request, payloadDeadline }: Before,
  file: PackageFile | null,
  installed: string | undefined,
): Promise<Manifest | undefined> {
  try {
    if (file !== null) return await file.manifest();
    return installed === undefined
      ? undefined
      : await installedManifest(host, request.root, installed, payloadDeadline);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

interface Known {
  readonly manifest: Manifest | undefined;
  /** What its installed version owns of runtime programs and configured images. */
  readonly owned: readonly string[];
  /** Null where the images in it need not be read. */
  readonly payload: IncomingPayload | null;
}

/** What the package brings; a .deb of which nothing is installed is unpacked for it. */
async function broughtBy(
  file: PackageFile | null,
  { manifest, owned, payload }: Known,
  warnings: string[],
): Promise<Pick<Incoming, 'paths' | 'isWhole' | 'problem'>> {
  const listed = [...(manifest?.files ?? [])].flatMap(([path, { isGhost }]) => (isGhost ? [] : [path]));
  // One without any file is no image package, whatever it states.
  if (file !== null && manifest?.isWhole === true && listed.length > 0)
    return { paths: new Set(listed), isWhole: true, problem: null };
  // What makes an image, and which configurations come, is seen from all that it brings. A .deb that debhelper did not make may list nothing.
  const isListed = [...(manifest?.files.values() ?? [])].some(({ configuration }) => configuration === null);
  if (owned.length > 0 && (file === null || isListed)) {
    return { paths: new Set([...owned, ...(file === null ? [] : listed)]), isWhole: false, problem: null };
  }
  if (file === null) return { paths: null, isWhole: false, problem: null };
  try {
    // The images are taken out on the same way.
    const places = payload === null ? await placesIn(file) : await payload.places();
    return { paths: new Set([...owned, ...places]), isWhole: owned.length === 0, problem: null };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    warnings.push(`the payload of the incoming package cannot be read: ${error.message}`);
    return { paths: owned.length > 0 ? new Set(owned) : null, isWhole: false, problem: error.message };
  }
}

async function placesIn(file: PackageFile): Promise<string[]> {
  const places: string[] = [];
  for await (const member of file.members()) {
    const place = placeOf(member);
    if (place !== undefined) places.push(place);
  }
  return places;
}
