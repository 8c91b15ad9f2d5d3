/**
 * What an admin configures about the state of a node: which agents runtimes work with, and what belongs to Kata there. What is
 * configured about the judging is judge/policy.ts, and src/config.ts reads both.
 */

import type { VersionRange } from '../version.ts';
import type { Rule } from './rule.ts';

export interface Origin<T> {
  readonly value: T;
  /** As "default", "/etc/kata-check.conf, line 3", "--mode". */
  readonly from: string;
}

export interface Settings {
  readonly rule: Origin<Rule>;
  /** Agent versions by versions of the runtime. */
  readonly requires: readonly Origin<{ readonly runtime: VersionRange; readonly agent: VersionRange }>[];
  readonly runtimePackages: readonly Origin<string>[];
  readonly imagePackages: readonly Origin<string>[];
  readonly images: readonly Origin<string>[];
  /** Paths, and patterns of paths, of images that the packages of this node make anew. */
  readonly rebuiltImages: readonly Origin<string>[];
}
