/**
 * What fails, for whom and by which setting, in words: for findings, for `kata-check protocol` and for its drawing.
 */

import type { Decision, Met } from './reach.ts';
import type { Kind, Row, Value } from './row.ts';

const listLimit = 6;

/** The first ones, and how many more there are. */
function listed(names: readonly string[]): string {
  const more = names.length - listLimit;
  return names.slice(0, listLimit).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Above what a row is: what the agent has, or does not have, of the runtime's. */
const labels: Readonly<Record<Kind, string>> = {
  call: 'missing',
  driver: 'unknown',
  option: 'unknown',
  meaning: 'changed',
  message: 'changed',
  path: 'changed',
  transport: 'changed',
};

export function labelOf({ row }: Met): string {
  return labels[row.kind];
}

const what: Readonly<Record<Kind, string>> = {
  call: 'the call',
  driver: 'the driver',
  option: 'the option',
  meaning: 'the meaning of',
  message: 'the message',
  path: 'the form of',
  transport: 'the transport',
};

/** As "the driver local". */
export function namedRow({ kind, name }: Row): string {
  return `${what[kind]} ${name}`;
}

/** Who fails, as a sentence without its reason. */
export function failureOf({ row, outcome, annotation }: Met): string {
  const { effect, pods, when } = row;
  const who = annotation === null ? (pods ?? null) : `pods with the annotation ${annotation}`;
  const some = outcome === 'most' || outcome === 'few' || outcome === 'unknown' ? who : null;
  if (effect === 'pod' || effect === 'container') {
    return some === null ? `${effect === 'pod' ? 'pods' : 'containers'} do not start` : `${some} do not start`;
  }
  if (effect === 'degraded') return `${some ?? 'containers'} get fewer CPUs than they ask for, and no error says so`;
  return effect === 'ignored' ? `an error is logged when ${when}` : `an error is the answer when ${when}`;
}

/** `true`, `"none"`: as TOML has it. */
function written(value: Value): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** As `enable_template = true (/etc/kata-containers/configuration.toml, line 12)`. */
export function decisionText({ key, value, path, line }: Decision): string {
  const name = key.slice(key.lastIndexOf('.') + 1);
  if (value === null) return key === 'snapshotter' ? 'no handler names a snapshotter' : `${name} is not known`;
  if (path === null) return `${name} = ${written(value)} (compiled in, as no configuration sets it)`;
  return `${name} = ${written(value)} (${path}${line === null ? '' : `, line ${line}`})`;
}

const verbs: Readonly<Record<Kind, string>> = {
  call: 'called',
  driver: 'sent',
  option: 'sent',
  meaning: 'sent',
  message: 'sent',
  path: 'sent',
  transport: 'used',
};

/** When it happens, by whom it is met, and which settings decide: a line each. */
export function reasonsOf({ row, decisions, isDoubtful }: Met): string[] {
  const { kind, when, byHand, pods } = row;
  return [
    `${verbs[kind]} when ${when}${byHand === undefined ? '' : `: ${byHand}`}`,
    ...(pods === undefined ? [] : [`met by ${pods}`]),
    ...decisions.map(decisionText),
    ...(isDoubtful ? ['not certain: see below'] : []),
  ];
}

/** What would happen, in one line: failures with the names of the rows behind them. */
export function consequenceOf(met: readonly Met[]): string {
  const groups = new Map<string, string[]>();
  for (const one of met) {
    const failure = failureOf(one);
    const { name } = one.row;
    const names = groups.get(failure) ?? [];
    if (!names.includes(name)) groups.set(failure, [...names, name]);
  }
  return [...groups].map(([failure, names]) => `${failure}: ${listed(names)}`).join('; ');
}

/** Where a row was read: an address that a browser opens. */
export function sourceLink(source: string): string {
  const [, repository, tag, path, line] = /^([^@]+)@([^:]+):(.+):([0-9]+)$/.exec(source) ?? [];
  return repository === undefined
    ? source
    : `https://github.com/kata-containers/${repository}/blob/${tag}/${path}#L${line}`;
}
