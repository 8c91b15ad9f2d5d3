/**
 * TOML as Kata, containerd and CRI-O write it: read in bounds, fast where most of it is comments, and merged as the runtime merges
 * drop-ins. smol-toml parses.
 */

import { parse as parseToml, type TomlTable, type TomlValue } from 'smol-toml';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { askedKeys } from '../protocol/settings.ts';

/** A configuration of Kata has 20 to 40 kB. */
const configurationLimit = 1024 * 1024;
/** Kata's own have three: hypervisor, qemu, key. What is deeper is replaced as a whole. */
const mergeDepth = 16;

/** Runtime-rs' own configurations have 9223372036854775807 in them, which is more than a number of JavaScript can be. */
function parse(text: string): TomlTable {
  return parseToml(text, { integersAsBigInt: 'asNeeded' });
}

/** A file that could not be read, whole or in part. */
export interface Unread {
  readonly path: string;
  /** With the path and, where it is known, line and column. */
  readonly message: string;
  /**
   * gone: a handler names this configuration, and it is not there. relative: it names an image, or the configuration of a handler, by
   * no absolute path. imageless: it names no image where one belongs. bare: no configuration was found for this program. Absent for what
   * is there and cannot be read.
   */
  readonly reason?: 'gone' | 'relative' | 'imageless' | 'bare';
  /** Of a handler's configuration: the handler, and the file that names it. */
  readonly namedBy?: string;
  readonly namedIn?: string;
}

/** Undefined, and told in `unread`, when it cannot be read. `lines`: where each key is, is noted there. */
export function readToml(
  host: Host,
  path: string,
  unread: Unread[],
  shorten: (short: Short) => Short = (short) => short,
  lines?: Lines,
): TomlTable | undefined {
  try {
    const text = host.readText(path, configurationLimit);
    const plain = withoutComments(text);
    if (plain === undefined) return parse(text);
    const short = shorten(plain);
    if (lines !== undefined) noteLines(short, lines);
    return parsed(`${short.lines.join('\n')}\n`) ?? parse(inPlace(plain));
  } catch (error) {
    unread.push({ path, message: problemIn(error, path) });
    return undefined;
  }
}

/** What is left of a text for the parser, and where each of the lines stood, from 1. */
export interface Short {
  readonly lines: readonly string[];
  readonly numbers: readonly number[];
  /** How many lines there were. */
  readonly total: number;
}

/** With the lines where they stood, so that a mistake is told with its place. */
function inPlace({ lines, numbers, total }: Short): string {
  const all: string[] = new Array(total).fill('');
  for (const [index, line] of lines.entries()) all[(numbers[index] ?? 1) - 1] = line;
  return all.join('\n');
}

/** By table and key, their names joined by dots: the number of the line, from 1. */
export type Lines = Map<string, number>;

/** A name, bare or in quotes, of a key with dots. */
const nameInKey = /"([^"\\]*)"|'([^']*)'|([A-Za-z0-9_-]+)/g;

function noteLines({ lines: texts, numbers }: Short, lines: Lines): void {
  const joined = (names: string): string =>
    [...names.matchAll(nameInKey)].map(([, one, other, bare]) => one ?? other ?? bare).join('.');
  let table = '';
  for (const [index, line] of texts.entries()) {
    const header = /^\s*\[([^[\]]+)\]/.exec(line)?.[1];
    const equals = line.indexOf('=');
    if (header !== undefined) table = `${joined(header)}.`;
    else if (equals > 0) lines.set(table + joined(line.slice(0, equals)), numbers[index] ?? 0);
  }
}

/** Undefined when there is a mistake: which, and where, the whole text tells. */
function parsed(text: string): TomlTable | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Most of a configuration of Kata is comments, and the parser looks at each character. Undefined where a string of several lines begins, in
 * which a line can look like anything.
 */
export function withoutComments(text: string): Short | undefined {
  const lines: string[] = [];
  const numbers: number[] = [];
  let number = 0;
  for (const line of text.split('\n')) {
    number += 1;
    if (line === '' || line[0] === '#' || ((line[0] === ' ' || line[0] === '\t') && /^[ \t]+(?:#|$)/.test(line)))
      continue;
    if (line.includes('"""') || line.includes("'''")) return undefined;
    lines.push(line);
    numbers.push(number);
  }
  return { lines, numbers, total: number };
}

/** Those that are looked at: of [hypervisor.NAME] what belongs to an image, and what a row of the protocol's tables asks for. */
const keysOfInterest: ReadonlySet<string> = new Set([
  ...[...askedKeys].map((key) => key.slice(key.lastIndexOf('.') + 1)),
  'image',
  'initrd',
  'igvm',
  'kernel',
  'kernel_params',
  'kernel_verity_params',
  'guest_extension_images',
  'path',
  'verity_params',
]);

/**
 * What is left are tables, the keys of interest, and all that is not as plain as can be: in that the parser may find fault. Where a
 * name is given twice, as two keys or as a key and a table, nothing is left out: that is a mistake, or not, for the parser to say.
 */
export function withoutOtherKeys(short: Short): Short {
  const lines: string[] = [];
  const numbers: number[] = [];
  const tables = new Set<string>();
  const others = new Set<string>();
  let keys = new Set<string>();
  for (const [index, line] of short.lines.entries()) {
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(0, equals)).trim();
    if (/^[A-Za-z0-9_-]+$/.test(key)) {
      if (keys.has(key) || tables.has(key)) return short;
      keys.add(key);
      if (!keysOfInterest.has(key.toLowerCase()) && isPlain(line.slice(equals + 1).trim())) {
        others.add(key);
        continue;
      }
    } else {
      // A table, a key with dots or in quotes, or a line of a list.
      if (line.trimStart().startsWith('[')) keys = new Set();
      for (const name of line.match(/[A-Za-z0-9_-]+/g) ?? []) {
        if (others.has(name)) return short;
        tables.add(name);
      }
    }
    // In a list of several lines an assignment is a mistake.
    if (line.split('[').length !== line.split(']').length) return short;
    lines.push(line);
    numbers.push(short.numbers[index] ?? 0);
  }
  return { lines, numbers, total: short.total };
}

/** A value in which there is nothing to be wrong. */
function isPlain(value: string): boolean {
  return (
    value === 'true' ||
    value === 'false' ||
    value === '[]' ||
    /^(?:0|[1-9][0-9]{0,14})$/.test(value) ||
    /^"[^"\\\u0000-\u001f\u007f]*"$/.test(value)
  );
}

function problemIn(error: unknown, path: string): string {
  if (error instanceof Problem) return error.message;
  const { line, column, message } = error as { line?: number; column?: number; message: string };
  const [reason = message] = message.replace(/^Invalid TOML document: /, '').split('\n');
  return line === undefined ? `${path}: ${reason}` : `${path}, line ${line}, column ${column ?? 1}: ${reason}`;
}

/** Tables key by key; everything else, arrays too, is replaced. */
export function merged(base: TomlTable, over: TomlTable, depth = mergeDepth): TomlTable {
  const entries = new Map<string, TomlValue>(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const known = entries.get(key);
    entries.set(key, depth > 0 && isTable(known) && isTable(value) ? merged(known, value, depth - 1) : value);
  }
  return Object.fromEntries(entries);
}

export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
