/**
 * The whole way: requirement -> locate -> read -> judge -> report.
 */

import type { Host } from './host/host.ts';
import type { Judgement } from './judge/judge.ts';
import type { Policy } from './judge/policy.ts';
import { stateAfter } from './state/after.ts';
import { nothing, type State } from './state/node.ts';
import type { Request } from './state/request.ts';

export interface Report extends Judgement {
  readonly state: State;
  /** Problems on the way that are no findings of their own. */
  readonly warnings: readonly string[];
}

/** `host` is the real one, `rooted` the one below `request.root`. Throws Io, LimitExceeded when the node itself cannot be read. */
export async function check(host: Host, rooted: Host, request: Request, policy: Policy): Promise<Report> {
  const { state, warnings } = await stateAfter(host, rooted, request);
  if (state === nothing) return { state, warnings, findings: [], verdict: 'ok', pairs: [] };
  const { judge } = await import('./judge/judge.ts');
  return { state, warnings, ...judge(state, policy) };
}
