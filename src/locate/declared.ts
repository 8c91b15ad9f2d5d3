/**
 * What packages state of Kata, and what a package database knows of one. Types nearly alone: every run of a package manager asks for them.
 */

/** What a package states, of whichever kind it is. */
export interface Declared {
  /** The agent versions that the runtime in it works with, a range of semver. */
  readonly agentRequires: string | null;
  /** The agent in the guest image in it. */
  readonly agentVersion: string | null;
}

/** What a package database knows of one package. */
export interface InstalledPackage extends Declared {
  readonly name: string;
  readonly version: string;
  /** The paths of those asked for that it owns. */
  readonly owns: readonly string[];
  /** It owns a configuration that was asked for. */
  readonly configures?: boolean;
  /** The admin keeps it as it is (`apt-mark hold`); of rpm's and pacman's packages that is not known. */
  readonly isHeld?: boolean;
}

export function declares(declared: Declared | null | undefined): boolean {
  return (declared?.agentRequires ?? null) !== null || (declared?.agentVersion ?? null) !== null;
}
