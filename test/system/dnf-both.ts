/** What dnf 4 and dnf 5 have in common. Every test begins at runtime 1.0.0 and image 1.0.0. */

import { copyFileSync, rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Test } from '../suite.ts';
import type { Outcome } from './debian.ts';
import { failures, image, needs, type RpmNode } from './rpm-node.ts';

type Environment = Readonly<Record<string, string>>;

export class Dnf {
  /** As a person calls it, and as kata-check does. */
  readonly name: 'dnf' | 'dnf5';
  readonly node: () => RpmNode;
  /** The lines of its own when it was stopped. */
  readonly #stops: RegExp;

  constructor(name: Dnf['name'], node: () => RpmNode, stops: RegExp) {
    this.name = name;
    this.node = node;
    this.#stops = stops;
  }

  run(where: RpmNode, args: readonly string[], env: Environment = {}): Outcome {
    return where.run([this.name, '-y', '--releasever=1', ...args], env);
  }

  /** It is stopped, with status 1, and all is as it was. */
  isStopped(where: RpmNode, args: readonly string[], env: Environment = {}): string {
    const before = where.state();
    const { status, output } = this.run(where, args, env);
    const said = `kata-check: stopped ${this.name} \\[KC101\\]: the guest image does not fit the (incoming|installed) Kata runtime`;
    assert.match(output, new RegExp(said), args.join(' '));
    assert.match(output, /Nothing was changed\./);
    assert.match(output, this.#stops);
    assert.is(output.match(/^kata-check: /gm)?.length, 1, 'it is said once');
    assert.is(status, 1);
    assert.is(where.state(), before);
    return output;
  }

  /** Status 0, and not a word of kata-check's. */
  passes(where: RpmNode, args: readonly string[], env: Environment = {}): void {
    const { status, output } = this.run(where, args, env);
    assert.not.match(output, /kata-check: /, args.join(' '));
    assert.is(status, 0, output);
  }
}

export interface Differences {
  /** What is said of a runtime that comes alone. */
  readonly said: readonly RegExp[];
  /** Options and environment that let it pass, and whether a warning is said. */
  readonly overrides: readonly (readonly [args: readonly string[], env: Environment, isSaid: boolean])[];
  /** Options of another root that is configured as this one. */
  readonly rootOptions: readonly string[];
  /** The packages of kata-check that it has. */
  readonly own: readonly string[];
}

export function testDnf(test: Test, dnf: Dnf, { said, overrides, rootOptions, own }: Differences): void {
  const { node } = dnf;
  const isStopped = dnf.isStopped.bind(dnf);
  const passes = dnf.passes.bind(dnf);

  test(
    'the runtime alone is stopped, from the repository and from a file',
    () => {
      const where = node();
      const output = isStopped(where, ['upgrade', 'kata-runtime-1.1.0']);
      for (const line of said) assert.match(output, line);
      isStopped(where, ['install', '/repository/kata-runtime-1.1.0-1.noarch.rpm']);
      isStopped(where, ['-q', 'upgrade', 'kata-runtime']);
    },
    { needs, timeout: 900 },
  );

  test(
    'runtime and image together pass without a word, in both orders, up and down',
    () => {
      for (const names of [
        ['kata-runtime', 'kata-containers-image'],
        ['kata-containers-image', 'kata-runtime'],
      ]) {
        const where = node();
        const at = (version: string): string[] => names.map((name) => `${name}-${version}`);
        passes(where, ['upgrade', ...at('1.1.0')]);
        where.has(...at('1.1.0'));
        passes(where, ['downgrade', ...at('1.0.0')]);
        where.has(...at('1.0.0'));
        passes(where, ['install', ...at('1.1.1').map((name) => `/repository/${name}-1.noarch.rpm`)]);
        where.has(...at('1.1.1'));
      }
      const where = node();
      passes(where, ['upgrade']);
      where.has('kata-runtime-1.1.1', 'kata-containers-image-1.1.1');
    },
    { needs, timeout: 300 },
  );

  test(
    'the image alone, and each alone down again',
    () => {
      const where = node();
      isStopped(where, ['upgrade', 'kata-containers-image']);
      passes(where, ['upgrade']);
      isStopped(where, ['downgrade', 'kata-runtime-1.0.0']);
      isStopped(where, ['downgrade', 'kata-containers-image-1.0.0']);
      passes(where, ['downgrade', 'kata-runtime-1.1.0']);
      where.has('kata-runtime-1.1.0', 'kata-containers-image-1.1.1');
    },
    { needs, timeout: 300 },
  );

  test(
    'something else, a reinstallation, and the removal of both pass without a word; that of the image is told',
    () => {
      const where = node();
      passes(where, ['upgrade', 'unrelated']);
      passes(where, ['reinstall', 'kata-runtime']);
      const { status, output } = dnf.run(where, ['remove', 'kata-containers-image']);
      assert.match(output, /kata-check: warning \[KC302\]: /);
      assert.is(status, 0);
      node();
      passes(where, ['remove', 'kata-containers-image', 'kata-runtime']);
    },
    { needs, timeout: 300 },
  );

  test(
    'what was allowed passes with the warning, said once',
    () => {
      for (const [args, env, isSaid] of overrides) {
        const where = node();
        const { status, output } = dnf.run(where, [...args, 'upgrade', 'kata-runtime-1.1.0'], env);
        assert.is(output.match(/^kata-check: warning \[KC101\]: /gm)?.length ?? 0, isSaid ? 1 : 0, output);
        assert.is(status, 0);
        where.has('kata-runtime-1.1.0');
      }
    },
    { needs, timeout: 300 },
  );

  test(
    'a custom image that no package owns is what counts',
    () => {
      const where = node();
      copyFileSync(where.path(image), where.path('/srv/custom.img'));
      where.write('/etc/kata-containers/configuration.toml', '[hypervisor.qemu]\nimage = "/srv/custom.img"\n');
      try {
        const output = isStopped(where, ['upgrade']);
        assert.match(output, /agent 1\.0\.0\s+\/srv\/custom\.img/);
        assert.match(output, /^Nothing was changed\. 1 other package waits\. /m);
      } finally {
        rmSync(where.path('/etc/kata-containers'), { recursive: true });
      }
    },
    { needs, timeout: 300 },
  );

  test(
    'the root of --installroot is the one that is judged',
    () => {
      const where = node();
      const inRoot = ['--installroot=/srv/root', ...rootOptions];
      passes(where, [...inRoot, 'install', 'unrelated-1.0.0']);
      passes(where, [...inRoot, 'install', 'kata-runtime-1.0.0', 'kata-containers-image-1.0.0']);
      where.rpm('-U', 'kata-containers-image-1.1.0-1.noarch.rpm', 'kata-runtime-1.1.0-1.noarch.rpm');
      const before = where.expect('rpm', '--root', '/srv/root', '-qa');
      isStopped(where, [...inRoot, 'upgrade', 'kata-runtime']);
      assert.is(where.expect('rpm', '--root', '/srv/root', '-qa'), before);
      passes(where, [...inRoot, 'upgrade']);
      assert.match(where.expect('rpm', '--root', '/srv/root', '-qa'), /kata-runtime-1\.1\.1/);
      rmSync(where.path('/srv/root'), { recursive: true });
    },
    { needs, timeout: 300 },
  );

  test(
    'no environment keeps it from stopping, and none keeps it from working',
    () => {
      const where = node();
      isStopped(where, ['upgrade', 'kata-runtime'], { NODE_OPTIONS: '--require /nowhere.js', NODE_PATH: '/nowhere' });
      for (const closed of ['<&- 2>&-', '<&- 2>/dev/full']) {
        where.write('/run-it', `exec ${dnf.name} -y --releasever=1 upgrade kata-runtime ${closed}\n`);
        // Python itself ends with 120 when it cannot write what is left.
        assert.is.not(where.run(['/bin/sh', '/run-it']).status, 0, closed);
        where.has('kata-runtime-1.0.0');
      }
    },
    { needs, timeout: 300 },
  );

  for (const [rule, script] of failures) {
    test(
      `it goes on when kata-check ${rule}`,
      () => {
        const where = node();
        where.replaceProgram(script);
        const { status, output } = dnf.run(where, ['upgrade', 'kata-runtime-1.1.0']);
        assert.is(status, 0, output);
        assert.not.match(output, /Traceback/);
        where.has('kata-runtime-1.1.0');
      },
      { needs, timeout: 300 },
    );
  }

  test(
    'kata-check is installed, upgraded and removed by it; afterwards nothing of it is left or called',
    () => {
      const where = node();
      passes(where, ['reinstall', ...own]);
      isStopped(where, ['upgrade', 'kata-runtime']);
      passes(where, ['remove', ...own]);
      const left = where.expect(
        'sh',
        '-c',
        'find / -xdev -name "*kata[-_]check*" ! -path "/proc/*" ! -path "/repository/*" ! -path "/var/cache/*" ! -path "/run/*"',
      );
      assert.is(left, '');
      passes(where, ['upgrade', 'kata-runtime-1.1.0']);
      passes(where, ['downgrade', 'kata-runtime-1.0.0']);
      passes(where, ['install', ...own]);
      isStopped(where, ['upgrade', 'kata-runtime']);
    },
    { needs, timeout: 300 },
  );
}
