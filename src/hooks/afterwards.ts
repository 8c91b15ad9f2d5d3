/**
 * What is told when a transaction is over: what does not fit on the disk now, and was not told before it. A finding is known again by its
 * code and by what it is about, so that a hook that warned is not repeated, and one that saw another image does not silence this one.
 */

import type { Report } from '../check.ts';
import type { Finding } from '../judge/findings.ts';
import type { Told } from './token.ts';

/** That an image is taken away, and that it is missing then, is the same. */
const sameAs: Readonly<Record<string, string>> = { KC302: 'KC203' };
/** Before the transaction nobody knew what would be in the image. */
const madeAnew = 'KC206';
const all = 'all';

/** What a report has told of, for the later hooks of the same run. Null: nothing of Kata changes. `root`: the one that was judged. */
export function toldBy(report: Report | null, root: string): Told {
  const findings = (report?.findings ?? []).filter(({ code, severity }) => severity !== 'info' || code === madeAnew);
  return new Set(findings.map((finding) => keyOf(root, finding)));
}

/** What stands for all findings: the check is switched off for this run. */
export function everything(root: string): Told {
  return new Set([key(root, all, [])]);
}

/**
 * The report with the findings that are to be told now; null when there are none. `inBlockMode`: the same findings, judged as if they could
 * still stop something. `told`: what was told before; undefined when nobody asked before.
 */
export function afterwards(
  report: Report,
  inBlockMode: readonly Finding[],
  root: string,
  told: Told | undefined,
): Report | null {
  if (told?.has(key(root, all, [])) === true) return null;
  const severe = new Set(
    inBlockMode.filter(({ severity }) => severity === 'block').map((finding) => keyOf(root, finding)),
  );
  const isTold = (finding: Finding): boolean => told?.has(keyOf(root, finding)) === true;
  const wasToBeMade = (finding: Finding): boolean =>
    finding.affects.some((path) => told?.has(key(root, madeAnew, [path])));
  const findings = report.findings.filter(
    (finding) =>
      finding.severity !== 'info' &&
      !isTold(finding) &&
      // Where a hook asked before, what is only doubtful was told then, or is about what did not change.
      (told === undefined || severe.has(keyOf(root, finding)) || finding.code === 'KC203' || wasToBeMade(finding)),
  );
  return findings.length === 0 ? null : { ...report, findings };
}

function keyOf(root: string, { code, affects }: Finding): string {
  return key(root, code, affects);
}

function key(root: string, code: string, affects: readonly string[]): string {
  return JSON.stringify([root, sameAs[code] ?? code, ...affects]);
}
