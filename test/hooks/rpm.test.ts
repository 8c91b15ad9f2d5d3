import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Ancestor } from '../../src/hooks/ancestors.ts';
import { installedBy, parseRpmArguments } from '../../src/hooks/rpm.ts';
import { createNodeHost } from '../../src/host/node.ts';
import type { PackageChange } from '../../src/state/transaction.ts';
import { temporaryFolder } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';

const test = suite("a running rpm's arguments");
const folder = temporaryFolder();
const host = createNodeHost();

const rows: readonly [rule: string, argv: readonly string[], operands: readonly string[]][] = [
  ['none', [], []],
  ['options alone', ['-qa', '--verbose'], []],
  ['files behind and before options', ['a.rpm', '-U', 'b.rpm', '--nodeps'], ['a.rpm', 'b.rpm']],
  ['the value of an option is none', ['--root', '/srv', '-D', 'a b', '-U', 'a.rpm'], ['a.rpm']],
  ['unless it is in the same word', ['--root=/srv', '-U', 'a.rpm'], ['a.rpm']],
  ['what is behind -- is', ['-U', '--', '-a.rpm', '--root'], ['-a.rpm', '--root']],
  ['as zypper calls it', ['--root', '/', '--dbpath', '/db', '-U', '--percent', '--', '/c/a.rpm'], ['/c/a.rpm']],
  ['a value that is missing', ['-U', 'a.rpm', '--root'], ['a.rpm']],
];
for (const [rule, argv, operands] of rows) {
  test(rule, () => assert.equal(parseRpmArguments(['rpm', ...argv]), operands));
}

/** What a process with these arguments would install: a shell that waits for its first line. */
async function asked(operands: readonly string[], cwd = '/'): Promise<PackageChange[] | null> {
  const child = spawn('/bin/sh', ['-s', '--', ...operands], { cwd });
  try {
    await once(child, 'spawn');
    const rpm: Ancestor = { pid: child.pid ?? 0, command: 'rpm', startTime: '0' };
    return await installedBy(host, rpm, host.now() + 60_000);
  } finally {
    child.kill('SIGKILL');
  }
}

test(
  'what its packages say of themselves, by absolute and relative paths',
  async () => {
    const provides = ['kata-agent-requires(min) = 3.4.0'];
    const runtime = makeRpm(folder, { name: 'kata-runtime', version: '1:1.1.0', provides });
    const other = makeRpm(folder, { name: 'other', version: '2' });
    for (const operands of [
      [runtime, other],
      [basename(runtime), basename(other)],
    ]) {
      const changes = await asked(operands, folder);
      assert.equal(
        changes?.map(({ name, oldVersion, newVersion, action, archive }) => [
          name,
          oldVersion,
          newVersion,
          action,
          archive,
        ]),
        [
          ['kata-runtime', null, '1:1.1.0-1', 'unpack', runtime],
          ['other', null, '2-1', 'unpack', other],
        ],
      );
      assert.is(changes?.[0]?.declared?.agentRequires, '>=3.4.0');
    }
    assert.is(await asked([runtime, join(folder, 'gone.rpm')]), null, 'one that cannot be seen could be the image');
    assert.is(await asked(Array.from({ length: 51 }, () => runtime)), null, 'a whole system');
  },
  { needs: ['rpmbuild', 'rpm'] },
);

test('nothing is known where there is no package', async () => {
  writeFileSync(join(folder, 'text'), 'no package');
  for (const operands of [[], [join(folder, 'text')], [join(folder, 'gone.rpm')], ['http://mirror/a.rpm'], [folder]]) {
    assert.is(await asked(operands), null);
  }
});
