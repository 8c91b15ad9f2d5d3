/**
 * Images that are built on the node by the package that brings the runtime, as on Fedora: with the real dnf 4, dnf 5 and rpm, before the
 * upgrade, after one whose script works, and after one whose script fails.
 */

import { copyFileSync, rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import type { Outcome } from './debian.ts';
import { builtImage, failsToBuild, needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('images that are built on the node');
const plugin = (name: string): boolean => name.startsWith('python3-');

interface Manager {
  readonly name: string;
  readonly suite: string;
  readonly included: readonly string[];
  readonly upgrade: readonly string[];
  /** What it stops with: rpm cannot be stopped. */
  readonly stopped: number;
}

const dnfOptions = ['-y', '--releasever=1'];
const managers: readonly Manager[] = [
  {
    name: 'dnf',
    suite: 'trixie',
    included: ['dnf', 'python3-dnf'],
    upgrade: ['dnf', ...dnfOptions, 'upgrade', 'kata-containers'],
    stopped: 1,
  },
  {
    name: 'dnf5',
    suite: 'sid',
    included: ['dnf5'],
    upgrade: ['dnf5', ...dnfOptions, 'upgrade', 'kata-containers'],
    stopped: 1,
  },
  {
    name: 'rpm',
    suite: 'trixie',
    included: ['dnf', 'python3-dnf'],
    upgrade: ['rpm', '-U', '/repository/kata-containers-1.1.0-1.noarch.rpm'],
    stopped: 0,
  },
];

/** In packages of their own, for what is removed. */
const pair = ['kata-runtime', 'kata-containers-image'] as const;
const nodes = new Map<string, RpmNode>();

/** With runtime and image 1.0.0. */
function nodeOf({ suite: release, name, included }: Manager): RpmNode {
  const key = name === 'rpm' ? 'dnf' : name;
  let where = nodes.get(key);
  if (where === undefined) {
    where = new RpmNode(release, key, included);
    where.write('/etc/dnf/dnf.conf', '[main]\ngpgcheck=0\npkg_gpgcheck=0\nlocalpkg_gpgcheck=0\n');
    where.write('/etc/yum.repos.d/lab.repo', '[lab]\nname=lab\nbaseurl=file:///repository\n');
    where.write('/etc/dnf/libdnf5-plugins/local.conf', '[main]\nname = local\nenabled = false\n');
    nodes.set(key, where);
  }
  for (const path of [failsToBuild, builtImage, '/etc/kata-containers', '/run/kata-check'])
    rmSync(where.path(path), { recursive: true, force: true });
  for (const name of pair) where.run(['rpm', '-e', '--nodeps', '--noscripts', '--notriggers', name]);
  where.rpm('-U', ...ownRpms().filter((own) => key === 'dnf' || !plugin(own)), 'unrelated-1.0.0-1.noarch.rpm');
  where.expect(
    'rpm',
    '-U',
    '--oldpackage',
    '--replacepkgs',
    '--notriggers',
    '/repository/kata-containers-1.0.0-1.noarch.rpm',
  );
  return where;
}

const said = ({ output }: Outcome): readonly string[] =>
  (output.match(/^(?:>>> )?kata-check: .*$/gm) ?? []).map((line) => line.replace('>>> ', ''));

for (const manager of managers) {
  test(
    `B1: ${manager.name}: the upgrade passes without a word, and afterwards all fits`,
    () => {
      const where = nodeOf(manager);
      const outcome = where.run(manager.upgrade);
      assert.equal(said(outcome), []);
      assert.is(outcome.status, 0, outcome.output);
      where.has('kata-containers-1.1.0');
      assert.match(where.expect('kata-check'), /fits/);
    },
    { needs: [...needs, 'cpio'], timeout: 900 },
  );

  test(
    `B1: ${manager.name}: where the script fails, it is told once, afterwards`,
    () => {
      const where = nodeOf(manager);
      where.write(failsToBuild, '');
      const outcome = where.run(manager.upgrade);
      where.has('kata-containers-1.1.0');
      assert.is(said(outcome).length, 1, outcome.output);
      assert.match(said(outcome)[0] ?? '', /^kata-check: warning \[KC101\]/);
      assert.is(where.run(['kata-check']).status, 10);
    },
    { needs: [...needs, 'cpio'], timeout: 300 },
  );

  test(
    `${manager.name}: an image of the admin's own is judged before`,
    () => {
      const where = nodeOf(manager);
      copyFileSync(where.path(builtImage), where.path('/srv/custom.img'));
      where.write('/etc/kata-containers/configuration.toml', '[hypervisor.qemu]\ninitrd = "/srv/custom.img"\n');
      const outcome = where.run(manager.upgrade);
      assert.is(outcome.status, manager.stopped, outcome.output);
      assert.is(said(outcome).length, 1, outcome.output);
      assert.match(said(outcome)[0] ?? '', manager.stopped === 0 ? /warning \[KC101\]/ : /stopped .*\[KC101\]/);
    },
    { needs: [...needs, 'cpio'], timeout: 300 },
  );
}

test(
  'dnf5: what does not fit is stopped when it is planned, and not when it is done after the machine has been started again',
  () => {
    const dnf5 = managers[1] as Manager;
    const where = nodeOf(dnf5);
    const offline = ['dnf5', ...dnfOptions, 'upgrade', 'kata-containers', '--offline'];
    const configuration = '/etc/kata-containers/configuration.toml';
    copyFileSync(where.path(builtImage), where.path('/srv/custom.img'));
    where.write(configuration, '[hypervisor.qemu]\ninitrd = "/srv/custom.img"\n');
    const stopped = where.run(offline);
    assert.is(stopped.status, 1, stopped.output);
    assert.match(said(stopped)[0] ?? '', /^kata-check: stopped dnf5 \[KC101\]/);
    const download = where.run(['dnf5', ...dnfOptions, 'upgrade', 'kata-containers', '--downloadonly']);
    assert.match(said(download)[0] ?? '', /^kata-check: stopped dnf5 \[KC101\]/);

    // It fits when it is planned, and not any more when it is done.
    rmSync(where.path('/etc/kata-containers'), { recursive: true });
    const planned = where.run(offline);
    assert.equal(said(planned), []);
    assert.is(planned.status, 0, planned.output);
    where.write(configuration, '[hypervisor.qemu]\ninitrd = "/srv/custom.img"\n');
    const folder = '/usr/lib/sysimage/libdnf5/offline';
    where.expect('sed', '-i', 's/status = .*/status = "ready"/', `${folder}/offline-transaction-state.toml`);
    where.expect('ln', '-sfn', folder.slice(1), '/system-update');
    const done = where.run(['dnf5', 'offline', '_execute']);
    assert.not.match(done.output, /stopped/);
    where.has('kata-containers-1.1.0');
  },
  { needs: [...needs, 'cpio'], timeout: 300 },
);

test(
  'dnf: what does not fit is stopped when it is only downloaded',
  () => {
    const where = nodeOf(managers[0] as Manager);
    copyFileSync(where.path(builtImage), where.path('/srv/custom.img'));
    where.write('/etc/kata-containers/configuration.toml', '[hypervisor.qemu]\ninitrd = "/srv/custom.img"\n');
    for (const options of [['--downloadonly'], ['--setopt=tsflags=test']]) {
      const outcome = where.run(['dnf', ...dnfOptions, ...options, 'upgrade', 'kata-containers']);
      assert.match(said(outcome)[0] ?? '', /^kata-check: stopped dnf \[KC101\]/, options.join());
      assert.is(outcome.status, 1, outcome.output);
    }
  },
  { needs: [...needs, 'cpio'], timeout: 300 },
);

const removals: readonly (readonly [rule: string, removed: readonly string[], told: RegExp | null, tree?: string])[] = [
  ['an image below its runtime is told afterwards', [pair[1]], /^kata-check: warning \[KC203\]/],
  ['a runtime above its image is no matter', [pair[0]], null],
  ['nor are both', pair, null],
  ['nor is an image in whose place the configuration names another one', [pair[1]], null, '/srv/custom.img'],
  ['nor is something else', ['unrelated'], null],
];
for (const [rule, removed, told, custom] of removals) {
  test(
    `rpm -e: ${rule}`,
    () => {
      const where = nodeOf(managers[2] as Manager);
      where.rpm('-e', 'kata-containers');
      where.rpm('-U', ...pair.map((name) => `${name}-1.0.0-1.noarch.rpm`));
      if (custom !== undefined) {
        copyFileSync(where.path('/usr/share/kata-containers/kata-containers.img'), where.path(custom));
        where.write('/etc/kata-containers/configuration.toml', `[hypervisor.qemu]\nimage = "${custom}"\n`);
      }
      const outcome = where.run(['rpm', '-e', ...removed]);
      assert.is(outcome.status, 0, outcome.output);
      assert.is(said(outcome).length, told === null ? 0 : 1, outcome.output);
      if (told !== null) assert.match(said(outcome)[0] ?? '', told);
    },
    { needs: [...needs, 'cpio'], timeout: 300 },
  );
}
