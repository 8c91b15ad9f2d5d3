/**
 * Which version a runtime is of, and who says it: its package, its program, or, where neither does, the calls that the program lists.
 *
 * A vendor counts releases of its own, and a development build is called what its packager likes. There the program's own word counts where it names
 * another release: it is read out of the file, installed or on its way in a package, and not run.
 */

import type { InstalledPackage } from '../locate/declared.ts';
import type { Program } from '../locate/programs.ts';
import { askProgram, versionInFile, versionInProgram } from '../locate/runtimes.ts';
import type { Description } from '../protocol/descriptors.ts';
import { placedByCalls } from '../protocol/go-calls.ts';
import { isOfOwnCounting, parseBuild, type Version } from '../version.ts';
import type { Before } from './before.ts';
import type { Incoming } from './incoming.ts';
import type { Runtime } from './node.ts';

export type RuntimeVersion = Pick<Runtime, 'versionText' | 'version' | 'versionSource' | 'versionDoubt'>;

const unknown: RuntimeVersion = { versionText: null, version: undefined, versionSource: null, versionDoubt: null };

function sure(versionText: string | null, versionSource: string): RuntimeVersion {
  if (versionText === null) return unknown;
  return { versionText, version: parseBuild(versionText), versionSource, versionDoubt: null };
}

/** `own`: what the program at `path` says; null when it says nothing. */
function ofPackage(
  { name, version }: Pick<InstalledPackage, 'name' | 'version'>,
  path: string,
  own: string | null,
): RuntimeVersion {
  const [packaged, read] = [parseBuild(version), own === null ? undefined : parseBuild(own)];
  // Where both are of one release, the package's version says more.
  if (read === undefined || isSameRelease(packaged, read)) return sure(version, `package ${name}`);
  const isDevelopment = packaged !== undefined && packaged.stands !== 'at' && read.stands === 'at';
  return {
    versionText: own,
    // What such a build has of the next release is not known.
    version: isDevelopment ? { ...read, stands: 'behind' } : read,
    versionSource: `${path}; package ${name} says ${version}`,
    versionDoubt: null,
  };
}

function isSameRelease(packaged: Version | undefined, { order, major, minor, patch }: Version): boolean {
  if (packaged === undefined) return false;
  if (packaged.stands === 'at') return packaged.order === order;
  return packaged.major === major && packaged.minor === minor && packaged.patch === patch;
}

/** `programs`: paths of those of one place that it brings. */
export function incomingVersion(
  { name, versionText, versionDoubt, change, descriptions }: Incoming,
  programs: readonly string[],
): RuntimeVersion {
  const packaged = change.versionBy ?? name;
  const known = programs.find((path) => descriptions.versions.has(path));
  if (known === undefined) return { ...sure(versionText, `package ${packaged}`), versionDoubt };
  const own = descriptions.versions.get(known) ?? null;
  const place = `${known} in package ${packaged}`;
  if (versionText === null || versionDoubt !== null) return sure(own, place);
  return ofPackage({ name: packaged, version: versionText }, known, own);
}

/** The package's where that tells; else the program's, else what it says when it is run; below another root, where nothing is run, what lies beside it. */
export async function installedVersion(
  before: Before,
  { path, prefix }: Program,
  owner: InstalledPackage | undefined,
): Promise<RuntimeVersion> {
  const read = (program: string): string | null => versionInProgram(before.rooted, program, evidenceDeadline(before));
  if (owner !== undefined) return ofPackage(owner, path, isOfOwnCounting(owner.version) ? read(path) : null);
  const own = read(path);
  if (own !== null) return sure(own, path);
  if (before.request.root === '') {
    return sure(await askProgram(before.host, path, before.request.deadline), `${path} --version`);
  }
  const file = `${prefix}/VERSION`;
  // kata-deploy may be there several times: /opt/kata-NAME.
  const versionText = prefix.startsWith('/opt/kata') ? versionInFile(before.rooted, file) : null;
  if (versionText === null) {
    const versionDoubt = 'no program is run below another root, and neither it nor a file VERSION says its version';
    return { ...unknown, versionDoubt };
  }
  // Of the same tarball, another program may say the same of itself.
  const siblings = before.installation.programs.filter((other) => other.prefix === prefix && other.path !== path);
  if (siblings.some((other) => read(other.path) === versionText)) return sure(versionText, file);
  const versionDoubt = `only ${file} says so, which can be older than ${path}, and no program is run below another root`;
  return { ...sure(versionText, file), versionDoubt };
}

/** Where nothing names the version: between two releases, by the calls that the program lists. */
export function orPlaced(version: RuntimeVersion, description: Description | null, path: string): RuntimeVersion {
  if (version.versionText !== null || description === null) return version;
  const placed = placedByCalls(description);
  if (placed === undefined) return version;
  return {
    versionText: placed.text,
    version: placed,
    versionSource: `the calls that ${path} lists`,
    versionDoubt: null,
  };
}

/** Of the time that is left, for what programs themselves say: the verdict does not depend on it. */
const evidenceShare = 0.5;

export function evidenceDeadline({ host, request }: Before): number {
  const now = host.now();
  return now + (request.deadline - now) * evidenceShare;
}
