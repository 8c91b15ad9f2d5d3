/**
 * Which steps of the protocol's history lie between two releases.
 */

import type { Version } from '../version.ts';
import { type Step, steps } from './history.ts';
import { isCovered, placeOf, placesOf } from './place.ts';
import { lastMinors } from './releases.ts';

/** Each step with its place. */
const placed: readonly (readonly [at: number, step: Step])[] = steps.map((step) => [placeOf(step.release), step]);

function protocolAt(at: number): string {
  return placed.findLast(([stepAt]) => stepAt <= at)?.[1].protocol ?? '1.0';
}

/** As "5.4"; "5.3 or 5.4" for a build between two releases; null for what the history does not cover. */
export function protocolOf(version: Version): string | null {
  if (!isCovered(version, lastMinors)) return null;
  return [...new Set(placesOf(version, lastMinors).map(protocolAt))].join(' or ');
}

/** The steps that lie, or of a build between two releases may lie, between two versions or after one; from the older to the newer. */
export function stepsBetween(one: Version, other: Version | null): Step[] {
  if (other !== null && one.order === other.order && one.stands === other.stands) return [];
  const places = [one, ...(other === null ? [] : [other])].flatMap((version) => placesOf(version, lastMinors));
  if (other === null) places.push(Number.POSITIVE_INFINITY);
  const [low, high] = [Math.min(...places), Math.max(...places)];
  return placed.filter(([at]) => at > low && at <= high).map(([, step]) => step);
}
