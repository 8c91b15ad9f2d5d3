import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { askProgram, versionInFile, versionInOutput } from '../../src/locate/runtimes.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the version that a runtime tells');
const host = createNodeHost();
const folder = temporaryFolder();
chmodSync(folder, 0o755);
const commit = '0123456789abcdef0123456789abcdef01234567';

const outputs: readonly [rule: string, output: string, expected: string | null][] = [
  ['kata-runtime', `kata-runtime  : 3.6.0\n   commit   : ${commit}\n   OCI specs: 1.1.0+dev\n`, '3.6.0'],
  [
    'kata-runtime of a candidate',
    `kata-runtime  : 2.0.0-rc1\n   commit   : ${commit}-dirty\n   OCI specs: 1.0.1-dev\n`,
    '2.0.0-rc1',
  ],
  [
    'the shim in Go',
    `Kata Containers containerd shim: id: "io.containerd.kata.v2", version: 2.5.0-alpha2, commit: ${commit}\n`,
    '2.5.0-alpha2',
  ],
  [
    'the shim in Rust',
    `Kata Containers containerd shim (Rust): id: io.containerd.kata.v2, version: 3.31.0, commit: ${commit}\n`,
    '3.31.0',
  ],
  ['warnings in front', 'WARN[0000] something\nkata-runtime  : 3.6.0\n', '3.6.0'],
  ['the specifications of OCI are no version of Kata', '   OCI specs: 1.1.0+dev\n', null],
  ['a word is what it is: the version is judged elsewhere', 'kata-runtime  : unknown\n', 'unknown'],
  ['nothing', '', null],
  ['another program', 'runc version 1.1.5\ncommit: v1.1.5\nspec: 1.0.2-dev\n', null],
  ['a megabyte of blanks', `kata-runtime${' '.repeat(1 << 20)}x`, null],
];

for (const [rule, output, expected] of outputs) {
  test(`in its output: ${rule}`, () => {
    assert.is(versionInOutput(output), expected);
  });
}

let count = 0;

interface Script {
  readonly text?: string;
  readonly mode?: number;
  readonly owner?: number;
}

const says = 'echo "kata-runtime  : 3.6.0"';

/** A program that leaves a mark when it is run. */
function script({ text = says, mode = 0o755, owner }: Script): { path: string; wasRun: () => boolean } {
  count += 1;
  const path = join(folder, `program-${count}`);
  writeFileSync(path, `#!/bin/sh\necho "$@" >${path}.run\n${text}\n`);
  chmodSync(path, mode);
  if (owner !== undefined) chownSync(path, owner, owner);
  return { path, wasRun: () => existsSync(`${path}.run`) };
}

const soon = (): number => host.now() + 60_000;
const as = (userId: number): Host => ({ ...rootedHost(host, ''), userId });

const programs: readonly [rule: string, program: Script, expected: string | null, wasRun: boolean][] = [
  ['it tells', {}, '3.6.0', true],
  ['its status does not matter', { text: `${says}; exit 1` }, '3.6.0', true],
  ['a program that tells nothing', { text: 'exit 0' }, null, true],
  ['one that tells it as an error', { text: `${says} >&2` }, null, true],
  ['one that tells too much', { text: `yes | head -c 100000; ${says}` }, null, true],
  ['one that may not be executed', { mode: 0o644 }, null, false],
];

for (const [rule, program, expected, wasRun] of programs) {
  test(`asked: ${rule}`, async () => {
    const made = script(program);
    assert.is(await askProgram(as(1000), made.path, soon()), expected);
    assert.is(made.wasRun(), wasRun);
    if (wasRun) assert.is(readFileSync(`${made.path}.run`, 'utf8'), '--version\n');
  });
}

const trusted: readonly [rule: string, program: Script, wasRun: boolean][] = [
  ["root's own", { mode: 0o755, owner: 0 }, true],
  ["root's, for root alone", { mode: 0o700, owner: 0 }, true],
  ["somebody else's", { owner: 1000 }, false],
  ['writable by a group', { mode: 0o775, owner: 0 }, false],
  ['writable by all', { mode: 0o757, owner: 0 }, false],
];

for (const [rule, program, wasRun] of trusted) {
  test(
    `as root, ${rule}: ${wasRun ? 'run' : 'not run'}`,
    async () => {
      for (const isLinked of [false, true]) {
        const made = script(program);
        const path = isLinked ? `${made.path}.link` : made.path;
        if (isLinked) symlinkSync(made.path, path);
        assert.is(await askProgram(host, path, soon()), wasRun ? '3.6.0' : null);
        assert.is(made.wasRun(), wasRun);
      }
    },
    { needs: ['root'] },
  );
}

test('what is no program is not run, and no error', async () => {
  mkdirSync(join(folder, 'directory'));
  symlinkSync('none', join(folder, 'dangling'));
  symlinkSync('loop', join(folder, 'loop'));
  writeFileSync(join(folder, 'no-format'), 'text', { mode: 0o755 });
  for (const name of ['none', 'directory', 'dangling', 'loop', 'no-format', 'directory/x'])
    assert.is(await askProgram(as(1000), join(folder, name), soon()), null, name);
});

test(
  'a program that never ends is not waited for',
  async () => {
    const made = script({ text: `${says}; sleep 1000` });
    assert.is(await askProgram(as(1000), made.path, host.now() + 300), null);
    assert.is(await askProgram(as(1000), made.path, host.now() - 1), null);
    // Its own patience is shorter than what is left of the whole.
    assert.is(await askProgram(as(1000), made.path, host.now() + 1_000_000), null);
  },
  { timeout: 60 },
);

const files: readonly [rule: string, content: string | null, expected: string | null][] = [
  ['a line', '3.21.0\n', '3.21.0'],
  ['without an end', ' 3.21.0', '3.21.0'],
  ['a word is what it is', 'unknown', 'unknown'],
  ['two words are no version', '3.21.0 or so', null],
  ['nothing', '', null],
  ['more than a version has', 'x'.repeat(5000), null],
  ['no file', null, null],
];

for (const [rule, content, expected] of files) {
  test(`in a file: ${rule}`, () => {
    const path = join(folder, 'VERSION');
    if (content !== null) writeFileSync(path, content);
    assert.is(versionInFile(host, content === null ? join(folder, 'NONE') : path), expected);
  });
}
