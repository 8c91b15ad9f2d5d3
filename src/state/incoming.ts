/**
 * What one package of the transaction brings, as far as Kata is concerned.
 *
 * Which package is the runtime, which the image? First that speaks: it carries one of the fields; it owns, or its payload
 * brings, a runtime program or a configured image; its name is listed. One package can be both.
 */

import { IncomingPayload } from '../archive/incoming.ts';
import type { PackageFields } from '../archive/members.ts';
import { openPackage, type PackageFile } from '../archive/package.ts';
import { Problem } from '../errors.ts';
import { type Declared, declares } from '../locate/provides.ts';
import { type Before, programsOf } from './before.ts';
import type { PackageChange } from './transaction.ts';

/** What comes in with one package, as far as Kata is concerned. */
export interface Incoming {
  readonly change: PackageChange;
  readonly name: string;
  readonly versionText: string | null;
  /** What it states, by itself or through the package manager; null when that is not known. */
  readonly declared: Declared | null;
  /** Runtime programs and configured images that the installed version owns or the new one brings; null when nobody knows. */
  readonly paths: ReadonlySet<string> | null;
  /** Null when the package cannot be read. */
  readonly payload: IncomingPayload | null;
  /** Why it, or its payload, cannot be read; null when it can. */
  readonly problem: string | null;
  /** By which words it states what the runtime needs. */
  readonly statedBy: string;
  readonly isRuntime: boolean;
  readonly isImage: boolean;
}

/** Undefined when the package has nothing to do with Kata. `warnings` are added to. */
export async function incomingOf(
  before: Before,
  change: PackageChange,
  warnings: string[],
): Promise<Incoming | undefined> {
  const { runtimePackages, imagePackages } = before.request.settings;
  const isRuntimeName = (name: string): boolean => runtimePackages.some(({ value }) => value === name);
  const isImageName = (name: string): boolean => imagePackages.some(({ value }) => value === name);
  const installed = before.packages.find(({ name }) => name === change.name);
  const isNamed = change.name.includes('kata') || isRuntimeName(change.name) || isImageName(change.name);
  const isKnown =
    (installed !== undefined && (declares(installed) || installed.owns.length > 0)) || declares(change.declared);
  // An upgrade of something that had nothing to do with Kata still has not; a new package says so in its fields.
  if (!isNamed && !isKnown && change.oldVersion !== null) return undefined;

  const { file, fields, problem } = await opened(before, change);
  if (problem !== null && change.archive !== null && (isNamed || isKnown)) {
    warnings.push(`the incoming package cannot be read: ${problem}`);
  }
  const declared = fields ?? change.declared ?? null;
  if (!isNamed && !isKnown && !declares(declared)) return undefined;
  const name = fields?.name ?? change.name;
  const owned = before.packages.find((known) => known.name === name)?.owns ?? [];
  const isStated = (declared?.agentVersion ?? null) !== null;
  const names = before.images.flatMap((image) => image.names);
  const payload = file === null ? null : new IncomingPayload(before.rooted, file, names, before.payloadDeadline);
  const brought =
    owned.length > 0
      ? { paths: new Set(owned), problem }
      : await broughtBy(before, file, isStated ? null : payload, warnings);
  const { paths } = brought;
  const programs = new Set(programsOf(before).map(({ path }) => path));
  return {
    change,
    name,
    versionText: change.newVersion ?? fields?.version ?? null,
    declared,
    paths,
    payload,
    problem: problem ?? brought.problem,
    statedBy: file?.format === 'deb' ? 'Kata-Agent-Requires in the package' : 'kata-agent-requires in the package',
    isRuntime:
      (declared?.agentRequires ?? null) !== null ||
      [...(paths ?? [])].some((path) => programs.has(path)) ||
      isRuntimeName(name),
    isImage:
      isStated ||
      (paths === null && payload?.holdsLikelyImage === true) ||
      [...(paths ?? [])].some((path) => !programs.has(path)) ||
      isImageName(name),
  };
}

/** Never throws for what the package is. */
async function opened(
  { host, payloadDeadline }: Before,
  { archive }: PackageChange,
): Promise<Pick<Incoming, 'problem'> & { file: PackageFile | null; fields: PackageFields | null }> {
  if (archive === null)
    return { file: null, fields: null, problem: 'the package is not at hand before it is installed' };
  try {
    const file = openPackage(host, archive, payloadDeadline);
    return { file, fields: await file.fields(), problem: null };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { file: null, fields: null, problem: error.message };
  }
}

/** Runtime programs and configured images that the package brings; null when its payload cannot be read. */
async function broughtBy(
  before: Before,
  file: PackageFile | null,
  payload: IncomingPayload | null,
  warnings: string[],
): Promise<Pick<Incoming, 'paths' | 'problem'>> {
  if (file === null) return { paths: null, problem: null };
  const wanted = new Set([
    ...programsOf(before).map(({ path }) => path),
    ...before.images.flatMap(({ names }) => names),
  ]);
  const brought = new Set<string>();
  const note = (path: string): void => {
    if (wanted.has(path)) brought.add(path);
  };
  try {
    // A deb is unpacked for its paths, and the images are taken out on the same way.
    if (payload === null || file.format === 'rpm') for await (const path of file.paths()) note(path);
    else for (const path of await payload.places()) note(path);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    warnings.push(`the payload of the incoming package cannot be read: ${error.message}`);
    return { paths: null, problem: error.message };
  }
  return { paths: brought, problem: null };
}
