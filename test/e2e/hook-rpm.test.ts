import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { type Form, forms, kataCheck, type Outcome } from './program.ts';

const test = suite('kata-check hook rpm');
const folder = temporaryFolder();
const needs = ['rpmbuild', 'rpm'];

// A name of rpm's, arguments of rpm's, and a shell that calls what a scriptlet would.
const rpm = join(folder, 'bin/rpm');
mkdirSync(join(folder, 'bin'));
copyFileSync('/bin/bash', rpm);

/** kata-check as a trigger calls it, below something that is called as rpm is; the status that the trigger sees. */
function belowRpm(form: Form, args: readonly string[], operands: readonly string[]): Outcome {
  const command = [...form.argv, 'hook', 'rpm', ...args].map((word) => `'${word}'`).join(' ');
  const { status, stdout, stderr } = spawnSync(rpm, ['-s', '--', ...operands], {
    input: `/bin/sh -c "${command}; exit \\$?"\nexit $?\n`,
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

for (const form of forms) {
  const both = { needs: [...needs, ...form.needs] };

  test(
    `${form.name}: what rpm's arguments bring is judged, of packages that have to do with Kata`,
    () => {
      const other = makeRpm(folder, { name: 'other', version: '1' });
      assert.equal(belowRpm(form, ['prein'], [other]), { status: 0, stdout: '', stderr: '' });
      const broken = belowRpm(form, ['prein', 'kata-runtime', '1.1.0-1'], [join(folder, 'gone.rpm')]);
      assert.equal(broken, { status: 0, stdout: '', stderr: '' });
    },
    both,
  );

  test(
    `${form.name}: below nothing of rpm's nothing is known, and nothing said`,
    () => {
      for (const args of [['prein'], ['prein', 'kata-runtime'], ['prein', 'kata-runtime', '1:1.1.0-1']]) {
        assert.equal(kataCheck(form, ['hook', 'rpm', ...args]), { status: 0, stdout: '', stderr: '' });
      }
    },
    form,
  );

  test(
    `${form.name}: wrong arguments`,
    () => {
      for (const args of [[], ['later'], ['triggered', 'x'], ['prein', 'a', '1', 'b']]) {
        const { status, stderr } = kataCheck(form, ['hook', 'rpm', ...args]);
        assert.is(status, 2, args.join(' '));
        assert.match(stderr, /hook rpm takes prein \[NAME \[VERSION\]\] or triggered/);
      }
      const off = kataCheck(form, ['hook', 'rpm', 'triggered'], { env: { KATA_CHECK_MODE: 'off' } });
      assert.equal(off, { status: 0, stdout: '', stderr: '' });
    },
    form,
  );
}
