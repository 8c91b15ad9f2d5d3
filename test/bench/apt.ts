/**
 * What an apt run that has nothing to do with Kata pays for kata-check, on a node in use: Kata from packages with fifteen configurations
 * of 30 kB, 200 upgraded packages, 6,000 lines of apt's configuration; and what one pays that upgrades Kata. Beside it: a whole `apt-get install` of one small package, and the
 * hooks of apt-listchanges (with that one package) and needrestart. All in a Debian of its own, so that each goes through chroot.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDeb } from '../debs.ts';
import { configurations } from '../e2e/kata-node.ts';
import { aptInput, type Step } from '../e2e/program.ts';
import { writeTree } from '../images.ts';
import { prepare } from '../system/kata-node.ts';

export interface AptRun {
  readonly title: string;
  readonly ratios: readonly [string, string];
  readonly commands: readonly { readonly name: string; readonly run: string; readonly expect: RegExp }[];
  /** With /proc, which needrestart reads. */
  within(action: () => void): void;
}

/** Needs root, debootstrap and a mirror. */
export function aptRun(suite: string): AptRun {
  const debian = prepare(suite);
  const others = join(debian.root, 'etc/apt/sources.list.d/mirror.list');
  writeFileSync(others, `deb [trusted=yes] ${debian.mirror} ${suite} main\n`);
  debian.expect('apt-get', 'update');
  debian.expect('apt-get', 'install', '-y', '--no-install-recommends', 'apt-listchanges', 'needrestart');
  debian.expect(
    'apt-get',
    'install',
    '-y',
    'kata-runtime=1.0.0-1',
    'kata-containers-image=1.0.0-1',
    'unrelated=1.0.0-1',
  );
  writeTree(debian.root, configurations());

  const padding = join(debian.root, 'srv/padding');
  mkdirSync(padding);
  for (let index = 0; index < 120; index += 1) {
    const paths = Array.from({ length: 100 }, (_, file) => `usr/share/padding/${index}/some/file-${file}`);
    makeDeb(padding, {
      name: `padding${index}`,
      version: '1',
      files: Object.fromEntries(paths.map((path) => [path, ''])),
    });
  }
  debian.expect('dpkg', '-iR', '/srv/padding');
  const names = debian.expect('dpkg-query', '-W', '-f', `$${'{Package}'}\n`).trim().split('\n');
  const steps = names.filter((name) => !name.includes('kata')).slice(-200);
  const upgrade = (name: string): Step => ({
    name,
    old: '1',
    next: '2',
    what: `/var/cache/apt/archives/${name}_2_all.deb`,
  });
  const header = Array.from(
    { length: 6000 },
    (_, index) => `Dir::Some::Option::Number${index}=/var/lib/thing/${index}`,
  );
  const input = aptInput(steps.map(upgrade), header, '').replace('DPkg::Options::=--root=\n', '');
  const one = `VERSION 2\nDPkg::Pre-Install-Pkgs=\n\nunrelated 1.0.0-1 < 1.1.0-1 /repository/unrelated_1.1.0-1_all.deb\n`;
  const ofKata = ['kata-runtime', 'kata-containers-image'].map((name) => ({
    name,
    old: '1.0.0-1',
    next: '1.1.0-1',
    what: `/repository/${name}_1.1.0-1_all.deb`,
  }));
  const kata = aptInput(ofKata, header, '').replace('DPkg::Options::=--root=\n', '');
  writeTree(debian.root, { 'srv/input': input, 'srv/one': one, 'srv/kata': kata });

  const inside = (words: string): string =>
    `env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C APT_HOOK_INFO_FD=0 chroot '${debian.root}' ${words}`;
  const install = inside('apt-get install -y --reinstall /repository/unrelated_1.0.0-1_all.deb');
  // After packages were unpacked, as dpkg has told it.
  const unpacked =
    'mkdir -p /run/needrestart && : > /run/needrestart/unpacked && exec /usr/lib/needrestart/apt-pinvoke';
  const needrestart = inside(`env NEEDRESTART_MODE=l sh -c '${unpacked}'`);
  return {
    title: `apt in Debian ${suite}: ${steps.length} upgrades that have nothing to do with Kata, and two of Kata's`,
    ratios: ['others/it', "Kata's/it"],
    commands: [
      {
        name: 'kata-check hook apt, native',
        run: `${inside('kata-check hook apt')} < '${debian.root}/srv/input'`,
        expect: /^$/,
      },
      {
        name: 'kata-check hook apt, for Kata',
        run: `${inside('kata-check hook apt')} < '${debian.root}/srv/kata'`,
        expect: /^$/,
      },
      { name: 'chroot alone', run: inside('true'), expect: /^$/ },
      { name: 'apt-get install of one package', run: install, expect: /Setting up unrelated/ },
      {
        name: 'apt-listchanges',
        run: `${inside('apt-listchanges --apt --frontend=text')} < '${debian.root}/srv/one'`,
        expect: /(?:)/,
      },
      { name: 'needrestart', run: needrestart, expect: /(?:)/ },
    ],
    within: (action) => debian.withProc(action),
  };
}
