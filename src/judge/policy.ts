/**
 * What the admin decides: the rule where nothing better is known, and how severe each finding is.
 */

import { parseRange, type Version, type VersionRange } from '../version.ts';
import type { Code, Severity } from './findings.ts';

export type Rule =
  | { readonly kind: 'exact' }
  | { readonly kind: 'minor' }
  | { readonly kind: 'skew'; readonly minors: number };

/** `exact`, `minor` or `skew=N`; undefined for anything else. */
export function parseRule(text: string): Rule | undefined {
  if (text === 'exact' || text === 'minor') return { kind: text };
  const minors = /^skew=([0-9]{1,3})$/.exec(text)?.[1];
  return minors === undefined ? undefined : { kind: 'skew', minors: Number(minors) };
}

export function ruleText(rule: Rule): string {
  return rule.kind === 'skew' ? `skew=${rule.minors}` : rule.kind;
}

/** The agents that the rule allows beside a runtime. A skew does not reach over a major version, nor to a newer agent. */
export function rangeOfRule(rule: Rule, runtime: Version): VersionRange {
  const { major, minor } = runtime;
  const oldest = rule.kind === 'skew' ? Math.max(0, minor - rule.minors) : minor;
  const text = rule.kind === 'exact' ? `=${runtime.text}` : `>=${major}.${oldest}.0-0 <${major}.${minor + 1}.0-0`;
  return parseRange(text) as VersionRange;
}

export interface Policy {
  readonly mode: 'block' | 'warn' | 'off';
  /** Findings that warn instead of blocking. */
  readonly allow: ReadonlySet<string>;
  /** Severities other than the built-in ones. */
  readonly severity: ReadonlyMap<string, Severity>;
  /** Warnings count as blocks. */
  readonly strict: boolean;
}

/** How severe a finding is in the end. `mode` and `allow` win over `strict`: they are the way out. */
export function severityOf(code: Code, builtIn: Severity, policy: Policy): Severity {
  const configured = policy.severity.get(code) ?? builtIn;
  const strict = policy.strict && configured === 'warn' ? 'block' : configured;
  return strict === 'block' && (policy.mode !== 'block' || policy.allow.has(code)) ? 'warn' : strict;
}
