import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { forms, kataCheck } from '../e2e/program.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('completion');
const folder = temporaryFolder();

function script(shell: string): string {
  const [node] = forms;
  assert.ok(node);
  const { status, stdout } = kataCheck(node, ['completion', shell]);
  assert.is(status, 0);
  const file = join(folder, shell);
  writeFileSync(file, stdout);
  return file;
}

const words: readonly [rule: string, typed: readonly string[], expected: RegExp][] = [
  ['a command', ['ima'], /^image$/m],
  ['an option', ['--requ'], /^--requires$/m],
  ['the values of an option', ['--mode', ''], /^block\nwarn\noff$/m],
  ['the codes', ['--allow', 'KC10'], /^KC101$/m],
  ['the options of a command', ['image', '--de'], /^--deep$/m],
  ['the words of a command', ['hook', ''], /^apt$/m],
  ['the shells', ['completion', 'z'], /^zsh$/m],
];

for (const [rule, typed, expected] of words) {
  test(`bash completes ${rule}`, () => {
    const list = typed.map((word) => `'${word}'`).join(' ');
    const code = `source ${script('bash')}; COMP_WORDS=(kata-check ${list}); COMP_CWORD=${typed.length}; _kata_check; printf '%s\\n' "\${COMPREPLY[@]}"`;
    assert.match(execFileSync('/bin/bash', ['-c', code], { encoding: 'utf8' }), expected);
  });
}

test(
  'fish completes values and commands',
  () => {
    const complete = (line: string): string =>
      execFileSync('fish', ['--no-config', '-c', `source ${script('fish')}; complete -C ${JSON.stringify(line)}`], {
        encoding: 'utf8',
      });
    assert.match(complete('kata-check --mode '), /^warn\t/m);
    assert.match(complete('kata-check ex'), /^explain\t/m);
    assert.match(complete('kata-check explain KC'), /^KC101/m);
  },
  { needs: ['fish'] },
);

test('zsh takes the script', () => void execFileSync('zsh', ['-n', script('zsh')]), { needs: ['zsh'] });
