/**
 * Real configurations in which features are switched on and off, each with a runtime and an agent that differ in it: the verdict, and the
 * line that decides. The configurations are in test/fixtures/configurations, by the release whose keys and values they have.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { dpkg, guest } from './nodes.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('configurations');
const templates = join(import.meta.dirname, '../fixtures/configurations');

type Value = string | number | boolean | readonly string[];
/** A section and a key of it, and its value there. */
type Setting = readonly [section: string, key: string, value: Value];

interface Row {
  readonly rule: string;
  /** RELEASE/NAME of the template. */
  readonly template: string;
  /** What is changed in it. */
  readonly set?: readonly Setting[];
  readonly runtime: string;
  readonly agent: string;
  /** `ok`, or the code and its severity. */
  readonly verdict: string;
  /** What is told to decide: settings of the configuration, by their lines, or other words. */
  readonly named?: readonly (readonly [section: string, key: string] | string)[];
  /** What nobody is told of. */
  readonly unnamed?: readonly string[];
  readonly more?: Tree;
}

const containerd = '/etc/containerd/config.toml';
const dropIn = '/opt/kata/share/defaults/kata-containers/config.d/10-site.toml';
const compiled = '(compiled in, as no configuration sets it)';

/** On line 7 of the file. */
function snapshotter(name: string): Tree {
  const cri = 'plugins."io.containerd.grpc.v1.cri".containerd';
  const handler = `[${cri}.runtimes.kata]\nruntime_type = "io.containerd.kata.v2"\n`;
  return { [containerd]: `version = 2\n\n[${cri}]\n${handler}\nsnapshotter = "${name}"\n` };
}

const rows: readonly Row[] = [
  // Templates and caches of VMs.
  {
    rule: 'a VM template is switched on',
    template: '1.6.0/qemu',
    set: [['factory', 'enable_template', true]],
    runtime: '1.6.0',
    agent: '1.4.0',
    verdict: 'KC103 block',
    named: [['factory', 'enable_template']],
  },
  {
    rule: 'a cache of VMs is switched on',
    template: '1.6.0/qemu',
    set: [['factory', 'vm_cache_number', 3]],
    runtime: '1.6.0',
    agent: '1.4.0',
    verdict: 'KC103 block',
    named: [['factory', 'vm_cache_number']],
  },
  {
    rule: 'neither is, as shipped',
    template: '1.6.0/qemu',
    runtime: '1.6.0',
    agent: '1.4.0',
    verdict: 'ok',
    named: [`enable_template = false ${compiled}`],
  },

  // Files that are copied, block devices, 9p.
  {
    rule: 'Firecracker shares no files, so that they are copied, and its disks are virtio-mmio',
    template: '1.6.0/fc',
    runtime: '1.6.0',
    agent: '1.4.0',
    verdict: 'KC103 block',
    named: ['hypervisor = "firecracker"', ['hypervisor.firecracker', 'block_device_driver']],
  },
  {
    rule: 'disks of virtio-mmio, with QEMU',
    template: '1.6.0/qemu',
    set: [['hypervisor.qemu', 'block_device_driver', 'virtio-mmio']],
    runtime: '1.6.0',
    agent: '1.4.0',
    verdict: 'KC103 block',
    named: [['hypervisor.qemu', 'block_device_driver']],
  },
  {
    rule: 'disks of virtio-scsi, as shipped',
    template: '1.6.0/qemu',
    set: [['hypervisor.qemu', 'block_device_driver', 'virtio-scsi']],
    runtime: '1.6.0',
    agent: '1.4.0',
    verdict: 'ok',
    named: [['hypervisor.qemu', 'block_device_driver']],
  },
  {
    rule: '9p is asked of an agent of the same release, which has none',
    template: '3.29.0/qemu',
    set: [['hypervisor.qemu', 'shared_fs', 'virtio-9p']],
    runtime: '3.29.0',
    agent: '3.29.0',
    verdict: 'KC103 block',
    named: [['hypervisor.qemu', 'shared_fs']],
  },
  {
    rule: 'virtio-fs, as shipped',
    template: '3.29.0/qemu',
    runtime: '3.29.0',
    agent: '3.29.0',
    verdict: 'ok',
    named: [['hypervisor.qemu', 'shared_fs']],
  },
  {
    rule: 'virtio-fs, but a pod may ask for 9p',
    template: '4.1.0/qemu',
    set: [['hypervisor.qemu', 'enable_annotations', ['enable_iommu', 'shared_fs']]],
    runtime: '4.1.0',
    agent: '4.0.0',
    verdict: 'KC107 warn',
    named: [['hypervisor.qemu', 'shared_fs']],
  },
  {
    rule: 'virtio-fs, and annotations are for other keys, as shipped',
    template: '4.1.0/qemu',
    runtime: '4.1.0',
    agent: '4.0.0',
    verdict: 'ok',
    named: [['hypervisor.qemu', 'shared_fs']],
  },
  {
    rule: 'nothing is shared, so that the message of a container that ends is asked for: only logged',
    template: '3.29.0/clh',
    set: [['hypervisor.clh', 'shared_fs', 'none']],
    runtime: '3.29.0',
    agent: '3.28.0',
    verdict: 'ok',
    named: ['agent 3.28.0 does not understand the call GetDiagnosticData of runtime 3.29.0; an error is logged'],
  },

  // Seccomp and tracing in the guest.
  {
    rule: 'seccomp in the guest, for containers with a profile',
    template: '2.0.0/qemu',
    set: [['runtime', 'disable_guest_seccomp', false]],
    runtime: '2.0.0',
    agent: '2.4.0',
    verdict: 'KC107 warn',
    named: [['runtime', 'disable_guest_seccomp'], 'containers with a seccomp profile'],
  },
  {
    rule: 'no seccomp in the guest, as shipped; routes of IPv6 are another matter',
    template: '2.0.0/qemu',
    runtime: '2.0.0',
    agent: '2.4.0',
    verdict: 'KC107 warn',
    named: [['runtime', 'disable_guest_seccomp'], 'pods with IPv6 routes', `enable_tracing = false ${compiled}`],
  },
  {
    rule: 'tracing that the runtime starts',
    template: '2.0.0/qemu',
    set: [
      ['agent.kata', 'enable_tracing', true],
      ['agent.kata', 'trace_mode', 'dynamic'],
    ],
    runtime: '2.0.0',
    agent: '2.4.0',
    verdict: 'KC103 block',
    named: [
      ['agent.kata', 'enable_tracing'],
      ['agent.kata', 'trace_mode'],
    ],
  },
  {
    rule: 'tracing that begins with the agent',
    template: '2.0.0/qemu',
    set: [
      ['agent.kata', 'enable_tracing', true],
      ['agent.kata', 'trace_mode', 'static'],
    ],
    runtime: '2.0.0',
    agent: '2.4.0',
    verdict: 'KC107 warn',
    named: [['agent.kata', 'trace_mode']],
  },

  // Volumes of ConfigMaps, swap.
  {
    rule: 'ConfigMaps are watched in a shared filesystem',
    template: '2.5.0/qemu',
    runtime: '2.5.0',
    agent: '2.1.0',
    verdict: 'KC103 block',
    named: [['hypervisor.qemu', 'shared_fs'], `enable_guest_swap = false ${compiled}`],
  },
  {
    rule: 'with Firecracker they are copied, so that nothing is proven',
    template: '2.5.0/fc',
    runtime: '2.5.0',
    agent: '2.1.0',
    verdict: 'KC107 warn',
    named: ['hypervisor = "firecracker"'],
  },
  {
    rule: 'swap, for containers that ask for it',
    template: '2.5.0/fc',
    set: [['hypervisor.firecracker', 'enable_guest_swap', true]],
    runtime: '2.5.0',
    agent: '2.1.0',
    verdict: 'KC107 warn',
    named: [['hypervisor.firecracker', 'enable_guest_swap'], 'containers with a memory swappiness above 0'],
  },
  {
    rule: 'swap by the runtime in Rust, without which pods go on',
    template: '3.29.0/dragonball',
    set: [['hypervisor.dragonball', 'enable_guest_swap', true]],
    runtime: '3.29.0',
    agent: '3.14.0',
    verdict: 'ok',
    named: ['the call AddSwapPath of runtime 3.29.0; an error is logged when swap is added'],
  },
  {
    rule: 'no swap, as shipped: nobody is told of it',
    template: '3.29.0/dragonball',
    runtime: '3.29.0',
    agent: '3.14.0',
    verdict: 'ok',
    unnamed: ['AddSwapPath'],
  },

  // The resources of sandboxes.
  {
    rule: 'an agent that counts CPUs in another way leaves some offline',
    template: '2.5.0/clh',
    runtime: '2.5.0',
    agent: '3.2.0',
    verdict: 'KC102 block',
    named: [['runtime', 'static_sandbox_resource_mgmt'], 'containers with a CPU limit'],
  },
  {
    rule: 'where sandboxes are sized once, none is counted',
    template: '2.5.0/clh',
    set: [['runtime', 'static_sandbox_resource_mgmt', true]],
    runtime: '2.5.0',
    agent: '3.2.0',
    verdict: 'KC107 warn',
    named: ['containers with a VFIO device'],
    unnamed: ['static_sandbox_resource_mgmt'],
  },
  {
    rule: 'resources are updated by a call that the agent lacks',
    template: '3.12.0/qemu',
    runtime: '3.12.0',
    agent: '3.1.0',
    verdict: 'KC103 block',
    named: [['runtime', 'static_sandbox_resource_mgmt']],
  },
  {
    rule: 'where sandboxes are sized once, it is not made',
    template: '3.12.0/qemu',
    set: [['runtime', 'static_sandbox_resource_mgmt', true]],
    runtime: '3.12.0',
    agent: '3.1.0',
    verdict: 'KC107 warn',
    named: [['runtime', 'static_sandbox_resource_mgmt']],
  },
  {
    rule: 'nor with Firecracker, as shipped',
    template: '3.12.0/fc',
    runtime: '3.12.0',
    agent: '3.1.0',
    verdict: 'KC107 warn',
    named: [['runtime', 'static_sandbox_resource_mgmt']],
  },
  {
    rule: 'a drop-in has the last word',
    template: '3.12.0/fc',
    runtime: '3.12.0',
    agent: '3.1.0',
    verdict: 'KC103 block',
    named: [`static_sandbox_resource_mgmt = false (${dropIn}, line 3)`],
    more: { [dropIn]: '# by hand\n[runtime]\nstatic_sandbox_resource_mgmt = false\n' },
  },

  // The runtime in Rust.
  {
    rule: 'Dragonball passes file descriptors, as shipped',
    template: '3.12.0/dragonball',
    runtime: '3.12.0',
    agent: '3.2.0',
    verdict: 'KC102 block',
    named: [['runtime', 'use_passfd_io']],
  },
  {
    rule: 'Dragonball passes none',
    template: '3.12.0/dragonball',
    set: [['runtime', 'use_passfd_io', false]],
    runtime: '3.12.0',
    agent: '3.2.0',
    verdict: 'ok',
    named: [['runtime', 'use_passfd_io']],
  },
  {
    rule: 'QEMU passes none, whatever is set',
    template: '3.12.0/qemu-runtime-rs',
    set: [['runtime', 'use_passfd_io', true]],
    runtime: '3.12.0',
    agent: '3.2.0',
    verdict: 'ok',
    named: ['hypervisor = "qemu"'],
  },
  {
    rule: 'a policy for all pods',
    template: '3.29.0/qemu-runtime-rs',
    set: [['agent.kata', 'policy', 'package agent_policy']],
    runtime: '3.29.0',
    agent: '3.2.0',
    verdict: 'KC103 block',
    named: [['agent.kata', 'policy']],
  },
  {
    rule: 'a policy is for pods that bring one, as shipped',
    template: '3.29.0/qemu-runtime-rs',
    runtime: '3.29.0',
    agent: '3.2.0',
    verdict: 'KC107 warn',
    named: ['pods with the annotation io.katacontainers.config.agent.policy', `policy = "" ${compiled}`],
  },

  // Volumes that are disks.
  {
    rule: 'disks for emptyDir are encrypted, as shipped',
    template: '3.29.0/qemu-coco-dev',
    runtime: '3.29.0',
    agent: '4.0.0',
    verdict: 'KC103 block',
    named: [['runtime', 'emptydir_mode'], 'pods with an emptyDir volume'],
  },
  {
    rule: 'emptyDir is shared',
    template: '3.29.0/qemu-coco-dev',
    set: [['runtime', 'emptydir_mode', 'shared-fs']],
    runtime: '3.29.0',
    agent: '4.0.0',
    verdict: 'ok',
    named: [['runtime', 'emptydir_mode']],
  },
  {
    rule: 'an agent that encrypts none',
    template: '4.1.0/qemu-snp',
    runtime: '4.1.0',
    agent: '3.27.0',
    verdict: 'KC103 block',
    named: [['runtime', 'emptydir_mode']],
  },
  {
    rule: 'plain disks for emptyDir',
    template: '4.1.0/clh',
    set: [['runtime', 'emptydir_mode', 'block-plain']],
    runtime: '4.1.0',
    agent: '3.32.0',
    verdict: 'KC103 block',
    named: [['runtime', 'emptydir_mode']],
  },
  {
    rule: 'likewise by the runtime in Rust',
    template: '4.1.0/clh-runtime-rs',
    set: [['runtime', 'emptydir_mode', 'block-plain']],
    runtime: '4.1.0',
    agent: '3.32.0',
    verdict: 'KC103 block',
    named: [['runtime', 'emptydir_mode']],
  },
  {
    rule: 'emptyDir is shared, as shipped',
    template: '4.1.0/qemu-runtime-rs',
    runtime: '4.1.0',
    agent: '3.32.0',
    verdict: 'ok',
    named: [['runtime', 'emptydir_mode']],
  },

  // Images of containers, by the snapshotter or in the guest.
  {
    rule: 'images are pulled in the guest',
    template: '3.29.0/qemu-coco-dev',
    set: [['runtime', 'experimental_force_guest_pull', true]],
    runtime: '3.29.0',
    agent: '3.2.0',
    verdict: 'KC103 block',
    named: [['runtime', 'experimental_force_guest_pull']],
  },
  {
    rule: 'images are not, as shipped',
    template: '3.29.0/qemu-coco-dev',
    set: [['runtime', 'emptydir_mode', 'shared-fs']],
    runtime: '3.29.0',
    agent: '3.2.0',
    verdict: 'KC107 warn',
    named: [['runtime', 'experimental_force_guest_pull']],
  },
  {
    rule: 'images by nydus',
    template: '2.5.0/clh',
    runtime: '2.5.0',
    agent: '2.3.0',
    verdict: 'KC103 block',
    named: [`snapshotter = "nydus" (${containerd}, line 7)`],
    more: snapshotter('nydus'),
  },
  {
    rule: 'images by overlayfs',
    template: '2.5.0/clh',
    runtime: '2.5.0',
    agent: '2.3.0',
    verdict: 'KC107 warn',
    named: [`snapshotter = "overlayfs" (${containerd}, line 7)`],
    more: snapshotter('overlayfs'),
  },
  {
    rule: 'images by erofs',
    template: '3.29.0/qemu-runtime-rs',
    runtime: '3.29.0',
    agent: '3.28.0',
    verdict: 'KC103 block',
    named: [`snapshotter = "erofs" (${containerd}, line 7)`],
    more: snapshotter('erofs'),
  },

  // Devices.
  {
    rule: 'crypto adapters of s390x that are there from the start',
    template: '3.29.0/qemu',
    set: [
      ['hypervisor.qemu', 'cold_plug_vfio', 'root-port'],
      ['runtime', 'vfio_mode', 'vfio'],
    ],
    runtime: '3.29.0',
    agent: '3.13.0',
    verdict: 'KC107 warn',
    named: [
      ['hypervisor.qemu', 'cold_plug_vfio'],
      ['runtime', 'vfio_mode'],
    ],
    more: { '/lib/ld64.so.1': 'x' },
  },
  {
    rule: 'there are none elsewhere',
    template: '3.29.0/qemu',
    set: [
      ['hypervisor.qemu', 'cold_plug_vfio', 'root-port'],
      ['runtime', 'vfio_mode', 'vfio'],
    ],
    runtime: '3.29.0',
    agent: '3.13.0',
    verdict: 'ok',
    unnamed: ['vfio_mode'],
  },
];

const written = (value: Value): string => JSON.stringify(value);

/** The text with this setting, in the place of the one that stands there, in a comment or not, else as the last one of its section. */
function withSetting(text: string, [section, key, value]: Setting): string {
  const lines = text.split('\n');
  const start = lines.indexOf(`[${section}]`);
  assert.not.equal(start, -1, `no section ${section}`);
  const next = lines.findIndex((line, index) => index > start && line.startsWith('['));
  const end = next === -1 ? lines.length - 1 : next - 1;
  const there = lines.findIndex(
    (line, index) => index > start && index < end && (line.startsWith(`${key} = `) || line.startsWith(`# ${key} = `)),
  );
  lines.splice(there === -1 ? end : there, there === -1 ? 0 : 1, `${key} = ${written(value)}`);
  return lines.join('\n');
}

/** As it is told: the setting as it is written, with the file and its line. */
function toldOf(text: string, path: string, section: string, key: string): string {
  const lines = text.split('\n');
  const start = lines.indexOf(`[${section}]`);
  const index = lines.findIndex((line, at) => at > start && line.startsWith(`${key} = `));
  return `${lines[index]} (${path}, line ${index + 1})`;
}

for (const { rule, template, set = [], runtime, agent, verdict, named = [], unnamed = [], more = {} } of rows) {
  const [release = '', name = ''] = template.split('/');
  const shipped = readFileSync(join(templates, release, `configuration-${name}.toml`), 'utf8');
  const text = set.reduce(withSetting, shipped);
  const isRust = text.includes('\nhypervisor_name = ');
  const path = `/opt/kata/share/defaults/kata-containers/${isRust ? 'runtime-rs/' : ''}configuration.toml`;
  const shim = `/opt/kata/${isRust ? 'runtime-rs/' : ''}bin/containerd-shim-kata-v2`;
  const image = /^image = "([^"]+)"$/m.exec(text)?.[1] ?? '';
  const make = (): string =>
    writeTree(temporaryFolder(), {
      ...dpkg([{ name: 'kata-runtime', version: `${runtime}-1`, owns: [shim, path] }]),
      [shim]: 'x',
      [path]: text,
      [image]: guest(agent),
      ...more,
    });
  let root: string | undefined;
  for (const form of forms) {
    test(
      `${form.name}: ${template}, runtime ${runtime}, agent ${agent}: ${rule}`,
      () => {
        root ??= make();
        const { stdout, stderr } = kataCheck(form, ['--root', root, '--json', '--verbose']);
        const { findings } = JSON.parse(stdout) as {
          findings: readonly { code: string; severity: string; facts: readonly { source: string | null }[] }[];
        };
        const found = findings.map(({ code, severity }) => `${code} ${severity}`);
        assert.is(found.join(', ') || 'ok', verdict);
        const told = [stderr, ...findings.flatMap(({ facts }) => facts.map(({ source }) => source))].join('\n');
        for (const one of named) {
          const words = typeof one === 'string' ? one : toldOf(text, path, ...one);
          assert.ok(told.includes(words), `${words}\nis not in\n${told}`);
        }
        for (const words of unnamed) assert.not.ok(told.includes(words), `${words}\nis in\n${told}`);
      },
      { needs: [...form.needs, 'mkfs.ext4'] },
    );
  }
}
