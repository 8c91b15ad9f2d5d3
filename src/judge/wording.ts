/**
 * What findings say of runtimes and images, and what is to be done: facts, remedies, commands to copy.
 */

import type { Comparison } from '../protocol/compare.ts';
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

/** A row for each call that the agent does not have. Where no call gets through at all, which of them are missing is no matter. */
export function missingFacts({ breaks, missing }: Comparison): Fact[] {
  if (breaks.length > 0) return [];
  return missing.map(({ name, feature }) => ({ label: 'missing', value: name, from: `called for ${feature}` }));
}

export function remedyFor(
  runtime: Runtime,
  image: Image,
  manager: string | null,
  compared: Comparison | null = null,
): Finding['remedy'] {
  // Such an agent is in the range: what settles it is that both are of the same release.
  const wanted = compared?.code === 'KC107' ? (runtime.version?.text ?? '') : (runtime.requirement?.range.text ?? '');
  return remedyOn({ runtime, image, wanted }, managerOf(manager));
}

/** Where a fact is from may take several lines, but a path takes one. */
export function oneLine(text: string): string {
  return text.replaceAll('\n', '\\u000a');
}
