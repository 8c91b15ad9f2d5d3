/**
 * Sample nodes as they are found: trees with real images in them and stand-ins for programs. What kata-check says of each
 * is in test/fixtures/nodes, as a person sees it.
 */

import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestTree, makeDisk, makeExt, makeVerity, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';

const scratch = temporaryFolder();
const made = new Map<string, Buffer>();

function once(name: string, make: () => Buffer): Buffer {
  const known = made.get(name) ?? make();
  made.set(name, known);
  return known;
}

const small = ['-b', '1024', '-O', '^has_journal', '-N', '32'];

/** A disk image with this agent. */
export function guest(agent: string): Buffer {
  return once(`guest ${agent}`, () => {
    const tree = writeTree(join(scratch, `guest-${agent}`), guestTree(agent));
    const filesystem = makeExt(join(scratch, `${agent}.ext4`), tree, '256K', ...small);
    return readFileSync(makeDisk(join(scratch, `${agent}.img`), filesystem, { dax: true }));
  });
}

/** An initrd with this agent, as dracut or osbuilder packs it. */
export function initrd(agent: string): Buffer {
  return once(`initrd ${agent}`, () => {
    const tree = writeTree(join(scratch, `initrd-${agent}`), guestTree(agent));
    const file = join(scratch, `${agent}.initrd`);
    run('sh', '-c', `cd '${tree}' && find . | sort | cpio -H newc -o --quiet | gzip -n >'${file}'`);
    return readFileSync(file);
  });
}

interface MeasuredImage {
  readonly disk: Buffer;
  /** For the configuration. */
  readonly parameters: string;
}

/** As the default image since 4.0: with a second partition of hashes, which has no superblock. */
function measured(name: string, content: Tree, dax: boolean): MeasuredImage {
  const known = measuredImages.get(name);
  if (known !== undefined) return known;
  const tree = writeTree(join(scratch, `measured-${name}`), content);
  const filesystem = makeExt(join(scratch, `measured-${name}.ext4`), tree, '256K', ...small);
  const { hashes, parameters } = makeVerity(filesystem, '--no-superblock');
  const disk = readFileSync(makeDisk(join(scratch, `measured-${name}.img`), filesystem, { dax, second: hashes }));
  const image = { disk, parameters };
  measuredImages.set(name, image);
  return image;
}

const measuredImages = new Map<string, MeasuredImage>();

/** What NVIDIA's drivers come in: no agent, no init. */
const extensionTree: Tree = { 'usr/lib/nvidia/driver.ko': 'x' };

/** Whoever runs it leaves a mark. */
const stand = '#!/bin/sh\necho run >"$0.was-run"\necho "kata-runtime  : 9.9.9"\n';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly owns: readonly string[];
}

export function dpkg(packages: readonly Package[]): Tree {
  const stanza = ({ name, version }: Package): string =>
    `Package: ${name}\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: ${version}\nDescription: x\n`;
  return {
    '/var/lib/dpkg/status': packages.map(stanza).join('\n'),
    ...Object.fromEntries(
      packages.map(({ name, owns }) => [`/var/lib/dpkg/info/${name}.list`, owns.map((path) => `${path}\n`).join('')]),
    ),
  };
}

/** Puts packages into rpm's database of a root, by rpm itself. */
function rpm(root: string, packages: readonly Package[]): void {
  const work = temporaryFolder();
  for (const { name, version, owns } of packages) {
    const [number = '', release = '1'] = version.split('-');
    const folders = owns.map((path) => `mkdir -p "%{buildroot}${path.slice(0, path.lastIndexOf('/'))}"`);
    const files = owns.map((path) => `echo x >"%{buildroot}${path}"`);
    const spec = `Name: ${name}\nVersion: ${number}\nRelease: ${release}\nSummary: x\nLicense: x\nBuildArch: noarch\n%description\nx\n%install\n${[...folders, ...files].join('\n')}\n%files\n${owns.join('\n')}\n`;
    writeTree(work, { [`${name}.spec`]: spec });
    const defines = [
      '--define',
      `_topdir ${work}`,
      '--define',
      '_build_id_links none',
      '--define',
      '__os_install_post %{nil}',
    ];
    run('rpmbuild', '-bb', '--quiet', ...defines, join(work, `${name}.spec`));
    const file = join(work, 'RPMS/noarch', `${name}-${version}.noarch.rpm`);
    run(
      'rpm',
      '--root',
      root,
      '--dbpath',
      '/usr/lib/sysimage/rpm',
      '-i',
      '--justdb',
      '--nodeps',
      '--nosignature',
      file,
    );
  }
}

export const qemu = (image: string, key = 'image'): string => hypervisor('qemu', image, key);

export function hypervisor(name: string, image: string, key = 'image'): string {
  return `[hypervisor.${name}]\npath = "/usr/bin/${name}"\nkernel = "/opt/kata/share/kata-containers/vmlinux.container"\n${key} = "${image}"\n\n[agent.kata]\n`;
}

export const usrImages = '/usr/share/kata-containers';
export const usrConfiguration = '/usr/share/defaults/kata-containers/configuration.toml';
const local = '/etc/kata-containers/configuration.toml';
export const opt = '/opt/kata/share/defaults/kata-containers';
export const optImages = '/opt/kata/share/kata-containers';
export const optShim = '/opt/kata/bin/containerd-shim-kata-v2';
export const rustShim = '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2';

export function handler(name: string, shim: string, configuration: string): string {
  const table = `plugins."io.containerd.cri.v1.runtime".containerd.runtimes.${name}`;
  return `[${table}]\nruntime_type = "io.containerd.${name}.v2"\nruntime_path = "${shim}"\n[${table}.options]\nConfigPath = "${configuration}"\n`;
}

/** The static tarball of one release. */
function tarball(version: string, agent = version): Tree {
  return {
    '/opt/kata/VERSION': `${version}\n`,
    '/opt/kata/bin/kata-runtime': goStandIn(version),
    [optShim]: goStandIn(version),
    [`${opt}/configuration.toml`]: { link: 'configuration-qemu.toml' },
    [`${opt}/configuration-qemu.toml`]: qemu(`${optImages}/kata-containers.img`),
    [`${opt}/configuration-fc.toml`]: hypervisor('firecracker', `${optImages}/kata-containers-none.img`),
    [`${optImages}/kata-containers.img`]: { link: 'kata-ubuntu-noble.image' },
    [`${optImages}/kata-ubuntu-noble.image`]: guest(agent),
  };
}

/** What kata-deploy makes of a shim's configuration. */
function deployed(shim: string, toml: string, dropIn = '[runtime]\nenable_debug = true\n'): Tree {
  const folder = `${opt}/runtimes/${shim}`;
  return {
    [`${opt}/configuration-${shim}.toml`]: { link: `runtimes/${shim}/configuration-${shim}.toml` },
    [`${folder}/configuration-${shim}.toml`]: toml,
    [`${folder}/config.d/20-debug.toml`]: dropIn,
  };
}

const custom = '/srv/kata/custom.img';
const nvidia = `${optImages}/kata-containers-nvidia-gpu.img`;
const gpuExtension = `${optImages}/kata-containers-nvidia-gpu-extension.img`;
const oldHandler = `${opt}/custom-runtimes/kata-old/configuration-qemu.toml`;
const dragonball = `${opt}/runtime-rs/runtimes/dragonball/configuration-dragonball.toml`;
const cvm = '/opt/confidential-containers/share';
const fedoraInitrd = '/var/cache/kata-containers/kata-containers-initrd.img';
const dracutInitrd = '/var/cache/kata-containers/osbuilder-images/6.15.9/fedora-kata-6.15.9.initrd';

interface SampleNode {
  /** As a title; what is odd of it. */
  readonly title: string;
  readonly tree: () => Tree;
  readonly rpms?: readonly Package[];
  readonly needs?: readonly string[];
}

export const sampleNodes: Readonly<Record<string, SampleNode>> = {
  'obs-1x': {
    title: '1.x from packages of OBS: the image is a link to a name with versions in it',
    tree: () => ({
      '/usr/bin/kata-runtime': stand,
      '/usr/bin/containerd-shim-kata-v2': stand,
      [usrConfiguration]: qemu(`${usrImages}/kata-containers.img`),
      [`${usrImages}/kata-containers.img`]: { link: 'kata-containers-image_clearlinux_1.12.1_agent_717a30b2d1.img' },
      [`${usrImages}/kata-containers-image_clearlinux_1.12.1_agent_717a30b2d1.img`]: guest('1.12.1'),
      ...dpkg([
        {
          name: 'kata-runtime',
          version: '1.12.1-9',
          owns: ['/usr/bin/kata-runtime', '/usr/bin/containerd-shim-kata-v2', usrConfiguration],
        },
        { name: 'kata-containers-image', version: '1.12.1-9', owns: [`${usrImages}/kata-containers.img`] },
      ]),
    }),
    needs: ['dpkg-query'],
  },
  'tarball-2x': {
    title:
      '2.x from the static tarball, a link in /usr/local/bin; Firecracker is not chosen, and its image not looked for',
    tree: () => ({ ...tarball('2.5.2'), '/usr/local/bin/containerd-shim-kata-v2': { link: optShim } }),
  },
  'tarball-3x': {
    title: '3.x from the static tarball, both runtimes, each with its own configuration; the image is a release older',
    tree: () => ({
      ...tarball('3.7.0', '3.6.0'),
      [rustShim]: stand,
      [`${opt}/runtime-rs/configuration.toml`]: { link: 'configuration-dragonball.toml' },
      [`${opt}/runtime-rs/configuration-dragonball.toml`]: hypervisor('dragonball', `${optImages}/kata-containers.img`),
    }),
  },
  'kata-deploy-3x': {
    title: 'kata-deploy with five shims, and a custom handler with a forgotten image',
    tree: () => ({
      ...tarball('3.21.0'),
      [rustShim]: stand,
      ...deployed('clh', hypervisor('clh', `${optImages}/kata-containers.img`)),
      ...deployed('qemu', qemu(`${optImages}/kata-containers.img`)),
      [`${opt}/configuration-qemu.toml`]: { link: 'runtimes/qemu/configuration-qemu.toml' },
      ...deployed('qemu-nvidia-gpu', qemu(nvidia)),
      ...deployed('remote', '[hypervisor.remote]\nremote_hypervisor_socket = "/run/peerpod/hypervisor.sock"\n'),
      [dragonball]: hypervisor('dragonball', `${optImages}/kata-containers.img`),
      [nvidia]: guest('3.21.0'),
      [oldHandler]: qemu(`${optImages}/kata-containers.img`),
      [`${opt}/custom-runtimes/kata-old/config.d/50-overrides.toml`]: `[hypervisor.qemu]\nimage = "${custom}"\n`,
      [custom]: guest('2.5.2'),
      '/etc/containerd/config.toml': 'version = 3\nimports = ["/opt/kata/containerd/config.d/kata-deploy.toml"]\n',
      '/opt/kata/containerd/config.d/kata-deploy.toml': [
        ...['clh', 'qemu', 'qemu-nvidia-gpu', 'remote'].map((shim) =>
          handler(`kata-${shim}`, optShim, `${opt}/runtimes/${shim}/configuration-${shim}.toml`),
        ),
        handler('kata-dragonball', rustShim, dragonball),
        handler('kata-old', optShim, oldHandler),
      ].join(''),
    }),
  },
  'runtime-rs-4x': {
    title: '4.x with the runtime in Rust alone, a measured image, and a measured extension image without an agent',
    tree: () => {
      const image = measured('guest', guestTree('4.1.0'), true);
      const gpu = measured('gpu', extensionTree, false);
      return {
        '/opt/kata/VERSION': '4.1.0\n',
        [rustShim]: stand,
        [`${opt}/runtime-rs/configuration.toml`]: { link: 'configuration-qemu-runtime-rs.toml' },
        [`${opt}/runtime-rs/configuration-qemu-runtime-rs.toml`]: [
          qemu(`${optImages}/kata-containers.img`).replace(
            '\n\n[agent',
            `\nkernel_verity_params = "${image.parameters}"\n\n[agent`,
          ),
          '[[hypervisor.qemu.guest_extension_images]]',
          'name = "gpu"',
          `path = "${gpuExtension}"`,
          `verity_params = "${gpu.parameters}"`,
          '',
        ].join('\n'),
        [`${optImages}/kata-containers.img`]: { link: 'kata-ubuntu-noble.image' },
        [`${optImages}/kata-ubuntu-noble.image`]: image.disk,
        [`${optImages}/root_hash_base.txt`]: `${image.parameters}\n`,
        [gpuExtension]: gpu.disk,
      };
    },
    needs: ['veritysetup'],
  },
  fedora: {
    title: "Fedora: the initrd that dracut made on this node before the package's upgrade",
    tree: () => ({
      '/usr/bin/kata-runtime': stand,
      '/usr/bin/containerd-shim-kata-v2': stand,
      '/usr/share/kata-containers/defaults/configuration.toml': qemu(fedoraInitrd, 'initrd'),
      [fedoraInitrd]: { link: dracutInitrd },
      [dracutInitrd]: initrd('3.2.0'),
      '/usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh': stand,
    }),
    rpms: [
      {
        name: 'kata-containers',
        version: '3.21.0-1.fc43',
        owns: ['/usr/bin/kata-runtime', '/usr/bin/containerd-shim-kata-v2'],
      },
    ],
    needs: ['rpm', 'rpmbuild', 'cpio', 'gzip'],
  },
  'azure-linux': {
    title:
      'Azure Linux: programs in /usr/local/bin, the image made on the node beside a backup, and another runtime for confidential pods',
    tree: () => ({
      '/usr/local/bin/containerd-shim-kata-v2': stand,
      '/usr/local/bin/containerd-shim-kata-cc-v2': stand,
      [usrConfiguration]: hypervisor('clh', `${usrImages}/kata-containers.img`),
      [`${usrImages}/kata-containers.img`]: guest('3.15.0'),
      [`${usrImages}/kata-containers.img.~1~`]: guest('3.2.0'),
      [`${cvm}/defaults/kata-containers/configuration-clh-snp.toml`]:
        `${hypervisor('clh', `${cvm}/kata-containers/kata-containers.img`)}[hypervisor.clh.x]\n`.replace(
          'kernel',
          `igvm = "${cvm}/kata-containers/kata-containers-igvm.img"\nkernel`,
        ),
      [`${cvm}/kata-containers/kata-containers.img`]: guest('3.15.0'),
      [`${cvm}/kata-containers/kata-containers-igvm.img`]: `IGVM${'\0'.repeat(1020)}`,
      '/etc/containerd/config.toml':
        `version = 2\n${handler('kata', '/usr/local/bin/containerd-shim-kata-v2', usrConfiguration)}${handler('kata-cc', '/usr/local/bin/containerd-shim-kata-cc-v2', `${cvm}/defaults/kata-containers/configuration-clh-snp.toml`)}`.replaceAll(
          'io.containerd.cri.v1.runtime',
          'io.containerd.grpc.v1.cri',
        ),
    }),
    rpms: [
      { name: 'kata-containers', version: '3.19.1.kata3-1.azl3', owns: ['/usr/local/bin/containerd-shim-kata-v2'] },
      {
        name: 'kata-containers-cc',
        version: '3.15.0.aks0-8.azl3',
        owns: ['/usr/local/bin/containerd-shim-kata-cc-v2'],
      },
    ],
    needs: ['rpm', 'rpmbuild'],
  },
  beside: {
    title: "a distribution's package beside /opt/kata: each with its own image",
    tree: () => ({
      '/usr/bin/kata-runtime': stand,
      [usrConfiguration]: qemu(`${usrImages}/kata-containers.img`),
      [`${usrImages}/kata-containers.img`]: guest('3.2.0'),
      ...dpkg([
        { name: 'kata-runtime', version: '3.2.0-1', owns: ['/usr/bin/kata-runtime', usrConfiguration] },
        { name: 'kata-containers-image', version: '3.2.0-1', owns: [`${usrImages}/kata-containers.img`] },
      ]),
      ...tarball('3.21.0'),
    }),
    needs: ['dpkg-query'],
  },
  masked: {
    title: 'a local configuration that masks the packaged one, with an image of its own that is too old',
    tree: () => ({
      '/usr/bin/kata-runtime': stand,
      [usrConfiguration]: qemu(`${usrImages}/kata-containers.img`),
      [`${usrImages}/kata-containers.img`]: guest('3.2.0'),
      [local]: qemu(custom),
      [custom]: guest('3.0.2'),
      ...dpkg([
        { name: 'kata-runtime', version: '3.2.0-1', owns: ['/usr/bin/kata-runtime', usrConfiguration] },
        { name: 'kata-containers-image', version: '3.2.0-1', owns: [`${usrImages}/kata-containers.img`] },
      ]),
    }),
    needs: ['dpkg-query'],
  },
  broken: {
    title: 'a broken configuration and a broken drop-in, a dangling link, a file that is no image, an encrypted one',
    tree: () => ({
      '/opt/kata/VERSION': '3.21.0\n',
      [optShim]: goStandIn('3.21.0'),
      [`${opt}/configuration.toml`]: '[hypervisor.qemu]\nimage = "/opt/kata\n',
      ...deployed('clh', hypervisor('clh', `${optImages}/kata-containers.img`), 'enable_debug = yes\n'),
      ...deployed('qemu', qemu(`${optImages}/kata-containers-initrd.img`, 'initrd')),
      ...deployed('qemu-se', qemu('').replace('vmlinux.container', 'kata-containers-se.img')),
      ...deployed('fc', hypervisor('firecracker', '/srv/kata/fc.img')),
      [`${optImages}/kata-containers.img`]: guest('3.21.0'),
      [`${optImages}/kata-containers-initrd.img`]: { link: '/home/builder/out/kata-alpine-3.18.initrd' },
      [`${optImages}/kata-containers-se.img`]: Buffer.alloc(4096, 0x5a),
      '/srv/kata/fc.img': 'this is no image',
      '/etc/containerd/config.toml': 'version = 3\n[plugins\n',
    }),
  },
};

/** The root of a sample node; the programs in it could be run. */
export function makeNode(name: string): string {
  const node = sampleNodes[name];
  if (node === undefined) throw new Error(`no sample node ${name}`);
  const root = temporaryFolder();
  const tree = node.tree();
  writeTree(root, tree);
  for (const [path, content] of Object.entries(tree)) if (content === stand) chmodSync(join(root, path), 0o755);
  if (node.rpms !== undefined) rpm(root, node.rpms);
  return root;
}
