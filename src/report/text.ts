/**
 * What a person reads. A block has six parts: what was stopped and by whom; the versions and the range; where each came from;
 * what the effect is; commands to copy; the override with its code.
 */

import type { Report } from '../check.ts';
import { type Fact, type Finding, type FindingKind, findingKind } from '../judge/findings.ts';
import { managerOf, managers, overrideOf } from '../judge/managers.ts';
import { waiting } from '../judge/remedy.ts';
import { imageFact, runtimeFact } from '../judge/wording.ts';
import { isAsMeasured, type State } from '../state/node.ts';
import { printable } from './printable.ts';
import { row, rows, valueColumn, width, wrap } from './rows.ts';
import { needsTable, noteText, remoteText, tableText } from './table.ts';

export interface TextOptions {
  readonly color: boolean;
  /** The package manager that is stopped by a block; null by hand. */
  readonly manager: string | null;
  /** What a block in a hook has left as it was; nothing was changed, when absent. */
  readonly unchanged?: string;
}

/** Where a value begins, and where what it is from does, if both fit side by side. */
const fromColumn = 42;

const colors = { block: '\u001b[1;31m', warn: '\u001b[1;33m', info: '\u001b[1m', off: '\u001b[0m' } as const;

function paint(text: string, color: keyof typeof colors, options: TextOptions): string {
  return options.color ? `${colors[color]}${text}${colors.off}` : text;
}

function textRows(label: string, text: string): string[] {
  return rows(label, wrap(printable(text, 1000), width - valueColumn, true));
}

/** What a value is from stands in a column beside it; where a path would be broken there, below it. */
function factRows(fact: Fact): string[] {
  const value = printable(fact.value);
  const from = fact.from === '' ? [] : fact.from.split('\n').map((line) => printable(line));
  const room = width - fromColumn;
  const fitsBeside = from.every((line) => line.split(' ').every((word) => word.length <= room));
  if (from.length === 0 || !fitsBeside) return rows(fact.label, [value, ...from]);
  const beside = from.flatMap((line) => wrap(line, room));
  const gap = ' '.repeat(fromColumn);
  const isWide = value.length >= fromColumn - valueColumn;
  const first = isWide
    ? rows(fact.label, [value])
    : [row(fact.label, value.padEnd(fromColumn - valueColumn) + beside.shift())];
  return [...first, ...beside.map((line) => gap + line)];
}

/** In one line whatever its length: it is what is looked for in logs. The code stands where no terminal cuts it. */
function heading(finding: Finding, options: TextOptions): string {
  const { severity, code } = finding;
  const stopped = options.manager === null ? 'blocked' : `stopped ${options.manager}`;
  const word = { block: stopped, warn: 'warning', info: 'note' }[severity];
  return `kata-check: ${paint(word, severity, options)} [${code}]: ${finding.title}`;
}

export function overrideFor(code: string, { manager, commandLine }: Pick<State, 'manager' | 'commandLine'>): string {
  return overrideWays(code, manager, commandLine).join('   or  ');
}

/** For this run, and for all. */
function overrideWays(code: string, manager: string | null, commandLine: State['commandLine']): [string, string] {
  const known = managerOf(manager);
  const once = known === undefined ? `--allow ${code}` : overrideOf(known, code, commandLine);
  return [once, `allow[] = ${code}  in /etc/kata-check.conf`];
}

/** In one row, or, where that is too long, one for each way. A command is not broken: it is there to be copied. */
function overrideRows(code: string, { manager }: TextOptions, { commandLine }: State): string[] {
  const [once, always] = overrideWays(code, manager, commandLine);
  const together = `${once}   or  ${always}`;
  const lines = valueColumn + together.length <= width ? [together] : [once, `or  ${always}`];
  return lines.map((line, index) => row(index === 0 ? 'override' : '', printable(line, 1000)));
}

/** With a capital letter, unless it begins with a path or a name, and a full stop. */
function sentence(text: string): string {
  const first = /^[a-z]+[ ,]/.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) || first === '' ? first : `${first}.`;
}

function findingText(finding: Finding, options: TextOptions, state: State): string {
  const { remedy, severity } = finding;
  return [
    heading(finding, options),
    '',
    ...finding.facts.flatMap(factRows),
    ...textRows('effect', sentence(finding.consequence)),
    ...textRows('fix', remedy.text),
    ...remedy.commands.map((command) => row('', printable(command))),
    ...(severity === 'block' ? overrideRows(finding.code, options, state) : []),
    '',
  ].join('\n');
}

/** Empty when there is nothing to say. `isHook`: silence unless there is a finding. */
export function reportText(report: Report, options: TextOptions, isHook: boolean): string {
  const { findings, state, verdict } = report;
  const blocks = findings.filter(({ severity }) => severity === 'block');
  const others = findings.filter((finding) => finding.severity !== 'block' && !isNote(finding));
  const parts = [...others, ...blocks].map((finding) => findingText(finding, options, state));
  if (isHook) {
    return verdict === 'block' ? `${parts.join('\n')}\n${endText(state, options)}` : parts.join('\n');
  }
  const notes = [
    ...findings.filter(isNote).map(({ consequence, code }) => noteText(consequence, code)),
    remoteText(state.configurations),
  ].join('');
  const overview = needsTable(report)
    ? tableText(report, (text, color) => paint(text, color, options))
    : parts.length > 0
      ? ''
      : plainText(report, options);
  return [overview, notes, ...parts].filter((part) => part !== '').join('\n');
}

/** Below everything, and above what the manager itself says: what was changed, and how the rest goes on. */
function endText(state: State, { unchanged, manager }: TextOptions): string {
  const rest = unchanged === undefined ? waiting(state) : null;
  const known = managerOf(manager);
  return [
    ...wrap(`${unchanged ?? 'Nothing was changed.'} ${printable(rest?.text ?? '', 1000)}`.trimEnd(), width),
    ...(rest?.commands ?? []).map((command) => `    ${printable(command, 1000)}`),
    ...(known?.hidesStop === true ? [`The error that ${known.name} reports below means this stop.`] : []),
    '',
  ].join('\n');
}

/** What only informs by nature is a line, and no reason to speak in a hook. */
function isNote({ code, severity }: Finding): boolean {
  return severity === 'info' && findingKind(code).severity === 'info';
}

/** With no finding: what was looked at, and that it fits. */
function plainText({ state }: Report, options: TextOptions): string {
  // The images that are there may or may not fit: that was not the question.
  if (state.onlyChanges && state.runtimes.length === 0)
    return 'kata-check: these packages change nothing of Kata Containers: nothing to check\n';
  if (state.images.length === 0) {
    const what =
      state.runtimes.length === 0 ? 'nothing of Kata Containers is installed' : 'no guest image is configured';
    return `kata-check: ${what}: nothing to check\n`;
  }
  const measured = state.measured
    .filter((one) => one.isConfigured && isAsMeasured(one))
    .map(({ source }): Fact => ({ label: 'measured', value: 'root hash as configured', from: source }));
  // What an image holds that is made anew says nothing.
  const judged = state.images.filter(({ rebuiltBy }) => rebuiltBy === null);
  const facts = [...state.runtimes.map(runtimeFact), ...judged.map(imageFact), ...measured];
  const fits = `${paint('fits', 'info', options)}: every guest image`;
  const heading =
    judged.length === state.images.length
      ? `${fits} fits the Kata runtime`
      : judged.length === 0
        ? 'no guest image can be judged before it is made anew'
        : `${fits} fits the Kata runtime, but for those that are made anew`;
  return `${[`kata-check: ${heading}`, '', ...facts.flatMap(factRows)].join('\n')}\n`;
}

/** Of findings that stop nothing as they are built in. */
const harmless = {
  warn: 'This finding warns and stops nothing, unless --strict is given or the section [severity] of /etc/kata-check.conf makes it a block.',
  info: 'This finding informs and stops nothing, unless the section [severity] of /etc/kata-check.conf makes it a block.',
} as const;

/** What `kata-check explain CODE` says. */
export function explainText(kind: FindingKind): string {
  const paragraph = (text: string): string => text.replace(/(.{1,76})(?: +|$)/g, '  $1\n');
  const ways = [
    `--allow ${kind.code}`,
    ...managers.filter(({ canBeStopped }) => canBeStopped).map((manager) => overrideOf(manager, kind.code, null)),
    `allow[] = ${kind.code}  in /etc/kata-check.conf`,
  ];
  const howToAllow =
    kind.severity === 'block'
      ? ['  To be warned and go on, one of:', ...ways.map((way) => `    ${way}`)]
      : wrap(harmless[kind.severity], 76).map((line) => `  ${line}`);
  return [
    `${kind.code}  ${kind.title}`,
    `  default: ${kind.severity}`,
    '',
    paragraph(kind.meaning),
    paragraph(kind.remedy),
    ...howToAllow,
    '',
  ].join('\n');
}
