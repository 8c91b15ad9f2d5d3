/**
 * What a running rpm is about to install, from its arguments (rpm(8)): its scriptlets and triggers are told of no package, not even of
 * their own. dnf and zypper ask before; where rpm was called by another program than itself, its transaction is not known.
 */

import { openPackage } from '../archive/package.ts';
import { Problem, Usage } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { PackageChange, Transaction } from '../state/transaction.ts';
import { type Ancestor, ancestorsOf, argumentsOf, pathOf } from './ancestors.ts';
import { hasToken } from './token.ts';

/** More packages come only when a system is made, and reading each would take seconds then. */
const mostPackages = 50;

/** Options whose value is the next argument unless it is behind a `=`. A value that is a package all the same is none that comes. */
const withValue = new Set([
  '--dbpath',
  '--define',
  '--eval',
  '--excludepath',
  '--load',
  '--macros',
  '--prefix',
  '--rcfile',
  '--relocate',
  '--root',
  '--undefine',
  '-D',
  '-E',
  '-r',
]);

/** `argv` with the program's name. */
export function parseRpmArguments(argv: readonly string[]): string[] {
  const pending = argv.slice(1);
  const operands: string[] = [];
  for (let argument = pending.shift(); argument !== undefined; argument = pending.shift()) {
    if (argument === '--') return [...operands, ...pending];
    if (withValue.has(argument)) pending.shift();
    else if (!argument.startsWith('-') && argument !== '') operands.push(argument);
  }
  return operands;
}

/**
 * Null where that is not known: it erases, its files have been moved out of our sight (scriptlets have a /tmp and a /home of their own
 * since rpm 4.20), or are elsewhere in the network. Throws LimitExceeded, Io.
 */
export async function installedBy(host: Host, rpm: Ancestor, deadline: number): Promise<PackageChange[] | null> {
  const operands = parseRpmArguments(argumentsOf(host, rpm));
  if (operands.length === 0 || operands.length > mostPackages) return null;
  const changes: PackageChange[] = [];
  for (const operand of operands) {
    const archive = pathOf(host, rpm, operand);
    try {
      const fields = await openPackage(host, archive, deadline).fields();
      // What is installed of it may be told twice now: the new one is in the database before the old one is out.
      const versions = { oldVersion: null, newVersion: fields.version };
      changes.push({ name: fields.name, ...versions, action: 'unpack', archive, declared: fields });
    } catch (error) {
      if (error instanceof Problem) return null;
      throw error;
    }
  }
  return changes;
}

/**
 * Of a trigger or a scriptlet: `prein [NAME [VERSION]]` before a package is unpacked, for which the whole transaction must be known, and
 * `triggered` after the fact. Silent where dnf or zypper has asked about the same transaction, or this rpm has.
 */
export async function rpmTransaction(
  host: Host,
  args: readonly string[],
  deadline: number,
): Promise<Transaction | null> {
  const [moment, name, version, ...rest] = args;
  const isDone = moment === 'triggered';
  if ((moment !== 'prein' && !isDone) || (isDone && name !== undefined) || rest.length > 0) {
    throw new Usage('hook rpm takes prein [NAME [VERSION]] or triggered');
  }
  const base = { manager: 'rpm', root: '', mode: null, allow: [] };
  if (isDone) return { ...base, changes: [], isDone };
  const ancestors = ancestorsOf(host);
  if (hasToken(host, ancestors)) return null;
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

export function isRpm({ command }: Ancestor): boolean {
  return command === 'rpm';
}
