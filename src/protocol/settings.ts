/**
 * What a configuration says, as far as a row of the tables asks for it, and what counts where it says nothing.
 */

import { placeOf } from './place.ts';
import type { Value } from './row.ts';

export type Language = 'go' | 'rust';

/** A value, and who says so; the line is null where it is not known. */
export interface Placed {
  readonly value: Value;
  readonly path: string;
  readonly line: number | null;
}

/** One configuration of Kata with its drop-ins, and what else decides what the runtime that reads it does. */
export interface Settings {
  readonly path: string;
  /** The sections below `hypervisor`: `qemu`, `clh`, `firecracker`, `dragonball`, ... */
  readonly hypervisors: readonly string[];
  /** By section and name: `runtime.vfio_mode`, `hypervisor.qemu.shared_fs`, `agent.kata.policy`. */
  readonly values: ReadonlyMap<string, Placed>;
  /** By section of the hypervisor: what annotations of pods may change, as regular expressions. */
  readonly annotations: ReadonlyMap<string, readonly string[]>;
  /** Of the handlers that name it. Empty: nobody names one. */
  readonly snapshotters: readonly Placed[];
  /** Null where it is not known. */
  readonly architecture: string | null;
  /** A part of it could not be read, so that what is missing may stand there. */
  readonly isPartial: boolean;
}

/** What a runtime has compiled in for a key that its configuration does not hold; what changed has the release since when. */
interface Default {
  readonly key: string;
  readonly go: Value | readonly (readonly [since: string, value: Value])[];
  readonly rust: Value;
  readonly source: string;
}

/** Not what the configuration files that Kata ships say: those set most of these keys. */
const defaults: readonly Default[] = [
  {
    key: 'runtime.static_sandbox_resource_mgmt',
    go: false,
    rust: false,
    source: 'kata-containers@3.2.0:src/runtime/pkg/katautils/config.go:1428',
  },
  {
    key: 'hypervisor.shared_fs',
    go: [
      ['1.0.0', 'virtio-9p'],
      ['2.4.0', 'virtio-fs'],
    ],
    // Without a value runtime-rs shares no filesystem: libs/kata-types/src/config/hypervisor/mod.rs:1531 @4.1.0.
    rust: 'none',
    source: 'kata-containers@2.1.0:src/runtime/pkg/katautils/config.go:404',
  },
  {
    key: 'hypervisor.block_device_driver',
    go: 'virtio-scsi',
    rust: 'virtio-blk-pci',
    source: 'kata-containers@4.1.0:src/runtime/pkg/katautils/config-settings.go.in:71',
  },
  {
    key: 'hypervisor.enable_guest_swap',
    go: false,
    rust: false,
    source: 'kata-containers@4.1.0:src/runtime/pkg/katautils/config-settings.go.in:97',
  },
  {
    key: 'hypervisor.cold_plug_vfio',
    go: 'no-port',
    rust: 'no-port',
    source: 'kata-containers@4.1.0:src/runtime/pkg/katautils/config-settings.go.in:115',
  },
  {
    // The file that is shipped says true.
    key: 'runtime.disable_guest_seccomp',
    go: false,
    rust: false,
    source: 'kata-containers@2.0.0:src/runtime/pkg/katautils/config.go:1111',
  },
  {
    key: 'runtime.vfio_mode',
    go: 'guest-kernel',
    rust: 'guest-kernel',
    source: 'kata-containers@3.2.0:src/runtime/pkg/katautils/config-settings.go.in:100',
  },
  {
    key: 'runtime.emptydir_mode',
    go: 'shared-fs',
    rust: 'shared-fs',
    source: 'kata-containers@4.1.0:src/runtime/pkg/katautils/config.go:218',
  },
  {
    key: 'runtime.experimental_force_guest_pull',
    go: false,
    rust: false,
    source: 'kata-containers@3.18.0:src/runtime/pkg/katautils/config.go:196',
  },
  {
    // The file that is shipped for Dragonball says true.
    key: 'runtime.use_passfd_io',
    go: false,
    rust: false,
    source: 'kata-containers@3.3.0:src/libs/kata-types/src/config/runtime.rs:173',
  },
  {
    key: 'factory.enable_template',
    go: false,
    rust: false,
    source: 'runtime@1.6.0:pkg/katautils/config.go:554',
  },
  { key: 'factory.vm_cache_number', go: 0, rust: 0, source: 'runtime@1.6.0:pkg/katautils/config.go:554' },
  {
    key: 'agent.kata.enable_tracing',
    go: false,
    rust: false,
    source: 'runtime@1.7.0:virtcontainers/kata_agent.go:251',
  },
  { key: 'agent.kata.trace_mode', go: '', rust: '', source: 'runtime@1.7.0:virtcontainers/kata_agent.go:251' },
  {
    key: 'agent.kata.policy',
    go: '',
    rust: '',
    source: 'kata-containers@3.23.0:src/libs/kata-types/src/config/agent.rs:154',
  },
];

/**
 * Through these the runtime in Go shares no files, whatever shared_fs says: they do not have the capability (runtime 1.5.0,
 * virtcontainers/fc.go line 664; kata-containers 4.1.0, src/runtime/virtcontainers: only qemu, clh and stratovirt set it).
 */
const withoutSharing: ReadonlySet<string> = new Set(['firecracker', 'acrn', 'remote']);

/** What holds with a hypervisor, whatever its section says; undefined where the section decides. */
export function fixedValue(key: string, language: Language, hypervisor: string | null): Value | undefined {
  const isFixed = key === 'hypervisor.shared_fs' && language === 'go' && withoutSharing.has(hypervisor ?? '');
  return isFixed ? 'none' : undefined;
}

/** The keys that a row may ask for. `hypervisor` stands for each section below it. */
export const askedKeys: ReadonlySet<string> = new Set([
  ...defaults.map(({ key }) => key),
  // Which section below `hypervisor` runtime-rs uses.
  'runtime.hypervisor_name',
]);

/** Undefined where there is none, as for a key of a row that was added. `place`: of the runtime's release. */
export function compiledDefault(key: string, language: Language, place: number): Value | undefined {
  const found = defaults.find((one) => one.key === key)?.[language];
  if (!isHistory(found)) return found;
  return found.findLast(([since]) => placeOf(since) <= place)?.[1];
}

function isHistory(found: Default['go'] | undefined): found is readonly (readonly [string, Value])[] {
  return Array.isArray(found);
}

/** Since this release runtime-rs is shipped for QEMU, and before for Dragonball (src/runtime-rs/Makefile, HYPERVISOR). */
const rustShipsQemu = '3.30.0';

/** What Kata ships as the default of a release: for Go the configuration for QEMU. */
export function stockSettings(language: Language, release: string): Settings {
  const place = placeOf(release);
  const hypervisor = language === 'rust' && place < placeOf(rustShipsQemu) ? 'dragonball' : 'qemu';
  const path = `configuration-${hypervisor}.toml as shipped with ${release}`;
  const said: [string, Value][] = [
    ['runtime.disable_guest_seccomp', true],
    [
      `hypervisor.${hypervisor}.shared_fs`,
      hypervisor === 'dragonball' ? 'inline-virtio-fs' : place < placeOf('2.1.0') ? 'virtio-9p' : 'virtio-fs',
    ],
  ];
  if (language === 'rust') said.push(['runtime.hypervisor_name', hypervisor]);
  if (hypervisor === 'dragonball') said.push(['runtime.use_passfd_io', true]);
  return {
    path,
    hypervisors: [hypervisor],
    values: new Map(said.map(([key, value]) => [key, { value, path, line: null }])),
    annotations: new Map(),
    snapshotters: [],
    architecture: 'x86_64',
    isPartial: false,
  };
}

/** What is known of a node whose configuration is not: nothing but its architecture. */
export function unknownSettings(architecture: string | null): Settings {
  const none = { hypervisors: [], values: new Map(), annotations: new Map(), snapshotters: [] };
  return { path: '', ...none, architecture, isPartial: true };
}
