/**
 * The policy's rule: how far runtime and agent may be apart where nothing better is known.
 */

import { rangeOf, type Version, type VersionRange } from '../version.ts';

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
  const text =
    rule.kind === 'exact'
      ? `=${runtime.until === undefined ? runtime.text : runtime.order}`
      : `>=${major}.${oldest}.0-0 <${major}.${minor + 1}.0-0`;
  return rangeOf(text);
}
