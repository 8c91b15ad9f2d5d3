/**
 * The whole way: requirement -> locate -> read -> judge -> report.
 */

import type { Config } from './config.ts';
import { policyOf } from './config.ts';
import type { Host } from './host/host.ts';
import { type Judgement, judge, type State } from './judge/judge.ts';
import { stateAfter } from './require/after.ts';
import type { Transaction } from './require/transaction.ts';
import type { VersionRange } from './version.ts';

export interface Request {
  /** Below which everything is looked for; "" for the real root. */
  readonly root: string;
  /** What a package manager, or the user with package files, is about to do; null to judge what is installed. */
  readonly transaction: Transaction | null;
  /** The incoming runtime's version, as the user gives it. */
  readonly to: string | null;
  readonly requires: VersionRange | undefined;
  /** Instead of those that the configuration names; empty for those. */
  readonly images: readonly string[];
  readonly config: Config;
  /** Milliseconds on the host's clock. */
  readonly deadline: number;
}

export interface Report extends Judgement {
  readonly state: State;
  /** Problems on the way that are no findings of their own. */
  readonly warnings: readonly string[];
}

/** `host` is the real one, `rooted` the one below `request.root`. Throws Io, LimitExceeded when the node itself cannot be read. */
export async function check(host: Host, rooted: Host, request: Request): Promise<Report> {
  const { state, warnings } = await stateAfter(host, rooted, request);
  return { state, warnings, ...judge(state, policyOf(request.config)) };
}
