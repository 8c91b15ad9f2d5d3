/**
 * Packages as distributions make them, and packages that bring a configuration, under the real package managers: the state afterwards is what
 * counts. Every test begins at packages of 1.0.0, and at an older image of the admin's own in /srv.
 */

import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { type Tree, temporaryFolder } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { Debian, type Outcome } from './debian.ts';
import { guestImage, prepare } from './kata-node.ts';
import { builtImage, builtOnTheNode, failsToBuild, needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('packages of distributions');
const share = '/usr/share/kata-containers';
const etc = '/etc/kata-containers/configuration.toml';
const usr = '/usr/share/defaults/kata-containers/configuration.toml';
const dropIn = '/etc/crio/crio.conf.d/50-kata';
const [oldImage, oldConfiguration] = ['/srv/old.img', '/opt/acme/kata-containers/old.toml'];
const confidential = '/opt/confidential-containers/share';
const imageOf = (version: string): string => `${share}/kata-${version}.img`;
const naming = (image: string, key = 'image'): string => `[hypervisor.qemu]\n${key} = "${image}"\n`;
const crio = `[crio.runtime.runtimes.kata]\nruntime_type = "vm"\nruntime_path = "/usr/bin/containerd-shim-kata-v2"\nruntime_config_path = "${oldConfiguration}"\n`;

type Release = '1.0.0' | '1.1.0';
const [first, next] = ['1.0.0', '1.1.0'] as const;

interface Package {
  readonly name: string;
  readonly version: string;
  /** Of a runtime: it works with agents of this minor version. */
  readonly runtime?: Release;
  readonly files: Tree;
  /** The script that runs when it has been unpacked. */
  readonly script?: string;
}

const says = (release: Release): string => `#!/bin/sh\necho "kata-runtime  : ${release}"\n`;
const program = (release: Release): Tree => ({ '/usr/bin/kata-runtime': says(release) });

/** One package of runtime, image and configuration; the image is called by the package's version. */
const whole = (version: string, runtime: Release, named: string, more: Tree = {}): Package => ({
  name: 'kata-containers',
  version,
  runtime,
  files: { ...program(runtime), [imageOf(version)]: guestImage(runtime), [etc]: naming(named), ...more },
});

/** As Fedora's, with a configuration that names the image of another place. */
function built(version: string): Package {
  const { files = {}, scriptlets = [] } = builtOnTheNode(next, temporaryFolder());
  const own = Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith('.toml')));
  const script = scriptlets.slice(1).join('\n');
  return {
    name: 'kata-containers',
    version,
    runtime: next,
    files: { ...own, [etc]: naming(builtImage, 'initrd') },
    script,
  };
}

const packages: readonly Package[] = [
  whole(first, first, imageOf(first)),
  whole(next, next, imageOf(next)),
  whole('1.1.1', next, oldImage),
  whole('1.1.2', next, imageOf('1.1.2'), { [dropIn]: crio }),
  built('1.1.3'),
  ...([first, next] as const).flatMap((release): Package[] => {
    const image = guestImage(release);
    const one = { version: release, runtime: release };
    const link = `${share}/kata-containers.img`;
    return [
      // Azure Linux: the packages of confidential pods, and runtime and tools apart; the image of both is built on the node.
      {
        ...one,
        name: 'kata-containers-cc',
        files: {
          '/usr/local/bin/containerd-shim-kata-cc-v2': says(release),
          [`${confidential}/defaults/kata-containers/configuration.toml`]: naming(oldImage),
        },
      },
      { ...one, name: 'azure-kata', files: { ...program(release), [usr]: naming(oldImage) } },
      {
        name: 'azure-kata-tools',
        version: release,
        files: { '/opt/kata-containers/uvm/tools/osbuilder/agent-install/usr/bin/kata-agent': release },
      },
      // openSUSE.
      { ...one, name: 'katacontainers', files: { ...program(release), [usr]: naming(`${share}/initrd`) } },
      { name: 'katacontainers-image-initrd', version: release, files: { [`${share}/initrd`]: image } },
      // The Open Build Service, and Oracle in one package: the image has its version in its name, and a link moves.
      { ...one, name: 'obs-kata', files: { ...program(release), [usr]: naming(link) } },
      {
        name: 'obs-kata-image',
        version: release,
        files: { [`${share}/obs-${release}.img`]: image, [link]: { link: `obs-${release}.img` } },
      },
      {
        ...one,
        name: 'oracle-kata',
        files: {
          ...program(release),
          [usr]: naming(link),
          [`${share}/oracle-${release}.img`]: image,
          [link]: { link: `oracle-${release}.img` },
        },
      },
      // openEuler.
      {
        ...one,
        name: 'openeuler-kata',
        files: { ...program(release), [usr]: naming('/var/lib/kata/kata.img'), '/var/lib/kata/kata.img': image },
      },
      // kata-deploy's tree in one package, whose image is called by the release of its distribution.
      {
        ...one,
        name: 'opt-kata',
        files: {
          '/opt/kata/bin/kata-runtime': says(release),
          [`/opt/kata/share/kata-containers/ubuntu-${release === first ? 'jammy' : 'noble'}.image`]: image,
          '/opt/kata/share/defaults/kata-containers/configuration.toml': naming(
            `/opt/kata/share/kata-containers/ubuntu-${release === first ? 'jammy' : 'noble'}.image`,
          ),
        },
      },
    ];
  }),
];

const isConfiguration = (path: string): boolean => path.startsWith('/etc/');
const nextMinor = (release: Release): string => (release === first ? '1.1.0' : '1.2.0');
const scratch = temporaryFolder();

function makeDebs(folder: string): void {
  for (const { name, version, runtime, files, script } of packages) {
    const conffiles = Object.keys(files)
      .filter(isConfiguration)
      .map((path) => `${path}\n`)
      .join('');
    makeDeb(folder, {
      name,
      version: `${version}-1`,
      ...(runtime === undefined ? {} : { fields: { 'Kata-Agent-Requires': `>=${runtime} <${nextMinor(runtime)}` } }),
      files,
      scripts: { conffiles, ...(script === undefined ? {} : { postinst: `#!/bin/sh\n${script}\n` }) },
    });
  }
}

let rpms: string | undefined;

/** The same for every node. */
function rpmFolder(): string {
  if (rpms !== undefined) return rpms;
  for (const { name, version, runtime, files, script } of packages) {
    makeRpm(scratch, {
      name,
      version,
      ...(runtime === undefined
        ? {}
        : {
            provides: [`kata-agent-requires(min) = ${runtime}`, `kata-agent-requires(max) = ${nextMinor(runtime)}`],
          }),
      preamble: ['AutoReqProv: no'],
      files,
      attributes: Object.fromEntries(
        Object.keys(files)
          .filter(isConfiguration)
          .map((path) => [path, '%config(noreplace)']),
      ),
      ...(script === undefined ? {} : { scriptlets: ['%post', script] }),
    });
  }
  rpms = scratch;
  return scratch;
}

interface Node {
  readonly root: string;
  run(argv: readonly string[], env?: Readonly<Record<string, string>>): Outcome;
}

/** Each as [name, version]. */
type Names = readonly (readonly [name: string, version: string])[];

interface Manager {
  readonly name: string;
  /** Two managers of one name share a node. */
  readonly node: string;
  make(): Node;
  /** Past kata-check: away with all packages of this file, and these installed. */
  restore(installed: Names): readonly (readonly string[])[];
  change(wanted: Names): readonly string[];
  /** What it ends with when it is stopped; null: it cannot be. */
  readonly stopped: number | null;
}

const deb = ([name, version]: Names[number]): string => `/repository/${name}_${version}-1_all.deb`;
const rpm = ([name, version]: Names[number]): string => `/repository/${name}-${version}-1.noarch.rpm`;
const dashed = (wanted: Names): string[] => wanted.map(([name, version]) => `${name}-${version}`);
const everyName = [...new Set(packages.map(({ name }) => name))];

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
  cpSync(rpmFolder(), where.path('/repository'), { recursive: true });
  where.expect('createrepo_c', '-q', '/repository');
  where.write('/etc/dnf/dnf.conf', '[main]\ngpgcheck=0\npkg_gpgcheck=0\nlocalpkg_gpgcheck=0\n');
  where.write('/etc/yum.repos.d/lab.repo', '[lab]\nname=lab\nbaseurl=file:///repository\n');
  where.write('/etc/zypp/repos.d/lab.repo', '[lab]\nname=lab\nenabled=1\nbaseurl=dir:///repository\ngpgcheck=0\n');
  where.rpm('-U', ...ownRpms().filter((own) => manager === 'dnf' || !own.startsWith('python3-')));
  return where;
}

const dnfNode = (): Node => rpmNode('trixie', 'dnf', ['dnf', 'python3-dnf']);
const noTriggers = ['--nodeps', '--noscripts', '--notriggers'];
const restoreRpms = (installed: Names): string[][] => [
  [
    'sh',
    '-c',
    `rpm -q --qf '%{NAME}\\n' "$@" | grep -v ' ' | xargs -r rpm -e ${noTriggers.join(' ')}`,
    'sh',
    ...everyName,
  ],
  ['rpm', '-U', '--replacepkgs', '--notriggers', ...installed.map(rpm)],
];
const restoreDebs = (installed: Names): string[][] => [
  ['dpkg', '--purge', ...everyName],
  ['dpkg', '-i', ...installed.map(deb)],
];

const managers: readonly Manager[] = [
  {
    name: 'apt',
    node: 'debian',
    make: debianNode,
    restore: restoreDebs,
    change: (wanted) => [
      ...['apt-get', '-y', '--allow-downgrades', '-o', 'Dpkg::Options::=--force-confold'],
      // What dpkg itself did a moment ago need not be in apt's cache.
      ...['-o', 'Dir::Cache::pkgcache=', 'install', ...wanted.map(([name, version]) => `${name}=${version}-1`)],
    ],
    stopped: 100,
  },
  {
    name: 'dpkg',
    node: 'debian',
    make: debianNode,
    restore: restoreDebs,
    change: (wanted) => ['dpkg', '--force-confold', '-i', ...wanted.map(deb)],
    stopped: 2,
  },
  {
    name: 'dnf',
    node: 'dnf',
    make: dnfNode,
    restore: restoreRpms,
    change: (wanted) => ['dnf', '-y', '--releasever=1', 'install', ...dashed(wanted)],
    stopped: 1,
  },
  {
    name: 'rpm',
    node: 'dnf',
    make: dnfNode,
    restore: restoreRpms,
    change: (wanted) => ['rpm', '-U', '--oldpackage', ...wanted.map(rpm)],
    stopped: null,
  },
  {
    name: 'dnf5',
    node: 'dnf5',
    make: () => rpmNode('sid', 'dnf5', ['dnf5']),
    restore: restoreRpms,
    change: (wanted) => ['dnf5', '-y', '--releasever=1', 'install', ...dashed(wanted)],
    stopped: 1,
  },
  {
    name: 'zypper',
    node: 'zypper',
    make: () => rpmNode('trixie', 'zypper', ['zypper']),
    restore: restoreRpms,
    change: (wanted) => ['zypper', '-n', '--no-gpg-checks', 'install', '--oldpackage', ...dashed(wanted)],
    stopped: null,
  },
];

const nodes = new Map<string, Node | Error>();

function nodeOf({ node, make, restore }: Manager, installed: Names): Node {
  if (!nodes.has(node)) {
    nodes.set(node, new Error('no node could be made: see the first test'));
    nodes.set(node, make());
  }
  const where = nodes.get(node);
  if (where === undefined || where instanceof Error) throw where;
  const [away = [], back = []] = restore(installed);
  where.run(away, { KATA_CHECK_MODE: 'off' });
  for (const path of ['/etc/kata-containers', '/etc/crio', '/run/kata-check', failsToBuild, builtImage, share])
    rmSync(join(where.root, path), { recursive: true, force: true });
  const { status, output } = where.run(back, { KATA_CHECK_MODE: 'off' });
  assert.is(status, 0, output);
  write(where, oldImage, guestImage(first));
  write(where, oldConfiguration, naming(oldImage));
  return where;
}

function write(where: Node, path: string, content: string | Uint8Array): void {
  mkdirSync(join(where.root, dirname(path)), { recursive: true });
  writeFileSync(join(where.root, path), content);
}

/** The first lines of what kata-check said, without what dnf 5 puts before them. */
const said = ({ output }: Outcome): readonly string[] => output.match(/kata-check: (?:stopped|warning)[^\n]*/g) ?? [];

type Check = (manager: Manager, outcome: Outcome, where: Node) => void;

const passes: Check = (_, outcome, where) => {
  assert.equal(said(outcome), [], outcome.output);
  assert.is(outcome.status, 0, outcome.output);
  assert.match(where.run(['kata-check']).output, /fits/);
};

/** Stopped, or told where nothing can be stopped. */
const isRefused: Check = ({ name, stopped }, outcome) => {
  assert.is(outcome.status, stopped ?? 0, outcome.output);
  const told = said(outcome);
  assert.is(told.length, 1, outcome.output);
  assert.match(told[0] ?? '', stopped === null ? 'warning [KC101]' : `stopped ${name} [KC101]`, outcome.output);
};

interface Situation {
  readonly rule: string;
  /** All of them where this is absent. */
  readonly managers?: readonly string[];
  readonly installed: Names;
  readonly wanted: Names;
  prepare?(where: Node): void;
  readonly check: Check;
}

const one: Names = [['kata-containers', first]];
const both = (release: Release, ...names: readonly string[]): Names => names.map((name) => [name, release] as const);

const situations: readonly Situation[] = [
  {
    rule: 'a new configuration, with the image that it names',
    installed: one,
    wanted: [['kata-containers', next]],
    check: passes,
  },
  {
    rule: 'a configuration that the admin changed stays, and the image that it names goes: told before and afterwards',
    installed: one,
    wanted: [['kata-containers', next]],
    prepare: (where) => write(where, etc, `${naming(imageOf(first))}# mine\n`),
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
    installed: one,
    wanted: [['kata-containers', '1.1.1']],
    check: (manager, outcome, where) => {
      isRefused(manager, outcome, where);
      assert.is(existsSync(join(where.root, imageOf(first))), manager.stopped !== null);
    },
  },
  {
    rule: "a new drop-in of CRI-O that names the admin's configuration is refused for its image",
    managers: ['apt', 'dnf', 'zypper'],
    installed: one,
    wanted: [['kata-containers', '1.1.2']],
    check: isRefused,
  },
  {
    rule: 'RHEL: a new configuration names an image that a script builds',
    managers: ['apt', 'dnf5', 'zypper'],
    installed: one,
    wanted: [['kata-containers', '1.1.3']],
    check: passes,
  },
  {
    rule: 'RHEL: the script fails where an older one was built before, which is told once, afterwards',
    managers: ['apt', 'dnf5', 'zypper'],
    installed: one,
    wanted: [['kata-containers', '1.1.3']],
    prepare: (where) => {
      write(where, failsToBuild, '');
      write(where, builtImage, guestImage(first));
    },
    check: (_, outcome) => {
      const told = said(outcome);
      assert.is(told.length, 1, outcome.output);
      assert.match(told[0] ?? '', /warning \[KC101\]: the guest image does not fit the installed/, outcome.output);
    },
  },
  {
    rule: 'Azure Linux: the runtime of confidential pods, whose image is nobody’s, is refused',
    managers: ['dnf', 'rpm'],
    installed: both(first, 'kata-containers-cc'),
    wanted: both(next, 'kata-containers-cc'),
    check: isRefused,
  },
  {
    rule: 'Azure Linux: runtime and tools are refused, and the order that works is said',
    managers: ['dnf'],
    installed: both(first, 'azure-kata', 'azure-kata-tools'),
    wanted: both(next, 'azure-kata', 'azure-kata-tools'),
    check: (manager, outcome, where) => {
      isRefused(manager, outcome, where);
      assert.match(
        outcome.output.replace(/\s+/g, ' '),
        /Upgrade azure-kata-tools first, then build the image again, and then upgrade azure-kata\./,
      );
    },
  },
  {
    rule: 'Azure Linux: the tools alone',
    managers: ['dnf', 'rpm'],
    installed: both(first, 'azure-kata', 'azure-kata-tools'),
    wanted: both(next, 'azure-kata-tools'),
    check: passes,
  },
  {
    rule: 'openSUSE: runtime and image',
    managers: ['zypper', 'rpm', 'dnf5'],
    installed: both(first, 'katacontainers', 'katacontainers-image-initrd'),
    wanted: both(next, 'katacontainers', 'katacontainers-image-initrd'),
    check: passes,
  },
  {
    rule: 'openSUSE: the runtime alone is refused',
    managers: ['zypper', 'rpm'],
    installed: both(first, 'katacontainers', 'katacontainers-image-initrd'),
    wanted: both(next, 'katacontainers'),
    check: isRefused,
  },
  ...(
    [
      ['up', first, next],
      ['down', next, first],
    ] as const
  ).flatMap(([way, from, to]): Situation[] => [
    {
      rule: `the Open Build Service: an image with its version in its name, to which a link moves, ${way}`,
      managers: ['apt', 'dpkg'],
      installed: both(from, 'obs-kata', 'obs-kata-image'),
      wanted: both(to, 'obs-kata', 'obs-kata-image'),
      check: passes,
    },
    {
      rule: `Oracle: the same in one package, ${way}`,
      managers: ['rpm', 'dnf'],
      installed: both(from, 'oracle-kata'),
      wanted: both(to, 'oracle-kata'),
      check: passes,
    },
    {
      rule: `openEuler: the image below /var/lib/kata, in one package, ${way}`,
      managers: ['rpm'],
      installed: both(from, 'openeuler-kata'),
      wanted: both(to, 'openeuler-kata'),
      check: passes,
    },
    {
      rule: `all of /opt/kata in one package, with an image of another name, ${way}`,
      managers: ['apt', 'dnf5'],
      installed: both(from, 'opt-kata'),
      wanted: both(to, 'opt-kata'),
      check: passes,
    },
  ]),
  {
    rule: 'the Open Build Service: the runtime alone is refused',
    managers: ['apt'],
    installed: both(first, 'obs-kata', 'obs-kata-image'),
    wanted: both(next, 'obs-kata'),
    check: isRefused,
  },
];

for (const manager of managers) {
  const own = situations.filter(({ managers: names }) => names === undefined || names.includes(manager.name));
  for (const [index, { rule, installed, wanted, prepare: change, check }] of own.entries()) {
    test(
      `${manager.name}: ${rule}`,
      () => {
        const where = nodeOf(manager, installed);
        change?.(where);
        check(manager, where.run(manager.change(wanted)), where);
      },
      { needs: [...needs, 'dpkg-deb', 'mount', 'cpio'], timeout: index === 0 ? 900 : 120 },
    );
  }
}
