/**
 * The agent's version inside a guest image: from osbuilder's summary file, else out of the agent's binary.
 *
 * The summary, /var/lib/osbuilder/osbuilder.yaml (formats 0.0.1 and 0.0.2), is written by one shell script of osbuilder and
 * always has the same form, so it is read line by line: that takes no longer on a hostile file than on a real one.
 * In a binary only `X.Y.Z[-alphaN|-rcN]-<40 hex>[-dirty]` can be relied on: it stands there in Go and in Rust builds
 * from git, while bare numbers drown in those of Rust's crates. In Rust, three constants of the agent (src/agent/src/version.rs.in) mostly stand
 * one behind the other without an end, its version, that of its interface and its version with the commit: `3.29.00.0.13.29.0-<40 hex>`, or
 * in another order, as the compiler likes: `0.0.13.29.0-<40 hex>3.29.0`.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { parseVersion, type Version } from '../version.ts';
import { find, fromLatin1, latin1, utf8 } from './bytes.ts';
import { type FileSystem, type Inode, pieces, readFile, resolve } from './filesystem.ts';
import * as limits from './limits.ts';
import type { Budget } from './source.ts';

export const summaryPath = '/var/lib/osbuilder/osbuilder.yaml';
/** The second when it was built with AGENT_INIT=yes: the agent is moved there. */
export const agentPaths = ['/usr/bin/kata-agent', '/sbin/init'] as const;

export interface Agent {
  readonly version: Version;
  /** `package`: an installed package has brought the same file. */
  readonly source: 'osbuilder.yaml' | 'agent-binary' | 'package';
  /** Inside the image. */
  readonly path: string;
}

/** One after the other: a megabyte of line ends, all split at once, takes 16 MB. */
function* lines(text: string): Generator<string> {
  for (let at = 0; at <= text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    yield text.slice(at, text[end - 1] === '\r' && end > at ? end - 1 : end);
    at = end + 1;
  }
}

/** What a summary says of the agent's version: its text, or undefined when it does not say ("unknown" included). */
export function versionInSummary(summary: Uint8Array): string | undefined {
  const text = utf8(summary) ?? latin1(summary);
  let isInAgent = false;
  let indentation: string | undefined;
  for (const line of lines(text)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const margin = /^[ \t]*/.exec(line)?.[0] ?? '';
    if (margin === '') {
      isInAgent = /^agent:\s*(#.*)?$/.test(line);
      indentation = undefined;
      continue;
    }
    if (!isInAgent) continue;
    indentation ??= margin;
    if (margin !== indentation) continue;
    const key = /^version:[ \t]/.exec(line.slice(margin.length))?.[0];
    if (key === undefined) continue;
    const plain = unquoted(line.slice(margin.length + key.length).trimStart());
    return plain === '' || plain === 'unknown' || plain === '<<unknown>>' ? undefined : plain;
  }
  return undefined;
}

function unquoted(value: string): string {
  const quoted = /^"([^"]*)"|^'([^']*)'/.exec(value);
  if (quoted !== null) return (quoted[1] ?? quoted[2] ?? '').trim();
  // By a loop: an expression that begins with blanks takes the square of their number, hours for a megabyte of them.
  for (let at = value.indexOf('#'); at !== -1; at = value.indexOf('#', at + 1)) {
    if (at === 0 || /\s/.test(value.charAt(at - 1))) return value.slice(0, at).trim();
  }
  return value.trim();
}

const dash = 0x2d;
const commitLength = 40;
/** `999.999.999-alpha999` and some more, twice, and the version of the interface between the two. */
const versionLength = 80;
/** Of a vendor, too: 3.19.1.kata3, 3.2.0.azl5. */
const numbers = '[0-9]{1,2}\\.[0-9]+\\.[0-9]+(?:-(?:alpha|rc)[0-9]+|\\.[a-z]{2,8}[0-9]+)?';
/** Wherever it begins. */
const anyVersion = new RegExp(`${numbers}$`);
/** It begins where no other number ends. */
const aloneVersion = new RegExp(`(?<![0-9.])${numbers}$`);
/** It stands there twice, with the interface's between the two or not. */
const doubleVersion = new RegExp(`(${numbers})(?:[0-9]+\\.[0-9]+\\.[0-9]+)?\\1$`);
/** The interface's stands before it, which is the same in all releases. */
const versionBehindInterface = new RegExp(`(?<![0-9.])0\\.0\\.1(${numbers})$`);

/** The version that ends where `before` does; `after` stands behind its commit. Undefined where it cannot be told where it begins. */
function versionBetween(before: string, after: string): string | undefined {
  const longest = anyVersion.exec(before)?.[0];
  if (longest === undefined) return undefined;
  // It may stand there again; of two digits, the first may be the end of something else.
  for (const text of [longest, longest.slice(1)]) {
    if (/^[0-9]/.test(text) && after.startsWith(text) && after[text.length] !== '.') return text;
  }
  return aloneVersion.exec(before)?.[0] ?? doubleVersion.exec(before)?.[1] ?? versionBehindInterface.exec(before)?.[1];
}

const dirty = fromLatin1('-dirty');
const upxMark = fromLatin1('UPX!');

function isHex(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66));
}

/** Of a version that stands behind the commit. */
const versionReach = 24;
/** What stands behind the dash at the most. */
const dashReach = 1 + commitLength + versionReach;

/** As Host.nextCommit. */
function nextCommit(bytes: Uint8Array, from: number, end: number): number {
  for (let at = bytes.indexOf(dash, from); at !== -1 && at < end; at = bytes.indexOf(dash, at + 1)) {
    // Nearly every dash fails at its first neighbours. A number ends with a digit.
    const last = bytes[at - 1] ?? 0;
    if (last < 0x30 || last > 0x39) continue;
    let digits = 1;
    while (digits <= commitLength && isHex(bytes[at + digits])) digits += 1;
    if (digits > commitLength) return at;
  }
  return -1;
}

/** Collects the versions with a commit that stand in a stream of bytes. */
export class VersionSearch {
  readonly #found = new Set<string>();
  /** The end of the last piece: a version may stand across two. */
  #tail = new Uint8Array(0);
  #isFirst = true;
  #isCrowded = false;
  #commits = 0;
  readonly #nextCommit: NonNullable<Host['nextCommit']>;
  /** Whether the program is packed by upx, so that nothing can be found in it. */
  isPacked = false;

  /** `fast`: the host's own search. */
  constructor(fast: Host['nextCommit'] = undefined) {
    this.#nextCommit = fast ?? nextCommit;
  }

  add(piece: Uint8Array): void {
    const bytes = new Uint8Array(this.#tail.length + piece.length);
    bytes.set(this.#tail);
    bytes.set(piece, this.#tail.length);
    // upx leaves its mark behind the ELF headers.
    if (this.#isFirst) this.isPacked = find(bytes.subarray(0, 1024), upxMark) !== -1;
    this.#isFirst = false;
    if (this.#isCrowded) return;
    this.#scan(bytes, Math.max(0, this.#tail.length - dashReach + 1), bytes.length - dashReach);
    this.#tail = bytes.slice(Math.max(0, bytes.length - versionLength - dashReach));
  }

  /** Looks at the dashes from `from` to `end`. */
  #scan(bytes: Uint8Array, from: number, end: number): void {
    for (let at = this.#nextCommit(bytes, from, end + 1); at !== -1; at = this.#nextCommit(bytes, at + 1, end + 1)) {
      this.#commits += 1;
      if (this.#commits > limits.agentCommits) this.#isCrowded = true;
      if (this.#isCrowded) return;
      const before = latin1(bytes.subarray(Math.max(0, at - versionLength), at));
      const commitEnd = at + 1 + commitLength;
      const after = latin1(bytes.subarray(commitEnd, commitEnd + versionReach));
      const number = versionBetween(before, after);
      if (number === undefined) continue;
      const isDirty = find(bytes.subarray(commitEnd, commitEnd + dirty.length), dirty) === 0;
      this.#found.add(number + latin1(bytes.subarray(at, commitEnd)) + (isDirty ? '-dirty' : ''));
      if (this.#found.size > limits.agentVersions) this.#isCrowded = true;
    }
  }

  /** The one version found, after the last piece; undefined when there is none, or when there are several. */
  result(): Version | undefined {
    this.#scan(this.#tail, Math.max(0, this.#tail.length - dashReach + 1), this.#tail.length);
    if (this.#isCrowded) return undefined;
    const versions = [...this.#found].map(parseVersion).filter((version) => version !== undefined);
    const [first] = versions;
    return versions.every((version) => version.order === first?.order) ? first : undefined;
  }
}

export interface AgentFacts {
  readonly agent: Agent | null;
  /** An extension image has neither an agent nor an init, and should not. */
  readonly kind: 'guest' | 'extension';
  /** Why no version is known, in words; null when one is. */
  readonly unknown: string | null;
  /** The agent as its binary has it, when that was read and names another version than the summary. */
  readonly contradiction: Agent | null;
  /** With `deep`: why the binary's version is not known, in words; null when it is. */
  readonly unchecked: string | null;
}

/** Is handed all of the agent's binary, in pieces that are good only until the next one. */
export interface Observer {
  add(piece: Uint8Array): void;
  /** Of a program in a package: there is no more of it. */
  end?(): void;
}

export interface AgentOptions {
  /** Read the binary too, even when the summary names the version. */
  readonly deep?: boolean;
  /** Makes one for each binary that is read; with it, the agent's is read in any case. What is wrong with a binary is then no error. */
  readonly observe?: ((path: string) => Observer) | undefined;
}

/** How the bytes of an agent's binary are had: at once from a disk, in a second pass from a compressed initrd. */
export type Content = (file: Inode) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** In pieces of 256 KiB: few system calls, and little memory. */
export const contentFromInode: Content = (file) => pieces(file, 256 * 1024, limits.agentBytes);

/** Throws the readers' errors when the image is broken; a missing file is no error. */
export async function findAgent(
  filesystem: FileSystem,
  budget: Budget,
  options: AgentOptions = {},
  content: Content = contentFromInode,
): Promise<AgentFacts> {
  const summary = readSummary(filesystem);
  const stated = summary === undefined ? undefined : versionInSummary(summary);
  const version = stated === undefined ? undefined : parseVersion(stated);
  const fromSummary: Agent | null =
    version === undefined ? null : { version, source: 'osbuilder.yaml', path: summaryPath };
  const deep = options.deep === true;
  const known: AgentFacts = { agent: fromSummary, kind: 'guest', unknown: null, contradiction: null, unchecked: null };
  if (fromSummary !== null && !deep) {
    const agent = options.observe === undefined ? null : await observedAgent(filesystem, budget, options, content);
    return { ...known, contradiction: contradictionTo(fromSummary, agent) };
  }

  const reasons: string[] = [];
  if (summary === undefined) reasons.push(`${summaryPath} is not in the image`);
  else if (stated === undefined) reasons.push(`${summaryPath} does not say it`);
  else if (version === undefined) reasons.push(`${summaryPath} says ${shortened(stated)}, which is no version`);

  const binary = await readBinaries(filesystem, budget, options, content);
  if (fromSummary !== null) {
    return {
      ...known,
      contradiction: contradictionTo(fromSummary, binary.agent),
      unchecked: binary.agent === null ? binary.reasons.join('; ') || 'there is no agent in the image' : null,
    };
  }
  const isGuest = summary !== undefined || binary.isThere;
  return {
    ...known,
    agent: binary.agent,
    kind: isGuest ? 'guest' : 'extension',
    unknown: binary.agent === null && isGuest ? [...reasons, ...binary.reasons].join('; ') : null,
  };
}

/** `other`, where it is of another version. */
function contradictionTo({ version }: Pick<Agent, 'version'>, other: Agent | null): Agent | null {
  return other === null || other.version.order === version.order ? null : other;
}

/** For the observer: the image is known without it, so that a binary that cannot be read, or not in time, is none. */
async function observedAgent(...parameters: Parameters<typeof readBinaries>): Promise<Agent | null> {
  try {
    return (await readBinaries(...parameters)).agent;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return null;
  }
}

/** What the agent's binary says, in one pass; `reasons`: of each one that does not name its version. Throws as `findAgent`. */
async function readBinaries(
  filesystem: FileSystem,
  budget: Budget,
  { observe }: AgentOptions,
  content: Content,
): Promise<{ readonly agent: Agent | null; readonly isThere: boolean; readonly reasons: readonly string[] }> {
  const reasons: string[] = [];
  let isThere = false;
  for (const path of agentPaths) {
    const inode = resolve(filesystem, path);
    if (inode?.kind !== 'file') continue;
    isThere = true;
    const search = new VersionSearch(budget.nextCommit);
    const observer = observe?.(path);
    let searched = 0;
    for await (const piece of content(inode)) {
      budget.checkTime(path);
      search.add(piece);
      observer?.add(piece);
      searched += piece.length;
      // A compressed initrd may hold a file of gigabytes in a megabyte.
      if (searched >= limits.agentBytes) break;
    }
    const version = search.result();
    if (version !== undefined) return { agent: { version, source: 'agent-binary', path }, isThere, reasons };
    reasons.push(
      search.isPacked ? `${path} is packed with UPX, which hides its version` : `${path} does not name its version`,
    );
  }
  return { agent: null, isThere, reasons };
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function readSummary(filesystem: FileSystem): Uint8Array | undefined {
  const inode = resolve(filesystem, summaryPath);
  if (inode === undefined) return undefined;
  return readFile(filesystem, summaryPath, limits.summaryBytes);
}
