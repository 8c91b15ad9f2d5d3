/** A Debian with kata-check from its real package, and small packages of Kata to install there. */

import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeDisk, makeExt, temporaryFolder, writeTree } from '../images.ts';
import { Debian } from './debian.ts';

const dist = join(import.meta.dirname, '../../dist');
const scratch = temporaryFolder();
const image = '/usr/share/kata-containers/kata-containers.img';
const configuration = `[hypervisor.qemu]\nimage = "${image}"\n`;

const guestImages = new Map<string, Buffer>();

export function guestImage(version: string): Buffer {
  const known = guestImages.get(version);
  if (known !== undefined) return known;
  const filesystem = makeExt(
    join(scratch, `${version}.ext4`),
    writeTree(join(scratch, version), guestTree(version)),
    '16M',
  );
  const made = readFileSync(makeDisk(join(scratch, `${version}.img`), filesystem, { dax: true }));
  guestImages.set(version, made);
  return made;
}

export function prepare(suiteName: string): Debian {
  const debian = new Debian(suiteName);
  const repository = join(debian.root, 'repository');
  for (const [version, range] of [
    ['1.0.0', '>=1.0.0 <1.1.0'],
    ['1.1.0', '>=1.1.0 <1.2.0'],
    ['1.1.1', '>=1.1.0 <1.2.0'],
  ] as const) {
    makeDeb(repository, {
      name: 'kata-runtime',
      version: `${version}-1`,
      fields: { 'Kata-Agent-Requires': range },
      files: {
        'usr/bin/kata-runtime': `#!/bin/sh\necho "kata-runtime  : ${version}"\n`,
        'usr/share/defaults/kata-containers/configuration.toml': configuration,
      },
      compression: 'xz',
    });
    makeDeb(repository, {
      name: 'kata-containers-image',
      version: `${version}-1`,
      fields: { 'Kata-Agent-Version': version },
      files: { [image]: guestImage(version) },
      compression: 'xz',
    });
    makeDeb(repository, { name: 'unrelated', version: `${version}-1` });
  }
  const [own] = readdirSync(dist).filter((name) => name.endsWith('.deb'));
  assert.ok(own !== undefined, 'npm run build:deb makes the package');
  copyFileSync(join(dist, own), join(repository, own));
  debian.publish();
  debian.expect('apt-get', 'install', '-y', 'kata-check');
  return debian;
}
