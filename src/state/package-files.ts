/**
 * Package files by hand: a transaction that brings them. What each is called, it says itself; its file may be called anything.
 */

import { absolute } from '../archive/members.ts';
import { openPackage } from '../archive/package.ts';
import { Usage } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { filesIn } from '../locate/files.ts';
import { locateInstallation } from '../locate/installation.ts';
import { deployed, programsBelow } from '../locate/programs.ts';
import type { PackageChange, Transaction } from './transaction.ts';

/** What the user says of the packages. */
export interface PackagesByHand {
  readonly paths: readonly string[];
  /** Where static tarballs are installed; undefined where the user does not say. */
  readonly prefix: string | undefined;
}

/**
 * `rooted`: the host below `root`, where they would be installed. Throws NotFound, Corrupt, Unsupported, LimitExceeded, Io: of a file that
 * cannot be read; Usage: where tarballs would be installed is not known.
 */
export async function packageFiles(
  host: Host,
  rooted: Host,
  root: string,
  { paths, prefix }: PackagesByHand,
  deadline: number,
): Promise<Transaction> {
  const changes: PackageChange[] = [];
  /** Of the tarballs that say their version without a doubt. */
  const releases = new Map<string, string>();
  let place: Pick<PackageChange, 'prefix'> | undefined;
  for (const archive of paths) {
    const file = openPackage(host, archive, deadline);
    const declared = await file.fields();
    const { name, version, versionDoubt } = declared;
    // What is installed of it, the database says; the same version again is judged, too.
    const versions = { oldVersion: null, newVersion: version === '' ? null : version };
    const change: PackageChange = { name, ...versions, action: 'unpack', archive, declared };
    if (file.format !== 'tarball') {
      changes.push(change);
      continue;
    }
    place ??= { prefix: prefixOf(rooted, prefix) };
    changes.push({ ...change, ...place });
    if (version !== '' && versionDoubt === undefined) releases.set(version, name);
  }
  const [release, ...others] = releases;
  const known = release === undefined || others.length > 0 ? changes : changes.map((one) => ofRelease(one, release));
  return { manager: 'the installation', root, changes: known, mode: null, allow: [], isByHand: true };
}

/** kata-deploy installs component tarballs of one release together, and few of them say which: the others are of the same. */
function ofRelease(change: PackageChange, [newVersion, versionBy]: readonly [string, string]): PackageChange {
  return change.prefix === undefined || change.newVersion !== null ? change : { ...change, newVersion, versionBy };
}

/** kata-deploy installs below INSTALLATION_PREFIX/opt/kata-MULTI_INSTALL_SUFFIX, of which either may be missing. */
const deployedBelow = /\/opt\/kata(?:-[^/]+)?$/;

/**
 * Where the user says, or where kata-deploy has installed before: /opt/kata where it has done so there too, or nowhere. Throws Usage where that
 * is not one place, and where what the user says cannot be meant.
 */
function prefixOf(rooted: Host, given: string | undefined): string {
  const isThere = (path: string): boolean =>
    programsBelow(path).some((program) => rooted.status(program.path) !== undefined);
  const named = locateInstallation(rooted).programs.map((program) => program.prefix);
  const places = [...new Set([...named, ...filesIn(rooted, '/opt').filter(isThere)])].filter((path) =>
    deployedBelow.test(path),
  );
  if (given !== undefined) {
    const path = given.startsWith('/') ? absolute(given) : undefined;
    if (path === undefined || path === '/') throw new Usage(`--prefix ${given} is no absolute path of a folder`);
    if (places.length === 0 || isThere(path)) return path;
    throw new Usage(`--prefix ${given}: no runtime is below it; runtimes are below ${places.join(' and ')}`);
  }
  const [first = deployed, ...more] = places.includes(deployed) ? [deployed] : places;
  if (more.length === 0) return first;
  throw new Usage(`runtimes are below ${places.join(' and ')}: --prefix says where the tarball is installed`);
}
