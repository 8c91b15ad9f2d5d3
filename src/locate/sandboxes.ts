/**
 * The pods that run in Kata's virtual machines now. A sandbox counts by what lives: the shim process that serves it, or the socket
 * that it listens on. Folders below /run/vc and /run/kata also stay behind after a crash, and /run/vc/vm/template is none.
 *
 * Linux: proc(5) for /proc/PID/cmdline, exe and /proc/net/unix. What is seen is this kernel's; in a chroot or a container that is
 * somebody else's, so there the answer is: none.
 */

import { NotFound, Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';

/** Arguments of a process and the table of sockets on a busy node, in bytes. */
const cmdlineLimit = 256 * 1024;
const socketsLimit = 64 * 1024 * 1024;
/** A node runs some hundreds of pods. */
const reported = 1000;

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
  const ids = new Set<string>();
  for (const pid of namesIn(host, '/proc')) {
    const id = /^[1-9][0-9]*$/.test(pid) ? idOfProcess(host, pid) : undefined;
    if (id !== undefined) ids.add(id);
  }
  for (const id of idsOfSockets(textOf(host, '/proc/net/unix', socketsLimit))) {
    // runtime-rs may shorten the id in its path.
    if (![...ids].some((known) => known.startsWith(id) || id.startsWith(known))) ids.add(id);
  }
  return { running: ids.size, ids: [...ids].sort().slice(0, reported) };
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
  try {
    return host.readText(path, limit);
  } catch (error) {
    if (error instanceof Problem) return '';
    throw error;
  }
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
  try {
    return baseName(host.readLink(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** containerd's identifiers: letters, digits, and `_.-` between them. */
function acceptable(id: string | undefined): string | undefined {
  return id !== undefined && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id) ? id : undefined;
}

const monitorPaths = [
  // Go since 2.2; 2.1; 2.0 (abstract, shown with a leading @); runtime-rs.
  /^\/run\/vc\/sbs\/([^/]+)\/shim-monitor\.sock$/,
  /^\/run\/vc\/([^/]+)\/shim-monitor$/,
  /^@?\/containerd-shim\/[^/]+\/([^/]+)\/shim-monitor\.sock$/,
  /^\/run\/kata\/([^/]+)\/shim-monitor\.sock$/,
];

/** `Num: RefCount Protocol Flags Type St Inode Path`, hexadecimal; a bound socket is listed as long as somebody holds it. */
function idsOfSockets(table: string): string[] {
  const ids: string[] = [];
  for (const line of table.split('\n')) {
    if (!line.includes('shim-monitor')) continue;
    const fields = /^[0-9a-f]+: \S+ \S+ ([0-9A-F]+) \S+ \S+ +\S+ (.+)$/.exec(line);
    if (fields === null || (Number.parseInt(fields[1] ?? '', 16) & listening) === 0) continue;
    // A zero byte in an abstract name is shown as @; some pad the name with them.
    const path = (fields[2] ?? '').replace(/@+$/, '');
    const id = acceptable(monitorPaths.map((form) => form.exec(path)?.[1]).find((found) => found !== undefined));
    if (id !== undefined) ids.push(id);
  }
  return ids;
}
