import * as assert from 'uvu/assert';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { namedConfigurations } from '../../src/locate/handlers.ts';
import { runtimePrograms } from '../../src/locate/programs.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the configurations that containerd and others name');

function node(tree: Tree): Host {
  return rootedHost(createNodeHost(), writeTree(temporaryFolder(), { '/etc/hostname': 'x', ...tree }));
}

const programs = runtimePrograms.map((program) => ({ ...program, calledAs: program.path }));
const containerd = '/etc/containerd/config.toml';
const opt = '/opt/kata/share/defaults/kata-containers';
const cc = '/opt/confidential-containers/share/defaults/kata-containers';

/** A handler of containerd, in the form of the file's version. */
function handler(version: 1 | 2 | 3, name: string, path: string, more = ''): string {
  const plugin = { 1: 'cri', 2: '"io.containerd.grpc.v1.cri"', 3: '"io.containerd.cri.v1.runtime"' }[version];
  const table = `plugins.${plugin}.containerd.runtimes.${name}`;
  return `[${table}]\nruntime_type = "io.containerd.${name}.v2"\n${more}[${table}.options]\nConfigPath = "${path}"\n`;
}

const rows: readonly [
  rule: string,
  tree: Tree,
  expected: readonly string[],
  more?: { readonly unread?: readonly RegExp[]; readonly there?: readonly string[] },
][] = [
  ['nobody', {}, []],
  ...([1, 2, 3] as const).map((version): [string, Tree, string[]] => [
    `containerd, version ${version} of its file`,
    { [containerd]: `version = ${version}\n${handler(version, 'kata', '/srv/k.toml')}` },
    ['/srv/k.toml < containerd, handler kata (/usr/local null)'],
  ]),
  [
    'a name with a dash, and one in quotes',
    {
      [containerd]:
        handler(2, 'kata-qemu', '/a') + handler(2, '"kata.x"', '/b').replace('containerd."kata.x"', 'containerd.kata'),
    },
    ['/a < containerd, handler kata-qemu (null null)', '/b < containerd, handler kata.x (/usr/local null)'],
  ],
  ['a handler that is not of Kata', { [containerd]: handler(2, 'runsc', '/srv/runsc.toml') }, []],
  [
    'it is when its program is',
    { [containerd]: handler(2, 'vm', '/a', 'runtime_path = "/opt/kata/bin/containerd-shim-kata-v2"\n') },
    ['/a < containerd, handler vm (/opt/kata go)'],
  ],
  [
    'the program tells the language',
    {
      [containerd]: handler(3, 'kata-rs', '/a', 'runtime_path = "/opt/kata/runtime-rs/bin/containerd-shim-kata-v2"\n'),
    },
    ['/a < containerd, handler kata-rs (/opt/kata rust)'],
  ],
  [
    "else the configuration's place does",
    {
      [containerd]:
        handler(3, 'kata-a', `${opt}/runtime-rs/runtimes/x/configuration-x.toml`) +
        handler(3, 'kata-b', `${opt}/configuration-fc.toml`),
    },
    [
      `${opt}/runtime-rs/runtimes/x/configuration-x.toml < containerd, handler kata-a (/opt/kata rust)`,
      `${opt}/configuration-fc.toml < containerd, handler kata-b (/opt/kata go)`,
    ],
  ],
  [
    "unless nothing is installed there: it is the other runtime's then",
    { [containerd]: handler(3, 'kata-x', `${opt}/configuration-fc.toml`) },
    [`${opt}/configuration-fc.toml < containerd, handler kata-x (null null)`],
    { there: ['/usr/bin/kata-runtime'] },
  ],
  [
    'without a program the type names it, in /usr/local/bin before /usr/bin',
    { [containerd]: handler(3, 'kata', `${opt}/a.toml`) + handler(2, 'kata-cc', '/b') },
    [
      '/b < containerd, handler kata-cc (/opt/confidential-containers null)',
      `${opt}/a.toml < containerd, handler kata (/usr/local null)`,
    ],
  ],
  [
    'in /usr/bin',
    { [containerd]: handler(3, 'kata', `${opt}/a.toml`) },
    [`${opt}/a.toml < containerd, handler kata (/usr null)`],
    { there: ['/usr/bin/containerd-shim-kata-v2', '/opt/kata/bin/containerd-shim-kata-v2'] },
  ],
  [
    'the place of a configuration for confidential pods',
    { [containerd]: handler(2, 'kata-x', `${cc}/configuration-clh-snp.toml`) },
    [`${cc}/configuration-clh-snp.toml < containerd, handler kata-x (/opt/confidential-containers null)`],
  ],
  [
    'a custom handler whose base is a configuration of Rust',
    { [containerd]: handler(3, 'kata-x', `${opt}/custom-runtimes/kata-x/configuration-qemu-runtime-rs.toml`) },
    [`${opt}/custom-runtimes/kata-x/configuration-qemu-runtime-rs.toml < containerd, handler kata-x (/opt/kata rust)`],
  ],
  [
    'an empty path, and one that is relative',
    { [containerd]: handler(2, 'kata-a', '') + handler(2, 'kata-b', 'k.toml') + handler(2, 'runsc', 'r.toml') },
    [],
    { unread: [/config\.toml: it names the configuration "k\.toml", which is no absolute path$/] },
  ],
  [
    'one that is relative, and another in a file that is read later',
    {
      [containerd]: `imports = ["/etc/x.toml"]\n${handler(2, 'kata', 'k.toml')}`,
      '/etc/x.toml': handler(2, 'kata', '/srv/k.toml'),
    },
    ['/srv/k.toml < containerd, handler kata (/usr/local null)'],
  ],
  [
    'one in a script that only a shell can tell, and one that is relative',
    {
      '/usr/local/bin/kata-fc': '#!/bin/sh\nexec /opt/kata/bin/kata-runtime --kata-config "$HOME/k.toml" "$@"\n',
      '/usr/local/bin/kata-qemu': '#!/bin/sh\nexec /opt/kata/bin/kata-runtime --kata-config k.toml "$@"\n',
    },
    [],
    { unread: [/kata-qemu: it names the configuration "k\.toml"/] },
  ],
  [
    'options that are no table',
    { [containerd]: '[plugins.cri.containerd.runtimes.kata]\nruntime_type = "kata"\noptions = 1\n' },
    [],
  ],
  [
    'imports: a path, and names with *, relative to the file; what is read later wins',
    {
      [containerd]: `imports = ["/opt/kata/containerd/config.d/kata-deploy.toml", "conf.d/*.toml"]\n${handler(3, 'kata', '/old')}`,
      '/opt/kata/containerd/config.d/kata-deploy.toml': handler(3, 'kata-qemu', '/q'),
      '/etc/containerd/conf.d/a.toml': handler(3, 'kata', '/new'),
      '/etc/containerd/conf.d/b.toml~': handler(3, 'kata', '/backup'),
    },
    ['/new < containerd, handler kata (/usr/local null)', '/q < containerd, handler kata-qemu (null null)'],
  ],
  [
    'imports with ? and with * in the name of a folder; none of them matches a slash',
    {
      [containerd]: 'imports = ["conf.?/k*-?.toml", "/srv/*/k.toml"]\n',
      '/etc/containerd/conf.d/kata-a.toml': handler(3, 'kata-a', '/a'),
      '/etc/containerd/conf.d/kata-ab.toml': handler(3, 'kata-ab', '/no'),
      '/etc/containerd/conf.d/x/kata-c.toml': handler(3, 'kata-c', '/no'),
      '/srv/1/k.toml': handler(3, 'kata-1', '/1'),
      '/srv/2/3/k.toml': handler(3, 'kata-3', '/no'),
    },
    ['/a < containerd, handler kata-a (null null)', '/1 < containerd, handler kata-1 (null null)'],
  ],
  [
    'the two handlers of older containerd that have no name',
    {
      [containerd]: [
        '[plugins.cri.containerd.untrusted_workload_runtime]\nruntime_type = "io.containerd.kata.v2"\noptions = { ConfigPath = "/u" }\n',
        '[plugins.cri.containerd.default_runtime]\nruntime_type = "io.containerd.kata-qemu.v2"\noptions = { ConfigPath = "/d" }\n',
        '[plugins.cri.containerd.other]\nruntime_type = "io.containerd.kata.v2"\noptions = { ConfigPath = "/o" }\n',
      ].join(''),
    },
    [
      '/u < containerd, handler untrusted_workload_runtime (/usr/local null)',
      '/d < containerd, handler default_runtime (null null)',
    ],
  ],
  [
    'a file that imports itself',
    { [containerd]: `imports = ["config.toml", "*"]\n${handler(3, 'kata', '/a')}` },
    ['/a < containerd, handler kata (/usr/local null)'],
  ],
  [
    'imports that are no list, or no text',
    { [containerd]: 'imports = "x"\n', '/etc/k0s/containerd.toml': 'imports = [1]\n' },
    [],
  ],
  [
    'k3s, rke2, k0s, MicroK8s',
    {
      '/var/lib/rancher/k3s/agent/etc/containerd/config.toml': handler(3, 'kata-1', '/a'),
      '/var/lib/rancher/rke2/agent/etc/containerd/config.toml': handler(3, 'kata-2', '/b'),
      '/etc/k0s/containerd.toml': handler(2, 'kata-3', '/c'),
      '/var/snap/microk8s/current/args/containerd.toml': handler(2, 'kata-4', '/d'),
    },
    ['a 1', 'b 2', 'c 3', 'd 4'].map((text) => `/${text[0]} < containerd, handler kata-${text[2]} (null null)`),
  ],
  [
    'a broken file, with its place; the others are read',
    {
      [containerd]: `imports = ["a.toml", "b.toml"]\n`,
      '/etc/containerd/a.toml': 'x = \n',
      '/etc/containerd/b.toml': handler(2, 'kata', '/b'),
    },
    ['/b < containerd, handler kata (/usr/local null)'],
    { unread: [/^\/etc\/containerd\/a\.toml, line 1, column \d+: /] },
  ],
  [
    'CRI-O, the drop-in wins',
    {
      '/etc/crio/crio.conf':
        '[crio.runtime.runtimes.kata]\nruntime_type = "vm"\nruntime_config_path = "/old"\n[crio.runtime.runtimes.runc]\nruntime_config_path = "/runc"\n',
      '/etc/crio/crio.conf.d/99-kata':
        '[crio.runtime.runtimes.kata]\nruntime_path = "/usr/bin/containerd-shim-kata-v2"\nruntime_config_path = "/new"\n',
    },
    ['/new < CRI-O, handler kata (/usr null)'],
  ],
  ["a folder among CRI-O's drop-ins", { '/etc/crio/crio.conf.d/old/x': 'x = ' }, []],
  [
    'a drop-in of CRI-O that dangles',
    { '/etc/crio/crio.conf.d/10-kata': { link: '/srv/none' } },
    [],
    { unread: [/\/srv\/none: no such file/] },
  ],
  [
    'a wrapper script of an older kata-deploy',
    {
      '/usr/local/bin/containerd-shim-kata-fc-v2': `#!/usr/bin/env bash\nKATA_CONF_FILE=${opt}/configuration-fc.toml /opt/kata/bin/containerd-shim-kata-v2 "$@"\n`,
      '/usr/local/bin/containerd-shim-kata-elf-v2': `\u007fELF KATA_CONF_FILE=/x`,
      '/usr/local/bin/other': '#!/bin/sh\nKATA_CONF_FILE=/y\n',
    },
    [`${opt}/configuration-fc.toml < /usr/local/bin/containerd-shim-kata-fc-v2 (/opt/kata go)`],
  ],
  [
    'a handler of a fork, whose annotations are those of Kata',
    {
      [containerd]: handler(3, 'contrast', '/a', 'pod_annotations = ["io.katacontainers.*"]\n'),
    },
    ['/a < containerd, handler contrast (null null)'],
  ],
  [
    'a handler of a fork, whose configuration is one of Kata',
    {
      [containerd]: handler(3, 'contrast', '/srv/kata.toml') + handler(3, 'runsc', '/srv/runsc.toml'),
      '/srv/kata.toml': '[hypervisor.clh]\nimage = "/x.img"\n',
      '/srv/runsc.toml': '[runsc_config]\nplatform = "kvm"\n',
    },
    ['/srv/kata.toml < containerd, handler contrast (null null)'],
  ],
  [
    'of a renamed shim whose configuration is gone, the name of the configuration tells',
    {
      [containerd]:
        handler(3, 'contrast', '/a/etc/configuration-qemu-snp.toml') + handler(3, 'runsc', '/srv/runsc.toml'),
    },
    ['/a/etc/configuration-qemu-snp.toml < containerd, handler contrast (null null)'],
  ],
  [
    'a program that is run as runc is, by a script with its own configuration',
    {
      [containerd]:
        '[plugins.cri.containerd.runtimes.fc]\nruntime_type = "io.containerd.runc.v2"\n[plugins.cri.containerd.runtimes.fc.options]\nBinaryName = "/srv/kata-fc"\n',
      '/srv/kata-fc': `#!/bin/bash\n/opt/kata/bin/kata-runtime --kata-config "${opt}/configuration-fc.toml" "$@"\n`,
    },
    [`${opt}/configuration-fc.toml < containerd, handler fc (/opt/kata go)`],
  ],
  [
    'Docker and iSulad',
    {
      '/etc/docker/daemon.json': JSON.stringify({
        runtimes: { kata: { runtimeType: 'io.containerd.kata.v2', options: { ConfigPath: '/d' } } },
      }),
      '/etc/isulad/daemon.json': JSON.stringify({
        runtimes: { 'kata-runtime': { path: '/usr/bin/kata-runtime', 'runtime-args': ['--kata-config', '/i'] } },
      }),
    },
    ['/d < Docker, runtime kata (/usr/local null)', '/i < iSulad, runtime kata-runtime (/usr go)'],
  ],
  [
    'scripts of the tarballs of Kata 1.x',
    {
      '/opt/kata/bin/kata-fc': `#!/bin/bash\n/opt/kata/bin/kata-runtime --kata-config "${opt}/configuration-fc.toml" "$@"\n`,
      '/usr/bin/kata-qemu': '#!/bin/sh\nexec kata-runtime --kata-config=/q "$@"\n',
      '/usr/bin/kata-log-parser': '#!/bin/sh\nexec true\n',
      '/usr/bin/kataconfig': '#!/bin/sh\nexec x --kata-config /no\n',
    },
    ['/q < /usr/bin/kata-qemu (null null)', `${opt}/configuration-fc.toml < /opt/kata/bin/kata-fc (/opt/kata go)`],
  ],
];

for (const [rule, tree, expected, { unread = [], there: paths } = {}] of rows) {
  test(rule, () => {
    const there = programs.filter(({ calledAs }) => paths === undefined || paths.includes(calledAs));
    const named = namedConfigurations(node(tree), there);
    assert.equal(
      named.configurations.map(({ path, by, reader }) => `${path} < ${by} (${reader.prefix} ${reader.language})`),
      expected,
    );
    assert.is(named.unread.length, unread.length);
    for (const [index, said] of unread.entries()) assert.match(named.unread[index]?.message ?? '', said);
  });
}

const elsewhere: readonly [rule: string, tree: Tree, path: string, expected: string, programs: readonly string[]][] = [
  [
    "another release of kata-deploy's",
    { '/opt/kata-dev/bin/containerd-shim-kata-v2': 'x' },
    '/opt/kata-dev/bin/containerd-shim-kata-v2',
    '/opt/kata-dev null',
    ['/opt/kata-dev/bin/containerd-shim-kata-v2'],
  ],
  [
    'the one in Rust, behind a link',
    {
      '/opt/kata-dev/runtime-rs/bin/containerd-shim-kata-v2': 'x',
      '/usr/local/bin/containerd-shim-kata-dev-v2': { link: '/opt/kata-dev/runtime-rs/bin/containerd-shim-kata-v2' },
    },
    '/usr/local/bin/containerd-shim-kata-dev-v2',
    '/opt/kata-dev rust',
    ['/opt/kata-dev/runtime-rs/bin/containerd-shim-kata-v2'],
  ],
  [
    'the one in Go, where there is one in Rust beside it',
    { '/opt/kata-dev/bin/containerd-shim-kata-v2': 'x', '/opt/kata-dev/runtime-rs/bin/containerd-shim-kata-v2': 'x' },
    '/opt/kata-dev/bin/containerd-shim-kata-v2',
    '/opt/kata-dev go',
    ['/opt/kata-dev/bin/containerd-shim-kata-v2'],
  ],
  [
    "a fork's",
    { '/opt/edgeless/contrast-cc/bin/containerd-shim-contrast-cc-v2': 'x' },
    '/opt/edgeless/contrast-cc/bin/containerd-shim-contrast-cc-v2',
    '/opt/edgeless/contrast-cc null',
    ['/opt/edgeless/contrast-cc/bin/containerd-shim-contrast-cc-v2'],
  ],
  [
    'a link to a known one',
    { '/srv/shim': { link: '/opt/kata/bin/containerd-shim-kata-v2' }, '/opt/kata/bin/containerd-shim-kata-v2': 'x' },
    '/srv/shim',
    '/opt/kata go',
    [],
  ],
  [
    'a script that runs a known one',
    { '/srv/shim': '#!/bin/sh\nexec /opt/kata/bin/containerd-shim-kata-v2 "$@"\n' },
    '/srv/shim',
    '/opt/kata go',
    [],
  ],
  [
    'a known one by its real path',
    { '/opt/kata': { link: '/var/opt/kata' }, '/var/opt/kata/bin/containerd-shim-kata-v2': 'x' },
    '/var/opt/kata/bin/containerd-shim-kata-v2',
    '/opt/kata go',
    [],
  ],
  ['one that is not there', {}, '/srv/bin/containerd-shim-kata-v2', 'null null', []],
  ['a program of another name', { '/srv/bin/kata-wrapper': 'x' }, '/srv/bin/kata-wrapper', 'null null', []],
];

for (const [rule, tree, path, expected, named] of elsewhere) {
  test(`a shim in another place: ${rule}`, () => {
    const toml = ['a', 'b'].map((name) => handler(3, `kata-${name}`, `/${name}`, `runtime_path = "${path}"\n`));
    const found = namedConfigurations(node({ ...tree, [containerd]: toml.join('') }), programs);
    assert.equal(
      found.configurations.map(({ reader }) => `${reader.prefix} ${reader.language}`),
      [expected, expected],
    );
    assert.equal(
      found.programs.map((program) => program.path),
      named,
    );
  });
}

test('what leads to a runtime is that runtime, whatever name others call it by', () => {
  const end = { path: '/opt/kata/bin/containerd-shim-kata-v2', prefix: '/opt/kata', language: 'go' } as const;
  const alias = { ...end, calledAs: '/usr/local/bin/containerd-shim-kata-v2' };
  for (const more of ['', 'runtime_path = "/usr/local/bin/containerd-shim-kata-v2"\n']) {
    const host = node({ [containerd]: handler(2, 'kata', '/srv/a.toml', more) });
    assert.equal(namedConfigurations(host, [alias, { ...end, calledAs: end.path }]).configurations, [
      {
        path: '/srv/a.toml',
        by: 'containerd, handler kata',
        file: containerd,
        reader: { prefix: '/opt/kata', language: 'go' },
      },
    ]);
  }
});

test('an import of a hundred files is enough', () => {
  const files = Array.from({ length: 120 }, (_, index) => [`/etc/containerd/conf.d/${index}.toml`, '']);
  const tree = { [containerd]: 'imports = ["conf.d/*.toml"]\n', ...Object.fromEntries(files) };
  assert.equal(namedConfigurations(node(tree), programs).unread, [
    { path: containerd, message: `${containerd}: imports more than 100 files` },
  ]);
});

test(
  'a pattern of many stars takes no time',
  () => {
    const tree = {
      [containerd]: `imports = ["conf.d/${'*a'.repeat(20_000)}"]\n`,
      [`/etc/containerd/conf.d/${'a'.repeat(250)}`]: '',
    };
    assert.equal(namedConfigurations(node(tree), programs), {
      configurations: [],
      programs: [],
      unread: [],
      snapshotters: [],
    });
  },
  { timeout: 5 },
);
