/**
 * What package managers call. Each hook turns what its package manager says into one Transaction, or into null when there is nothing
 * for it to say; the judging is the same for all. A hook never prompts, never changes a package and always ends.
 */

import { check, type Report, type Request } from './check.ts';
import { environmentOverride, type Loaded, loadConfig, type Override, policyOf } from './config.ts';
import { LimitExceeded, Usage } from './errors.ts';
import { type Ancestor, ancestorsOf, callerOf } from './hooks/ancestors.ts';
import { parseAptHook } from './hooks/apt.ts';
import { parseDnfTransaction } from './hooks/dnf.ts';
import { askDnf5, stopRequest } from './hooks/dnf5.ts';
import { unpackedBy } from './hooks/dpkg.ts';
import { installedBy } from './hooks/rpm.ts';
import { hasToken, leaveToken } from './hooks/token.ts';
import { zypperCommits } from './hooks/zypper.ts';
import { type Host, readAll } from './host/host.ts';
import { rootedHost } from './host/rooted.ts';
import { type Judgement, judge, type State } from './judge/judge.ts';
import { latin1, utf8 } from './read/bytes.ts';
import { printable } from './report/printable.ts';
import { recordStop } from './report/record.ts';
import { reportText } from './report/text.ts';
import type { Transaction } from './require/transaction.ts';

/** What a hook is told by its package manager: thousands of lines at the most, some 200 bytes each. */
const inputLimit = 64 * 1024 * 1024;
/** Before the configuration is read, in milliseconds: as the configuration's own default. */
export const firstDeadline = 20_000;
/** Between the deadline of every single step and the end of the whole program, in milliseconds: time to say what happened. */
export const grace = 2000;

/** How long a manager that talks on may take for its packages, in milliseconds: a net below the end of its pipe. */
const longestCommit = 24 * 60 * 60 * 1000;

/** What the command line decides. */
export interface Voice {
  readonly color: boolean;
  tell(loaded: Loaded, warnings: readonly string[]): void;
  /** The exit status for a report, and for a run that did not end by itself. */
  statusOf(report: Report | 'failure'): number;
}

interface HookKind {
  readonly name: string;
  /** It comes too late to stop anything, or its manager cannot be stopped: a mismatch is only told. */
  readonly onlyWarns?: boolean;
  /** Whether stopping helps; it does when absent. */
  mayStop?(state: State): boolean;
  /** Tells the manager to stop, where the exit status does not. */
  stop?(host: Host, report: Report): void;
  /** The manager was not stopped, whether Kata is concerned or not. */
  goOn?(host: Host, report: Report | null): void;
  /** What is left as it was when it is stopped; everything, when absent. */
  readonly unchanged?: string;
}

/** Throws Usage, Corrupt, Unsupported, Io, LimitExceeded. */
export type Hook = HookKind &
  (
    | { transaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> }
    /** Where the manager talks on: when the next one is asked for, the one before has been judged. */
    | { transactions(host: Host, args: readonly string[]): AsyncIterable<Transaction> }
  );

export const hooks: readonly Hook[] = [
  { name: 'apt', transaction: aptTransaction, goOn: (host) => leaveToken(host, callerOf(ancestorsOf(host))) },
  { name: 'dpkg', transaction: dpkgTransaction, goOn: dpkgGoesOn },
  {
    name: 'preinst',
    transaction: preinstTransaction,
    // To refuse the one of two that are to change together makes the mismatch: dpkg goes on with the other.
    mayStop: ({ runtimes, images }) =>
      !(runtimes.some(({ isIncoming }) => isIncoming) && images.some(({ incoming }) => incoming !== null)),
    goOn: dpkgGoesOn,
    unchanged: 'This package is left as it was.',
  },
  { name: 'dnf', transaction: dnfTransaction, goOn: leaveTokenAbove },
  {
    name: 'dnf5',
    transaction: dnf5Transaction,
    goOn: leaveTokenAbove,
    stop: (host, report) => host.write(1, stopRequest(summary(report))),
  },
  {
    name: 'zypper',
    onlyWarns: true,
    transactions: zypperTransactions,
    goOn: (host, report) => {
      if (report !== null && isForZypperAlone(report)) leaveTokenAbove(host);
    },
  },
  {
    name: 'rpm',
    onlyWarns: true,
    transaction: rpmTransaction,
    goOn: (host) => leaveToken(host, ancestorsOf(host).find(isRpm)),
  },
];

/** Null when there was nothing to judge. Throws as the hook's `transaction`, and as `check`. */
export async function answer(host: Host, hook: Hook, args: readonly string[], voice: Voice): Promise<Report | null> {
  if (host.environment('KATA_CHECK_MODE') === 'off') return null;
  const start = host.now();
  host.endAt(start + firstDeadline + grace, voice.statusOf('failure'));
  if ('transaction' in hook) {
    try {
      return await answered(host, hook, await hook.transaction(host, args, start + firstDeadline), start, voice);
    } catch (error) {
      // Who has waited until the deadline need not wait for the later hooks as long again.
      if (error instanceof LimitExceeded) hook.goOn?.(host, null);
      throw error;
    }
  }
  let report: Report | null = null;
  for await (const transaction of hook.transactions(host, args)) {
    // What did not concern Kata before does not afterwards.
    if (transaction.isDone === true && (report === null || !concernsKata(report))) continue;
    report = (await answered(host, hook, transaction, host.now(), voice)) ?? report;
    host.endAt(host.now() + longestCommit, voice.statusOf('failure'));
  }
  return report;
}

async function answered(
  host: Host,
  hook: Hook,
  transaction: Transaction | null,
  start: number,
  voice: Voice,
): Promise<Report | null> {
  if (transaction === null || (transaction.changes.length === 0 && transaction.isDone !== true)) return null;
  const report = await judged(host, hook, transaction, start, voice);
  if (report?.verdict === 'block') {
    hook.stop?.(host, report);
    await recordStop(host, report, transaction, voice.statusOf(report));
  } else if (transaction.isDone !== true) hook.goOn?.(host, report);
  return report;
}

async function judged(
  host: Host,
  hook: Hook,
  transaction: Transaction,
  start: number,
  voice: Voice,
): Promise<Report | null> {
  const { manager, root, isDone = false } = transaction;
  const rooted = root === '' ? host : rootedHost(host, root);
  const given: Override = {
    from: `the options of ${manager}`,
    mode: transaction.mode ?? undefined,
    allow: transaction.allow,
  };
  const loaded = loadConfig(rooted, undefined, [environmentOverride(host), given]);
  const { mode } = loaded.config;
  if (mode.value === 'off') return null;
  const onlyWarns = hook.onlyWarns === true || transaction.isPart === true || isDone;
  const config =
    onlyWarns && mode.value === 'block'
      ? { ...loaded.config, mode: { value: 'warn' as const, from: `the hook ${hook.name}` } }
      : loaded.config;
  const request: Request = {
    root,
    transaction: isDone ? null : transaction,
    to: null,
    requires: undefined,
    images: [],
    config,
    deadline: start + config.deadline.value * 1000,
  };
  host.endAt(request.deadline + grace, voice.statusOf('failure'));
  const found = await check(host, rooted, request);
  const judgedIn = (mode: 'block' | 'warn'): Judgement => judge(found.state, { ...policyOf(config), mode });
  // What was told before it happened need not be told again; that it does not fit now must be.
  if (isDone && judgedIn('block').verdict !== 'block') return null;
  const isHelpless = found.verdict === 'block' && hook.mayStop?.(found.state) === false;
  const report = isHelpless ? { ...found, ...judgedIn('warn') } : found;
  // Somebody who installs something else need not hear of a mistake in this configuration each time.
  if (concernsKata(report)) voice.tell({ ...loaded, config }, [...loaded.mistakes, ...report.warnings]);
  const { unchanged } = hook;
  const options = { color: voice.color, manager, ...(unchanged === undefined ? {} : { unchanged }) };
  host.write(2, reportText(report, options, true));
  return report;
}

function concernsKata({ state }: Report): boolean {
  return state.runtimes.length > 0 || state.images.length > 0;
}

async function aptTransaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction> {
  noArguments('apt', args);
  const descriptor = Number(/^[0-9]{1,4}$/.exec(host.environment('APT_HOOK_INFO_FD') ?? '0')?.[0] ?? Number.NaN);
  if (Number.isNaN(descriptor)) throw new Usage('APT_HOOK_INFO_FD is no descriptor');
  return parseAptHook(latin1(await readAll(host, descriptor, inputLimit, deadline)));
}

/**
 * Of a pre-invoke hook (dpkg(1)), or `triggered` after the fact. Where a front end holds the lock (DPKG_FRONTEND_LOCKED) and left no token,
 * it does not call our hook, or that failed; it may have dpkg unpack in several runs, of which this is one.
 */
async function dpkgTransaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> {
  const root = (host.environment('DPKG_ROOT') ?? '').replace(/\/+$/, '');
  const base = { manager: 'dpkg', root, mode: null, allow: [] };
  if (args[0] === 'triggered') return { ...base, changes: [], isDone: true };
  if (args.length > 0) throw new Usage(`hook dpkg takes no argument but triggered: ${args[0]}`);
  const action = host.environment('DPKG_HOOK_ACTION');
  if (action !== 'install' && action !== 'unpack') return null;
  const ancestors = ancestorsOf(host);
  const dpkg = ancestors.find(isDpkg);
  if (dpkg === undefined || hasToken(host, ancestors)) return null;
  const unpacking = await unpackedBy(host, dpkg, root, deadline);
  if (unpacking === null) return null;
  return { ...base, changes: unpacking.changes, isPart: isBelowFrontEnd(host) };
}

/**
 * Of a package's preinst, with its own arguments: the last one that can stop it, and only for a dpkg that nothing was asked before.
 * Silent where the running dpkg's arguments do not tell that this package comes.
 */
async function preinstTransaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> {
  if (args.length === 0)
    throw new Usage("hook preinst takes dpkg's own arguments: install or upgrade, and the versions");
  if (args[0] !== 'install' && args[0] !== 'upgrade') return null;
  const root = (host.environment('DPKG_ROOT') ?? '').replace(/\/+$/, '');
  const ancestors = ancestorsOf(host);
  const dpkg = ancestors.find(isDpkg);
  if (dpkg === undefined || hasToken(host, ancestors)) return null;
  const unpacking = await unpackedBy(host, dpkg, root, deadline);
  const own = host.environment('DPKG_MAINTSCRIPT_PACKAGE');
  if (unpacking === null || !unpacking.changes.some(({ name }) => name === own)) return null;
  const isPart = !unpacking.isWhole || isBelowFrontEnd(host);
  return { manager: 'dpkg', root, changes: unpacking.changes, mode: null, allow: [], isPart };
}

function dpkgGoesOn(host: Host): void {
  leaveToken(host, ancestorsOf(host).find(isDpkg));
}

function isDpkg({ command }: Ancestor): boolean {
  return command === 'dpkg';
}

function isBelowFrontEnd(host: Host): boolean {
  return (host.environment('DPKG_FRONTEND_LOCKED') ?? '') !== '';
}

/**
 * Of a trigger or a scriptlet: `prein [NAME [VERSION]]` before a package is unpacked, for which the whole transaction must be known, and
 * `triggered` after the fact. Silent where dnf or zypper has asked about the same transaction, or this rpm has.
 */
async function rpmTransaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> {
  const [moment, name, version, ...rest] = args;
  const isDone = moment === 'triggered';
  if ((moment !== 'prein' && !isDone) || (isDone && name !== undefined) || rest.length > 0) {
    throw new Usage('hook rpm takes prein [NAME [VERSION]] or triggered');
  }
  const ancestors = ancestorsOf(host);
  if (hasToken(host, ancestors)) return null;
  const base = { manager: 'rpm', root: '', mode: null, allow: [] };
  if (isDone) return { ...base, changes: [], isDone };
  const rpm = ancestors.find(isRpm);
  const changes = rpm === undefined ? null : await installedBy(host, rpm, deadline);
  const isTold = changes?.some(
    (change) =>
      (name === undefined || change.name === name) &&
      (version === undefined || withoutRelease(change.newVersion ?? '') === withoutRelease(version)),
  );
  return changes === null || isTold !== true ? null : { ...base, changes };
}

/** A scriptlet may name its version with or without the release and the epoch. */
function withoutRelease(version: string): string {
  return version.replace(/^[0-9]+:/, '').replace(/-[^-]*$/, '');
}

function isRpm({ command }: Ancestor): boolean {
  return command === 'rpm';
}

/** On the manager itself: rpm runs in it, or below it. */
function leaveTokenAbove(host: Host): void {
  leaveToken(
    host,
    ancestorsOf(host).find((ancestor) => ancestor.command !== 'timeout' && callerOf([ancestor]) !== undefined),
  );
}

function noArguments(name: string, args: readonly string[]): void {
  if (args.length > 0) throw new Usage(`hook ${name} takes no argument: ${args[0]}`);
}

async function dnfTransaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> {
  noArguments('dnf', args);
  const bytes = await readAll(host, 0, inputLimit, deadline);
  return belowARoot(host, parseDnfTransaction(utf8(bytes) ?? latin1(bytes)));
}

async function dnf5Transaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> {
  noArguments('dnf5', args);
  return belowARoot(host, await askDnf5(host, deadline));
}

function zypperTransactions(host: Host, args: readonly string[]): AsyncIterable<Transaction> {
  noArguments('zypper', args);
  return zypperCommits(host);
}

/**
 * Whether rpm's triggers are to keep silent below zypper. They see one package at a time, which is right where only one changes, and what
 * they say is on the screen, whereas this is in zypper's log alone; but where runtime and image change together, they would see the one
 * new and the other one old.
 */
function isForZypperAlone({ state, findings }: Report): boolean {
  const areBoth =
    state.runtimes.some(({ isIncoming }) => isIncoming) && state.images.some(({ incoming }) => incoming !== null);
  return areBoth && !findings.some(({ code }) => code.startsWith('KC10'));
}

/** Null when the root is still to be made: nothing of Kata is there. */
function belowARoot(host: Host, transaction: Transaction): Transaction | null {
  return transaction.root === '' || host.status(transaction.root) !== undefined ? transaction : null;
}

/** For a manager that shows a line of its own. */
function summary({ findings }: Report): string {
  const blocks = findings.filter(({ severity }) => severity === 'block');
  return `kata-check: ${printable(blocks.map(({ title, code }) => `${title} [${code}]`).join('; '))}`;
}
