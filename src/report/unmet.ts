/** What --verbose says of a pair: what the agent does not understand of the runtime's, and that does no harm on this node. */

import type { Pair } from '../judge/judge.ts';
import { reach } from '../protocol/reach.ts';
import { decisionText, failureOf, namedRow } from '../protocol/words.ts';
import type { State } from '../state/node.ts';
import { readsOf } from '../state/reading.ts';

/** A line each, without what is a finding. */
export function unmetLines({ reading, known }: State, pairs: readonly Pair[]): string[] {
  const lines = pairs.flatMap(({ runtime, image }) => {
    const agent = image.incoming === null ? image.facts.agent?.version : image.incoming.version;
    if (runtime.version === undefined || agent === undefined) return [];
    const { readers, isSure } = readsOf(reading, runtime, image);
    const met = reach(runtime.version, agent, readers, isSure, known)?.met ?? [];
    return (
      met
        // What is for another architecture alone is not worth a line.
        .filter(({ weight, outcome, decisions }) => weight === 'info' && (outcome !== 'off' || decisions.length > 0))
        .map((one) => {
          const deciding = one.decisions.map(decisionText).join(', ');
          const why = one.outcome === 'off' ? `switched off here: ${deciding}` : failureOf(one);
          return `agent ${agent.text} does not understand ${namedRow(one.row)} of runtime ${runtime.version?.text}; ${why}`;
        })
    );
  });
  return [...new Set(lines)];
}
