/**
 * A check looks at a state for one kind of trouble. `judge.ts` runs all of them. What they share is here: how a finding is made, and the
 * form of a check that looks at images one by one.
 */

import { conditionOf, type Image, type ImageCondition, isJudged, type Runtime, type State } from '../../state/node.ts';
import { type Code, type Finding, findingKind, type Severity } from '../findings.ts';
import { type Policy, severityOf } from '../policy.ts';

export interface Check {
  /** The findings that it can make. */
  readonly codes: readonly Code[];
  examine(state: State, policy: Policy): readonly Finding[];
}

/** A finding without what its kind and the policy say. */
export type Parts = Pick<Finding, 'facts' | 'consequence' | 'affects' | 'remedy'> &
  Partial<Pick<Finding, 'title' | 'missing'>>;

/** `builtIn`: the severity before the policy, where it is not that of the kind. */
export function finding(
  code: Code,
  policy: Policy,
  parts: Parts,
  builtIn: Severity = findingKind(code).severity,
): Finding {
  const { title } = findingKind(code);
  return { title, ...parts, code, severity: severityOf(code, builtIn, policy) };
}

/** The remedy that `explain` gives, which is the same on every node. */
export function usualRemedy(code: Code, commands: readonly string[] = []): Finding['remedy'] {
  return { text: findingKind(code).remedy, commands };
}

/** A check of each image that is in this condition and that a runtime uses. */
export function imageCheck(
  code: Code,
  condition: ImageCondition['is'],
  partsOf: (image: Image, users: readonly Runtime[]) => Parts,
): Check {
  return {
    codes: [code],
    examine: (state, policy) =>
      state.images.flatMap((image) => {
        const users = state.runtimes.filter((runtime) => isJudged(state, runtime, image));
        return users.length === 0 || conditionOf(image).is !== condition
          ? []
          : [finding(code, policy, partsOf(image, users))];
      }),
  };
}
