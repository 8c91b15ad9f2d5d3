/**
 * What a runtime's program tells of itself: its version, for one that no package owns (a tarball in /opt/kata), read out of it or, where that is not
 * sure, asked for by running it; and what it says of the agent protocol.
 */

import { attempt, Problem } from '../errors.ts';
import type { File, Host } from '../host/host.ts';
import { followedStatus, resolvePath } from '../host/rooted.ts';
import { type Description, DescriptorSearch } from '../protocol/descriptors.ts';
import { latin1 } from '../read/bytes.ts';
import * as limits from '../read/limits.ts';
import { programVersion } from '../read/program-version.ts';
import { Budget, Source } from '../read/source.ts';

/** The programs print a line and end; an own deadline, in milliseconds, leaves time for the rest of the check. */
const patience = 3000;
const outputLimit = 65536;

/**
 * `kata-runtime  : 3.6.0`, `… shim: id: "io.containerd.kata.v2", version: 2.5.0-alpha2, commit: …`,
 * `… shim (Rust): id: io.containerd.kata.v2, version: 3.31.0, commit: …`.
 */
export function versionInOutput(output: string): string | null {
  const match = /^kata-runtime\s*: *(\S+)/m.exec(output) ?? /\bversion: *([^\s,]+)/.exec(output);
  return match?.[1] ?? null;
}

/** Null when the program does not tell. As root only a program that root alone can write is run. */
export async function askProgram(host: Host, path: string, deadline: number): Promise<string | null> {
  try {
    const status = followedStatus(host, path);
    if (status?.kind !== 'file' || (status.mode & 0o111) === 0) return null;
    if (host.userId === 0 && (status.owner !== 0 || (status.mode & 0o022) !== 0)) return null;
    const limit = Math.min(deadline, host.now() + patience);
    const { stdout } = await host.run([path, '--version'], { deadline: limit, outputLimit });
    return versionInOutput(latin1(stdout));
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

/** In bytes: few system calls, and little memory. */
const pieceSize = 256 * 1024;

/** What `read` makes of the program, its links followed; null where it cannot be read, or not before the deadline. */
function readProgram<T>(host: Host, path: string, deadline: number, read: (source: Source) => T | null): T | null {
  return orNull(() => {
    const file = host.open(resolvePath(host, '', path));
    try {
      return read(new Source(file, new Budget(host, deadline)));
    } finally {
      file.close();
    }
  });
}

function orNull<T>(read: () => T | null): T | null {
  return attempt(read) ?? null;
}

/** Null when it cannot be told for sure. Nothing is run. */
export function versionInProgram(host: Host, path: string, deadline: number): string | null {
  return readProgram(host, path, deadline, versionIn);
}

/** Of a program that is open, likewise. */
export function versionInOpenProgram(host: Host, file: File, deadline: number): string | null {
  return orNull(() => versionIn(new Source(file, new Budget(host, deadline))));
}

/** What the program says of the agent protocol; null when it says nothing. */
export function describeProgram(host: Host, path: string, deadline: number): Description | null {
  return readProgram(host, path, deadline, descriptionIn);
}

/** Of the Container Network Interface, which Go runtimes since 2.4 name: one whose own version is of no known form has no other of 1.x. */
const versionsOfInterface: readonly string[] = ['1.0.0', '1.1.0'];
/** Since 2.1 no runtime has it. */
const earlyCall = 'AgentService/ListProcesses';

function versionIn(source: Source): string | null {
  const version = programVersion(source);
  if (version === null || !versionsOfInterface.includes(version)) return version;
  return descriptionIn(source)?.calls.has(earlyCall) === true ? version : null;
}

function descriptionIn(source: Source): Description | null {
  if (source.length < 4 || source.length > limits.agentBytes) return null;
  if (source.read(0, 4, 'first bytes').latin1(0, 4) !== '\x7fELF') return null;
  const search = new DescriptorSearch();
  for (let at = 0; at < source.length; at += pieceSize) {
    search.add(source.read(at, Math.min(pieceSize, source.length - at), 'program').data);
  }
  return search.result();
}

const fileLimit = 4096;

/**
 * What the file VERSION of a static tarball says. It can be older than the programs beside it, so that it is only asked where none of
 * them may be run. Null when it is not there or says nothing. `host` is rooted.
 */
export function versionInFile(host: Host, path: string): string | null {
  return attempt(() => /^\s*(\S+)\s*$/.exec(host.readText(path, fileLimit))?.[1] ?? null) ?? null;
}
