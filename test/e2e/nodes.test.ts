import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { makeNode, sampleNodes } from './nodes.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('sample nodes');
const expectations = join(import.meta.dirname, '../fixtures/nodes');

const roots = new Map<string, string>();

function rootOf(name: string): string {
  const root = roots.get(name) ?? makeNode(name);
  roots.set(name, root);
  return root;
}

/** What a person sees of a node in a terminal, with NODE in place of its folder. */
function transcript(form: (typeof forms)[number], name: string): string {
  const root = rootOf(name);
  const parts = [`# ${sampleNodes[name]?.title}`, ''];
  for (const options of [[], ['--json']]) {
    const { stdout, stderr, status } = kataCheck(form, ['--root', root, ...options]);
    const command = ['$ kata-check --root NODE', ...options].join(' ');
    // No two filesystems that mkfs makes have the same root hash.
    const text = stdout
      .replaceAll(root, 'NODE')
      .replace(/\b[0-9a-f]{64}\b/g, 'ROOT-HASH')
      .replace(/(?<="name": "kata-check",\s+"version": ")[^"]+/, 'VERSION');
    parts.push(command, text.trimEnd());
    if (stderr !== '') parts.push('stderr:', stderr.replaceAll(root, 'NODE').trimEnd());
    parts.push(`exit status ${status}`, '');
  }
  return parts.join('\n');
}

for (const [name, node] of Object.entries(sampleNodes)) {
  for (const form of forms) {
    test(
      `${form.name}: ${name}: ${node.title}`,
      () => {
        const file = join(expectations, `${name}.txt`);
        const actual = transcript(form, name);
        // KATA_CHECK_RECORD=1 writes what is said now, to be read by a person before it is committed.
        if (process.env.KATA_CHECK_RECORD === '1') {
          mkdirSync(expectations, { recursive: true });
          writeFileSync(file, actual);
        }
        assert.fixture(actual, readFileSync(file, 'utf8'));
      },
      { needs: [...form.needs, 'mkfs.ext4', ...(node.needs ?? [])] },
    );
  }
}

/** What is there to be copied, and stays whole: a path, a root hash, a command. */
const toCopy = /^(?:\/\S+|[0-9a-f]{64}|kata-check image \S+|diff \S+ \S+)$/;

test('every text is for a terminal of 80 columns, but for headings, and what is there to be copied', () => {
  for (const name of Object.keys(sampleNodes)) {
    const file = readFileSync(join(expectations, `${name}.txt`), 'utf8');
    const text = file.slice(file.indexOf('$ kata-check'), file.indexOf('exit status'));
    assert.ok(text.split('\n').length > 5, name);
    for (const line of text.split('\n')) {
      // Behind a label the value begins in column 15, a note goes on in column 3.
      const isToCopy = toCopy.test(line.slice(14)) || toCopy.test(line.trim());
      const isHeading = /^kata-check: [a-z0-9 ]+ \[KC\d{3}\]: /.test(line);
      assert.ok(line.length <= 80 || isToCopy || isHeading, `${name}: ${line}`);
      assert.not.match(line, /\s$/, name);
    }
  }
});

test('every expectation belongs to a node', () => {
  assert.equal(
    readdirSync(expectations).sort(),
    Object.keys(sampleNodes)
      .map((name) => `${name}.txt`)
      .sort(),
  );
});

/** What a system call names: its path, or its program. */
interface Call {
  readonly call: string;
  readonly path: string;
  readonly line: string;
}

function traced(argv: readonly string[]): Call[] {
  const log = join(temporaryFolder(), 'strace');
  const { error } = spawnSync(
    'strace',
    ['-f', '-qq', '-s', '4096', '-e', 'trace=execve,openat,open', '-o', log, ...argv],
    {
      // Said to be empty, as Node.js would hand it on otherwise, and the coverage be written where nothing may be opened.
      env: { PATH: '/usr/bin:/bin', NODE_V8_COVERAGE: '' },
      timeout: 60_000,
    },
  );
  if (error !== undefined) throw error;
  return readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^\d+ +(execve|openat|open)\((?:AT_FDCWD, )?"([^"]*)"/.exec(line);
      return match === null || / = -1 /.test(line) ? [] : [{ call: match[1] ?? '', path: match[2] ?? '', line }];
    });
}

/** What every program of a system opens, and nothing of Kata: libraries, the runtime's own devices, the kernel's files; and our own record. */
const own =
  /^\/(lib|lib64|usr\/lib|usr\/lib64|dev|proc|sys)\/|^\/etc\/(ld\.so|ssl|nsswitch|passwd|dpkg\/dpkg\.cfg)|^\/usr\/(share|local)\/(locale|lib)|^\/run\/kata-check\/last\.json$/;

for (const form of forms) {
  test(
    `${form.name}: below --root nothing is executed, and outside of it nothing is opened but the program itself`,
    () => {
      const root = rootOf('beside');
      const calls = traced([...form.argv, '--root', root]);
      const programs = calls.filter(({ call }) => call === 'execve').map(({ path }) => path);
      assert.equal(
        programs.filter((path) => path.startsWith(root)),
        [],
      );
      // The question to the root's own package database, by the system's program, in a process group of its own.
      const asked = new Set(programs.slice(1).filter((path) => path !== '/usr/bin/setsid'));
      assert.equal([...asked], ['/usr/bin/dpkg-query']);
      const opened = calls.filter(({ call }) => call !== 'execve').map(({ path }) => path);
      assert.ok(opened.some((path) => path === join(root, '/opt/kata/share/kata-containers/kata-ubuntu-noble.image')));
      const outside = opened.filter(
        (path) => !path.startsWith(`${root}/`) && path !== root && !form.argv.includes(path) && !own.test(path),
      );
      assert.equal(outside, []);
      for (const path of [
        '/usr/bin/kata-runtime',
        '/opt/kata/bin/kata-runtime',
        '/opt/kata/bin/containerd-shim-kata-v2',
      ])
        assert.not(existsSync(join(root, `${path}.was-run`)), path);
    },
    { needs: [...form.needs, 'strace', 'mkfs.ext4', 'dpkg-query'] },
  );
}

test(
  'the stand-ins do leave a mark when they are run',
  () => {
    const program = join(rootOf('beside'), '/usr/bin/kata-runtime');
    spawnSync(program);
    assert.ok(existsSync(`${program}.was-run`));
  },
  { needs: ['mkfs.ext4'] },
);
