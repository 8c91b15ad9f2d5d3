/**
 * What findings say of runtimes and images, and what is to be done: facts, remedies, commands to copy.
 */

import type { Decision, Met } from '../protocol/reach.ts';
import { decisionText, labelOf, reasonsOf } from '../protocol/words.ts';
import type { Image, Runtime } from '../state/node.ts';
import type { Fact, Finding } from './findings.ts';
import { managerOf } from './managers.ts';
import { remedyOn } from './remedy.ts';

export function runtimeFact(runtime: Runtime): Fact {
  const { requirement, versionSource } = runtime;
  const range =
    requirement === null ? 'requirement unknown' : `agent ${requirement.range.text} (${requirement.source})`;
  // A file beside the programs can be older than they are.
  const isFromFile = versionSource?.endsWith('/VERSION') === true;
  return {
    label: runtime.isIncoming ? 'incoming' : 'installed',
    value: `${runtime.name} ${runtime.versionText ?? 'of unknown version'}`,
    from: isFromFile ? `${range}\nversion from ${versionSource}` : range,
  };
}

export function imageFact(image: Image): Fact {
  const { facts, incoming } = image;
  const place = facts.partition === null ? facts.filesystem : `${facts.filesystem} in partition ${facts.partition}`;
  const how = [place, facts.agent?.source].filter((part) => part !== null && part !== undefined).join(', ');
  if (incoming !== null) {
    return {
      label: 'incoming',
      value: `agent ${incoming.version?.text ?? 'unknown'}`,
      from: oneLine(`${incoming.package}, for ${facts.path}`) + (incoming.isRead && how !== '' ? `\n${how}` : ''),
    };
  }
  return {
    label: 'installed',
    value: facts.agent === null ? 'agent unknown' : `agent ${facts.agent.version.text}`,
    from: how === '' ? oneLine(facts.path) : `${oneLine(facts.path)}\n${how}`,
  };
}

/** What the runtime asks and the agent does not understand: when, for whom, and by which setting. */
export function metFact(met: Met): Fact {
  return { label: labelOf(met), value: met.row.name, from: reasonsOf(met).map(oneLine).join('\n') };
}

export function remedyFor(
  runtime: Runtime,
  image: Image,
  manager: string | null,
  met: readonly Met[] = [],
): Finding['remedy'] {
  const isProven = met.length === 0 || met.some(({ weight }) => weight === 'block');
  // Where nothing is proven, such an agent is in the range: what settles it is that both are of the same release.
  const wanted = isProven ? (runtime.requirement?.range.text ?? '') : sameBuild(runtime);
  const remedy = remedyOn({ runtime, image, wanted }, managerOf(manager));
  const change = switchesOf(met);
  return change === null ? remedy : { ...remedy, text: `${remedy.text} Or change ${change}.` };
}

/** A build behind a tag has an agent of its own, which is not that of the release. */
function sameBuild({ version }: Runtime): string {
  return (version?.stands === 'behind' ? version.written : version?.text) ?? '';
}

/** What could be set otherwise in a file, where settings alone are what makes the pair unfit; null where it is not so. */
function switchesOf(met: readonly Met[]): string | null {
  const proof = met.filter(({ weight }) => weight === 'block');
  const settings = proof.map(({ decisions }) => decisions.find(isInFile));
  if (proof.length === 0 || settings.includes(undefined)) return null;
  const places = settings.flatMap((decision) => (decision === undefined ? [] : [decisionText(decision)]));
  return [...new Set(places)].join(' and ');
}

function isInFile({ path, line }: Decision): boolean {
  return path !== null && line !== null;
}

/** Where a fact is from may take several lines, but a path takes one. */
export function oneLine(text: string): string {
  return text.replaceAll('\n', '\\u000a');
}
