/** What `kata-check protocol` says of the history, and of two releases in it: as text of 80 columns, and as JSON. */

import { findingKind, type Severity } from '../judge/findings.ts';
import { protocolOf, stepsBetween } from '../protocol/compare.ts';
import { type Change, isBreak, type Step, steps } from '../protocol/history.ts';
import { codeOf, countedOf, type Known, type Met, type Outcome, type Reader, reach } from '../protocol/reach.ts';
import { firstRelease, lastMinor } from '../protocol/releases.ts';
import { type Language, stockSettings } from '../protocol/settings.ts';
import { consequenceOf, decisionText, failureOf, namedRow, reasonsOf, sourceLink } from '../protocol/words.ts';
import type { Reads } from '../state/reading.ts';
import { compareVersions, type Version } from '../version.ts';
import { document, schema } from './json.ts';

const width = 80;
/** Of the columns "release" and "protocol". */
const indent = 16;

/** Lines of at most `width` columns; all but the first begin with `hanging` blanks. */
function wrapped(text: string, first: string, hanging: number): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' '.repeat(hanging);
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}

function signOf(change: Change): string {
  if (change.how === 'added') return '+';
  if (change.how === 'removed') return '-';
  return isBreak(change) ? '!' : '~';
}

function changeLines(change: Change, before: string): string[] {
  const { subject, name, to, detail } = change;
  const means = detail === null ? '' : subject === 'call' ? ` (${detail})` : `: ${detail}`;
  const where = subject === 'guest' ? ' (inside the guest only)' : '';
  const text = `${subject} ${name}${to === null ? '' : `, now ${to}`}${means}${where}`;
  return wrapped(text, `${before}${signOf(change)} `, indent + 4);
}

function stepLines({ release, protocol, changes }: Step): string[] {
  return changes.flatMap((change, index) =>
    changeLines(change, index === 0 ? `${release.padEnd(8)}${protocol.padEnd(8)}` : ' '.repeat(indent)),
  );
}

const legend = '+ added  - removed (a call: a break)  ~ renamed or of new meaning  ! a break';

function historyLines(): string[] {
  return [
    ...wrapped(
      `The protocol between the Kata runtime and the agent, from ${firstRelease} to ${lastMinor}. Its version is ` +
        "kata-check's own, as Kata has none: a break raises the first number, an addition the second. Releases that are " +
        'not named changed nothing. Whether a runtime makes use of a change, and for whom, is another question: ' +
        'kata-check protocol RUNTIME AGENT answers it for two releases.',
      '',
      0,
    ),
    '',
    legend,
    '',
    `${'release'.padEnd(8)}protocol`,
    `${firstRelease.padEnd(8)}1.0     the table begins`,
    ...steps.flatMap(stepLines),
    `${`${lastMinor}.x`.padEnd(8)}${(steps.at(-1) as Step).protocol.padEnd(8)}the table ends`,
  ];
}

/** Who judges: a language as it is shipped, or this node. */
interface Judged {
  readonly by: string;
  readonly verdict: Severity | 'ok' | 'unknown';
  readonly code: string | null;
  readonly met: readonly Met[];
}

interface PairVerdict {
  readonly runtime: Version;
  readonly agent: Version;
  /** As this node is, else as both runtimes are shipped. */
  readonly total: Judged;
  readonly each: readonly Judged[];
}

/** What is asked beside the two releases. */
export interface Asked {
  readonly known: Known;
  /** What the node's configurations are; null where there are none. */
  readonly node: Reads | null;
}

const asShipped: Readonly<Record<Language, string>> = {
  go: 'Go runtime as shipped for QEMU',
  rust: 'Rust runtime as shipped',
};

function judged(by: string, runtime: Version, agent: Version, { readers, isSure }: Reads, known: Known): Judged {
  const found = reach(runtime, agent, readers, isSure, known);
  if (found === undefined) return { by, verdict: 'unknown', code: null, met: [] };
  const code = codeOf(found.met);
  return { by, code, met: found.met, verdict: code === null ? 'ok' : findingKind(code).severity };
}

/** As the defaults are: what the configuration of kata-check makes of it is not asked. */
function verdictOf(runtime: Version, agent: Version, { known, node }: Asked): PairVerdict {
  const languages: readonly Language[] = runtime.major < 3 ? ['go'] : ['go', 'rust'];
  const stock = languages.map((language): Reader => {
    const { major, minor, patch } = runtime;
    return { languages: [language], settings: stockSettings(language, `${major}.${minor}.${patch}`) };
  });
  const shipped = stock.map((reader, index) => {
    const reads = { readers: [reader], isSure: true };
    return judged(asShipped[languages[index] as Language], runtime, agent, reads, known);
  });
  const own = node === null ? null : judged('this node', runtime, agent, node, known);
  const total = own ?? judged('', runtime, agent, { readers: stock, isSure: false }, known);
  return { runtime, agent, total, each: own === null ? shipped : [...shipped, own] };
}

const words: Readonly<Record<Judged['verdict'], string>> = {
  ok: 'go ahead',
  info: 'a note',
  warn: 'a warning',
  block: 'blocked',
  unknown: 'not decided',
};

function judgedText({ verdict, code }: Judged): string {
  return `${words[verdict]}${code === null ? '' : `  [${code}]`}`;
}

/** In the words of the finding. */
function consequence({ verdict, met }: Judged): string {
  if (verdict === 'unknown')
    return 'a build behind the last release that is known: the rule of the configuration decides';
  const counted = countedOf(met);
  const proof = counted.filter(({ weight }) => weight === 'block');
  return counted.length === 0 ? 'nothing: they fit' : consequenceOf(proof.length === 0 ? counted : proof);
}

function verdictLines({ runtime, agent, total, each }: PairVerdict): string[] {
  return [
    `runtime ${runtime.text}, agent ${agent.text}: ${judgedText(total)}`,
    ...(total.verdict === 'ok' ? [] : wrapped(consequence(total), '  ', 2)),
    ...each.map((one) => `  ${one.by}: ${judgedText(one)}`),
  ];
}

const outcomes: Readonly<Record<Outcome, string>> = {
  always: 'always',
  on: 'switched on',
  most: 'nearly every node has such pods',
  few: 'only some pods',
  hand: 'only by hand',
  off: 'switched off',
  unknown: 'not known',
};

function outcomeText({ outcome, annotation, decisions, isDoubtful }: Met): string {
  if (outcome === 'off' && decisions.length === 0) return 'not on this architecture';
  const who = annotation === null ? outcomes[outcome] : `only pods with the annotation ${annotation}`;
  return isDoubtful ? `${who}, which is not certain` : who;
}

/** Each row that the pair meets with any of those who judge: what fails, when, what each makes of it, and where it was read. */
function rowLines({ each }: PairVerdict): string[] {
  const rows = new Map(each.flatMap(({ met }) => met).map((one) => [one.row.id, one]));
  return [...rows.values()].flatMap((first) => [
    '',
    ...wrapped(`${namedRow(first.row)}: ${failureOf(first)}`, '  ', 4),
    ...reasonsOf({ ...first, decisions: [], isDoubtful: false }).flatMap((line) => wrapped(line, '    ', 6)),
    ...(first.row.error === undefined ? [] : wrapped(first.row.error, '    ', 6)),
    ...each.flatMap(({ by, met }) => {
      const one = met.find(({ row }) => row.id === first.row.id);
      if (one === undefined) return [];
      const deciding = one.decisions.map(decisionText).join(', ');
      return wrapped(`${by}: ${outcomeText(one)}${deciding === '' ? '' : `: ${deciding}`}`, '    ', 6);
    }),
    `    ${sourceLink(first.row.sources[0] ?? '')}`,
  ]);
}

function named(version: Version): string {
  const protocol = protocolOf(version);
  return `${version.text} (${protocol === null ? 'not in this history' : `protocol ${protocol}`})`;
}

/**
 * Both versions must be covered by the history. Without `to`: what changed since `from`; without both, the whole history. With both, `from`
 * is the runtime and `to` the agent of what is told row by row.
 */
export function protocolText(from: Version | null, to: Version | null, asked: Asked): string {
  if (from === null) return `${historyLines().join('\n')}\n`;
  const passed = stepsBetween(from, to);
  const isBack = to !== null && passed.length > 0 && compareVersions(from, to) > 0;
  const head = to === null ? `Since ${named(from)}, up to ${lastMinor}:` : `Between ${named(from)} and ${named(to)}:`;
  const isInHistory = [from, to].every((version) => version === null || protocolOf(version) !== null);
  const back = isBack ? ['Going back: what is marked + is lost, and what is marked - is there again.'] : [];
  const table =
    passed.length === 0
      ? [
          isInHistory
            ? 'Nothing changed.'
            : `The history ends at ${lastMinor}: of what was added to it, the rows below tell.`,
        ]
      : [...back, '', legend, '', `${'release'.padEnd(8)}protocol`, ...passed.flatMap(stepLines)];
  const pair = to === null ? null : verdictOf(from, to, asked);
  const pairs =
    to === null || pair === null
      ? []
      : ['', ...verdictLines(pair), ...rowLines(pair), '', ...verdictLines(verdictOf(to, from, asked))];
  return `${[head, ...table, ...pairs].join('\n')}\n`;
}

function versionObject(version: Version | null): object | null {
  return version === null ? null : { version: version.text, protocol: protocolOf(version) };
}

function verdictObject({ runtime, agent, total, each }: PairVerdict): object {
  const counted = countedOf(total.met);
  const calls = counted.filter(({ row }) => row.kind === 'call');
  const others = counted.filter(({ row }) => row.kind !== 'call');
  return {
    runtime: runtime.text,
    agent: agent.text,
    verdict: total.verdict,
    code: total.code,
    consequence: consequence(total),
    missing: calls.map(({ row }) => ({ name: row.name, feature: row.when })),
    values: others.map(({ row }) => namedRow(row)),
    judged: each.map(({ by, verdict, code, met }) => ({ by, verdict, code, rows: met.map(rowObject) })),
  };
}

function rowObject({ row, outcome, weight, decisions, annotation, isDoubtful }: Met): object {
  const { id, kind, name, when, effect, pods = null, byHand = null, error = null } = row;
  const sources = row.sources.map(sourceLink);
  return {
    id,
    kind,
    name,
    when,
    effect,
    pods,
    byHand,
    error,
    outcome,
    weight,
    decisions,
    annotation,
    isDoubtful,
    sources,
  };
}

export function protocolJson(from: Version | null, to: Version | null, asked: Asked): string {
  const pairs = from === null || to === null ? [] : [verdictOf(from, to, asked), verdictOf(to, from, asked)];
  return document({
    schema,
    history: { first: firstRelease, last: lastMinor },
    from: versionObject(from),
    to: versionObject(to),
    steps: (from === null ? steps : stepsBetween(from, to)).map(({ release, protocol, changes }) => ({
      release,
      protocol,
      changes: changes.map((change) => ({ ...change, isBreak: isBreak(change) })),
    })),
    verdicts: pairs.map(verdictObject),
  });
}
