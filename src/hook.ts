/**
 * What package managers call. Each hook turns what its package manager says into one Transaction, or into null when there is nothing
 * for it to say; the judging is the same for all. A hook never prompts, never changes a package and always ends.
 */

import { check, type Report, type Request } from './check.ts';
import { environmentOverride, type Loaded, loadConfig, type Override } from './config.ts';
import { Usage } from './errors.ts';
import { type Host, readAll } from './host/host.ts';
import { rootedHost } from './host/rooted.ts';
import { latin1, utf8 } from './read/bytes.ts';
import { reportText } from './report/text.ts';
import { parseAptHook } from './require/apt.ts';
import type { Transaction } from './require/transaction.ts';

/** What a hook is told by its package manager: thousands of lines at the most, some 200 bytes each. */
const inputLimit = 64 * 1024 * 1024;
/** Before the configuration is read, in milliseconds: as the configuration's own default. */
export const firstDeadline = 20_000;
/** Between the deadline of every single step and the end of the whole program, in milliseconds: time to say what happened. */
export const grace = 2000;

/** What the command line decides. */
export interface Voice {
  readonly color: boolean;
  tell(loaded: Loaded, warnings: readonly string[]): void;
  /** The exit status for a report, and for a run that did not end by itself. */
  statusOf(report: Report | 'failure'): number;
}

export interface Hook {
  readonly name: string;
  /** It comes too late to stop anything, or its manager cannot be stopped: a mismatch is only told. */
  readonly onlyWarns?: boolean;
  /** Throws Usage, Corrupt, Unsupported, Io, LimitExceeded. */
  transaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction | null>;
  /** Tells the manager to stop, where the exit status does not. */
  stop?(host: Host, report: Report): void;
}

export const hooks: readonly Hook[] = [{ name: 'apt', transaction: aptTransaction }];

/** Null when there was nothing to judge. Throws as the hook's `transaction`, and as `check`. */
export async function answer(host: Host, hook: Hook, args: readonly string[], voice: Voice): Promise<Report | null> {
  if (host.environment('KATA_CHECK_MODE') === 'off') return null;
  const start = host.now();
  host.endAt(start + firstDeadline + grace, voice.statusOf('failure'));
  const transaction = await hook.transaction(host, args, start + firstDeadline);
  if (transaction === null || transaction.changes.length === 0) return null;
  const rooted = transaction.root === '' ? host : rootedHost(host, transaction.root);
  const given: Override = {
    from: `the options of ${transaction.manager}`,
    mode: transaction.mode ?? undefined,
    allow: transaction.allow,
  };
  const loaded = loadConfig(rooted, undefined, [environmentOverride(host), given]);
  const { mode } = loaded.config;
  if (mode.value === 'off') return null;
  const config =
    hook.onlyWarns === true && mode.value === 'block'
      ? { ...loaded.config, mode: { value: 'warn' as const, from: `the hook ${hook.name}` } }
      : loaded.config;
  const request: Request = {
    root: transaction.root,
    transaction,
    to: null,
    requires: undefined,
    images: [],
    config,
    deadline: start + config.deadline.value * 1000,
  };
  host.endAt(request.deadline + grace, voice.statusOf('failure'));
  const report = await check(host, rooted, request);
  const concerns = report.state.runtimes.length > 0 || report.state.images.length > 0;
  // Somebody who installs something else need not hear of a mistake in this configuration each time.
  if (concerns) voice.tell({ ...loaded, config }, [...loaded.mistakes, ...report.warnings]);
  host.write(2, reportText(report, { color: voice.color, manager: transaction.manager }, true));
  if (report.verdict === 'block') hook.stop?.(host, report);
  return report;
}

async function aptTransaction(host: Host, args: readonly string[], deadline: number): Promise<Transaction> {
  if (args.length > 0) throw new Usage(`hook apt takes no argument: ${args[0]}`);
  const descriptor = Number(/^[0-9]{1,4}$/.exec(host.environment('APT_HOOK_INFO_FD') ?? '0')?.[0] ?? Number.NaN);
  if (Number.isNaN(descriptor)) throw new Usage('APT_HOOK_INFO_FD is no descriptor');
  const bytes = await readAll(host, descriptor, inputLimit, deadline);
  return parseAptHook(utf8(bytes) ?? latin1(bytes));
}
