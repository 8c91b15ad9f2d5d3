/** Random bytes out of few letters, so that what is looked for is found, and what the inner loops of read/bytes.ts and `holding` make of them. */

import type { Host } from '../../src/host/host.ts';
import { find, fromLatin1, isPlain, linesBeginning } from '../../src/read/bytes.ts';

const letters = 'abkK:/.-img\n\n\x7f\xe9';
const beginnings = ['k', 'ka:', 'a/.'];

/** Numerical Recipes' generator; its upper bits are the good ones. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
}

function text(next: (below: number) => number, length: number): string {
  return Array.from({ length }, () => letters[next(letters.length)]).join('');
}

/** `path`: a file that is written anew for each case by `write`. A line for each of so many cases. */
export function answers(
  count: number,
  path: string,
  host: Pick<Host, 'holding'>,
  write: (bytes: Uint8Array) => void,
): string {
  const next = numbers(20261127);
  const lines = Array.from({ length: count }, () => {
    const bytes = fromLatin1(text(next, next(60)));
    const needle = fromLatin1(text(next, next(5)));
    const texts = Array.from({ length: 1 + next(12) }, () => text(next, 1 + next(8)).replaceAll('\xe9', 'x'));
    write(bytes);
    return JSON.stringify([
      find(bytes, needle, next(20)),
      linesBeginning(bytes, beginnings),
      isPlain(bytes.subarray(0, next(8))),
      host.holding([path], texts, 1000).length,
    ]);
  });
  return lines.join('\n');
}
