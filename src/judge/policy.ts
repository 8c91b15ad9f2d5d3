/**
 * What the admin decides: how severe each finding is.
 */

import type { Code, Severity } from './findings.ts';

export interface Policy {
  readonly mode: 'block' | 'warn' | 'off';
  /** Findings that warn instead of blocking. */
  readonly allow: ReadonlySet<string>;
  /** Severities other than the built-in ones. */
  readonly severity: ReadonlyMap<string, Severity>;
  /** Warnings count as blocks. */
  readonly strict: boolean;
}

/** For what follows from a fact that is in doubt: nothing of it is a proof. */
export function doubting(policy: Policy): Policy {
  return policy.mode === 'block' ? { ...policy, mode: 'warn' } : policy;
}

/** How severe a finding is in the end. `mode` and `allow` win over `strict`: they are the way out. */
export function severityOf(code: Code, builtIn: Severity, policy: Policy): Severity {
  const configured = policy.severity.get(code) ?? builtIn;
  const strict = policy.strict && configured === 'warn' ? 'block' : configured;
  return strict === 'block' && (policy.mode !== 'block' || policy.allow.has(code)) ? 'warn' : strict;
}
