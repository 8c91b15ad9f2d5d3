/**
 * `npm run release -- VERSION`: checks everything about a release that can be checked without publishing it, and makes all of it in dist/release:
 * the npm package, .deb and .rpm, both source packages, the static program, a list of parts for each form, the changelog and the checksums. All is
 * made twice, from the last commit in two folders, and must be the same bytes. Ends with 1 at the first thing that is wrong. Needs what
 * packaging/source/build, packaging/deb/build and packaging/rpm/build need, and lintian, rpmlint and mandoc.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseChangelog } from './changelog.mjs';

const top = join(import.meta.dirname, '..');
const [version] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'kata-check-release-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

function fail(what) {
  process.stderr.write(`release: ${what}\n`);
  process.exit(1);
}

function step(name) {
  process.stdout.write(`== ${name}\n`);
}

const read = (path) => readFileSync(join(top, path), 'utf8');
const output = (program, ...words) => execFileSync(program, words, { cwd: top, encoding: 'utf8' }).trim();

function run(folder, env, program, ...words) {
  try {
    execFileSync(program, words, {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
  } catch {
    fail(`${[program, ...words].join(' ')} failed`);
  }
}

function checkVersions() {
  const manifest = JSON.parse(read('package.json'));
  const lock = JSON.parse(read('package-lock.json'));
  const [newest] = parseChangelog(read('packaging/changelog'));
  for (const [where, found] of [
    ['package.json', manifest.version],
    ['package-lock.json', lock.version],
    ['package-lock.json, packages[""]', lock.packages[''].version],
    ['packaging/changelog', newest.version],
  ])
    if (found !== version) fail(`${where} is at ${found}, not at ${version}`);
  if (newest.distribution === 'UNRELEASED') fail('the newest entry of packaging/changelog is UNRELEASED');
  if (output('git', 'status', '--porcelain') !== '') fail('the checkout has changes that are not committed');
  const tagged = output('git', 'tag', '--list', `v${version}`);
  if (tagged !== '' && output('git', 'rev-parse', `v${version}^{commit}`) !== output('git', 'rev-parse', 'HEAD'))
    fail(`the tag v${version} is on another commit`);
  return manifest;
}

/** Everything that is published, in a checkout of the last commit; each zone and language gives the same. */
function make(name, env) {
  const folder = join(work, name);
  run(work, {}, 'git', 'clone', '--quiet', top, folder);
  symlinkSync(join(top, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'dist'));
  for (const [program, ...words] of [
    ['packaging/source/build'],
    ['packaging/deb/build'],
    ['packaging/rpm/build'],
    ['npm', 'pack', '--silent', '--pack-destination', 'dist'],
  ])
    run(folder, env, program.includes('/') ? join(folder, program) : program, ...words);
  run(folder, { ...env, STATIC: '1' }, join(folder, 'packaging/native/build'));
  for (const form of ['kata-check', 'kata-check-static', 'kata-check.mjs'])
    writeFileSync(
      join(folder, `dist/${form.replace('kata-check', `kata-check-${version}`)}.cdx.json`),
      execFileSync(process.execPath, ['packaging/sbom.mjs', form], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
  const machine = output('uname', '-m');
  copyFileSync(join(folder, 'dist/kata-check-static'), join(folder, `dist/kata-check-${version}-static-${machine}`));
  return folder;
}

const digest = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

function published(folder) {
  const names = readdirSync(join(folder, 'dist')).filter((name) => name.includes(version));
  return new Map(names.sort().map((name) => [name, digest(join(folder, 'dist', name))]));
}

if (version === undefined) {
  process.stderr.write('usage: npm run release -- VERSION\n');
  process.exit(2);
}
step('versions');
const manifest = checkVersions();
step('types and style');
run(top, {}, 'npm', 'run', '--silent', 'check');
step('packages');
const folder = make('first', { TZ: 'UTC' });
step('packages once more, elsewhere');
const other = make('second', { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
const files = published(folder);
for (const [name, sum] of published(other))
  if (files.get(name) !== sum) fail(`${name} is not the same bytes when it is made again`);
step('lintian, rpmlint, publint, attw, mandoc, licences');
run(folder, { KATA_CHECK_NO_SKIP: '1' }, process.execPath, '--import', 'tsx', 'test/run.ts', 'test/packaging');

const release = join(top, 'dist/release');
rmSync(release, { recursive: true, force: true });
mkdirSync(release, { recursive: true });
for (const name of files.keys()) copyFileSync(join(folder, 'dist', name), join(release, name));
writeFileSync(join(release, 'CHANGELOG.md'), output(process.execPath, 'packaging/changelog.mjs', 'markdown'));
files.set('CHANGELOG.md', digest(join(release, 'CHANGELOG.md')));
const sums = [...files].map(([name, sum]) => `${sum}  ${name}\n`).join('');
writeFileSync(join(release, 'SHA256SUMS'), sums);
process.stdout.write(`${sums}\ndist/release has everything. What is left to do:\n`);
if (/\.invalid/.test(manifest.homepage))
  process.stdout.write(
    '- give package.json a homepage, repository and bugs that exist, and packaging/changelog and debian/control a mail address\n',
  );
process.stdout.write(
  `- bash .ci/run, as root on a clean Debian\n- git tag --sign v${version} && git push origin v${version}\n`,
);
