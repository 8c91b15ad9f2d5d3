/**
 * Package files by hand: a transaction that brings them. What each is called, it says itself; its file may be called anything.
 */

import { openPackage } from '../archive/package.ts';
import type { Host } from '../host/host.ts';
import type { PackageChange, Transaction } from './transaction.ts';

/** `root`: below which they would be installed. Throws NotFound, Corrupt, Unsupported, LimitExceeded, Io: of a file that cannot be read. */
export async function packageFiles(
  host: Host,
  root: string,
  paths: readonly string[],
  deadline: number,
): Promise<Transaction> {
  const changes: PackageChange[] = [];
  for (const archive of paths) {
    const fields = await openPackage(host, archive, deadline).fields();
    // What is installed of it, the database says; the same version again is judged, too.
    const versions = { oldVersion: null, newVersion: fields.version };
    changes.push({ name: fields.name, ...versions, action: 'unpack', archive, declared: fields });
  }
  return { manager: 'the installation', root, changes, mode: null, allow: [] };
}
