/** What the judge is given and gives, for tests of it and of the reports. */

import type { Report } from '../src/check.ts';
import { judge } from '../src/judge/judge.ts';
import type { Policy } from '../src/judge/policy.ts';
import type { ImageFacts } from '../src/read/image.ts';
import type { Image, Runtime, State } from '../src/state/node.ts';

export const imagePath = '/usr/share/kata-containers/kata-containers.img';

export const usualPolicy: Policy = { mode: 'block', allow: new Set(), severity: new Map(), strict: false };

/** A disk as Kata's builder makes it, in which no version was looked for. */
export const diskFacts: ImageFacts = {
  path: imagePath,
  resolvedPath: imagePath,
  form: 'disk',
  table: 'mbr',
  dax: true,
  partitions: 1,
  partition: 1,
  offset: 3145728,
  filesystem: 'ext4',
  compression: null,
  agent: null,
  kind: 'guest',
  unknown: null,
  contradiction: null,
  notes: [],
  problem: null,
};

export function stateOf(runtimes: readonly Runtime[], images: readonly Image[], parts: Partial<State> = {}): State {
  return {
    runtimes,
    images,
    configurations: [],
    unread: [],
    manager: null,
    onlyChanges: false,
    sandboxes: null,
    measured: [],
    ...parts,
  };
}

export function reportOf(
  runtimes: readonly Runtime[],
  images: readonly Image[],
  parts: Partial<State> = {},
  policy: Partial<Policy> = {},
): Report {
  const state = stateOf(runtimes, images, parts);
  return { state, warnings: [], ...judge(state, { ...usualPolicy, ...policy }) };
}
