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
    const consequence = problem ?? 'the guest kernel refuses the image: no pod starts with it';
    return finding(code, policy, { ...parts, consequence });
  }
  const doubt = isConfigured
    ? {
        title: 'the root hash in the configuration cannot be read',
        consequence: 'what is asked of the image is not known; a pod may not start with it',
      }
    : {
        title: 'the root hash that lies beside the guest image is not its own',
        consequence:
          'the configuration asks for no root hash, so that pods start; but this is not the image that the file came with',
      };
  return finding(code, policy, { ...parts, ...doubt }, 'warn');
}
