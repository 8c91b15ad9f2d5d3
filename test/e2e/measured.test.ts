import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { guestTree, makeDisk, makeExt, makeVerity, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('measured guest images');
const folder = temporaryFolder();
const image = '/opt/kata/share/kata-containers/kata-containers-confidential.img';

/** A node with a real measured image; returns its configured parameters. */
function makeNode(node: string, ...options: string[]): string {
  const filesystem = makeExt(`${node}.ext4`, writeTree(`${node}.tree`, guestTree('3.31.0')), '16M');
  const { hashes, parameters } = makeVerity(filesystem, ...options);
  const disk = makeDisk(`${node}.img`, filesystem, { dax: true, second: hashes });
  writeTree(node, {
    [image]: readFileSync(disk),
    '/opt/kata/VERSION': '3.31.0\n',
    '/opt/kata/bin/kata-runtime': '#!/bin/sh\n',
  });
  return parameters;
}

function configure(node: string, parameters: string): string {
  writeTree(node, {
    '/etc/kata-containers/configuration.toml': `[hypervisor.qemu]\nimage = "${image}"\nkernel_verity_params = "${parameters}"\n`,
  });
  return node;
}

for (const form of forms) {
  for (const [name, options] of [
    ['with a superblock', []],
    ['without a superblock', ['--no-superblock']],
  ] as const) {
    test(
      `${form.name}: ${name}: the right hash passes; one changed digit, or an image that is not measured, is KC106`,
      () => {
        const node = join(folder, `${form.name}-${name}`.replaceAll(' ', '-'));
        const parameters = makeNode(node, ...options);
        const codes = (): string[] => {
          const { stdout } = kataCheck(form, ['--root', node, '--json']);
          return (JSON.parse(stdout) as { findings: { code: string }[] }).findings.map(({ code }) => code);
        };
        configure(node, parameters);
        assert.not(codes().includes('KC106'), parameters);
        assert.not(codes().includes('KC202'));

        const digit = parameters['root_hash='.length] === 'f' ? 'e' : 'f';
        configure(node, parameters.replace(/^root_hash=./, `root_hash=${digit}`));
        assert.ok(codes().includes('KC106'));
        const { status, stdout } = kataCheck(form, ['--root', node]);
        assert.match(stdout, /\[KC106\]/);
        assert.is(status, 10);

        configure(node, parameters);
        const other = makeDisk(join(folder, 'other.img'), `${node}.ext4`, { dax: true });
        writeFileSync(join(node, image), readFileSync(other));
        assert.ok(codes().includes('KC106'), 'the image was exchanged');
      },
      { needs: [...form.needs, 'mkfs.ext4', 'veritysetup'] },
    );
  }
}
