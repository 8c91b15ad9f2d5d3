/**
 * The verdict over the state after the transaction. Pure: facts in, findings out. All of them, not the first.
 */

import { type Image, isJudged, isMeasuredFor, type Runtime, type State } from '../state/node.ts';
import type { Check } from './checks/check.ts';
import { configurationChecks } from './checks/configuration.ts';
import { evidenceChecks } from './checks/evidence.ts';
import { imageChecks } from './checks/image.ts';
import { measuredChecks } from './checks/measured.ts';
import { nodeChecks } from './checks/node.ts';
import { dependsOnVersion, pairChecks, requirementChecks } from './checks/pair.ts';
import { type Code, type Finding, type Severity, severities } from './findings.ts';
import { doubting, type Policy } from './policy.ts';

/** A runtime and an image that belong together, and what was found of the two. */
export interface Pair {
  readonly runtime: Runtime;
  readonly image: Image;
  readonly codes: readonly Code[];
  /** Calls that the runtime makes and the agent does not have. */
  readonly missing: readonly string[];
  readonly verdict: 'ok' | Severity;
}

export interface Judgement {
  readonly findings: readonly Finding[];
  readonly verdict: 'ok' | Severity;
  readonly pairs: readonly Pair[];
}

export function judge(state: State, policy: Policy): Judgement {
  const findings = findingsOf(state, policy);
  const pairs = state.runtimes.flatMap((runtime) =>
    state.images
      .filter((image) => isJudged(state, runtime, image))
      .map((image): Pair => {
        const found = findingsOf(alone(state, runtime, image), policy);
        const codes = [...new Set(found.map(({ code }) => code))];
        const missing = [...new Set(found.flatMap((finding) => finding.missing ?? []))];
        return { runtime, image, codes, missing, verdict: verdictOf(found) };
      }),
  );
  return { findings, verdict: verdictOf(findings), pairs };
}

/** What is found of one image stands together in a report, and so does what is found of one pair. */
function findingsOf(state: State, policy: Policy): Finding[] {
  const run = (checks: readonly Check[], part: State, by = policy): Finding[] =>
    checks.flatMap((check) => check.examine(part, by));
  return [
    ...run(requirementChecks, state),
    ...state.images.flatMap((image) => [
      ...run(imageChecks, { ...state, images: [image] }),
      ...state.runtimes.flatMap((runtime) => {
        const pair = { ...state, images: [image], runtimes: [runtime] };
        const isDoubtful = runtime.versionDoubt !== null && dependsOnVersion(runtime);
        // What the programs themselves say does not depend on their versions.
        return [...run(pairChecks, pair, isDoubtful ? doubting(policy) : policy), ...run(evidenceChecks, pair)];
      }),
    ]),
    ...run(measuredChecks, state),
    ...run(nodeChecks, state),
    ...run(configurationChecks, state),
  ];
}

/** A pair and nothing beside it. */
function alone(state: State, runtime: Runtime, image: Image): State {
  return {
    ...state,
    runtimes: [runtime],
    images: [image],
    configurations: [],
    unread: [],
    sandboxes: null,
    measured: state.measured.filter((measured) => isMeasuredFor(measured, runtime, image)),
  };
}

function verdictOf(findings: readonly Finding[]): 'ok' | Severity {
  const worst = Math.max(-1, ...findings.map(({ severity }) => severities.indexOf(severity)));
  return severities[worst] ?? 'ok';
}
