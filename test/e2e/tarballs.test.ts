/**
 * Static tarballs, for nodes as kata-deploy leaves them: what a tarball brings takes the place of what is there, and what stays is judged.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeDisk, makeExt, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck, sampleNode } from './program.ts';

const test = suite('kata-check TARBALL');
const needs = ['mkfs.ext4', 'sfdisk', 'tar', 'zstd'];
const images = new Map<string, Buffer>();

function guest(agent: string): Buffer {
  const scratch = temporaryFolder();
  const made =
    images.get(agent) ??
    readFileSync(
      makeDisk(
        join(scratch, 'x.img'),
        makeExt(join(scratch, 'x'), writeTree(join(scratch, 't'), guestTree(agent)), '16M'),
        {
          dax: true,
        },
      ),
    );
  images.set(agent, made);
  return made;
}

const share = (prefix: string): string => `${prefix}/share/kata-containers`;
const defaults = (prefix: string): string => `${prefix}/share/defaults/kata-containers`;

/** What kata-deploy has put below a prefix, and a handler with an image of its own. */
function deployed(prefix: string, agent: string, version: string | null): Tree {
  const custom = `${defaults(prefix)}/custom-runtimes/own/configuration-qemu.toml`;
  return {
    [`${prefix}/bin/containerd-shim-kata-v2`]: 'x',
    [`${prefix}/runtime-rs/bin/containerd-shim-kata-v2`]: 'x',
    ...(version === null ? {} : { [`${prefix}/VERSION`]: `${version}\n` }),
    [`${share(prefix)}/kata.img`]: guest(agent),
    [`${defaults(prefix)}/runtimes/qemu/configuration-qemu.toml`]: `[hypervisor.qemu]\nimage = "${share(prefix)}/kata.img"\n`,
    [custom]: '[hypervisor.qemu]\nimage = "/srv/own.img"\n',
    '/etc/containerd/config.toml': [
      'version = 3',
      ...[
        ['qemu', `${defaults(prefix)}/runtimes/qemu/configuration-qemu.toml`],
        ['own', custom],
      ].flatMap(([name, path]) => [
        `[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.kata-${name}]`,
        `runtime_type = "io.containerd.kata-${name}.v2"`,
        `runtime_path = "${prefix}/bin/containerd-shim-kata-v2"`,
        `options.ConfigPath = "${path}"`,
      ]),
      '',
    ].join('\n'),
  };
}

function tarball(name: string, tree: Tree): string {
  const file = join(temporaryFolder(), name);
  run('tar', '-C', writeTree(temporaryFolder(), tree), '--zstd', '-cf', file, './opt');
  return file;
}

const whole = (version: string): Tree => ({
  'opt/kata/VERSION': `${version}\n`,
  'opt/kata/bin/containerd-shim-kata-v2': 'x',
  'opt/kata/runtime-rs/bin/containerd-shim-kata-v2': 'x',
  'opt/kata/share/kata-containers/kata-1.img': guest(version),
  'opt/kata/share/kata-containers/kata.img': { link: 'kata-1.img' },
});

interface Verdicts {
  readonly status: number | null;
  readonly pairs: readonly string[];
}

/** Each image that is judged, with the verdict over it. */
function verdicts(form: (typeof forms)[number], root: string, ...args: string[]): Verdicts {
  const { status, stdout, stderr } = kataCheck(form, ['--root', root, '--json', ...args]);
  assert.not.match(stderr, /cannot be read/);
  const { findings } = JSON.parse(stdout) as { findings: { code: string; severity: string; affects: string[] }[] };
  const blocks = findings.filter(({ severity }) => severity === 'block');
  return { status, pairs: [...new Set(blocks.map(({ code, affects }) => `${code} ${affects[0]}`))].sort() };
}

const fits: Verdicts = { status: 0, pairs: [] };
const own: Verdicts = { status: 10, pairs: ['KC102 /srv/own.img'] };

for (const form of forms) {
  const all = { needs: [...needs, ...form.needs], timeout: 300 };
  for (const prefix of ['/opt/kata', '/opt/kata-blue']) {
    for (const version of ['1.12.1', null]) {
      const what = `${prefix}, ${version === null ? 'without a file VERSION' : 'with a file VERSION of before'}`;
      test(
        `${form.name}: ${what}: what the tarball replaces is not judged, what stays is`,
        () => {
          const path = tarball('kata-static-4.1.0-amd64.tar.zst', whole('4.1.0'));
          const tree = deployed(prefix, '1.12.1', version);
          assert.equal(
            verdicts(form, writeTree(temporaryFolder(), { ...tree, '/srv/own.img': guest('1.12.1') }), path),
            own,
          );
          assert.equal(
            verdicts(form, writeTree(temporaryFolder(), { ...tree, '/srv/own.img': guest('4.1.0') }), path),
            fits,
          );
        },
        { ...all, isLong: (prefix === '/opt/kata') === (version !== null) },
      );
    }
  }
  test(
    `${form.name}: component tarballs: the shim alone, and with its image`,
    () => {
      const root = writeTree(temporaryFolder(), {
        ...deployed('/opt/kata', '1.12.1', null),
        '/srv/own.img': guest('4.1.0'),
      });
      const shim = tarball('kata-static-shim-v2-go.tar.zst', {
        'opt/kata/VERSION': '4.1.0\n',
        'opt/kata/bin/containerd-shim-kata-v2': 'x',
      });
      const image = tarball('kata-static-rootfs-image.tar.zst', {
        'opt/kata/share/kata-containers/kata.img': guest('4.1.0'),
      });
      const alone = verdicts(form, root, shim);
      assert.equal(alone.pairs, ['KC102 /opt/kata/share/kata-containers/kata.img']);
      assert.equal(verdicts(form, root, shim, image).pairs, []);
    },
    all,
  );
  test(
    `${form.name}: a version that only the name of the tarball says is in doubt, and stops nothing`,
    () => {
      const tree = { ...deployed('/opt/kata', '1.12.1', null), '/srv/own.img': guest('1.12.1') };
      const path = tarball('kata-go-static-4.1.0-amd64.tar.zst', { 'opt/kata/bin/containerd-shim-kata-v2': 'x' });
      const { stdout } = kataCheck(form, ['--root', writeTree(temporaryFolder(), tree), path]);
      assert.match(stdout, /KC204/);
      assert.match(stdout, /[Oo]nly\s+the\s+name\s+of\s+the\s+tarball\s+says\s+its\s+version/);
      assert.not.match(stdout, /blocked/);
    },
    all,
  );
  test(
    `${form.name}: what the user names is looked into, whatever its name is`,
    () => {
      const tree = { ...deployed('/opt/kata', '1.12.1', null), '/srv/own.img': guest('1.12.1') };
      const root = writeTree(temporaryFolder(), tree);
      const deb = { name: 'vendor-shim', version: '4.1.0', files: { 'opt/kata/bin/containerd-shim-kata-v2': 'x' } };
      assert.is(verdicts(form, root, makeDeb(temporaryFolder(), deb)).status, 10);
      for (const name of ['release.tar.zst', 'kata-deploy.oci', '4.1.0'])
        assert.equal(verdicts(form, root, tarball(name, whole('4.1.0'))), own, name);
      // On a node of packages, where it comes beside what is there.
      assert.match(
        kataCheck(form, ['--root', sampleNode, tarball('x.tar.zst', whole('4.1.0'))]).stdout,
        /x\.tar\.zst 4\.1\.0/,
      );
    },
    { ...all, needs: [...all.needs, 'dpkg-deb', 'gzip'] },
  );
  test(
    `${form.name}: --prefix says where`,
    () => {
      const tree = {
        ...deployed('/opt/kata-blue', '1.12.1', null),
        '/opt/kata-red/x': 'x',
        '/srv/own.img': guest('1.12.1'),
      };
      const path = tarball('kata-static-4.1.0-amd64.tar.zst', whole('4.1.0'));
      const root = writeTree(temporaryFolder(), tree);
      assert.equal(verdicts(form, root, '--prefix', '/opt/kata-blue', path), own);
    },
    all,
  );
}
