/**
 * The state after the transaction: which runtimes and which guest images will be there. Without a transaction, what is there now.
 *
 * Nearly no run of a package manager concerns Kata: what does more than to see that is loaded where one does.
 */

import type { Host } from '../host/host.ts';
import type { After } from './assembled.ts';
import { nothing } from './node.ts';
import { concernsKata } from './relevance.ts';
import type { Request } from './request.ts';
import { isReinstall } from './transaction.ts';

/** `host` is the real one, `rooted` the one below `request.root`. Throws Io, LimitExceeded. */
export async function stateAfter(host: Host, rooted: Host, request: Request): Promise<After> {
  const steps = (request.transaction?.changes ?? []).filter(
    (change) => change.action !== 'configure' && !isReinstall(change),
  );
  const { transaction } = request;
  // What somebody gave by hand is looked into, whatever it is.
  const isAsked = transaction === null || transaction.isByHand === true;
  if (!isAsked && !(await concernsKata(host, rooted, steps, request))) {
    return { state: nothing, warnings: [] };
  }
  await request.begin?.();
  const { assembled } = await import('./assembled.ts');
  return assembled(host, rooted, request, steps);
}
