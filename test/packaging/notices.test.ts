/** The licence notices that go with each form of the program: of everything that is in it, or the build fails. */

import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('licence notices');
const top = join(import.meta.dirname, '../..');

/** The packages whose files esbuild put into a bundle, as its metafile names them. */
function bundled(form: string): readonly string[] {
  const { outputs } = JSON.parse(readFileSync(join(top, `dist/${form}.meta.json`), 'utf8'));
  const paths = Object.values<{ inputs: object }>(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const names = paths.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(names)];
}

for (const [form, others, needs] of [
  ['kata-check.mjs', ['execa'], []],
  ['kata-check', ['QuickJS'], [join(top, 'dist/kata-check')]],
] as const) {
  test(
    `${form}: every part of it is there with its notice`,
    () => {
      const notices = readFileSync(join(top, `dist/${form}.licenses.txt`), 'utf8').split(/^-{78}\n(?=.* \(.*\)\n)/m);
      const named = [...bundled(form), ...others];
      assert.ok(['semver', 'citty', 'ini', 'smol-toml'].every((name) => named.includes(name)));
      for (const name of named) {
        const notice = notices.find((text) => text.startsWith(`${name} `)) ?? '';
        assert.match(notice, /copyright/i, name);
        assert.match(notice, /permi(?:ssion|tted)/i, name);
      }
    },
    { needs },
  );

  test(
    `${form}: the rpm declares the licences that are in it, and no other`,
    () => {
      const notices = readFileSync(join(top, `dist/${form}.licenses.txt`), 'utf8');
      const found = new Set([...notices.matchAll(/^-{78}\n.* \((.*)\)\n-{78}$/gm)].map(([, licence]) => licence));
      const spec = readFileSync(join(top, 'packaging/rpm/kata-check.spec'), 'utf8');
      const declared = /^License: (.*)$/m.exec(spec)?.[1]?.split(' AND ') ?? [];
      for (const licence of found) assert.ok(declared.includes(String(licence)), licence);
      if (form === 'kata-check') assert.equal([...found, 'Apache-2.0'].sort(), [...declared].sort());
    },
    { needs },
  );
}

test('two versions of one package have a notice each', () => {
  const folder = temporaryFolder();
  cpSync(join(top, 'packaging/notices.mjs'), join(folder, 'packaging/notices.mjs'));
  const places = { 'node_modules/a': '1.0.0', 'node_modules/b/node_modules/a': '2.0.0' };
  const inputs = Object.fromEntries(Object.keys(places).map((place) => [`dist/quickjs/${place}/index.js`, {}]));
  const trees = Object.entries(places).map(([place, version]) => ({
    [`${place}/package.json`]: JSON.stringify({ name: 'a', version, license: 'MIT' }),
    [`${place}/LICENSE`]: `Copyright of ${version}\n`,
  }));
  const metafile = JSON.stringify({ outputs: { 'dist/x': { inputs } } });
  writeTree(folder, Object.assign({ 'dist/x.meta.json': metafile }, ...trees));
  const program = join(folder, 'packaging/notices.mjs');
  const { status, stderr } = spawnSync(process.execPath, [program, 'x'], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const notices = readFileSync(join(folder, 'dist/x.licenses.txt'), 'utf8');
  for (const version of Object.values(places)) assert.match(notices, `a ${version} (MIT)`);
});

for (const [rule, files, told] of [
  [
    'a bundled package without a licence file fails the build',
    { 'package.json': '{"name":"left-pad","version":"1.0.0","license":"MIT"}' },
    /node_modules\/left-pad is bundled and has no licence file/,
  ],
  [
    'so does a licence that the packages do not declare',
    { 'package.json': '{"name":"left-pad","version":"1.0.0","license":"GPL-3.0-only"}', LICENSE: 'GPL\n' },
    /left-pad: its licence "GPL-3.0-only" is none that/,
  ],
  [
    'so does one that states none',
    { 'package.json': '{"name":"left-pad","version":"1.0.0"}', LICENSE: 'x' },
    /its licence "undefined"/,
  ],
] as const) {
  test(rule, () => {
    const folder = temporaryFolder();
    cpSync(join(top, 'packaging/notices.mjs'), join(folder, 'packaging/notices.mjs'));
    const inputs = { 'src/main.node.ts': {}, 'node_modules/left-pad/index.js': {} };
    const tree = Object.entries(files).map(([name, text]) => [`node_modules/left-pad/${name}`, text]);
    writeTree(folder, {
      ...Object.fromEntries(tree),
      'dist/x.meta.json': JSON.stringify({ outputs: { 'dist/x': { inputs } } }),
    });
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'packaging/notices.mjs'), 'x'], {
      encoding: 'utf8',
    });
    assert.is(status, 1);
    assert.match(stderr, told);
    assert.not.ok(readdirSync(join(folder, 'dist')).includes('x.licenses.txt'));
  });
}
