/**
 * Which source says what agents a runtime works with: the first that speaks wins, and is named.
 */

import { betweenReleases, whyNotCovered } from '../protocol/place.ts';
import { type Known, rangeOfAgents } from '../protocol/reach.ts';
import { isInRange, parseRange, rangeOf, type Version, type VersionRange } from '../version.ts';
import type { Requirement } from './node.ts';
import type { Reads } from './reading.ts';
import { rangeOfRule, ruleText } from './rule.ts';
import type { Settings } from './settings.ts';

export interface RequirementSources {
  /** 1. The option --requires. */
  readonly option: VersionRange | undefined;
  /** 2. What the runtime's package declares, and how to name it. */
  readonly declared: { readonly text: string; readonly from: string } | undefined;
  /** For 3. [requires] of the configuration, 4. the protocol's history, and 5. the policy's rule. */
  readonly version: Version | undefined;
  readonly versionText: string | null;
  readonly settings: Settings;
  readonly known: Known;
  /** The configurations that it reads. */
  readonly reads: Reads;
}

/** A requirement, or why there is none; both where what was declared could not be read and something else speaks. */
export interface RequirementResult {
  readonly requirement: Requirement | null;
  readonly requirementProblem: string | null;
}

export function requirementOf(sources: RequirementSources): RequirementResult {
  const { option, declared, version, versionText, settings } = sources;
  const from = (range: VersionRange, source: string): RequirementResult => ({
    requirement: { range, source, isRule: false },
    requirementProblem: null,
  });
  // 1.
  if (option !== undefined) return from(option, '--requires');
  // 2.
  const range = declared === undefined ? undefined : parseRange(declared.text);
  if (declared !== undefined && range !== undefined) return from(range, declared.from);
  // A package that declares something unreadable wanted to speak, and that is said; but it switches nothing else off.
  const unreadable =
    declared === undefined ? null : `${declared.from} cannot be read as a range of versions: ${declared.text}`;
  if (version === undefined) {
    const problem = versionText === null ? 'its version is not known' : `its version cannot be read: ${versionText}`;
    return { requirement: null, requirementProblem: unreadable ?? problem };
  }
  // 3. The last line that covers the runtime: a drop-in is read later than the main file, and is meant to win.
  const configured = settings.requires.findLast(({ value }) => isInRange(version, value.runtime));
  const requirement =
    configured === undefined
      ? byProtocol(version, sources)
      : { range: configured.value.agent, source: configured.from, isRule: false };
  return { requirement, requirementProblem: unreadable };
}

/** 4., and 5. beside it: the tables may cover the runtime and not the agent. */
function byProtocol(version: Version, { settings, known, reads }: RequirementSources): Requirement {
  const ruled = rangeOfRule(settings.rule.value, version);
  const rule: Requirement = { range: ruled, source: `rule ${ruleText(settings.rule.value)}`, isRule: true };
  const why = whyNotCovered(version, known.lastMinors);
  if (why !== null) return { ...rule, source: `${rule.source}: ${why}` };
  const between = betweenReleases(version, known.lastMinors);
  const source = `protocol history${between === null ? '' : `, for ${between}`}`;
  const range = rangeOfAgents(version, reads.readers, reads.isSure, known) ?? none;
  return { range, source, isRule: false, otherwise: rule };
}

/** No agent works with a runtime whose settings ask for what none has. */
const none = rangeOf('<0.0.0-0');
