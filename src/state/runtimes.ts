/**
 * The runtimes as they will be after the transaction: those that come, and those that stay.
 */

import { Problem } from '../errors.ts';
import type { Language } from '../locate/configurations.ts';
import type { Program } from '../locate/programs.ts';
import { describeProgram } from '../locate/runtimes.ts';
import { parseVersion } from '../version.ts';
import { type Before, programsOf } from './before.ts';
import type { PayloadDescriptions } from './evidence.ts';
import type { Incoming } from './incoming.ts';
import { fits, type Image, isNew, noSource, type Runtime } from './node.ts';
import { readsOf } from './reading.ts';
import { type RequirementSources, requirementOf } from './requirement.ts';
import { evidenceDeadline, incomingVersion, installedVersion, orPlaced } from './runtime-version.ts';

/** `removed`: names of packages; `images`: as they will be. Throws Io, LimitExceeded. */
export async function runtimesAfter(
  before: Before,
  incoming: readonly Incoming[],
  removed: ReadonlySet<string>,
  images: readonly Image[],
): Promise<Runtime[]> {
  const { to, requires, settings, transaction } = before.request;
  // Nothing is compared with a runtime where no agent says anything; to read it may take longer than all else.
  const isAsked = images.some(({ description }) => description !== null);
  const coming: Runtime[] = [];
  for (const found of incoming) {
    if (!found.isRuntime) continue;
    if (isAsked || found.isOwnWordAsked) await readPrograms(found);
    coming.push(...incomingRuntimes(before, found));
  }
  if (to !== null) {
    coming.push({
      name: settings.runtimePackages[0]?.value ?? 'kata-runtime',
      versionText: to,
      version: parseVersion(to),
      isIncoming: true,
      source: '--to',
      prefix: null,
      language: null,
      versionSource: '--to',
      versionDoubt: null,
      description: null,
      replaces: null,
      ...requirementOf({
        option: requires,
        declared: undefined,
        version: parseVersion(to),
        versionText: to,
        ...tablesFor(before, { prefix: null, language: null }),
      }),
    });
  }
  const replaced = new Set(incoming.filter(({ isRuntime }) => isRuntime).map(({ name }) => name));
  const isReplaced = ({ name, prefix, language }: Runtime): boolean =>
    to !== null ||
    replaced.has(name) ||
    coming.some((runtime) => runtime.prefix !== null && runtime.prefix === prefix && fits(runtime.language, language));
  const staying: Runtime[] = [];
  const imagesChange = transaction === null || images.some((image) => isNew(image) || image.removedBy !== null);
  if (imagesChange && to === null) {
    for (const runtime of await installedRuntimes(before, isAsked)) {
      if (!isReplaced(runtime) && !removed.has(runtime.name)) staying.push(runtime);
    }
  }
  const all = [...coming, ...staying];
  if (all.length > 0 || transaction !== null || images.length === 0) return all;
  return [unknownRuntime(before)];
}

/** What the runtimes in the package say of themselves, for its `descriptions`. Never throws for what the package is. */
async function readPrograms({ payload }: Incoming): Promise<void> {
  try {
    await payload?.places();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** One for each place and language of what the package brings: each reads other configurations. */
function incomingRuntimes(before: Before, found: Incoming): Runtime[] {
  const { name, declared, paths, change, statedBy, descriptions } = found;
  const requires = declared?.agentRequires ?? null;
  const installed = before.packages.find((known) => known.name === name);
  const brought = programsOf(before).filter(({ path }) => paths?.has(path));
  return readersOf(brought).map((place) => {
    const own = observedOf(brought, place, descriptions);
    const description = descriptions.all(own);
    const version = orPlaced(incomingVersion(found, own), description, `the program in package ${name}`);
    return {
      name,
      ...version,
      isIncoming: true,
      source: change.archive ?? name,
      ...place,
      description,
      replaces: change.oldVersion ?? installed?.version ?? null,
      ...requirementOf({
        option: before.request.requires,
        declared: requires === null ? undefined : { text: requires, from: statedBy },
        ...version,
        ...tablesFor(before, place),
      }),
    };
  });
}

/** Of the programs in the package that were read, those of this place; all where none of them is, as behind links. */
function observedOf(
  brought: readonly Program[],
  place: Pick<Runtime, 'prefix' | 'language'>,
  { programs }: PayloadDescriptions,
): string[] {
  const own = brought.filter(({ prefix, language }) => prefix === place.prefix && fits(language, place.language));
  const observed = own.map(({ path }) => path).filter((path) => programs.has(path));
  return observed.length === 0 ? [...programs.keys()] : observed;
}

/** A program whose place does not tell its language is of any, and stands for the others of its prefix. */
function readersOf(programs: readonly Program[]): Pick<Runtime, 'prefix' | 'language'>[] {
  const prefixes = [...new Set(programs.map(({ prefix }) => prefix))];
  if (prefixes.length === 0) return [{ prefix: null, language: null }];
  return prefixes.flatMap((prefix) => {
    const languages = new Set<Language | null>(
      programs.filter((one) => one.prefix === prefix).map((one) => one.language),
    );
    return (languages.has(null) ? [null] : [...languages]).map((language) => ({ prefix, language }));
  });
}

/** Programs that read the same configurations and are of the same version are one: the first speaks for them. */
async function installedRuntimes(before: Before, isAsked: boolean): Promise<Runtime[]> {
  const { requires } = before.request;
  const runtimes: Runtime[] = [];
  for (const program of before.installation.programs) {
    const { path, prefix, language } = program;
    const owner = before.packages.find(({ owns }) => owns.includes(path));
    const same = runtimes.filter((other) => other.prefix === prefix && other.language === language);
    // Without another version of its own it is the same.
    if (same.some(({ name }) => name === owner?.name)) continue;
    const named = await installedVersion(before, program, owner);
    const isSilent = named.versionText === null;
    if (same.length > 0 && isSilent) continue;
    const description = isAsked || isSilent ? describeProgram(before.rooted, path, evidenceDeadline(before)) : null;
    const version = orPlaced(named, description, path);
    if (same.some((other) => other.versionText === version.versionText)) continue;
    const declared = owner?.agentRequires ?? null;
    runtimes.push({
      name: owner?.name ?? path,
      ...version,
      isIncoming: false,
      source: path,
      prefix,
      language,
      description,
      replaces: null,
      ...(owner?.isHeld === true ? { isHeld: true } : {}),
      ...requirementOf({
        option: requires,
        declared: declared === null ? undefined : { text: declared, from: `declared by ${owner?.name ?? path}` },
        ...version,
        ...tablesFor(before, program),
      }),
    });
  }
  return runtimes;
}

/** What the requirement of a runtime at this place is made of, beside what is declared for it. */
function tablesFor(
  { request, known, reading }: Before,
  place: Pick<Runtime, 'prefix' | 'language'>,
): Pick<RequirementSources, 'settings' | 'known' | 'reads'> {
  return { settings: request.settings, known, reads: readsOf(reading, place, null) };
}

/** There are images but no runtime: without --requires that is a finding, not silence. */
function unknownRuntime(before: Before): Runtime {
  const { settings, requires } = before.request;
  return {
    name: settings.runtimePackages[0]?.value ?? 'kata-runtime',
    versionText: null,
    version: undefined,
    isIncoming: false,
    source: noSource,
    prefix: null,
    language: null,
    versionSource: null,
    versionDoubt: null,
    description: null,
    replaces: null,
    ...requirementOf({
      option: requires,
      declared: undefined,
      version: undefined,
      versionText: null,
      ...tablesFor(before, { prefix: null, language: null }),
    }),
  };
}
