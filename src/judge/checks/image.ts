/**
 * Images of which the agent is not known: they are taken away, missing, unreadable, or say nothing.
 */

import type { Image } from '../../state/node.ts';
import type { Fact } from '../findings.ts';
import { shellWord } from '../shell.ts';
import { imageFact, oneLine, runtimeFact } from '../wording.ts';
import { type Check, imageCheck, usualRemedy } from './check.ts';

const removed = imageCheck('KC302', 'removed', ({ facts, removedBy }, users) => ({
  facts: [{ label: 'removed', value: removedBy ?? '', from: oneLine(facts.path) }, ...users.map(runtimeFact)],
  consequence: 'The runtime stays and the image goes, so that no pod starts with this image afterwards.',
  affects: [facts.path],
  remedy: usualRemedy('KC302'),
}));

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

/** At most one of them speaks of an image. */
export const imageChecks: readonly Check[] = [
  removed,
  madeAnew,
  unreadInItsPackage,
  missing,
  unreadable,
  withoutAVersion,
];

/** Where its path leads to, and who names it. */
function pathFacts({ facts, usedBy }: Image): Fact[] {
  const leadsTo = facts.resolvedPath === facts.path ? [] : [{ label: 'leads to', value: facts.resolvedPath, from: '' }];
  const users = new Set(usedBy.map(({ path }) => path));
  return [...leadsTo, ...[...users].map((value) => ({ label: 'used by', value, from: '' }))];
}
