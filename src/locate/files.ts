/**
 * What lies in folders of configurations, whatever state they are in.
 */

import { attempt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';

/** What is there and is no folder; CRI-O does not mind one. A link that dangles is a file that cannot be read. */
export function isFile(host: Host, path: string): boolean {
  return attempt(() => host.status(path) !== undefined && followedStatus(host, path)?.kind !== 'directory') ?? true;
}

/** Sorted; none of what is no directory. */
export function filesIn(host: Host, folder: string): string[] {
  return (
    attempt(() =>
      host
        .readDirectory(folder === '' ? '/' : folder)
        .sort()
        .map((name) => `${folder}/${name}`),
    ) ?? []
  );
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
