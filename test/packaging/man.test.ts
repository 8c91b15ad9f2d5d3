/** The manual page against what the program itself declares. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hookNames } from '../../src/hooks/names.ts';
import { findingKinds } from '../../src/judge/findings.ts';
import { managers } from '../../src/judge/managers.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the manual page');
const top = join(import.meta.dirname, '../..');
const program = [process.execPath, join(top, 'dist/kata-check.mjs')] as const;
const help = (...words: string[]): string => run(...program, ...words, '--help');

/** As it is installed. */
const page = (name: string): string =>
  run(join(top, 'packaging/man/page'), join(top, 'packaging/man', name), ...program);
const source = page('kata-check.8');

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

test('it names every finding with its severity', () => {
  assert.equal(
    [...source.matchAll(/^\.It (KC[0-9]+) \((\w+)\)$/gm)].map(([, code, severity]) => [code, severity]),
    findingKinds.map(({ code, severity }) => [code, severity]),
  );
});

test('it names the override of every package manager that can be stopped', () => {
  const overrides = source.slice(source.indexOf('.Sh OVERRIDES'), source.indexOf('.Sh JSON'));
  const stopped = managers.filter(({ canBeStopped }) => canBeStopped);
  assert.ok(stopped.length >= 4);
  for (const { name, allow } of stopped) assert.match(overrides, `\n.Li ${allow.words('KC101').join(' ')} `, name);
});

test('the page of the configuration names every key of it, and no other', () => {
  const configuration = page('kata-check.conf.5');
  const example = readFileSync(join(top, 'packaging/kata-check.conf'), 'utf8');
  const keys = [...example.matchAll(/^;((?:\[[a-z]+\])|(?:[a-z]+(?:\[\])?)(?= =))/gm)].map(([, key = '']) => key);
  const described = [
    ...[...configuration.matchAll(/^\.It Ic ([a-z]+(?:\[\])?) =/gm)].map(([, key]) => key),
    ...[...configuration.matchAll(/^\.Ss The section ([a-z]+)$/gm)].map(([, section]) => `[${section}]`),
  ];
  assert.equal(described.sort(), [...new Set(keys)].sort());
});

for (const name of ['kata-check.8', 'kata-check.conf.5']) {
  test(
    `${name}: mandoc has nothing to say against it`,
    () => {
      const path = join(temporaryFolder(), name);
      writeFileSync(path, page(name));
      // Which other pages are installed is the matter of this machine.
      const told = spawnSync('mandoc', ['-T', 'lint', path], { encoding: 'utf8' }).stdout.split('\n');
      assert.equal(
        told.filter((line) => !/referenced manual not found|outdated mandoc\.db|^$/.test(line)),
        [],
      );
    },
    { needs: ['mandoc'] },
  );
}
