/**
 * The processes that this program runs below, from proc(5): which package manager is it, and what was it called with? Where /proc is not
 * mounted, as in most chroots, there are none.
 */

import { attempt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { namesIn, reachable } from './file-names.ts';

export interface Ancestor {
  readonly pid: number;
  /** The name of its program, cut to 15 bytes. */
  readonly command: string;
  /** Field 22 of its stat, in clock ticks since the machine started: with the number it means this process and no later one. */
  readonly startTime: string;
}

/** A package manager below sudo, screen and a login has some ten. */
const depthLimit = 64;
const statLimit = 4096;
/** The kernel's own bound of a command line is a quarter of the stack's limit, 2 MiB usually. */
const argumentsLimit = 64 * 1024 * 1024;
const shells = new Set(['sh', 'dash', 'bash', 'busybox']);

/** The parent first. */
export function ancestorsOf(host: Host): Ancestor[] {
  const ancestors: Ancestor[] = [];
  let pid = parentOf(host, ownPid(host));
  while (pid !== undefined && pid > 0 && ancestors.length < depthLimit) {
    const process = processOf(host, pid);
    if (process === undefined) break;
    ancestors.push({ pid, command: process.command, startTime: process.startTime });
    pid = process.parent;
  }
  return ancestors;
}

/** The one that called a command line through a shell. */
export function callerOf(ancestors: readonly Ancestor[]): Ancestor | undefined {
  return ancestors.find(({ command }) => !shells.has(command));
}

export function isAlive(host: Host, { pid, startTime }: Pick<Ancestor, 'pid' | 'startTime'>): boolean {
  return processOf(host, pid)?.startTime === startTime;
}

/** Of its command line, its own name first; empty when they cannot be read. What is no UTF-8 is as file-names.ts has it. */
export function argumentsOf(host: Host, { pid }: Ancestor): string[] {
  const path = `/proc/${pid}/cmdline`;
  const text = attempt(() => host.readText(path, argumentsLimit)) ?? '';
  if (text.includes('\ufffd')) return attempt(() => namesIn(host.readBytes(path, argumentsLimit))) ?? [];
  return text.replace(/\0$/, '').split('\0');
}

/**
 * What the nearest process of one of these programs was called with: the program's plain name first, an interpreter left out. Null where
 * there is none, or where another program gave it a line that nobody can repeat (apt calls dpkg with a descriptor).
 */
export function commandLineOf(host: Host, programs: readonly string[]): string[] | null {
  const caller = ancestorsOf(host).find(({ command }) => programs.includes(command));
  if (caller === undefined) return null;
  const words = argumentsOf(host, caller);
  const start = words.findIndex((word) => word.slice(word.lastIndexOf('/') + 1) === caller.command);
  if (start === -1 || words.includes('--status-fd')) return null;
  return [caller.command, ...words.slice(start + 1)];
}

/** It sees the files that we see, under the same names. */
export function sharesRoot(host: Host, { pid }: Ancestor): boolean {
  const root = attempt(() => host.status(`/proc/${pid}/root/.`))?.identity;
  return root !== undefined && root === host.status('/')?.identity;
}

/** What a path on its command line is called here: a relative one begins in its folder, and it may have another root. */
export function pathOf(host: Host, process: Ancestor, path: string): string {
  return reachable(host, namedPath(host, process, path));
}

function namedPath(host: Host, process: Ancestor, path: string): string {
  const { pid } = process;
  if (!sharesRoot(host, process)) return path.startsWith('/') ? `/proc/${pid}/root${path}` : `/proc/${pid}/cwd/${path}`;
  if (path.startsWith('/')) return path;
  const cwd = `/proc/${pid}/cwd`;
  const named = attempt(() => host.readLink(cwd));
  // Its name is no UTF-8, or cannot be told.
  const folder = named === undefined || named.includes('\ufffd') ? cwd : named;
  return `${folder.replace(/\/$/, '')}/${path}`;
}

function ownPid(host: Host): number | undefined {
  const target = attempt(() => host.readLink('/proc/self')) ?? '';
  return /^[0-9]{1,10}$/.test(target) ? Number(target) : undefined;
}

function parentOf(host: Host, pid: number | undefined): number | undefined {
  return pid === undefined ? undefined : processOf(host, pid)?.parent;
}

function processOf(host: Host, pid: number): (Omit<Ancestor, 'pid'> & { readonly parent: number }) | undefined {
  const text = attempt(() => host.readText(`/proc/${pid}/stat`, statLimit));
  // `PID (NAME) STATE PPID …`: the name may hold spaces and brackets.
  const end = text?.lastIndexOf(')') ?? -1;
  if (text === undefined || end === -1) return undefined;
  const fields = text.slice(end + 2).split(' ');
  const parent = /^[0-9]{1,10}$/.exec(fields[1] ?? '')?.[0];
  const startTime = /^[0-9]{1,20}$/.exec(fields[19] ?? '')?.[0];
  if (parent === undefined || startTime === undefined) return undefined;
  return { command: text.slice(text.indexOf('(') + 1, end), parent: Number(parent), startTime };
}
