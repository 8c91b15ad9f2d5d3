/**
 * Situations that people met on real nodes, from bug reports and from packages of distributions: each with the answer that is right.
 *
 * Below another root a file VERSION alone is a doubt (KC204). Where a case is about the verdict, the version comes from the program, or
 * is given with --to.
 */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import {
  dpkg,
  guest,
  handler,
  hypervisor,
  initrd,
  opt,
  optImages,
  optShim,
  qemu,
  rustShim,
  usrConfiguration,
  usrImages,
} from './nodes.ts';
import { aptInput, forms, kataCheck } from './program.ts';

const test = suite('situations that people met');
const scratch = temporaryFolder();
const usualImage = `${optImages}/kata-containers.img`;
const version3 = 'version = 3\nimports = ["/etc/containerd/conf.d/*.toml"]\n';

interface Case {
  readonly title: string;
  readonly tree: () => Tree;
  readonly args?: readonly string[];
  readonly status: number;
  readonly codes: readonly string[];
  /** What the report for a person says, with every run of spaces as one. */
  readonly says?: readonly RegExp[];
  readonly saysNot?: RegExp;
}

/** kata-deploy's place with a Go shim of this version, and an image with this agent. */
function deployment(runtime: string, agent: string, more: Tree = {}): Tree {
  return {
    '/opt/kata/VERSION': `${runtime}\n`,
    [optShim]: goStandIn(runtime),
    [`${opt}/configuration.toml`]: qemu(usualImage),
    [usualImage]: guest(agent),
    ...more,
  };
}

/** A runtime `to` that is only planned, and an image with this agent. */
function planned(title: string, [to, agent]: readonly [string, string], expected: Omit<Case, 'title' | 'tree'>): Case {
  return { title, tree: () => deployment('3.12.0', agent), args: ['--to', to], ...expected };
}

const fits = { status: 0, codes: [] };
const gpuImage = '/srv/kata/gpu.img';
const gpuConfiguration = `${opt}/configuration-qemu-nvidia-gpu.toml`;
const talos = '/usr/local/share/kata-containers';
const gone = `${opt}/runtimes/qemu-debug/configuration-qemu-debug.toml`;
const second = '/opt/kata-dev';
const secondConfiguration = (language: '' | 'runtime-rs/', name: string): string =>
  `${second}/share/defaults/kata-containers/${language}runtimes/${name}/configuration-${name}.toml`;

const cases: readonly Case[] = [
  // A number that a release candidate carries before the release: only what holds on both sides of the step is asked of the agent.
  planned('a release candidate of 2.0.0 does not speak with an agent of 1.x', ['2.0.0-rc1', '1.11.0'], {
    status: 10,
    codes: ['KC102'],
    says: [/agent >=2\.0\.0 <3\.2\.0 \(protocol history, for a build before 2\.0\.0\)/],
  }),
  planned('nor does a build from before 3.3.0', ['3.3.0-alpha0', '1.12.1'], { status: 10, codes: ['KC102'] }),
  planned('which calls what an agent 3.1.0 does not have, either', ['3.3.0-alpha0', '3.1.0'], {
    status: 10,
    codes: ['KC103'],
    says: [/\(protocol history, for a build before 3\.3\.0\)/],
  }),

  // kata-containers, git grep in src/runtime and src/runtime-rs: what only agent-ctl calls is never missed.
  planned('calls of 3.13 that no runtime makes', ['3.13.0', '3.12.0'], fits),
  planned('a call of 3.15 that only the Rust runtime makes', ['3.15.0', '3.14.0'], fits),
  planned('a call of 3.29 whose failure is only logged', ['4.1.0', '3.28.0'], fits),
  planned('what every Go runtime calls is missed', ['3.13.0', '2.1.0'], { status: 10, codes: ['KC103'] }),

  {
    title: "Docker's options.ConfigPath names a configuration, and its image counts",
    tree: () =>
      deployment('3.31.0', '3.31.0', {
        [gpuConfiguration]: qemu(gpuImage),
        [gpuImage]: guest('2.0.0'),
        '/etc/docker/daemon.json': JSON.stringify({
          runtimes: { kata: { runtimeType: optShim, options: { ConfigPath: gpuConfiguration } } },
        }),
      }),
    args: ['--to', '3.31.0'],
    status: 10,
    codes: ['KC103'],
    says: [/installed agent 2\.0\.0 \/srv\/kata\/gpu\.img/],
  },

  {
    title: 'a build behind a tag may make the calls of the next release, and the report says so',
    tree: () => deployment('3.12.0-57-g0123abcde', '3.12.0'),
    status: 0,
    codes: ['KC204'],
    says: [/for a build between 3\.12\.0 and 3\.13\.0/],
  },
  ...['3.1.0+git20230110.0123abc-1', '3.1.0^20230110git0123abc-1.fc38', '3.1.0-nightly-20230110'].map((to) =>
    planned(`a snapshot of a package is such a build: ${to}`, [to, '3.1.0'], {
      status: 0,
      codes: ['KC107'],
      says: [/not certain the runtime \S+ is a build between 3\.1\.0 and 3\.2\.0/, /with agent 3\.1\.0[+^-]\S+\d\b/],
    }),
  ),

  {
    title: 'containerd of Talos reads /etc/cri',
    tree: () => ({
      '/usr/local/bin/containerd-shim-kata-v2': goStandIn('3.3.0'),
      '/etc/cri/containerd.toml': 'version = 3\nimports = ["/etc/cri/conf.d/cri.toml"]\n',
      '/etc/cri/conf.d/10-kata-containers.part': `version = 3\n${handler('kata', '/usr/local/bin/containerd-shim-kata-v2', `${talos}/configuration.toml`)}`,
      [`${talos}/configuration.toml`]: hypervisor('clh', `${talos}/kata-containers.img`),
      [`${talos}/kata-containers.img`]: guest('3.1.0'),
    }),
    args: ['--to', '3.15.0'],
    status: 10,
    codes: ['KC103'],
  },

  {
    title: 'a handler that outlived its configuration is named with its file',
    tree: () =>
      deployment('4.1.0', '4.1.0', {
        '/etc/containerd/config.toml': version3,
        '/etc/containerd/conf.d/kata-deploy.toml': `version = 3\n${handler('kata-qemu-debug', optShim, gone)}`,
      }),
    args: ['--to', '4.1.0'],
    status: 0,
    codes: ['KC202'],
    says: [
      /named by containerd, handler kata-qemu-debug \/etc\/containerd\/conf\.d\/kata-deploy\.toml/,
      /Remove this handler from \/etc\/containerd\/conf\.d\/kata-deploy\.toml/,
    ],
    saysNot: /Correct the file/,
  },

  {
    title: 'a wrapper script that outlived its configuration is named as a script',
    tree: () =>
      deployment('4.1.0', '4.1.0', {
        '/usr/local/bin/containerd-shim-kata-qemu-v2': `#!/usr/bin/env bash\nKATA_CONF_FILE=${gone} ${optShim} "$@"\n`,
      }),
    args: ['--to', '4.1.0'],
    status: 0,
    codes: ['KC202'],
    says: [/Remove \/usr\/local\/bin\/containerd-shim-kata-qemu-v2, or install the configuration again/],
    saysNot: /handler/,
  },

  {
    title: 'a version with two numbers before its pre-release, as the files VERSION of 2.1 have it',
    tree: () => deployment('2.1-alpha0', '2.1-alpha0'),
    status: 0,
    codes: ['KC204'],
    says: [/for a build before 2\.1\.0/],
    saysNot: /unknown/,
  },
  planned('it is taken with --to as well', ['2.1-alpha1', '1.11.0'], { status: 10, codes: ['KC102'] }),

  {
    title: 'k0s merges /etc/k0s/containerd.d by itself, and it counts while k0s does not run',
    tree: () =>
      deployment('3.28.0', '3.28.0', {
        [`${opt}/configuration-qemu.toml`]: qemu('/srv/old.img'),
        '/srv/old.img': guest('2.0.0'),
        '/etc/k0s/containerd.toml': 'version = 3\nimports = [\n\t"/run/k0s/containerd-cri.toml",\n]\n',
        '/etc/k0s/containerd.d/kata-deploy.toml': `version = 3\n${handler('kata-qemu', optShim, `${opt}/configuration-qemu.toml`)}`,
      }),
    args: ['--to', '3.28.0'],
    status: 10,
    codes: ['KC103'],
    says: [/\/srv\/old\.img/],
  },

  {
    title: 'without a file VERSION, below another root, the report says why the version is unknown and how to ask',
    tree: () => ({
      [rustShim]: '\x7fELF stand-in',
      '/opt/kata/versions.yaml': 'assets: {}\n',
      [`${opt}/runtime-rs/runtimes/qemu-runtime-rs/configuration-qemu-runtime-rs.toml`]: qemu(usualImage),
      [usualImage]: guest('1.12.1'),
    }),
    status: 0,
    codes: ['KC204'],
    says: [/no program is run below another root/, /kata-check --root DIRECTORY --to VERSION/],
  },

  planned('--to takes two numbers', ['3.29', '3.29.0'], fits),
  planned('--to takes a tag', ['V4.0.0', '4.0.0'], fits),
];

for (const form of forms) {
  for (const [index, { title, tree, args = [], status, codes, says = [], saysNot }] of cases.entries()) {
    test(
      `${form.name}: ${title}`,
      () => {
        const root = writeTree(join(scratch, `${form.name}-${index}`), tree());
        const report = kataCheck(form, ['--root', root, ...args]);
        const found = [...report.stdout.matchAll(/^kata-check: .*\[(KC\d+)\]: /gm)].map(([, code]) => code);
        assert.equal(found, codes);
        const words = report.stdout.replace(/\s+/g, ' ');
        for (const said of says) assert.match(words, said);
        if (saysNot !== undefined) assert.not.match(words, saysNot);
        assert.is(report.status, status);
      },
      form,
    );
  }

  test(
    `${form.name}: an initrd that the package of the runtime builds anew stops nothing`,
    () => {
      const libexec = 'usr/libexec/kata-containers';
      const image = '/var/cache/kata-containers/kata-containers-initrd.img';
      const root = writeTree(join(scratch, `fedora-${form.name}`), {
        'usr/bin/kata-runtime': goStandIn('3.1.0'),
        'usr/share/kata-containers/defaults/configuration.toml': qemu(image, 'initrd'),
        [image]: initrd('3.1.0'),
      });
      const pack = (scriptlets: readonly string[]): string =>
        makeRpm(temporaryFolder(), {
          name: 'kata-containers',
          version: '3.21.0',
          preamble: ['AutoReqProv: no'],
          files: {
            'usr/bin/kata-runtime': 'x',
            [`${libexec}/agent/usr/bin/kata-agent`]: 'x',
            [`${libexec}/osbuilder/kata-osbuilder.sh`]: '#!/bin/sh\n',
          },
          scriptlets,
        });
      const upgrade = (path: string) => {
        const row = { name: 'kata-containers', arch: 'noarch' };
        const packages = [
          { ...row, action: 'UPGRADE', evr: '3.21.0-1', path, provides: [] },
          { ...row, action: 'UPGRADED', evr: '3.1.0-1' },
        ];
        return kataCheck(form, ['hook', 'dnf'], { input: JSON.stringify({ installroot: root, packages }) });
      };
      const built = upgrade(pack(['%post', `bash /${libexec}/osbuilder/kata-osbuilder.sh`]));
      assert.equal([built.status, built.stdout, built.stderr], [0, '', '']);
      const kept = upgrade(pack([]));
      assert.is(kept.status, 10);
      assert.match(kept.stderr, /stopped dnf \[KC103\]/);
    },
    { needs: [...form.needs, 'rpmbuild', 'cpio'] },
  );

  for (const [rule, folder, fix] of [
    [
      'the tools of Azure Linux are installed',
      'opt/kata-containers/uvm/tools/osbuilder/node-builder/azure-linux',
      /dnf install kata-containers-tools make -C \S+azure-linux uvm make -C \S+ deploy-uvm dnf install kata-containers /,
    ],
    ['the tools come, and are not known', 'usr/lib/tools/osbuilder', /dnf install kata-containers-tools override/],
  ] as const) {
    test(
      `${form.name}: an image out of another package's agent stops runtime and tools with the order that works, and the tools alone pass: ${rule}`,
      () => {
        const image = `${usrImages}/kata-containers.img`;
        const root = writeTree(join(scratch, `azure-${form.name}-${folder.length}`), {
          'usr/bin/kata-runtime': goStandIn('3.1.0'),
          [usrConfiguration]: hypervisor('clh', image),
          [image]: guest('3.1.0'),
          ...(folder.startsWith('opt/') ? { [`${folder}/uvm_build.sh`]: '#!/bin/sh\n' } : {}),
        });
        const change = (name: string, files: Tree) => [
          {
            action: 'UPGRADE',
            name,
            evr: '3.21.0-1',
            arch: 'noarch',
            path: makeRpm(temporaryFolder(), { name, version: '3.21.0', preamble: ['AutoReqProv: no'], files }),
            provides: [],
          },
          { action: 'UPGRADED', name, evr: '3.1.0-1', arch: 'noarch' },
        ];
        const tools = change('kata-containers-tools', {
          [`${folder}/agent-install/usr/bin/kata-agent`]: 'x',
          [`${folder}/uvm_build.sh`]: '#!/bin/sh\n',
        });
        const runtime = change('kata-containers', { 'usr/bin/kata-runtime': 'x' });
        const ask = (packages: readonly object[]) =>
          kataCheck(form, ['hook', 'dnf'], { input: JSON.stringify({ installroot: root, packages }) });
        const both = ask([...runtime, ...tools]);
        const words = both.stderr.replace(/\s+/g, ' ');
        assert.match(
          words,
          /Upgrade kata-containers-tools first, then build the image again, and then upgrade kata-containers\./,
        );
        assert.match(words, fix);
        assert.is(both.status, 10);
        const alone = ask(tools);
        assert.equal([alone.status, alone.stdout, alone.stderr], [0, '', '']);
      },
      { needs: [...form.needs, 'rpmbuild'] },
    );
  }

  test(
    `${form.name}: a stop because of a package on hold says how everything else goes on`,
    () => {
      const image = `${usrImages}/kata-containers.img`;
      const packages = dpkg([
        { name: 'kata-runtime', version: '1.0.0-1', owns: ['/usr/bin/kata-runtime', usrConfiguration] },
        { name: 'kata-containers-image', version: '1.0.0-1', owns: [image] },
      ]);
      const root = writeTree(join(scratch, `held-${form.name}`), {
        '/usr/bin/kata-runtime': goStandIn('1.0.0'),
        [usrConfiguration]: qemu(image),
        [image]: guest('1.0.0'),
        ...packages,
        '/var/lib/dpkg/status': String(packages['/var/lib/dpkg/status']).replace(
          'Package: kata-containers-image\nStatus: install',
          'Package: kata-containers-image\nStatus: hold',
        ),
      });
      const what = makeDeb(temporaryFolder(), {
        name: 'kata-runtime',
        version: '1.1.0-1',
        files: { 'usr/bin/kata-runtime': 'x' },
      });
      const step = { name: 'kata-runtime', old: '1.0.0-1', next: '1.1.0-1' };
      const { stderr, status } = kataCheck(form, ['hook', 'apt'], {
        input: aptInput([{ ...step, what }], [], root),
        env: { APT_HOOK_INFO_FD: '0' },
      });
      const words = stderr.replace(/\s+/g, ' ');
      assert.match(words, /stopped apt \[KC103\]/);
      assert.match(words, /kata-containers-image is on hold/);
      assert.match(words, /apt-mark hold kata-runtime( |$)/);
      assert.is(status, 10);
    },
    { needs: [...form.needs, 'dpkg-deb', 'dpkg-query'] },
  );

  for (const [rule, to, said] of [
    ['four numbers', '3.29.0.1', /a version is written X\.Y\.Z, as 3\.29\.0/],
    ['the name of a package', 'kata-containers-3.25.0-4.rhaos4.21.el9', /name of a package whose version is 3\.25\.0/],
  ] as const) {
    test(
      `${form.name}: --to refuses ${rule}, and says what it takes`,
      () => {
        const { stderr, status } = kataCheck(form, ['--root', scratch, '--to', to]);
        assert.match(stderr, said);
        assert.is(status, 2);
      },
      form,
    );
  }

  test(
    `${form.name}: two installations, each with a Go and a Rust shim that only handlers name`,
    () => {
      const shims = [
        { name: 'qemu', folder: '', language: 'go' },
        { name: 'qemu-runtime-rs', folder: 'runtime-rs/', language: 'rust' },
      ] as const;
      const image = `${second}/share/kata-containers/kata-containers.img`;
      const root = writeTree(join(scratch, `second-${form.name}`), {
        ...deployment('3.31.0', '3.31.0'),
        [`${second}/VERSION`]: '3.26.0\n',
        [image]: guest('3.26.0'),
        '/etc/containerd/config.toml': version3,
        '/etc/containerd/conf.d/kata-deploy-dev.toml': `version = 3\n${shims
          .map(({ name, folder }) =>
            handler(
              `kata-${name}-dev`,
              `${second}/${folder}bin/containerd-shim-kata-v2`,
              secondConfiguration(folder, name),
            ),
          )
          .join('')}`,
        ...Object.fromEntries(
          shims.flatMap(({ name, folder }) => [
            [`${second}/${folder}bin/containerd-shim-kata-v2`, '\x7fELF stand-in'],
            [secondConfiguration(folder, name), qemu(image)],
          ]),
        ),
      });
      const { stdout } = kataCheck(form, ['--root', root, '--json']);
      const report = JSON.parse(stdout) as {
        runtimes: { source: string; language: string; version: string }[];
        configurations: { path: string; readers: object[] }[];
      };
      const runtimes = report.runtimes.filter(({ source }) => source.startsWith(second));
      assert.equal(
        runtimes.map(({ language, version }) => [language, version]),
        [
          ['go', '3.26.0'],
          ['rust', '3.26.0'],
        ],
      );
      for (const { name, folder, language } of shims) {
        const found = report.configurations.find(({ path }) => path === secondConfiguration(folder, name));
        assert.equal(found?.readers, [{ prefix: second, language }]);
      }
    },
    form,
  );
}
