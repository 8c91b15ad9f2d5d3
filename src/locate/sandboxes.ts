/**
 * The pods that run in Kata's virtual machines now. A sandbox counts by what lives: the shim process that serves it, or the socket
 * that it listens on. Folders below /run/vc and /run/kata also stay behind after a crash, and /run/vc/vm/template is none.
 *
 * Kata's shims belong to root. What another user runs or binds is never counted, and never read: any user can start a program under a
 * shim's name, or bind ten thousand sockets under a shim's address.
 *
 * Linux: proc(5) for /proc/PID/cmdline, exe, fd and /proc/net/unix. What is seen is this kernel's; in a chroot or a container that is
 * somebody else's, so there the answer is: none.
 */

import { attempt, NotFound, Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';

/** Arguments of a process and the table of sockets on a busy node, in bytes. */
const cmdlineLimit = 256 * 1024;
const socketsLimit = 64 * 1024 * 1024;
/** A node runs some hundreds of pods. */
const reported = 1000;
/** Open files of root's processes that are looked at for an abstract socket: a busy node has some ten thousand. */
const openFilesLimit = 200_000;

const listening = 0x10000; // __SO_ACCEPTCON in the flags of /proc/net/unix

export interface Sandboxes {
  readonly running: number;
  /** Sorted; at most the first thousand. */
  readonly ids: readonly string[];
}

/** The number of the first pid namespace is part of Linux's interface (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
const initialPidNamespace = 'pid:[4026531836]';

const none: Sandboxes = { running: 0, ids: [] };

/** `host` is the real one, not rooted. Never throws for what a process does meanwhile: it has ended then. */
export function runningSandboxes(host: Host): Sandboxes {
  if (isElsewhere(host)) return none;
  const processes = namesIn(host, '/proc').filter((name) => /^[1-9][0-9]*$/.test(name) && isOfRoot(host, name));
  const ids = new Set<string>();
  for (const pid of processes) {
    const id = idOfProcess(host, pid);
    if (id !== undefined) ids.add(id);
  }
  const found = idsOfSockets(host, textOf(host, '/proc/net/unix', socketsLimit), processes);
  // runtime-rs may shorten the id in its path.
  const known = new Set([...ids, ...found].flatMap(beginnings));
  for (const id of found) if (!known.has(id) && !beginnings(id).some((beginning) => ids.has(beginning))) ids.add(id);
  return { running: ids.size, ids: [...ids].sort().slice(0, reported) };
}

/** All that an identifier begins with, but not itself. */
function beginnings(id: string): string[] {
  return Array.from({ length: id.length - 1 }, (_, index) => id.slice(0, index + 1));
}

/** The owner of /proc/PID alone proves nothing: of a process that hides its memory (prctl(2), PR_SET_DUMPABLE) it is root, whoever runs it. */
function isOfRoot(host: Host, pid: string): boolean {
  return isRoots(host, `/proc/${pid}`) && /^Uid:\s0\s0\s/m.test(textOf(host, `/proc/${pid}/status`, cmdlineLimit));
}

/** Whether what stands at a path belongs to root. */
function isRoots(host: Host, path: string): boolean {
  return attempt(() => host.status(path)?.owner === 0) ?? false;
}

/** In a chroot, or in a container, which sees neither the node's processes nor its own pods. */
function isElsewhere(host: Host): boolean {
  try {
    // Marker files prove nothing: a virtual machine made from a container image has /.dockerenv as well.
    if (host.readLink('/proc/self/ns/pid') !== initialPidNamespace) return true;
    const first = host.status('/proc/1/root/.');
    return first !== undefined && first.identity !== host.status('/.')?.identity;
  } catch (error) {
    // Only root may look there; for others the question is open, and the node's own / the likelier answer.
    if (error instanceof Problem) return false;
    throw error;
  }
}

function namesIn(host: Host, path: string): string[] {
  try {
    return host.readDirectory(path);
  } catch (error) {
    if (error instanceof NotFound) return [];
    throw error;
  }
}

/** Empty when it cannot be read: the process has ended, or is somebody else's. */
function textOf(host: Host, path: string, limit: number): string {
  return attempt(() => host.readText(path, limit)) ?? '';
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

const shim = /^containerd-shim-kata[a-z0-9-]*-v2$/;
/** Of 1.x with Docker: one kata-proxy serves one sandbox. */
const proxy = /^kata-proxy$/;
/** Of 1.x without a proxy, where the agent listens on a vsock: one for each container, of which the first gives the sandbox its name. */
const containerShim = /^kata-shim$/;

/** The sandbox that a process serves. */
function idOfProcess(host: Host, pid: string): string | undefined {
  // The kernel cuts a name after 15 characters: containerd-shim.
  const name = textOf(host, `/proc/${pid}/comm`, cmdlineLimit).trimEnd();
  if (!name.startsWith('containerd-shim') && name !== 'kata-proxy' && name !== 'kata-shim') return undefined;
  const argv = textOf(host, `/proc/${pid}/cmdline`, cmdlineLimit).split('\0');
  const program = baseName(argv[0] ?? '');
  const isOurs = (file: string): boolean => [shim, proxy, containerShim].some((form) => form.test(file));
  if (!isOurs(program)) return undefined;
  // Somebody may call himself as he likes; what he runs is a link that the kernel keeps. An upgrade leaves " (deleted)" behind it.
  const executable = executableOf(host, pid);
  if (executable !== undefined && !isOurs(executable)) return undefined;
  // `shim … start` and `shim … delete` only live for a moment, and serve no sandbox.
  if (argv.includes('start') || argv.includes('delete')) return undefined;
  if (containerShim.test(program)) {
    const id = identifierBehind(argv, /^--?container(?:=(.+))?$/);
    return id !== undefined && host.status(`/run/vc/sbs/${id}`) !== undefined ? id : undefined;
  }
  return identifierBehind(argv, proxy.test(program) ? /^--?sandbox(?:=(.+))?$/ : /^--?id(?:=(.+))?$/);
}

/** The identifier behind an option. */
function identifierBehind(argv: readonly string[], option: RegExp): string | undefined {
  for (const [index, argument] of argv.entries()) {
    const match = option.exec(argument);
    if (match !== null) return acceptable(match[1] ?? argv[index + 1]);
  }
  return undefined;
}

function executableOf(host: Host, pid: string): string | undefined {
  return attempt(() => baseName(host.readLink(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '')));
}

/** containerd's identifiers: letters, digits, and `_.-` between them. */
function acceptable(id: string | undefined): string | undefined {
  return id !== undefined && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id) ? id : undefined;
}

const monitorPaths = [
  // Go since 2.2; 2.1; runtime-rs; 2.0, which binds it to no path (shown with an @ in front), so that only who holds it tells whose it is.
  /^\/run\/vc\/sbs\/([^/]+)\/shim-monitor\.sock$/,
  /^\/run\/vc\/([^/]+)\/shim-monitor$/,
  /^\/run\/kata\/([^/]+)\/shim-monitor\.sock$/,
  /^@\/containerd-shim\/[^/]+\/([^/]+)\/shim-monitor\.sock$/,
];
const monitor = '/shim-monitor';

/** `Num: RefCount Protocol Flags Type St Inode Path`, hexadecimal; a bound socket is listed as long as somebody holds it. */
function idsOfSockets(host: Host, table: string, processes: readonly string[]): string[] {
  const ids: string[] = [];
  const held = table.includes('@/containerd-shim/') ? socketsOf(host, processes) : new Set<string>();
  for (let at = table.indexOf(monitor); at !== -1; at = table.indexOf(monitor, at + 1)) {
    const end = table.indexOf('\n', at);
    const line = table.slice(table.lastIndexOf('\n', at) + 1, end === -1 ? undefined : end);
    const fields = /^[0-9a-f]+: \S+ \S+ ([0-9A-F]+) \S+ \S+ +([0-9]+) (.+)$/.exec(line);
    if (fields === null || (Number.parseInt(fields[1] ?? '', 16) & listening) === 0) continue;
    // A zero byte in an abstract name is shown as @; some pad the name with them.
    const path = (fields[3] ?? '').replace(/@+$/, '');
    const isOfRoot = path.startsWith('@') ? held.has(fields[2] ?? '') : isRoots(host, path);
    const id = isOfRoot
      ? monitorPaths.map((form) => form.exec(path)?.[1]).find((name) => name !== undefined)
      : undefined;
    if (acceptable(id) !== undefined) ids.push(id as string);
  }
  return ids;
}

/** The inodes of the sockets that these processes hold. */
function socketsOf(host: Host, processes: readonly string[]): Set<string> {
  const inodes = new Set<string>();
  let looked = 0;
  for (const pid of processes) {
    for (const descriptor of openFilesOf(host, pid)) {
      looked += 1;
      if (looked > openFilesLimit) return inodes;
      const inode = /^socket:\[([0-9]+)\]$/.exec(linkOf(host, `/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

function openFilesOf(host: Host, pid: string): string[] {
  return attempt(() => host.readDirectory(`/proc/${pid}/fd`)) ?? [];
}

function linkOf(host: Host, path: string): string {
  return attempt(() => host.readLink(path)) ?? '';
}
