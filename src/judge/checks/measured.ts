/**
 * Measured images: is the root hash that the guest kernel is given the one that the image has?
 */

import type { Measured } from '../../locate/measured.ts';
import { isAsMeasured } from '../../state/node.ts';
import type { Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';
import { oneLine } from '../wording.ts';
import { type Check, finding, usualRemedy } from './check.ts';

const rootHash: Check = {
  codes: ['KC106', 'KC202'],
  examine: ({ measured }, policy) =>
    measured.filter((one) => !isAsMeasured(one)).map((one) => rootHashFinding(one, policy)),
};

export const measuredChecks: readonly Check[] = [rootHash];

function rootHashFinding(measured: Measured, policy: Policy): Finding {
  const { image, source, isConfigured, expected, actual, problem } = measured;
  const code = problem === null ? 'KC106' : 'KC202';
  const parts = {
    facts: [
      {
        label: isConfigured ? 'configured' : 'expected',
        value: expected ?? 'no root hash of SHA-256',
        from: oneLine(source),
      },
      {
        label: 'image',
        value: actual ?? (problem === null && expected !== null ? 'no hash partition' : 'root hash unknown'),
        from: oneLine(image),
      },
    ],
    affects: [image, source],
    remedy: usualRemedy(code),
  };
  if (isConfigured && expected !== null) {
    const consequence =
      problem === null
        ? 'The guest kernel refuses an image with another root hash, so that no pod starts with it.'
        : `Nobody can tell whether the guest kernel accepts the image: ${problem}.`;
    return finding(code, policy, { ...parts, consequence });
  }
  const doubt = isConfigured
    ? {
        title: 'the root hash in the configuration cannot be read',
        consequence:
          'kata-check does not understand which root hash the runtime demands, so that pods may not start with this image.',
      }
    : {
        title: 'the file beside the guest image holds the root hash of another image',
        consequence:
          'Pods start, because the configuration demands no root hash. But this is not the image with which the file of the root hash came.',
      };
  return finding(code, policy, { ...parts, ...doubt }, 'warn');
}
