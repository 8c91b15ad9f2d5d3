/**
 * Configurations: those that cannot be read or name no image as they should, those that are gone, and those that are masked.
 */

import type { Unread } from '../../locate/toml.ts';
import { isChanged, type State } from '../../state/node.ts';
import type { Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';
import { shellWord } from '../shell.ts';
import { type Check, finding, usualRemedy } from './check.ts';

const unreadConfigurations: Check = {
  codes: ['KC202', 'KC203'],
  examine: (state, policy) => (concernsSomebody(state) ? state.unread.map((unread) => findingOf(unread, policy)) : []),
};

function findingOf(unread: Unread, policy: Policy): Finding {
  const { path, message, reason, namedBy } = unread;
  const affects = [path];
  if (reason === 'gone') return goneFinding(unread, policy);
  if (reason === 'relative' && namedBy !== undefined) {
    return finding('KC202', policy, {
      title: 'a configuration of Kata is named by no absolute path',
      facts: [{ label: 'named by', value: namedBy, from: namedBy === path ? '' : path }],
      consequence: `The runtime looks for this configuration in the folder in which its process happens to run, and does not start where it is not there: ${message}.`,
      affects,
      remedy: { text: `Write the absolute path of the configuration into ${path}.`, commands: [] },
    });
  }
  if (reason === 'relative') {
    return finding('KC203', policy, {
      title: 'a configuration names a guest image by no absolute path',
      facts: [{ label: 'configured', value: path, from: '' }],
      consequence: `The runtime looks for this image in the folder in which its process happens to run: ${message}.`,
      affects,
      remedy: { text: 'Write the absolute path of the image into the configuration.', commands: [] },
    });
  }
  if (reason === 'imageless') {
    return finding('KC203', policy, {
      title: 'a configuration names no guest image',
      facts: [{ label: 'configured', value: path, from: '' }],
      consequence: `The runtime does not start a pod without a guest image: ${message}.`,
      affects,
      remedy: { text: 'Write the absolute path of the image into the configuration.', commands: [] },
    });
  }
  if (reason === 'bare') {
    return finding('KC202', policy, {
      title: 'no configuration was found for a Kata runtime',
      facts: [{ label: 'installed', value: path, from: '' }],
      consequence: `Nobody can tell which guest images this runtime uses: ${message}.`,
      affects,
      remedy: {
        text: 'Install the configuration of this runtime. If something else gives it one, write the image into the section [images] of /etc/kata-check.conf.',
        commands: [],
      },
    });
  }
  return finding('KC202', policy, {
    title: 'a configuration cannot be read',
    facts: [{ label: 'broken', value: path, from: '' }],
    consequence: `Nobody can tell which guest images this configuration names, because kata-check cannot read it: ${message}.`,
    affects,
    remedy: { text: 'Correct the file. Its own program cannot read it either.', commands: [] },
  });
}

/** A handler that outlived its configuration, as after another kata-deploy. */
function goneFinding({ path, namedBy = '', namedIn = '' }: Unread, policy: Policy): Finding {
  const missing = { label: 'missing', value: path, from: '' };
  // A wrapper script is named by itself.
  if (namedBy === namedIn) {
    return finding('KC202', policy, {
      title: 'a script names a configuration of Kata that is gone',
      facts: [missing, { label: 'named by', value: namedBy, from: '' }],
      consequence: `The runtime does not start through this script, because ${path} does not exist.`,
      affects: [path, namedIn],
      remedy: { text: `Remove ${namedIn}, or install the configuration again.`, commands: [] },
    });
  }
  return finding('KC202', policy, {
    title: 'a container engine names a configuration of Kata that is gone',
    facts: [missing, { label: 'named by', value: namedBy, from: namedIn }],
    consequence: `Pods of this handler do not start, because ${path} does not exist.`,
    affects: [path, namedIn],
    remedy: {
      text: `Remove this handler from ${namedIn} and restart the container engine, or install the configuration again.`,
      commands: [],
    },
  });
}

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
          consequence: `The runtime reads ${maskedBy} instead of ${path}${hidden.length === 0 ? '' : `, so that nothing uses ${hidden.join(', ')}`}`,
          affects: [path],
          remedy: usualRemedy('KC303', [`diff ${shellWord(path)} ${shellWord(maskedBy)}`]),
        }),
      ];
    });
  },
};

export const configurationChecks: readonly Check[] = [unreadConfigurations, maskedConfigurations];

/** Who installs something else need not hear of it each time. */
function concernsSomebody(state: State): boolean {
  return !state.onlyChanges || isChanged(state);
}
