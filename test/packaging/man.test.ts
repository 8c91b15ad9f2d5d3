/** The manual page against what the program itself declares. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hookNames } from '../../src/hooks/names.ts';
import { findingKinds } from '../../src/judge/findings.ts';
import { run } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the manual page');
const page = join(import.meta.dirname, '../../packaging/man/kata-check.8');
const source = readFileSync(page, 'utf8');
const help = (...words: string[]): string =>
  run(process.execPath, join(import.meta.dirname, '../../dist/kata-check.mjs'), ...words, '--help');

test('it names every command, and no other', () => {
  const declared = [...help().matchAll(/^ {2}kata-check ([a-z]+) /gm)].map(([, name]) => name);
  const described = [...source.slice(source.indexOf('.Ss Commands')).matchAll(/^\.It Cm ([a-z]+)$/gm)];
  assert.ok(declared.length >= 5);
  assert.equal(described.map(([, name]) => name).sort(), declared.sort());
});

test('it names every option, and no other', () => {
  const commands = ['', 'image', 'hook', 'protocol', 'explain', 'completion'];
  const declared = commands.flatMap((name) => help(...(name === '' ? [] : [name])).match(/(?<= )--[a-z]+/g) ?? []);
  const described = [...source.matchAll(/\bFl -([a-z]+)/g)].map(([, name]) => `--${name}`);
  assert.equal([...new Set(described)].sort(), [...new Set(declared)].sort());
});

test('it names every hook', () => {
  const listed = /^\.Ar NAME\nis one of\n\.Cm (.+) \.$/m.exec(source)?.[1]?.split(' , ');
  assert.equal(listed?.sort(), [...hookNames].sort());
});

test('it names every finding that blocks by default, and no other', () => {
  const blocking: string[] = findingKinds.filter(({ severity }) => severity === 'block').map(({ code }) => code);
  assert.equal(
    [...source.matchAll(/^\.It (KC[0-9]+)$/gm)].map(([, code]) => code),
    blocking.sort(),
  );
});

test('it names every key of the configuration', () => {
  const example = readFileSync(join(import.meta.dirname, '../../packaging/kata-check.conf'), 'utf8');
  const keys = [...example.matchAll(/^;((?:\[[a-z]+\])|(?:[a-z]+(?:\[\])?)(?= =))/gm)].map(([, key = '']) => key);
  assert.ok(keys.includes('[requires]') && keys.includes('deadline'));
  for (const key of keys) assert.ok(source.includes(key), key);
});

test(
  'it is well formed',
  () => {
    const told = run('mandoc', '-T', 'lint', '-W', 'warning', page);
    assert.is(told, '');
  },
  { needs: ['mandoc'] },
);
