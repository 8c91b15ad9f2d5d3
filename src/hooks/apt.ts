/**
 * What apt tells a hook of DPkg::Pre-Install-Pkgs, in protocol versions 1, 2 and 3 (apt.conf(5); apt-pkg/deb/dpkgpm.cc).
 *
 * 1: the path of each archive, a line each; removals are not told.
 * 2 and 3: `VERSION 2`, apt's configuration as `key=value` lines, an empty line, then for each step
 *   2: `name old <|=|> new path`
 *   3: `name old oldarch oldmultiarch <|=|> new newarch newmultiarch path`
 * with `-` for no version, `**CONFIGURE**` or `**REMOVE**` in place of the path, which reaches to the end of the line.
 * The configuration may hold passwords: only the keys named here are looked at, and none of it is ever shown.
 */

import { codesIn } from '../defaults.ts';
import { Corrupt, Unsupported, Usage } from '../errors.ts';
import { type Host, readAll } from '../host/host.ts';
import { fromLatin1, isPlain, latin1, linesBeginning, utf8 } from '../read/bytes.ts';
import { inputLimit, mistakeLimit, type PackageChange, type Transaction } from '../state/transaction.ts';
import { nameIn, withReachable } from './file-names.ts';

/** How the lines begin that can hold one of the keys that are looked at: there are thousands of others. */
const readable = ['katacheck::', 'dpkg::options'];

/** Of a step: which of its words is the version before, which the version after, and where the path begins. */
const columns = { 2: { old: 1, sign: 2, next: 3, what: 4 }, 3: { old: 1, sign: 4, next: 5, what: 8 } } as const;

const signs = new Set<string | undefined>(['<', '=', '>']);

/** The same step, whose archive's name can be no text. */
type Reach = (change: PackageChange) => PackageChange;

/**
 * There can be thousands of lines, and every apt run waits for this: only what is used is decoded.
 * A line that is none of the above is left out, and its number told. Throws Corrupt (all lines are such), Unsupported (a newer protocol).
 */
export function parseAptHook(input: Uint8Array, reachable: Reach = (change) => change): Transaction {
  const version = /^VERSION ([0-9]{1,4})\n/.exec(latin1(input.subarray(0, 16)))?.[1];
  if (version === undefined) {
    const told = readLines(
      input,
      () => 1,
      'neither a path nor a version',
      (line) =>
        line.startsWith('/')
          ? { name: nameOfArchive(line), oldVersion: null, newVersion: null, action: 'unpack', archive: line }
          : undefined,
      reachable,
    );
    return { manager: 'apt', root: '', ...told, mode: null, allow: [] };
  }
  const column = columns[Number(version) as keyof typeof columns];
  if (column === undefined) throw new Unsupported(`version ${version} of apt's hook protocol`);

  const { lines: header, end: headerEnd } = linesBeginning(input, readable);
  if (headerEnd === -1) throw new Corrupt("apt's hook input has no empty line behind its configuration");
  const firstLine = (): number => latin1(input.subarray(0, headerEnd)).split('\n').length + 1;
  const steps = input.subarray(headerEnd + 1);
  const told = readLines(
    steps,
    firstLine,
    `not a step of version ${version}`,
    (line, isOrdinary) => {
      const words = line.split(' ');
      // The path reaches to the end of the line, with its blanks.
      if (words.length > column.what + 1) words.push(words.splice(column.what).join(' '));
      if (words.length <= column.what || words.includes('') || !signs.has(words[column.sign])) return undefined;
      if (!isOrdinary && words.slice(0, column.what).some((word) => /\s/.test(word))) return undefined;
      const old = words[column.old];
      const next = words[column.next];
      const what = words[column.what] ?? '';
      const marker = what === '**CONFIGURE**' || what === '**REMOVE**' ? what : null;
      return {
        name: words[0] ?? '',
        oldVersion: old === '-' ? null : (old ?? null),
        newVersion: next === '-' ? null : (next ?? null),
        action: marker === null ? 'unpack' : marker === '**REMOVE**' ? 'remove' : 'configure',
        archive: marker === null ? what : null,
      };
    },
    reachable,
  );
  return {
    manager: 'apt',
    root: rootOf(header),
    ...told,
    mode: values(header, 'KataCheck::Mode').at(-1) ?? null,
    // `-o KataCheck::Allow=KC101,KC301` and the list form `-o KataCheck::Allow::=KC101`.
    allow: [...values(header, 'KataCheck::Allow'), ...values(header, 'KataCheck::Allow::')].flatMap(codesIn),
  };
}

/** Without reading the archive: `/path/name_version_arch.deb`. */
export function nameOfArchive(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).split('_', 1)[0] ?? '';
}

/**
 * One line that is not understood takes nothing away from the others: a mismatch may be in any of them. `isOrdinary`: no line has a
 * letter beyond ASCII, or white space but the blank.
 */
function readLines(
  input: Uint8Array,
  firstLine: () => number,
  problem: string,
  read: (line: string, isOrdinary: boolean) => PackageChange | undefined,
  reachable: Reach,
): { changes: PackageChange[]; mistakes?: string[] } {
  const changes: PackageChange[] = [];
  const mistakes: string[] = [];
  const isOrdinary = isPlain(input);
  const lines = latin1(input).split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const bytes = lines[index] ?? '';
    if (bytes === '') continue;
    const change = read(isOrdinary || /^[\x00-\x7f]*$/.test(bytes) ? bytes : nameIn(fromLatin1(bytes)), isOrdinary);
    if (change !== undefined) changes.push(isOrdinary ? change : reachable(change));
    else if (mistakes.length < mistakeLimit) mistakes.push(`apt's hook input, line ${firstLine() + index}: ${problem}`);
  }
  if (changes.length === 0 && mistakes[0] !== undefined) throw new Corrupt(mistakes[0]);
  return mistakes.length === 0 ? { changes } : { changes, mistakes };
}

/** The values of one key. apt's option names know no case; keys and values come with some bytes as %XX. */
function values(header: readonly string[], key: string): string[] {
  const found: string[] = [];
  const wanted = key.toLowerCase();
  for (const line of header) {
    if (line[wanted.length] !== '=' || line.slice(0, wanted.length).toLowerCase() !== wanted) continue;
    found.push(unquoted(line.slice(wanted.length + 1)));
  }
  return found;
}

/** apt quotes every byte that is not printable ASCII, so that a letter of UTF-8 comes as several. */
function unquoted(text: string): string {
  return decoded(text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}

/** UTF-8 from a character for each byte; as it is when it is none. */
function decoded(bytes: string): string {
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : (utf8(fromLatin1(bytes)) ?? bytes);
}

/** apt works on another root only when it tells dpkg so. */
function rootOf(header: readonly string[]): string {
  const options = [...values(header, 'DPkg::Options'), ...values(header, 'DPkg::Options::')];
  const root = options
    .map((option) => /^--(?:root|instdir)=(\/.*)$/.exec(option)?.[1])
    .findLast((path) => path !== undefined);
  return (root ?? '').replace(/\/+$/, '');
}

/** Throws Usage (the descriptor's number), as `readAll`, and as `parseAptHook`. */
export async function aptTransaction(host: Host, deadline: number): Promise<Transaction> {
  const descriptor = Number(/^[0-9]{1,4}$/.exec(host.environment('APT_HOOK_INFO_FD') ?? '0')?.[0] ?? Number.NaN);
  if (Number.isNaN(descriptor)) throw new Usage('APT_HOOK_INFO_FD is no descriptor');
  const input = await readAll(host, descriptor, inputLimit, deadline);
  return parseAptHook(input, (change) => withReachable(host, change));
}
