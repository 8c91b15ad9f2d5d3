/**
 * What is left of a stopped run for whoever was not there: the report in /run/kata-check/last.json (the document of `--json` with `manager`
 * and `resolved`) and a line in the system's log. That neither can be written changes nothing.
 */

import type { Report } from '../check.ts';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { rootedHost } from '../host/rooted.ts';
import { circumstancesOf } from '../report/circumstances.ts';
import { document, reportDocument } from '../report/json.ts';
import type { LastStop } from '../report/openmetrics.ts';
import { printable } from '../report/printable.ts';
import type { Transaction } from '../state/transaction.ts';
import { stateFolder } from './token.ts';

export const lastPath = `${stateFolder}/last.json`;
/** A logging service that hangs is not waited for longer, in milliseconds. */
const patience = 1000;
/** Bytes; a report has some ten thousand. */
const recordLimit = 16 * 1024 * 1024;

/** `status`: the exit status. */
export async function recordStop(
  host: Host,
  report: Report,
  { manager, root }: Pick<Transaction, 'manager' | 'root'>,
  status: number,
): Promise<void> {
  await attempt(() => {
    const rooted = root === '' ? host : rootedHost(host, root);
    const stopped = reportDocument(report, status, circumstancesOf(rooted, root));
    host.replaceFile(lastPath, document({ ...stopped, manager, resolved: null }), 0o644);
  });
  const blocks = report.findings.filter(({ severity }) => severity === 'block');
  const reasons = blocks.map(({ code, title }) => `[${code}] ${title}`).join('; ');
  const where = root === '' ? '' : ` (${root})`;
  const argv = ['logger', '-t', 'kata-check', '-p', 'user.warning', '--'];
  await attempt(() =>
    host.run([...argv, printable(`stopped ${manager}${where}: ${reasons}`, 1000)], {
      deadline: host.now() + patience,
      outputLimit: 4096,
    }),
  );
}

/** A later transaction of Kata below this root was let through: nobody needs to be alarmed by the stop any more. */
export async function resolveStop(host: Host, root: string): Promise<void> {
  await attempt(() => {
    const stopped = readStop(host);
    if (stopped === null || stopped.resolved !== null || stopped.root !== nameOf(root)) return;
    host.replaceFile(lastPath, document({ ...stopped, resolved: new Date().toISOString() }), 0o644);
  });
}

/** Null when nothing below this root was stopped last since the node was started, or when somebody else could have written that it was. */
export function lastStop(host: Host, root: string): LastStop | null {
  try {
    const stopped = readStop(host);
    if (stopped === null || stopped.root !== nameOf(root)) return null;
    const { time, manager, findings, resolved = null } = stopped;
    const codes = findings.filter(({ severity }) => severity === 'block').map(({ code }) => code);
    return { time, manager, codes: [...new Set(codes)], resolved };
  } catch (error) {
    if (error instanceof Problem || error instanceof TypeError || error instanceof SyntaxError) return null;
    throw error;
  }
}

const nameOf = (root: string): string => (root === '' ? '/' : root);

interface Recorded extends Omit<LastStop, 'codes'> {
  readonly root: string;
  readonly findings: readonly { readonly severity: string; readonly code: string }[];
}

/** Throws Io, LimitExceeded, and SyntaxError for what is no JSON. */
function readStop(host: Host): Recorded | null {
  const status = host.status(lastPath);
  if (status === undefined || status.owner !== 0 || (status.mode & 0o022) !== 0) return null;
  return JSON.parse(host.readText(lastPath, recordLimit));
}

async function attempt(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof SyntaxError)) throw error;
  }
}
