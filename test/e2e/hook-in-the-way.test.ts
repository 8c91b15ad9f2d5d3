/** A hook is never in the way: whatever the world is like, it says what it has to say, ends, and leaves no child behind. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { endlessDeb } from '../debs.ts';
import { guestTree, run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { aptInput, type Form, forms, inOwnRun, runtimeStep as runtime, sampleNode } from './program.ts';

const test = suite('a hook that is never in the way');
const folder = temporaryFolder();
const input = join(folder, 'input');
writeFileSync(input, aptInput([runtime]));
const large = join(folder, 'large');
writeFileSync(
  large,
  aptInput(
    [
      ...Array.from({ length: 200 }, (_, index) => ({
        ...runtime,
        name: `lib${index}`,
        what: `/x/lib${index}_2_all.deb`,
      })),
      runtime,
    ],
    Array.from({ length: 6000 }, (_, index) => `Dir::Some::Option::Number${index}=/var/lib/something/${index}%20x`),
  ),
);

interface Case {
  readonly rule: string;
  /** Shell in which `"$@"` is the hook, and $INPUT what apt says. */
  readonly script: string;
  readonly status: number;
  readonly said?: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  /** Shell before it, with an own /run. */
  readonly prepare?: string;
  readonly needs?: readonly string[];
}

const plain = '"$@" < "$INPUT"';
const stopped = /stopped apt \[KC101\]: /;
const root = ['root', 'unshare'];
const cases: readonly Case[] = [
  { rule: '6,000 lines of configuration', script: '"$@" < "$LARGE"', status: 10, said: stopped },
  { rule: 'no PATH', script: 'PATH=; export PATH; "$@" < "$INPUT"', status: 10, said: stopped },
  { rule: 'an empty environment', script: 'env -i APT_HOOK_INFO_FD=0 "$@" < "$INPUT"', status: 10, said: stopped },
  { rule: 'no terminal', script: 'setsid -w "$@" < "$INPUT"', status: 10, said: stopped, needs: ['setsid'] },
  {
    rule: "PackageKit's terminal: nothing is asked",
    script: `script -qec "$(printf "'%s' " "$@") 20< '$INPUT'" /dev/null < /dev/null`,
    status: 10,
    env: { APT_HOOK_INFO_FD: '20', DEBIAN_FRONTEND: 'noninteractive', SHELL: '/bin/bash' },
    needs: ['script'],
  },
  {
    rule: 'closed standard input and output',
    script: '"$@" 20< "$INPUT" <&- >&-',
    status: 10,
    said: stopped,
    env: { APT_HOOK_INFO_FD: '20' },
  },
  { rule: 'closed standard error', script: '"$@" < "$INPUT" 2>&-', status: 10 },
  { rule: 'everything closed', script: '"$@" 20< "$INPUT" <&- >&- 2>&-', status: 10, env: { APT_HOOK_INFO_FD: '20' } },
  { rule: 'standard error that nobody reads', script: '"$@" < "$INPUT" 2> >(exec true)', status: 10 },
  { rule: 'a full standard error', script: '"$@" < "$INPUT" 2> /dev/full', status: 10 },
  {
    rule: 'a manager that closes the pipe in the middle of a line',
    script: 'head -c 60 "$INPUT" | "$@"',
    status: 1,
    said: /no empty line/,
  },
  { rule: 'a manager that says nothing', script: '"$@" < /dev/null', status: 0, said: /^$/ },
  {
    rule: 'an /run that is read-only',
    script: plain,
    status: 10,
    said: stopped,
    prepare: 'mount -o remount,ro /run',
    needs: root,
  },
  {
    rule: 'an /run that is full',
    script: `${plain}; status=$?; ls -A /run/kata-check; exit $status`,
    status: 10,
    said: stopped,
    prepare: 'mount -o remount,size=16k /run && { head -c 1M /dev/zero > /run/fill || :; } 2> /dev/null',
    needs: root,
  },
  {
    rule: 'a file where its folder would be',
    script: plain,
    status: 10,
    said: stopped,
    prepare: ': > /run/kata-check',
    needs: root,
  },
  {
    rule: 'a folder that somebody else owns',
    script: plain,
    status: 10,
    said: stopped,
    prepare: 'install -d -o 65534 /run/kata-check',
    needs: root,
  },
  {
    rule: 'no logger',
    script: plain,
    status: 10,
    said: stopped,
    prepare: 'mount --bind /dev/null /usr/bin/logger',
    needs: [...root, '/usr/bin/logger'],
  },
  {
    rule: 'a logger that hangs',
    script: plain,
    status: 10,
    said: stopped,
    prepare: `printf '#!/bin/sh\\nsleep 600 & sleep 600\\n' > /run/logger && chmod 755 /run/logger && mount --bind /run/logger /usr/bin/logger`,
    needs: [...root, '/usr/bin/logger'],
  },
];

/** Ends when every process that holds its output has ended, too. */
function shell(
  form: Form,
  { script, env = {}, prepare }: Case,
): { status: number | null; stderr: string; stdout: string } {
  const [command = '', ...argv] = inOwnRun(
    ['/bin/bash', '--norc', '-c', script, 'bash', ...form.argv, 'hook', 'apt'],
    prepare,
  );
  const { status, stderr, stdout, error } = spawnSync(command, argv, {
    encoding: 'utf8',
    input: '',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', APT_HOOK_INFO_FD: '0', INPUT: input, LARGE: large, ...env },
    timeout: 60_000,
  });
  if (error !== undefined) throw error;
  return { status, stderr, stdout };
}

for (const form of forms) {
  for (const entry of cases) {
    test(
      `${form.name}: ${entry.rule}`,
      () => {
        const { status, stderr } = shell(form, entry);
        assert.match(stderr, entry.said ?? /(?:)/);
        assert.is(status, entry.status, stderr);
      },
      { needs: [...form.needs, ...(entry.needs ?? [])] },
    );
  }

  test(
    `${form.name}: NODE_OPTIONS that Node.js does not take`,
    () => {
      const { status } = shell(form, {
        rule: '',
        script: plain,
        status: 0,
        env: { NODE_OPTIONS: '--require /nope.js' },
      });
      // Of a Node.js that does not begin nothing can be expected, but that it is no block.
      assert.is(status === 10, form.name === 'native');
      assert.is.not(status, 11);
    },
    form,
  );

  test(
    `${form.name}: a decompressor that does not work leaves an image unread, and that is said`,
    () => {
      const node = join(temporaryFolder(), 'node');
      cpSync(sampleNode, node, { recursive: true });
      const initrd = '/usr/share/kata-containers/kata-containers.initrd';
      const tree = writeTree(join(node, '../tree'), guestTree('1.0.0'));
      // Of bzip2 there is no library that either form takes.
      run('sh', '-c', `cd '${tree}' && find . | cpio --quiet -o -H newc | bzip2 > '${node}${initrd}'`);
      // The administrator's own, as the incoming runtime brings a configuration below /usr that names another image.
      writeTree(node, { '/etc/kata-containers/configuration.toml': `[hypervisor.qemu]\ninitrd = "${initrd}"\n` });
      const file = join(node, '../input');
      writeFileSync(file, aptInput([runtime], [], node));
      const read = shell(form, { rule: '', script: plain, status: 10, env: { INPUT: file } });
      assert.match(read.stderr, stopped);
      assert.is(read.status, 10, read.stderr);
      const prepare = 'touch /run/none && mount --bind /run/none /usr/bin/bzip2';
      const { status, stderr } = shell(form, { rule: '', script: plain, status: 0, prepare, env: { INPUT: file } });
      assert.match(stderr, /warning \[KC202\]: /);
      assert.is(status, 0, stderr);
    },
    { needs: [...form.needs, ...root, 'cpio', '/usr/bin/bzip2'] },
  );

  test(
    `${form.name}: an input that never ends is left at the deadline, and is no block`,
    async () => {
      const [program, ...args] = form.argv;
      const child = spawn(program, [...args, 'hook', 'apt'], {
        env: { PATH: '/usr/bin:/bin', APT_HOOK_INFO_FD: '0' },
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      child.stdin?.write('VERSION 3\n');
      let said = '';
      child.stderr?.on('data', (text) => {
        said += text;
      });
      const [status] = await once(child, 'close');
      assert.match(said, /did not end before the deadline/);
      assert.is(status, 1);
    },
    { needs: form.needs, timeout: 60, isLong: true },
  );

  test(
    `${form.name}: SIGINT ends it, and what it runs, at once`,
    async () => {
      const node = join(temporaryFolder(), 'node');
      cpSync(sampleNode, node, { recursive: true });
      const mark = join(node, '../began');
      const file = join(node, '../input');
      // dpkg-deb is busy with it for longer than the deadline.
      const deb = endlessDeb(join(node, '..'), { name: 'kata-other', version: '1.1.0-1' }, { path: './x' });
      writeFileSync(file, aptInput([{ name: 'kata-other', old: null, next: '1.1.0-1', what: deb }], [], node));
      const script = `"$@" < '${file}' & pid=$!; echo $pid > '${mark}'; wait $pid; echo "ended with $?"`;
      const child = spawn('/bin/bash', ['-m', '-c', script, 'bash', ...form.argv, 'hook', 'apt'], {
        env: { PATH: '/usr/bin:/bin', APT_HOOK_INFO_FD: '0' },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let said = '';
      child.stdout?.on('data', (text) => {
        said += text;
      });
      const closed = once(child, 'close');
      const pid = await whenWritten(mark);
      await untilItRuns(pid, 'dpkg-deb');
      process.kill(pid, 'SIGINT');
      await closed;
      assert.match(said, /^ended with 130$/m);
      // A kill takes its time; a program that was left would wait for ever.
      while (isUsed(deb)) await pause();
    },
    { needs: [...form.needs, 'dpkg-deb', 'pgrep'], timeout: 60 },
  );
}

async function whenWritten(file: string): Promise<number> {
  for (;;) {
    try {
      const pid = Number(readFileSync(file, 'utf8'));
      if (pid > 0) return pid;
    } catch {
      // Not yet.
    }
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

async function untilItRuns(parent: number, name: string): Promise<void> {
  const isThere = (): boolean =>
    spawnSync('pgrep', ['-P', `${parent}`, '-f', name], { encoding: 'utf8' }).stdout.trim() !== '';
  while (!isThere()) await pause();
}

function isUsed(path: string): boolean {
  return spawnSync('pgrep', ['-f', path]).status === 0;
}
