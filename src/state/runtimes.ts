/**
 * The runtimes as they will be after the transaction: those that come, and those that stay.
 */

import type { Language } from '../locate/configurations.ts';
import type { InstalledPackage } from '../locate/packages.ts';
import type { Program } from '../locate/programs.ts';
import { askProgram, versionInFile } from '../locate/runtimes.ts';
import { parseVersion } from '../version.ts';
import { type Before, programsOf } from './before.ts';
import type { Incoming } from './incoming.ts';
import { fits, type Image, isNew, type Runtime } from './node.ts';
import { requirementOf } from './requirement.ts';

/** `removed`: names of packages; `images`: as they will be. Throws Io, LimitExceeded. */
export async function runtimesAfter(
  before: Before,
  incoming: readonly Incoming[],
  removed: ReadonlySet<string>,
  images: readonly Image[],
): Promise<Runtime[]> {
  const { to, requires, settings, transaction } = before.request;
  const coming = incoming.filter(({ isRuntime }) => isRuntime).map((found) => incomingRuntime(before, found));
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
      replaces: null,
      ...requirementOf({ option: requires, declared: undefined, version: parseVersion(to), versionText: to, settings }),
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
    for (const runtime of await installedRuntimes(before)) {
      if (!isReplaced(runtime) && !removed.has(runtime.name)) staying.push(runtime);
    }
  }
  const all = [...coming, ...staying];
  if (all.length > 0 || transaction !== null || images.length === 0) return all;
  return [unknownRuntime(before)];
}

function incomingRuntime(before: Before, { name, versionText, declared, paths, change, statedBy }: Incoming): Runtime {
  const version = versionText === null ? undefined : parseVersion(versionText);
  const requires = declared?.agentRequires ?? null;
  const installed = before.packages.find((known) => known.name === name);
  const brought = programsOf(before).filter(({ path }) => paths?.has(path));
  const languages = new Set<Language | null>(brought.map(({ language }) => language));
  return {
    name,
    versionText,
    version,
    isIncoming: true,
    source: change.archive ?? name,
    prefix: brought[0]?.prefix ?? null,
    language: languages.size === 1 ? (brought[0]?.language ?? null) : null,
    versionSource: versionText === null ? null : `package ${name}`,
    replaces: change.oldVersion ?? installed?.version ?? null,
    ...requirementOf({
      option: before.request.requires,
      declared: requires === null ? undefined : { text: requires, from: statedBy },
      // A package that is not at hand is taken to declare a range if the one before did.
      isUnread: declared === null && (change.archive !== null || (installed?.agentRequires ?? null) !== null),
      version,
      versionText,
      settings: before.request.settings,
    }),
  };
}

/** Programs that read the same configurations and are of the same version are one: the first speaks for them. */
async function installedRuntimes(before: Before): Promise<Runtime[]> {
  const { settings, requires } = before.request;
  const runtimes: Runtime[] = [];
  for (const program of before.installation.programs) {
    const { path, prefix, language } = program;
    const owner = before.packages.find(({ owns }) => owns.includes(path));
    const same = runtimes.filter((other) => other.prefix === prefix && other.language === language);
    // Without another version of its own it is the same.
    if (same.some(({ name }) => name === owner?.name)) continue;
    const { versionText, versionSource } = await versionOf(before, program, owner);
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
      replaces: null,
      ...(owner?.isHeld === true ? { isHeld: true } : {}),
      ...requirementOf({
        option: requires,
        declared: declared === null ? undefined : { text: declared, from: `declared by ${owner?.name ?? path}` },
        version,
        versionText,
        settings,
      }),
    });
  }
  return runtimes;
}

/** The package's, else what the program says; below another root, where nothing is run, what lies beside it. */
async function versionOf(
  before: Before,
  { path, prefix }: Program,
  owner: InstalledPackage | undefined,
): Promise<Pick<Runtime, 'versionText' | 'versionSource'>> {
  if (owner !== undefined) return { versionText: owner.version, versionSource: `package ${owner.name}` };
  if (before.request.root === '') {
    const versionText = await askProgram(before.host, path, before.request.deadline);
    return { versionText, versionSource: versionText === null ? null : `${path} --version` };
  }
  const file = `${prefix}/VERSION`;
  // kata-deploy may be there several times: /opt/kata-NAME.
  const versionText = prefix.startsWith('/opt/kata') ? versionInFile(before.rooted, file) : null;
  return { versionText, versionSource: versionText === null ? null : file };
}

/** There are images but no runtime: without --requires that is a finding, not silence. */
function unknownRuntime(before: Before): Runtime {
  const { settings, requires } = before.request;
  return {
    name: settings.runtimePackages[0]?.value ?? 'kata-runtime',
    versionText: null,
    version: undefined,
    isIncoming: false,
    source: 'none',
    prefix: null,
    language: null,
    versionSource: null,
    replaces: null,
    ...requirementOf({ option: requires, declared: undefined, version: undefined, versionText: null, settings }),
  };
}
