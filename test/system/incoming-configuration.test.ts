/**
 * Upgrades whose packages bring a configuration, under each real package manager: the one that will be there afterwards is what counts.
 * Every test begins at one package of 1.0.0, with runtime, image and configuration, and an older image of the admin's own in /srv.
 */

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import type { Tree } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { Debian, type Outcome } from './debian.ts';
import { guestImage, prepare } from './kata-node.ts';
import { needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('configurations that packages bring');
const name = 'kata-containers';
const configuration = '/etc/kata-containers/configuration.toml';
const dropIn = '/etc/crio/crio.conf.d/50-kata';
const [oldImage, oldConfiguration] = ['/srv/old.img', '/opt/acme/kata-containers/old.toml'];
const imageOf = (version: string): string => `/usr/share/kata-containers/kata-${version}.img`;
const naming = (image: string): string => `[hypervisor.qemu]\nimage = "${image}"\n`;
const crio = `[crio.runtime.runtimes.kata]\nruntime_type = "vm"\nruntime_path = "/usr/bin/containerd-shim-kata-v2"\nruntime_config_path = "${oldConfiguration}"\n`;

/** A package of runtime, image and configuration; the image is called by its version. */
interface Model {
  readonly version: string;
  readonly agent: '1.0.0' | '1.1.0';
  readonly files: Tree;
}

const model = (version: string, agent: Model['agent'], named: string, more: Tree = {}): Model => ({
  version,
  agent,
  files: {
    '/usr/bin/kata-runtime': `#!/bin/sh\necho "kata-runtime  : ${agent}"\n`,
    '/usr/bin/containerd-shim-kata-v2': '#!/bin/sh\nexec /usr/bin/kata-runtime "$@"\n',
    [imageOf(version)]: guestImage(agent),
    [configuration]: naming(named),
    ...more,
  },
});

const models: readonly Model[] = [
  model('1.0.0', '1.0.0', imageOf('1.0.0')),
  model('1.1.0', '1.1.0', imageOf('1.1.0')),
  model('1.1.1', '1.1.0', oldImage),
  model('1.1.2', '1.1.0', imageOf('1.1.2'), { [dropIn]: crio }),
];

const isConfiguration = (path: string): boolean => path.startsWith('/etc/');
const nextMinor = (agent: Model['agent']): string => (agent === '1.0.0' ? '1.1.0' : '1.2.0');

function makeDebs(folder: string): void {
  for (const { version, agent, files } of models) {
    makeDeb(folder, {
      name,
      version: `${version}-1`,
      fields: { 'Kata-Agent-Requires': `>=${agent} <${nextMinor(agent)}` },
      files,
      scripts: { conffiles: Object.keys(files).filter(isConfiguration).join('\n').concat('\n') },
    });
  }
}

function makeRpms(folder: string): void {
  for (const { version, agent, files } of models) {
    makeRpm(folder, {
      name,
      version,
      provides: [`kata-agent-requires(min) = ${agent}`, `kata-agent-requires(max) = ${nextMinor(agent)}`],
      preamble: ['AutoReqProv: no'],
      files,
      attributes: Object.fromEntries(
        Object.keys(files)
          .filter(isConfiguration)
          .map((path) => [path, '%config(noreplace)']),
      ),
    });
  }
}

interface Node {
  readonly root: string;
  run(argv: readonly string[], env?: Readonly<Record<string, string>>): Outcome;
}

interface Manager {
  readonly name: string;
  /** Two managers of one name share a node. */
  readonly node: string;
  make(): Node;
  /** Past kata-check. */
  readonly restore: readonly string[];
  upgrade(version: string): readonly string[];
  /** What it ends with when it is stopped; null: it cannot be. */
  readonly stopped: number | null;
}

const deb = (version: string): string => `/repository/${name}_${version}-1_all.deb`;
const rpm = (version: string): string => `/repository/${name}-${version}-1.noarch.rpm`;
const restoreRpm = ['rpm', '-U', '--oldpackage', '--replacepkgs', '--notriggers', rpm('1.0.0')];

/** With /proc, as a hook looks for the package manager above it. */
class DebianNode extends Debian {
  override run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
    return this.withProc(() => super.run(argv, env));
  }
}

function debianNode(): Node {
  const debian = prepare('trixie', [], DebianNode);
  makeDebs(join(debian.root, 'repository'));
  debian.publish();
  return debian;
}

function rpmNode(release: string, manager: string, included: readonly string[]): Node {
  const where = new RpmNode(release, manager, included);
  makeRpms(where.path('/repository'));
  where.expect('createrepo_c', '-q', '/repository');
  where.write('/etc/dnf/dnf.conf', '[main]\ngpgcheck=0\npkg_gpgcheck=0\nlocalpkg_gpgcheck=0\n');
  where.write('/etc/yum.repos.d/lab.repo', '[lab]\nname=lab\nbaseurl=file:///repository\n');
  where.write('/etc/zypp/repos.d/lab.repo', '[lab]\nname=lab\nenabled=1\nbaseurl=dir:///repository\ngpgcheck=0\n');
  where.rpm('-U', ...ownRpms().filter((own) => manager === 'dnf' || !own.startsWith('python3-')));
  return where;
}

const dnfNode = (): Node => rpmNode('trixie', 'dnf', ['dnf', 'python3-dnf']);
const restoreDeb = ['dpkg', '--force-confnew,confmiss,downgrade', '-i', deb('1.0.0')];
const managers: readonly Manager[] = [
  {
    name: 'apt',
    node: 'debian',
    make: debianNode,
    restore: restoreDeb,
    upgrade: (version) => ['apt-get', '-y', '-o', 'Dpkg::Options::=--force-confold', 'install', `${name}=${version}-1`],
    stopped: 100,
  },
  {
    name: 'dpkg',
    node: 'debian',
    make: debianNode,
    restore: restoreDeb,
    upgrade: (version) => ['dpkg', '--force-confold', '-i', deb(version)],
    stopped: 2,
  },
  {
    name: 'dnf',
    node: 'dnf',
    make: dnfNode,
    restore: restoreRpm,
    upgrade: (version) => ['dnf', '-y', '--releasever=1', 'upgrade', `${name}-${version}`],
    stopped: 1,
  },
  {
    name: 'rpm',
    node: 'dnf',
    make: dnfNode,
    restore: restoreRpm,
    upgrade: (version) => ['rpm', '-U', rpm(version)],
    stopped: null,
  },
  {
    name: 'dnf5',
    node: 'dnf5',
    make: () => rpmNode('sid', 'dnf5', ['dnf5']),
    restore: restoreRpm,
    upgrade: (version) => ['dnf5', '-y', '--releasever=1', 'upgrade', `${name}-${version}`],
    stopped: 1,
  },
  {
    name: 'zypper',
    node: 'zypper',
    make: () => rpmNode('trixie', 'zypper', ['zypper']),
    restore: restoreRpm,
    upgrade: (version) => ['zypper', '-n', '--no-gpg-checks', 'install', `${name}-${version}`],
    stopped: null,
  },
];

const nodes = new Map<string, Node | Error>();

/** With the package of 1.0.0, and the older image. */
function nodeOf({ node, make, restore }: Manager): Node {
  if (!nodes.has(node)) {
    nodes.set(node, new Error('no node could be made: see the first test'));
    nodes.set(node, make());
  }
  const where = nodes.get(node);
  if (where === undefined || where instanceof Error) throw where;
  for (const path of ['/etc/kata-containers', '/etc/crio', '/run/kata-check', '/var/log/zypper.log'])
    rmSync(join(where.root, path), { recursive: true, force: true });
  const { status, output } = where.run(restore, { KATA_CHECK_MODE: 'off' });
  assert.is(status, 0, output);
  write(where, oldImage, guestImage('1.0.0'));
  write(where, oldConfiguration, naming(oldImage));
  return where;
}

function write(where: Node, path: string, content: string | Uint8Array): void {
  mkdirSync(join(where.root, dirname(path)), { recursive: true });
  writeFileSync(join(where.root, path), content);
}

/** The first lines of what kata-check said, on one line each, without what dnf 5 puts before them. */
const said = ({ output }: Outcome): readonly string[] =>
  (output.match(/kata-check: (?:stopped|warning|blocked)[^\n]*/g) ?? []).map((line) => line.replace(/\s+/g, ' '));

interface Situation {
  readonly rule: string;
  readonly version: string;
  prepare?(where: Node): void;
  check(manager: Manager, outcome: Outcome, where: Node): void;
}

function isRefused({ name: manager, stopped }: Manager, outcome: Outcome, where: Node): void {
  assert.is(outcome.status, stopped ?? 0, outcome.output);
  assert.match(
    said(outcome)[0] ?? '',
    stopped === null ? /warning \[KC101\]/ : `stopped ${manager} [KC101]`,
    outcome.output,
  );
  assert.is(existsSync(join(where.root, imageOf('1.0.0'))), stopped !== null);
}

const situations: readonly Situation[] = [
  {
    rule: 'a new configuration, with the image that it names, passes without a word',
    version: '1.1.0',
    check: (_, outcome, where) => {
      assert.equal(said(outcome), [], outcome.output);
      assert.is(outcome.status, 0, outcome.output);
      assert.match(where.run(['kata-check']).output, /fits/);
    },
  },
  {
    rule: 'a configuration that the admin changed stays, and the image that it names goes: told before and afterwards',
    version: '1.1.0',
    prepare: (where) => write(where, configuration, `${naming(imageOf('1.0.0'))}# mine\n`),
    check: (_, outcome) => {
      assert.is(outcome.status, 0, outcome.output);
      const [before = '', afterwards = '', ...more] = said(outcome);
      assert.match(before, 'warning [KC302]: the upgrade takes away a guest image', outcome.output);
      assert.match(afterwards, 'warning [KC203]: a configured guest image is missing', outcome.output);
      assert.equal(more, []);
    },
  },
  {
    rule: 'a new configuration that names an older image of the admin is refused',
    version: '1.1.1',
    check: isRefused,
  },
  {
    rule: "a new drop-in of CRI-O that names the admin's configuration is refused for its image",
    version: '1.1.2',
    check: isRefused,
  },
];

for (const manager of managers) {
  for (const [index, situation] of situations.entries()) {
    test(
      `${manager.name}: ${situation.rule}`,
      () => {
        const where = nodeOf(manager);
        situation.prepare?.(where);
        situation.check(manager, where.run(manager.upgrade(situation.version)), where);
      },
      { needs: [...needs, 'dpkg-deb', 'mount'], timeout: index === 0 ? 900 : 120 },
    );
  }
}
