import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('pairs of releases, by the program');
const empty = temporaryFolder();

interface Judged {
  readonly by: string;
  readonly verdict: string;
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

for (const form of forms) {
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
