/** README.md says what is so: its findings are the program's, and what it names is there. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { findingKinds } from '../../src/judge/findings.ts';
import { suite } from '../suite.ts';

const test = suite('README.md');
const top = join(import.meta.dirname, '../..');
const readme = readFileSync(join(top, 'README.md'), 'utf8');

test('its table of findings is that of the program', () => {
  const words = { block: 'blocks', warn: 'warns', info: 'a note' };
  const rows = [...readme.matchAll(/^\| (KC[0-9]+) \| ([\w ]+) \| (.+) \|$/gm)].map(([, ...cells]) => cells);
  assert.equal(
    rows,
    findingKinds.map(({ code, severity, title }) => [code, words[severity], title]),
  );
});

test('the files and folders of the project that it names are there', () => {
  const named = [...readme.matchAll(/[`(]((?:src|packaging|test|hooks|\.github)\/[\w./-]+)/g)].map(
    ([, path = '']) => path,
  );
  assert.ok(named.length > 30);
  for (const path of named) assert.ok(existsSync(join(top, path)), path);
});

test('each heading that it leads to is there', () => {
  const headings = [...readme.matchAll(/^## (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(' ', '-')
      .replace(/[^\w-]/g, ''),
  );
  const links = [...readme.matchAll(/\]\(#([^)]+)\)/g)].map(([, link = '']) => link);
  assert.ok(links.length >= 7);
  for (const link of links) assert.ok(headings.includes(link), link);
});
