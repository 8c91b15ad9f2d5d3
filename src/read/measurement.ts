/**
 * The root hash that an image itself has. Apart from image.ts, as few images are measured.
 */

import { Problem } from '../errors.ts';
import type { File, Host } from '../host/host.ts';
import { resolvePath } from '../host/rooted.ts';
import { readLayout } from './disk.ts';
import type { ReadOptions } from './image.ts';
import { Budget, Source } from './source.ts';
import { readRootHash, type VerityParameters } from './verity.ts';

/** What the hash partition of an image says of it, beside what is configured. */
export interface Measurement {
  /** Lower-case hexadecimal digits; null when there is no hash partition. */
  readonly rootHash: string | null;
  /** Why it could not be read; null when it could. */
  readonly problem: string | null;
}

/** Never throws for what the image is or is not. Throws nothing for a missing one either: that is told elsewhere. */
export function readMeasurement(
  host: Host,
  path: string,
  parameters: VerityParameters,
  options: ReadOptions,
): Measurement {
  let file: File | undefined;
  try {
    file = host.open(resolvePath(host, '', path));
    const source = new Source(file, new Budget(host, options.deadline));
    return { rootHash: readRootHash(source, readLayout(source), parameters)?.rootHash ?? null, problem: null };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { rootHash: null, problem: error.message };
  } finally {
    file?.close();
  }
}
