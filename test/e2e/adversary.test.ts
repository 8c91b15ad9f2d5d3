/**
 * Attacks that once worked, each under the name that it has in the list of attacks: what another user of the machine can do, and what a
 * package, an image or a setting can do by mistake. Both forms of the program.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeExt, run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import {
  aptInput,
  dpkgNode,
  type Form,
  forms,
  inOwnRun,
  kataCheck,
  type Outcome,
  runtimeStep as runtime,
  type Step,
  sampleNode,
  samplePackages,
} from './program.ts';

const top = resolve(import.meta.dirname, '../..');

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
    { needs: [...needs, 'ar', 'tar', 'sh'], isLong: true },
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

  // The handler that Node.js keeps needs its event loop: there, the deadline ends it.
  if (form.name === 'native') {
    test(
      'D1: SIGTERM ends it while it waits for such a filesystem',
      () => {
        const root = temporaryFolder();
        run('cp', '-a', `${sampleNode}/.`, root);
        const { status, stderr } = hookApt(form, [runtime], {
          root,
          prepare: `exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 dead ${root}/usr/share/kata-containers &&
          set -- sh -c 'exec 3<&0; "$@" <&3 & sleep 2; kill -TERM $!; wait $!; exit $?' sh "$@"`,
        });
        assert.is(status, 143, stderr);
      },
      { needs },
    );
  }

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

const image = 'usr/share/kata-containers/kata-containers.img';

/** The sample node, with this filesystem as its guest image. */
function nodeWith(make: (path: string) => void): string {
  const root = temporaryFolder();
  run('cp', '-a', `${sampleNode}/.`, root);
  rmSync(join(root, image));
  make(join(root, image));
  return root;
}

const withoutAgent: readonly [rule: string, make: (path: string) => void][] = [
  ['an empty ext4', (path) => makeExt(path, temporaryFolder(), '16M')],
  [
    'an ext4 with the agent in another place',
    (path) => {
      const agent = guestTree('1.0.0');
      makeExt(path, writeTree(temporaryFolder(), { 'usr/local/bin/kata-agent': Object.values(agent)[0] ?? '' }), '16M');
    },
  ],
];

for (const form of forms) {
  const test = suite(`what cannot be judged, ${form.name}`);
  const needs = [...form.needs, 'root', 'unshare', 'mkfs.ext4', 'dpkg-deb', 'gzip'];

  for (const [rule, make] of withoutAgent) {
    test(
      `C1: a guest image without an agent fits nothing: ${rule}`,
      () => {
        const root = nodeWith(make);
        const { stdout } = kataCheck(form, ['--root', root, '--json']);
        const { findings } = JSON.parse(stdout);
        assert.ok(
          findings.some(({ code }: { code: string }) => code === 'KC201'),
          stdout,
        );
        assert.is(kataCheck(form, ['--root', root, '--strict']).status, 11);
        assert.is(kataCheck(form, ['--root', root, '--image', `/${image}`]).status, 11);
        const { status, stderr } = hookApt(form, [runtime], { root });
        assert.is(status, 0);
        assert.match(stderr, /KC201/);
      },
      { needs },
    );
  }

  for (const [declared, status, code] of [
    ['>=3.28.0, <4.0.0', 10, /KC101/],
    ['>=3.28.0 ||', 10, /KC103.*KC204|KC204.*KC103/s],
    [`>=3.28.0 ${'<4.0.0 '.repeat(50)}`, 10, /KC103.*KC204|KC204.*KC103/s],
  ] as const) {
    test(
      `C2: a field that cannot be read switches no proven block off: ${declared.slice(0, 20)}`,
      () => {
        const root = nodeWith((path) => makeExt(path, writeTree(temporaryFolder(), guestTree('3.0.0')), '16M'));
        const what = makeDeb(temporaryFolder(), {
          name: 'kata-runtime',
          version: '3.29.0-1',
          fields: { 'Kata-Agent-Requires': declared },
        });
        const outcome = hookApt(form, [{ ...runtime, next: '3.29.0-1', what }], { root });
        assert.is(outcome.status, status, outcome.stderr);
        assert.match(outcome.stderr, code);
      },
      { needs },
    );
  }

  for (const version of ['3.29.0.1-1', '3.29.0~20260101-1']) {
    test(
      `C2: nor does a version of an odd form: ${version}`,
      () => {
        const root = nodeWith((path) => makeExt(path, writeTree(temporaryFolder(), guestTree('3.0.0')), '16M'));
        const what = makeDeb(temporaryFolder(), { name: 'kata-runtime', version });
        const { status, stderr } = hookApt(form, [{ ...runtime, next: version, what }], { root });
        assert.is(status, 10, stderr);
        assert.match(stderr, /KC103/);
      },
      { needs },
    );
  }

  test(
    'C3: the configuration that the calling shell names hides no image of the node',
    () => {
      const [program = '', ...argv] = inOwnRun(
        [...form.argv, 'hook', 'apt'],
        `for folder in usr/share/kata-containers usr/share/defaults var/lib/dpkg; do mkdir -p /$folder; done && mount --bind ${sampleNode}/usr/share /usr/share && mount --bind ${sampleNode}/var/lib/dpkg /var/lib/dpkg`,
      );
      const { status, stderr } = spawnSync(program, argv, {
        encoding: 'utf8',
        input: aptInput([runtime], [], ''),
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', KATA_CONF_FILE: '/etc/hostname' },
        timeout: 60_000,
      });
      assert.is(status, 10, stderr);
    },
    { needs },
  );

  const unreadable: readonly [rule: string, make: (path: string) => void][] = [
    ['a folder', (path) => mkdirSync(path)],
    ['a FIFO', (path) => run('mkfifo', path)],
    ['a loop of symlinks', (path) => symlinkSync('kata-check.conf', path)],
    ['more than a megabyte', (path) => writeFileSync(path, '; x\n'.repeat(400_000))],
  ];
  for (const [rule, make] of unreadable) {
    test(
      `C7: a configuration file that cannot be read switches nothing off: ${rule}`,
      () => {
        const root = temporaryFolder();
        run('cp', '-a', `${sampleNode}/.`, root);
        mkdirSync(join(root, 'etc'), { recursive: true });
        make(join(root, 'etc/kata-check.conf'));
        const { status, stderr } = hookApt(form, [runtime], { root });
        assert.is(status, 10, stderr);
        assert.match(stderr, /warning: the\s+configuration\s+cannot\s+be\s+read/);
        assert.is(kataCheck(form, ['--root', root]).status, 2);
      },
      { needs },
    );
  }

  test(
    'C7: who asks with --strict about a runtime is told that there is nothing to check, and by the status',
    () => {
      const root = temporaryFolder();
      const given = ['--root', root, '--to', '3.29.0', '--requires', '>=3.28.0'];
      assert.is(kataCheck(form, given).status, 0);
      const { status, stdout } = kataCheck(form, [...given, '--strict']);
      assert.is(status, 11);
      assert.match(stdout, /nothing to check/);
    },
    { needs },
  );

  test(
    "C8: a line of apt's that has no known form takes nothing away from the others",
    () => {
      const odd = { ...runtime, name: 'two words', old: null, what: '/x' };
      const { status, stderr } = hookApt(form, [odd, runtime]);
      assert.is(status, 10, stderr);
      assert.match(stderr, /apt's hook input, line [0-9]+: not a step of version 3/);
    },
    { needs },
  );

  test(
    "C8: likewise a package in dnf's list",
    () => {
      const kata = { action: 'UPGRADE', name: 'kata-runtime', arch: 'noarch', evr: '1.1.0-1' };
      const provides = ['kata-agent-requires(min) = 1.1.0', 'kata-agent-requires(max) = 1.2.0'];
      const packages = [null, { ...kata, action: 'LATER' }, { ...kata, provides }, { ...kata, name: 5 }];
      const { status, stderr } = kataCheck(form, ['hook', 'dnf'], {
        input: JSON.stringify({ installroot: sampleNode, packages }),
      });
      assert.is(status, 10, stderr);
      for (const place of [
        /packages\[0\] is no object/,
        /packages\[1\]\.action is none/,
        /packages\[3\]\.name is no text/,
      ])
        assert.match(stderr.replace(/\s+/g, ' '), place);
    },
    { needs: form.needs },
  );

  test(
    'last.json says what was stopped where, and is resolved by the next run that is not stopped and by a check by hand that fits',
    () => {
      const both = [
        runtime,
        {
          name: 'kata-containers-image',
          old: '1.0.0-1',
          next: '1.1.0-1',
          what: join(samplePackages, 'kata-containers-image_1.1.0-1_all.deb'),
        },
      ];
      const root = temporaryFolder();
      run('cp', '-a', `${sampleNode}/.`, root);
      writeTree(root, { 'etc/hostname': 'node-7\n' });
      const [stop, pass] = [[runtime], both].map((steps) => {
        const path = join(temporaryFolder(), 'input');
        writeFileSync(path, aptInput(steps, [], root));
        return `"$@" hook apt < ${path}`;
      });
      const steps = [stop, pass, stop, `"$@" --root ${root}`];
      const script = steps.map((step) => `${step} >&2; cat /run/kata-check/last.json; echo ---`).join('; ');
      const [program = '', ...argv] = inOwnRun(['sh', '-c', script, 'sh', ...form.argv]);
      const { stdout, stderr } = spawnSync(program, argv, {
        encoding: 'utf8',
        env: { PATH: '/usr/bin:/bin' },
        timeout: 60_000,
      });
      const records = stdout.split('---\n').flatMap((text) => (text === '' ? [] : JSON.parse(text)));
      const [stopped, passed, again, fits] = records;
      assert.is(records.length, 4, stderr);
      assert.is(stopped.verdict, 'block');
      assert.is(stopped.resolved, null);
      assert.is(stopped.program.name, 'kata-check');
      assert.is(stopped.host, 'node-7');
      assert.equal(stopped.runtime.installed, { version: '1.0.0', path: null, source: 'kata-runtime' });
      assert.is(stopped.runtime.incoming.version, '1.1.0');
      assert.is(stopped.images[0].agent.version, '1.0.0');
      assert.match(passed.resolved, /^[0-9]{4}-/);
      assert.is(passed.time, stopped.time);
      assert.is(again.resolved, null);
      assert.match(fits.resolved, /^[0-9]{4}-/, stderr);
    },
    { needs },
  );
}

for (const form of forms) {
  const test = suite(`many at once, and odd surroundings, ${form.name}`);
  const needs = [...form.needs, 'root', 'unshare', 'perl', 'dpkg-deb', 'gzip'];

  test(
    'F1: of twenty managers that run at once, none loses its token',
    () => {
      const input = join(temporaryFolder(), 'input');
      writeFileSync(input, aptInput([{ ...runtime, old: '1.0.0-1', next: '1.0.1-1', what: '/none.deb' }]));
      const hook = `${form.argv.join(' ')} hook apt < ${input}`;
      const manager = `perl -e 'system("sh", "-c", $ARGV[0]); open my $done, ">", "/run/done-$$"; close $done; sleep 60' '${hook}' & pids="$pids $!"; `;
      const script = `${manager.repeat(20)}
        while test "$(ls /run | grep -c done-)" -lt 20; do sleep 0.1; done
        for done in /run/done-*; do test -e /run/kata-check/told-to-go-on/\${done#/run/done-} && echo left; done; kill $pids`;
      const [program = '', ...argv] = inOwnRun(['sh', '-c', script]);
      const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', KATA_CHECK_MODE: 'warn' };
      const { stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', env, timeout: 60_000 });
      assert.is(stdout, 'left\n'.repeat(20), stderr);
    },
    { needs, isLong: true },
  );

  test(
    'E5: twenty thousand rows of one name in what dnf says hide no mismatch',
    () => {
      const row = { action: 'UPGRADED', direction: 'out', name: 'x', arch: 'noarch', evr: '1-1' };
      const kata = { action: 'UPGRADE', direction: 'in', name: 'kata-runtime', arch: 'noarch', evr: '1.1.0-1' };
      const provides = ['kata-agent-requires(min) = 1.1.0', 'kata-agent-requires(max) = 1.2.0'];
      const rows = Array.from({ length: 20_000 }, (_, index) => ({ ...row, arch: `a${index}` }));
      const input = JSON.stringify({ installroot: sampleNode, packages: [...rows, { ...kata, provides }] });
      const { status, stderr } = kataCheck(form, ['hook', 'dnf'], { input });
      assert.is(status, 10, stderr);
    },
    { needs: form.needs },
  );

  test(
    'F3: of damaged gzip both forms say the same',
    () => {
      const packed = gzipSync(Buffer.concat([Buffer.from('07070100000001'), Buffer.alloc(20_000, 'abc ')]));
      const folder = temporaryFolder();
      const paths = Array.from({ length: 24 }, (_, index) => {
        const damaged = Buffer.from(packed);
        if (index % 2 === 0) damaged.writeUInt8(damaged.readUInt8(10 + index) ^ (1 << (index % 8)), 10 + index);
        const path = join(folder, `${index}.img`);
        writeFileSync(path, index % 2 === 0 ? damaged : damaged.subarray(0, packed.length - index));
        return path;
      });
      const [one, other] = forms.map((each) => kataCheck(each, ['image', '--json', ...paths]));
      assert.equal(one, other);
    },
    { needs: [...forms.flatMap((each) => each.needs), 'gzip'] },
  );
}

const scripts = suite('what the scripts of root call');
for (const script of [
  'hooks/preinst',
  'hooks/pacman/kata-check',
  'hooks/tukit/kata-check',
  'hooks/greenboot/kata-check.sh',
]) {
  scripts(`F2: ${script} calls nothing along PATH`, () => {
    const folder = temporaryFolder();
    for (const name of ['kata-check', 'timeout', 'test', '['])
      writeFileSync(join(folder, name), `#!/bin/sh\ntouch ${folder}/called\n`, { mode: 0o755 });
    spawnSync('sh', [join(top, script), 'finalize-pre', 'before'], {
      env: { PATH: `${folder}:/usr/bin:/bin` },
      cwd: '/',
    });
    assert.is(existsSync(join(folder, 'called')), false);
    const text = readFileSync(join(top, script), 'utf8').replace(/^#.*$/gm, '');
    assert.not.match(text, /(?:^|[;&|(]|\b(?:exec|then|else|if)\b)\s*(?:kata-check|timeout)\b/m);
  });
}

const forgedToken = resolve(import.meta.dirname, '../fixtures/forged-token.pl');

for (const form of forms) {
  const test = suite(`a forged token, ${form.name}`);
  const needs = [...form.needs, 'root', 'unshare', 'perl', 'dpkg', 'dpkg-deb', 'gzip', '/proc/self/ns/user'];
  for (const layout of ['file', 'folder']) {
    test(
      `A2: a user who may start dpkg as root cannot make the token that lets it go on: as a ${layout}`,
      () => {
        const root = dpkgNode();
        const hook = form.argv.join(' ');
        const dpkg = `dpkg --root=${root} --force-not-root --force-script-chrootless --pre-invoke="${hook} hook dpkg" -i ${runtime.what}`;
        // A process number of few digits, as the name of a process has fifteen letters at the most.
        const script = `mount -t tmpfs -o mode=755 tmpfs /run && cp ${forgedToken} /run/forge.pl && chmod 644 /run/forge.pl
          perl /run/forge.pl ${layout} sh -c '${dpkg}; echo $? > /run/status' &
          for n in $(seq 100); do test -s /run/status && exit "$(cat /run/status)"; sleep 0.1; done; exit 99`;
        const argv = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', script];
        const { status, stderr } = spawnSync('unshare', argv, {
          encoding: 'utf8',
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
          timeout: 60_000,
        });
        assert.is(status, 2, stderr);
        assert.match(stderr, /stopped dpkg \[KC101\]/);
        assert.not.match(stderr, /mount: |unshare: /, 'the token was not made');
      },
      { needs },
    );
  }
}

/** In shell: names that are no UTF-8, for a folder, one in it, and a package in that. */
const oddNames =
  `odd=$(printf '/run/caf\\351') && mkdir -p "$odd/$(printf 'sub\\377')" && cp RUNTIME "$odd/kata-runtime.deb" &&
  cp RUNTIME "$odd/$(printf 'sub\\377/kata\\351-runtime.deb')"`.replaceAll('RUNTIME', runtime.what ?? '');

for (const form of forms) {
  const test = suite(`what dpkg is called with, ${form.name}`);
  const needs = [...form.needs, 'root', 'unshare', 'dpkg', 'dpkg-deb', 'gzip', 'find'];
  for (const [rule, words] of [
    ['C6: a relative path in a folder whose name is no UTF-8', 'cd "$odd" && set -- -i kata-runtime.deb'],
    ['C6: an absolute path through it', 'set -- -i "$odd/kata-runtime.deb"'],
    ['C6: a package with such a name', `set -- -i "$(printf '%s/sub\\377/kata\\351-runtime.deb' "$odd")"`],
    ['C6: all in such a folder', 'rm "$odd"/sub*/* && set -- -iR "$odd"'],
    ['C6: all below it, with such names', 'rm "$odd/kata-runtime.deb" && set -- -iR "$odd"'],
    [
      'C8: a dpkg of another name',
      'cp /usr/bin/dpkg /run/dpkg.real && dpkg=/run/dpkg.real && set -- -i "$odd/kata-runtime.deb"',
    ],
    [
      'C8: a dpkg that is run by the loader',
      'dpkg="$(ls /lib*/ld-linux*.so.* /lib/ld64.so.* 2>/dev/null | head -1) /usr/bin/dpkg" && set -- -i "$odd/kata-runtime.deb"',
    ],
  ] as const) {
    test(
      `${rule}: dpkg is stopped`,
      () => {
        const root = dpkgNode();
        const hook = form.argv.map((word) => `'${word}'`).join(' ');
        const options = `--root=${root} --force-not-root --force-script-chrootless --pre-invoke="${hook} hook dpkg"`;
        const [program = '', ...argv] = inOwnRun([
          'sh',
          '-c',
          `${oddNames} && dpkg=dpkg && ${words} && exec $dpkg ${options} "$@"`,
        ]);
        const { status, stderr } = spawnSync(program, argv, {
          encoding: 'utf8',
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
          timeout: 60_000,
        });
        assert.is(status, 2, stderr);
        assert.match(stderr, /stopped dpkg \[KC101\]: /);
      },
      { needs },
    );
  }

  test(
    'C6: apt is stopped when the package is in such a folder',
    () => {
      const input = Buffer.from(aptInput([{ ...runtime, what: '/run/caf\xe9/kata-runtime.deb' }]), 'latin1');
      const [program = '', ...argv] = inOwnRun([...form.argv, 'hook', 'apt'], oddNames);
      const { status, stderr } = spawnSync(program, argv, {
        encoding: 'utf8',
        cwd: '/',
        input,
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        timeout: 60_000,
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
