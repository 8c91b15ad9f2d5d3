import { type ChildProcess, spawn } from 'node:child_process';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import { type Form, forms, kataCheck, kataCheckInShell } from './program.ts';

const test = suite('kata-check hook zypper');

const frame = (command: string, body = ''): string => `${command}\ncontent-length:${body.length}\n\n${body}\0`;
const commit = (...steps: readonly [type: string, name: string][]): string =>
  JSON.stringify({
    TransactionStepList: steps.map(([type, n]) => ({ type, solvable: { n, v: '1.1.0', r: '1', a: 'noarch' } })),
  });
const ack = 'ACK\n\n\0';

/** Sends each frame when the one before is acknowledged, as libzypp does, and closes at the end. */
function talk(
  form: Form,
  frames: readonly string[],
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const [program, ...first] = form.argv;
  const child: ChildProcess = spawn(program, [...first, 'hook', 'zypper'], {
    env: { PATH: '/usr/bin:/bin' },
    timeout: 60_000,
  });
  const waiting = [...frames];
  let [stdout, stderr] = ['', ''];
  const next = (): void => {
    const sent = waiting.shift();
    if (sent === undefined) child.stdin?.end();
    else child.stdin?.write(sent);
  };
  child.stdin?.on('error', () => {});
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk;
    if (stdout.endsWith(ack)) next();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  next();
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

const whole = (body: string): string[] => [
  frame('PLUGINBEGIN'),
  frame('COMMITBEGIN', body),
  frame('COMMITEND', body),
  frame('PLUGINEND'),
  frame('_DISCONNECT'),
];

for (const form of forms) {
  test(
    `${form.name}: each frame is acknowledged, and nothing else is on standard output`,
    async () => {
      const frames = whole(commit(['+', 'vim'], ['-', 'emacs']));
      assert.equal(await talk(form, frames), { status: 0, stdout: ack.repeat(frames.length), stderr: '' });
      const noCommit = [frame('PLUGINBEGIN'), frame('PLUGINEND'), frame('_DISCONNECT')];
      assert.equal(await talk(form, noCommit), { status: 0, stdout: ack.repeat(3), stderr: '' });
    },
    form,
  );

  test(
    `${form.name}: it ends when zypper does, wherever that is`,
    async () => {
      const frames = whole(commit(['+', 'vim']));
      for (let count = 1; count < frames.length; count += 1) {
        const { status, stdout } = await talk(form, frames.slice(0, count));
        assert.equal([status, stdout], [0, ack.repeat(count)]);
      }
      assert.equal(kataCheck(form, ['hook', 'zypper']), { status: 0, stdout: '', stderr: '' });
      const broken = kataCheck(form, ['hook', 'zypper'], { input: `${frame('PLUGINBEGIN')}COMMITBEGIN\n\n{` });
      assert.equal([broken.status, broken.stdout], [0, ack]);
    },
    form,
  );

  test(
    `${form.name}: many steps in one commit`,
    async () => {
      const steps = Array.from({ length: 6000 }, (_, index): [string, string] => ['+', `package-${index}`]);
      const frames = whole(commit(...steps));
      assert.equal(await talk(form, frames), { status: 0, stdout: ack.repeat(frames.length), stderr: '' });
    },
    form,
  );

  test(
    `${form.name}: what goes wrong ends it`,
    async () => {
      const { status, stdout, stderr } = await talk(form, [frame('PLUGINBEGIN'), frame('COMMITBEGIN', '{}')]);
      assert.equal([status, stdout], [1, ack]);
      assert.match(stderr, /^kata-check: zypper's commit: TransactionStepList is no list/);
      // Node.js opens /dev/null in the place of a closed descriptor, which has an end.
      const closed = kataCheckInShell(form, '"$@" hook zypper <&-');
      assert.ok(closed.status === 0 || closed.status === 1);
      assert.is(closed.stdout, '');
      assert.is(kataCheck(form, ['hook', 'zypper', 'x']).status, 2);
      const off = kataCheck(form, ['hook', 'zypper'], { env: { KATA_CHECK_MODE: 'off' } });
      assert.equal(off, { status: 0, stdout: '', stderr: '' });
    },
    form,
  );
}
