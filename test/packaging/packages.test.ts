/** The built .deb and .rpm as the checkers of distributions see them, and what protects the program. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('packages');
const top = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
const program = join(top, 'dist/kata-check');

/** What the packages are called here; the architecture is this machine's. */
function built(ending: RegExp): readonly string[] {
  return readdirSync(join(top, 'dist'), { encoding: 'utf8' })
    .filter((name) => name.includes(`${version}-1`) && ending.test(name))
    .map((name) => join(top, 'dist', name));
}

const debs = built(/\.deb$/);
const rpms = built(/(?<!\.src)\.rpm$/);
const deb = debs[0] ?? join(top, `dist/kata-check_${version}-1.deb`);
const rpm = rpms[0] ?? join(top, `dist/kata-check-${version}-1.rpm`);

test(
  'lintian has no error and no warning, at its most pedantic',
  () => {
    const words = ['-EvIL', '+pedantic', '--allow-root', '--fail-on', 'error,warning', deb];
    const { status, stdout, stderr } = spawnSync('lintian', words, { encoding: 'utf8' });
    assert.is(status, 0, stdout + stderr);
  },
  { needs: ['lintian', deb] },
);

test(
  'rpmlint has no error and no warning but those that packaging/rpm/rpmlint.toml gives a reason for',
  () => {
    const spec = join(temporaryFolder(), 'kata-check.spec');
    writeFileSync(spec, run(process.execPath, join(top, 'packaging/rpm/spec.mjs'), '1'));
    const configuration = join(top, 'packaging/rpm/rpmlint.toml');
    const { stdout } = spawnSync('rpmlint', ['--config', configuration, ...rpms, spec], { encoding: 'utf8' });
    assert.match(stdout, /2 packages and 1 specfiles checked; 0 errors, 0 warnings/);
  },
  { needs: ['rpmlint', rpm] },
);

test(
  'the program can be moved about in memory, and nothing of its tables be written to',
  () => {
    const told = run('readelf', '--wide', '-hld', program);
    assert.match(told, /Type: +DYN/);
    assert.match(told, /GNU_RELRO/);
    assert.match(told, /\(FLAGS\) +BIND_NOW/);
    assert.match(told, /GNU_STACK +\S+ +\S+ +\S+ +\S+ +\S+ RW /);
    const symbols = run('readelf', '--wide', '--dyn-syms', program);
    assert.match(symbols, /__stack_chk_fail/);
    assert.match(symbols, /__(?:snprintf|memcpy|vsnprintf|fprintf)_chk/);
  },
  { needs: ['readelf', program] },
);

test(
  'both packages hold the notices of what is bundled',
  () => {
    const copyright = run(
      'sh',
      '-c',
      'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/share/doc/kata-check/copyright',
      deb,
    );
    for (const name of ['semver', 'citty', 'ini', 'smol-toml', '@noble/hashes'])
      assert.match(copyright, `Files: vendor/node_modules/${name}/*`);
    assert.match(copyright, /Files: vendor\/quickjs\/\*\nCopyright: .*Fabrice Bellard/);
    assert.match(
      run('rpm', '-qp', '--licensefiles', rpms.find((path) => basename(path).startsWith('kata-check-')) ?? ''),
      /LICENSES/,
    );
  },
  { needs: ['dpkg-deb', 'rpm', deb, rpm] },
);

test(
  'the .deb brings what reportbug asks for, and news about unattended upgrades',
  () => {
    const folder = temporaryFolder();
    run('dpkg-deb', '-x', deb, folder);
    assert.match(
      readFileSync(join(folder, 'usr/share/bug/kata-check/control'), 'utf8'),
      /^package-status: kata-runtime /,
    );
    const script = join(folder, 'usr/share/bug/kata-check/script');
    const { status, stdout } = spawnSync('sh', ['-c', 'exec "$0" 3>&1', script], {
      encoding: 'utf8',
      env: { PATH: `${join(folder, 'usr/bin')}:/usr/bin:/bin` },
    });
    assert.is(status, 0);
    assert.match(stdout, /^-- kata-check --json --verbose\n(?:.*\n)*\{\n(?:.*\n)*\}\n\(ended with [0-9]+\)\n/);
    const news = run('gzip', '-dc', join(folder, 'usr/share/doc/kata-check/NEWS.Debian.gz'));
    assert.match(news, /rm \/etc\/apt\/apt\.conf\.d\/52kata-check-unattended/);
  },
  { needs: ['dpkg-deb', deb] },
);
