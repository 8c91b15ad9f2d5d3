import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { locateInstallation } from '../../src/locate/installation.ts';
import type { Settings } from '../../src/protocol/settings.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('what a configuration says of what the protocol asks for');

const etc = '/etc/kata-containers/configuration.toml';
const shim = { '/usr/bin/containerd-shim-kata-v2': 'x' };

function settingsOf(files: Readonly<Record<string, string>>): Settings {
  const host = rootedHost(createNodeHost(), writeTree(temporaryFolder(), { ...shim, ...files }));
  const { configurations } = locateInstallation(host);
  return (configurations.find(({ path }) => path === etc) as { settings: Settings }).settings;
}

/** As "key = value, path:line". */
function said({ values }: Settings): string[] {
  return [...values].map(([key, { value, path, line }]) => `${key} = ${value}, ${path}:${line}`);
}

const comments = '# shared_fs = "none"\n\n'.repeat(20);
const rows: readonly [rule: string, files: Readonly<Record<string, string>>, said: readonly string[]][] = [
  [
    'a key of the hypervisor',
    { [etc]: `${comments}[hypervisor.qemu]\nimage = "/a"\nshared_fs = "virtio-9p"\n` },
    [`hypervisor.qemu.shared_fs = virtio-9p, ${etc}:43`],
  ],
  [
    'keys of other tables',
    { [etc]: '[factory]\nenable_template = true\n[agent.kata]\nenable_tracing = true\n[runtime]\nvfio_mode="vfio"\n' },
    [
      `runtime.vfio_mode = vfio, ${etc}:6`,
      `factory.enable_template = true, ${etc}:2`,
      `agent.kata.enable_tracing = true, ${etc}:4`,
    ],
  ],
  ['no other key', { [etc]: '[runtime]\nenable_debug = true\n' }, []],
  [
    'a key with dots',
    { [etc]: 'hypervisor.qemu.shared_fs = "none"\n' },
    [`hypervisor.qemu.shared_fs = none, ${etc}:1`],
  ],
  [
    'the last drop-in that sets it',
    {
      [etc]: '[runtime]\nvfio_mode = "vfio"\n',
      '/etc/kata-containers/config.d/10-a.toml': '[runtime]\n\nvfio_mode = "guest-kernel"\n',
      '/etc/kata-containers/config.d/20-b.toml': '[runtime]\nenable_debug = true\n',
    },
    ['runtime.vfio_mode = guest-kernel, /etc/kata-containers/config.d/10-a.toml:3'],
  ],
  ['capitals', { [etc]: '[hypervisor.qemu]\nShared_FS = "none"\n' }, [`hypervisor.qemu.shared_fs = none, ${etc}:2`]],
  ['what is no value', { [etc]: '[runtime]\nvfio_mode = ["vfio"]\n' }, []],
  [
    'a text of several lines hides the line',
    { [etc]: '[runtime]\nx = """\nvfio_mode = "a"\n"""\nvfio_mode = "vfio"\n' },
    [`runtime.vfio_mode = vfio, ${etc}:null`],
  ],
];

for (const [rule, files, expected] of rows) test(rule, () => assert.equal(said(settingsOf(files)), [...expected]));

test('the hypervisors, and what annotations may change', () => {
  const found = settingsOf({
    [etc]: '[hypervisor.qemu]\nenable_annotations = ["enable_iommu", ".*"]\n[hypervisor.clh]\npath = "/x"\n',
  });
  assert.equal(found.hypervisors, ['qemu', 'clh']);
  assert.equal([...found.annotations], [['qemu', ['enable_iommu', '.*']]]);
});

test('a drop-in that cannot be read may set everything', () => {
  const drop = '/etc/kata-containers/config.d/10-a.toml';
  assert.is(settingsOf({ [etc]: '[runtime]\n' }).isPartial, false);
  assert.is(settingsOf({ [etc]: '[runtime]\n', [drop]: '[runtime\n' }).isPartial, true);
});

const handler = (table: string, more: string): string =>
  `version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "overlayfs"\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${table}]\nruntime_type = "io.containerd.kata.v2"\n${more}`;
const containerd = '/etc/containerd/config.toml';

const snapshotters: readonly [rule: string, content: string, said: readonly string[]][] = [
  ['the usual one', handler('kata', ''), ['overlayfs:3']],
  ["the handler's own", handler('kata', 'snapshotter = "nydus"\n'), ['nydus:6']],
  [
    'of a handler that names this configuration',
    handler(
      'kata',
      `snapshotter = "erofs"\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata.options]\nConfigPath = "${etc}"\n`,
    ),
    ['erofs:6'],
  ],
  [
    'not of one that names another one',
    handler(
      'kata',
      'snapshotter = "erofs"\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata.options]\nConfigPath = "/x.toml"\n',
    ),
    [],
  ],
  ['not of another runtime', handler('runc', 'snapshotter = "erofs"\n').replace('kata.v2', 'runc.v2'), []],
];

for (const [rule, content, expected] of snapshotters) {
  test(`the snapshotter: ${rule}`, () => {
    const found = settingsOf({ [etc]: '[hypervisor.qemu]\n', [containerd]: content }).snapshotters;
    assert.equal(
      found.map(({ value, line }) => `${value}:${line}`),
      [...expected],
    );
  });
}

test('the architecture, by the loader of its programs', () => {
  assert.is(settingsOf({ [etc]: '' }).architecture, 'other');
  assert.is(settingsOf({ [etc]: '', '/lib/ld64.so.1': 'x' }).architecture, 's390x');
});
