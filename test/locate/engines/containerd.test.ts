import * as assert from 'uvu/assert';
import { createNodeHost } from '../../../src/host/node.ts';
import { rootedHost } from '../../../src/host/rooted.ts';
import { containerdHandlers } from '../../../src/locate/engines/containerd.ts';
import type { Unread } from '../../../src/locate/toml.ts';
import { type Tree, temporaryFolder, writeTree } from '../../images.ts';
import { suite } from '../../suite.ts';

const test = suite('the handlers of containerd');

const table = (name: string, lines: string): string =>
  `[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.${name}]\n${lines}\n`;

const rows: readonly [rule: string, tree: Tree, handlers: readonly string[]][] = [
  ['no file', {}, []],
  [
    'the program: runtime_path, BinaryName, runtime_engine',
    {
      '/etc/containerd/config.toml': [
        table('a', 'runtime_path = "/p"\noptions = { BinaryName = "/b" }\nruntime_engine = "/e"'),
        table('b', 'options = { BinaryName = "/b" }\nruntime_engine = "/e"'),
        table('c', 'runtime_engine = "/e"'),
      ].join(''),
    },
    ['a /p', 'b /b', 'c /e'].map((text) => `/etc/containerd/config.toml: handler ${text} `),
  ],
  [
    'the parts that k0s merges, before what it merged them into',
    {
      '/etc/k0s/containerd.toml': 'imports = ["/run/k0s/containerd-cri.toml"]\n',
      '/etc/k0s/containerd.d/b.toml': table('b', 'options.ConfigPath = "/b"'),
      '/etc/k0s/containerd.d/a.toml': table('a', 'options.ConfigPath = "/a"'),
      '/etc/k0s/containerd.d/c.toml.old': table('c', 'options.ConfigPath = "/c"'),
      '/run/k0s/containerd-cri.toml': table('a', 'options.ConfigPath = "/run"'),
    },
    [
      '/etc/k0s/containerd.d/a.toml: handler a  /a',
      '/etc/k0s/containerd.d/b.toml: handler b  /b',
      '/run/k0s/containerd-cri.toml: handler a  /run',
    ],
  ],
  [
    'parts alone, as a stopped k0s node and an extension of Talos have them',
    {
      '/etc/k0s/containerd.d/a.toml': table('a', 'options.ConfigPath = "/a"'),
      '/etc/cri/conf.d/10-kata.part': table('t', 'options.ConfigPath = "/t"'),
    },
    ['/etc/k0s/containerd.d/a.toml: handler a  /a', '/etc/cri/conf.d/10-kata.part: handler t  /t'],
  ],
  [
    'Talos, whose main file imports what was merged',
    {
      '/etc/cri/containerd.toml': 'imports = ["/etc/cri/conf.d/cri.toml"]\n',
      '/etc/cri/conf.d/cri.toml': table('t', 'options.ConfigPath = "/t"'),
    },
    ['/etc/cri/conf.d/cri.toml: handler t  /t'],
  ],
];

for (const [rule, tree, handlers] of rows) {
  test(rule, () => {
    const unread: Unread[] = [];
    const host = rootedHost(createNodeHost(), writeTree(temporaryFolder(), { '/etc/hostname': 'x', ...tree }));
    const found = containerdHandlers(host, unread);
    assert.equal(
      found.map(
        ({ by, file, program = '', configuration = '' }) =>
          `${file}: ${by.replace('containerd, ', '')} ${program} ${configuration}`,
      ),
      handlers,
    );
    assert.equal(unread, []);
  });
}
