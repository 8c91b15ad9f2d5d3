/**
 * The history of the protocol between the Kata runtime and the agent, release by release, and what a pair of releases makes of it.
 *
 * Nothing in Kata states it: the agent's own API version is 0.0.1 in every release. So this table was made by comparing the files
 * agent.proto, oci.proto, types.proto, health.proto and csi.proto of all tags from 1.0.0 to 4.1.0 (repository kata-containers/agent,
 * protocols/grpc, up to 1.12; then kata-containers/kata-containers, src/agent/protocols/protos up to 2.3, src/libs/protocols/protos
 * since 2.4), and the names of storage and device drivers in the agent's source, which no .proto holds and which broke the first
 * upgrade that was reported (runtime#394: a 1.0.0 image and `Unknown storage driver "ephemeral"`).
 *
 * Not in it: parameters of the kernel's command line, dm-verity, rules of policies, extension images.
 */

import { parseRange, type Version, type VersionRange } from '../version.ts';
import type { Code } from './findings.ts';

export type Subject =
  /** detail: the feature that makes the call. */
  | 'call'
  /** An unknown field is ignored: no reason for a finding, either way. */
  | 'field'
  /** Changed so that the other side reads something else, or nothing. */
  | 'message'
  | 'transport'
  /** The value of a string: no call is missing, but the agent refuses one that it does not know. */
  | 'driver'
  /** What a value means, as the path of a device. */
  | 'path'
  /** Between programs inside the guest: the runtime does not see it. */
  | 'guest';

export interface Change {
  readonly subject: Subject;
  readonly how: 'added' | 'removed' | 'changed' | 'renamed';
  readonly name: string;
  /** The new name, of what was renamed. */
  readonly to: string | null;
  readonly detail: string | null;
}

/** A release that speaks otherwise than the one before. */
export interface Step {
  readonly release: string;
  /** A break raises the first number, anything else the second. */
  readonly protocol: string;
  readonly changes: readonly Change[];
}

const everySandbox = 'every sandbox';
/** Where the sources do not tell in one word which of them makes the call. */
const someFeature = 'a feature that uses it';

const change = (
  subject: Subject,
  how: Change['how'],
  name: string,
  detail: string | null = null,
  to: string | null = null,
): Change => ({ subject, how, name, to, detail });
const call = (feature: string, ...names: string[]): Change[] =>
  names.map((name) => change('call', 'added', name, feature));
const lost = (feature: string, ...names: string[]): Change[] =>
  names.map((name) => change('call', 'removed', name, feature));
const field = (...names: string[]): Change[] => names.map((name) => change('field', 'added', name));
const driver = (...names: string[]): Change[] => names.map((name) => change('driver', 'added', name));

const changes: readonly (readonly [release: string, changes: readonly Change[]])[] = [
  [
    '1.1.0',
    [
      ...call('pausing containers', 'PauseContainer', 'ResumeContainer'),
      ...field('CreateContainerRequest.sandbox_pidns = 7'),
      ...driver('ephemeral'),
    ],
  ],
  [
    '1.2.0',
    [
      ...call('network listing', 'ListInterfaces', 'ListRoutes'),
      ...call('VM factory', 'ReseedRandomDev'),
      ...field('CreateSandboxRequest.sandbox_id = 5'),
    ],
  ],
  [
    '1.3.0',
    [...call(everySandbox, 'GetGuestDetails'), ...field('Interface.pciAddr = 6', 'OnlineCPUMemRequest.cpu_only = 3')],
  ],
  [
    '1.4.0',
    [
      // The bytes on the wire stay as they were.
      change('field', 'renamed', 'Interface, Route', null, 'types.Interface, types.Route'),
      ...field('CreateSandboxRequest.guest_hook_path = 6', 'GuestDetailsResponse.agent_details = 2'),
    ],
  ],
  [
    '1.5.0',
    [
      ...call('volumes without a shared filesystem', 'CopyFile'),
      ...call('VM factory', 'SetGuestDateTime'),
      ...driver('mmioblk', 'nvdimm'),
    ],
  ],
  [
    '1.6.0',
    [
      ...call('memory hotplug', 'MemHotplugByProbe'),
      ...call('tracing', 'StartTracing', 'StopTracing'),
      ...lost(someFeature, 'AddInterface', 'RemoveInterface'),
    ],
  ],
  [
    '1.7.0',
    // Not a call: a message, in the answer of StatsContainer.
    [...field('StatsContainerResponse.network_stats = 2', 'Interface.raw_flags = 8'), ...driver('local')],
  ],
  ['1.9.0', [...field('CreateSandboxRequest.kernel_modules = 7'), ...driver('blk-ccw')]],
  [
    '1.12.0',
    [
      ...call('ARP neighbours', 'AddARPNeighbors'),
      ...call(everySandbox, 'GetOOMEvent'),
      ...field('CreateContainerRequest.agent_pidns = 8'),
      change('path', 'changed', 'Interface.pciPath', 'field 6 holds a path of PCI slots, before an address (pciAddr)'),
    ],
  ],
  [
    '2.0.0',
    [
      change('transport', 'changed', 'gRPC to ttRPC', 'no call at all gets through'),
      ...call('metrics', 'GetMetrics'),
      change('field', 'removed', 'CreateContainerRequest.agent_pidns = 8'),
      change('path', 'changed', 'Interface.pciAddr', 'field 6 holds an address again'),
    ],
  ],
  [
    '2.1.0',
    [
      change(
        'message',
        'changed',
        'LinuxSeccomp',
        'CreateContainer: field 3 is Flags, before Syscalls, which moved to 4; LinuxSyscall.3 is ErrnoRet, before Args',
      ),
      ...lost('listing processes', 'ListProcesses'),
    ],
  ],
  // The agent in Rust, of 2.0, began without blk-ccw.
  ['2.2.0', [...call('swap', 'AddSwap'), ...driver('watchable-bind', 'blk-ccw')]],
  // In 2.3.0 too.
  ['2.2.2', [...field('Route.family = 6')]],
  [
    '2.4.0',
    [
      ...call('volume statistics', 'GetVolumeStats'),
      ...call('volume resize', 'ResizeVolume'),
      ...lost('tracing', 'StartTracing', 'StopTracing'),
      ...driver('overlayfs'),
    ],
  ],
  ['2.4.1', [...field('Storage.fs_group = 7')]],
  ['2.5.0', [...call('iptables', 'GetIPTables', 'SetIPTables')]],
  [
    '3.2.0',
    [
      // Unconditional there, without a feature to switch off: kata-containers#8762.
      ...call('every resize of a container', 'UpdateEphemeralMounts'),
      ...call('virtio-fs shares', 'RemoveStaleVirtiofsShareMounts'),
      ...field('Hooks.CreateRuntime = 4', 'Hooks.CreateContainer = 5', 'Hooks.StartContainer = 6'),
      change('driver', 'renamed', 'vfio', null, 'vfio-pci'),
      change('driver', 'renamed', 'vfio-gk', null, 'vfio-pci-gk'),
    ],
  ],
  [
    '3.3.0',
    [
      ...call('policy', 'SetPolicy'),
      ...field('CreateContainerRequest.shared_mounts = 8', 'stdin_port, stdout_port, stderr_port'),
      ...driver('image_guest_pull', 'image_nydus_*'),
    ],
  ],
  ['3.8.0', [change('guest', 'added', 'services of the confidential data hub')]],
  ['3.13.0', [...call('memory agent', 'MemAgentMemcgSet', 'MemAgentCompactSet')]],
  [
    '3.15.0',
    [
      ...call('swap', 'AddSwapPath'),
      ...field('Route.flags = 7'),
      change('path', 'changed', 'Interface.devicePath', 'field 6 holds the path of any bus, before of PCI (pciPath)'),
    ],
  ],
  ['3.17.0', [...field('Route.mtu = 8'), change('guest', 'added', 'services of the confidential data hub')]],
  ['3.18.0', [change('guest', 'added', 'services of the confidential data hub')]],
  ['3.28.0', [...field('Storage.shared = 8')]],
  [
    '3.29.0',
    [...call('diagnostics', 'GetDiagnosticData'), ...driver('erofs.multi-layer'), change('driver', 'removed', '9p')],
  ],
];

/** A message or the transport: neither side understands the other. A lost call: an older runtime makes it in vain. */
export function isBreak({ subject, how }: Change): boolean {
  return subject === 'transport' || subject === 'message' || (subject === 'call' && how === 'removed');
}

function numbered(): Step[] {
  let [breaks, additions] = [1, 0];
  return changes.map(([release, made]) => {
    if (made.some(isBreak)) [breaks, additions] = [breaks + 1, 0];
    else if (made.some(({ subject }) => subject !== 'guest')) additions += 1;
    return { release, protocol: `${breaks}.${additions}`, changes: made };
  });
}

export const steps: readonly Step[] = numbered();

/** The first release of the table, whose protocol is 1.0, and the last minor version that was looked at. */
export const firstRelease = '1.0.0';
export const lastMinor = '4.1';

/** The last minor version of each major one. There is no 1.13, no 2.6 and no 3.33: of what calls itself so, nothing is known. */
const lastMinors: ReadonlyMap<number, number> = new Map([
  [1, 12],
  [2, 5],
  [3, 32],
  [4, 1],
]);

type Numbers = Pick<Version, 'major' | 'minor' | 'patch'>;

/** Orders releases; far beyond the largest numbers that the table covers. */
function place({ major, minor, patch }: Numbers): number {
  return (major * 1000 + minor) * 1000 + Math.min(patch, 999);
}

function placeOf(release: string): number {
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number);
  return place({ major, minor, patch });
}

/** Each step with its place: asked for often where all pairs are compared. */
const placed: readonly (readonly [at: number, step: Step])[] = steps.map((step) => [placeOf(step.release), step]);

/** Patch releases that are not known are taken for their minor version: only two ever changed something, and both stand here. */
export function isCovered({ major, minor }: Version): boolean {
  return minor <= (lastMinors.get(major) ?? -1);
}

/** Why the table says nothing of this version; null when it does. */
export function whyNotCovered(version: Version): string | null {
  if (isCovered(version)) return null;
  const [lastMajor = 0, last = 0] = lastMinor.split('.').map(Number);
  const { major, minor } = version;
  if (major > lastMajor || (major === lastMajor && minor > last)) return `the protocol history ends at ${lastMinor}`;
  if (major < 1) return `the protocol history begins at ${firstRelease}`;
  return `the protocol history knows no release ${major}.${minor}`;
}

/** Two places for a pre-release of a release that changed something: whether it was in already is not known. */
function placesOf(version: Version): number[] {
  const at = place(version);
  const isOpen = version.order.includes('-') && placed.some(([stepAt]) => stepAt === at);
  return isOpen ? [at - 0.5, at] : [at];
}

function protocolAt(at: number): string {
  return placed.findLast(([stepAt]) => stepAt <= at)?.[1].protocol ?? '1.0';
}

/** As "5.4"; "5.3 or 5.4" for a pre-release; null for what the table does not cover. */
export function protocolOf(version: Version): string | null {
  return isCovered(version) ? [...new Set(placesOf(version).map(protocolAt))].join(' or ') : null;
}

export interface MissingCall {
  readonly name: string;
  readonly feature: string;
}

/** What stands between a runtime and an agent. */
export interface Comparison {
  readonly code: Extract<Code, 'KC102' | 'KC103' | 'KC107'> | null;
  /** Changes of the transport or of a message, with their releases. */
  readonly breaks: readonly { readonly release: string; readonly change: Change }[];
  /** Calls that the runtime makes and the agent does not have, by name. */
  readonly missing: readonly MissingCall[];
  /** Names of drivers that the runtime may send and the agent does not know, and forms of paths that changed. */
  readonly values: readonly string[];
}

/** The steps between two places, from the older to the newer. */
function between(one: number, other: number): Step[] {
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  return placed.filter(([at]) => at > low && at <= high).map(([, step]) => step);
}

function compareAt(runtime: number, agent: number): Comparison {
  const isNewer = runtime > agent;
  const passed = between(runtime, agent);
  const breaks = passed.flatMap(({ release, changes: made }) =>
    made
      .filter(({ subject }) => subject === 'transport' || subject === 'message')
      .map((one) => ({ release, change: one })),
  );
  const calls = new Map<string, string>();
  const drivers = new Set<string>();
  const paths: string[] = [];
  // From the agent to the runtime: what comes on the way the agent does not know, whichever of them is the newer.
  for (const { release, changes: made } of isNewer ? passed : passed.reverse()) {
    for (const { subject, how, name, to, detail } of made) {
      if (subject === 'path') paths.push(`${name} (${release})`);
      if (subject === 'call') {
        if ((how === 'added') === isNewer) calls.set(name, detail ?? someFeature);
        else calls.delete(name);
      }
      if (subject === 'driver') {
        const [comes, goes]: [string | null, string | null] =
          how === 'renamed' ? [to, name] : how === 'added' ? [name, null] : [null, name];
        const [known, unknown] = isNewer ? [goes, comes] : [comes, goes];
        if (known !== null) drivers.delete(known);
        if (unknown !== null) drivers.add(unknown);
      }
    }
  }
  const missing = [...calls].map(([name, feature]) => ({ name, feature }));
  missing.sort((a, b) => (a.name < b.name ? -1 : 1));
  const values = [...[...drivers].sort().map((name) => `driver ${name}`), ...paths];
  const isBroken = breaks.length > 0 || (missing.length > 0 && !isNewer);
  const code = isBroken ? 'KC102' : missing.length > 0 ? 'KC103' : values.length > 0 ? 'KC107' : null;
  return { code, breaks, missing, values };
}

/** Undefined where the table does not tell: a release that it does not cover, or a pre-release with which it could be either way. */
export function compareProtocols(runtime: Version, agent: Version): Comparison | undefined {
  if (!isCovered(runtime) || !isCovered(agent)) return undefined;
  // Whatever a pre-release holds, it holds the same on both sides.
  if (runtime.order === agent.order) return compareAt(place(runtime), place(agent));
  const found = placesOf(runtime).flatMap((one) => placesOf(agent).map((other) => compareAt(one, other)));
  const [first] = found;
  if (first === undefined || found.some(({ code }) => code !== first.code)) return undefined;
  // Only what is missing in either case is proven.
  return found.reduce((least, one) => (one.missing.length < least.missing.length ? one : least));
}

/** The agents that a runtime works with by the table, KC107 aside. Undefined where it does not tell. */
export function rangeByHistory(runtime: Version): VersionRange | undefined {
  const [at, ...more] = placesOf(runtime);
  if (at === undefined || more.length > 0 || !isCovered(runtime)) return undefined;
  const all = [firstRelease, ...steps.map(({ release }) => release)];
  const fits = (release: string): boolean => {
    const { code } = compareAt(at, placeOf(release));
    return code === null || code === 'KC107';
  };
  const own = all.findLastIndex((release) => placeOf(release) <= at);
  let oldest = own;
  while (oldest > 0 && fits(all[oldest - 1] as string)) oldest -= 1;
  const end = all.find((release, index) => index > own && !fits(release));
  return parseRange(`>=${all[oldest]}${end === undefined ? '' : ` <${end}`}`);
}

/** The steps that lie, or of a pre-release may lie, between two releases or after one; from the older to the newer. */
export function stepsBetween(one: Version, other: Version | null): Step[] {
  if (one.order === other?.order) return [];
  const places = [...placesOf(one), ...(other === null ? [Number.POSITIVE_INFINITY] : placesOf(other))];
  return between(Math.min(...places), Math.max(...places));
}

const listLimit = 6;

function listed(names: readonly string[]): string {
  const more = names.length - listLimit;
  return names.slice(0, listLimit).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** What would happen, in one line. */
export function consequenceOf({ code, breaks, missing, values }: Comparison): string {
  const [first] = breaks;
  if (first !== undefined) {
    const { subject, name, detail } = first.change;
    return `${subject === 'transport' ? name : `the message ${name} changed`} in ${first.release}: ${detail}`;
  }
  const names = listed(missing.map(({ name }) => name));
  if (code === 'KC102') return `calls that the agent no longer has: ${names}`;
  if (code === 'KC103') return `calls the agent does not have: ${names}`;
  return code === 'KC107' ? `the agent may refuse or misread: ${listed(values)}` : 'nothing: they fit';
}
