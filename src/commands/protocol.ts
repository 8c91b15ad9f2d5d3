/**
 * `kata-check protocol [FROM [TO]]`: the agent protocol's history, or what changed between two releases; and
 * `kata-check protocol FILE [FILE]`: what programs, guest images or packages say of it themselves.
 */

import { firstDeadline } from '../defaults.ts';
import { Usage } from '../errors.ts';
import { knownProtocol } from '../locate/additions.ts';
import { locateInstallation } from '../locate/installation.ts';
import { whyNotCovered } from '../protocol/place.ts';
import type { Known } from '../protocol/reach.ts';
import { printable } from '../report/printable.ts';
import { evidenceFor, programsJson, programsText } from '../report/programs.ts';
import { type Asked, protocolJson, protocolText } from '../report/protocol.ts';
import { readingOf } from '../state/before.ts';
import { type Described, describeFile } from '../state/described.ts';
import { readsOf } from '../state/reading.ts';
import type { Version } from '../version.ts';
import { absolute, type Context, exitStatus, rootOf } from './command.ts';
import { release } from './release.ts';

export async function run(context: Context): Promise<number> {
  const { host, positionals, flags } = context;
  const [from, to, ...rest] = positionals;
  if (from === 'compare') return compare(context);
  if (context.values.has('from') || context.values.has('to')) throw new Usage('--from and --to belong to compare');
  if (from !== undefined && isFile(context, from)) return programs(context);
  if (rest.length > 0) throw new Usage(`two releases at the most, not ${rest[0]} too`);
  const known = await knownHere(context);
  const [older = null, newer = null] = [from, to].map((text) =>
    text === undefined ? null : coveredRelease(text, known),
  );
  const asked = older === null || newer === null ? { known, node: null } : askedOf(context, known);
  if (flags.has('json')) host.write(1, protocolJson(older, newer, asked));
  else if (!flags.has('quiet')) host.write(1, protocolText(older, newer, asked));
  return exitStatus.goAhead;
}

/** What is written as a path, or is no release and there. */
function isFile({ host }: Context, text: string): boolean {
  return text.includes('/') || (!/^v?[0-9]/i.test(text) && host.status(absolute(host, text)) !== undefined);
}

/** Of two, the first is taken for the runtime and the second for the agent. */
async function programs({ host, positionals, flags }: Context): Promise<number> {
  if (positionals.length > 2) throw new Usage(`two files at the most, not ${positionals[2]} too`);
  const described: Described[] = [];
  for (const path of positionals) {
    described.push(await describeFile(host, absolute(host, path), host.now() + firstDeadline));
  }
  if (flags.has('json')) host.write(1, programsJson(described));
  else if (!flags.has('quiet')) host.write(1, programsText(described));
  if (described.some(({ problem }) => problem !== null)) return exitStatus.failure;
  if (described.some(({ description }) => description === null)) return exitStatus.undetermined;
  const evidence = evidenceFor(described);
  if (evidence === null) return exitStatus.goAhead;
  if (evidence.breaks.length > 0 || (evidence.missing ?? []).length > 0) return exitStatus.blocked;
  return evidence.missing === null ? exitStatus.undetermined : exitStatus.goAhead;
}

/** Throws Usage for what is no release, or one that the history does not cover. */
function coveredRelease(text: string, { lastMinors }: Known): Version {
  const { version } = release(text);
  const why = whyNotCovered(version, lastMinors);
  if (why !== null) throw new Usage(`${text}: ${why}`);
  return version;
}

/** The tables, with what is added to them on this node. */
async function knownHere(context: Context): Promise<Known> {
  const problems: string[] = [];
  const known = await knownProtocol(rootOf(context).rooted, problems);
  for (const problem of problems) context.host.write(2, `kata-check: warning: ${printable(problem)}\n`);
  return known;
}

/** This node's configurations, or those below --root; none where nothing of Kata is there. */
function askedOf(context: Context, known: Known): Asked {
  const { root, rooted } = rootOf(context);
  const installation = locateInstallation(rooted, root === '' ? context.host.environment('KATA_CONF_FILE') : undefined);
  const reading = readingOf(installation);
  const node = reading.configurations.length === 0 ? null : readsOf(reading, { prefix: null, language: null }, null);
  return { known, node };
}

/** Only the Node.js form brings it. */
async function compare(context: Context): Promise<number> {
  const { compare } = context.extras;
  if (compare === undefined) throw new Usage('compare is of the Node.js form of kata-check only');
  return (await compare()).run(context);
}
