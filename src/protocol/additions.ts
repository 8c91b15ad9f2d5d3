/**
 * Releases and rows that are added to the protocol's tables without a new program. The form is described by packaging/protocol.schema.json,
 * which is installed as /usr/share/kata-check/protocol.schema.json.
 */

import { Corrupt } from '../errors.ts';
import type { Known } from './reach.ts';
import type { Effect, Kind, Row } from './row.ts';

const kinds: readonly Kind[] = ['call', 'driver', 'option', 'meaning', 'message', 'transport', 'path'];
const effects: readonly Effect[] = ['pod', 'container', 'degraded', 'engine', 'operation', 'ignored'];
/** Rows of one file; the program's own tables have some sixty. */
const rowLimit = 1000;
const release = '(?:0|[1-9][0-9]{0,3})\\.(?:0|[1-9][0-9]{0,2})\\.(?:0|[1-9][0-9]{0,2})';
const span = new RegExp(`^${release}\\.\\.(?:${release})?$`);
const range = `(?:>=${release} <${release}|>=${release}|<${release})`;
const ranges = new RegExp(`^${range}(?: \\|\\| ${range})*$`);

type Fields = Readonly<Record<string, unknown>>;

/** Says where in the file something is wrong. */
class Place {
  readonly #file: string;
  readonly #steps: string;

  constructor(file: string, steps = '') {
    this.#file = file;
    this.#steps = steps;
  }

  at(step: string | number): Place {
    return new Place(this.#file, `${this.#steps}/${step}`);
  }

  wrong(what: string): Corrupt {
    return new Corrupt(`${this.#file}: ${this.#steps === '' ? '/' : this.#steps} ${what}`);
  }

  table(value: unknown, known: readonly string[]): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong('is no object');
    const other = Object.keys(value).find((key) => !known.includes(key));
    if (other !== undefined) throw this.at(other).wrong('is no known key');
    return value as Fields;
  }

  list(value: unknown, isFilled = false): readonly unknown[] {
    if (!Array.isArray(value)) throw this.wrong('is no list');
    if (value.length > rowLimit) throw this.wrong(`has more than ${rowLimit} entries`);
    if (isFilled && value.length === 0) throw this.wrong('is empty');
    return value;
  }

  text(value: unknown, form?: RegExp): string {
    if (typeof value !== 'string' || value === '' || value.length > 1000)
      throw this.wrong('is no text of 1 to 1000 characters');
    if (form !== undefined && !form.test(value)) throw this.wrong(`is of another form: ${value}`);
    return value;
  }

  one<T extends string>(value: unknown, of: readonly T[]): T {
    const found = of.find((known) => known === value);
    if (found === undefined) throw this.wrong(`is none of ${of.join(', ')}`);
    return found;
  }
}

function termOf(value: unknown, place: Place): NonNullable<Row['where']>[number][number] {
  const term = place.table(value, ['key', 'is', 'not', 'above', 'hypervisor', 'snapshotter', 'architecture']);
  const names = Object.keys(term);
  const [first = '', second = ''] = names.includes('key') ? ['key', names.find((name) => name !== 'key')] : names;
  const isPlain = names.length === 1 && ['hypervisor', 'snapshotter', 'architecture'].includes(first);
  if (!isPlain && !(names.length === 2 && ['is', 'not', 'above'].includes(second))) {
    throw place.wrong('is neither a key with is, not or above, nor a hypervisor, a snapshotter or an architecture');
  }
  place.at(first).text(term[first], first === 'key' ? /^[a-z]+(?:\.[A-Za-z0-9_-]+)+$/ : undefined);
  const compared = term[second];
  const isNumber = typeof compared === 'number' && Number.isFinite(compared);
  if (!isPlain && !isNumber && (second === 'above' || !['string', 'boolean'].includes(typeof compared))) {
    throw place.at(second).wrong(second === 'above' ? 'is no number' : 'is no text, number, true or false');
  }
  return term as NonNullable<Row['where']>[number][number];
}

const rowKeys = [
  'id',
  'kind',
  'name',
  'go',
  'rust',
  'lacks',
  'when',
  'effect',
  'where',
  'pods',
  'share',
  'byHand',
  'error',
  'sources',
];

function rowOf(value: unknown, place: Place): Row {
  const row = place.table(value, rowKeys);
  for (const key of ['id', 'name', 'when']) place.at(key).text(row[key]);
  for (const key of ['pods', 'byHand', 'error']) if (row[key] !== undefined) place.at(key).text(row[key]);
  place.at('kind').one(row.kind, kinds);
  place.at('effect').one(row.effect, effects);
  place.at('lacks').text(row.lacks, ranges);
  if (row.go === undefined && row.rust === undefined) throw place.wrong('has neither go nor rust');
  for (const key of ['go', 'rust']) if (row[key] !== undefined) place.at(key).text(row[key], span);
  if ((row.pods === undefined) !== (row.share === undefined))
    throw place.wrong('has one of pods and share without the other');
  if (row.share !== undefined) place.at('share').one(row.share, ['most', 'few']);
  const sources = place.at('sources');
  for (const [index, source] of sources.list(row.sources, true).entries()) sources.at(index).text(source);
  if (row.where !== undefined) {
    const where = place.at('where');
    for (const [index, terms] of where.list(row.where, true).entries()) {
      for (const [at, term] of where.at(index).list(terms, true).entries()) termOf(term, where.at(index).at(at));
    }
  }
  return row as unknown as Row;
}

/** The tables with what this file adds. A row of a known id takes the place of the known one. Throws Corrupt, with the place. */
export function withAdditions(known: Known, file: string, text: string): Known {
  const top = new Place(file);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Each engine has words of its own for what is wrong.
    throw top.wrong('is no JSON');
  }
  const document = top.table(parsed, ['$schema', 'schema', 'releases', 'rows']);
  if (document.schema !== 1) throw top.at('schema').wrong('is not 1');
  const lastMinors = new Map(known.lastMinors);
  const releases = top.at('releases');
  for (const [index, value] of releases.list(document.releases ?? []).entries()) {
    const [major = 0, minor = 0] = releases
      .at(index)
      .text(value, /^[1-9][0-9]{0,3}\.(?:0|[1-9][0-9]{0,2})$/)
      .split('.')
      .map(Number);
    const last = lastMinors.get(major) ?? -1;
    // What lies between is not known.
    if (minor > last + 1) throw releases.at(index).wrong(`leaves out ${major}.${last + 1}`);
    lastMinors.set(major, Math.max(minor, last));
  }
  const rows = new Map(known.rows.map((row) => [row.id, row]));
  const place = top.at('rows');
  for (const [index, value] of place.list(document.rows ?? []).entries()) {
    const row = rowOf(value, place.at(index));
    rows.set(row.id, row);
  }
  return { rows: [...rows.values()], lastMinors };
}
