/**
 * Where a checkout of Kata holds the .proto files of the protocol between the runtime and the agent.
 *
 * Of the Node form only.
 */

import { LimitExceeded, NotFound, Usage } from '../errors.ts';
import type { Host } from '../host/host.ts';

/** Bytes; agent.proto is 20 KB. */
const protoSizeLimit = 4 * 1024 * 1024;
/** Between the runtime and the agent; others that lie beside them are spoken inside the guest or on the host. */
const fileNames = ['agent.proto', 'types.proto', 'oci.proto', 'health.proto', 'csi.proto'];
/** Folders that hold copies of others' files. */
const notOurs = ['node_modules', 'vendor', 'target'];
/** A checkout of Kata has some 10,000 folders. */
const folderLimit = 100_000;
const depthLimit = 16;

/** A .proto file, or the files of those names below a folder. Throws NotFound, Usage, Io, LimitExceeded. */
export function protoFiles(host: Host, path: string): { path: string; source: string }[] {
  const kind = host.status(path)?.kind;
  if (kind === undefined) throw new NotFound(`${path}: no such file or directory`);
  if (kind !== 'directory') return [{ path, source: host.readText(path, protoSizeLimit) }];
  const found = new Map<string, string>();
  const pending = [{ folder: path, depth: 0 }];
  let seen = 0;
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    seen += 1;
    if (seen > folderLimit) throw new LimitExceeded(`${path}: more than ${folderLimit} folders`);
    for (const name of host.readDirectory(next.folder).sort()) {
      const below = `${next.folder}/${name}`;
      const isWanted = fileNames.includes(name);
      if (name.startsWith('.') || notOurs.includes(name)) continue;
      const is = host.status(below)?.kind;
      if (is === 'directory' && next.depth < depthLimit) pending.push({ folder: below, depth: next.depth + 1 });
      if (is !== 'file' || !isWanted) continue;
      const before = found.get(name);
      if (before !== undefined)
        throw new Usage(`${path} holds both ${before} and ${below}: name the folder that is meant`);
      found.set(name, below);
    }
  }
  if (!found.has('agent.proto')) throw new Usage(`${path} holds no agent.proto`);
  return [...found.values()].map((file) => ({ path: file, source: host.readText(file, protoSizeLimit) }));
}
