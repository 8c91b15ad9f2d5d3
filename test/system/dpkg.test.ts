/**
 * The real dpkg in a real Debian, with the real package of kata-check: what `dpkg -i` may unpack, what is left to a package's preinst, and
 * what is said afterwards. /proc is mounted, as on a node, but where it says otherwise.
 */

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import type { Debian, Outcome } from './debian.ts';
import { askingPairs, image, makePair, prepare, program, type Version } from './kata-node.ts';

const hook = '/etc/dpkg/dpkg.cfg.d/kata-check';
const needs = ['root', 'debootstrap', 'mkfs.ext4', 'dpkg-deb', 'mount'];

const upgrades = askingPairs.filter(({ version }) => version === '1.1.0');

for (const suiteName of ['bookworm', 'trixie']) {
  const test = suite(`dpkg of Debian ${suiteName}`);
  let debian: Debian | Error | undefined;
  const debs = (...words: readonly string[]): string[] =>
    words.map((word) => (word.includes('/') ? word : `/repository/${word}-1_all.deb`));
  const runtime = (version: Version): string => `kata-runtime_${version}`;
  const guest = (version: Version): string => `kata-containers-image_${version}`;
  const off = { KATA_CHECK_MODE: 'off' };
  const said =
    /kata-check: stopped dpkg \[KC101\]: the guest image does not fit the\s+(incoming|installed)\s+Kata\s+runtime/;

  const fresh = (): Debian => {
    // Made once, by the first test; when that fails, the others must not try for minutes each.
    if (debian === undefined) {
      debian = new Error(`no Debian ${suiteName} could be made: see the first test`);
      const made = prepare(suiteName, askingPairs);
      makePair(join(made.root, 'srv'), {
        runtime: 'kata-runtime',
        image: 'kata-containers-image',
        version: '1.1.0',
        asks: true,
      });
      debian = made;
    }
    if (debian instanceof Error) throw debian;
    return debian;
  };
  /** Runtime and image 1.0.0, as they come from their packages. */
  const node = (): Debian => {
    const where = fresh();
    assert.is(where.run(['dpkg', '-i', ...debs(runtime('1.0.0'), guest('1.0.0'), 'unrelated_1.0.0')], off).status, 0);
    rmSync(join(where.root, 'run/kata-check'), { recursive: true, force: true });
    return where;
  };
  const install = (where: Debian, words: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome =>
    where.withProc(() => where.run(['dpkg', '-i', ...debs(...words)], env));
  /** What dpkg knows, and what is on the disk. */
  const state = (where: Debian, root = ''): string =>
    [
      where.expect(
        'dpkg-query',
        `--admindir=${root}/var/lib/dpkg`,
        '-W',
        '-f',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
        '${db:Status-Abbrev} ${Package} ${Version}\n',
      ),
      where.expect('dpkg', `--admindir=${root}/var/lib/dpkg`, '--audit'),
      ...[program, image].map((path) => {
        const file = join(where.root, root, path);
        return existsSync(file) ? readFileSync(file, 'latin1') : 'none';
      }),
    ].join('\n');
  const agentIn = (text: string): string | undefined => /version: "([0-9.]+)"\n {2}agent-is-init/.exec(text)?.[1];
  const times = (text: string, part: string): number => text.split(part).length - 1;

  const stopped: readonly [rule: string, words: readonly string[]][] = [
    ['the runtime alone', [runtime('1.1.0')]],
    ['the image alone', [guest('1.1.0')]],
    ['the runtime, and something else', ['unrelated_1.1.0', runtime('1.1.0')]],
    ['the runtime under another name', ['/tmp/download.deb']],
  ];
  for (const [rule, words] of stopped) {
    test(
      `dpkg -i ends with 2, and nothing is changed: ${rule}`,
      () => {
        const where = node();
        copyFileSync(join(where.root, debs(runtime('1.1.0'))[0] ?? ''), join(where.root, 'tmp/download.deb'));
        const before = state(where);
        const { status, output } = install(where, words);
        assert.match(output, said);
        assert.match(output, /Nothing was changed\./);
        assert.is(status, 2, output);
        assert.is(state(where), before);
        const last = JSON.parse(readFileSync(join(where.root, 'run/kata-check/last.json'), 'utf8'));
        assert.equal([last.manager, last.root, last.exitCode, last.findings[0].code], ['dpkg', '/', 10, 'KC101']);
      },
      { needs, timeout: 900 },
    );
  }

  const passes: readonly [rule: string, argv: (where: Debian) => readonly string[], from?: Version][] = [
    ['runtime, then image', () => ['-i', ...debs(runtime('1.1.0'), guest('1.1.0'))]],
    ['image, then runtime', () => ['-i', ...debs(guest('1.1.0'), runtime('1.1.0'))]],
    ['both, from a folder of folders', () => ['-iR', '/tmp/both']],
    ['both, by relative paths', () => ['--install', '--', 'both/0.deb', './both/below/1.deb']],
    ['something else', () => ['-i', ...debs('unrelated_1.1.0')]],
    ['the same again', () => ['-i', ...debs(runtime('1.0.0'))]],
    ['both, downgraded', () => ['-i', ...debs(runtime('1.0.0'), guest('1.0.0'))], '1.1.0'],
    ['the runtime taken away', () => ['-r', 'kata-runtime']],
    ['both taken away', () => ['-r', 'kata-runtime', 'kata-containers-image']],
  ];
  for (const [rule, argv, from = '1.0.0'] of passes) {
    test(
      `without a word: ${rule}`,
      () => {
        const where = node();
        if (from !== '1.0.0') where.run(['dpkg', '-i', ...debs(runtime(from), guest(from))], off);
        writeTree(join(where.root, 'tmp'), {
          'both/0.deb': readFileSync(join(where.root, debs(runtime('1.1.0'))[0] ?? '')),
          'both/below/1.deb': readFileSync(join(where.root, debs(guest('1.1.0'))[0] ?? '')),
        });
        const { status, output } = where.withProc(() =>
          where.run(['sh', '-c', 'cd /tmp && exec dpkg "$@"', 'sh', ...argv(where)]),
        );
        assert.not.match(output, /kata-check: /);
        assert.is(status, 0, output);
      },
      { needs, timeout: 120 },
    );
  }

  test(
    'that the image was taken away below its runtime is told afterwards, once',
    () => {
      const where = node();
      const { status, output } = where.withProc(() => where.run(['dpkg', '-r', 'kata-containers-image']));
      assert.match(output, /Processing triggers for kata-check .*\nkata-check: warning \[KC203\]: /);
      assert.is(times(output, 'kata-check: '), 1, output);
      assert.is(status, 0, output);
    },
    { needs, timeout: 120 },
  );

  test(
    'a downgrade of either alone is stopped',
    () => {
      for (const word of [runtime('1.0.0'), guest('1.0.0')]) {
        const where = node();
        assert.is(where.run(['dpkg', '-i', ...debs(runtime('1.1.0'), guest('1.1.0'))], off).status, 0);
        const before = state(where);
        const { status, output } = install(where, [word]);
        assert.match(output, said);
        assert.is(status, 2, output);
        assert.is(state(where), before);
      }
    },
    { needs, timeout: 120 },
  );

  test(
    'allowed or only warned, it is said before, once, by whoever is first, and not again when it has happened',
    () => {
      for (const asks of ['', '/srv/kata-runtime_1.1.0-1_all.deb']) {
        const where = node();
        const words = [asks === '' ? runtime('1.1.0') : asks];
        const allowed = install(where, words, { KATA_CHECK_ALLOW: 'KC101' });
        assert.is(times(allowed.output, '[KC101]'), 1, allowed.output);
        assert.is(allowed.status, 0);
        node();
        const warned = install(where, words, { KATA_CHECK_MODE: 'warn' });
        assert.is(
          times(warned.output, '[KC101]: the guest image does not fit the incoming Kata runtime'),
          1,
          warned.output,
        );
        assert.match(warned.output, /Processing triggers for kata-check /);
        assert.is(times(warned.output, 'kata-check: '), 1, warned.output);
        assert.is(warned.status, 0);
        assert.not.ok(existsSync(join(where.root, 'run/kata-check/last.json')));
      }
    },
    { needs, timeout: 120 },
  );

  test(
    'without /proc nothing is known, and nothing stopped; the mismatch is told afterwards',
    () => {
      const where = node();
      const { status, output } = where.run(['dpkg', '-i', '/srv/kata-runtime_1.1.0-1_all.deb']);
      assert.is(status, 0, output);
      assert.is(times(output, '[KC101]'), 1, output);
      assert.match(output, /triggers for kata-check .*\nkata-check: warning \[KC101\]: .*installed\s+Kata\s+runtime/);
    },
    { needs, timeout: 120 },
  );

  test(
    'a repair is never held up',
    () => {
      const where = node();
      assert.is(where.run(['dpkg', '--unpack', ...debs(runtime('1.1.0'))], off).status, 0);
      const { status, output } = where.withProc(() => where.run(['dpkg', '--configure', '-a']));
      assert.not.match(output, /stopped/);
      assert.is(status, 0, output);
    },
    { needs, timeout: 120 },
  );

  /** The hook of dpkg put aside, so that the preinst is the first to look. */
  const withoutHook = <T>(where: Debian, action: () => T): T => {
    renameSync(join(where.root, hook), join(where.root, 'srv/hook'));
    try {
      return action();
    } finally {
      renameSync(join(where.root, 'srv/hook'), join(where.root, hook));
    }
  };
  const asking = (name: string): string => `/srv/${name}_1.1.0-1_all.deb`;

  test(
    'a preinst stops its package where nobody was asked before, and leaves the old one whole',
    () => {
      for (const name of ['kata-runtime', 'kata-containers-image']) {
        const where = node();
        const before = state(where);
        const { status, output } = withoutHook(where, () => install(where, [asking(name)]));
        assert.match(output, said);
        assert.match(output, /This package is left as it was\./);
        assert.not.match(output, /Nothing was changed/);
        assert.is(status, 1, output);
        assert.is(state(where), before);
      }
    },
    { needs, timeout: 120 },
  );

  test(
    'a preinst that comes with both says nothing, in either order',
    () => {
      for (const names of [
        ['kata-runtime', 'kata-containers-image'],
        ['kata-containers-image', 'kata-runtime'],
      ]) {
        const where = node();
        const { status, output } = withoutHook(where, () => install(where, names.map(asking)));
        assert.not.match(output, /kata-check: /, names.join(' '));
        assert.is(status, 0, output);
        assert.is(agentIn(state(where)), '1.1.0');
      }
    },
    { needs, timeout: 120 },
  );

  test(
    'two that come together and do not fit are told once, and neither is refused by its preinst',
    () => {
      const where = node();
      // A runtime that wants what the image does not bring.
      const folder = join(where.root, 'srv/unfit');
      mkdirSync(folder, { recursive: true });
      makePair(folder, { runtime: 'kata-runtime', image: 'none', version: '1.1.0', asks: true });
      where.run(['dpkg', '-i', ...debs(runtime('1.1.0'), guest('1.1.0'))], off);
      const words = ['/srv/unfit/kata-runtime_1.1.0-1_all.deb', '/repository/kata-containers-image_1.0.0-1_all.deb'];
      node();
      where.run(['dpkg', '-i', ...debs(guest('1.1.0'))], off);
      const { status, output } = withoutHook(where, () => install(where, words));
      assert.is(times(output, '[KC101]: the guest image does not fit the incoming Kata runtime'), 1, output);
      assert.is(status, 0, output);
    },
    { needs, timeout: 120 },
  );

  test(
    'the same transaction is never held up, whatever binds the two and in whatever order they come',
    () => {
      const where = fresh();
      for (const { runtime: rt, image: img } of upgrades) {
        if (!rt.startsWith('a-')) continue;
        const archives = (version: Version): [string, string] => [
          `/repository/${rt}_${version}-1_all.deb`,
          `/repository/${img}_${version}-1_all.deb`,
        ];
        const [newRuntime, newImage] = archives('1.1.0');
        for (const order of [
          [newRuntime, newImage],
          [newImage, newRuntime],
        ]) {
          const outcomes = [off, {}, 'preinst'].map((how) => {
            where.run(['dpkg', '-P', '--force-all', 'kata-runtime', 'kata-containers-image', rt, img], off);
            assert.is(where.run(['dpkg', '-i', ...archives('1.0.0')], off).status, 0);
            const upgrade = (env: Readonly<Record<string, string>>): Outcome =>
              where.withProc(() => where.run(['dpkg', '-B', '-i', ...order], env));
            const { status, output } = typeof how === 'string' ? withoutHook(where, () => upgrade({})) : upgrade(how);
            assert.not.match(output, /kata-check: stopped|incoming Kata runtime/, `${order.join(' ')}\n${output}`);
            // dpkg itself refuses some: that it does not fit then is said afterwards.
            assert.is(/installed Kata runtime/.test(output), status !== 0 && how !== off, output);
            return `${status}\n${state(where)}`;
          });
          // With and without kata-check it ends alike.
          assert.is(outcomes[1], outcomes[0], order.join(' '));
          assert.is(outcomes[2], outcomes[0], order.join(' '));
        }
        where.run(['dpkg', '-P', '--force-all', rt, img], off);
      }
    },
    { needs, timeout: 300 },
  );

  test(
    'another root is the one that is judged, and the archives are those of this one',
    () => {
      const where = node();
      const target = '/srv/target';
      const admin = join(where.root, target, 'var/lib/dpkg');
      for (const folder of ['info', 'updates', 'triggers']) mkdirSync(join(admin, folder), { recursive: true });
      for (const name of ['status', 'available']) writeFileSync(join(admin, name), '');
      const dpkg = (...argv: readonly string[]): Outcome => where.withProc(() => where.run(['dpkg', ...argv]));
      // Here the image is 1.0.0; there is none.
      const alone = dpkg(`--root=${target}`, '-i', ...debs(runtime('1.1.0')));
      assert.match(alone.output, /kata-check: warning \[KC203\]: /);
      assert.is(times(alone.output, 'kata-check: '), 1, alone.output);
      assert.is(alone.status, 0, alone.output);
      const both = dpkg(`--instdir=${target}`, `--admindir=${target}/var/lib/dpkg`, '-i', ...debs(guest('1.1.0')));
      assert.not.match(both.output, /kata-check: /);
      assert.is(both.status, 0, both.output);
      const before = state(where, target);
      for (const argv of [
        ['--root', target, '-i', ...debs(runtime('1.0.0'))],
        [`--root=${target}`, '--force-script-chrootless', '-i', ...debs(guest('1.0.0'))],
      ]) {
        const { status, output } = dpkg(...argv);
        assert.match(output, said);
        assert.is(status, 2, output);
        assert.is(state(where, target), before);
      }
      assert.is(JSON.parse(readFileSync(join(where.root, 'run/kata-check/last.json'), 'utf8')).root, target);
      rmSync(join(where.root, target), { recursive: true });
    },
    { needs, timeout: 120 },
  );

  test(
    'a dpkg outside of the root in which the preinst runs is understood all the same',
    () => {
      const outside = (where: Debian, names: readonly string[]): Outcome =>
        where.withProc(() => {
          const words = names.map((name) => join(where.root, asking(name)));
          const argv = ['-c', 'exec dpkg "$@" 2>&1', 'sh', `--root=${where.root}`, '--no-triggers', '-i', ...words];
          const { status, stdout } = spawnSync('/bin/sh', argv, { encoding: 'utf8', timeout: 60_000 });
          return { status, output: stdout };
        });
      const where = node();
      const before = state(where);
      const alone = outside(where, ['kata-runtime']);
      assert.match(alone.output, said);
      assert.is(alone.status, 1, alone.output);
      assert.is(state(where), before);
      const both = outside(where, ['kata-runtime', 'kata-containers-image']);
      assert.not.match(both.output, /kata-check: /);
      assert.is(both.status, 0, both.output);
    },
    { needs, timeout: 120 },
  );

  test(
    'dpkg goes on when the program is gone, crashes, or hangs; what it says with 10 and 11 counts',
    () => {
      const where = node();
      const path = join(where.root, 'usr/bin/kata-check');
      const own = readFileSync(path);
      const as = (script: string): Outcome => {
        writeFileSync(path, own);
        node();
        writeFileSync(path, `#!/bin/sh\n${script}\n`);
        return install(where, ['/srv/kata-runtime_1.1.0-1_all.deb']);
      };
      try {
        for (const crash of ['exit 1', 'exit 2', 'kill -SEGV $$', 'kill -KILL $$', 'exit 99', 'exit 127']) {
          const { status, output } = as(crash);
          assert.is(status, 0, `${crash}\n${output}`);
        }
        for (const stop of ['exit 10', 'exit 11']) assert.is(as(stop).status, 2, stop);
        writeFileSync(path, own);
        node();
        chmodSync(path, 0o644);
        assert.is(install(where, [runtime('1.1.0')]).status, 0, 'it may not be run');
        rmSync(path);
        const again = node();
        const gone = install(again, [runtime('1.1.0')]);
        assert.not.match(gone.output, /kata-check: |not found/);
        assert.is(gone.status, 0, 'it is gone');
      } finally {
        writeFileSync(path, own, { mode: 0o755 });
        chmodSync(path, 0o755);
      }
      node();
      // What it asks hangs: it ends by its own deadline, and everything that it has begun with it.
      writeTree(where.root, { 'usr/sbin/dpkg-query': '#!/bin/sh\nsleep 600 & sleep 600\n' });
      chmodSync(join(where.root, 'usr/sbin/dpkg-query'), 0o755);
      try {
        const begin = Date.now();
        const { status, output } = install(where, [runtime('1.1.0')]);
        assert.match(output, /kata-check: dpkg-query did not end before the deadline/);
        assert.is(status, 0, output);
        assert.ok(Date.now() - begin < 100_000);
      } finally {
        rmSync(join(where.root, 'usr/sbin/dpkg-query'));
      }
    },
    { needs, timeout: 300 },
  );

  test(
    'kata-check removed, purged and installed again, with and without changes of the admin',
    () => {
      const where = node();
      const hooks = (): string[] =>
        ['etc/apt/apt.conf.d', 'etc/dpkg/dpkg.cfg.d'].flatMap((folder) =>
          readdirSync(join(where.root, folder))
            .filter((name) => name.includes('kata'))
            .sort(),
        );
      where.expect('dpkg', '-r', 'kata-check');
      assert.equal(hooks(), ['20kata-check.disabled', '52kata-check-unattended.disabled', 'kata-check.disabled']);
      assert.is(install(where, [runtime('1.1.0')]).status, 0);
      node();
      where.expect('sh', '-c', 'dpkg -i /repository/kata-check_*.deb');
      assert.equal(hooks(), ['20kata-check', '52kata-check-unattended', 'kata-check']);
      assert.is(install(where, [runtime('1.1.0')]).status, 2, 'the hook is back');
      rmSync(join(where.root, hook));
      where.expect('dpkg', '-r', 'kata-check');
      assert.equal(hooks(), ['20kata-check.disabled', '52kata-check-unattended.disabled']);
      where.expect('dpkg', '-P', 'kata-check');
      assert.equal(hooks(), []);
      assert.not.ok(existsSync(join(where.root, 'run/kata-check')));
      assert.is(install(where, [runtime('1.1.0')]).status, 0);
      where.expect('sh', '-c', 'dpkg -i /repository/kata-check_*.deb');
    },
    { needs, timeout: 120 },
  );
}
