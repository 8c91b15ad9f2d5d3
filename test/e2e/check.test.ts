import { chmodSync, cpSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck, sampleNode } from './program.ts';

const test = suite('kata-check by hand');
const folder = temporaryFolder();

function nodeWith(name: string, tree: Record<string, string>): string {
  const node = join(folder, name);
  if (!existsSync(node)) cpSync(sampleNode, node, { recursive: true });
  writeTree(node, tree);
  return node;
}

const runtime110 = ['--to', '1.1.0', '--requires', '>=1.1.0 <1.2.0'];

const cases: readonly [rule: string, args: readonly string[], status: number, codes: readonly string[]][] = [
  ['what is installed fits by the rule "minor"', [], 0, []],
  ['a declared range that the agent is outside of blocks', runtime110, 10, ['KC101']],
  ['--mode warn lets it pass, and says so', [...runtime110, '--mode', 'warn'], 0, ['KC101']],
  ['--allow lets it pass, and says so', [...runtime110, '--allow', 'KC101'], 0, ['KC101']],
  ['another code allowed does not', [...runtime110, '--allow', 'KC104'], 10, ['KC101']],
  ['a newer runtime that makes calls the agent does not have', ['--to', '1.1.0'], 10, ['KC103']],
  ['--allow KC103 lets it pass, and says so', ['--to', '1.1.0', '--allow', 'KC103'], 0, ['KC103']],
  ['a declared range wins over the history', ['--to', '1.1.0', '--requires', '>=1.0.0'], 0, []],
  ['a runtime on the other side of a break', ['--to', '2.0.0'], 10, ['KC102']],
  ['a runtime newer than the history is a doubt: a warning', ['--to', '4.2.0'], 0, ['KC104']],
  ['--strict makes a block of it', ['--to', '4.2.0', '--strict'], 10, ['KC104']],
  ['an older runtime is judged as well', ['--to', '0.9.0'], 0, ['KC104']],
  ['a patch may differ', ['--to', '1.0.7'], 0, []],
  ['an image that is not there', ['--image', '/none.img'], 11, ['KC203']],
  ['what is not known blocks with 11 under --strict', ['--image', '/none.img', '--strict'], 11, ['KC203']],
  ['a file that is no image', ['--image', '/usr/bin/kata-runtime'], 11, ['KC202']],
];

for (const form of forms) {
  for (const [rule, args, status, codes] of cases) {
    test(
      `${form.name}: ${rule}`,
      () => {
        const json = kataCheck(form, ['--root', sampleNode, '--json', ...args]);
        const report = JSON.parse(json.stdout) as { exitCode: number; verdict: string; findings: { code: string }[] };
        assert.equal(
          report.findings.map(({ code }) => code),
          codes,
        );
        assert.is(report.exitCode, status);
        assert.is(json.status, status);
        const text = kataCheck(form, ['--root', sampleNode, ...args]);
        for (const code of codes) assert.match(text.stdout, new RegExp(`\\[${code}\\]`));
        assert.is(text.status, status);
        const quiet = kataCheck(form, ['--root', sampleNode, '--quiet', ...args]);
        assert.equal([quiet.status, quiet.stdout], [status, '']);
      },
      form,
    );
  }

  test(
    `${form.name}: what the agent does not have is named with who makes it, and the report names the history`,
    () => {
      const { stdout } = kataCheck(form, ['--root', sampleNode, '--to', '1.1.0']);
      assert.match(stdout, /incoming .* agent >=1\.1\.0 <2\.0\.0 \(protocol\s+history\)\n/);
      assert.match(stdout, /missing +PauseContainer +called when a container is paused:\s+docker pause/);
      assert.match(
        stdout,
        /effect {6}Pods do not start: ephemeral; an error is the answer when a\s+container is paused/,
      );
      const json = kataCheck(form, ['--root', sampleNode, '--to', '1.1.0', '--json']);
      const { requirement } = JSON.parse(json.stdout) as { requirement: object };
      assert.equal(requirement, { range: '>=1.1.0 <2.0.0', source: 'protocol history' });
      const beyond = kataCheck(form, ['--root', sampleNode, '--to', '4.2.0']);
      assert.match(beyond.stdout, /\(rule minor:\s+the protocol history ends at 4\.1\)/);
    },
    form,
  );

  test(
    `${form.name}: the configuration of the node is the one that counts, and each value knows its origin`,
    () => {
      const node = nodeWith('configured', {
        'etc/kata-check.conf': 'mode = warn\nrule = exact\n[severity]\nKC104 = block\n[requires]\n1.x = >=1.0.0\n',
      });
      const { stdout, stderr, status } = kataCheck(form, ['--root', node, '--to', '1.1.0', '--verbose']);
      assert.match(stderr, /mode = warn {2}\(\/etc\/kata-check\.conf, line 1\)/);
      assert.match(stderr, /requires 1\.x = >=1\.0\.0 {2}\(\/etc\/kata-check\.conf, line 6/);
      assert.match(stdout, /fits/);
      assert.is(status, 0);
      const environment = kataCheck(form, ['--root', node, '--verbose'], { env: { KATA_CHECK_MODE: 'off' } });
      assert.match(environment.stderr, /mode = off {2}\(the environment\)/);
    },
    form,
  );

  test(
    `${form.name}: an unknown key or value in the configuration is wrong use, with its place`,
    () => {
      const node = nodeWith('misconfigured', { 'etc/kata-check.conf': '; a comment\nmoed = warn\nrule = loose\n' });
      const { stderr, status } = kataCheck(form, ['--root', node]);
      assert.match(stderr, /\/etc\/kata-check\.conf, line 2: unknown key moed/);
      assert.match(stderr, /\/etc\/kata-check\.conf, line 3: rule is exact, minor or skew=N, not loose/);
      assert.is(status, 2);
    },
    form,
  );

  test(
    `${form.name}: a configuration that others can write is refused with a warning`,
    () => {
      const node = nodeWith('writable', { 'etc/kata-check.conf': 'mode = off\n' });
      chmodSync(join(node, 'etc/kata-check.conf'), 0o666);
      const { stderr, status } = kataCheck(form, ['--root', node, ...runtime110]);
      assert.match(
        stderr,
        /warning: \/etc\/kata-check\.conf and the settings in it are ignored, because the file does not belong to root alone/,
      );
      assert.is(status, 10);
    },
    { needs: [...form.needs, 'root'] },
  );

  test(
    `${form.name}: a broken Kata configuration is said with line and column`,
    () => {
      const node = nodeWith('broken', {
        'etc/kata-containers/configuration.toml': '[hypervisor.qemu]\nimage = "/x.img\n',
      });
      const { stdout } = kataCheck(form, ['--root', node]);
      assert.match(stdout, /\[KC202\]: .*configuration\.toml,\s+line\s+2,\s+column\s+\d+:\s/s);
    },
    form,
  );

  test(
    `${form.name}: a node without Kata is silent in a hook and says so by hand`,
    () => {
      const empty = join(folder, 'empty');
      writeTree(empty, { 'etc/hostname': 'empty\n' });
      const { stdout, status } = kataCheck(form, ['--root', empty]);
      assert.is(stdout, 'kata-check: nothing of Kata Containers is installed: nothing to check\n');
      assert.is(status, 0);
      assert.is(kataCheck(form, ['--root', join(folder, 'nowhere')]).status, 1);
    },
    form,
  );

  test(
    `${form.name}: an absolute link in the root stays in the root`,
    () => {
      const node = nodeWith('linked', {});
      rmSync(join(node, 'usr/share/kata-containers'), { recursive: true, force: true });
      writeTree(node, { 'usr/share/kata-containers': { link: '/srv/images' } as never });
      writeFileSync(join(folder, 'outside'), '');
      cpSync(join(sampleNode, 'usr/share/kata-containers'), join(node, 'srv/images'), { recursive: true });
      assert.match(kataCheck(form, ['--root', node]).stdout, /agent 1\.0\.0/);
    },
    form,
  );
}
