/** What npm's registry would get: packed from a clean checkout, installed without a network, and looked at by publint and attw. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the npm package');
const top = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

/** A checkout in which nothing was built yet, with what `npm ci` installs. */
function cleanCheckout(): string {
  const folder = join(temporaryFolder(), 'checkout');
  mkdirSync(folder);
  for (const name of ['package.json', 'package-lock.json', 'src', 'hooks', 'README.md', 'LICENSE', 'tsconfig.json'])
    run('cp', '-R', join(top, name), folder);
  run('cp', '-R', join(top, 'packaging'), folder);
  symlinkSync(join(top, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function npm(cwd: string, ...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', words, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: temporaryFolder(), npm_config_offline: 'true', npm_config_loglevel: 'error' },
  });
  assert.is(status, 0, stdout + stderr);
  return stdout.trim();
}

test(
  'npm pack of a clean checkout holds the program and its notices, and nothing else',
  () => {
    const folder = cleanCheckout();
    const packed = (): readonly [string, string] => {
      const name = npm(folder, 'pack', '--silent');
      return [join(folder, name), run('sha256sum', join(folder, name))];
    };
    const [tarball, sum] = packed();
    assert.is(tarball, join(folder, `kata-check-${version}.tgz`));
    const members = run('tar', '-tf', tarball).trim().split('\n').sort();
    assert.equal(members, [
      'package/LICENSE',
      'package/README.md',
      'package/dist/kata-check.mjs',
      'package/dist/kata-check.mjs.licenses.txt',
      'package/package.json',
    ]);
    assert.is(packed()[1], sum, 'packed twice, the same bytes');

    const user = temporaryFolder();
    npm(user, 'install', '--no-audit', '--no-fund', tarball);
    assert.is(npm(user, 'exec', '--', 'kata-check', '--version'), `kata-check ${version}`);
    assert.equal(run('ls', join(user, 'node_modules')).trim(), 'kata-check');

    for (const [name, ...words] of [
      ['publint', 'run', tarball, '--strict'],
      ['attw', tarball],
    ] as const) {
      const { status, stdout, stderr } = spawnSync(join(top, 'node_modules/.bin', name), words, { encoding: 'utf8' });
      assert.is(status, 0, `${name}: ${stdout}${stderr}`);
    }
  },
  { isLong: true },
);
