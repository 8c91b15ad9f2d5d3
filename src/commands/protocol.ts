/**
 * `kata-check protocol [FROM [TO]]`: the agent protocol's history, or what changed between two releases.
 */

import { Usage } from '../errors.ts';
import { whyNotCovered } from '../protocol/compare.ts';
import { protocolJson, protocolText } from '../report/protocol.ts';
import type { Version } from '../version.ts';
import { type Context, exitStatus } from './command.ts';
import { release } from './release.ts';

export async function run(context: Context): Promise<number> {
  const { host, positionals, flags } = context;
  const [from, to, ...rest] = positionals;
  if (from === 'compare') return compare(context);
  if (context.values.has('from') || context.values.has('to')) throw new Usage('--from and --to belong to compare');
  if (rest.length > 0) throw new Usage(`two releases at the most, not ${rest[0]} too`);
  const [older = null, newer = null] = [from, to].map((text) => (text === undefined ? null : coveredRelease(text)));
  if (flags.has('json')) host.write(1, protocolJson(older, newer));
  else if (!flags.has('quiet')) host.write(1, protocolText(older, newer));
  return exitStatus.goAhead;
}

/** Throws Usage for what is no release, or one that the history does not cover. */
function coveredRelease(text: string): Version {
  const { version } = release(text);
  const why = whyNotCovered(version);
  if (why !== null) throw new Usage(`${text}: ${why}`);
  return version;
}

/** Only the Node.js form brings it. */
async function compare(context: Context): Promise<number> {
  const { compare } = context.extras;
  if (compare === undefined) throw new Usage('compare is of the Node.js form of kata-check only');
  return (await compare()).run(context);
}
