/**
 * The overview of a node with several runtimes or guest images: below each runtime the images that its configurations name, which agent
 * each holds, and the verdict. For a terminal of 80 columns.
 */

import type { Report } from '../check.ts';
import type { Pair } from '../judge/judge.ts';
import type { Measured } from '../locate/measured.ts';
import {
  type Configuration,
  fits,
  type Image,
  isAsMeasured,
  isMeasuredFor,
  noSource,
  type Runtime,
} from '../state/node.ts';
import { printable } from './printable.ts';
import { width, wrap } from './rows.ts';

const agentWidth = 11;
const verdictWidth = 9;
const indentation = 2 + agentWidth + verdictWidth;

/** Where nearly all of kata-deploy's configurations are: spelt out it would fill the table. */
const deployFolder = '/opt/kata/share/defaults/kata-containers';

function indented(text: string, by: number): string[] {
  return wrap(printable(text), width - by).map((line) => ' '.repeat(by) + line);
}

/** Is there more to tell of than one pair, or do a runtime and an image have nothing to do with each other? */
export function needsTable({ state, pairs }: Report): boolean {
  const { runtimes, images, onlyChanges } = state;
  if (onlyChanges) return pairs.length > 1;
  return (
    runtimes.length > 1 || images.length > 1 || (runtimes.length === 1 && images.length === 1 && pairs.length === 0)
  );
}

const languages = { go: 'Go', rust: 'Rust' } as const;

function runtimeRows(runtime: Runtime): string[] {
  const { name, versionText, versionSource, source, language, requirement, requirementProblem } = runtime;
  const label = runtime.isIncoming ? 'incoming' : 'installed';
  const about = [
    ...(language === null ? [] : [languages[language]]),
    ...(source === name || source === noSource || source === versionSource ? [] : [source]),
    ...(versionSource === null ? [] : [`version from ${versionSource}`]),
  ];
  const range =
    requirement === null
      ? `agent unknown: ${requirementProblem ?? 'nothing says'}`
      : `agent ${requirement.range.text} (${requirement.source})`;
  const by = 2 + agentWidth;
  const [first = '', ...rest] = indented(`${name} ${versionText ?? 'of unknown version'}`, by);
  return [
    `  ${label.padEnd(agentWidth)}${first.trimStart()}`,
    ...rest,
    ...(about.length === 0 ? [] : indented(about.join(', '), by)),
    ...indented(range, by),
  ];
}

function agentOf({ facts, incoming, removedBy, rebuiltBy }: Image): string {
  if (removedBy !== null) return 'removed';
  if (rebuiltBy !== null) return 'made anew';
  const version = incoming === null ? facts.agent?.version : incoming.version;
  if (version !== undefined) return version.text;
  if (incoming !== null) return 'unknown';
  if (facts.problem !== null) return facts.problem.kind === 'not-found' ? 'missing' : 'unread';
  return facts.kind === 'extension' ? 'extension' : 'unknown';
}

function verdictText({ codes, image }: Pair): string {
  if (codes.length > 0) return codes.join(', ');
  // It needs no agent, so that there is nothing to fit.
  return image.facts.kind === 'extension' && image.facts.agent === null ? '-' : 'fits';
}

export type Paint = (text: string, color: 'block' | 'warn' | 'info') => string;

function pairRows(pair: Pair, measured: readonly Measured[], paint: Paint): string[] {
  const { runtime, image, verdict } = pair;
  const text = verdictText(pair);
  const agent = wrap(printable(agentOf(image)), agentWidth - 1);
  const paths = indented(image.facts.path, indentation);
  const shown = verdict === 'block' || verdict === 'warn' ? paint(text, verdict) : text;
  // Two codes are longer than their column: the path has its own line then.
  const beside = text.length < verdictWidth ? (paths.shift() ?? '').trimStart() : '';
  const gap = beside === '' ? '' : ' '.repeat(verdictWidth - text.length);
  const users = image.usedBy.filter(
    (user) =>
      user.path !== image.facts.path && fits(user.prefix, runtime.prefix) && fits(user.language, runtime.language),
  );
  const asked = measured.filter((one) => one.isConfigured && isMeasuredFor(one, runtime, image));
  const isMeasured = asked.length > 0 && asked.every(isAsMeasured);
  return [
    `  ${(agent[0] ?? '').padEnd(agentWidth)}${shown}${gap}${beside}`,
    // A version with a commit is longer than its column.
    ...agent.slice(1).map((line) => `  ${line}`),
    ...paths,
    ...[...new Set(users.map((user) => user.path))].flatMap((user) => indented(shortened(user), indentation + 2)),
    ...(isMeasured ? indented('measured: its root hash is the one configured', indentation + 2) : []),
  ];
}

function shortened(path: string): string {
  return path.startsWith(`${deployFolder}/`) ? `…${path.slice(deployFolder.length)}` : path;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Of the node as it is, or will be: by hand only. */
export function tableText(report: Report, paint: Paint): string {
  const { state, pairs, findings } = report;
  const blocks = findings.filter(({ severity }) => severity === 'block').length;
  const warnings = findings.filter(({ severity }) => severity === 'warn').length;
  const said = [
    ...(blocks > 0 ? [paint(count(blocks, 'block'), 'block')] : []),
    ...(warnings > 0 ? [paint(count(warnings, 'warning'), 'warn')] : []),
  ];
  const node = `${count(state.runtimes.length, 'runtime')}, ${count(state.images.length, 'guest image')}`;
  // An image that nobody reads is no pair, and no finding: it is only said.
  const idle = state.onlyChanges
    ? []
    : state.images.filter((image) => !pairs.some((pair) => pair.image === image)).map(({ facts }) => facts.path);
  const heading =
    said.length > 0 || pairs.length === 0 || idle.length > 0 || state.images.some(({ rebuiltBy }) => rebuiltBy !== null)
      ? `kata-check: ${[node, ...said].join(', ')}`
      : `kata-check: ${paint('fits', 'info')}: every guest image fits its Kata runtime`;
  const sections = state.runtimes.flatMap((runtime) => {
    const own = pairs.filter((pair) => pair.runtime === runtime);
    if (own.length === 0 && state.onlyChanges) return [];
    const rows =
      own.length === 0
        ? ['  No configuration that this runtime reads names one of the images.']
        : [
            `  ${'agent'.padEnd(agentWidth)}${'verdict'.padEnd(verdictWidth)}guest image, and the configurations that name it`,
            ...own.flatMap((pair) => pairRows(pair, state.measured, paint)),
          ];
    return ['', ...runtimeRows(runtime), '', ...rows];
  });
  const lines = [
    heading,
    ...sections,
    ...(idle.length === 0 ? [] : ['', '  These images are not judged: no installed runtime reads what names them.']),
    ...idle.flatMap((path) => indented(path, 4)),
  ];
  if (lines.some((line) => line.trimStart().startsWith('…/'))) lines.push('', `  … is ${deployFolder}`);
  return `${lines.join('\n')}\n`;
}

/** A configuration of the remote hypervisor: said, as nothing is wrong with it, but nothing is known either. */
export function remoteText(configurations: readonly Configuration[]): string {
  return configurations
    .filter(({ isRemote, maskedBy }) => isRemote && maskedBy === null)
    .map(({ path }) => noteText(`The guest image of a remote hypervisor is not on this node: ${path}`))
    .join('');
}

/** A note in as few lines as it needs. */
export function noteText(text: string, code: string | null = null): string {
  const heading = code === null ? 'note' : `note [${code}]`;
  const [first = '', ...rest] = wrap(printable(`kata-check: ${heading}: ${text}`, 1000), width - 2, true);
  return `${[first, ...rest.map((line) => `  ${line}`)].join('\n')}\n`;
}
