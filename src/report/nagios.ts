/**
 * The report as a monitoring plugin gives it (https://www.monitoring-plugins.org/doc/guidelines.html): a line with the state and, behind
 * a bar, performance data; then a line for each further finding.
 */

import type { ReportDocument } from './json.ts';
import { printable } from './printable.ts';

/** A plugin's exit statuses, which are not those of kata-check. */
export const pluginStatus = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;
type State = keyof typeof pluginStatus;

export interface PluginResult {
  readonly text: string;
  readonly status: number;
}

/** `isProven`: what blocks is a proven mismatch, and not that something could not be determined. */
export function pluginResult(report: ReportDocument, isProven: boolean): PluginResult {
  const { verdict, findings, pairs, sandboxes } = report;
  const state: State =
    verdict === 'block' ? (isProven ? 'critical' : 'unknown') : verdict === 'warn' ? 'warning' : 'ok';
  const worst = findings.filter(({ severity }) => severity === verdict);
  const others = findings.filter(({ severity }) => severity !== verdict);
  const [first = summaryOf(pairs.length), ...more] = [...worst, ...others].map(
    ({ code, title, affects }) => `[${code}] ${title}${affects.length === 0 ? '' : `: ${affects.join(', ')}`}`,
  );
  const counts: Readonly<Record<string, number | null>> = {
    pairs: pairs.length,
    blocked: pairs.filter((pair) => pair.verdict === 'block').length,
    warned: pairs.filter((pair) => pair.verdict === 'warn').length,
    sandboxes: sandboxes.running,
  };
  const data = Object.entries(counts).flatMap(([name, value]) => (value === null ? [] : [`${name}=${value};;;0`]));
  return pluginLine(state, first, data.join(' '), more);
}

/** For what is no verdict: wrong use, a failure, or that kata-check is switched off. */
export function pluginLine(state: State, message: string, data = '', more: readonly string[] = []): PluginResult {
  const lines = [
    `KATA ${state.toUpperCase()} - ${plain(message)}${data === '' ? '' : ` | ${data}`}`,
    ...more.map(plain),
  ];
  return { text: `${lines.join('\n')}\n`, status: pluginStatus[state] };
}

function summaryOf(pairs: number): string {
  if (pairs === 0) return 'no runtime of Kata with a guest image is installed';
  return pairs === 1 ? 'the guest image fits the runtime' : `all ${pairs} pairs of a runtime and a guest image fit`;
}

/** A bar would begin the performance data. */
function plain(text: string): string {
  return printable(text, 1000).replaceAll('|', '/');
}
