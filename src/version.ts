/**
 * Versions of Kata Containers as its agents, runtimes and packages write them, and ranges of them.
 *
 * Agents and programs: `X.Y.Z[-alphaN|-rcN][-<40 hex commit>][-dirty]`, `v` in front allowed, `git describe` tails too.
 * Vendors: `3.19.1.kata3`, `3.15.0.aks0`, `3.2.0.azl5`. Packages: `1:3.2.0-1`, `1.7.0~alpha1+git.717a30b-29`,
 * `1.5.0.git+3dd4c9f-41`, `3.21.0-1.fc41`, `3.21.0^git4a1b-1`, `3.26.0-2.rc0.fc44`. What is not of these forms is undefined: "unknown",
 * never a mismatch.
 *
 * Two numbers are a release without its third one: Kata itself wrote `2.1-alpha0` (file VERSION of the tag 2.1.0-alpha0).
 */

// Not the whole of semver: what is loaded at start is paid on every run of apt.
import Range from 'semver/classes/range.js';
import SemVer from 'semver/classes/semver.js';

export interface Version {
  /** What takes part in the order: `1.6.0-rc.2`. */
  readonly order: string;
  /** As people write it: `1.6.0-rc2`. */
  readonly text: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** 40 hex digits. */
  readonly commit: string | null;
  readonly isDirty: boolean;
  /** It was built before that release, or behind its tag: what it holds of the next step is not known. */
  readonly stands: 'before' | 'at' | 'behind';
  /** Of what nothing names, and what it holds tells: the next release that it is not, null where none is known. */
  readonly until?: string | null;
  /** As it was given. */
  readonly written: string;
}

/** semver's own limit for a version; also what keeps the expressions below cheap on hostile input. */
const lengthLimit = 256;

const grammar = new RegExp(
  [
    '^(?:[0-9]{1,9}:)?[vV]?',
    '(?<major>0|[1-9][0-9]{0,8})\\.(?<minor>0|[1-9][0-9]{0,8})(?:\\.(?<patch>0|[1-9][0-9]{0,8}))?',
    // A package writes `~` where a release writes `-`, so that it sorts before the release.
    '(?:[-~](?<stage>alpha|beta|rc)\\.?(?<number>[0-9]{1,9}))?',
    '(?<vendor>\\.[A-Za-z][A-Za-z0-9]*)?',
    '(?<tail>[-+~^.][0-9A-Za-z.+~^_-]*)?$',
  ].join(''),
);

const commitTail = /-(?<commit>[0-9a-f]{40})(?=$|[^0-9a-f])/;

/** rpm's Release of a pre-release: `2.rc0.fc44`; `0.1.20240101git.fc40` is older than its release, too. */
const stageInRelease = /^-[0-9]+(?:\.[0-9]+)*\.(?<stage>alpha|beta|rc)\.?(?<number>[0-9]{1,9})(?:[.-]|$)/;
const beforeRelease = /^-0\.[0-9]/;
/** What Debian and Ubuntu write behind a release that they built once more. */
const rebuilt = /^~(?:bpo|deb|ubuntu|[a-z]*el[0-9])/;
/** `git describe`, snapshots and nightly builds. */
const behindTag =
  /\^|-[0-9]+-g[0-9a-f]{7,40}(?![0-9a-f])|(?:^|[-+~._])(?:git|dev|nightly|main|master|snapshot)(?![a-z])/i;

/** Undefined for what is of no known form. */
export function parseVersion(text: string): Version | undefined {
  const trimmed = text.trim();
  if (trimmed.length > lengthLimit) return undefined;
  const groups = grammar.exec(trimmed)?.groups;
  if (groups === undefined) return undefined;
  const { major = '', minor = '', patch = '0', vendor = '', tail = '' } = groups;
  // 3.2.0.1 says something about the order that is not known here.
  if (vendor === '' && /^\.[0-9]/.test(tail)) return undefined;
  // Nor is 3.2.0-rc, or 3.2.0-rc2foo: older than 3.2.0 at any rate.
  if (groups.stage === undefined && /^[-~](?:alpha|beta|rc)/.test(tail)) return undefined;
  const { stage, number } = groups.stage === undefined ? (stageInRelease.exec(tail)?.groups ?? {}) : groups;
  const base = `${major}.${minor}.${patch}`;
  const isOlder = stage === undefined && (beforeRelease.test(tail) || (tail.startsWith('~') && !rebuilt.test(tail)));
  const isBehind = behindTag.test(vendor + tail);
  return {
    order: stage === undefined ? base + (isOlder ? '-0' : '') : `${base}-${stage}.${Number(number)}`,
    text: stage === undefined ? base : `${base}-${stage}${Number(number)}`,
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    commit: commitTail.exec(tail)?.groups?.commit ?? null,
    isDirty: /-dirty$/.test(tail),
    stands: stage !== undefined || isOlder ? 'before' : isBehind ? 'behind' : 'at',
    written: trimmed,
  };
}

/** Likewise, of a runtime: what is called 3.29.0.1 is some build behind 3.29.0, and what holds for that and the next release holds for it. */
export function parseBuild(text: string): Version | undefined {
  const known = parseVersion(text);
  if (known !== undefined || text.length > lengthLimit) return known;
  const begins = /^(?:[0-9]{1,9}:)?[vV]?[0-9]+\.[0-9]+\.[0-9]+(?=\.[0-9])/.exec(text.trim())?.[0];
  const release = begins === undefined ? undefined : parseVersion(begins);
  return release === undefined ? undefined : { ...release, stands: 'behind', written: text.trim() };
}

/** As 3.2.0.azl5: whoever built that may have built another release of Kata, since the suffix counts releases of the vendor's own. */
export function isVendors(text: string): boolean {
  const vendor = text.length > lengthLimit ? undefined : grammar.exec(text.trim())?.groups?.vendor;
  return vendor !== undefined && !behindTag.test(vendor);
}

/** Whether a package's version tells little of the release of Kata in it: a vendor's, a development build's, and one of no known form. */
export function isOfOwnCounting(text: string): boolean {
  return parseVersion(text)?.stands !== 'at' || isVendors(text);
}

/** A range of versions, as its author wrote it and as semver reads it, which takes its time. */
export interface VersionRange {
  readonly text: string;
  readonly range: Range;
}

/** `rc2` and `alpha10` of Kata's versions, as semver orders them: `rc.2`, `alpha.10`. */
function normalized(range: string): string {
  return range.replace(/-(alpha|beta|rc)([0-9]+)/g, '-$1.$2');
}

/** Of a text that is known to be one; it is read when somebody asks for it. */
export function rangeOf(text: string): VersionRange {
  let range: Range | undefined;
  return {
    text,
    get range() {
      range ??= new Range(normalized(text), { includePrerelease: true });
      return range;
    },
  };
}

/** A semver range, pre-releases included. Undefined when it is none; an empty one, or an empty alternative, is none either. */
export function parseRange(text: string): VersionRange | undefined {
  if (text.trim().length > lengthLimit) return undefined;
  // A comma between two bounds, as in a relation of Debian or rpm, means what a blank means here: both hold.
  const trimmed = text.trim().replace(/ *, */g, ' ');
  if (trimmed.split('||').some((part) => part.trim() === '')) return undefined;
  const found = rangeOf(trimmed);
  try {
    return found.range && found;
  } catch {
    return undefined;
  }
}

export function isInRange(version: Version, range: VersionRange): boolean {
  return range.range.test(new SemVer(version.order));
}

/** Negative when `a` is the older one. */
export function compareVersions(a: Version, b: Version): number {
  return new SemVer(a.order).compare(b.order);
}
