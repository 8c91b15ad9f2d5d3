/**
 * Of which releases a row speaks. Each row's texts are read once, and only when they are asked for: every check of a node pays for that.
 */

import { placeOf } from './place.ts';
import type { Row } from './row.ts';
import type { Language } from './settings.ts';

/** A runtime's language, and where its release stands. */
export interface Place {
  readonly language: Language;
  readonly runtime: number;
}

interface Span {
  readonly from: number;
  readonly before: number;
}

/** By the text. */
const spans = new Map<string, readonly Span[]>();

function read(text: string, parse: (text: string) => readonly Span[]): readonly Span[] {
  const known = spans.get(text);
  if (known !== undefined) return known;
  const found = parse(text);
  spans.set(text, found);
  return found;
}

/** As "2.0.0..2.2.0" or "2.0.0..". */
function spanOf(text: string): readonly Span[] {
  const [from = '', before = ''] = text.split('..');
  return [{ from: placeOf(from), before: before === '' ? Number.POSITIVE_INFINITY : placeOf(before) }];
}

/** As ">=2.0.0 <2.2.0 || >=3.0.0"; either half may be missing. */
function rangesOf(text: string): readonly Span[] {
  return text.split('||').map((part) => {
    const from = />=([0-9.]+)/.exec(part)?.[1];
    const before = /<([0-9.]+)/.exec(part)?.[1];
    return {
      from: from === undefined ? 0 : placeOf(from),
      before: before === undefined ? Number.POSITIVE_INFINITY : placeOf(before),
    };
  });
}

/** Whatever has no end goes on. */
function isWithin(place: number, { from, before }: Span): boolean {
  return place >= from && (place < before || before === Number.POSITIVE_INFINITY);
}

/** By a runtime of that language and place. */
export function isAsked(row: Row, { language, runtime }: Place): boolean {
  const text = row[language];
  return text !== undefined && read(text, spanOf).some((span) => isWithin(runtime, span));
}

/** The agent of that place does not understand it. */
export function isLacking({ lacks }: Row, agent: number): boolean {
  return read(lacks, rangesOf).some((range) => isWithin(agent, range));
}
