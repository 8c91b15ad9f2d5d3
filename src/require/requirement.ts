/**
 * Which source says what agents a runtime works with: the first that speaks wins, and is named.
 */

import type { Config } from '../config.ts';
import type { Requirement } from '../judge/judge.ts';
import { rangeOfRule, ruleText } from '../judge/policy.ts';
import { isInRange, parseRange, type Version, type VersionRange } from '../version.ts';

export interface RequirementSources {
  /** 1. The option --requires. */
  readonly option: VersionRange | undefined;
  /** 2. What the runtime's package declares, and how to name it. */
  readonly declared: { readonly text: string; readonly from: string } | undefined;
  /** For 3. [requires] of the configuration, and 5. the policy's rule. (4., the protocol's history, is not yet there.) */
  readonly version: Version | undefined;
  readonly versionText: string | null;
  readonly config: Config;
}

/** Either a requirement, or why there is none. */
export type RequirementResult =
  | { readonly requirement: Requirement; readonly requirementProblem: null }
  | { readonly requirement: null; readonly requirementProblem: string };

export function requirementOf(sources: RequirementSources): RequirementResult {
  const { option, declared, version, versionText, config } = sources;
  const from = (range: VersionRange, source: string, isRule = false): RequirementResult => ({
    requirement: { range, source, isRule },
    requirementProblem: null,
  });
  // 1.
  if (option !== undefined) return from(option, '--requires');
  // 2. A package that declares something unreadable has spoken: guessing instead could let a mismatch through as a mere warning.
  if (declared !== undefined) {
    const range = parseRange(declared.text);
    if (range !== undefined) return from(range, declared.from);
    return { requirement: null, requirementProblem: `${declared.from} is no range: ${declared.text}` };
  }
  if (version === undefined) {
    const problem =
      versionText === null ? 'its version is not known' : `its version is of no known form: ${versionText}`;
    return { requirement: null, requirementProblem: problem };
  }
  // 3. The last line that covers the runtime: a drop-in is read later than the main file, and is meant to win.
  const configured = config.requires.findLast(({ value }) => isInRange(version, value.runtime));
  if (configured !== undefined) return from(configured.value.agent, configured.from);
  // 5.
  return from(rangeOfRule(config.rule.value, version), `rule ${ruleText(config.rule.value)}`, true);
}
