/**
 * The texts of `kata-check protocol compare`.
 *
 * Of the Node form only.
 */

import type { Comparison, Weight } from '../protocol/proto-compare.ts';
import type { Version } from '../version.ts';
import { document, schema } from './json.ts';
import { printable } from './printable.ts';

const signs: Readonly<Record<Weight, string>> = { break: '!', addition: '+', none: ' ' };
const verdicts: Readonly<Record<Weight, string>> = {
  none: 'The protocol is the same: a patch release is enough',
  addition: 'The protocol has additions: at least a minor release',
  break: 'The protocol breaks: at least a minor release',
};

export function comparisonText(compared: Comparison, from: Version | null, to: Version | null): string {
  const { differences, weight, least, isTooSmall } = compared;
  const lines = differences.map((one) => `${signs[one.weight]} ${one.weight.padEnd(9)} ${printable(one.text)}`);
  const advice = `${verdicts[weight]}${least === null ? '' : `, ${least}`}.`;
  const drain =
    weight === 'break' ? ['Announce it: nodes must be drained, and runtime and guest image upgraded together.'] : [];
  const refused = isTooSmall ? [`${to?.text} is too small a step from ${from?.text}.`] : [];
  return `${[...lines, ...(lines.length > 0 ? [''] : []), advice, ...drain, ...refused].join('\n')}\n`;
}

export function comparisonJson(compared: Comparison, from: Version | null, to: Version | null): string {
  const { differences, weight, least, isTooSmall } = compared;
  const step = weight === 'none' ? 'patch' : 'minor';
  const versions = { from: from?.text ?? null, to: to?.text ?? null, least };
  return document({ schema, differences, weight, step, drain: weight === 'break', ...versions, isTooSmall });
}
