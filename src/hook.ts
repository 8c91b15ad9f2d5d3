/**
 * What package managers call. Each hook turns what its package manager says into one Transaction, or into null when there is nothing
 * for it to say; the judging is the same for all. A hook never prompts, never changes a package and always ends.
 */

import { check, type Report } from './check.ts';
import {
  environmentOverride,
  firstDeadline,
  grace,
  type Loaded,
  type Override,
  policyOf,
  readConfig,
  unconfigured,
} from './defaults.ts';
import { LimitExceeded, Usage } from './errors.ts';
import { afterwards, everything, toldBy } from './hooks/afterwards.ts';
import { type Ancestor, ancestorsOf, callerOf, commandLineOf } from './hooks/ancestors.ts';
import { type HookName, hookArguments } from './hooks/names.ts';
import { leaveToken, removeToken, type Told, toldTo } from './hooks/token.ts';
import type { Host } from './host/host.ts';
import { rootedHost } from './host/rooted.ts';
import type { Finding } from './judge/findings.ts';
import type { Judgement } from './judge/judge.ts';
import type { Policy } from './judge/policy.ts';
import { changesBoth, hasRuntime, isChanged, nothing, type State } from './state/node.ts';
import type { Request } from './state/request.ts';
import type { Transaction } from './state/transaction.ts';

/** How long a manager that talks on may take for its packages, in milliseconds: a net below the end of its pipe. */
const longestCommit = 24 * 60 * 60 * 1000;

/** What the command line decides. */
export interface Voice {
  readonly color: boolean;
  tell(loaded: Loaded, warnings: readonly string[]): Promise<void>;
  /** It is switched off, and by whom. */
  tellOff(from: string): void;
  /** The exit status for a report, and for a run that did not end by itself. */
  statusOf(report: Report | 'failure'): number;
}

interface HookKind {
  /** It comes too late to stop anything, or its manager cannot be stopped: a mismatch is only told. */
  readonly onlyWarns?: boolean;
  /** Whether stopping helps; it does when absent. */
  mayStop?(state: State): boolean;
  /** Tells the manager to stop, where the exit status does not. */
  stop?(host: Host, report: Report): Promise<void>;
  /** The process that the later hooks of the same run are below: with it is left that it was told to go on, and what. */
  holder?(host: Host): Promise<Ancestor | undefined>;
  /** What is left instead of what was told; null for nothing. */
  leaves?(report: Report): Promise<Told | null>;
  /** What is left as it was when it is stopped; everything, when absent. */
  readonly unchanged?: string;
}

/** Throws Usage, Corrupt, Unsupported, Io, LimitExceeded. */
export type Hook = HookKind &
  (
    | { transaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null> }
    /** Where the manager talks on: when the next one is asked for, the one before has been judged. */
    | { transactions(host: Host): Promise<AsyncIterable<Transaction>> }
  );

/** A hook's own parts are loaded when it is called: every run of a package manager waits for one of them. */
export const hooks: Readonly<Record<HookName, Hook>> = {
  apt: {
    transaction: async (host, _, deadline) => (await import('./hooks/apt.ts')).aptTransaction(host, deadline),
    holder: async (host) => callerOf(ancestorsOf(host)),
  },
  dpkg: { transaction: async (...given) => (await dpkgParts()).dpkgTransaction(...given), holder: nearestDpkg },
  preinst: {
    transaction: async (...given) => (await dpkgParts()).preinstTransaction(...given),
    // To refuse the one of two that are to change together makes the mismatch: dpkg goes on with the other.
    mayStop: (state) => !changesBoth(state),
    holder: nearestDpkg,
    unchanged: 'This package is left as it was.',
  },
  dnf: {
    transaction: async (host, _, deadline) => (await import('./hooks/dnf.ts')).dnfTransaction(host, deadline),
    holder: manager,
  },
  dnf5: {
    transaction: async (...given) => (await dnf5Parts()).dnf5Transaction(...given),
    holder: manager,
    stop: async (host, report) => host.write(1, (await dnf5Parts()).stopFor(report)),
  },
  zypper: {
    onlyWarns: true,
    transactions: async (host) => (await zypperParts()).zypperCommits(host),
    holder: manager,
    // rpm's triggers run after each package, and what they see in between is not what will be: this hook tells what is left at the end.
    leaves: async (report) => ((await zypperParts()).isForZypperAlone(report) ? everything('') : null),
  },
  rpm: {
    onlyWarns: true,
    transaction: async (...given) => (await rpmParts()).rpmTransaction(...given),
    holder: async (host) => ancestorsOf(host).find((await rpmParts()).isRpm),
  },
  pacman: {
    transaction: async (...given) => (await import('./hooks/pacman.ts')).pacmanTransaction(...given),
    holder: manager,
  },
  tukit: {
    transaction: async (_, args) => (await import('./hooks/tukit.ts')).tukitTransaction(args),
    unchanged: 'The snapshot is dropped.',
  },
};

const dpkgParts = () => import('./hooks/dpkg.ts');
const dnf5Parts = () => import('./hooks/dnf5.ts');
const zypperParts = () => import('./hooks/zypper.ts');
const rpmParts = () => import('./hooks/rpm.ts');
const recordParts = () => import('./hooks/record.ts');

type Named = Hook & { readonly name: HookName };

/** Null when there was nothing to judge. Throws as the hook's `transaction`, and as `check`. */
export async function answer(
  host: Host,
  name: HookName,
  args: readonly string[],
  voice: Voice,
): Promise<Report | null> {
  const hook: Named = { ...hooks[name], name };
  if (args.length > 0 && hookArguments[name] === undefined)
    throw new Usage(`hook ${name} takes no argument: ${args[0]}`);
  const { from, mode } = environmentOverride(host);
  if (mode === 'off') {
    voice.tellOff(from);
    return null;
  }
  const start = host.now();
  host.endAt(start + firstDeadline + grace, voice.statusOf('failure'));
  if ('transaction' in hook) {
    try {
      return await answered(host, hook, await hook.transaction(host, args, start + firstDeadline), start, voice);
    } catch (error) {
      // Who has waited until the deadline need not wait for the later hooks as long again.
      if (error instanceof LimitExceeded) await leave(host, hook, new Set());
      throw error;
    }
  }
  let report: Report | null = null;
  for await (const transaction of await hook.transactions(host)) {
    // What did not concern Kata before does not afterwards.
    if (transaction.isDone === true && (report === null || !concernsKata(report))) continue;
    report = (await answered(host, hook, transaction, host.now(), voice)) ?? report;
    host.endAt(host.now() + longestCommit, voice.statusOf('failure'));
  }
  return report;
}

async function answered(
  host: Host,
  hook: Named,
  transaction: Transaction | null,
  start: number,
  voice: Voice,
): Promise<Report | null> {
  if (transaction === null || (transaction.changes.length === 0 && !isOnDisk(transaction))) return null;
  const { isDone = false, root } = transaction;
  // A hook that runs from the beginning to the end of a transaction left what is there itself.
  const before = isDone && 'transaction' in hook ? toldTo(host, ancestorsOf(host)) : undefined;
  const report = await judged(host, hook, transaction, start, voice, before).catch(async (error) => {
    // The later hooks may not fail as this one did.
    if (!isDone) await takeBack(host, hook);
    throw error;
  });
  if (report === 'off') {
    if (!isDone && transaction.isPlanned !== true) await leave(host, hook, everything(root));
    return null;
  }
  if (isDone) rememberTold(host, new Set([...(before ?? []), ...toldBy(report, root)]));
  else if (report?.verdict !== 'block') {
    if (report !== null && isChanged(report.state)) await (await recordParts()).resolveStop(host, root);
    // Who only plans has told nothing.
    if (transaction.isPlanned !== true) await leave(host, hook, toldBy(report, root), report);
  } else {
    await takeBack(host, hook);
    await hook.stop?.(host, report);
    await (await recordParts()).recordStop(host, report, transaction, voice.statusOf(report));
  }
  return report;
}

/** `told`: what was told before of a transaction that is over. */
async function judged(
  host: Host,
  hook: Named,
  transaction: Transaction,
  start: number,
  voice: Voice,
  told: Told | undefined,
): Promise<Report | 'off' | null> {
  const { manager, root, isDone = false } = transaction;
  const rooted = root === '' ? host : rootedHost(host, root);
  const given: Override = {
    from: `the options of ${manager}`,
    mode: transaction.mode ?? undefined,
    allow: transaction.allow,
  };
  const written = readConfig(rooted, undefined, [environmentOverride(host), given]);
  const loaded = unconfigured(written) ?? (await import('./config.ts')).understood(written);
  const { mode } = loaded.config;
  if (mode.value === 'off') {
    voice.tellOff(mode.from);
    return 'off';
  }
  const onlyWarns = hook.onlyWarns === true || transaction.isPart === true || isDone;
  const config =
    onlyWarns && mode.value === 'block'
      ? { ...loaded.config, mode: { value: 'warn' as const, from: `the hook ${hook.name}` } }
      : loaded.config;
  const request: Request = {
    root,
    transaction: isOnDisk(transaction) ? null : transaction,
    // Where this hook is killed, by its deadline or by a person, the later ones of this run need not wait where it did.
    begin: async () => {
      if (!isDone && transaction.isPlanned !== true && 'transaction' in hook) await leave(host, hook, new Set());
    },
    commandLine: async () => {
      const { managerOf } = await import('./judge/managers.ts');
      return commandLineOf(host, managerOf(manager)?.programs ?? []);
    },
    to: null,
    requires: undefined,
    images: [],
    settings: config,
    deadline: start + config.deadline.value * 1000,
  };
  host.endAt(request.deadline + grace, voice.statusOf('failure'));
  const found = await check(host, rooted, request, policyOf(config));
  if (found.state === nothing) {
    if (found.warnings.length > 0) await voice.tell(loaded, found.warnings);
    return isDone ? null : found;
  }
  // Where the runtime was taken away nothing can fail to start with what is left.
  if (isDone && !hasRuntime(found.state)) return null;
  const { judge } = await import('./judge/judge.ts');
  const { reportText } = await import('./report/text.ts');
  const judgedIn = (mode: 'block' | 'warn'): Judgement => judge(found.state, { ...policyOf(config), mode });
  const isHelpless =
    found.verdict === 'block' &&
    (hook.mayStop?.(found.state) === false ||
      (transaction.isStaged === true && (await isAsBefore(host, request, found, policyOf(config)))));
  const judgedHere = isHelpless ? { ...found, ...judgedIn('warn') } : found;
  // Who allowed a finding knows of it, and cannot be helped any more.
  const { allow } = policyOf(config);
  const news = { ...judgedHere, findings: judgedHere.findings.filter(({ code }) => !allow.has(code)) };
  const report = isDone ? afterwards(news, judgedIn('block').findings, root, told) : judgedHere;
  if (report === null || (transaction.isPlanned === true && report.verdict !== 'block')) return report;
  // Somebody who installs something else need not hear of a mistake in this configuration each time.
  if (concernsKata(report) || report.warnings.length > 0)
    await voice.tell({ ...loaded, config }, [...loaded.mistakes, ...(transaction.mistakes ?? []), ...report.warnings]);
  const { unchanged } = hook;
  const options = { color: voice.color, manager, ...(unchanged === undefined ? {} : { unchanged }) };
  host.write(2, reportText(report, options, true));
  return report;
}

/** There is no list of changes: what is on the disk is judged. */
function isOnDisk({ isDone, isStaged }: Transaction): boolean {
  return isDone === true || isStaged === true;
}

/** The running system has the same mismatch, so that to refuse the new one cures nothing. */
async function isAsBefore(host: Host, request: Request, { findings }: Report, policy: Policy): Promise<boolean> {
  const blocks = (found: readonly Finding[]): string[] =>
    found.filter(({ severity }) => severity === 'block').map(({ code, affects }) => [code, ...affects].join('\n'));
  const now = blocks((await check(host, host, { ...request, root: '' }, policy)).findings);
  return blocks(findings).every((block) => now.includes(block));
}

function concernsKata({ state }: Report): boolean {
  return state.runtimes.length > 0 || state.images.length > 0;
}

async function nearestDpkg(host: Host): Promise<Ancestor | undefined> {
  return (await dpkgParts()).dpkgAmong(host, ancestorsOf(host));
}

/** rpm runs in it, or below it. */
async function manager(host: Host): Promise<Ancestor | undefined> {
  return ancestorsOf(host).find((ancestor) => ancestor.command !== 'timeout' && callerOf([ancestor]) !== undefined);
}

/** For the later hooks of this run, whether Kata is concerned or not. `told`: what the manager's user knows now. */
async function leave(host: Host, hook: Hook, told: Told, report: Report | null = null): Promise<void> {
  const left = hook.leaves === undefined ? told : report === null ? null : await hook.leaves(report);
  if (left !== null) leaveToken(host, await hook.holder?.(host), left);
}

async function takeBack(host: Host, hook: Hook): Promise<void> {
  removeToken(host, await hook.holder?.(host));
}

/** Programs that run triggers; rpm's run in the process of whoever uses it as a library. */
const runsTriggers = /^(?:dpkg|rpm|(?:micro)?dnf|yum|tdnf|zypper|Zypp-main)/;

/** What a trigger told, so that the next trigger of the same run does not tell it again. */
function rememberTold(host: Host, told: Told): void {
  const holder = ancestorsOf(host).find(({ command }) => runsTriggers.test(command));
  leaveToken(host, holder, told);
}
