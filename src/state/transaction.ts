/**
 * What a package manager is about to do. Every adapter turns its input into one of these and nothing more.
 */

import type { Declared } from '../locate/declared.ts';

export interface PackageChange {
  readonly name: string;
  /** Before; null when it was not installed, or when the manager does not say. */
  readonly oldVersion: string | null;
  /** After; null when it is removed, or when only the archive says. */
  readonly newVersion: string | null;
  /** Which other package of the transaction says the version after; absent where this one does. */
  readonly versionBy?: string;
  readonly action: 'unpack' | 'configure' | 'remove';
  /** The file of the package that comes in; null when the manager does not say where it is, or has not fetched it yet. */
  readonly archive: string | null;
  /** Where a static tarball is installed, absolute; /opt/kata when absent. */
  readonly prefix?: string;
  /** What the manager itself says that the incoming package declares; absent or null when it does not. */
  readonly declared?: Declared | null;
}

export interface Transaction {
  /** As the message names it: "apt". */
  readonly manager: string;
  /** The root that is changed; "" for the real one. */
  readonly root: string;
  readonly changes: readonly PackageChange[];
  /** What the user gave on the manager's own command line, for this run only. */
  readonly mode: string | null;
  readonly allow: readonly string[];
  /** The user names the packages, and waits for the answer. */
  readonly isByHand?: boolean;
  /** What of the manager's input was not understood, each with its place; it is told where Kata is concerned. */
  readonly mistakes?: readonly string[];
  /**
   * A mismatch is only told: what else changes in the same run is not known, so that it may be none, or nobody is there, as when a machine
   * installs what was planned before it was started again.
   */
  readonly isPart?: boolean;
  /** It is not done now: who asks may ask again when its packages are at hand, so that nothing but a mismatch is told. */
  readonly isPlanned?: boolean;
  /** It has happened, without a list of changes: what is there now is judged, and a mismatch told. */
  readonly isDone?: boolean;
  /** What is to be lies in `root` already, as a snapshot that is not booted yet: it is judged as it is, and can still be refused. */
  readonly isStaged?: boolean;
}

/** What a package manager tells at the most, in bytes: thousands of lines, of some 200 bytes each. */
export const inputLimit = 64 * 1024 * 1024;

/** So many places that are not understood are told. */
export const mistakeLimit = 10;

/** Both sides of it are the same version: nothing that could stop to fit. */
export function isReinstall(change: PackageChange): boolean {
  return change.action === 'unpack' && change.oldVersion !== null && change.oldVersion === change.newVersion;
}
