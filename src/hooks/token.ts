/**
 * What a hook leaves for the later hooks of the same run: "this process was told to go on". apt runs dpkg several times, and dpkg the
 * preinst of each package; each of them sees only a part of what apt is about to do, and none of what was said on apt's command line.
 *
 * A file of lines `PID START`, where START is the process's start time (proc(5), field 22 of stat), so that a later process with the same
 * number is not taken for it.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Ancestor, isAlive, sharesRoot } from './ancestors.ts';

export const stateFolder = '/run/kata-check';
const path = `${stateFolder}/told-to-go-on`;
const sizeLimit = 65536;
/** More package managers than this do not run at the same time. */
const countLimit = 100;

type Token = Pick<Ancestor, 'pid' | 'startTime'>;

/** Whether one of these was told to go on; by a hook outside of our root, too. */
export function hasToken(host: Host, ancestors: readonly Ancestor[]): boolean {
  const isHeld = (root: string, holders: readonly Ancestor[]): boolean => {
    const tokens = readTokens(host, root);
    return holders.some(({ pid, startTime }) =>
      tokens.some((token) => token.pid === pid && token.startTime === startTime),
    );
  };
  if (isHeld('', ancestors)) return true;
  const others = ancestors.filter((ancestor) => !sharesRoot(host, ancestor));
  return others.length > 0 && isHeld(`/proc/${others.at(-1)?.pid}/root`, others);
}

/** Where it cannot be left, the later hooks ask again. */
export function leaveToken(host: Host, holder: Ancestor | undefined): void {
  if (holder === undefined) return;
  try {
    const others = readTokens(host, '').filter((token) => token.pid !== holder.pid && isAlive(host, token));
    const lines = [...others.slice(1 - countLimit), holder].map(({ pid, startTime }) => `${pid} ${startTime}\n`);
    if (host.status(stateFolder) === undefined || isTrusted(host, stateFolder))
      host.replaceFile(path, lines.join(''), 0o644);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

function readTokens(host: Host, root: string): Token[] {
  try {
    if (!isTrusted(host, root + stateFolder) || !isTrusted(host, root + path)) return [];
    return host
      .readText(root + path, sizeLimit)
      .split('\n')
      .flatMap((line): Token[] => {
        const [, pid, startTime] = /^([0-9]{1,10}) ([0-9]{1,20})$/.exec(line) ?? [];
        return pid === undefined || startTime === undefined ? [] : [{ pid: Number(pid), startTime }];
      });
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
}

/** Nobody but root could have written it: else any user could switch the check off. */
function isTrusted(host: Host, path: string): boolean {
  const status = host.status(path);
  if (status === undefined || (status.kind !== 'file' && status.kind !== 'directory')) return false;
  return status.owner === 0 && (status.mode & 0o022) === 0;
}
