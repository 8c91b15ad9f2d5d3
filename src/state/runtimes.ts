/**
 * The runtimes as they will be after the transaction: those that come, and those that stay.
 */

import { Problem } from '../errors.ts';
import type { Language } from '../locate/configurations.ts';
import type { Program } from '../locate/programs.ts';
import type { InstalledPackage } from '../locate/provides.ts';
import { askProgram, describeProgram, versionInFile, versionInProgram } from '../locate/runtimes.ts';
import type { Description } from '../protocol/descriptors.ts';
import { isVendors, parseVersion } from '../version.ts';
import { type Before, programsOf } from './before.ts';
import type { Incoming } from './incoming.ts';
import { fits, type Image, isNew, noSource, type Runtime } from './node.ts';
import { readsOf } from './reading.ts';
import { type RequirementSources, requirementOf } from './requirement.ts';

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
    if (found.isRuntime) coming.push(...incomingRuntimes(before, found, isAsked ? await descriptionIn(found) : null));
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

/** What the runtimes in the package say of the agent protocol. Never throws for what the package is. */
async function descriptionIn({ payload, descriptions }: Incoming): Promise<Description | null> {
  if (payload === null) return null;
  try {
    await payload.places();
    return descriptions.programs.all();
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

/** One for each place and language of what the package brings: each reads other configurations. */
function incomingRuntimes(before: Before, found: Incoming, description: Description | null): Runtime[] {
  const { name, versionText, declared, paths, change, statedBy } = found;
  const version = versionText === null ? undefined : parseVersion(versionText);
  const requires = declared?.agentRequires ?? null;
  const installed = before.packages.find((known) => known.name === name);
  const brought = programsOf(before).filter(({ path }) => paths?.has(path));
  return readersOf(brought).map((place) => ({
    name,
    versionText,
    version,
    isIncoming: true,
    source: change.archive ?? name,
    ...place,
    versionSource: versionText === null ? null : `package ${change.versionBy ?? name}`,
    versionDoubt: found.versionDoubt,
    description,
    replaces: change.oldVersion ?? installed?.version ?? null,
    ...requirementOf({
      option: before.request.requires,
      declared: requires === null ? undefined : { text: requires, from: statedBy },
      version,
      versionText,
      ...tablesFor(before, place),
    }),
  }));
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
    const { versionText, versionSource, versionDoubt } = await versionOf(before, program, owner);
    if (same.length > 0 && versionText === null) continue;
    if (same.some((other) => other.versionText === versionText)) continue;
    const version = versionText === null ? undefined : parseVersion(versionText);
    const declared = owner?.agentRequires ?? null;
    runtimes.push({
      name: owner?.name ?? path,
      versionText,
      version,
      isIncoming: false,
      source: path,
      prefix,
      language,
      versionSource,
      versionDoubt,
      description: isAsked ? describeProgram(before.rooted, path, evidenceDeadline(before)) : null,
      replaces: null,
      ...(owner?.isHeld === true ? { isHeld: true } : {}),
      ...requirementOf({
        option: requires,
        declared: declared === null ? undefined : { text: declared, from: `declared by ${owner?.name ?? path}` },
        version,
        versionText,
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

/** Of the time that is left, for what programs themselves say: the verdict does not depend on it. */
const evidenceShare = 0.5;

function evidenceDeadline({ host, request }: Before): number {
  const now = host.now();
  return now + (request.deadline - now) * evidenceShare;
}

/** The package's, but for a vendor's; else the one in the program, else what it says when it is run; below another root, where nothing is run, what lies beside it. */
async function versionOf(
  before: Before,
  { path, prefix }: Program,
  owner: InstalledPackage | undefined,
): Promise<Pick<Runtime, 'versionText' | 'versionSource' | 'versionDoubt'>> {
  const sure = (versionText: string | null, source: string): Awaited<ReturnType<typeof versionOf>> => ({
    versionText,
    versionSource: versionText === null ? null : source,
    versionDoubt: null,
  });
  if (owner !== undefined && !isVendors(owner.version)) return sure(owner.version, `package ${owner.name}`);
  const own = versionInProgram(before.rooted, path, evidenceDeadline(before));
  if (owner !== undefined) return sure(...ofVendor(path, owner, own));
  if (own !== null) return sure(own, path);
  if (before.request.root === '') {
    return sure(await askProgram(before.host, path, before.request.deadline), `${path} --version`);
  }
  const file = `${prefix}/VERSION`;
  // kata-deploy may be there several times: /opt/kata-NAME.
  const versionText = prefix.startsWith('/opt/kata') ? versionInFile(before.rooted, file) : null;
  // Of the same tarball, another program may say the same of itself.
  const siblings = before.installation.programs.filter((other) => other.prefix === prefix && other.path !== path);
  const isConfirmed = siblings.some(
    (other) => versionInProgram(before.rooted, other.path, evidenceDeadline(before)) === versionText,
  );
  if (versionText !== null && isConfirmed) return sure(versionText, file);
  if (versionText === null) {
    const versionDoubt = 'no program is run below another root, and neither it nor a file VERSION says its version';
    return { versionText, versionSource: null, versionDoubt };
  }
  const versionDoubt = `only ${file} says so, which can be older than ${path}, and no program is run below another root`;
  return { versionText, versionSource: file, versionDoubt };
}

/** A vendor may count releases of its own, so that the program counts; where both are of one release, the package's version says more. */
function ofVendor(path: string, { name, version }: InstalledPackage, own: string | null): [string, string] {
  if (own === null || parseVersion(own)?.order === parseVersion(version)?.order) return [version, `package ${name}`];
  return [own, `${path}; package ${name} says ${version}`];
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
