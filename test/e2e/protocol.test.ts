import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { dpkg, guest } from './nodes.ts';
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

const additions = '/usr/share/kata-check/protocol.d';
const hibernate = {
  ...{ id: 'Hibernate', kind: 'call', name: 'Hibernate', go: '4.2.0..', lacks: '<4.2.0' },
  ...{ when: 'a sandbox starts', effect: 'pod', sources: ['kata-containers@4.2.0:src/runtime/x.go:1'] },
};
const addition = { schema: 1, releases: ['4.2'], rows: [hibernate] };
/** A node whose runtime is newer than the tables. */
const later: Tree = {
  ...dpkg([{ name: 'kata-runtime', version: '4.2.0-1', owns: ['/opt/kata/bin/containerd-shim-kata-v2'] }]),
  '/opt/kata/bin/containerd-shim-kata-v2': 'x',
  [`${folder}/configuration.toml`]: shipped('qemu'),
  '/opt/kata/share/kata-containers/kata-containers.img': guest('4.1.0'),
};
const withRow = (changes: object): string =>
  JSON.stringify({ schema: 1, rows: [hibernate, { ...hibernate, id: 'Other', ...changes }] });
/** Names in the order in which they are read. */
const refused: readonly (readonly [name: string, content: string, reason: string])[] = [
  ['20-broken.json', '{"schema":1,"releases":["4.3"', '/ is no JSON'],
  ['21-list.json', '[]', '/ is no object'],
  ['22-schema.json', '{"schema":2}', '/schema is not 1'],
  ['23-key.json', '{"schema":1,"row":[]}', '/row is no known key'],
  ['24-gap.json', '{"schema":1,"releases":["4.9"]}', '/releases/0 leaves out 4.3'],
  [
    '25-effect.json',
    withRow({ effect: 'none' }),
    '/rows/1/effect is none of pod, container, degraded, engine, operation, ignored',
  ],
  ['26-span.json', withRow({ go: '4.2' }), '/rows/1/go is of another form: 4.2'],
  ['27-range.json', withRow({ lacks: '4.2.0' }), '/rows/1/lacks is of another form: 4.2.0'],
  [
    '28-term.json',
    withRow({ where: [[{ key: 'runtime.vfio_mode' }]] }),
    '/rows/1/where/0/0 is neither a key with is, not or above, nor a hypervisor, a snapshotter or an architecture',
  ],
  ['29-share.json', withRow({ pods: 'some pods' }), '/rows/1 has one of pods and share without the other'],
  ['30-source.json', withRow({ sources: [] }), '/rows/1/sources is empty'],
  ['31-large.json', ' '.repeat(1024 * 1024 + 1), 'larger than 1048576 bytes'],
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

  for (const isWhole of [false, true]) {
    test(
      `${form.name}: pairs on stock nodes${isWhole ? '' : ', one of each eighth line'}`,
      () => {
        for (const [index, line] of lines.entries()) {
          const [, language = '', kind = '', runtime = '', agents = ''] = /^(\w+) (\w+) (\S+): (.*)$/.exec(line) ?? [];
          const chosen = isWhole ? agents.split(' ') : index % 8 === 0 ? agents.split(' ', 1) : [];
          for (const agent of chosen) {
            const judged = judgedBy(form, runtime, agent);
            const one = judged.find(({ by }) => by.startsWith(language === 'go' ? 'Go' : 'Rust'));
            assert.is(one?.verdict === 'block', blocked.includes(kind), `${line}: ${agent}`);
          }
        }
      },
      { ...form, timeout: 600, isLong: isWhole },
    );
  }

  test(
    `${form.name}: a release that is added changes the verdict, and a file that is wrong is refused with its place and reason`,
    () => {
      const root = writeTree(temporaryFolder(), later);
      const check = (): { readonly found: string; readonly said: readonly string[] } => {
        const { stdout, stderr, status } = kataCheck(form, ['--root', root, '--json']);
        const { findings } = JSON.parse(stdout) as { findings: readonly { code: string; severity: string }[] };
        const found = findings.map(({ code, severity }) => `${code} ${severity}`).join();
        return { found: `${status} ${found}`, said: stderr.replaceAll(root, '').trimEnd().split('\n') };
      };
      assert.equal(check(), { found: '0 KC104 warn', said: [''] });
      writeTree(root, { [`${additions}/10-good.json`]: JSON.stringify(addition) });
      assert.equal(check(), { found: '10 KC103 block', said: [''] });
      for (const [name, content] of refused) writeTree(root, { [`${additions}/${name}`]: content });
      mkdirSync(join(root, additions, '90-folder.json'));
      const { found, said } = check();
      assert.is(found, '10 KC103 block');
      assert.equal(said, [
        ...refused.map(
          ([name, , reason]) => `kata-check: warning: ${additions}/${name}: ${reason}: the file is not used`,
        ),
        `kata-check: warning: ${additions}/90-folder.json: is a directory, not a regular file: the file is not used`,
      ]);
    },
    { needs: [...form.needs, 'mkfs.ext4'] },
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
      const [head, changed] = stdout.split('\n');
      assert.match(head ?? '', /^Between 4\.2\.0 \(not in this history\) and 4\.1\.0 \(protocol [0-9.]+\):$/);
      assert.match(changed ?? '', /^The history ends at 4\.1: /);
      assert.match(
        stdout,
        /this node: switched on: vfio_mode = "vfio"\s+\(\/etc\/kata-containers\/configuration\.toml, line 4\)/,
      );
    },
    form,
  );
}
