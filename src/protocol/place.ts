/**
 * Where a version stands in the order of releases. A number, since places are compared for each row of the tables.
 */

import { compareVersions, parseVersion, type Version } from '../version.ts';
import { earlyBuilds, firstRelease } from './releases.ts';

/** The last minor version of each major one, of those that the tables cover. */
export type LastMinors = ReadonlyMap<number, number>;

/** Orders releases; far beyond the largest numbers that the tables cover. */
function place({ major, minor, patch }: Pick<Version, 'major' | 'minor' | 'patch'>): number {
  return (major * 1000 + minor) * 1000 + Math.min(patch, 999);
}

/** Of a release as X.Y.Z. */
export function placeOf(release: string): number {
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number);
  return place({ major, minor, patch });
}

/** Just before the release of this place: what the releases before it hold, and nothing of its own. */
const justBefore = 0.5;

/** Patch releases that are not known are taken for their minor version: only two ever changed something, and both stand in the tables. */
export function isCovered({ major, minor }: Version, lastMinors: LastMinors): boolean {
  return minor <= (lastMinors.get(major) ?? -1);
}

/** Why the tables say nothing of this version; null when they do. */
export function whyNotCovered(version: Version, lastMinors: LastMinors): string | null {
  if (isCovered(version, lastMinors)) return null;
  const { major, minor } = version;
  const lastMajor = Math.max(...lastMinors.keys());
  const last = lastMinors.get(lastMajor) ?? 0;
  if (major > lastMajor || (major === lastMajor && minor > last)) {
    return `the protocol history ends at ${lastMajor}.${last}`;
  }
  if (major < 1) return `the protocol history begins at ${firstRelease}`;
  return `the protocol history knows no release ${major}.${minor}`;
}

/** The release behind whose tag nothing is known; undefined for the last one. */
function nextRelease(
  { major, minor }: Version,
  lastMinors: LastMinors,
): { major: number; minor: number; patch: number } | undefined {
  if (minor < (lastMinors.get(major) ?? -1)) return { major, minor: minor + 1, patch: 0 };
  return lastMinors.has(major + 1) ? { major: major + 1, minor: 0, patch: 0 } : undefined;
}

/**
 * The places at which a version may stand: one for a release. A pre-release may hold what its release brings, or not; a build behind a tag
 * what the next release brings, or not.
 */
export function placesOf(version: Version, lastMinors: LastMinors): number[] {
  const at = place(version);
  if (version.stands === 'before') return isEarly(version) ? [at] : [at - justBefore, at];
  if (version.stands === 'at') return [at];
  if (version.until !== undefined)
    return [at, version.until === null ? Number.POSITIVE_INFINITY : placeOf(version.until)];
  const next = nextRelease(version, lastMinors);
  return [at, next === undefined ? Number.POSITIVE_INFINITY : place(next)];
}

/** It is known to speak as its release does. */
function isEarly(version: Version): boolean {
  const first = earlyBuilds.get(`${version.major}.${version.minor}.${version.patch}`);
  const since = first === undefined ? undefined : parseVersion(first);
  return since !== undefined && compareVersions(version, since) >= 0;
}

/** In words, between which releases it stands; null for a release. */
export function betweenReleases(version: Version, lastMinors: LastMinors): string | null {
  const { major, minor, patch, stands } = version;
  const release = `${major}.${minor}.${patch}`;
  if (stands === 'before') return `a build before ${release}`;
  if (stands === 'at') return null;
  const next = nextRelease(version, lastMinors);
  const end = version.until ?? (next === undefined ? null : `${next.major}.${next.minor}.${next.patch}`);
  return version.until === null || end === null ? `a build behind ${release}` : `a build between ${release} and ${end}`;
}
