/**
 * What is added to the protocol's tables on this node: /usr/share/kata-check/protocol.d/*.json, in the order of their names. As root only
 * what root alone can write is read. A file that is wrong is refused as a whole, and that is said.
 */

import { attempt, Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import { builtIn, type Known } from '../protocol/reach.ts';

export const additionsFolder = '/usr/share/kata-check/protocol.d';
/** Bytes; the program's own tables would have some 60 kB. */
const sizeLimit = 1024 * 1024;
const fileLimit = 100;

/** `host` is rooted. `problems`: why files were refused, each with its file and place. */
export async function knownProtocol(host: Host, problems: string[]): Promise<Known> {
  let known = builtIn;
  for (const name of namesIn(host).slice(0, fileLimit)) {
    const path = `${additionsFolder}/${name}`;
    try {
      if ([additionsFolder, path].some((one) => !isTrusted(host, one))) {
        problems.push(`${path} is not read: it, or its folder, is not root's alone to write`);
        continue;
      }
      // Nearly no node has such files.
      const { withAdditions } = await import('../protocol/additions.ts');
      known = withAdditions(known, path, host.readText(path, sizeLimit));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problems.push(`${error.message}: the file is not used`);
    }
  }
  return known;
}

function namesIn(host: Host): string[] {
  if (host.status(additionsFolder) === undefined) return [];
  return (
    attempt(() =>
      host
        .readDirectory(additionsFolder)
        .filter((name) => name.endsWith('.json'))
        .sort(),
    ) ?? []
  );
}

function isTrusted(host: Host, path: string): boolean {
  if (host.userId !== 0) return true;
  const status = followedStatus(host, path);
  return status !== undefined && status.owner === 0 && (status.mode & 0o022) === 0;
}
