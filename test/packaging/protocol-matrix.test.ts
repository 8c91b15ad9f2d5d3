import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the picture of the history');
const top = join(import.meta.dirname, '../..');

function draw(...args: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const argv = ['--import', 'tsx', join(top, 'packaging/protocol-matrix.mjs'), ...args];
  return spawnSync(process.execPath, argv, { cwd: top, encoding: 'utf8' });
}

test('a field with its reason for each of 40 x 40 pairs, and another one for Rust, in the colour of its finding', () => {
  const file = join(temporaryFolder(), 'matrix.svg');
  assert.equal([draw(file).status], [0]);
  const picture = readFileSync(file, 'utf8');
  // 20 of the 40 runtimes are of 3.0 or later.
  assert.is(picture.match(/<g class="pair">/g)?.length, 1600 + 20 * 40);
  const fillOf = (title: string): string | undefined =>
    new RegExp(`<title>${title}[^<]*</title><rect [^>]*fill="(#[0-9a-f]{6})"`).exec(picture)?.[1];
  const fills = [
    fillOf('Go runtime 3.13.0, agent 3.12.0: go ahead'),
    fillOf('Go runtime 3.3.0, agent 3.2.0: KC107: pods with the annotation .*SetPolicy'),
    fillOf('Go runtime 1.1.0, agent 1.0.0: KC103: .*PauseContainer'),
    fillOf('Go runtime 2.0.0, agent 1.12.0: KC102: pods do not start: ttRPC'),
  ];
  assert.is(new Set(fills).size, 4);
  assert.not.ok(fills.includes(undefined));
  assert.is(fillOf('Rust runtime 3.8.0, agent 3.2.0'), fillOf('Go runtime 2.0.0, agent 1.12.0'));
  const inReadme = readFileSync(join(top, '.github/protocol-matrix.svg'), 'utf8');
  assert.ok(
    picture === inReadme,
    'draw it again: node --import tsx packaging/protocol-matrix.mjs .github/protocol-matrix.svg',
  );
});

test('without a file it says how to use it', () => {
  const { status, stderr } = draw();
  assert.is(status, 2);
  assert.match(stderr, /^usage: /);
});
