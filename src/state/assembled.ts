/**
 * The state after a transaction that concerns Kata, or now: put together from what is installed and from what the packages bring.
 */

import type { Host } from '../host/host.ts';
import { declares } from '../locate/declared.ts';
import { measuredImages } from '../locate/measured.ts';
import { runningSandboxes } from '../locate/sandboxes.ts';
import { type Before, nodeBefore, ownsAnything } from './before.ts';
import { imagesAfter } from './images.ts';
import type { Incoming } from './incoming.ts';
import { nothing, type State } from './node.ts';
import type { Request } from './request.ts';
import { runtimesAfter } from './runtimes.ts';
import type { PackageChange } from './transaction.ts';

export interface After {
  readonly state: State;
  /** Problems on the way that are no findings of their own. */
  readonly warnings: readonly string[];
}

/** `steps`: those of the request's transaction that change anything. Throws as `stateAfter`. */
export async function assembled(
  host: Host,
  rooted: Host,
  request: Request,
  steps: readonly PackageChange[],
): Promise<After> {
  const before = await nodeBefore(host, rooted, request, steps);
  const warnings: string[] = [...before.refused];
  const incoming: Incoming[] = [];
  try {
    // What reads packages is loaded where there are some.
    if (steps.length > 0) await (await import('./incoming.ts')).examine(before, steps, incoming, warnings);
    return { state: await ofPackages(before, steps, incoming), warnings };
  } finally {
    for (const { payload } of incoming) payload?.close();
  }
}

/** What the packages that come and go make of the node. Throws as `stateAfter`. */
async function ofPackages(now: Before, steps: readonly PackageChange[], incoming: readonly Incoming[]): Promise<State> {
  const { host, rooted, request } = now;
  const removed = new Set(steps.filter(({ action }) => action === 'remove').map(({ name }) => name));
  // Nothing of Kata comes and nothing goes: no image need be read, and nobody be told of a configuration that was wrong before.
  if (request.transaction !== null && incoming.length === 0 && !ownsAnything(now, removed)) return nothing;
  const before =
    steps.length === 0 ? now : await (await import('./configured.ts')).withIncomingConfigurations(now, steps, incoming);
  const images = await imagesAfter(before, incoming, removed);
  const runtimes = await runtimesAfter(before, incoming, removed, images);
  return {
    runtimes,
    images,
    ...configured(before),
    reading: before.reading,
    known: before.known,
    manager: request.transaction?.manager ?? null,
    commandLine: (await request.commandLine?.()) ?? null,
    onlyChanges: request.transaction !== null,
    isByHand: request.transaction?.isByHand === true,
    changing: request.transaction === null ? null : changing(before, steps, incoming),
    // Another root is another node, or none: what runs here is not its.
    sandboxes: request.root === '' ? runningSandboxes(host) : null,
    // By hand only. A package that comes in may bring the image, its configuration, or both. dpkg leaves a configuration that was changed
    // on the node as it is, or asks; drop-ins and handlers of this node say which of them are read; and the hash partition is deep in a
    // compressed payload: what will then be asked of which image is not certain, and this finding blocks. Where neither of the two
    // changes, a transaction is not the place to tell of it.
    measured:
      request.transaction !== null || request.images.length > 0
        ? []
        : measuredImages(rooted, now.installation, request.deadline),
  };
}

/** Those of Kata by their names, the others by their number. */
function changing(
  { packages, configured }: Before,
  steps: readonly PackageChange[],
  incoming: readonly Incoming[],
): State['changing'] {
  const names = [...new Set(steps.map(({ name }) => name))];
  // A container engine that keeps the configuration which names Kata's goes on.
  const isOurs = ({ change: { name }, isRuntime, isImage, declared }: Incoming): boolean =>
    isRuntime || isImage || declares(declared) || name.includes('kata') || configured.has(name);
  const ours = new Set([
    ...incoming.filter(isOurs).map(({ change }) => change.name),
    ...packages.flatMap(({ name, owns }) => (owns.length > 0 ? [name] : [])),
  ]);
  const kata = names.filter((name) => ours.has(name));
  return { kata, others: names.length - kata.length };
}

/** None when the images are given: what names them was not asked then. */
function configured({ request, installation }: Before): Pick<State, 'configurations' | 'unread'> {
  if (request.images.length > 0) return { configurations: [], unread: [] };
  const { configurations } = installation;
  // Nobody reads a masked one, so that its mistakes do no harm.
  const read = configurations.filter(({ maskedBy }) => maskedBy === null);
  return { configurations, unread: [...installation.unread, ...read.flatMap(({ unread }) => unread)] };
}
