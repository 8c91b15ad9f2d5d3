/**
 * The history of the protocol between the Kata runtime and the agent, release by release: data and nothing else.
 *
 * Nothing in Kata states it: the agent's own API version is 0.0.1 in every release. So this table was made by comparing the files
 * agent.proto, oci.proto, types.proto, health.proto and csi.proto of all tags from 1.0.0 to 4.1.0 (repository kata-containers/agent,
 * protocols/grpc, up to 1.12; then kata-containers/kata-containers, src/agent/protocols/protos up to 2.3, src/libs/protocols/protos
 * since 2.4), and the names of storage and device drivers in the agent's source, which no .proto holds and which broke the first
 * upgrade that was reported (runtime#394: a 1.0.0 image and `Unknown storage driver "ephemeral"`).
 *
 * It says what changed. What a runtime makes of it, and for whom, is in the rows of calls.ts and beside it: many a call that came here is
 * made by no runtime, or later, or only with a setting.
 *
 * Not in it: parameters of the kernel's command line, dm-verity, rules of policies, extension images.
 */

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
  /** The name of an option that goes with a driver. */
  | 'option'
  /** What a value means: the bytes stay as they are, and the other side does something else. */
  | 'meaning'
  /** The form of a device's path. */
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
export const someFeature = 'a feature that uses it';

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
const option = (...names: string[]): Change[] => names.map((name) => change('option', 'added', name));
const meaning = (name: string, detail: string): Change => change('meaning', 'changed', name, detail);
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
      ...field(
        'CreateSandboxRequest.guest_hook_path = 6',
        'GuestDetailsResponse.agent_details = 2',
        'Interface.type = 7',
      ),
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
      // The agent's; a runtime sends it since 1.7.0.
      ...driver('virtio-fs'),
    ],
  ],
  [
    '1.7.0',
    // Not a call: a message, in the answer of StatsContainer.
    [...field('StatsContainerResponse.network_stats = 2', 'Interface.raw_flags = 8'), ...driver('local')],
  ],
  ['1.9.0', [...field('CreateSandboxRequest.kernel_modules = 7'), ...driver('blk-ccw')]],
  ['1.11.0', [...driver('nvdimm (as storage)')]],
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
      // The agent in Rust began without them.
      change('driver', 'removed', 'blk-ccw'),
      change('driver', 'removed', 'nvdimm (as storage)'),
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
      change('path', 'changed', 'Interface.pciPath', 'field 6 holds a path of PCI slots, before an address (pciAddr)'),
      ...driver('nvdimm (as storage)'),
    ],
  ],
  ['2.2.0', [...call('swap', 'AddSwap'), ...driver('watchable-bind', 'blk-ccw')]],
  // In 2.3.0 too.
  [
    '2.2.2',
    [
      ...field('Route.family = 6'),
      meaning('Route', 'the agent takes a route without a family for IPv4, before it looked at the address'),
    ],
  ],
  ['2.3.0', [...driver('vfio', 'vfio-gk')]],
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
      ...driver('vfio-ap'),
      meaning('OnlineCPUMemRequest.nb_cpus', 'the number of all CPUs, before of those that were added'),
    ],
  ],
  [
    '3.3.0',
    [
      ...call('policy', 'SetPolicy'),
      ...field(
        'CreateContainerRequest.shared_mounts = 8',
        'stdin_port, stdout_port, stderr_port',
        'AgentDetails.extra_features = 6',
      ),
      ...driver('image_guest_pull'),
      meaning('CopyFileRequest.file_mode', 'directories and links are copied as such, before as plain files'),
    ],
  ],
  ['3.7.0', [change('guest', 'added', 'SealedSecretService')]],
  ['3.8.0', [change('guest', 'added', 'services of the confidential data hub')]],
  ['3.13.0', [...call('memory agent', 'MemAgentMemcgSet', 'MemAgentCompactSet')]],
  ['3.14.0', [...driver('vfio-ap-cold')]],
  [
    '3.15.0',
    [
      ...call('swap', 'AddSwapPath'),
      ...field('Route.flags = 7'),
      change('path', 'changed', 'Interface.devicePath', 'field 6 holds the path of any bus, before of PCI (pciPath)'),
    ],
  ],
  [
    '3.17.0',
    [
      ...field('Route.mtu = 8'),
      ...option('overlayfs create_directory'),
      change('guest', 'added', 'services of the confidential data hub'),
    ],
  ],
  ['3.18.0', [change('guest', 'added', 'services of the confidential data hub')]],
  [
    '3.28.0',
    [
      ...field('Storage.shared = 8'),
      ...option('encryption_key=ephemeral'),
      change('guest', 'removed', 'SecureMountResponse.mount_path'),
    ],
  ],
  [
    '3.29.0',
    [...call('diagnostics', 'GetDiagnosticData'), ...driver('erofs.multi-layer'), change('driver', 'removed', '9p')],
  ],
  ['3.32.0', [...option('X-kata.gpt-partitioned', 'X-kata.partition-number')]],
  ['4.0.0', [...option('create_filesystem', 'X-kata.dmverity-enabled and what belongs to it')]],
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
