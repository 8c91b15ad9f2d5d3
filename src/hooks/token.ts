/**
 * What a hook leaves for the later hooks of the same run: "this process was told to go on". apt runs dpkg several times, and dpkg the
 * preinst of each package; each of them sees only a part of what apt is about to do, and none of what was said on apt's command line.
 *
 * A file for each such process, so that two hooks that run at the same time never overwrite what the other left. Its name is the
 * process's number, and it holds the process's start time (proc(5), field 22 of stat), so that a later process with the same number is
 * not taken for it. Behind it stands, a line each, which findings were told, or that the check is switched off for this run: a
 * trigger that looks at the node afterwards tells what is new.
 *
 * A token switches the check off, so that only root may be able to make one. It is looked for in our own /run and, in a chroot, in the
 * /run of the first process. It is never looked for where an ancestor says that its root is: any user can start a command that runs as
 * root, and then give himself a root of his own making.
 */

import { attempt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Ancestor, isAlive, sharesRoot } from './ancestors.ts';

export const stateFolder = '/run/kata-check';
const tokenFolder = `${stateFolder}/told-to-go-on`;
/** Some findings of some images, by their paths. */
const sizeLimit = 256 * 1024;
/** What was told to the user of a package manager, each as a JSON list: see hooks/afterwards.ts. */
export type Told = ReadonlySet<string>;

type Token = Pick<Ancestor, 'pid' | 'startTime'>;

/** Whether one of these was told to go on, by a hook that sees the files that we see or, in a chroot, by one outside of it. */
export function hasToken(host: Host, ancestors: readonly Ancestor[]): boolean {
  return toldTo(host, ancestors) !== undefined;
}

/** What was told to these in all; undefined when none of them was told to go on. */
export function toldTo(host: Host, ancestors: readonly Ancestor[]): Told | undefined {
  const left = ancestors.flatMap((ancestor) => leftBy(host, '', ancestor));
  if (left.length === 0 && isOfOurUsers(host, 1) && !sharesRoot(host, { pid: 1, command: '', startTime: '' })) {
    const others = ancestors.filter((ancestor) => !sharesRoot(host, ancestor));
    left.push(...others.flatMap((ancestor) => leftBy(host, '/proc/1/root', ancestor)));
  }
  if (left.length === 0) return undefined;
  return new Set(left.flatMap((told) => [...told]));
}

/** Where it cannot be left, the later hooks ask again. */
export function leaveToken(host: Host, holder: Ancestor | undefined, told: Told): void {
  if (holder === undefined) return;
  attempt(() => {
    for (const folder of [stateFolder, tokenFolder]) {
      const status = host.status(folder);
      // Earlier versions of kata-check kept all tokens in one file of this name.
      if (status?.kind === 'file' && folder === tokenFolder) host.removeFile(folder);
      else if (status !== undefined && !isTrusted(host, folder)) return;
    }
    const lines = [holder.startTime, ...told].map((line) => `${line}\n`);
    host.replaceFile(pathOf('', holder.pid), lines.join(''), 0o644);
    for (const token of tokensLeft(host)) {
      if (token.pid !== holder.pid && !isAlive(host, token)) host.removeFile(pathOf('', token.pid));
    }
  });
}

/** The later hooks ask again. */
export function removeToken(host: Host, holder: Ancestor | undefined): void {
  if (holder !== undefined && contentOf(host, '', holder.pid) !== undefined)
    attempt(() => host.removeFile(pathOf('', holder.pid)));
}

function pathOf(root: string, pid: number): string {
  return `${root}${tokenFolder}/${pid}`;
}

function tokensLeft(host: Host): Token[] {
  const names = host.readDirectory(tokenFolder).filter((name) => /^[0-9]{1,10}$/.test(name));
  return names.map(Number).map((pid) => ({ pid, startTime: contentOf(host, '', pid)?.startTime ?? '' }));
}

function leftBy(host: Host, root: string, { pid, startTime }: Ancestor): Told[] {
  const content = contentOf(host, root, pid);
  return content === undefined || content.startTime !== startTime ? [] : [content.told];
}

/** The token of a process; undefined when there is none that root alone could have made. */
function contentOf(
  host: Host,
  root: string,
  pid: number,
): (Pick<Token, 'startTime'> & { readonly told: Told }) | undefined {
  const path = pathOf(root, pid);
  return attempt(() => {
    if (![root + stateFolder, root + tokenFolder, path].every((trusted) => isTrusted(host, trusted))) return undefined;
    if (!isStored(host, root, path)) return undefined;
    const [startTime = '', ...lines] = host.readText(path, sizeLimit).split('\n');
    // The last line has its end; a file that breaks off is none of ours.
    const isWhole = lines.pop() === '' && lines.every((line) => /^\[.*\]$/.test(line));
    if (!/^[0-9]{1,20}$/.test(startTime) || !isWhole) return undefined;
    return { startTime, told: new Set(lines) };
  });
}

/** Nobody but root could have written it: else any user could switch the check off. */
function isTrusted(host: Host, path: string): boolean {
  const status = host.status(path);
  if (status === undefined || (status.kind !== 'file' && status.kind !== 'directory')) return false;
  return status.owner === 0 && (status.mode & 0o022) === 0;
}

/** A file that was written there. One of procfs that is bound to its name belongs to root too, and says what its process wants; it has no size. */
function isStored(host: Host, root: string, path: string): boolean {
  const [file, folder] = [host.status(path), host.status(root + tokenFolder)];
  return file !== undefined && file.size > 0 && deviceOf(file.identity) === deviceOf(folder?.identity);
}

function deviceOf(identity: string | undefined): string | undefined {
  return identity?.split(':', 1)[0];
}

/** Whether a process is root's, and its root is ours: in a namespace of its own any user is root. */
function isOfOurUsers(host: Host, pid: number): boolean {
  return (
    attempt(
      () =>
        host.status(`/proc/${pid}`)?.owner === 0 &&
        host.readLink(`/proc/${pid}/ns/user`) === host.readLink('/proc/self/ns/user'),
    ) ?? false
  );
}
