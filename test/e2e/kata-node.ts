/** A node as it is in use: Kata from a package, with fifteen configurations, beside other packages. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tree } from '../images.ts';

const sample = fileURLToPath(
  new URL('../fixtures/founding-case/node/usr/share/kata-containers/kata-containers.img', import.meta.url),
);
const image = '/usr/share/kata-containers/kata-containers.img';
const folder = '/usr/share/defaults/kata-containers';
/** Kata's own have that many bytes, most of them comments. */
const configurationSize = 30_000;
const hypervisors = [
  'qemu',
  'clh',
  'dragonball',
  'fc',
  'acrn',
  'stratovirt',
  'qemu-tdx',
  'qemu-snp',
  'qemu-se',
  'qemu-cca',
  'qemu-nvidia-gpu',
  'qemu-coco-dev',
  'remote',
  'qemu-runtime-rs',
  'cloud-hypervisor',
];

function configuration(): string {
  const lines = ['[hypervisor.qemu]', `image = "${image}"`];
  const comment =
    '# What this option does, what else it can be set to, and when not to use it at all.\n#option = "value"\n';
  return `${lines.join('\n')}\n${comment.repeat(Math.ceil(configurationSize / comment.length))}[runtime]\nenable_debug = false\n`;
}

export function configurations(): Tree {
  const names = ['', ...hypervisors.slice(1).map((name) => `-${name}`)];
  return Object.fromEntries(names.map((name) => [`${folder}/configuration${name}.toml`, configuration()]));
}

/** `strangers`: packages that have nothing to do with Kata, each with a hundred files. */
export function kataNode(strangers: readonly string[]): Tree {
  const stanza = (name: string, version: string, fields = ''): string =>
    `Package: ${name}\nStatus: install ok installed\nMaintainer: x\nArchitecture: amd64\nVersion: ${version}\n${fields}Description: ${name}\n ${'of which much can be said. '.repeat(30)}\n`;
  const files = (name: string): string =>
    Array.from({ length: 100 }, (_, index) => `/usr/share/${name}/some/where/below/file-${index}.txt\n`).join('');
  return {
    ...configurations(),
    [image]: readFileSync(sample),
    '/usr/bin/kata-runtime': '#!/bin/sh\necho "kata-runtime  : 1.0.0"\n',
    '/usr/bin/containerd-shim-kata-v2': '#!/bin/sh\n',
    '/var/lib/dpkg/status': [
      ...strangers.map((name) => stanza(name, '1')),
      stanza('kata-runtime', '1.0.0-1', 'Kata-Agent-Requires: >=1.0.0 <1.1.0\n'),
      stanza('vendor-guest', '1'),
    ].join('\n'),
    ...Object.fromEntries(strangers.map((name) => [`/var/lib/dpkg/info/${name}.list`, files(name)])),
    '/var/lib/dpkg/info/kata-runtime.list': ['/usr/bin/kata-runtime', ...Object.keys(configurations())].join('\n'),
    '/var/lib/dpkg/info/vendor-guest.list': `${image}\n`,
  };
}
