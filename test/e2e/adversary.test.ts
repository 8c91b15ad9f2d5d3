/**
 * Attacks that once worked, each under the name that it has in the list of attacks: what another user of the machine can do, and what a
 * package, an image or a setting can do by mistake. Both forms of the program.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import {
  aptInput,
  type Form,
  forms,
  inOwnRun,
  type Outcome,
  type Step,
  sampleNode,
  samplePackages,
} from './program.ts';

const top = resolve(import.meta.dirname, '../..');
const runtime: Step = {
  name: 'kata-runtime',
  old: '1.0.0-1',
  next: '1.1.0-1',
  what: join(samplePackages, 'kata-runtime_1.1.0-1_all.deb'),
};

interface Setting {
  readonly env?: Readonly<Record<string, string>>;
  /** Shell before the hook, in a mount namespace with an empty /run of its own. */
  readonly prepare?: string;
  /** Instead of the sample node. */
  readonly root?: string;
}

function hookApt(form: Form, steps: readonly Step[], { env = {}, prepare = ':', root }: Setting = {}): Outcome {
  const [program = '', ...argv] = inOwnRun([...form.argv, 'hook', 'apt'], prepare);
  const { status, stdout, stderr } = spawnSync(program, argv, {
    encoding: 'utf8',
    cwd: '/',
    input: aptInput(steps, [], root),
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** No byte can be written in either; the sources of this program stay where they are, if that is below one of the two. */
const fullTemporaryFolders = `mkdir /run/top && mount --rbind ${top} /run/top &&
  for folder in /tmp /var/tmp; do mount -t tmpfs -o size=64k tmpfs $folder || exit 99; done &&
  mkdir -p ${top} && mount --rbind /run/top ${top} &&
  for folder in /tmp /var/tmp; do head -c 1M /dev/zero > $folder/x 2>/dev/null || :; done`;

for (const form of forms) {
  const test = suite(`attacks, ${form.name}`);
  const needs = [...form.needs, 'root', 'unshare', 'dpkg-deb', 'gzip'];

  test(
    'A1: a full /tmp and /var/tmp keep no mismatch from being stopped',
    () => {
      const { status, stderr } = hookApt(form, [runtime], { prepare: fullTemporaryFolders });
      assert.is(status, 10, stderr);
      assert.match(stderr, /KC101/);
    },
    { needs },
  );

  test(
    'A1: nor does a limit of the size of files',
    () => {
      const { status, stderr } = hookApt(form, [runtime], { prepare: 'ulimit -f 0' });
      assert.is(status, 10, stderr);
    },
    { needs },
  );

  for (const compression of ['gzip', 'xz', 'zstd', 'none']) {
    test(
      `A1: a control archive of ${compression} is read without room`,
      () => {
        const what = makeDeb(temporaryFolder(), {
          name: 'kata-runtime',
          version: '1.1.0-1',
          fields: { 'Kata-Agent-Requires': '>=1.1.0 <1.2.0' },
          compression,
        });
        const prepare = `cp ${what} /run/x.deb && ${fullTemporaryFolders}`;
        const { status, stderr } = hookApt(form, [{ ...runtime, what: '/run/x.deb' }], { prepare });
        assert.is(status, 10, stderr);
      },
      { needs: [...needs, 'xz', 'zstd'] },
    );
  }

  test(
    'E3: a control archive that unpacks to gigabytes is refused, and nothing of it is written anywhere',
    () => {
      const folder = temporaryFolder();
      const bomb = join(folder, 'kata-bomb_1.0_all.deb');
      writeControlBomb(bomb, 512);
      const prepare = `cp ${bomb} /run/x.deb && ${fullTemporaryFolders}`;
      const step = { name: 'kata-bomb', old: null, next: '1.0', what: '/run/x.deb' };
      const { status, stderr } = hookApt(form, [step], { prepare });
      assert.is(status, 0);
      assert.match(stderr, /cannot be read: .*gave more than 16777216\s+bytes/s);
    },
    { needs: [...needs, 'ar', 'tar', 'sh'] },
  );
}

for (const form of forms) {
  const test = suite(`a hook always ends, ${form.name}`);
  const needs = [...form.needs, 'root', 'unshare', '/dev/fuse', 'perl'];
  /** Below a root in which the folder of the images is `folder`. */
  const hanging = (prepare: string): Outcome & { readonly seconds: number } => {
    const root = temporaryFolder();
    run('cp', '-a', `${sampleNode}/.`, root);
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/kata-check.conf'), 'deadline = 2\n', { mode: 0o644 });
    const start = performance.now();
    const outcome = hookApt(form, [runtime], { prepare: prepare.replaceAll('ROOT', root), root });
    return { ...outcome, seconds: (performance.now() - start) / 1000 };
  };

  test(
    'D1: an image on a filesystem that does not answer',
    () => {
      const { status, seconds } = hanging(
        // Nobody serves this FUSE mount.
        `exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 dead ROOT/usr/share/kata-containers`,
      );
      assert.ok(status === null || status > 128, `status ${status}`);
      assert.ok(seconds < 30, `${seconds} seconds`);
    },
    { needs },
  );

  test(
    'D2: SIGCHLD is ignored by whoever calls the hook',
    () => {
      const { status, stderr } = hookApt(form, [runtime], {
        prepare: `set -- perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV' "$@"`,
      });
      assert.is(status, 10, stderr);
    },
    { needs },
  );
}

/** A .deb whose control archive begins with so many MiB of zeros. */
function writeControlBomb(path: string, size: number): void {
  const script = `cd "$(mktemp -d)" && mkdir c d && head -c ${size}M /dev/zero > c/zeros && printf 'Package: kata-bomb\\nVersion: 1.0\\n' > c/control &&
    tar -C c -czf control.tar.gz ./zeros ./control && tar -C d -czf data.tar.gz . && echo 2.0 > debian-binary &&
    ar rc ${path} debian-binary control.tar.gz data.tar.gz && rm -rf "$PWD"`;
  run('sh', '-c', script);
}
