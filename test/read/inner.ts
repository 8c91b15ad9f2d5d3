/** Random bytes out of few letters, so that what is looked for is found, and what the inner loops of read/bytes.ts and `holding` make of them. */

import type { Host } from '../../src/host/host.ts';
import { find, fromLatin1, isPlain, linesBeginning, utf8 } from '../../src/read/bytes.ts';

const letters = 'abkK:/.-img\n\n\x7f\xe9';
/** Of which letters of UTF-8 are made, and what is nearly one: the first and last bytes of each range, and the ones beside. */
const sequences = [
  0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
  0xf1, 0xf3, 0xf4, 0xf5, 0xff,
];
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
      utf8(Uint8Array.from({ length: next(12) }, () => sequences[next(sequences.length)] ?? 0)),
      host.holding([path], texts, 1000).length,
    ]);
  });
  return lines.join('\n');
}
