/**
 * What the runtime of a node asks of the agent in a guest image that this agent does not understand, and what fails by it there.
 *
 * The tables say what a pair of releases meets; the node's settings say which of it this node does. What its settings leave open is
 * decided by pods or by people. Where the language of the runtime, a setting or the release itself is not known, what holds for every
 * possibility is proof, and what holds for some is a doubt.
 */

import { rangeOf, type Version, type VersionRange } from '../version.ts';
import { isAsked, isLacking, type Place } from './bounds.ts';
import { calls } from './calls.ts';
import { drivers } from './drivers.ts';
import { meanings } from './meanings.ts';
import { operations, unused } from './operations.ts';
import { isCovered, type LastMinors, placeOf, placesOf } from './place.ts';
import { firstRelease, lastMinors } from './releases.ts';
import type { Effect, Row, Term, Value } from './row.ts';
import { compiledDefault, fixedValue, type Language, type Settings } from './settings.ts';

/** The tables, with what was added to them. */
export interface Known {
  readonly rows: readonly Row[];
  readonly lastMinors: LastMinors;
}

export const builtIn: Known = { rows: [...calls, ...operations, ...drivers, ...meanings], lastMinors };

/**
 * Who decides that a row is met: nobody (always), a setting (on, off), pods (`most`: nearly every node has such ones), a person or program
 * (hand). `unknown`: a setting that is not known.
 */
export type Outcome = 'always' | 'on' | 'most' | 'few' | 'hand' | 'off' | 'unknown';

export const weights = ['none', 'info', 'warn', 'block'] as const;
export type Weight = (typeof weights)[number];

/** A setting that decides, as this node has it. */
export interface Decision {
  /** With its section; as "snapshotter" or "hypervisor" for what is no key. */
  readonly key: string;
  /** Null when it is not known. */
  readonly value: Value | null;
  /** Null for what is compiled in, or not known. */
  readonly path: string | null;
  readonly line: number | null;
}

/** A row that a pair meets, on one node. */
export interface Met {
  readonly row: Row;
  readonly outcome: Outcome;
  readonly weight: Weight;
  readonly decisions: readonly Decision[];
  /** Only a pod's own annotation could switch it on. */
  readonly annotation: string | null;
  /** It holds for one of several possibilities: a language, or a side of a step. */
  readonly isDoubtful: boolean;
}

/** A configuration, and the languages that the runtime that reads it may be of. */
export interface Reader {
  readonly languages: readonly Language[];
  readonly settings: Settings;
}

export interface Reach {
  /** By weight and effect, the heaviest first. */
  readonly met: readonly Met[];
  /** The heaviest. */
  readonly weight: Weight;
}

/** The table of effects by who decides; what is not in it is no finding. */
function weightOf(effect: Effect, outcome: Outcome): Weight {
  if (effect === 'ignored') return outcome === 'off' ? 'none' : 'info';
  if (outcome === 'off') return effect === 'pod' || effect === 'container' ? 'info' : 'none';
  if (effect === 'operation' || outcome === 'unknown') return 'warn';
  if (effect === 'engine') return 'block';
  return outcome === 'few' || outcome === 'hand' ? 'warn' : 'block';
}

type Answer = { readonly holds: boolean | null; readonly decision: Decision };

const unknownDecision = (key: string): Decision => ({ key, value: null, path: null, line: null });

/** The section of the hypervisor in use. The Go runtime takes the one that there is; runtime-rs the one that is named. */
function hypervisorOf({ hypervisors, values }: Settings, language: Language): string | null {
  const named = language === 'rust' ? values.get('runtime.hypervisor_name')?.value : undefined;
  if (typeof named === 'string' && named !== '') return named;
  return hypervisors.length === 1 ? (hypervisors[0] ?? null) : null;
}

function answerFor(term: Term, settings: Settings, at: Place): Answer {
  const from = (key: string, value: Value | null, holds: boolean | null): Answer => ({
    holds,
    decision: { key, value, path: value === null ? null : settings.path, line: null },
  });
  const hypervisor = hypervisorOf(settings, at.language);
  if ('hypervisor' in term) {
    return from('hypervisor', hypervisor, hypervisor === null ? null : hypervisor === term.hypervisor);
  }
  if ('architecture' in term) {
    const { architecture } = settings;
    return { ...from('architecture', architecture, architecture === null ? null : architecture === term.architecture) };
  }
  if ('snapshotter' in term) {
    const wanted = settings.snapshotters.find(({ value }) => String(value).startsWith(term.snapshotter));
    const { value = null, path = null, line = null } = wanted ?? settings.snapshotters[0] ?? {};
    return { holds: wanted !== undefined, decision: { key: 'snapshotter', value, path, line } };
  }
  return keyAnswer(term, settings, hypervisor, at);
}

function keyAnswer(
  term: Extract<Term, { key: string }>,
  settings: Settings,
  hypervisor: string | null,
  { language, runtime }: Place,
): Answer {
  const fixed = fixedValue(term.key, language, hypervisor);
  if (fixed !== undefined) {
    const decision = { key: 'hypervisor', value: hypervisor, path: settings.path, line: null };
    return { holds: isTrue(term, fixed), decision };
  }
  const isOfHypervisor = term.key.startsWith('hypervisor.');
  const key = isOfHypervisor ? `hypervisor.${hypervisor ?? '*'}.${term.key.slice('hypervisor.'.length)}` : term.key;
  const said = settings.values.get(key);
  if (said !== undefined) {
    const { value, path, line } = said;
    // Kata takes an empty string for none.
    if (value !== '' || compiledDefault(term.key, language, runtime) === '') {
      return { holds: isTrue(term, value), decision: { key, value, path, line } };
    }
  }
  const fallback = compiledDefault(term.key, language, runtime);
  const isOpen = settings.isPartial || (isOfHypervisor && hypervisor === null) || fallback === undefined;
  if (isOpen) return { holds: null, decision: unknownDecision(key) };
  return { holds: isTrue(term, fallback), decision: { key, value: fallback, path: null, line: null } };
}

function isTrue(term: Extract<Term, { key: string }>, value: Value): boolean {
  if ('is' in term) return value === term.is;
  return 'not' in term ? value !== term.not : Number(value) > term.above;
}

/** Whether a pod's annotation may change one of the hypervisor's keys: names of annotations as regular expressions, which are hostile. */
function annotationFor(decisions: readonly Decision[], settings: Settings): string | null {
  for (const { key } of decisions) {
    const [, section = '', name = ''] = /^hypervisor\.([^.]+)\.([^.]+)$/.exec(key) ?? [];
    const allowed = settings.annotations.get(section) ?? [];
    if (name !== '' && allowed.some((pattern) => allows(pattern, name))) {
      return `io.katacontainers.config.hypervisor.${name}`;
    }
  }
  return null;
}

/** Real ones are names, or `.*`. What is more than a name with dots and stars is taken to allow it: it is only warned by that. */
function allows(pattern: string, name: string): boolean {
  if (!/^[A-Za-z0-9_]*(?:\.\*)?$/.test(pattern)) return true;
  return name.includes(pattern.replace(/\.\*$/, ''));
}

function met(row: Row, settings: Settings, at: Place): Met {
  const alternatives = (row.where ?? []).map((terms) => terms.map((term) => answerFor(term, settings, at)));
  const holds = (answers: readonly Answer[]): boolean | null =>
    answers.some((answer) => answer.holds === false)
      ? false
      : answers.some((answer) => answer.holds === null)
        ? null
        : true;
  const all = alternatives.map((answers) => ({ answers, holds: holds(answers) }));
  const decisive = all.find((one) => one.holds === true) ?? all.find((one) => one.holds === null);
  const isOn = all.length === 0 || decisive?.holds === true;
  const decisions = (decisive?.answers ?? all.flatMap(({ answers }) => answers.filter((one) => one.holds === false)))
    .map(({ decision }) => decision)
    // What the architecture is explains itself by the pods.
    .filter(({ key }) => key !== 'architecture');
  const annotation = isOn || decisive !== undefined ? null : annotationFor(decisions, settings);
  const outcome = outcomeOf(row, isOn, decisive === undefined && all.length > 0, annotation);
  return { row, outcome, weight: weightOf(row.effect, outcome), decisions, annotation, isDoubtful: false };
}

function outcomeOf(
  { where = [], share, byHand }: Row,
  isOn: boolean,
  isOff: boolean,
  annotation: string | null,
): Outcome {
  if (isOff) return annotation === null ? 'off' : 'few';
  if (!isOn) return 'unknown';
  if (byHand !== undefined) return 'hand';
  return share ?? (where.length === 0 ? 'always' : 'on');
}

function heaviest(all: readonly Met[]): Weight {
  return weights[Math.max(0, ...all.map(({ weight }) => weights.indexOf(weight)))] ?? 'none';
}

/** What a block is without proof. */
function doubted(one: Met): Met {
  return one.weight === 'block' ? { ...one, weight: 'warn', isDoubtful: true } : one;
}

const effects: readonly Effect[] = ['pod', 'container', 'degraded', 'engine', 'operation', 'ignored'];

function byImportance(one: Met, other: Met): number {
  return (
    weights.indexOf(other.weight) - weights.indexOf(one.weight) ||
    effects.indexOf(one.row.effect) - effects.indexOf(other.row.effect)
  );
}

/** Each row once, as heavy as it is anywhere. */
function united(all: readonly Met[]): Met[] {
  const found = new Map<string, Met>();
  for (const one of all) {
    const known = found.get(one.row.id);
    if (known === undefined || weights.indexOf(one.weight) > weights.indexOf(known.weight)) found.set(one.row.id, one);
  }
  return [...found.values()].sort(byImportance);
}

/** All rows, where it is certain which of several possibilities holds; else those that block become doubts unless each of them blocks. */
function ofAll(possibilities: readonly (readonly Met[])[]): Met[] {
  const isProven = possibilities.every((one) => heaviest(one) === 'block');
  const all = possibilities.flatMap((one) => (isProven ? one : one.map(doubted)));
  return united(all);
}

function isSameBuild(runtime: Version, agent: Version): boolean {
  return runtime.order === agent.order && runtime.stands === agent.stands && runtime.until === undefined;
}

/** What a release does not understand of itself for few pods is so for everybody who has it, and no upgrade of one half mends it. */
function withoutWarnings({ met: all }: Reach): Reach {
  const found = all.map((one): Met => (one.weight === 'warn' ? { ...one, weight: 'info' } : one));
  return { met: found, weight: heaviest(found) };
}

/** The pairs of places at which two versions may stand. The same build stands at the same place on both sides. */
function standings(runtime: Version, agent: Version, minors: LastMinors): Standing[] {
  if (isSameBuild(runtime, agent)) return placesOf(runtime, minors).map((at) => [at, at]);
  return placesOf(runtime, minors).flatMap((one) => placesOf(agent, minors).map((other): Standing => [one, other]));
}

/** What counts for the verdict. Where no call gets through at all, which of them are missing is no matter. */
export function countedOf(met: readonly Met[]): Met[] {
  const transport = met.filter(({ row }) => row.kind === 'transport');
  return (transport.length > 0 ? transport : met).filter(({ weight }) => weight === 'block' || weight === 'warn');
}

/**
 * KC103: there is something among the proof that the agent does not have; KC102: it takes all of it for something else; KC107: nothing is
 * proven; null: nothing counts.
 */
export function codeOf(met: readonly Met[]): 'KC102' | 'KC103' | 'KC107' | null {
  const counted = countedOf(met);
  const proof = counted.filter(({ weight }) => weight === 'block');
  if (proof.length === 0) return counted.length === 0 ? null : 'KC107';
  return proof.some(({ row: { kind } }) => kind === 'call' || kind === 'driver' || kind === 'option')
    ? 'KC103'
    : 'KC102';
}

/** Before it there was no runtime in Rust. */
const firstRust = placeOf('3.0.0');

function languagesAt(runtime: number, languages: readonly Language[]): readonly Language[] {
  return runtime < firstRust ? ['go'] : languages;
}

/** What keeps pods from working where the agent lacks it. */
function blocking(rows: readonly Row[], settings: Settings, at: Place): Row[] {
  return rows.filter((row) => isAsked(row, at) && met(row, settings, at).weight === 'block');
}

type Standing = readonly [runtime: number, agent: number];

function reachAt(
  places: readonly Standing[],
  readers: readonly Reader[],
  isSure: boolean,
  rows: readonly Row[],
): Reach {
  const perReader = readers.map(({ languages, settings }) =>
    ofAll(
      places.flatMap(([runtime, agent]) =>
        languagesAt(runtime, languages).map((language) =>
          rows
            .filter((row) => isAsked(row, { language, runtime }) && isLacking(row, agent))
            .map((row) => met(row, settings, { language, runtime })),
        ),
      ),
    ),
  );
  const found = isSure ? united(perReader.flat()) : ofAll(perReader);
  return { met: found, weight: heaviest(found) };
}

/**
 * What a runtime meets at an agent. Each of `readers`, of which there is one at least, is a configuration that is read with this image;
 * where nobody names the image (`isSure` is false) any of them may be the one. Undefined where the tables do not cover one of the versions,
 * or where one is a build behind the last release and nothing is proven.
 */
export function reach(
  runtime: Version,
  agent: Version,
  readers: readonly Reader[],
  isSure: boolean,
  { rows, lastMinors: minors }: Known,
): Reach | undefined {
  if (!isCovered(runtime, minors) || !isCovered(agent, minors)) return undefined;
  const places = standings(runtime, agent, minors);
  const all = reachAt(places, readers, isSure, rows);
  const found = isSameBuild(runtime, agent) ? withoutWarnings(all) : all;
  const isOpen = places.flat().includes(Number.POSITIVE_INFINITY);
  return isOpen && found.weight !== 'block' ? undefined : found;
}

/**
 * What calls that an agent does not have, whatever its version, mean on a node; and the names of which the tables know nothing. Those that
 * no runtime makes are left out.
 */
export function reachOfCalls(
  names: readonly string[],
  runtime: Version | undefined,
  readers: readonly Reader[],
  isSure: boolean,
  { rows, lastMinors: minors }: Known,
): { readonly met: readonly Met[]; readonly unknown: readonly string[] } {
  const places = runtime === undefined ? [Number.POSITIVE_INFINITY] : placesOf(runtime, minors);
  const asked = rows.filter(({ kind, name }) => kind === 'call' && names.includes(name));
  const perReader = readers.map(({ languages, settings }) =>
    ofAll(
      places.flatMap((at) =>
        languages.map((language) =>
          asked
            .filter((row) => row[language] !== undefined)
            .map((row) => met(row, settings, { language, runtime: at })),
        ),
      ),
    ),
  );
  const isKnown = (name: string): boolean => [...rows, ...unused].some((one) => one.name === name);
  return {
    met: isSure ? united(perReader.flat()) : ofAll(perReader),
    unknown: names.filter((name) => !isKnown(name)),
  };
}

/**
 * The agents that nothing keeps from working with a runtime on a node, as a range: those around its own release, else the newest before it.
 * Undefined where the tables do not cover the runtime, or no agent works.
 */
export function rangeOfAgents(
  runtime: Version,
  readers: readonly Reader[],
  isSure: boolean,
  { rows, lastMinors: minors }: Known,
): VersionRange | undefined {
  if (!isCovered(runtime, minors)) return undefined;
  const own = placesOf(runtime, minors);
  // Whether a row blocks does not depend on the agent; with which ones, the row says.
  const perReader = readers.map(({ languages, settings }) =>
    own.flatMap((at) =>
      languagesAt(at, languages).map((language) => blocking(rows, settings, { language, runtime: at })),
    ),
  );
  const isBlocked = (agent: number): boolean => {
    const isProven = (possibilities: readonly (readonly Row[])[]): boolean =>
      possibilities.length > 0 && possibilities.every((found) => found.some((row) => isLacking(row, agent)));
    return isSure ? perReader.some(isProven) : perReader.every(isProven);
  };
  const named = perReader.flat(2).flatMap(({ lacks }) => lacks.match(/[0-9]+\.[0-9]+\.[0-9]+/g) ?? []);
  const edges = [...new Set([firstRelease, ...named])].map((release) => ({ release, at: placeOf(release) }));
  edges.sort((a, b) => a.at - b.at);
  const fits = edges.map(({ at }) => !isBlocked(at));
  const mine = edges.findLastIndex(({ at }) => at <= (own[0] ?? 0));
  const last = fits[mine] === true ? mine : fits.lastIndexOf(true, mine);
  if (last === -1) return undefined;
  const first = fits.lastIndexOf(false, last) + 1;
  const end = fits.indexOf(false, last);
  return rangeOf(`>=${edges[first]?.release}${end === -1 ? '' : ` <${edges[end]?.release}`}`);
}
