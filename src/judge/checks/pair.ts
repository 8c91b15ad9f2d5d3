/**
 * A runtime and a guest image that are used together, both of known version: do they understand each other?
 *
 * What a package or the configuration declares wins over the protocol's tables; the policy's rule decides where neither tells.
 */

import { betweenReleases, whyNotCovered } from '../../protocol/place.ts';
import { codeOf, countedOf, type Met, type Reach } from '../../protocol/reach.ts';
import { consequenceOf } from '../../protocol/words.ts';
import { conditionOf, type Image, isJudged, type Requirement, type Runtime } from '../../state/node.ts';
import { isInRange, type Version } from '../../version.ts';
import type { Code, Fact, Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';
import { imageFact, metFact, remedyFor, runtimeFact } from '../wording.ts';
import { type Check, finding, usualRemedy } from './check.ts';
import { isRefuted } from './evidence.ts';
import type { PairCheck, UsedPair } from './used-pair.ts';

interface Pair {
  readonly runtime: Runtime;
  readonly requirement: Requirement;
  readonly image: Image;
  readonly agent: Version;
  readonly used: UsedPair;
}

/** A check of each pair of which both versions, and a requirement, are known. */
function pairCheck(codes: readonly Code[], examine: (pair: Pair, policy: Policy) => Finding | null): PairCheck {
  return {
    codes,
    examine: (used, policy) => {
      const { runtime, image, agent } = used;
      const { requirement } = runtime;
      if (agent === undefined || requirement === null) return [];
      const found = examine({ runtime, requirement, image, agent, used }, policy);
      return found === null ? [] : [found];
    },
  };
}

/** Below another root, where no program is run. */
const remedyOfDoubt: Finding['remedy'] = {
  text: 'Ask on the node itself, or in a chroot, where the program can be run; or give the version with --to.',
  commands: ['chroot DIRECTORY kata-check', 'kata-check --root DIRECTORY --to VERSION'],
};

function problemOf({ requirementProblem, versionDoubt }: Runtime): string {
  const problem = requirementProblem ?? 'nothing says it';
  return versionDoubt === null ? problem : `${problem}, as ${versionDoubt}`;
}

const withoutRequirement: Check = {
  codes: ['KC204'],
  examine: (state, policy) =>
    state.runtimes
      .filter(({ requirementProblem }) => requirementProblem !== null)
      .filter((runtime) => state.images.some((image) => isJudged(state, runtime, image)))
      .map((runtime) =>
        finding('KC204', policy, {
          facts: [runtimeFact(runtime)],
          consequence: `Nobody can tell which agents this runtime works with: ${problemOf(runtime)}.`,
          affects: [runtime.name],
          remedy:
            runtime.versionDoubt === null
              ? usualRemedy('KC204', ['kata-check --to VERSION --requires RANGE'])
              : remedyOfDoubt,
        }),
      ),
};

const byProtocol = pairCheck(['KC102', 'KC103', 'KC107'], (pair, policy) => {
  const { runtime, image } = pair;
  const met = reachOf(pair)?.met ?? [];
  const counted = countedOf(met);
  const code = codeOf(met);
  if (code === null) return null;
  const proof = counted.filter(({ weight }) => weight === 'block');
  const parts = {
    facts: [runtimeFact(runtime), imageFact(image), ...counted.map(metFact), ...doubtFacts(pair, counted)],
    consequence: consequenceOf(proof.length === 0 ? counted : proof),
    affects: [image.facts.path],
    missing: counted.filter(({ row }) => row.kind === 'call').map(({ row }) => row.name),
    remedy: remedyFor(runtime, image, pair.used.state.manager, counted),
  };
  // The tables know releases; what was built may be another thing, and the programs say that it is.
  if (code === 'KC103' && proof.some(({ row }) => row.kind === 'call') && isRefuted(runtime, image)) {
    const consequence = `${parts.consequence}, by their releases; but both programs themselves say that every call is there`;
    return finding(code, policy, { ...parts, consequence }, 'warn');
  }
  return finding(code, policy, {
    ...parts,
    ...(code === 'KC107' ? {} : { title: unfitTitle(runtime) }),
  });
});

/** Why something that would keep pods from starting is only a warning. */
function doubtFacts({ runtime, agent, used }: Pair, counted: readonly Met[]): Fact[] {
  if (!counted.some(({ isDoubtful }) => isDoubtful)) return [];
  const versions: readonly (readonly [string, Version | undefined])[] = [
    ['runtime', runtime.version],
    ['agent', agent],
  ];
  const found = versions.flatMap(([who, version]) => {
    const between = version === undefined ? null : betweenReleases(version, used.state.known.lastMinors);
    return between === null ? [] : [`the ${who} ${version?.written} is ${between}`];
  });
  const why =
    found.length > 0
      ? found
      : ['which language the runtime is written in, or which configuration it reads, is not known'];
  return [{ label: 'not certain', value: why.join('; '), from: '' }];
}

const byDeclaration = pairCheck(['KC101'], ({ runtime, requirement, image, agent, used }, policy) => {
  if (requirement.isRule || requirement.otherwise !== undefined || isInRange(agent, requirement.range)) return null;
  return finding('KC101', policy, {
    title: unfitTitle(runtime),
    facts: [runtimeFact(runtime), imageFact(image)],
    consequence: `This runtime works with agent ${requirement.range.text}, but the agent in the image is ${agent.text}. Containers may not start, or may fail later when one side calls what the other does not have.`,
    affects: [image.facts.path],
    remedy: remedyFor(runtime, image, used.state.manager),
  });
});

const byRule = pairCheck(['KC104'], (pair, policy) => {
  const { image, agent } = pair;
  const requirement = pair.requirement.otherwise ?? pair.requirement;
  if (!requirement.isRule || reachOf(pair) !== undefined || isInRange(agent, requirement.range)) return null;
  const runtime = { ...pair.runtime, requirement };
  const why = pair.requirement.otherwise === undefined ? null : whyNotCovered(agent, pair.used.state.known.lastMinors);
  return finding('KC104', policy, {
    facts: [runtimeFact(runtime), imageFact(image)],
    consequence: `Containers may fail: nothing declares that agent ${agent.text} works with runtime ${runtime.version?.text ?? 'of unknown version'}${why === null ? '' : `, and ${why}`}.`,
    affects: [image.facts.path],
    remedy: remedyFor(runtime, image, pair.used.state.manager),
  });
});

/** What is said of such a runtime is a warning (judge.ts), and where it fits, this is. */
const ofDoubtfulVersion: Check = {
  codes: ['KC204'],
  examine: (state, policy) =>
    state.runtimes.flatMap((runtime) => {
      const { versionDoubt } = runtime;
      const isUsed = state.images.some((image) => isJudged(state, runtime, image) && conditionOf(image).is === 'known');
      if (versionDoubt === null || runtime.version === undefined || !dependsOnVersion(runtime) || !isUsed) return [];
      return finding('KC204', policy, {
        title: 'the version of the Kata runtime is in doubt',
        facts: [runtimeFact(runtime)],
        consequence: `${versionDoubt}: what follows from it is no proof`,
        affects: [runtime.name],
        remedy: remedyOfDoubt,
      });
    }),
};

export const requirementChecks: readonly Check[] = [withoutRequirement, ofDoubtfulVersion];
/** At most one of them speaks of a pair. */
export const pairChecks: readonly PairCheck[] = [byProtocol, byDeclaration, byRule];

/** Undefined where something else decides, and where the protocol's tables do not tell. */
function reachOf({ requirement, used }: Pair): Reach | undefined {
  return requirement.otherwise === undefined ? undefined : used.reach;
}

/** What --requires says holds for a runtime of any version. */
export function dependsOnVersion({ requirement }: Runtime): boolean {
  return requirement !== null && requirement.source !== '--requires';
}

function unfitTitle({ isIncoming }: Runtime): string {
  return `the guest image does not fit the ${isIncoming ? 'incoming' : 'installed'} Kata runtime`;
}
