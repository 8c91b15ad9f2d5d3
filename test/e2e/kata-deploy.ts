/**
 * What kata-deploy of four releases carries and leaves on a node, by its sources at those tags (kata-containers,
 * tools/packaging/kata-deploy): 3.21.0 scripts/kata-deploy.sh copies the whole of a static tarball; from 3.32.0 on
 * binary/src/artifacts/install.rs unpacks component tarballs, which hold no VERSION and leave one of before, and
 * binary/src/runtime/containerd.rs and crio.rs write the handlers.
 */

import { join } from 'node:path';
import { run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';
import { guest, hypervisor, initrd } from './nodes.ts';

export type Release = '3.21.0' | '3.32.0' | '4.0.0' | '4.1.0';

/** Where the handlers stand: each has another way in which containerd or CRI-O comes to read them. */
export type Engine = 'containerd 1.7' | 'containerd 2.0' | 'containerd 2.2' | 'k3s' | 'k0s' | 'microk8s' | 'CRI-O';

export interface Deployment {
  readonly release: Release;
  /** INSTALLATION_PREFIX/opt/kata-MULTI_INSTALL_SUFFIX. */
  readonly prefix: string;
  readonly engine: Engine;
  /** The file VERSION: that of this release, of one before, or none. */
  readonly version: Release | null;
}

/** The image of a handler of the node's own, which no release replaces. */
export const ownImage = '/srv/own.img';
const ownHandler = 'kata-own';
const deployed = '/opt/kata';

/** The shims that are configured here, and in which language they are. */
const shims = [
  { shim: 'qemu', folder: '', bin: 'bin' },
  { shim: 'qemu-runtime-rs', folder: '/runtime-rs', bin: 'runtime-rs/bin' },
] as const;

const share = (prefix: string): string => `${prefix}/share/kata-containers`;
const defaults = (prefix: string): string => `${prefix}/share/defaults/kata-containers`;
const program = 'containerd-shim-kata-v2';
const isWhole = (release: Release): boolean => release === '3.21.0';

export function configuration(prefix: string, image = `${share(prefix)}/kata-containers.img`): string {
  return hypervisor('qemu', image);
}

/** By component, as in shim-components.json: what is in the tarball of each, below /opt/kata. */
export function components(release: Release): Readonly<Record<string, Tree>> {
  const [go, rust] = shims.map(({ shim, folder }) => ({
    [`${defaults(deployed)}${folder}/configuration-${shim}.toml`]: configuration(deployed),
  }));
  return {
    'shim-v2-go': {
      [`${deployed}/bin/kata-runtime`]: goStandIn(release),
      [`${deployed}/bin/${program}`]: goStandIn(release),
      [`${defaults(deployed)}/configuration.toml`]: { link: 'configuration-qemu.toml' },
      ...go,
    },
    'shim-v2-rust': { [`${deployed}/runtime-rs/bin/${program}`]: 'a program in Rust', ...rust },
    'rootfs-image': {
      [`${share(deployed)}/kata-ubuntu-noble.image`]: guest(release),
      [`${share(deployed)}/kata-containers.img`]: { link: 'kata-ubuntu-noble.image' },
    },
    'rootfs-initrd': {
      [`${share(deployed)}/kata-alpine-3.22.initrd`]: initrd(release),
      [`${share(deployed)}/kata-containers-initrd.img`]: { link: 'kata-alpine-3.22.initrd' },
    },
    kernel: { [`${share(deployed)}/vmlinux.container`]: 'a kernel' },
  };
}

/** A tarball of it for each component; `names`: of which. */
export function componentTarballs(release: Release, names = Object.keys(components(release))): string[] {
  return names.map((name) => packed(release, `kata-static-${name}.tar.zst`, components(release)[name] ?? {}));
}

/** The one of all components, which has a file VERSION. */
export function wholeTarball(release: Release): string {
  const tree = Object.assign({ [`${deployed}/VERSION`]: `${release}\n` }, ...Object.values(components(release)));
  return packed(release, `kata-static-${release}-amd64.tar.zst`, tree);
}

const packages = new Map<string, string>();

/** A static tarball of this tree, made once for each release and name. */
export function packed(release: string, name: string, tree: Tree): string {
  const known = packages.get(`${release} ${name}`);
  if (known !== undefined) return known;
  const file = join(temporaryFolder(), name);
  packages.set(`${release} ${name}`, file);
  run('tar', '-C', writeTree(temporaryFolder(), tree), '--zstd', '-cf', file, './opt');
  return file;
}

interface Handler {
  readonly name: string;
  readonly program: string;
  readonly configuration: string;
}

/** The node, with a guest image of its own that has the agent `own`. */
export function deployedNode({ release, prefix, engine, version }: Deployment, own: string): Tree {
  const suffix = /\/kata-([^/]+)$/.exec(prefix)?.[1];
  const custom = `${defaults(prefix)}/custom-runtimes/${ownHandler}`;
  const handlers: Handler[] = [
    ...shims.map(({ shim, folder, bin }) => ({
      name: `kata-${shim}${suffix === undefined ? '' : `-${suffix}`}`,
      program: `${prefix}/${bin}/${program}`,
      configuration: `${defaults(prefix)}${folder}${isWhole(release) ? '' : `/runtimes/${shim}`}/configuration-${shim}.toml`,
    })),
    // 3.21 knows no custom runtimes: the admin has made one.
    {
      name: ownHandler,
      program: `${prefix}/bin/${program}`,
      configuration: isWhole(release) ? '/etc/kata-containers/own.toml' : `${custom}/configuration-qemu.toml`,
    },
  ];
  return {
    ...installed(release, prefix),
    ...(version === null ? {} : { [`${prefix}/VERSION`]: `${version}\n` }),
    ...(isWhole(release)
      ? { '/etc/kata-containers/own.toml': configuration(prefix, ownImage) }
      : {
          ...runtimeFolder(custom, 'qemu', prefix),
          [`${custom}/config.d/50-overrides.toml`]: `[hypervisor.qemu]\nimage = "${ownImage}"\n`,
        }),
    ...handlerFiles(engine, { prefix, suffix, handlers }),
    [ownImage]: guest(own),
  };
}

/** What is below the prefix, the custom runtime aside. */
function installed(release: Release, prefix: string): Tree {
  const tree: Record<string, Tree[string]> = {};
  for (const [path, content] of Object.values(components(release)).flatMap((one) => Object.entries(one))) {
    tree[prefix + path.slice(deployed.length)] = content;
  }
  for (const { shim, folder } of shims) {
    const original = `${defaults(prefix)}${folder}/configuration-${shim}.toml`;
    if (isWhole(release)) tree[original] = configuration(prefix);
    else {
      Object.assign(tree, runtimeFolder(`${defaults(prefix)}${folder}/runtimes/${shim}`, shim, prefix));
      tree[original] = { link: `runtimes/${shim}/configuration-${shim}.toml` };
    }
  }
  if (release === '4.1.0') tree[`${prefix}/versions.yaml`] = 'assets:\n';
  return tree;
}

/** A copy of the configuration as it came, and, below another prefix, the drop-in that says so. */
function runtimeFolder(folder: string, shim: string, prefix: string): Tree {
  const images = ['image = "X/kata-containers.img"', 'initrd = "X/kata-containers-initrd.img"'];
  const moved = ['[hypervisor.qemu]', 'kernel = "X/vmlinux.container"', ...images, ''].join('\n');
  return {
    [`${folder}/configuration-${shim}.toml`]: `# IMPORTANT: This file is managed by kata-deploy.\n${configuration(deployed)}`,
    ...(prefix === deployed
      ? {}
      : { [`${folder}/config.d/10-installation-prefix.toml`]: moved.replaceAll('X', share(prefix)) }),
  };
}

/** The file of the handlers, and the file that leads to it. */
function handlerFiles(
  engine: Engine,
  { prefix, suffix, handlers }: { prefix: string; suffix: string | undefined; handlers: readonly Handler[] },
): Tree {
  const more = suffix === undefined ? '' : `-${suffix}`;
  const dropIn = `${prefix}/containerd/config.d/kata-deploy.toml`;
  if (engine === 'CRI-O') {
    return { [`/etc/crio/crio.conf.d/99-kata-deploy${more}`]: `\n${handlers.map(crioHandler).join('\n')}` };
  }
  const [version, plugin] =
    engine === 'containerd 1.7' ? [2, 'io.containerd.grpc.v1.cri'] : [3, 'io.containerd.cri.v1.runtime'];
  const tables = handlers.map((handler) => containerdHandler(plugin, handler)).join('');
  const [main, imported, file] = (
    {
      'containerd 1.7': ['/etc/containerd/config.toml', '', ''],
      'containerd 2.0': ['/etc/containerd/config.toml', dropIn, dropIn],
      'containerd 2.2': [
        '/etc/containerd/config.toml',
        '/etc/containerd/conf.d/*.toml',
        `/etc/containerd/conf.d/kata-deploy${more}.toml`,
      ],
      k3s: [
        '/var/lib/rancher/k3s/agent/etc/containerd/config.toml',
        '/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/*.toml',
        '/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/kata-deploy.toml',
      ],
      k0s: ['/etc/k0s/containerd.toml', '', '/etc/k0s/containerd.d/kata-deploy.toml'],
      microk8s: ['/var/snap/microk8s/current/args/containerd.toml', dropIn, dropIn],
    } as const
  )[engine];
  const imports = imported === '' ? '' : `imports = ["${imported}"]\n`;
  const head = `version = ${version}\n${imports}`;
  return file === '' ? { [main]: head + tables } : { [main]: head, [file]: tables };
}

function containerdHandler(plugin: string, { name, program: path, configuration: toml }: Handler): string {
  const table = `plugins."${plugin}".containerd.runtimes.${name}`;
  return [
    `[${table}]`,
    `runtime_type = "io.containerd.${name}.v2"`,
    `runtime_path = "${path}"`,
    'privileged_without_host_devices = true',
    'pod_annotations = ["io.katacontainers.*"]',
    `[${table}.options]`,
    `ConfigPath = "${toml}"`,
    '',
  ].join('\n');
}

function crioHandler({ name, program: path, configuration: toml }: Handler): string {
  return [
    `[crio.runtime.runtimes.${name}]`,
    `\truntime_path = "${path}"`,
    '\truntime_type = "vm"',
    '\truntime_root = "/run/vc"',
    `\truntime_config_path = "${toml}"`,
    '\tprivileged_without_host_devices = true',
    '',
  ].join('\n');
}
