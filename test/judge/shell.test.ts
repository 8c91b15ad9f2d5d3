import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { repeated, shellWord } from '../../src/judge/shell.ts';
import { suite } from '../suite.ts';

const test = suite('commands for a shell');

for (const word of [
  '/srv/kata-1.0_x+y:z.img',
  '/srv/my image',
  '$(reboot)`x`;y',
  "it's",
  'a\nb',
  'ä',
  '-o',
  '',
  '*',
  '~',
]) {
  test(`a shell takes it for one word: ${JSON.stringify(word)}`, () => {
    const { stdout } = spawnSync('sh', ['-c', `printf '%s|' ${shellWord(word)}`], { encoding: 'utf8' });
    assert.is(stdout, `${word}|`);
  });
}

const rows: readonly [
  rule: string,
  commandLine: readonly string[] | null,
  parts: Parameters<typeof repeated>[1],
  expected: string | null,
][] = [
  ['as it was', ['apt', 'install', 'kata-runtime'], {}, 'apt install kata-runtime'],
  ['with an option behind the program', ['apt', 'upgrade'], { words: ['-o', 'A::B=C'] }, 'apt -o A::B=C upgrade'],
  ['with a variable before it', ['dpkg', '-i', 'a b.deb'], { variables: ['A=B'] }, "A=B dpkg -i 'a b.deb'"],
  ['nobody knows it', null, {}, null],
  ['nothing of it is known', [], {}, null],
  ['it names hundreds of files', ['dpkg', '-i', ...Array.from({ length: 100 }, (_, n) => `${n}.deb`)], {}, null],
  ['it may hold a password', ['apt', '-o', 'Acquire::http::Proxy=http://user:hunter2@proxy', 'upgrade'], {}, null],
  ['it holds what a terminal obeys', ['apt', 'install', 'x\u001b[2J'], {}, null],
];

for (const [rule, commandLine, parts, expected] of rows) {
  test(`a command line once more: ${rule}`, () => assert.is(repeated(commandLine, parts), expected));
}
