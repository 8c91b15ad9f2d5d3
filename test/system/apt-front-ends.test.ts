/**
 * Everything that goes through apt's library, in a real Debian with the real package of kata-check: aptitude and unattended-upgrades, the
 * preinst scripts below them, and other roots. /proc is mounted, as on a node.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { suite } from '../suite.ts';
import type { Debian, Outcome } from './debian.ts';
import { askingPairs, image, type Pair, prepare, program, type Version } from './kata-node.ts';

const hook = '/etc/apt/apt.conf.d/20kata-check';
const blacklist = '/etc/apt/apt.conf.d/52kata-check-unattended';
const needs = ['root', 'debootstrap', 'mkfs.ext4', 'dpkg-deb', 'mount'];
const off = { KATA_CHECK_MODE: 'off' };

for (const suiteName of ['bookworm', 'trixie']) {
  const test = suite(`front ends of apt in Debian ${suiteName}`);
  let debian: Debian | Error | undefined;

  const fresh = (): Debian => {
    // Made once, by the first test; when that fails, the others must not try for minutes each.
    if (debian === undefined) {
      debian = new Error(`no Debian ${suiteName} could be made: see the first test`);
      const made = prepare(suiteName, askingPairs);
      writeFileSync(
        join(made.root, 'etc/apt/apt.conf.d/90test'),
        'Unattended-Upgrade::Origins-Pattern { "origin=*"; };\n',
      );
      debian = made;
    }
    if (debian instanceof Error) throw debian;
    return debian;
  };
  const all = [
    'kata-runtime',
    'kata-containers-image',
    'unrelated',
    ...askingPairs.flatMap((pair) => [pair.runtime, pair.image]),
  ];
  /** Nothing of Kata but these two. */
  const node = (runtime = 'kata-runtime', guest = 'kata-containers-image', version: Version = '1.0.0'): Debian => {
    const where = fresh();
    where.run(['dpkg', '-P', '--force-all', ...new Set(all)], off);
    const archives = [runtime, guest, 'unrelated'].map((name) => `/repository/${name}_${version}-1_all.deb`);
    const { status, output } = where.run(['dpkg', '-i', ...archives], off);
    assert.is(status, 0, output);
    rmSync(join(where.root, 'run/kata-check'), { recursive: true, force: true });
    // apt knows an old one by the second in which dpkg's database was written.
    rmSync(join(where.root, 'var/cache/apt/pkgcache.bin'), { force: true });
    return where;
  };
  const run = (where: Debian, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome =>
    where.withProc(() => where.run(argv, env));
  const state = (where: Debian): string =>
    [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
      where.expect('dpkg-query', '-W', '-f', '${db:Status-Abbrev} ${Package} ${Version}\n'),
      where.expect('dpkg', '--audit'),
      ...[program, image].map((path) => {
        const file = join(where.root, path);
        return existsSync(file) ? readFileSync(file, 'latin1') : 'none';
      }),
    ].join('\n');
  const versions = (where: Debian, ...names: readonly string[]): string[] => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
    const format = '${db:Status-Abbrev}${Version}\n';
    return where
      .expect('dpkg-query', '-W', '-f', format, ...names)
      .trimEnd()
      .split('\n');
  };
  const without = <T>(where: Debian, path: string, action: () => T): T => {
    renameSync(join(where.root, path), join(where.root, 'srv/aside'));
    try {
      return action();
    } finally {
      renameSync(join(where.root, 'srv/aside'), join(where.root, path));
    }
  };
  const times = (text: string, part: string): number => text.split(part).length - 1;
  const aptitude = (...words: readonly string[]): string[] => [
    'aptitude',
    '-y',
    '-o',
    'Aptitude::CmdLine::Ignore-Trust-Violations=true',
    ...words,
  ];

  const cases: readonly [rule: string, argv: readonly string[], said: RegExp | null, status: number, from?: Version][] =
    [
      [
        'aptitude: the runtime alone',
        aptitude('install', 'kata-runtime=1.1.0-1'),
        /stopped apt \[KC101\]: .*\sincoming\s/,
        255,
      ],
      [
        'aptitude: the image alone',
        aptitude('install', 'kata-containers-image=1.1.0-1'),
        /stopped apt \[KC101\]: .*\sinstalled\s/,
        255,
      ],
      ['aptitude: both', aptitude('install', 'kata-runtime=1.1.0-1', 'kata-containers-image=1.1.0-1'), null, 0],
      [
        'aptitude: both, the other way',
        aptitude('install', 'kata-containers-image=1.1.0-1', 'kata-runtime=1.1.0-1'),
        null,
        0,
      ],
      ['aptitude: everything', aptitude('safe-upgrade'), null, 0],
      ['aptitude: something else', aptitude('install', 'unrelated=1.1.0-1'), null, 0],
      [
        'aptitude: the runtime downgraded alone',
        aptitude('install', 'kata-runtime=1.0.0-1'),
        /stopped apt \[/,
        255,
        '1.1.0',
      ],
      ['aptitude: the image removed', aptitude('remove', 'kata-containers-image'), /warning \[KC302\]: /, 0],
      [
        'aptitude: Mode=warn',
        aptitude('-o', 'KataCheck::Mode=warn', 'install', 'kata-runtime=1.1.0-1'),
        /warning \[KC101\]: /,
        0,
      ],
      [
        'apt-get: many at once',
        [
          'apt-get',
          'install',
          '-y',
          'kata-runtime=1.1.0-1',
          'kata-containers-image=1.1.0-1',
          'unrelated=1.1.0-1',
          'python3-apt',
          'apt',
        ],
        null,
        0,
      ],
    ];
  for (const [rule, argv, said, status, from] of cases) {
    test(
      rule,
      () => {
        const where = node('kata-runtime', 'kata-containers-image', from);
        const before = state(where);
        const outcome = run(where, argv);
        if (said === null) assert.not.match(outcome.output, /kata-check: (?:stopped|warning)/, outcome.output);
        else assert.match(outcome.output, said, outcome.output);
        assert.is(outcome.status, status, outcome.output);
        if (status !== 0) assert.is(state(where), before);
      },
      { needs, timeout: 900 },
    );
  }

  test(
    'a preinst below apt neither asks again nor says the same, whatever binds the two and whatever they are called',
    () => {
      for (const { runtime, image: guest } of askingPairs.filter(({ version }) => version === '1.1.0')) {
        const upgrade = (where: Debian): Outcome => run(where, ['apt-get', 'install', '-y', runtime, guest]);
        const before = versions(node(runtime, guest), runtime, guest);
        assert.equal(before, ['ii 1.0.0-1', 'ii 1.0.0-1']);
        // With its hook, and without: then a preinst, and the hook of dpkg, see a front end that left no token.
        for (const isAsked of runtime.startsWith('a-') ? [true, false] : [true]) {
          const where = node(runtime, guest);
          const { status, output } = isAsked ? upgrade(where) : without(where, hook, () => upgrade(where));
          assert.not.match(output, /kata-check: stopped/, `${runtime}\n${output}`);
          if (isAsked) assert.not.match(output, /kata-check: /, `${runtime}\n${output}`);
          assert.is(status, 0, `${runtime}\n${output}`);
          assert.equal(versions(where, runtime, guest), ['ii 1.1.0-1', 'ii 1.1.0-1']);
        }
      }
    },
    { needs, timeout: 600 },
  );

  const [first] = askingPairs as readonly [Pair];
  test(
    'allowed for one run of apt, it is said once, and the preinst knows',
    () => {
      const where = node(first.runtime, first.image);
      const { status, output } = run(where, [
        'apt-get',
        'install',
        '-y',
        '-o',
        'KataCheck::Allow=KC101',
        `${first.runtime}=1.1.0-1`,
      ]);
      assert.is(times(output, '[KC101]: the guest image does not fit the incoming Kata runtime'), 1, output);
      assert.is(status, 0, output);
    },
    { needs, timeout: 120 },
  );

  test(
    'a front end without our hook is told, not stopped: it may bring the image in its next run of dpkg',
    () => {
      const where = node(first.runtime, first.image);
      const { status, output } = without(where, hook, () =>
        run(where, ['apt-get', 'install', '-y', `${first.runtime}=1.1.0-1`]),
      );
      assert.is(
        times(output, 'kata-check: warning [KC101]: the guest image does not fit the incoming Kata runtime'),
        1,
        output,
      );
      assert.is(status, 0, output);
    },
    { needs, timeout: 120 },
  );

  test(
    'a token of an apt that has ended does not help a dpkg',
    () => {
      const where = node(first.runtime, first.image);
      assert.is(run(where, ['apt-get', 'install', '-y', 'unrelated=1.1.0-1']).status, 0);
      assert.ok(existsSync(join(where.root, 'run/kata-check/told-to-go-on')));
      assert.is(run(where, ['dpkg', '-i', `/repository/${first.runtime}_1.1.0-1_all.deb`]).status, 2);
    },
    { needs, timeout: 120 },
  );

  test(
    'unattended-upgrades leaves Kata alone, and upgrades the rest',
    () => {
      const where = node();
      const { status, output } = run(where, ['unattended-upgrade', '-v']);
      assert.not.match(output, /kata-check: /);
      assert.is(status, 0, output);
      assert.equal(versions(where, 'kata-runtime', 'kata-containers-image', 'unrelated'), [
        'ii 1.0.0-1',
        'ii 1.0.0-1',
        'ii 1.1.1-1',
      ]);
    },
    { needs, timeout: 300 },
  );

  test(
    'without that, a mismatch stops it even so, and in one step both go through',
    () => {
      const where = node();
      const names = ['kata-runtime', 'kata-containers-image'];
      without(where, blacklist, () => {
        // Each package is a step of its own, as nothing binds them: the first one is stopped, whichever it is.
        const steps = run(where, ['unattended-upgrade', '-v']);
        assert.match(steps.output + logOf(where), /stopped apt \[KC101\]: /);
        assert.is(steps.status, 1, steps.output);
        assert.equal(versions(where, ...names), ['ii 1.0.0-1', 'ii 1.0.0-1']);
        const last = JSON.parse(readFileSync(join(where.root, 'run/kata-check/last.json'), 'utf8'));
        assert.is(last.findings[0].code, 'KC101');
        const option = join(where.root, 'etc/apt/apt.conf.d/91test');
        writeFileSync(option, 'Unattended-Upgrade::MinimalSteps "false";\n');
        try {
          const whole = run(where, ['unattended-upgrade', '-v']);
          assert.not.match(whole.output, /stopped apt/);
          assert.is(whole.status, 0, whole.output);
          assert.equal(versions(where, ...names), ['ii 1.1.1-1', 'ii 1.1.1-1']);
        } finally {
          rmSync(option);
        }
      });
    },
    { needs, timeout: 300 },
  );

  test(
    'unattended-upgrades: two that break each other are one step, and pass',
    () => {
      const { runtime, image: guest } = askingPairs.find((pair) => pair.runtime.includes('mutual')) as Pair;
      const where = node(runtime, guest);
      without(where, blacklist, () => {
        const { status, output } = run(where, ['unattended-upgrade', '-v']);
        assert.not.match(output, /stopped apt/);
        assert.is(status, 0, output);
        assert.equal(versions(where, runtime, guest), ['ii 1.1.0-1', 'ii 1.1.0-1']);
      });
    },
    { needs, timeout: 300 },
  );

  const logOf = (where: Debian): string => {
    const file = join(where.root, 'var/log/unattended-upgrades/unattended-upgrades-dpkg.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };

  test(
    'another root of apt is the one that is judged',
    () => {
      const where = node();
      const target = '/srv/target';
      for (const folder of [
        'var/lib/dpkg/info',
        'var/lib/dpkg/updates',
        'var/lib/dpkg/triggers',
        'var/lib/apt/lists/partial',
        'var/cache/apt/archives/partial',
        'etc/apt',
        'var/log/apt',
      ])
        mkdirSync(join(where.root, target, folder), { recursive: true });
      for (const name of ['status', 'available']) writeFileSync(join(where.root, target, 'var/lib/dpkg', name), '');
      const there = (...words: readonly string[]): Outcome =>
        run(where, [
          'apt-get',
          '-o',
          `Dir=${target}`,
          '-o',
          `DPkg::Options::=--root=${target}`,
          '-y',
          '--allow-downgrades',
          'install',
          ...words.map((word) => `/repository/${word}-1_all.deb`),
        ]);
      try {
        // On this node the image is 1.0.0, in there is none.
        const runtime = there('kata-runtime_1.1.0');
        assert.match(runtime.output, /kata-check: warning \[KC203\]: /);
        assert.is(times(runtime.output, 'kata-check: '), 1, runtime.output);
        assert.is(runtime.status, 0, runtime.output);
        assert.is(there('kata-containers-image_1.1.0').status, 0);
        for (const name of ['kata-runtime', 'kata-containers-image']) {
          const { status, output } = there(`${name}_1.0.0`);
          assert.match(output, /stopped apt \[KC101\]: /);
          assert.is(status, 100, output);
        }
        const both = there('kata-runtime_1.0.0', 'kata-containers-image_1.0.0');
        assert.not.match(both.output, /kata-check: /);
        assert.is(both.status, 0, both.output);
      } finally {
        rmSync(join(where.root, target), { recursive: true });
      }
    },
    { needs, timeout: 120 },
  );

  test(
    'a chroot that apt works in from outside is what is judged',
    () => {
      const where = node();
      const config = join(where.root, 'srv/apt.conf');
      writeFileSync(
        config,
        `Dir "${where.root}"; DPkg::Chroot-Directory "${where.root}"; Dir::Bin::dpkg "/usr/bin/dpkg";\n`,
      );
      const outside = (...names: readonly string[]): Outcome =>
        where.withProc(() => {
          const words = names.map((name) => join(where.root, `repository/${name}_1.1.0-1_all.deb`));
          const argv = ['-c', 'exec apt-get "$@" 2>&1', 'sh', 'install', '-y', ...words];
          const env = {
            PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
            DEBIAN_FRONTEND: 'noninteractive',
            LC_ALL: 'C',
            APT_CONFIG: config,
          };
          const { status, stdout } = spawnSync('/bin/sh', argv, { encoding: 'utf8', timeout: 60_000, env });
          return { status, output: stdout };
        });
      const before = state(where);
      const alone = outside('kata-runtime');
      assert.match(alone.output, /stopped apt \[KC101\]: /);
      assert.is(alone.status, 100, alone.output);
      assert.is(state(where), before);
      const both = outside('kata-runtime', 'kata-containers-image');
      assert.not.match(both.output, /kata-check: /);
      assert.is(both.status, 0, both.output);
    },
    { needs: [...needs, 'apt-get'], timeout: 120 },
  );

  test(
    'many archives come to dpkg as a folder of links, also where apt did not ask before',
    () => {
      const where = node();
      const folder = join(where.root, 'srv/others');
      mkdirSync(folder, { recursive: true });
      for (let index = 0; index < 6; index += 1) makeDeb(folder, { name: `other${index}`, version: '1' });
      const install = (...names: readonly string[]): Outcome =>
        run(where, [
          'sh',
          '-c',
          'exec apt-get install -y "$@" /srv/others/*.deb',
          'sh',
          ...names.map((name) => `${name}=1.1.0-1`),
        ]);
      try {
        const alone = without(where, hook, () => install('kata-runtime'));
        assert.match(alone.output, /kata-check: warning \[KC101\]: the guest image does not fit the incoming/);
        assert.is(alone.status, 0);
        node();
        where.run(['sh', '-c', 'dpkg -P other0 other1 other2 other3 other4 other5'], off);
        const both = without(where, hook, () => install('kata-runtime', 'kata-containers-image'));
        assert.not.match(both.output, /kata-check: /);
        assert.is(both.status, 0);
      } finally {
        where.run(['sh', '-c', 'dpkg -P other0 other1 other2 other3 other4 other5'], off);
        rmSync(folder, { recursive: true });
      }
    },
    { needs, timeout: 120 },
  );

  test(
    'each goes on when the program is gone, crashes, or hangs',
    () => {
      const path = join(fresh().root, 'usr/bin/kata-check');
      const own = readFileSync(path);
      const asking = join(fresh().root, 'usr/sbin/dpkg-query');
      const config = join(fresh().root, 'etc/kata-check.conf.d/deadline.conf');
      const ways: readonly [name: string, prepare: () => void][] = [
        ['gone', () => rmSync(path)],
        ['crashes', () => writeFileSync(path, '#!/bin/sh\nkill -SEGV $$\n')],
        [
          'hangs',
          () => {
            // What it asks, and others ask otherwise; it ends by its own deadline, and everything that it has begun with it.
            const hanging = 'case $1 in --admindir=*) sleep 600 & sleep 600 ;; esac; exec /usr/bin/dpkg-query "$@"';
            writeFileSync(asking, `#!/bin/sh\n${hanging}\n`, { mode: 0o755 });
            mkdirSync(join(config, '..'), { recursive: true });
            writeFileSync(config, 'deadline = 2\n');
          },
        ],
      ];
      const managers = [
        ['apt-get', 'install', '-y', 'kata-runtime=1.1.0-1'],
        aptitude('install', 'kata-runtime=1.1.0-1'),
        ['unattended-upgrade', '-v'],
      ];
      for (const argv of managers) {
        // Of apt-get the others are elsewhere.
        for (const [name, prepare] of argv[0] === 'apt-get' ? ways.slice(-1) : ways) {
          const where = node();
          prepare();
          try {
            const { status, output } = without(where, blacklist, () => run(where, argv));
            assert.is(status, 0, `${argv[0]}, ${name}\n${output}`);
            assert.not.match(output, /kata-check: stopped/);
            // apt's hook, and what looks afterwards; whom apt runs in between does not wait again.
            if (argv[0] === 'apt-get') assert.is(times(output, 'did not end before the deadline'), 2, output);
            assert.not.equal(versions(where, 'kata-runtime'), ['ii 1.0.0-1'], `${argv[0]}, ${name}`);
          } finally {
            for (const file of [asking, config]) rmSync(file, { force: true });
            writeFileSync(path, own, { mode: 0o755 });
            chmodSync(path, 0o755);
          }
        }
      }
    },
    { needs, timeout: 600 },
  );
}
