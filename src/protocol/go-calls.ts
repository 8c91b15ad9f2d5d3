/**
 * Between which releases a runtime in Go stands, by the calls that its descriptors list. No release of the runtime in Rust holds a descriptor.
 */

import { parseVersion, type Version } from '../version.ts';
import type { Description } from './descriptors.ts';
import { steps } from './history.ts';
import { placeOf } from './place.ts';
import { lastMinors } from './releases.ts';

/**
 * Calls that came into the generated client of the Go runtime, or went from it, later than in agent.proto. Sources: kata-containers/runtime at 1.2.0, 1.3.0, 1.6.0 and 1.7.0,
 * vendor/github.com/kata-containers/agent/protocols/grpc/agent.pb.go (1.3.0: line 1958; 1.6.0: line 1946; 1.7.0: line 2007); kata-containers/kata-containers at 3.19.1 and
 * 3.20.0, src/runtime/virtcontainers/pkg/agent/protocols/grpc/agent_ttrpc.pb.go (3.20.0: lines 560 and 656).
 */
const lateInGo: ReadonlyMap<string, string> = new Map([
  ['ListInterfaces', '1.3.0'],
  ['ListRoutes', '1.3.0'],
  ['AddInterface', '1.7.0'],
  ['RemoveInterface', '1.7.0'],
  ['StartTracing', '1.7.0'],
  ['StopTracing', '1.7.0'],
  ['MemHotplugByProbe', '1.7.0'],
  ['MemAgentMemcgSet', '3.20.0'],
  ['MemAgentCompactSet', '3.20.0'],
  ['AddSwapPath', '3.20.0'],
]);

interface Life {
  readonly from: number;
  readonly until: number;
}

/** Of each call that came or went after the first release. */
function lives(): Map<string, Life> {
  const found = new Map<string, Life>();
  for (const { release, changes } of steps) {
    for (const { subject, how, name } of changes) {
      if (subject !== 'call') continue;
      const known = found.get(name) ?? { from: 0, until: Number.POSITIVE_INFINITY };
      const late = lateInGo.get(name);
      const at = Math.max(placeOf(release), late === undefined ? 0 : placeOf(late));
      found.set(name, how === 'added' ? { ...known, from: at } : { ...known, until: at });
    }
  }
  return found;
}

const service = 'AgentService/';
/** That were there in 1.0.0 and never went. */
const lasting = 18;

/**
 * As a version that stands at the first of the releases that have these calls, or anywhere before the next one; undefined for the calls of no
 * release, as of a fork.
 */
export function placedByCalls({ calls, hasServices }: Pick<Description, 'calls' | 'hasServices'>): Version | undefined {
  if (!hasServices) return undefined;
  const own = new Set([...calls.keys()].filter((name) => name.startsWith(service)));
  const changing = [...lives()];
  const isOf = (release: string): boolean => {
    const at = placeOf(release);
    const alive = changing.filter(([, { from, until }]) => at >= from && at < until);
    return own.size === lasting + alive.length && alive.every(([name]) => own.has(service + name));
  };
  const releases = [...lastMinors].flatMap(([major, last]) =>
    Array.from({ length: last + 1 }, (_, minor) => `${major}.${minor}.0`),
  );
  const first = releases.findIndex(isOf);
  const version = parseVersion(releases[first] ?? '');
  if (version === undefined) return undefined;
  const until = releases.slice(first).find((release) => !isOf(release)) ?? null;
  const text = until === null ? `${version.text} or later` : `${version.text} to ${until}`;
  return { ...version, stands: 'behind', until, text, written: text };
}
