import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { builderOf } from '../../src/locate/builders.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('builders of guest images');
const osbuilder = 'usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh';
const azure = 'opt/kata-containers/uvm/tools/osbuilder/node-builder/azure-linux';

const rows: readonly [rule: string, programs: readonly string[], image: string, commands: readonly string[] | null][] =
  [
    ['Fedora', [osbuilder], '/var/cache/kata-containers/kata-containers-initrd.img', [`/${osbuilder}`]],
    ['an image of the admin', [osbuilder], '/srv/kata/custom.img', null],
    ['the program is not there', [], '/var/cache/kata-containers/kata-containers-initrd.img', null],
    [
      'Azure Linux',
      [`${azure}/uvm_build.sh`],
      '/usr/share/kata-containers/kata-containers.img',
      [`make -C /${azure} uvm`, `make -C /${azure} deploy-uvm`],
    ],
    ['the same image elsewhere', [osbuilder], '/usr/share/kata-containers/kata-containers.img', null],
  ];

for (const [rule, programs, image, commands] of rows) {
  test(rule, () => {
    const root = writeTree(join(temporaryFolder(), 'root'), {
      'etc/hostname': 'x',
      ...Object.fromEntries(programs.map((path) => [path, '#!/bin/sh\n'])),
    });
    assert.equal(builderOf(rootedHost(createNodeHost(), root), image)?.commands ?? null, commands);
  });
}
