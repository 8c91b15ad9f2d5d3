import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { guestTree, makeDisk, makeExt, makeVerity, temporaryFolder, type Verity, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('measured guest images');
const folder = temporaryFolder();
const image = '/opt/kata/share/kata-containers/kata-containers-confidential.img';

/** A node with a real measured image. */
function makeNode(node: string, ...options: string[]): Verity {
  const filesystem = makeExt(`${node}.ext4`, writeTree(`${node}.tree`, guestTree('3.31.0')), '16M');
  const verity = makeVerity(filesystem, ...options);
  const disk = makeDisk(`${node}.img`, filesystem, { dax: true, second: verity.hashes });
  writeTree(node, {
    [image]: readFileSync(disk),
    '/opt/kata/VERSION': '3.31.0\n',
    '/opt/kata/bin/kata-runtime': goStandIn('3.31.0'),
  });
  return verity;
}

function configure(node: string, parameters: string, key = 'kernel_verity_params'): string {
  writeTree(node, {
    '/etc/kata-containers/configuration.toml': `[hypervisor.qemu]\nimage = "${image}"\n${key} = "${parameters}"\n`,
  });
  return node;
}

interface Told {
  readonly code: string;
  readonly severity: string;
  readonly affects: readonly string[];
}

/** The findings about the root hash, as `KC106 block PATH`. */
function hashFindings(form: (typeof forms)[number], node: string): string[] {
  const { stdout } = kataCheck(form, ['--root', node, '--json']);
  const { findings } = JSON.parse(stdout) as { findings: Told[] };
  return findings
    .filter(({ code }) => code === 'KC106' || code === 'KC202')
    .map(({ code, severity, affects }) => `${code} ${severity} ${affects[1]}`);
}

function otherDigit(hash: string): string {
  return (hash.startsWith('f') ? 'e' : 'f') + hash.slice(1);
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
        const { parameters } = makeNode(node, ...options);
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
      { needs: [...form.needs, 'mkfs.ext4', 'veritysetup'], isLong: options.length > 0 },
    );
  }
}

const configuration = '/etc/kata-containers/configuration.toml';
const rootHashFile = '/opt/kata/share/kata-containers/root_hash_confidential.txt';

for (const form of forms) {
  test(
    `${form.name}: until 3.26 the root hash is one of kernel_params, and the last one counts`,
    () => {
      const node = join(folder, `${form.name}-parameter`);
      const { parameters } = makeNode(node);
      const hash = /^root_hash=([0-9a-f]+)/.exec(parameters)?.[1] ?? '';
      const kernel = (...words: string[]): string => ['agent.log=debug', ...words].join(' ');
      const scheme = 'rootfs_verity.scheme=dm-verity';
      configure(node, kernel(scheme, `rootfs_verity.hash=${hash}`), 'kernel_params');
      assert.equal(hashFindings(form, node), []);
      configure(node, kernel(scheme, `rootfs_verity.hash=${otherDigit(hash)}`), 'kernel_params');
      assert.equal(hashFindings(form, node), [`KC106 block ${configuration}`]);
      const twice = [`rootfs_verity.hash=${otherDigit(hash)}`, `rootfs_verity.hash=${hash}`];
      configure(node, kernel(scheme, ...twice), 'kernel_params');
      assert.equal(hashFindings(form, node), []);
      configure(node, kernel('rootfs_verity.scheme=none', `rootfs_verity.hash=${otherDigit(hash)}`), 'kernel_params');
      assert.equal(hashFindings(form, node), [], 'nothing is verified');
    },
    { needs: [...form.needs, 'mkfs.ext4', 'veritysetup'] },
  );

  test(
    `${form.name}: where no configuration asks, the root hash that lies beside the image is compared, and another one is a warning`,
    () => {
      const node = join(folder, `${form.name}-beside`);
      const { parameters, printed } = makeNode(node);
      configure(node, '');
      assert.equal(hashFindings(form, node), [], 'no file');
      for (const text of [`${parameters}\n`, printed]) {
        writeTree(node, { [rootHashFile]: text });
        assert.equal(hashFindings(form, node), []);
        const hash = /(?:root_hash=|Root hash:\s+)([0-9a-f]+)/.exec(text)?.[1] ?? '';
        writeTree(node, { [rootHashFile]: text.replace(hash, otherDigit(hash)) });
        assert.equal(hashFindings(form, node), [`KC106 warn ${rootHashFile}`]);
        assert.is(kataCheck(form, ['--root', node]).status, 0);
        assert.is(kataCheck(form, ['--root', node, '--strict']).status, 10);
      }
      configure(node, parameters);
      assert.equal(hashFindings(form, node), [], 'the configuration speaks first');
      configure(node, '');
      const plain = makeDisk(join(folder, 'plain.img'), `${node}.ext4`, { dax: true });
      writeFileSync(join(node, image), readFileSync(plain));
      assert.equal(hashFindings(form, node), [], 'an image that is not measured, of which nobody asks it');
      writeFileSync(join(node, rootHashFile), 'no hash at all');
      assert.equal(hashFindings(form, node), []);
    },
    { needs: [...form.needs, 'mkfs.ext4', 'veritysetup'] },
  );
}
