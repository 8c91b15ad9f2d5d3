/** What --verbose says of a pair: what the agent does not understand of the runtime's, and that does no harm on this node. */

import type { Pair } from '../judge/judge.ts';
import { decisionText, failureOf, namedRow } from '../protocol/words.ts';

/** A line each, without what is a finding. */
export function unmetLines(pairs: readonly Pair[]): string[] {
  const lines = pairs.flatMap(({ runtime, image, reach }) => {
    const agent = image.incoming === null ? image.facts.agent?.version : image.incoming.version;
    return (
      (reach?.met ?? [])
        // What is for another architecture alone is not worth a line.
        .filter(({ weight, outcome, decisions }) => weight === 'info' && (outcome !== 'off' || decisions.length > 0))
        .map((one) => {
          const deciding = one.decisions.map(decisionText).join(', ');
          const why = one.outcome === 'off' ? `switched off here: ${deciding}` : failureOf(one);
          return `agent ${agent?.text} does not understand ${namedRow(one.row)} of runtime ${runtime.version?.text}; ${why}`;
        })
    );
  });
  return [...new Set(lines)];
}
