/**
 * What two states of the .proto files differ by, and how large a step the release must take.
 *
 * The rule is that of the thread on kata-dev of June 2018: a patch release does not change the protocol; what is added is a minor
 * release; a break is one too, and its notes say that nodes must be drained, as neither half works with the other's old one.
 */

import { Usage } from '../errors.ts';
import { compareVersions, type Version } from '../version.ts';
import type { Field, Protocol } from './proto-files.ts';

export type Weight = 'none' | 'addition' | 'break';

export interface Difference {
  readonly weight: Weight;
  /** What differs, as "the call AgentService/PauseContainer was added". */
  readonly text: string;
}

export function differences(old: Protocol, next: Protocol): Difference[] {
  const found: Difference[] = [];
  const add = (weight: Weight, text: string): void => {
    found.push({ weight, text });
  };
  for (const [name, call] of next.calls) {
    const before = old.calls.get(name);
    if (before === undefined) {
      add('addition', `the call ${name} was added`);
      continue;
    }
    for (const side of ['request', 'response'] as const) {
      if (before[side] === call[side]) continue;
      // A message with another name and the same fields is the same on the wire, where no name stands.
      const isSame = sameForm(old.messages.get(before[side]), next.messages.get(call[side]));
      add(isSame ? 'none' : 'break', `the ${side} of the call ${name} is ${call[side]}, before ${before[side]}`);
    }
  }
  for (const name of old.calls.keys()) if (!next.calls.has(name)) add('break', `the call ${name} was removed`);
  for (const [name, fields] of next.messages) {
    const before = old.messages.get(name);
    // By itself it changes nothing: what uses it is a difference of its own.
    if (before === undefined) add('none', `${name} was added`);
    else found.push(...fieldDifferences(name, before, fields));
  }
  for (const name of old.messages.keys()) if (!next.messages.has(name)) add('none', `${name} was removed`);
  const order: readonly Weight[] = ['break', 'addition', 'none'];
  return found.sort((a, b) => order.indexOf(a.weight) - order.indexOf(b.weight));
}

type Fields = ReadonlyMap<number, Field>;

function sameForm(one: Fields | undefined, other: Fields | undefined): boolean {
  if (one === undefined || other === undefined || one.size !== other.size) return false;
  return [...one.values()].every(({ number, type, name }) => {
    const twin = other.get(number);
    return twin?.type === type && twin.name === name;
  });
}

function fieldDifferences(message: string, before: Fields, after: Fields): Difference[] {
  const found: Difference[] = [];
  const named = (fields: Fields, name: string): Field | undefined =>
    [...fields.values()].find((field) => field.name === name);
  for (const field of after.values()) {
    const { name, number, type } = field;
    const twin = before.get(number);
    const moved = named(before, name);
    const what = `${message}.${name}`;
    if (moved !== undefined && moved.number !== number) {
      found.push({ weight: 'break', text: `${what} is number ${number}, before ${moved.number}` });
      if (moved.type !== type) found.push({ weight: 'break', text: `${what} is ${type}, before ${moved.type}` });
    } else if (twin === undefined) found.push({ weight: 'addition', text: `${what} = ${number} was added` });
    else if (twin.type !== type)
      found.push({ weight: 'break', text: `${what} = ${number} is ${type}, before ${twin.type}` });
    else if (twin.name !== name && named(after, twin.name) === undefined) {
      // The same on the wire; but whoever renames a field often means something else by it, as pciAddr became pciPath.
      found.push({
        weight: 'addition',
        text: `${what} = ${number} was called ${twin.name} before: is its meaning the same?`,
      });
    } else if (twin.name !== name) {
      found.push({ weight: 'break', text: `${what} = ${number} stands where ${twin.name} stood` });
    }
  }
  for (const { name, number } of before.values()) {
    if (after.has(number) || named(after, name) !== undefined) continue;
    found.push({ weight: 'break', text: `${message}.${name} = ${number} was removed` });
  }
  return found;
}

export function weightOf(found: readonly Difference[]): Weight {
  if (found.some(({ weight }) => weight === 'break')) return 'break';
  return found.some(({ weight }) => weight === 'addition') ? 'addition' : 'none';
}

/** The least version that a release after `from` may have. */
export function leastVersion({ major, minor, patch, order }: Version, weight: Weight): string {
  // What is not released yet may still become what it must.
  if (order.includes('-') && (weight === 'none' || patch === 0)) return `${major}.${minor}.${patch}`;
  return weight === 'none' ? `${major}.${minor}.${patch + 1}` : `${major}.${minor + 1}.0`;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly weight: Weight;
  /** The least version that the release may have; null when the one before is not known. */
  readonly least: string | null;
  /** The version that was given for the release is too small a step. */
  readonly isTooSmall: boolean;
}

/** `from` and `to`: the release that the old files are of, and the one that the new ones are to be. Throws Usage for a step backwards. */
export function compareProtocols(old: Protocol, next: Protocol, from: Version | null, to: Version | null): Comparison {
  if (to !== null && from === null) throw new Usage('--to needs --from');
  if (from !== null && to !== null && compareVersions(to, from) <= 0) {
    throw new Usage(`${to.text} is not newer than ${from.text}`);
  }
  const found = differences(old, next);
  const weight = weightOf(found);
  const isTooSmall =
    from !== null &&
    to !== null &&
    weight !== 'none' &&
    from.major === to.major &&
    from.minor === to.minor &&
    !isOpen(from);
  return { differences: found, weight, least: from === null ? null : leastVersion(from, weight), isTooSmall };
}

/** From a pre-release of a minor release, that very release is step enough. */
function isOpen({ order, patch }: Version): boolean {
  return order.includes('-') && patch === 0;
}
