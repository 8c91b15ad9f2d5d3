/**
 * A host on which some files are other ones than on the disk, or are not there: a node as it will be when packages have brought their files.
 * Only what is asked of paths is answered so; images and programs are those of the host below.
 */

import { NotFound } from '../errors.ts';
import type { Host, Status } from './host.ts';
import { resolvePath, rootedHost, type Tree } from './rooted.ts';

/** A small file, a symbolic link, or nothing. */
export type Laid = { readonly text: string } | { readonly link: string } | null;

/** `files`: by absolute paths, of which no folder is a symbolic link. Opening a file is not changed: `readText` is. */
export function overlaidHost(host: Host, files: ReadonlyMap<string, Laid>): Host {
  const folders = new Map<string, Set<string>>();
  for (const [path, laid] of files) {
    if (laid === null) continue;
    for (let at = path; at !== ''; ) {
      const parent = at.slice(0, at.lastIndexOf('/'));
      const names = folders.get(parent) ?? new Set();
      folders.set(parent, names.add(at.slice(parent.length + 1)));
      at = parent;
    }
  }
  const statusAt = (path: string): Status | undefined => {
    const laid = files.get(path);
    if (laid === null) return undefined;
    const plain = { size: 0, mode: 0o644, owner: 0, identity: `overlay:${path}` };
    if (laid !== undefined) return { ...plain, kind: 'text' in laid ? 'file' : 'symlink' };
    return host.status(path) ?? (folders.has(path) ? { ...plain, mode: 0o755, kind: 'directory' } : undefined);
  };
  const readLinkAt = (path: string): string => {
    const laid = files.get(path);
    return laid !== undefined && laid !== null && 'link' in laid ? laid.link : host.readLink(path);
  };
  const tree: Tree = { status: statusAt, readLink: readLinkAt };
  const end = (path: string, followLast = true): string => resolvePath(tree, '', path, followLast);
  return {
    // A host may be an object of a class, of which the methods would not be copied.
    ...rootedHost(host, ''),
    resolve: end,
    status: (path) => statusAt(end(path, false)),
    readLink: (path) => readLinkAt(end(path, false)),
    readText: (path, limit) => {
      const place = end(path);
      const laid = files.get(place);
      if (laid === null) throw new NotFound(`${path}: no such file or directory`);
      return laid !== undefined && 'text' in laid ? laid.text : host.readText(place, limit);
    },
    readDirectory: (path) => {
      const place = end(path);
      const there = host.status(place) === undefined && folders.has(place) ? [] : host.readDirectory(place);
      const stay = there.filter((name) => files.get(`${place}/${name}`) !== null);
      return [...new Set([...stay, ...(folders.get(place) ?? [])])];
    },
  };
}
