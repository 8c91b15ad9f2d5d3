/**
 * The node as a whole: sandboxes that run while something changes, and configurations.
 */

import { isChanged, type State } from '../../state/node.ts';
import { shellWord } from '../wording.ts';
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
        consequence: 'they keep the old pair until they end; operations that start a shim anew meet the new one',
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

const unreadConfigurations: Check = {
  codes: ['KC202'],
  examine: (state, policy) =>
    concernsSomebody(state)
      ? state.unread.map(({ path, message }) =>
          finding('KC202', policy, {
            title: 'a configuration cannot be read',
            facts: [{ label: 'broken', value: path, from: '' }],
            consequence: `${message}; which images it names is not known`,
            affects: [path],
            remedy: { text: 'Correct the file: the runtime refuses it as well.', commands: [] },
          }),
        )
      : [],
};

const maskedConfigurations: Check = {
  codes: ['KC303'],
  examine: (state, policy) => {
    if (!concernsSomebody(state)) return [];
    const known = new Set(state.images.map(({ facts }) => facts.path));
    return state.configurations.flatMap(({ path, maskedBy, images }) => {
      if (maskedBy === null) return [];
      const hidden = images.filter((image) => !known.has(image.path)).map((image) => image.path);
      return [
        finding('KC303', policy, {
          facts: [{ label: 'masked', value: path, from: '' }],
          consequence: `${maskedBy} masks ${path}${hidden.length === 0 ? '' : `, which names ${hidden.join(', ')}`}`,
          affects: [path],
          remedy: usualRemedy('KC303', [`diff ${shellWord(path)} ${shellWord(maskedBy)}`]),
        }),
      ];
    });
  },
};

export const nodeChecks: readonly Check[] = [runningSandboxes, unreadConfigurations, maskedConfigurations];

/** Who installs something else need not hear of it each time. */
function concernsSomebody(state: State): boolean {
  return !state.onlyChanges || isChanged(state);
}
