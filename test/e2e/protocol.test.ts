import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('pairs of releases, by the program');
const empty = temporaryFolder();

interface Judged {
  readonly by: string;
  readonly verdict: string;
  readonly rows: readonly {
    readonly name: string;
    readonly when: string;
    readonly outcome: string;
    readonly decisions: readonly { readonly path: string | null; readonly line: number | null }[];
    readonly sources: readonly string[];
  }[];
}

function judgedBy(form: (typeof forms)[number], runtime: string, agent: string, root = empty): readonly Judged[] {
  const { stdout } = kataCheck(form, ['protocol', '--json', '--root', root, runtime, agent]);
  return JSON.parse(stdout).verdicts[0].judged;
}

/** LANGUAGE CLASS RUNTIME: AGENTS, on stock nodes. test/protocol/reach.test.ts walks over all of them. */
const lines = readFileSync(join(import.meta.dirname, '../fixtures/pairs.txt'), 'utf8')
  .trimEnd()
  .split('\n');
const blocked = ['nostart', 'common', 'degraded'];

/** A node with real configurations, and a drop-in. */
const folder = '/opt/kata/share/defaults/kata-containers';
const dropIn = `${folder}/config.d/10-site.toml`;
const shipped = (name: string): string =>
  readFileSync(join(import.meta.dirname, `../fixtures/configurations/3.12.0/configuration-${name}.toml`), 'utf8');
const inGo: Tree = {
  [`${folder}/configuration.toml`]: shipped('qemu'),
  [dropIn]: '[hypervisor.qemu]\nshared_fs = "none"\nenable_annotations = ["enable_guest_swap"]\n',
};
const inRust: Tree = { [`${folder}/runtime-rs/configuration.toml`]: shipped('dragonball') };

/** RUNTIME AGENT, and what this node makes of a row, as a person reads it; how many rows there are. */
const shown: readonly (readonly [pair: string, node: Tree, rows: number, said: readonly string[]])[] = [
  [
    '3.12.0 3.1.0',
    { ...inGo, ...inRust },
    10,
    [
      `this node: switched on: static_sandbox_resource_mgmt = false (${folder}/configuration.toml, line 102)`,
      `this node: switched on: use_passfd_io = true (${folder}/runtime-rs/configuration.toml, line 60), hypervisor = "dragonball" (${folder}/runtime-rs/configuration.toml)`,
      `this node: switched on: shared_fs = "none" (${dropIn}, line 2)`,
      'this node: only some pods',
      'this node: not on this architecture',
      'this node: switched off: no handler names a snapshotter',
    ],
  ],
  [
    '2.2.0 2.1.0',
    inGo,
    3,
    [
      `this node: switched off: shared_fs = "none" (${dropIn}, line 2)`,
      'this node: only pods with the annotation io.katacontainers.config.hypervisor.enable_guest_swap: enable_guest_swap = false (compiled in, as no configuration sets it)',
    ],
  ],
  [
    '3.12.0 3.2.0-rc0',
    inGo,
    10,
    [
      `this node: switched on, which is not certain: static_sandbox_resource_mgmt = false (${folder}/configuration.toml, line 102)`,
    ],
  ],
];

for (const form of forms) {
  for (const [pair, tree, count, said] of shown) {
    const node = writeTree(temporaryFolder(), tree);
    test(
      `${form.name}: every row that ${pair} meets, its condition, what this node makes of it, and where it was read`,
      () => {
        const ask = (...more: readonly string[]): string =>
          kataCheck(form, ['protocol', ...pair.split(' '), '--root', node, ...more]).stdout;
        const text = ask('--verbose').replace(/\n +/g, ' ');
        const judged: readonly Judged[] = JSON.parse(ask('--json')).verdicts[0].judged;
        const rows = judged.flatMap((one) => one.rows);
        assert.is(new Set(rows.map(({ sources, when }) => sources[0] + when)).size, count);
        for (const { name, when, sources, decisions } of rows) {
          for (const words of [name, `when ${when}`, sources[0] ?? '']) assert.ok(text.includes(words), words);
          for (const { path, line } of decisions)
            if (line !== null) assert.ok(text.includes(`(${path}, line ${line})`), `${path} ${line}`);
        }
        for (const words of said) assert.ok(text.includes(words), `${words}\nis not in\n${text}`);
      },
      form,
    );
  }

  test(
    `${form.name}: pairs on stock nodes, one of each release and class`,
    () => {
      for (const [index, line] of lines.entries()) {
        const [, language = '', kind = '', runtime = '', agent = ''] = /^(\w+) (\w+) (\S+): (\S+)/.exec(line) ?? [];
        // Node.js takes its time to start.
        if (form.name !== 'native' && index % 8 !== 0) continue;
        const one = judgedBy(form, runtime, agent).find(({ by }) => by.startsWith(language === 'go' ? 'Go' : 'Rust'));
        assert.is(one?.verdict === 'block', blocked.includes(kind), `${line}: ${agent}`);
      }
    },
    { ...form, timeout: 300 },
  );

  test(
    `${form.name}: a release that is added by a file, and this node's settings`,
    () => {
      const row = {
        ...{ id: 'Hibernate', kind: 'call', name: 'Hibernate', go: '4.2.0..', lacks: '<4.2.0' },
        ...{
          when: 'a sandbox starts',
          effect: 'pod',
          sources: ['x'],
          where: [[{ key: 'runtime.vfio_mode', is: 'vfio' }]],
        },
      };
      const root = writeTree(temporaryFolder(), {
        '/usr/share/kata-check/protocol.d/4.2.json': JSON.stringify({ schema: 1, releases: ['4.2'], rows: [row] }),
        '/etc/kata-containers/configuration.toml': '[hypervisor.qemu]\nimage = "/x"\n[runtime]\nvfio_mode = "vfio"\n',
      });
      const judged = judgedBy(form, '4.2.0', '4.1.0', root).map(({ by, verdict }) => `${by}: ${verdict}`);
      assert.equal(judged, ['Go runtime as shipped for QEMU: ok', 'Rust runtime as shipped: ok', 'this node: block']);
      const { stdout } = kataCheck(form, ['protocol', '--root', root, '4.2.0', '4.1.0']);
      assert.match(
        stdout,
        /this node: switched on: vfio_mode = "vfio"\s+\(\/etc\/kata-containers\/configuration\.toml, line 4\)/,
      );
    },
    form,
  );
}
