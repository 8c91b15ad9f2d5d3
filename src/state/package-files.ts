/**
 * Package files by hand: a transaction that brings them. What each is called, it says itself; its file may be called anything.
 */

import { openPackage } from '../archive/package.ts';
import type { Host } from '../host/host.ts';
import { filesIn } from '../locate/files.ts';
import { deployed } from '../locate/programs.ts';
import type { PackageChange, Transaction } from './transaction.ts';

/** What the user says of the packages. */
export interface PackagesByHand {
  readonly paths: readonly string[];
  /** Where static tarballs are installed; undefined where the user does not say. */
  readonly prefix: string | undefined;
}

/**
 * `rooted`: the host below `root`, where they would be installed. Throws NotFound, Corrupt, Unsupported, LimitExceeded, Io: of a file that
 * cannot be read.
 */
export async function packageFiles(
  host: Host,
  rooted: Host,
  root: string,
  { paths, prefix = prefixOf(rooted) }: PackagesByHand,
  deadline: number,
): Promise<Transaction> {
  const changes: PackageChange[] = [];
  for (const archive of paths) {
    const file = openPackage(host, archive, deadline);
    const fields = await file.fields();
    // What is installed of it, the database says; the same version again is judged, too.
    const versions = { oldVersion: null, newVersion: fields.version === '' ? null : fields.version };
    const place = file.format === 'tarball' ? { prefix } : {};
    changes.push({ name: fields.name, ...versions, action: 'unpack', archive, declared: fields, ...place });
  }
  return { manager: 'the installation', root, changes, mode: null, allow: [] };
}

/** The one that is there, where kata-deploy has installed with a suffix and nothing without one. */
function prefixOf(rooted: Host): string {
  const [first = deployed, ...more] = filesIn(rooted, '/opt').filter((path) => /^\/opt\/kata(?:-[^/]+)?$/.test(path));
  return more.length === 0 ? first : deployed;
}
