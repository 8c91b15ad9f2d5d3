/**
 * By which program, where and when a report was made, so that those of many nodes can be told apart in one place.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';

declare const KATA_CHECK_VERSION: string | undefined;
/** As package.json states it; 0.0.0 where the sources run unbundled. */
export const programVersion = typeof KATA_CHECK_VERSION === 'undefined' ? '0.0.0' : KATA_CHECK_VERSION;

export interface Circumstances {
  /** The node's name; null where nothing tells it. */
  readonly host: string | null;
  /** Below which the node was looked at; "/" for this one. */
  readonly root: string;
  /** As 2026-01-31T12:00:00.000Z. */
  readonly time: string;
}

/** Bytes; Linux allows 64 (__NEW_UTS_LEN). */
const nameLimit = 4096;

/** `rooted`: the host below `root`. A folder that is another node's has its name in /etc/hostname. */
export function circumstancesOf(rooted: Host, root: string): Circumstances {
  return {
    host: nameIn(rooted, root === '' ? '/proc/sys/kernel/hostname' : '/etc/hostname'),
    root: root === '' ? '/' : root,
    time: new Date().toISOString(),
  };
}

function nameIn(host: Host, path: string): string | null {
  try {
    return host.readText(path, nameLimit).trim() || null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return null;
  }
}
