/**
 * What lies in folders of configurations, whatever state they are in.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';

/** What is there and is no folder; CRI-O does not mind one. A link that dangles is a file that cannot be read. */
export function isFile(host: Host, path: string): boolean {
  try {
    return host.status(path) !== undefined && followedStatus(host, path)?.kind !== 'directory';
  } catch (error) {
    if (error instanceof Problem) return true;
    throw error;
  }
}

/** Sorted; none of what is no directory. */
export function filesIn(host: Host, folder: string): string[] {
  try {
    return host
      .readDirectory(folder === '' ? '/' : folder)
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
