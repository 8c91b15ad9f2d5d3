/**
 * What a pair of releases makes of the protocol's history.
 */

import { parseRange, type Version, type VersionRange } from '../version.ts';
import { type Change, firstRelease, lastMinor, lastMinors, type Step, someFeature, steps } from './history.ts';

type Numbers = Pick<Version, 'major' | 'minor' | 'patch'>;

/** Orders releases; far beyond the largest numbers that the table covers. */
function place({ major, minor, patch }: Numbers): number {
  return (major * 1000 + minor) * 1000 + Math.min(patch, 999);
}

function placeOf(release: string): number {
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number);
  return place({ major, minor, patch });
}

/** Each step with its place: asked for often where all pairs are compared. */
const placed: readonly (readonly [at: number, step: Step])[] = steps.map((step) => [placeOf(step.release), step]);

/** Patch releases that are not known are taken for their minor version: only two ever changed something, and both stand here. */
export function isCovered({ major, minor }: Version): boolean {
  return minor <= (lastMinors.get(major) ?? -1);
}

/** Why the table says nothing of this version; null when it does. */
export function whyNotCovered(version: Version): string | null {
  if (isCovered(version)) return null;
  const [lastMajor = 0, last = 0] = lastMinor.split('.').map(Number);
  const { major, minor } = version;
  if (major > lastMajor || (major === lastMajor && minor > last)) return `the protocol history ends at ${lastMinor}`;
  if (major < 1) return `the protocol history begins at ${firstRelease}`;
  return `the protocol history knows no release ${major}.${minor}`;
}

/** Two places for a pre-release of a release that changed something: whether it was in already is not known. */
function placesOf(version: Version): number[] {
  const at = place(version);
  const isOpen = version.order.includes('-') && placed.some(([stepAt]) => stepAt === at);
  return isOpen ? [at - 0.5, at] : [at];
}

function protocolAt(at: number): string {
  return placed.findLast(([stepAt]) => stepAt <= at)?.[1].protocol ?? '1.0';
}

/** As "5.4"; "5.3 or 5.4" for a pre-release; null for what the table does not cover. */
export function protocolOf(version: Version): string | null {
  return isCovered(version) ? [...new Set(placesOf(version).map(protocolAt))].join(' or ') : null;
}

export interface MissingCall {
  readonly name: string;
  readonly feature: string;
}

/** What stands between a runtime and an agent. */
export interface Comparison {
  readonly code: 'KC102' | 'KC103' | 'KC107' | null;
  /** Changes of the transport or of a message, with their releases. */
  readonly breaks: readonly { readonly release: string; readonly change: Change }[];
  /** Calls that the runtime makes and the agent does not have, by name. */
  readonly missing: readonly MissingCall[];
  /** Names of drivers that the runtime may send and the agent does not know, and forms of paths that changed. */
  readonly values: readonly string[];
}

/** The steps between two places, from the older to the newer. */
function between(one: number, other: number): Step[] {
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  return placed.filter(([at]) => at > low && at <= high).map(([, step]) => step);
}

function compareAt(runtime: number, agent: number): Comparison {
  const isNewer = runtime > agent;
  const passed = between(runtime, agent);
  const breaks = passed.flatMap(({ release, changes: made }) =>
    made
      .filter(({ subject }) => subject === 'transport' || subject === 'message')
      .map((one) => ({ release, change: one })),
  );
  const calls = new Map<string, string>();
  const drivers = new Set<string>();
  const paths: string[] = [];
  // From the agent to the runtime: what comes on the way the agent does not know, whichever of them is the newer.
  for (const { release, changes: made } of isNewer ? passed : passed.reverse()) {
    for (const { subject, how, name, to, detail } of made) {
      if (subject === 'path') paths.push(`${name} (${release})`);
      if (subject === 'call') {
        if ((how === 'added') === isNewer) calls.set(name, detail ?? someFeature);
        else calls.delete(name);
      }
      if (subject === 'driver') {
        const [comes, goes]: [string | null, string | null] =
          how === 'renamed' ? [to, name] : how === 'added' ? [name, null] : [null, name];
        const [known, unknown] = isNewer ? [goes, comes] : [comes, goes];
        if (known !== null) drivers.delete(known);
        if (unknown !== null) drivers.add(unknown);
      }
    }
  }
  const missing = [...calls].map(([name, feature]) => ({ name, feature }));
  missing.sort((a, b) => (a.name < b.name ? -1 : 1));
  const values = [...[...drivers].sort().map((name) => `driver ${name}`), ...paths];
  const isBroken = breaks.length > 0 || (missing.length > 0 && !isNewer);
  const code = isBroken ? 'KC102' : missing.length > 0 ? 'KC103' : values.length > 0 ? 'KC107' : null;
  return { code, breaks, missing, values };
}

/** Undefined where the table does not tell: a release that it does not cover, or a pre-release with which it could be either way. */
export function compareProtocols(runtime: Version, agent: Version): Comparison | undefined {
  if (!isCovered(runtime) || !isCovered(agent)) return undefined;
  // Whatever a pre-release holds, it holds the same on both sides.
  if (runtime.order === agent.order) return compareAt(place(runtime), place(agent));
  const found = placesOf(runtime).flatMap((one) => placesOf(agent).map((other) => compareAt(one, other)));
  const [first] = found;
  if (first === undefined || found.some(({ code }) => code !== first.code)) return undefined;
  // Only what is missing in either case is proven.
  return found.reduce((least, one) => (one.missing.length < least.missing.length ? one : least));
}

/** The agents that a runtime works with by the table, KC107 aside. Undefined where it does not tell. */
export function rangeByHistory(runtime: Version): VersionRange | undefined {
  const [at, ...more] = placesOf(runtime);
  if (at === undefined || more.length > 0 || !isCovered(runtime)) return undefined;
  const all = [firstRelease, ...steps.map(({ release }) => release)];
  const fits = (release: string): boolean => {
    const { code } = compareAt(at, placeOf(release));
    return code === null || code === 'KC107';
  };
  const own = all.findLastIndex((release) => placeOf(release) <= at);
  let oldest = own;
  while (oldest > 0 && fits(all[oldest - 1] as string)) oldest -= 1;
  const end = all.find((release, index) => index > own && !fits(release));
  return parseRange(`>=${all[oldest]}${end === undefined ? '' : ` <${end}`}`);
}

/** The steps that lie, or of a pre-release may lie, between two releases or after one; from the older to the newer. */
export function stepsBetween(one: Version, other: Version | null): Step[] {
  if (one.order === other?.order) return [];
  const places = [...placesOf(one), ...(other === null ? [Number.POSITIVE_INFINITY] : placesOf(other))];
  return between(Math.min(...places), Math.max(...places));
}

const listLimit = 6;

function listed(names: readonly string[]): string {
  const more = names.length - listLimit;
  return names.slice(0, listLimit).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** What would happen, in one line. */
export function consequenceOf({ code, breaks, missing, values }: Comparison): string {
  const [first] = breaks;
  if (first !== undefined) {
    const { subject, name, detail } = first.change;
    return `${subject === 'transport' ? name : `the message ${name} changed`} in ${first.release}: ${detail}`;
  }
  const names = listed(missing.map(({ name }) => name));
  if (code === 'KC102') return `calls that the agent no longer has: ${names}`;
  if (code === 'KC103') return `calls the agent does not have: ${names}`;
  return code === 'KC107' ? `the agent may refuse or misread: ${listed(values)}` : 'nothing: they fit';
}
