/**
 * What a command of the program is, and what several commands do in the same way.
 */

import type { BooleanArgDef, StringArgDef } from 'citty';
import type { Host } from '../host/host.ts';
import { resolvePath, rootedHost } from '../host/rooted.ts';

export const exitStatus = { goAhead: 0, failure: 1, usage: 2, blocked: 10, undetermined: 11 } as const;

/** What a report is written as; `--json` is short for one of them. */
export const formats = ['text', 'json', 'jsonl', 'openmetrics', 'nagios'] as const;
export type Format = (typeof formats)[number];

/** That can complete our arguments. */
export const shells = ['bash', 'zsh', 'fish'] as const;

export type Option = (BooleanArgDef | StringArgDef) & {
  readonly isRepeatable?: boolean;
  readonly values?: readonly string[];
};
export type Options = Readonly<Record<string, Option>>;

/** The arguments of a command, after they have been checked against its declaration. */
export interface Parsed {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReadonlySet<string>;
  readonly positionals: readonly string[];
}

/** What only one of the forms has, and loads when it is asked for. */
export interface Extras {
  readonly compare?: () => Promise<{ readonly run: Run }>;
}

export interface Context extends Parsed {
  readonly host: Host;
  readonly extras: Extras;
  /** All commands, the one without a name first. */
  readonly commands: readonly Command[];
}

/** Returns the exit status. Throws Usage for wrong use, and every other Problem. */
export type Run = (context: Context) => Promise<number>;

export interface Command {
  /** Empty for the program without a command. */
  readonly name: string;
  readonly description: string;
  /** The arguments that are no options, as the usage shows them. */
  readonly positional: string;
  /** What else the usage says about them, a line each. */
  readonly details?: readonly string[];
  readonly options: Options;
  /** Loads the command's parts, which no other command has to wait for. */
  readonly load: () => Promise<{ readonly run: Run }>;
}

/** A value of an option that is given at most once. */
export function one({ values }: Parsed, name: string): string | undefined {
  return values.get(name)?.[0];
}

export function isColored(host: Host, parsed: Parsed, descriptor: 1 | 2): boolean {
  const wanted = one(parsed, 'color') ?? 'auto';
  if (wanted !== 'auto') return wanted === 'always';
  return (
    (host.environment('NO_COLOR') ?? '') === '' && host.environment('TERM') !== 'dumb' && host.isTerminal(descriptor)
  );
}

/** Relative paths begin where the user is. */
export function absolute(host: Host, path: string): string {
  return path.startsWith('/') ? path : `${host.workingDirectory}/${path}`;
}

/** The folder that --root names, "" for the real root, and the host as it is seen from there. */
export function rootOf({ host, ...parsed }: Context): { root: string; rooted: Host } {
  const given = one(parsed, 'root');
  const root = given === undefined ? '' : resolvePath(host, '', absolute(host, given)).replace(/\/$/, '');
  return { root, rooted: root === '' ? host : rootedHost(host, root) };
}

export function statusFor(
  verdict: string,
  findings: readonly { readonly severity: string; readonly code: string }[],
): number {
  if (verdict !== 'block') return exitStatus.goAhead;
  const isProven = findings.some(({ severity, code }) => severity === 'block' && code.startsWith('KC10'));
  return isProven ? exitStatus.blocked : exitStatus.undetermined;
}

export function tellOff({ host, flags }: Context, from: string): void {
  if (flags.has('verbose')) host.write(2, `kata-check: does nothing: mode = off  (${from})\n`);
}
