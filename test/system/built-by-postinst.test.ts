/**
 * A guest image that the postinst of the runtime's own package builds on the node, as Fedora's package does in %post: with the real dpkg,
 * before the upgrade, after one whose script works, and after one whose script fails.
 */

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import type { Debian, Outcome } from './debian.ts';
import { prepare } from './kata-node.ts';
import { builtImage, builtOnTheNode, failsToBuild } from './rpm-node.ts';

const test = suite('images that a postinst builds on a Debian');
const needs = ['root', 'debootstrap', 'mkfs.ext4', 'dpkg-deb', 'mount', 'cpio'];
const ranges = { '1.0.0': '>=1.0.0 <1.1.0', '1.1.0': '>=1.1.0 <1.2.0' } as const;
const off = { KATA_CHECK_MODE: 'off' };
const file = (version: keyof typeof ranges): string => `/srv/kata-containers_${version}-1_all.deb`;
let made: Debian | Error | undefined;

/** Runtime and image 1.0.0, both of one package. */
function node(): Debian {
  if (made === undefined) {
    made = new Error('no Debian could be made: see the first test');
    const debian = prepare('trixie');
    for (const version of ['1.0.0', '1.1.0'] as const) {
      const { name, files = {}, scriptlets = [] } = builtOnTheNode(version, temporaryFolder());
      makeDeb(join(debian.root, 'srv'), {
        name,
        version: `${version}-1`,
        fields: { 'Kata-Agent-Requires': ranges[version] },
        files,
        scripts: { postinst: ['#!/bin/sh', ...scriptlets.slice(1), ''].join('\n') },
      });
    }
    made = debian;
  }
  if (made instanceof Error) throw made;
  for (const path of [failsToBuild, builtImage, '/run/kata-check'])
    rmSync(join(made.root, path), { recursive: true, force: true });
  const { status, output } = made.run(['dpkg', '-i', file('1.0.0')], off);
  assert.is(status, 0, output);
  assert.ok(existsSync(join(made.root, builtImage)));
  return made;
}

const upgrade = (where: Debian): Outcome => where.withProc(() => where.run(['dpkg', '-i', file('1.1.0')]));
const said = ({ output }: Outcome): readonly string[] => output.match(/^kata-check: .*$/gm) ?? [];

test(
  'the upgrade passes without a word, and afterwards all fits',
  () => {
    const where = node();
    const outcome = upgrade(where);
    assert.equal(said(outcome), []);
    assert.is(outcome.status, 0, outcome.output);
    assert.match(where.expect('kata-check'), /fits/);
  },
  { needs, timeout: 900 },
);

test(
  'where the script fails, it is told once, afterwards',
  () => {
    const where = node();
    writeFileSync(join(where.root, failsToBuild), '');
    const outcome = upgrade(where);
    assert.not.match(outcome.output, /stopped/);
    assert.is(said(outcome).length, 1, outcome.output);
    assert.match(said(outcome)[0] ?? '', /^kata-check: warning \[KC101\]: the guest image does not fit the installed/);
    // dpkg's own, because of the script.
    assert.is(outcome.status, 1, outcome.output);
    assert.is(where.run(['kata-check']).status, 10);
  },
  { needs, timeout: 120 },
);

test(
  'an image of the admin stops it before',
  () => {
    const where = node();
    const configuration = join(where.root, 'etc/kata-containers/configuration.toml');
    try {
      where.expect('cp', builtImage, '/srv/custom.img');
      where.expect('mkdir', '-p', '/etc/kata-containers');
      writeFileSync(configuration, '[hypervisor.qemu]\ninitrd = "/srv/custom.img"\n');
      const outcome = upgrade(where);
      assert.match(said(outcome)[0] ?? '', /^kata-check: stopped dpkg \[KC101\]/);
      assert.is(outcome.status, 2, outcome.output);
    } finally {
      rmSync(configuration, { force: true });
    }
  },
  { needs, timeout: 120 },
);
