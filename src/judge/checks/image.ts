/**
 * Images of which the agent is not known: they are taken away, missing, unreadable, or say nothing.
 */

import {
  conditionOf,
  contradictionOf,
  type Image,
  isJudged,
  isNew,
  type Runtime,
  type State,
} from '../../state/node.ts';
import type { Fact } from '../findings.ts';
import { shellWord } from '../shell.ts';
import { imageFact, oneLine, runtimeFact } from '../wording.ts';
import { type Check, finding, imageCheck, type Parts, usualRemedy } from './check.ts';

const removed = imageCheck('KC302', 'removed', (image, users) =>
  image.isLeftNamed === true
    ? leftNamed(image, users)
    : {
        facts: [
          { label: 'removed', value: image.removedBy ?? '', from: oneLine(image.facts.path) },
          ...users.map(runtimeFact),
        ],
        consequence: 'The runtime stays and the image goes, so that no pod starts with this image afterwards.',
        affects: [image.facts.path],
        remedy: usualRemedy('KC302'),
      },
);

/** It affects the configurations, too: that the image is missing is told again afterwards, as long as they are as they were. */
function leftNamed({ facts, removedBy, usedBy }: Image, users: readonly Runtime[]): Parts {
  const configurations = [...new Set(usedBy.map(({ path, namedIn = path }) => namedIn))];
  const named = configurations.map(oneLine).join(' and ');
  return {
    title: 'the upgrade takes away a guest image that a configuration names',
    facts: [
      { label: 'removed', value: removedBy ?? '', from: oneLine(facts.path) },
      ...configurations.map((value) => ({ label: 'named by', value, from: '' })),
      ...users.map(runtimeFact),
    ],
    consequence: `No pod starts with this image afterwards: ${removedBy} brings another one in its place, and ${named} stays as it is.`,
    affects: [facts.path, ...configurations],
    remedy: { text: `After the upgrade, name the new image in ${named}.`, commands: ['kata-check'] },
  };
}

const madeAnew = imageCheck('KC206', 'made anew', (image) => ({
  facts: [imageFact(image)],
  consequence: `${image.rebuiltBy} makes ${oneLine(image.facts.path)} anew; kata-check reads it afterwards`,
  affects: [image.facts.path],
  remedy: usualRemedy('KC206', ['kata-check']),
}));

const unreadInItsPackage = imageCheck('KC205', 'unread in its package', ({ facts, incoming }) => {
  const stated = incoming?.versionText ?? null;
  return {
    facts: [{ label: 'incoming', value: incoming?.package ?? '', from: oneLine(facts.path) }],
    consequence:
      stated === null
        ? `Nobody can tell whether the new image fits: its package does not state the version of the agent, and kata-check could not read it out of the package: ${incoming?.problem ?? 'no version was found'}.`
        : `Nobody can tell whether the new image fits: its package states the agent "${stated}", which is not a version.`,
    affects: [facts.path],
    remedy: usualRemedy('KC205', ['kata-check']),
  };
});

const missing = imageCheck('KC203', 'missing', (image) => ({
  facts: [imageFact(image), ...pathFacts(image)],
  // As the node names it, not as it is called from outside of its root.
  consequence: `No pod starts with this image, because ${oneLine(image.facts.resolvedPath)} does not exist.`,
  affects: [image.facts.path],
  remedy: usualRemedy('KC203'),
}));

const unreadable = imageCheck('KC202', 'unreadable', (image) => ({
  facts: [imageFact(image), ...pathFacts(image)],
  consequence: `Nobody can tell whether the image fits, because kata-check cannot read it: ${image.facts.problem?.message ?? ''}.`,
  affects: [image.facts.path],
  remedy: usualRemedy('KC202', [`kata-check image ${shellWord(image.facts.path)}`]),
}));

const withoutAVersion = imageCheck('KC201', 'without a version', (image) => ({
  facts: [imageFact(image)],
  consequence: `Nobody can tell whether the image fits: ${image.facts.unknown ?? 'no version was found'}.`,
  affects: [image.facts.path],
  remedy: usualRemedy('KC201'),
}));

/** Beside what is found of its agent; of an image that comes in also where no runtime is there. */
const contradicting: Check = {
  codes: ['KC105'],
  examine: (state, policy) =>
    state.images.flatMap((image) => {
      const other = contradictionOf(image);
      if (other === null || !isExamined(state, image)) return [];
      const { facts, incoming } = image;
      const isStated = incoming !== null && incoming.versionText !== null;
      return finding(
        'KC105',
        policy,
        {
          facts: [
            imageFact(image),
            { label: 'contradicts', value: `agent ${other.version.text}`, from: `${other.source}, ${other.path}` },
          ],
          consequence: isStated
            ? 'The package states another agent than it holds, so that what fits by its statement may fail.'
            : 'osbuilder.yaml in the image names another agent than the one that is there, so that what fits by it may fail.',
          affects: [facts.path],
          remedy: usualRemedy('KC105'),
        },
        state.isByHand === true && incoming !== null ? 'block' : 'warn',
      );
    }),
};

function isExamined(state: State, image: Image): boolean {
  return (
    conditionOf(image).is === 'known' &&
    (isNew(image) || state.runtimes.some((runtime) => isJudged(state, runtime, image)))
  );
}

/** At most one of them speaks of an image. */
const conditions: readonly Check[] = [removed, madeAnew, unreadInItsPackage, missing, unreadable, withoutAVersion];

export const imageChecks: readonly Check[] = [...conditions, contradicting];

/** Where its path leads to, and who names it. */
function pathFacts({ facts, usedBy }: Image): Fact[] {
  const leadsTo = facts.resolvedPath === facts.path ? [] : [{ label: 'leads to', value: facts.resolvedPath, from: '' }];
  const users = new Set(usedBy.map(({ path }) => path));
  return [...leadsTo, ...[...users].map((value) => ({ label: 'used by', value, from: '' }))];
}
