/**
 * What the two programs themselves say: a call that the agent does not have, or a message that the two read in different ways, whatever their
 * release numbers are. Where both can be read, and everything is there, that is told beside what the table says.
 *
 * What --requires, a package or the configuration declares wins over it, as over the table.
 */

import { type Comparison, compareProtocols } from '../../protocol/compare.ts';
import { compareDescriptions, type Evidence } from '../../protocol/evidence.ts';
import { type Image, isJudged, type Runtime } from '../../state/node.ts';
import type { Code, Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';
import { imageFact, runtimeFact } from '../wording.ts';
import { type Check, finding, usualRemedy } from './check.ts';

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

/** In agent.proto and in the runtime's code, but never called by it (kata_agent.go of 1.0.0 to 1.5.0). */
const neverCalled = ['AddInterface', 'RemoveInterface'];

/** What the table says of the two; undefined where it says nothing. */
function byTable(runtime: Runtime, image: Image): Comparison | undefined {
  const agent = image.incoming === null ? image.facts.agent?.version : image.incoming.version;
  return runtime.version === undefined || agent === undefined ? undefined : compareProtocols(runtime.version, agent);
}

export const evidenceChecks: readonly Check[] = [
  {
    codes: ['KC102', 'KC103'],
    examine: (state, policy) =>
      state.images.flatMap((image) =>
        state.runtimes
          .filter((runtime) => image.removedBy === null && isJudged(state, runtime, image) && isOpen(runtime))
          .flatMap((runtime) => findingsOf(runtime, image, policy)),
      ),
  },
];

/** Nothing that was declared for this runtime decides. */
function isOpen({ requirement }: Runtime): boolean {
  return requirement === null || requirement.isRule || requirement.otherwise !== undefined;
}

function findingsOf(runtime: Runtime, image: Image, policy: Policy): Finding[] {
  const evidence = evidenceOf(runtime, image);
  if (evidence === null) return [];
  const told = byTable(runtime, image);
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
  if (first !== undefined && told?.code !== 'KC102') {
    const more = evidence.breaks.map(({ field, ...sides }) => ({
      label: 'differs',
      value: field,
      from: `runtime: ${sides.runtime}\nagent: ${sides.agent}`,
    }));
    found.push(make('KC102', more, `the two read the same bytes in different ways: ${first.field}`));
  }
  const isTold = (name: string): boolean =>
    neverCalled.includes(name) || told?.missing.some((call) => call.name === name) === true;
  const missing = (evidence.missing ?? []).filter((name) => !isTold(name));
  if (missing.length > 0) {
    const more = missing.map((value) => ({ label: 'missing', value, from: 'the agent does not have it' }));
    found.push(make('KC103', more, `calls the agent does not have: ${missing.slice(0, 6).join(', ')}`));
  }
  return found;
}
