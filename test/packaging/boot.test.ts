/**
 * What looks at boot, or at a snapshot before it is booted: the units by systemd's own check, the scripts by what they make of a status.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('boot');
const hooks = join(import.meta.dirname, '../../hooks');

test(
  'systemd finds nothing wrong with the unit and its timer',
  () => {
    // It wants the program to be there, which may not be installed here.
    const folder = temporaryFolder();
    for (const name of ['kata-check.service', 'kata-check.timer']) {
      const text = readFileSync(join(hooks, 'systemd', name), 'utf8').replace(
        '/usr/bin/kata-check --color',
        '/bin/true --color',
      );
      writeFileSync(join(folder, name), text);
    }
    const units = ['kata-check.service', 'kata-check.timer'].map((name) => join(folder, name));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      encoding: 'utf8',
    });
    assert.is(`${stdout}${stderr}`, '');
    assert.is(status, 0);
  },
  { needs: ['systemd-analyze'] },
);

/** The script with a stand-in for the program, which ends with this status. */
function ended(script: string, args: readonly string[], status: number | null): number | null {
  const folder = temporaryFolder();
  const program = join(folder, 'kata-check');
  if (status !== null) writeFileSync(program, `#!/bin/sh\nexit ${status}\n`, { mode: 0o755 });
  const copy = join(folder, 'script');
  writeFileSync(copy, readFileSync(join(hooks, script), 'utf8').replaceAll('/usr/bin/kata-check', program), {
    mode: 0o755,
  });
  return spawnSync(copy, args, { stdio: 'ignore' }).status;
}

const scripts: readonly [script: string, args: readonly string[]][] = [
  ['greenboot/kata-check.sh', []],
  ['tukit/kata-check', ['finalize-pre', '/.snapshots/7/snapshot', '7']],
  ['pacman/kata-check', ['before']],
];

for (const [script, args] of scripts) {
  for (const [status, expected] of [
    [0, 0],
    [10, 10],
    [11, 11],
    [1, 0],
    [2, 0],
    [99, 0],
    [null, 0],
  ] as const) {
    test(`${script}: ${status === null ? 'a program that is gone' : `status ${status}`} is ${expected}`, () =>
      assert.is(ended(script, args, status), expected));
  }
}

test('tukit: another stage is none of it', () => assert.is(ended('tukit/kata-check', ['init-pre'], 10), 0));
