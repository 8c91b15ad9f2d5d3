import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the picture of a stopped upgrade');
const program = join(import.meta.dirname, '../../packaging/screen.mjs');

test('it shows the command, the verdict and the last word', () => {
  const file = join(temporaryFolder(), 'screen.svg');
  const { status, stderr } = spawnSync(process.execPath, [program, file], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const lines = [...readFileSync(file, 'utf8').matchAll(/<text [^>]*>(.*)<\/text>/g)].map(([, line]) => line);
  assert.match(lines[0] ?? '', /^\$ apt-get install kata-runtime/);
  assert.match(lines[1] ?? '', /^kata-check: .*KC101/);
  assert.ok(lines.includes('Nothing was changed.'));
  const inReadme = join(import.meta.dirname, '../../.github/stopped-upgrade.svg');
  assert.is(
    readFileSync(file, 'utf8'),
    readFileSync(inReadme, 'utf8'),
    `draw it again: node packaging/screen.mjs ${inReadme}`,
  );
});

test('without a file it says how to use it', () => {
  const { status, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  assert.equal([status, stderr], [2, 'usage: node packaging/screen.mjs FILE.svg\n']);
});
