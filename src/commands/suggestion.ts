/**
 * "Did you mean": what is known and looks most like a mistyped word.
 */

import { closestMatch } from 'leven';

/** As an addition to a message; empty where nothing is like it. One letter in three may be wrong; dashes in front do not count. */
export function suggestion(mistyped: string, known: readonly string[]): string {
  const bare = (word: string): string => word.replace(/^-+/, '').toLowerCase();
  const word = bare(mistyped);
  const cut = known.find((name) => word.length >= 3 && bare(name).startsWith(word));
  const closest = cut ?? closestMatch(word, known.map(bare), { maxDistance: Math.floor((word.length + 1) / 3) });
  const name = known.find((candidate) => bare(candidate) === bare(closest ?? ''));
  return name === undefined ? '' : `; did you mean ${name}?`;
}
