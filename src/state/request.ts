/**
 * What is asked: which root, what is about to change, and by which rules it is judged.
 */

import type { VersionRange } from '../version.ts';
import type { Settings } from './settings.ts';
import type { Transaction } from './transaction.ts';

export interface Request {
  /** Below which everything is looked for; "" for the real root. */
  readonly root: string;
  /** What a package manager, or the user with package files, is about to do; null to judge what is installed. */
  readonly transaction: Transaction | null;
  /** What the package manager was called with; asked only where Kata is concerned. */
  readonly commandLine?: () => Promise<readonly string[] | null>;
  /** Called where Kata is concerned, before anything is read that may take long. */
  readonly begin?: () => Promise<void>;
  /** The incoming runtime's version, as the user gives it. */
  readonly to: string | null;
  readonly requires: VersionRange | undefined;
  /** Instead of those that the configuration names; empty for those. */
  readonly images: readonly string[];
  readonly settings: Settings;
  /** Milliseconds on the host's clock. */
  readonly deadline: number;
}
