/**
 * `kata-check protocol [FROM [TO]]`: the agent protocol's history, or what changed between two releases; and
 * `kata-check protocol compare OLD NEW`: what changed between two trees of .proto files.
 */

import { Usage } from '../errors.ts';
import { whyNotCovered } from '../protocol/compare.ts';
import { protocolJson, protocolText } from '../report/protocol.ts';
import type { Version } from '../version.ts';
import { absolute, type Context, exitStatus, one } from './command.ts';
import { release } from './release.ts';

export async function run(context: Context): Promise<number> {
  const { host, positionals, flags } = context;
  const [from, to, ...rest] = positionals;
  if (from === 'compare') return compare(context, positionals.slice(1));
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

async function compare(context: Context, paths: readonly string[]): Promise<number> {
  const { host, flags, extras } = context;
  const [old, next, ...rest] = paths;
  if (old === undefined || next === undefined || rest.length > 0)
    throw new Usage('compare takes two trees or .proto files');
  const [from = null, to = null] = ['from', 'to'].map((name) => {
    const text = one(context, name);
    return text === undefined ? null : release(text, `--${name}`).version;
  });
  if (extras.protoCompare === undefined) throw new Usage('compare is of the Node.js form of kata-check only');
  const { compareTrees } = await extras.protoCompare();
  const request = { old: absolute(host, old), next: absolute(host, next), from, to, isJson: flags.has('json') };
  const { text, isTooSmall } = compareTrees(host, request);
  if (flags.has('json') || !flags.has('quiet')) host.write(1, text);
  return isTooSmall ? exitStatus.blocked : exitStatus.goAhead;
}
