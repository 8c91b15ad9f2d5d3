/** What `kata-check protocol` says of the history, and of two releases in it: as text of 80 columns, and as JSON. */

import { findingKind, type Severity } from '../judge/findings.ts';
import { compareProtocols, consequenceOf, protocolOf, stepsBetween } from '../protocol/compare.ts';
import { type Change, firstRelease, isBreak, lastMinor, type Step, steps } from '../protocol/history.ts';
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
        "kata-check's own, as Kata has none: a break raises the first number, an addition the second. An agent works " +
        'with a runtime of the same first number whose second is not higher. Releases that are not named changed nothing.',
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

type Outcome = Severity | 'ok' | 'unknown';

interface PairVerdict {
  readonly runtime: Version;
  readonly agent: Version;
  readonly verdict: Outcome;
  readonly code: string | null;
  readonly consequence: string;
  readonly missing: readonly { readonly name: string; readonly feature: string }[];
  readonly values: readonly string[];
}

/** As the defaults are: what the configuration makes of it is not asked. */
function verdictOf(runtime: Version, agent: Version): PairVerdict {
  const found = compareProtocols(runtime, agent);
  if (found === undefined) {
    const consequence = 'a pre-release may be of either side of a step: the rule of the configuration decides';
    return { runtime, agent, verdict: 'unknown', code: null, consequence, missing: [], values: [] };
  }
  const { code, missing, values } = found;
  const verdict = code === null ? 'ok' : findingKind(code).severity;
  return { runtime, agent, verdict, code, consequence: consequenceOf(found), missing, values };
}

const words: Readonly<Record<Outcome, string>> = {
  ok: 'go ahead',
  info: 'a note',
  warn: 'a warning',
  block: 'blocked',
  unknown: 'not decided',
};

function verdictLines({ runtime, agent, verdict, code, consequence }: PairVerdict): string[] {
  const head = `runtime ${runtime.text}, agent ${agent.text}: ${words[verdict]}${code === null ? '' : `  [${code}]`}`;
  return verdict === 'ok' ? [head] : [head, ...wrapped(consequence, '  ', 2)];
}

function named(version: Version): string {
  return `${version.text} (protocol ${protocolOf(version)})`;
}

/** Both versions must be covered by the history. Without `to`: what changed since `from`; without both, the whole history. */
export function protocolText(from: Version | null, to: Version | null): string {
  if (from === null) return `${historyLines().join('\n')}\n`;
  const passed = stepsBetween(from, to);
  const isBack = to !== null && passed.length > 0 && compareVersions(from, to) > 0;
  const head = to === null ? `Since ${named(from)}, up to ${lastMinor}:` : `Between ${named(from)} and ${named(to)}:`;
  const back = isBack ? ['Going back: what is marked + is lost, and what is marked - is there again.'] : [];
  const table =
    passed.length === 0
      ? ['Nothing changed.']
      : [...back, '', legend, '', `${'release'.padEnd(8)}protocol`, ...passed.flatMap(stepLines)];
  const pairs = to === null ? [] : ['', ...verdictLines(verdictOf(from, to)), ...verdictLines(verdictOf(to, from))];
  return `${[head, ...table, ...pairs].join('\n')}\n`;
}

function versionObject(version: Version | null): object | null {
  return version === null ? null : { version: version.text, protocol: protocolOf(version) };
}

export function protocolJson(from: Version | null, to: Version | null): string {
  const pairs = from === null || to === null ? [] : [verdictOf(from, to), verdictOf(to, from)];
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
    verdicts: pairs.map((pair) => ({ ...pair, runtime: pair.runtime.text, agent: pair.agent.text })),
  });
}
