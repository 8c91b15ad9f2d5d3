/**
 * The verdict over the state after the transaction. Pure: facts in, findings out. All of them, not the first.
 */

import type { Reach } from '../protocol/reach.ts';
import { type Image, isMeasuredFor, type Runtime, type State } from '../state/node.ts';
import type { Check } from './checks/check.ts';
import { configurationChecks } from './checks/configuration.ts';
import { evidenceChecks } from './checks/evidence.ts';
import { imageChecks } from './checks/image.ts';
import { measuredChecks } from './checks/measured.ts';
import { nodeChecks } from './checks/node.ts';
import { dependsOnVersion, pairChecks, requirementChecks } from './checks/pair.ts';
import { type UsedPair, usedPairs } from './checks/used-pair.ts';
import { type Code, type Finding, type Severity, severities } from './findings.ts';
import { doubting, type Policy } from './policy.ts';

/** A runtime and an image that belong together, and what was found of the two. */
export interface Pair {
  readonly runtime: Runtime;
  readonly image: Image;
  /** What the protocol's tables say; undefined where they do not tell. */
  readonly reach: Reach | undefined;
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

interface Found {
  readonly used: UsedPair;
  /** Of the two together. */
  readonly findings: readonly Finding[];
}

export function judge(state: State, policy: Policy): Judgement {
  const found = usedPairs(state).map((used) => ({ used, findings: findingsOfPair(used, policy) }));
  const findings = findingsOf(state, policy, found);
  const pairs = found.map((one): Pair => {
    const { runtime, image } = one.used;
    const own = findingsOf(alone(state, runtime, image), policy, [one]);
    const codes = [...new Set(own.map(({ code }) => code))];
    const missing = [...new Set(own.flatMap((finding) => finding.missing ?? []))];
    return { runtime, image, reach: one.used.reach, codes, missing, verdict: verdictOf(own) };
  });
  return { findings, verdict: verdictOf(findings), pairs };
}

function findingsOfPair(used: UsedPair, policy: Policy): Finding[] {
  const isDoubtful = used.runtime.versionDoubt !== null && dependsOnVersion(used.runtime);
  const byVersion = isDoubtful ? doubting(policy) : policy;
  return [
    ...pairChecks.flatMap((check) => check.examine(used, byVersion)),
    // What the programs themselves say does not depend on their versions.
    ...evidenceChecks.flatMap((check) => check.examine(used, policy)),
  ];
}

/** What is found of one image stands together in a report, and so does what is found of one pair. */
function findingsOf(state: State, policy: Policy, pairs: readonly Found[]): Finding[] {
  const run = (checks: readonly Check[], part: State): Finding[] =>
    checks.flatMap((check) => check.examine(part, policy));
  return [
    ...run(requirementChecks, state),
    ...state.images.flatMap((image) => [
      ...run(imageChecks, { ...state, images: [image] }),
      ...pairs.filter(({ used }) => used.image === image).flatMap(({ findings }) => findings),
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
