import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { guestTree, makeDisk, makeExt, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('kata-check hook tukit');
const needs = ['mkfs.ext4', 'sfdisk', 'dpkg-query'];

/** A snapshot with a runtime of this version and an image whose agent is 2.5.2. */
function snapshot(version: string): string {
  const scratch = temporaryFolder();
  const filesystem = makeExt(join(scratch, 'x.ext4'), writeTree(join(scratch, 'x'), guestTree('2.5.2')), '16M');
  const disk = readFileSync(makeDisk(join(scratch, 'x.img'), filesystem, { dax: true }));
  return writeTree(join(scratch, 'snapshot'), {
    '/usr/bin/kata-runtime': 'x',
    '/usr/share/kata-containers/kata.img': disk,
    '/usr/share/defaults/kata-containers/configuration.toml':
      '[hypervisor.qemu]\nimage = "/usr/share/kata-containers/kata.img"\n',
    '/var/lib/dpkg/status': `Package: kata-runtime\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: ${version}-1\nDescription: x\n`,
    '/var/lib/dpkg/info/kata-runtime.list': '/usr/bin/kata-runtime\n',
  });
}

for (const form of forms) {
  const all = { needs: [...needs, ...form.needs] };
  test(
    `${form.name}: a snapshot that fits passes without a word`,
    () => {
      const { status, stdout, stderr } = kataCheck(form, ['hook', 'tukit', 'finalize-pre', snapshot('2.5.2'), '7']);
      assert.equal([status, stdout], [0, '']);
      assert.not.match(stderr, /stopped/);
    },
    all,
  );
  test(
    `${form.name}: another stage says nothing`,
    () => {
      const outcome = kataCheck(form, ['hook', 'tukit', 'execute-pre', snapshot('1.12.1'), '7', 'zypper', 'up']);
      assert.equal(outcome, { status: 0, stdout: '', stderr: '' });
    },
    all,
  );
  test(
    `${form.name}: a snapshot that brings a mismatch is dropped, as it is told`,
    () => {
      const root = snapshot('1.12.1');
      const { status, stdout, stderr } = kataCheck(form, ['hook', 'tukit', 'finalize-pre', root, '7']);
      assert.is(status, 10, stderr);
      assert.is(stdout, '');
      assert.match(stderr, /stopped transactional-update/);
      assert.match(stderr, /The snapshot is dropped\./);
    },
    all,
  );
}
