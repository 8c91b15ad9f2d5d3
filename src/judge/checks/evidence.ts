/**
 * What the two programs themselves say: a call that the agent does not have, or a message that the two read in different ways, whatever their
 * release numbers are. Where both can be read, and everything is there, that is told beside what the table says.
 *
 * What --requires, a package or the configuration declares wins over it, as over the table.
 */

import { compareDescriptions, type Evidence } from '../../protocol/evidence.ts';
import { codeOf, countedOf, reachOfCalls } from '../../protocol/reach.ts';
import { consequenceOf } from '../../protocol/words.ts';
import type { Image, Runtime } from '../../state/node.ts';
import type { Code, Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';
import { imageFact, metFact, runtimeFact } from '../wording.ts';
import { finding, usualRemedy } from './check.ts';
import type { PairCheck, UsedPair } from './used-pair.ts';

/** Null where one of the two says nothing. */
export function evidenceOf(runtime: Runtime, image: Image): Evidence | null {
  if (runtime.description === null || image.description === null) return null;
  return compareDescriptions(runtime.description, image.description);
}

/** Both say that every call is there, and that they read each message in the same way. */
export function isRefuted(runtime: Runtime, image: Image): boolean {
  const evidence = evidenceOf(runtime, image);
  return evidence !== null && evidence.missing?.length === 0 && evidence.breaks.length === 0;
}

export const evidenceChecks: readonly PairCheck[] = [
  {
    codes: ['KC102', 'KC103'],
    examine: (pair, policy) => (pair.image.removedBy === null && isOpen(pair.runtime) ? findingsOf(pair, policy) : []),
  },
];

/** Nothing that was declared for this runtime decides. */
function isOpen({ requirement }: Runtime): boolean {
  return requirement === null || requirement.isRule || requirement.otherwise !== undefined;
}

function findingsOf(pair: UsedPair, policy: Policy): Finding[] {
  const { runtime, image } = pair;
  const evidence = evidenceOf(runtime, image);
  if (evidence === null) return [];
  const told = countedOf(pair.reach?.met ?? []);
  const facts = [runtimeFact(runtime), imageFact(image)];
  const title = `the guest image does not fit the ${runtime.isIncoming ? 'incoming' : 'installed'} Kata runtime`;
  const make = (code: Code, more: Finding['facts'], consequence: string): Finding =>
    finding(code, policy, {
      title,
      facts: [...facts, ...more],
      consequence: `${consequence} (read in both programs)`,
      affects: [image.facts.path],
      // A version that lies is no help in finding what fits.
      remedy: usualRemedy(code),
    });
  const found: Finding[] = [];
  const [first] = evidence.breaks;
  if (first !== undefined && !told.some(({ row, weight }) => weight === 'block' && row.kind !== 'call')) {
    const more = evidence.breaks.map(({ field, ...sides }) => ({
      label: 'differs',
      value: field,
      from: `runtime: ${sides.runtime}\nagent: ${sides.agent}`,
    }));
    found.push(make('KC102', more, `the two read the same bytes in different ways: ${first.field}`));
  }
  const missing = (evidence.missing ?? []).filter((name) => !told.some(({ row }) => row.name === name));
  const { readers, isSure } = pair.reads;
  const { met, unknown } = reachOfCalls(missing, runtime.version, readers, isSure, pair.state.known);
  const counted = countedOf(met);
  const code = codeOf(met);
  if (code !== null) {
    const proof = counted.filter(({ weight }) => weight === 'block');
    found.push(make(code, counted.map(metFact), consequenceOf(proof.length === 0 ? counted : proof)));
  }
  if (unknown.length > 0) {
    const more = unknown.map((value) => ({ label: 'missing', value, from: 'the agent does not have it' }));
    const names = unknown.slice(0, 6).join(', ');
    const consequence = `calls the agent does not have: ${names}; until a release declares otherwise, the two must match`;
    found.push(make('KC103', more, consequence));
  }
  return found;
}
