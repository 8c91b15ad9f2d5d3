/**
 * `kata-check protocol compare OLD NEW`: what two states of the .proto files differ by, and how large a step the release must take.
 *
 * The rule is that of the thread on kata-dev of June 2018: a patch release does not change the protocol; what is added is a minor
 * release; a break is one too, and its notes say that nodes must be drained, as neither half works with the other's old one.
 *
 * Of the Node form only: it is for release pipelines, not for nodes.
 */

import { LimitExceeded, NotFound, Usage } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { document, schema } from '../report/json.ts';
import { printable } from '../report/printable.ts';
import { compareVersions, type Version } from '../version.ts';
import { type Field, type Protocol, parseProtos, protoSizeLimit } from './proto-files.ts';

export type Weight = 'none' | 'addition' | 'break';

export interface Difference {
  readonly weight: Weight;
  /** What differs, as "the call AgentService/PauseContainer was added". */
  readonly text: string;
}

/** Between the runtime and the agent; others that lie beside them are spoken inside the guest or on the host. */
const fileNames = ['agent.proto', 'types.proto', 'oci.proto', 'health.proto', 'csi.proto'];
/** Folders that hold copies of others' files. */
const notOurs = ['node_modules', 'vendor', 'target'];
/** A checkout of Kata has some 10,000 folders. */
const folderLimit = 100_000;
const depthLimit = 16;

/** A .proto file, or the files of those names below a folder. Throws NotFound, Usage, Io, LimitExceeded. */
export function protoFiles(host: Host, path: string): { path: string; source: string }[] {
  const kind = host.status(path)?.kind;
  if (kind === undefined) throw new NotFound(`${path}: no such file or directory`);
  if (kind !== 'directory') return [{ path, source: host.readText(path, protoSizeLimit) }];
  const found = new Map<string, string>();
  const pending = [{ folder: path, depth: 0 }];
  let seen = 0;
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    seen += 1;
    if (seen > folderLimit) throw new LimitExceeded(`${path}: more than ${folderLimit} folders`);
    for (const name of host.readDirectory(next.folder).sort()) {
      const below = `${next.folder}/${name}`;
      const isWanted = fileNames.includes(name);
      if (name.startsWith('.') || notOurs.includes(name)) continue;
      const is = host.status(below)?.kind;
      if (is === 'directory' && next.depth < depthLimit) pending.push({ folder: below, depth: next.depth + 1 });
      if (is !== 'file' || !isWanted) continue;
      const before = found.get(name);
      if (before !== undefined)
        throw new Usage(`${path} holds both ${before} and ${below}: name the folder that is meant`);
      found.set(name, below);
    }
  }
  if (!found.has('agent.proto')) throw new Usage(`${path} holds no agent.proto`);
  return [...found.values()].map((file) => ({ path: file, source: host.readText(file, protoSizeLimit) }));
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

export interface CompareRequest {
  readonly old: string;
  readonly next: string;
  readonly from: Version | null;
  readonly to: Version | null;
  readonly isJson: boolean;
}

export interface Compared {
  readonly text: string;
  /** The version that was given for the release is too small a step. */
  readonly isTooSmall: boolean;
}

const signs: Readonly<Record<Weight, string>> = { break: '!', addition: '+', none: ' ' };

/** Throws Usage, and what reading and parsing throw. */
export function compareTrees(host: Host, { old, next, from, to, isJson }: CompareRequest): Compared {
  if (to !== null && from === null) throw new Usage('--to needs --from');
  if (from !== null && to !== null && compareVersions(to, from) <= 0) {
    throw new Usage(`${to.text} is not newer than ${from.text}`);
  }
  const found = differences(parseProtos(protoFiles(host, old)), parseProtos(protoFiles(host, next)));
  const weight = weightOf(found);
  const least = from === null ? null : leastVersion(from, weight);
  const step = weight === 'none' ? 'patch' : 'minor';
  const isTooSmall =
    from !== null &&
    to !== null &&
    weight !== 'none' &&
    from.major === to.major &&
    from.minor === to.minor &&
    !isOpen(from);
  if (isJson) {
    const drain = weight === 'break';
    const versions = { from: from?.text ?? null, to: to?.text ?? null, least };
    return { text: document({ schema, differences: found, weight, step, drain, ...versions, isTooSmall }), isTooSmall };
  }
  const lines = found.map((one) => `${signs[one.weight]} ${one.weight.padEnd(9)} ${printable(one.text)}`);
  const verdict = {
    none: 'The protocol is the same: a patch release is enough',
    addition: 'The protocol has additions: at least a minor release',
    break: 'The protocol breaks: at least a minor release',
  }[weight];
  const advice = `${verdict}${least === null ? '' : `, ${least}`}.`;
  const drain =
    weight === 'break' ? ['Announce it: nodes must be drained, and runtime and guest image upgraded together.'] : [];
  const refused = isTooSmall ? [`${to?.text} is too small a step from ${from?.text}.`] : [];
  return {
    text: `${[...lines, ...(lines.length > 0 ? [''] : []), advice, ...drain, ...refused].join('\n')}\n`,
    isTooSmall,
  };
}

/** From a pre-release of a minor release, that very release is step enough. */
function isOpen({ order, patch }: Version): boolean {
  return order.includes('-') && patch === 0;
}
