/**
 * What dnf 4 and dnf 5 tell: a row for each package that comes in or goes out, so that an upgrade is two of them. Here they become
 * changes. And what both say in the same way: the root. zypper tells a list, too.
 */

import { Corrupt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { declaredByProvides } from '../locate/provides.ts';
import { mistakeLimit, type PackageChange, type Transaction } from '../state/transaction.ts';

export interface Row {
  readonly direction: 'in' | 'out';
  readonly name: string;
  readonly arch: string;
  /** Epoch, version and release. */
  readonly evr: string;
  /** The .rpm that comes in, where it is known. */
  readonly archive: string | null;
  /** Those of what comes in, as `NAME = VERSION`; null where the manager does not tell them. */
  readonly provides: readonly string[] | null;
}

/**
 * What `read` makes of each entry. One for which it throws Corrupt takes nothing away from the others: it is left out, and told. Throws Corrupt
 * where it understands none.
 */
export function understood<T>(
  entries: readonly unknown[],
  read: (entry: unknown, index: number) => readonly T[],
): { readonly rows: readonly T[] } & Pick<Transaction, 'mistakes'> {
  const rows: T[] = [];
  const failures: Corrupt[] = [];
  for (const [index, entry] of entries.entries()) {
    try {
      rows.push(...read(entry, index));
    } catch (error) {
      if (!(error instanceof Corrupt)) throw error;
      failures.push(error);
    }
  }
  if (rows.length === 0 && failures[0] !== undefined) throw failures[0];
  return {
    rows,
    ...(failures.length > 0 && { mistakes: failures.slice(0, mistakeLimit).map(({ message }) => message) }),
  };
}

/** In the order of the rows: first what comes in, then what only goes. */
export function changesOf(rows: readonly Row[]): PackageChange[] {
  // By name and architecture: the first counts.
  const going = new Map<string, Map<string, Row>>();
  for (const row of rows) {
    if (row.direction === 'in') continue;
    const same = going.get(row.name) ?? new Map<string, Row>();
    if (!same.has(row.arch)) same.set(row.arch, row);
    going.set(row.name, same);
  }
  const changes: PackageChange[] = [];
  for (const { direction, name, arch, evr, archive, provides } of rows) {
    if (direction === 'out') continue;
    // The same name can come in for two architectures, and an architecture can change in an upgrade.
    const old = going.get(name);
    const replaced = old?.get(arch) ?? old?.values().next().value;
    changes.push({
      name,
      oldVersion: replaced === undefined ? null : withoutEpochZero(replaced.evr),
      newVersion: withoutEpochZero(evr),
      action: 'unpack',
      archive,
      declared: provides === null ? null : declaredByProvides(provides),
    });
  }
  const coming = new Set(changes.map(({ name }) => name));
  for (const [name, [[, row] = []]] of going) {
    if (coming.has(name) || row === undefined) continue;
    changes.push({ name, oldVersion: withoutEpochZero(row.evr), newVersion: null, action: 'remove', archive: null });
  }
  return changes;
}

/** An epoch of 0 is the same as none, and is told now in the one way and now in the other. */
function withoutEpochZero(evr: string): string {
  return evr.replace(/^0:/, '');
}

/** `/` is the real root, "" here. */
export function rootOf(installroot: string): string {
  return installroot.replace(/\/+$/, '');
}

/** Null when the root is still to be made: nothing of Kata is there. */
export function belowARoot(host: Host, transaction: Transaction): Transaction | null {
  return transaction.root === '' || host.status(transaction.root) !== undefined ? transaction : null;
}
