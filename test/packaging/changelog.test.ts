/** packaging/changelog: the one source of what each package says has changed. */

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('changelog');
const top = join(import.meta.dirname, '../..');
const head = 'kata-check (1.2.0-1) unstable; urgency=medium\n\n';
const tail = '\n -- A B <a@example.invalid>  Fri, 27 Nov 2026 12:00:00 +0100\n';

function changelog(text: string, form: string): { readonly status: number | null; readonly output: string } {
  const folder = temporaryFolder();
  cpSync(join(top, 'packaging/changelog.mjs'), join(folder, 'changelog.mjs'));
  writeFileSync(join(folder, 'changelog'), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'changelog.mjs'), form], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

const good = `${head}  * One thing, in\n    two lines, 50%.\n  * Another.\n${tail}`;
for (const [form, expected] of [
  ['version', '1.2.0\n'],
  ['date', '1795777200\n'],
  ['rpm', '* Fri Nov 27 2026 A B <a@example.invalid> - 1.2.0-1\n- One thing, in two lines, 50%%.\n- Another.\n'],
  ['markdown', '# Changes\n\n## 1.2.0 (2026-11-27)\n\n- One thing, in two lines, 50%.\n- Another.\n'],
] as const) {
  test(`as ${form}`, () => assert.equal(changelog(good, form), { status: 0, output: expected }));
}

for (const [rule, text, told] of [
  ['an empty one', '', /it has no entry/],
  ['an entry that never ends', `${head}  * A.\n`, /its last entry has no line with a name and a date/],
  ['an entry that begins within another', `${head}  * A.\n${head}`, /changelog:4: the entry before it has no line/],
  ['an entry without a change', `${head}${tail}`, /changelog:4: an end without an entry/],
  ['a change outside an entry', '  * A.\n', /changelog:1: a change outside an entry/],
  ['a version that is none', good.replace('1.2.0', '1.2'), /changelog:1: this is no line of a changelog/],
  ['a date that is none', good.replace('Nov', '11.'), /changelog:7: this is no line of a changelog/],
] as const) {
  test(`${rule} is told with its line`, () => {
    const { status, output } = changelog(text, 'version');
    assert.is(status, 1);
    assert.match(output, told);
  });
}

test("its newest version is package.json's", () => {
  const text = readFileSync(join(top, 'packaging/changelog'), 'utf8');
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  assert.equal(changelog(text, 'version'), { status: 0, output: `${version}\n` });
});

test(
  'dpkg reads the same out of it',
  () => {
    const file = join(top, 'packaging/changelog');
    const field = (name: string): string =>
      spawnSync('dpkg-parsechangelog', ['-l', file, '-S', name], { encoding: 'utf8' }).stdout.trim();
    const text = readFileSync(file, 'utf8');
    assert.is(field('Version').replace(/-[0-9]+$/, ''), changelog(text, 'version').output.trim());
    assert.is(field('Timestamp'), changelog(text, 'date').output.trim());
  },
  { needs: ['dpkg-parsechangelog'] },
);
