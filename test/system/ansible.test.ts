/**
 * The play that upgrades node by node, by the real ansible-playbook over several real Debians with the real package of kata-check and the
 * real apt. What carries Ansible's commands to a host is chroot in the place of ssh, and kubectl is what writes down how it was called.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { prepare } from './kata-node.ts';

const test = suite('Ansible over several Debians');
const plays = join(import.meta.dirname, '../../packaging/fleet/ansible');
const needs = ['root', 'debootstrap', 'mkfs.ext4', 'dpkg-deb', 'ansible-playbook'];
const off = { KATA_CHECK_MODE: 'off' };
const package_ = (name: string, version: string): string => `/repository/${name}_${version}-1_all.deb`;
const both = ['kata-runtime', 'kata-containers-image'];
const rules = ['fits', 'warns', 'blocks', 'behind'] as const;
type Name = (typeof rules)[number];

let folder: string | undefined;

/** Four hosts at runtime and image 1.0.0, of which one only warns. */
function hosts(): string {
  if (folder !== undefined) return folder;
  const first = prepare('trixie');
  const { status, output } = first.run(['dpkg', '-i', ...both.map((name) => package_(name, '1.0.0'))], off);
  assert.is(status, 0, output);
  folder = dirname(first.root);
  for (const name of rules) execFileSync('cp', ['-a', '--reflink=auto', first.root, join(folder, name)]);
  writeFileSync(join(folder, 'warns/etc/kata-check.conf'), 'mode = warn\n');
  return folder;
}

interface Played {
  readonly output: string;
  readonly status: number | null;
  /** What the recap says of each host that was begun. */
  readonly recap: Readonly<Record<string, 'ok' | 'failed'>>;
  /** How kubectl was called. */
  readonly calls: readonly string[];
  readonly versions: (name: Name) => string;
}

function play(name: string, chosen: Readonly<Partial<Record<Name, readonly string[]>>>, ...args: string[]): Played {
  const work = temporaryFolder();
  const roots = hosts();
  const script = (path: string, text: string): string => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const shared = {
    ansible_connection: 'ssh',
    // ssh's last two arguments are the host and the command.
    ansible_ssh_executable: script(
      join(work, 'ssh'),
      `while [ $# -gt 2 ]; do shift; done\nexec chroot "${roots}/$1" /bin/sh -c "$2"`,
    ),
    ansible_ssh_pipelining: true,
    ansible_python_interpreter: '/usr/bin/python3',
    kata_kubectl: script(join(work, 'kubectl'), `echo "$1 $2" >> ${work}/calls`),
  };
  const known = Object.entries(chosen).map(([host, packages]) => [
    host,
    { kata_packages: packages, kata_check_incoming: name === 'check.yml' ? packages : [] },
  ]);
  writeFileSync(join(work, 'hosts.yml'), JSON.stringify({ all: { vars: shared, hosts: Object.fromEntries(known) } }));
  const { status, stdout, stderr } = spawnSync(
    'ansible-playbook',
    ['-i', join(work, 'hosts.yml'), ...args, join(plays, name)],
    {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: work, LC_ALL: 'C.UTF-8', ANSIBLE_NOCOLOR: '1' },
    },
  );
  const recap = [...stdout.matchAll(/^(\S+) +: ok=.* failed=(\d+) /gm)];
  return {
    status,
    output: stdout + stderr,
    recap: Object.fromEntries(recap.map(([, host = '', failed]) => [host, failed === '0' ? 'ok' : 'failed'])),
    calls: existsSync(join(work, 'calls')) ? readFileSync(join(work, 'calls'), 'utf8').trim().split('\n') : [],
    versions: (host) =>
      both
        .map((each) => /^Version: (.*)-1$/m.exec(statusOf(join(roots, host, 'var/lib/dpkg/status'), each))?.[1])
        .join(' '),
  };
}

function statusOf(path: string, name: string): string {
  return (
    readFileSync(path, 'utf8')
      .split('\n\n')
      .find((stanza) => stanza.startsWith(`Package: ${name}\n`)) ?? ''
  );
}

const pair = both.map((name) => package_(name, '1.1.0'));
const alone = [package_('kata-runtime', '1.1.0')];

for (const mode of [[], ['--check']]) {
  test(
    `each host is asked, and nothing is changed${mode.length === 0 ? '' : ', in check mode too'}`,
    () => {
      const { recap, output, versions } = play('check.yml', { fits: pair, warns: alone, blocks: alone }, ...mode);
      assert.equal(recap, { fits: 'ok', warns: 'ok', blocks: 'failed' }, output);
      assert.match(output, /KC101/);
      for (const name of rules) assert.is(versions(name), '1.0.0 1.0.0');
    },
    { needs, timeout: 300 },
  );
}

test(
  'in check mode the upgrade is asked about, and neither drained nor done',
  () => {
    const { recap, calls, output, versions } = play('upgrade.yml', { fits: pair }, '--check');
    assert.equal([recap, calls], [{ fits: 'ok' }, []], output);
    assert.is(versions('fits'), '1.0.0 1.0.0');
  },
  { needs, timeout: 300 },
);

test(
  'hosts are upgraded one by one by apt, until one is blocked: that one and those behind it are left as they are',
  () => {
    const chosen = { fits: pair, warns: pair, blocks: alone, behind: pair };
    const { recap, calls, output, versions } = play('upgrade.yml', chosen);
    assert.equal(recap, { fits: 'ok', warns: 'ok', blocks: 'failed' }, output);
    assert.equal(calls, ['drain fits', 'uncordon fits', 'drain warns', 'uncordon warns']);
    assert.equal(rules.map(versions), ['1.1.0 1.1.0', '1.1.0 1.1.0', '1.0.0 1.0.0', '1.0.0 1.0.0'], output);
  },
  { needs, timeout: 300 },
);
