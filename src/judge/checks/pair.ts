/**
 * A runtime and a guest image that are used together, both of known version: do they understand each other?
 *
 * What a package or the configuration declares wins over the protocol's history; the policy's rule decides where neither tells.
 */

import { type Comparison, compareProtocols, consequenceOf, whyNotCovered } from '../../protocol/compare.ts';
import { conditionOf, type Image, isJudged, type Requirement, type Runtime, type State } from '../../state/node.ts';
import { isInRange, type Version } from '../../version.ts';
import type { Code, Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';
import { imageFact, missingFacts, remedyFor, runtimeFact } from '../wording.ts';
import { type Check, finding, usualRemedy } from './check.ts';
import { isRefuted } from './evidence.ts';

interface Pair {
  readonly runtime: Runtime;
  readonly requirement: Requirement;
  readonly image: Image;
  readonly agent: Version;
  readonly manager: State['manager'];
}

/** A check of each pair of which both versions, and a requirement, are known. */
function pairCheck(codes: readonly Code[], examine: (pair: Pair, policy: Policy) => Finding | null): Check {
  return {
    codes,
    examine: (state, policy) =>
      state.images.flatMap((image) => {
        const condition = conditionOf(image);
        if (condition.is !== 'known') return [];
        return state.runtimes.flatMap((runtime) => {
          const { requirement } = runtime;
          if (requirement === null || !isJudged(state, runtime, image)) return [];
          return examine({ runtime, requirement, image, agent: condition.agent, manager: state.manager }, policy) ?? [];
        });
      }),
  };
}

const withoutRequirement: Check = {
  codes: ['KC204'],
  examine: (state, policy) =>
    state.runtimes
      .filter(({ requirement }) => requirement === null)
      .filter((runtime) => state.images.some((image) => isJudged(state, runtime, image)))
      .map((runtime) =>
        finding('KC204', policy, {
          facts: [runtimeFact(runtime)],
          consequence: `Nobody can tell which agents this runtime works with: ${runtime.requirementProblem ?? 'nothing says it'}.`,
          affects: [runtime.name],
          remedy: usualRemedy('KC204', ['kata-check --to VERSION --requires RANGE']),
        }),
      ),
};

const byProtocol = pairCheck(['KC102', 'KC103', 'KC107'], (pair, policy) => {
  const { runtime, image } = pair;
  const compared = comparisonOf(pair);
  if (compared === undefined || compared.code === null) return null;
  const parts = {
    facts: [runtimeFact(runtime), imageFact(image), ...missingFacts(compared)],
    consequence: consequenceOf(compared),
    affects: [image.facts.path],
    missing: compared.breaks.length > 0 ? [] : compared.missing.map(({ name }) => name),
    remedy: remedyFor(runtime, image, pair.manager, compared),
  };
  // The history knows releases; what was built may be another thing, and the programs say that it is.
  if (compared.missing.length > 0 && compared.breaks.length === 0 && isRefuted(runtime, image)) {
    const consequence = `${parts.consequence}, by their releases; but both programs themselves say that every call is there`;
    return finding(compared.code, policy, { ...parts, consequence }, 'warn');
  }
  return finding(compared.code, policy, {
    ...parts,
    ...(compared.code === 'KC107' ? {} : { title: unfitTitle(runtime) }),
  });
});

const byDeclaration = pairCheck(['KC101'], ({ runtime, requirement, image, agent, manager }, policy) => {
  if (requirement.isRule || requirement.otherwise !== undefined || isInRange(agent, requirement.range)) return null;
  return finding('KC101', policy, {
    title: unfitTitle(runtime),
    facts: [runtimeFact(runtime), imageFact(image)],
    consequence: `This runtime works with agent ${requirement.range.text}, but the agent in the image is ${agent.text}. Containers may not start, or may fail later when one side calls what the other does not have.`,
    affects: [image.facts.path],
    remedy: remedyFor(runtime, image, manager),
  });
});

const byRule = pairCheck(['KC104'], (pair, policy) => {
  const { image, agent } = pair;
  const requirement = pair.requirement.otherwise ?? pair.requirement;
  if (!requirement.isRule || comparisonOf(pair) !== undefined || isInRange(agent, requirement.range)) return null;
  const runtime = { ...pair.runtime, requirement };
  const why = pair.requirement.otherwise === undefined ? null : whyNotCovered(agent);
  return finding('KC104', policy, {
    facts: [runtimeFact(runtime), imageFact(image)],
    consequence: `Containers may fail: nothing declares that agent ${agent.text} works with runtime ${runtime.version?.text ?? 'of unknown version'}${why === null ? '' : `, and ${why}`}.`,
    affects: [image.facts.path],
    remedy: remedyFor(runtime, image, pair.manager),
  });
});

/** What is said of such a runtime is a warning (judge.ts), and where it fits, this is. */
const ofDoubtfulVersion: Check = {
  codes: ['KC204'],
  examine: (state, policy) =>
    state.runtimes.flatMap((runtime) => {
      const { versionDoubt } = runtime;
      const isUsed = state.images.some((image) => isJudged(state, runtime, image) && conditionOf(image).is === 'known');
      if (versionDoubt === null || !dependsOnVersion(runtime) || !isUsed) return [];
      return finding('KC204', policy, {
        title: 'the version of the Kata runtime is in doubt',
        facts: [runtimeFact(runtime)],
        consequence: `${versionDoubt}: what follows from it is no proof`,
        affects: [runtime.name],
        remedy: {
          text: 'Ask on the node itself, or in a chroot, where the program can be run; or give the version with --to.',
          commands: ['chroot DIRECTORY kata-check', 'kata-check --root DIRECTORY --to VERSION'],
        },
      });
    }),
};

export const requirementChecks: readonly Check[] = [withoutRequirement, ofDoubtfulVersion];
/** At most one of them speaks of a pair. */
export const pairChecks: readonly Check[] = [byProtocol, byDeclaration, byRule];

/** Undefined where something else decides, and where the history does not tell. */
function comparisonOf({ requirement, runtime, agent }: Pair): Comparison | undefined {
  if (requirement.otherwise === undefined || runtime.version === undefined) return undefined;
  return compareProtocols(runtime.version, agent);
}

/** What --requires says holds for a runtime of any version. */
export function dependsOnVersion({ requirement }: Runtime): boolean {
  return requirement !== null && requirement.source !== '--requires';
}

function unfitTitle({ isIncoming }: Runtime): string {
  return `the guest image does not fit the ${isIncoming ? 'incoming' : 'installed'} Kata runtime`;
}
