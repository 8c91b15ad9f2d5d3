/**
 * Which source says what agents a runtime works with: the first that speaks wins, and is named.
 */

import { rangeByHistory, whyNotCovered } from '../protocol/compare.ts';
import { isInRange, parseRange, type Version, type VersionRange } from '../version.ts';
import type { Requirement } from './node.ts';
import { rangeOfRule, ruleText } from './rule.ts';
import type { Settings } from './settings.ts';

export interface RequirementSources {
  /** 1. The option --requires. */
  readonly option: VersionRange | undefined;
  /** 2. What the runtime's package declares, and how to name it. */
  readonly declared: { readonly text: string; readonly from: string } | undefined;
  /** The package could not be read: it may declare something that the history does not know. */
  readonly isUnread?: boolean;
  /** For 3. [requires] of the configuration, 4. the protocol's history, and 5. the policy's rule. */
  readonly version: Version | undefined;
  readonly versionText: string | null;
  readonly settings: Settings;
}

/** Either a requirement, or why there is none. */
export type RequirementResult =
  | { readonly requirement: Requirement; readonly requirementProblem: null }
  | { readonly requirement: null; readonly requirementProblem: string };

export function requirementOf(sources: RequirementSources): RequirementResult {
  const { option, declared, isUnread = false, version, versionText, settings } = sources;
  const from = (range: VersionRange, source: string): RequirementResult => ({
    requirement: { range, source, isRule: false },
    requirementProblem: null,
  });
  // 1.
  if (option !== undefined) return from(option, '--requires');
  // 2. A package that declares something unreadable has spoken: guessing instead could let a mismatch through as a mere warning.
  if (declared !== undefined) {
    const range = parseRange(declared.text);
    if (range !== undefined) return from(range, declared.from);
    return {
      requirement: null,
      requirementProblem: `${declared.from} cannot be read as a range of versions: ${declared.text}`,
    };
  }
  if (version === undefined) {
    const problem = versionText === null ? 'its version is not known' : `its version cannot be read: ${versionText}`;
    return { requirement: null, requirementProblem: problem };
  }
  // 3. The last line that covers the runtime: a drop-in is read later than the main file, and is meant to win.
  const configured = settings.requires.findLast(({ value }) => isInRange(version, value.runtime));
  if (configured !== undefined) return from(configured.value.agent, configured.from);
  // 5., beside 4.: the history may cover the runtime and not the agent.
  const ruled = rangeOfRule(settings.rule.value, version);
  const rule: Requirement = { range: ruled, source: `rule ${ruleText(settings.rule.value)}`, isRule: true };
  if (isUnread) return { requirement: rule, requirementProblem: null };
  // 4.
  const range = rangeByHistory(version);
  if (range !== undefined) {
    return {
      requirement: { range, source: 'protocol history', isRule: false, otherwise: rule },
      requirementProblem: null,
    };
  }
  const why = whyNotCovered(version);
  return {
    requirement: why === null ? rule : { ...rule, source: `${rule.source}: ${why}` },
    requirementProblem: null,
  };
}
