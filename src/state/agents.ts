/**
 * The agent of an image in which nothing names its version: by the digest of its file, where an installed package has brought the same.
 */

import { Problem } from '../errors.ts';
import type { TemporaryFile } from '../host/host.ts';
import { digestPrograms, type PackagedAgent, packagedAgents } from '../locate/agents.ts';
import { agentPaths } from '../read/agent.ts';
import { latin1 } from '../read/bytes.ts';
import { type ImageFacts, readImage } from '../read/image.ts';
import { parseVersion } from '../version.ts';
import type { Before } from './before.ts';

/** In bytes. Agents have 10 to 60 MB; each costs as much room for a moment. */
const sizeLimit = 128 * 1024 * 1024;

/** The facts with the agent, or with why it is not known, when packages say more of it. */
export async function identified(before: Before, facts: ImageFacts): Promise<ImageFacts> {
  if (facts.unknown === null || facts.problem !== null || facts.agent !== null) return facts;
  const { host, rooted, request } = before;
  const candidates = await packagedAgents(host, rooted, request.root, request.deadline);
  if (candidates.length === 0) return facts;
  for (const path of agentPaths) {
    const found = await digestsOf(before, facts.path, path, candidates);
    if (found === null) continue;
    const owner = candidates.find(({ digest }) => found.has(digest));
    const version = owner === undefined ? undefined : parseVersion(owner.version);
    if (owner !== undefined && version !== undefined) {
      return { ...facts, agent: { version, source: 'package', path }, unknown: null };
    }
    const all = [...new Set(candidates.map((one) => `${one.package} ${one.version}`))].join(', ');
    if (owner === undefined) return { ...facts, unknown: `${facts.unknown}; it is not the agent that ${all} brings` };
  }
  return facts;
}

/** The digests of the agent at this place in the image, in the forms of the candidates; null when there is none, or no room for it. */
async function digestsOf(
  { host, rooted, request }: Before,
  image: string,
  path: string,
  candidates: readonly PackagedAgent[],
): Promise<ReadonlySet<string> | null> {
  let file: TemporaryFile | undefined;
  try {
    const kept = host.temporaryFile(`${path} in ${image}`);
    file = kept;
    const add = (piece: Uint8Array): void => {
      if (kept.size <= sizeLimit) kept.write(piece);
    };
    const observe = (at: string): { add: (piece: Uint8Array) => void } => ({ add: at === path ? add : () => {} });
    await readImage(rooted, image, { deadline: request.deadline, observe });
    if (kept.size === 0 || kept.size > sizeLimit) return null;
    const digests = new Set<string>();
    for (const length of new Set(candidates.map(({ digest }) => digest.length))) {
      const program = digestPrograms.get(length) ?? '';
      const input = { file: kept, offset: 0 };
      const { stdout } = await host.run([program], { deadline: request.deadline, outputLimit: 4096, input });
      digests.add(latin1(stdout).split(' ', 1)[0] ?? '');
    }
    return digests;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  } finally {
    file?.close();
  }
}
