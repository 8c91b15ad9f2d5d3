/**
 * The node as a whole: sandboxes that run while something changes.
 */

import { isChanged } from '../../state/node.ts';
import { type Check, finding, usualRemedy } from './check.ts';

/** Of the sandboxes that run, how many are named, and how many letters of each. */
const shownIds = 3;
const shownLetters = 13;

const runningSandboxes: Check = {
  codes: ['KC301'],
  examine: (state, policy) => {
    const { running, ids } = state.sandboxes ?? { running: 0, ids: [] };
    if (running === 0 || !isChanged(state)) return [];
    const shown = ids.slice(0, shownIds).map((id) => id.slice(0, shownLetters));
    return [
      finding('KC301', policy, {
        facts: [
          {
            label: 'running',
            value: `${running} ${running === 1 ? 'sandbox' : 'sandboxes'}`,
            from: shown.join(', ') + (running > shown.length ? ', …' : ''),
          },
        ],
        consequence:
          'Pods that run now keep the runtime and the image with which they were started until they end. What is started for them later comes from the new files, and may not fit.',
        affects: ids,
        remedy: usualRemedy('KC301', [
          'kubectl drain NODE --ignore-daemonsets --delete-emptydir-data',
          'crictl pods --state ready',
          'kubectl uncordon NODE',
        ]),
      }),
    ];
  },
};

export const nodeChecks: readonly Check[] = [runningSandboxes];
