/** The role and the plays of packaging/fleet/ansible, by ansible-playbook over several hosts that are folders of this one. */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { forms, sampleNode, samplePackages } from '../e2e/program.ts';
import { run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('packaging/fleet/ansible');
const folder = join(import.meta.dirname, '../../packaging/fleet/ansible');
const native = forms.find(({ name }) => name === 'native');
const program = native?.argv[0] ?? '';
const needs = ['ansible-playbook', ...(native?.needs ?? [])];

type Hosts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Played {
  readonly status: number | null;
  readonly output: string;
  /** What the recap says of each host: failed or not. */
  readonly hosts: Readonly<Record<string, 'ok' | 'failed'>>;
}

function play(name: string, hosts: Hosts, ...args: string[]): Played {
  const inventory = join(temporaryFolder(), 'inventory.yml');
  const shared = {
    ansible_connection: 'local',
    ansible_python_interpreter: '/usr/bin/python3',
    kata_check_program: program,
    kata_check_root: sampleNode,
  };
  writeFileSync(inventory, JSON.stringify({ all: { vars: shared, hosts } }));
  const { status, stdout, stderr } = spawnSync('ansible-playbook', ['-i', inventory, ...args, join(folder, name)], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: temporaryFolder(), LC_ALL: 'C.UTF-8', ANSIBLE_NOCOLOR: '1' },
  });
  const recap = [...stdout.matchAll(/^(\S+) +: ok=.* failed=(\d+) /gm)];
  return {
    status,
    output: stdout + stderr,
    hosts: Object.fromEntries(recap.map(([, host = '', failed]) => [host, failed === '0' ? 'ok' : 'failed'])),
  };
}

/** The sample node with another file. */
function sampleWith(path: string, content: string): string {
  const root = join(temporaryFolder(), 'root');
  run('cp', '-R', sampleNode, root);
  return writeTree(root, { [path]: content });
}

const undetermined = sampleWith('usr/share/kata-containers/kata-containers.img', 'no image');
const switchedOff = sampleWith('etc/kata-check.conf', 'mode = off\n');
const hosts: Hosts = {
  fits: { kata_check_to: '1.0.0' },
  warns: { kata_check_to: '1.1.0', kata_check_allow: ['KC103'] },
  unknown: { kata_check_root: undetermined, kata_check_strict: true },
  tolerant: { kata_check_root: undetermined, kata_check_strict: true, kata_check_fail_on_unknown: false },
  off: { kata_check_root: switchedOff, kata_check_to: '1.1.0' },
  blocks: { kata_check_to: '1.1.0' },
  packages: { kata_check_incoming: [join(samplePackages, 'kata-runtime_1.1.0-1_all.deb')] },
  broken: { kata_check_to: 'no version' },
  missing: { kata_check_program: '/nowhere/kata-check' },
};
const expected = {
  fits: 'ok',
  warns: 'ok',
  unknown: 'failed',
  tolerant: 'ok',
  off: 'ok',
  blocks: 'failed',
  packages: 'failed',
  broken: 'failed',
  missing: 'failed',
} as const;

for (const [mode, args] of [
  ['check.yml', []],
  ['check.yml in check mode gives the same', ['--check']],
] as const) {
  test(
    mode,
    () => {
      const played = play('check.yml', hosts, ...args);
      assert.equal(played.hosts, expected, played.output);
      assert.match(played.output, /fatal: \[blocks\].*"msg": "KC103 the guest image does not fit/);
      assert.match(played.output, /fatal: \[broken\].*"rc": 2/);
      assert.not.match(played.output, /changed=[1-9]/);
    },
    { needs, isLong: args.length > 0 },
  );
}

/** kubectl's place is taken by what writes down how it was called: there is no cluster here. */
function upgrade(names: Readonly<Record<string, readonly string[]>>, command: unknown, ...args: string[]) {
  const work = temporaryFolder();
  const kubectl = join(work, 'kubectl');
  writeFileSync(kubectl, `#!/bin/sh\necho "$1 $2" >> ${work}/log\n`);
  chmodSync(kubectl, 0o755);
  const nodes = Object.entries(names).map(([name, packages]) => {
    const root = join(work, name);
    run('cp', '-R', sampleNode, root);
    const kata_packages = packages.map((file) => join(samplePackages, `${file}_1.1.0-1_all.deb`));
    return [name, { kata_check_root: root, kata_packages, kata_kubectl: kubectl, kata_upgrade_command: command }];
  });
  const played = play('upgrade.yml', Object.fromEntries(nodes), ...args);
  const log = existsSync(join(work, 'log')) ? readFileSync(join(work, 'log'), 'utf8').trim().split('\n') : [];
  const versions = Object.keys(names).map((name) =>
    [...readFileSync(join(work, name, 'var/lib/dpkg/status'), 'utf8').matchAll(/^Version: (.*)-1$/gm)].map(
      ([, version]) => version,
    ),
  );
  return { played, log, versions };
}

const dpkg = "{{ ['dpkg', '--root', kata_check_root, '-i'] + kata_packages }}";
const both = ['kata-runtime', 'kata-containers-image'];
const old = ['1.0.0', '1.0.0'];
const rights = { needs: [...needs, 'root', 'dpkg'], isLong: true };

test(
  'upgrade.yml: node by node; the first that is blocked is not drained, and no other is begun',
  () => {
    const { played, log, versions } = upgrade({ first: both, second: ['kata-runtime'], third: both }, dpkg);
    assert.equal(played.hosts, { first: 'ok', second: 'failed' }, played.output);
    assert.equal(log, ['drain first', 'uncordon first']);
    assert.equal(versions, [['1.1.0', '1.1.0'], old, old]);
  },
  rights,
);

test(
  'upgrade.yml: a node that does not fit afterwards stays cordoned',
  () => {
    const onlyOne = "{{ ['dpkg', '--root', kata_check_root, '-i', kata_packages[0]] }}";
    const { played, log } = upgrade({ first: both, second: both }, onlyOne);
    assert.equal(played.hosts, { first: 'failed' }, played.output);
    assert.equal(log, ['drain first']);
  },
  rights,
);

test(
  'upgrade.yml in check mode asks, and does nothing',
  () => {
    const { played, log, versions } = upgrade({ first: both, second: ['kata-runtime'] }, dpkg, '--check');
    assert.equal(played.hosts, { first: 'ok', second: 'failed' }, played.output);
    assert.equal([log, versions], [[], [old, old]]);
  },
  rights,
);
