/**
 * What tukit tells a plugin: a stage and its parameters (transactional-update, doc/tukit-plugins.md). At `finalize-pre PATH ID` the snapshot
 * is complete, and not yet the next one to boot: it holds the state after the transaction, and can still be refused as a whole.
 */

import { Usage } from '../errors.ts';
import type { Transaction } from '../state/transaction.ts';

const stage = 'finalize-pre';

/** Null at any other stage. Throws Usage. */
export function tukitTransaction(args: readonly string[]): Transaction | null {
  const [moment, path, id, ...rest] = args;
  if (moment === undefined) throw new Usage('hook tukit takes a stage and its parameters');
  if (moment !== stage) return null;
  if (path?.startsWith('/') !== true || id === undefined || rest.length > 0) {
    throw new Usage(`hook tukit ${stage} takes the path and the number of a snapshot`);
  }
  const root = path.replace(/\/+$/, '');
  return { manager: 'transactional-update', root, changes: [], mode: null, allow: [], isStaged: true };
}
