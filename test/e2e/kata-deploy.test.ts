/** Nodes as kata-deploy of four releases has left them, and what kata-deploy of another release brings: only images that stay are judged. */

import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';
import { suite } from '../suite.ts';
import {
  componentTarballs,
  configuration,
  type Deployment,
  deployedNode,
  ownImage,
  packed,
  type Release,
  wholeTarball,
} from './kata-deploy.ts';
import { guest } from './nodes.ts';
import { forms, inNothing, kataCheck, type Outcome, staticProgram } from './program.ts';

const test = suite('kata-deploy');
const needs = ['mkfs.ext4', 'cpio', 'tar', 'zstd'];

const nodes: readonly [deployment: Deployment, incoming: Release][] = [
  [{ release: '3.21.0', prefix: '/opt/kata', engine: 'containerd 1.7', version: '3.21.0' }, '3.32.0'],
  [{ release: '3.21.0', prefix: '/opt/kata-dev', engine: 'containerd 2.0', version: '3.21.0' }, '4.1.0'],
  [{ release: '3.21.0', prefix: '/srv/opt/kata', engine: 'CRI-O', version: '3.21.0' }, '4.0.0'],
  [{ release: '3.32.0', prefix: '/opt/kata', engine: 'containerd 2.2', version: null }, '4.0.0'],
  [{ release: '3.32.0', prefix: '/opt/kata', engine: 'microk8s', version: '3.21.0' }, '4.1.0'],
  [{ release: '3.32.0', prefix: '/opt/kata-dev', engine: 'k3s', version: null }, '4.0.0'],
  [{ release: '4.0.0', prefix: '/opt/kata', engine: 'k0s', version: '3.21.0' }, '4.1.0'],
  [{ release: '4.0.0', prefix: '/srv/opt/kata-dev', engine: 'containerd 2.2', version: null }, '4.1.0'],
  [{ release: '4.1.0', prefix: '/opt/kata', engine: 'containerd 2.0', version: null }, '4.1.0'],
  [{ release: '4.1.0', prefix: '/opt/kata-dev', engine: 'CRI-O', version: '3.21.0' }, '4.0.0'],
];

/** The node below `host` of a folder, and the tarballs in its `incoming`. */
function placed(tree: Tree, tarballs: readonly string[]): { folder: string; incoming: string[] } {
  const folder = temporaryFolder();
  writeTree(join(folder, 'host'), tree);
  mkdirSync(join(folder, 'incoming'));
  const incoming = tarballs.map((path) => `/incoming/${basename(path)}`);
  for (const [index, path] of tarballs.entries()) copyFileSync(path, join(folder, incoming[index] ?? ''));
  return { folder, incoming };
}

interface Pair {
  readonly runtimeVersion: string | null;
  readonly image: string;
  readonly agentVersion: string | null;
  readonly verdict: string;
}

/** Which runtime and image were judged, once for both languages of the runtime. */
function pairsOf({ stdout, stderr }: Outcome): string[] {
  assert.is(stderr, '');
  const { pairs } = JSON.parse(stdout) as { pairs: Pair[] };
  return [
    ...new Set(
      pairs.map(({ runtimeVersion, image, agentVersion, verdict }) =>
        [runtimeVersion, image, agentVersion, verdict].join(' '),
      ),
    ),
  ].sort();
}

/** What kata-deploy replaces has the agent that comes. Below another prefix a drop-in of 3.32 and later names the initrd, too. */
function expected({ release, prefix }: Deployment, incoming: Release, own: string, verdict: string): string[] {
  const isMoved = release !== '3.21.0' && prefix !== '/opt/kata';
  const replaced = ['kata-containers.img', ...(isMoved ? ['kata-containers-initrd.img'] : [])];
  return [
    ...replaced.map((name) => `${incoming} ${prefix}/share/kata-containers/${name} ${incoming} ok`),
    `${incoming} ${ownImage} ${own} ${verdict}`,
  ].sort();
}

function named({ release, prefix, engine, version }: Deployment, incoming: Release): string {
  const file = version === null ? 'no VERSION' : version === release ? 'its VERSION' : 'a VERSION of before';
  return `${release} at ${prefix}, ${engine}, ${file}, to ${incoming}`;
}

for (const [index, [deployment, incoming]] of nodes.entries()) {
  const name = named(deployment, incoming);
  for (const form of forms) {
    test(
      `${form.name}: ${name}: the image that stays does not fit`,
      () => {
        const { folder, incoming: paths } = placed(deployedNode(deployment, '1.12.1'), componentTarballs(incoming));
        const files = paths.map((path) => join(folder, path));
        const outcome = kataCheck(form, ['--root', join(folder, 'host'), '--json', ...files]);
        assert.is(outcome.status, 10);
        assert.equal(pairsOf(outcome), expected(deployment, incoming, '1.12.1', 'block'));
      },
      // Node.js takes its time, and what it would say of the others the native form says.
      { needs: [...needs, ...form.needs], isLong: form.name === 'Node.js' && index > 3 },
    );
  }

  test(
    `${name}: the image that stays fits, by the whole tarball too; from an empty chroot the same answers`,
    () => {
      const native = forms[1] as (typeof forms)[number];
      for (const tarballs of [componentTarballs(incoming), [wholeTarball(incoming)]]) {
        const { folder, incoming: paths } = placed(deployedNode(deployment, incoming), tarballs);
        const files = paths.map((path) => join(folder, path));
        const outcome = kataCheck(native, ['--root', join(folder, 'host'), '--json', ...files]);
        assert.is(outcome.status, 0);
        assert.equal(pairsOf(outcome), expected(deployment, incoming, incoming, 'ok'));
        for (const args of [paths, []]) {
          const here = args.length === 0 ? [] : files;
          const { status, stdout, stderr } = kataCheck(native, ['--root', join(folder, 'host'), '--json', ...here]);
          const there = inNothing(folder, '--root', '/host', '--json', ...args);
          assert.equal(there, { status, stdout: stdout.replaceAll(folder, ''), stderr });
        }
      }
    },
    { needs: [...needs, 'root', staticProgram, ...(forms[1]?.needs ?? [])] },
  );
}

for (const form of forms) {
  test(
    `${form.name}: the image that the configurations of the release that comes name, for the shims and for a runtime of the node's own`,
    () => {
      const prefix = '/opt/kata-dev';
      const tree = deployedNode({ release: '3.32.0', prefix, engine: 'containerd 2.2', version: null }, '3.32.0');
      const next = '/opt/kata/share/kata-containers/kata-next.img';
      const moved = next.replace('/opt/kata', prefix);
      const overrides = `${prefix}/share/defaults/kata-containers/custom-runtimes/kata-own/config.d`;
      const withoutImages = Object.fromEntries(
        Object.entries(tree).filter(
          ([path]) => !path.endsWith('10-installation-prefix.toml') && !path.startsWith(overrides),
        ),
      );
      const file = packed('next', 'kata-static-next.tar.zst', {
        '/opt/kata/bin/containerd-shim-kata-v2': goStandIn('4.1.0'),
        '/opt/kata/share/defaults/kata-containers/configuration-qemu.toml': configuration('/opt/kata', next),
        [next]: guest('4.1.0'),
      });
      const outcome = kataCheck(form, ['--root', writeTree(temporaryFolder(), withoutImages), '--json', file]);
      const { configurations } = JSON.parse(outcome.stdout) as {
        configurations: { namedBy: string; images: string[] }[];
      };
      const images = (handler: string) => configurations.find(({ namedBy }) => namedBy.endsWith(` ${handler}`))?.images;
      assert.equal(images('kata-qemu-dev'), [moved]);
      assert.equal(images('kata-own'), [moved]);
      assert.ok(pairsOf(outcome).includes(`4.1.0 ${moved} 4.1.0 ok`), outcome.stdout);
    },
    { needs: [...needs, ...form.needs] },
  );
}
