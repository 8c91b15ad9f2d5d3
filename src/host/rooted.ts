/**
 * A host whose paths all lie below one directory, for `--root`: absolute symlinks stay inside, `..` stops at it.
 * Every component is looked at by itself, since the kernel would follow a link like `/etc -> /` out of the directory.
 * Programs are not rooted: nothing below the directory is ever executed.
 */

import { LimitExceeded, NotFound } from '../errors.ts';
import type { Host, Status } from './host.ts';

/** As the kernel: path_resolution(7), ELOOP after 40. */
const symlinkLimit = 40;
/** PATH_MAX of Linux, in bytes. */
const pathLimit = 4096;

/** What paths lead through: a host's files, or what is in a package. */
export interface Tree {
  status(path: string): Pick<Status, 'kind'> | undefined;
  readLink(path: string): string;
  resolve?: Host['resolve'];
}

/**
 * The path with every symlink followed, seen from `root` ("" for the real root): absolute, without `.` and `..`.
 * The last component may be missing. Throws LimitExceeded (links, length), Io.
 */
export function resolvePath(tree: Tree, root: string, path: string, followLast = true): string {
  if (root === '' && tree.resolve !== undefined) return tree.resolve(path, followLast);
  let links = 0;
  let pending = path.split('/').reverse();
  let here = '';
  // Below what is not there nothing can be a link.
  let isThere = true;
  while (pending.length > 0) {
    const name = pending.pop();
    if (name === undefined || name === '' || name === '.') continue;
    if (name === '..') {
      here = above(here);
      isThere = true;
      continue;
    }
    here = `${here}/${name}`;
    if (here.length > pathLimit) throw new LimitExceeded(`${path}: longer than ${pathLimit} bytes`);
    if (!isThere || (!followLast && pending.every((rest) => rest === '' || rest === '.'))) continue;
    const kind = tree.status(root + here)?.kind;
    isThere = kind !== undefined;
    if (kind !== 'symlink') continue;
    links += 1;
    if (links > symlinkLimit) throw new LimitExceeded(`${path}: more than ${symlinkLimit} symbolic links`);
    const target = tree.readLink(root + here);
    here = target.startsWith('/') ? '' : above(here);
    pending = [...pending, ...target.split('/').reverse()];
  }
  return here === '' ? '/' : here;
}

function above(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** What is at the end of the path's symlinks; undefined when they dangle. Throws LimitExceeded, Io. */
export function followedStatus(host: Host, path: string): Status | undefined {
  return host.status(resolvePath(host, '', path));
}

/** `root`: an absolute path without a slash at its end. Throws NotFound when there is no such directory. */
export function rootedHost(host: Host, root: string): Host {
  if (followedStatus(host, root)?.kind !== 'directory') throw new NotFound(`${root}: no such directory`);
  const inside = (path: string): string => root + resolvePath(host, root, path);
  return {
    arguments: host.arguments,
    userId: host.userId,
    workingDirectory: host.workingDirectory,
    environment: (name) => host.environment(name),
    now: () => host.now(),
    endAt: (deadline, status) => host.endAt(deadline, status),
    open: (path) => host.open(inside(path)),
    temporaryFile: (name) => host.temporaryFile(name),
    readText: (path, limit) => host.readText(inside(path), limit),
    readBytes: (path, limit) => host.readBytes(inside(path), limit),
    // A name out of a manager's command line, which sees the real root.
    reach: (name) => host.reach(name),
    holding: (paths, texts, limit) => {
      const inRoot = paths.map((path) => root + resolvePath(host, root, path, false));
      const found = new Set(host.holding(inRoot, texts, limit));
      return paths.filter((_, index) => found.has(inRoot[index] ?? ''));
    },
    readDirectory: (path) => host.readDirectory(inside(path)),
    resolve: (path, followLast) => resolvePath(host, root, path, followLast),
    readLink: (path) => host.readLink(root + resolvePath(host, root, path, false)),
    status: (path) => host.status(root + resolvePath(host, root, path, false)),
    run: (argv, options) => host.run(argv, options),
    stream: (argv, options) => host.stream(argv, options),
    unpacked: (argv, bytes, limit) => host.unpacked(argv, bytes, limit),
    input: (descriptor, limit, deadline) => host.input(descriptor, limit, deadline),
    replaceFile: (path, text, mode) => host.replaceFile(inside(path), text, mode),
    removeFile: (path) => host.removeFile(root + resolvePath(host, root, path, false)),
    ...(host.lz4Block !== undefined && { lz4Block: host.lz4Block }),
    ...(host.entryTable !== undefined && { entryTable: host.entryTable }),
    ...(host.nextCommit !== undefined && { nextCommit: host.nextCommit }),
    isTerminal: (descriptor) => host.isTerminal(descriptor),
    write: (descriptor, text) => host.write(descriptor, text),
    exit: (status) => host.exit(status),
  };
}
