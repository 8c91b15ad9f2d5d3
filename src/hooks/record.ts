/**
 * What is left of a stopped run for whoever was not there: the report in /run/kata-check/last.json (the document of `--json` with `manager`,
 * `root` and `time`) and a line in the system's log. That neither can be written changes nothing.
 */

import type { Report } from '../check.ts';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { document, reportJson } from '../report/json.ts';
import { printable } from '../report/printable.ts';
import type { Transaction } from '../state/transaction.ts';
import { stateFolder } from './token.ts';

export const lastPath = `${stateFolder}/last.json`;
/** A logging service that hangs is not waited for longer, in milliseconds. */
const patience = 1000;

/** `status`: the exit status. */
export async function recordStop(
  host: Host,
  report: Report,
  { manager, root }: Pick<Transaction, 'manager' | 'root'>,
  status: number,
): Promise<void> {
  const time = new Date().toISOString();
  await attempt(() =>
    host.replaceFile(
      lastPath,
      document({ ...JSON.parse(reportJson(report, status)), manager, root: root === '' ? '/' : root, time }),
      0o644,
    ),
  );
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

async function attempt(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}
