/**
 * What the rooms of src/ may import: only from rooms below them, types too. Circles within a room, functions of more than 80 lines and
 * files of more than 400 are refused by the linter (.biome.json).
 */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder, writeTree } from './images.ts';
import { suite } from './suite.ts';

const test = suite('the house');
const sources = join(import.meta.dirname, '../src');

/** From top to bottom: a room, and the rooms that it may import from. judge and protocol are pure: they do not know the host. */
const rooms: readonly (readonly [room: string, below: readonly string[]])[] = [
  ['main.node.ts', ['cli.ts', 'commands', 'host']],
  ['main.quickjs.ts', ['cli.ts', 'commands', 'read', 'host']],
  ['cli.ts', ['commands', 'report', 'host']],
  [
    'commands',
    [
      'hook.ts',
      'hooks',
      'report',
      'check.ts',
      'config.ts',
      'defaults.ts',
      'judge',
      'state',
      'archive',
      'locate',
      'protocol',
      'read',
      'host',
    ],
  ],
  ['hook.ts', ['hooks', 'report', 'check.ts', 'config.ts', 'defaults.ts', 'judge', 'state', 'host']],
  ['hooks', ['report', 'check.ts', 'defaults.ts', 'judge', 'state', 'archive', 'locate', 'read', 'host']],
  ['report', ['check.ts', 'judge', 'state', 'locate', 'protocol', 'read', 'host']],
  ['check.ts', ['judge', 'state', 'host']],
  ['config.ts', ['defaults.ts', 'judge', 'state', 'host']],
  ['defaults.ts', ['judge', 'state', 'host']],
  ['judge', ['state', 'locate', 'protocol', 'read']],
  ['state', ['archive', 'locate', 'protocol', 'read', 'host']],
  ['archive', ['locate', 'read', 'host']],
  ['locate', ['protocol', 'read', 'host']],
  ['protocol', ['read']],
  ['read', ['host']],
  ['host', []],
];

/** Every room may import these two; they import nothing of the house. */
const ground = ['errors.ts', 'version.ts'];

/** What stands outside of the house, and who may go there. Packages that only compute are for everybody. */
const outside: readonly (readonly [what: RegExp, who: RegExp])[] = [
  [/^(?:node:.*|execa)$/, /^(?:host\/node|main\.node)\.ts$/],
  [/^(?:std|os|native)$/, /^(?:host\/quickjs.*|main\.quickjs)\.ts$/],
];

const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.d)\.ts$/.test(file));
const roomOf = (path: string): string => path.split('/', 1)[0] ?? '';

/** What a file imports, types and deferred imports too; files of src/ by their path below it. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(sources, file), 'utf8');
  return [...text.matchAll(/(?:^(?:import|export)\b[^;]*?\bfrom |^import |\bimport\()'([^']+)'/gm)].map(
    ([, from = '']) => (from.startsWith('.') ? join(dirname(file), from) : from),
  );
}

for (const file of files) {
  test(`${file} imports only what stands below it`, () => {
    const room = roomOf(file);
    const row = rooms.find(([name]) => name === room);
    assert.ok(row !== undefined || ground.includes(file), `src/${room} is no room of the table in test/house.test.ts`);
    for (const path of importsOf(file)) {
      const allowed = row === undefined ? [] : [room, ...row[1], ...ground];
      const rule = outside.find(([what]) => what.test(path));
      if (rule !== undefined)
        assert.match(
          file,
          rule[1],
          `src/${file} imports ${path}, which only the hosts may: everything else runs on both`,
        );
      else if (files.includes(path))
        assert.ok(
          allowed.includes(roomOf(path)) || (ground.includes(file) && ground.includes(path)),
          `src/${file} imports src/${path}, and ${room} may import from ${allowed.join(', ') || 'nothing'} only: a room knows ` +
            'nothing of the rooms above it. Move what both need down, or hand it in as an argument.',
        );
    }
  });
}

test('the table itself goes downward, and names rooms that are there', () => {
  const names = rooms.map(([room]) => room);
  for (const [index, [room, below]] of rooms.entries()) {
    assert.ok(
      files.some((file) => roomOf(file) === room),
      `there is no ${room} in src/`,
    );
    for (const other of below) assert.ok(names.indexOf(other) > index, `${room} stands below ${other} in the table`);
  }
});

/** Node.js has these, and QuickJS has not; packages that are bundled may want them, too. */
const ofNodeAlone =
  /\b(?:TextEncoder|TextDecoder|Buffer|structuredClone|atob|btoa|URL|AbortController|setImmediate)\b\s*[(.]/;
const quickjs = join(sources, '../dist/quickjs');

test(
  'the native form names nothing that QuickJS has not',
  () => {
    const bundled = readdirSync(quickjs).filter((name) => name.endsWith('.mjs'));
    assert.ok(bundled.length > 10);
    for (const name of bundled) assert.not.match(readFileSync(join(quickjs, name), 'utf8'), ofNodeAlone, name);
  },
  { needs: [quickjs] },
);

test('imports of every form are seen', () => {
  assert.ok(importsOf('main.node.ts').includes('host/node.ts'), 'of a value');
  assert.ok(importsOf('check.ts').includes('state/node.ts'), 'of a type');
  assert.ok(importsOf('commands/table.ts').includes('commands/check.ts'), 'deferred');
});

test('the linter refuses a circle, of types too, and a long function and file, but not in the readers and hosts', () => {
  const lines = (count: number): string => 'x += 1;\n'.repeat(count);
  const long = `export function f(): number {\nlet x = 0;\n${lines(90)}return x;\n}\n`;
  const folder = writeTree(temporaryFolder(), {
    '.biome.json': readFileSync(join(sources, '../.biome.json'), 'utf8'),
    'src/judge/function.ts': long,
    'src/judge/file.ts': `let x = 0;\n${lines(410)}`,
    'src/judge/one.ts': "import type { Other } from './other.ts';\nexport interface One { other: Other }\n",
    'src/judge/other.ts': "import type { One } from './one.ts';\nexport interface Other { one: One }\n",
    'src/read/function.ts': long,
  });
  const biome = join(sources, '../node_modules/.bin/biome');
  const { stdout, stderr } = spawnSync(biome, ['lint', '--vcs-enabled=false', '.'], { cwd: folder, encoding: 'utf8' });
  const refused = [
    ...(stdout + stderr).matchAll(/^src\/(\S+\.ts):\S+ lint\/\w+\/(no(?:ExcessiveLines|ImportCycles)\w*)/gm),
  ];
  assert.equal(refused.map(([, file, rule]) => `${file} ${rule}`).sort(), [
    'judge/file.ts noExcessiveLinesPerFile',
    'judge/function.ts noExcessiveLinesPerFunction',
    'judge/one.ts noImportCycles',
    'judge/other.ts noImportCycles',
  ]);
});
