import { type ChildProcess, spawn } from 'node:child_process';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import { type Form, forms, kataCheck, kataCheckInShell, sampleNode } from './program.ts';

const test = suite('kata-check hook dnf5');

type Row = Readonly<Record<string, string>>;
interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
  /** The messages of `stop`. */
  readonly stops: readonly string[];
  /** Lines of standard output that are no request. */
  readonly strange: readonly string[];
}
interface Dnf5 {
  readonly rows: readonly Row[];
  readonly vars?: Row;
  readonly installroot?: string;
  readonly env?: Row;
  /** Behind `hook dnf5`. */
  readonly args?: readonly string[];
  /** Instead of the reply; null is none, and the conversation stays open. */
  readonly say?: (usual: string, domain: string) => string | null;
}

/** The other end of the conversation, as the plugin of dnf 5 holds it. */
function talk(
  form: Form,
  { rows, vars = {}, installroot = sampleNode, env = {}, args: behind = [], say }: Dnf5,
): Promise<Outcome> {
  const [program, ...first] = form.argv;
  const child: ChildProcess = spawn(program, [...first, 'hook', 'dnf5', ...behind], {
    env: { PATH: '/usr/bin:/bin', ...env },
    cwd: '/',
    timeout: 60_000,
  });
  const stops: string[] = [];
  const strange: string[] = [];
  const conf: Row = { installroot, cachedir: '/nowhere', 'lab.baseurl': 'http://mirror/' };
  const keysOf = (values: Row, pattern: string): string[] =>
    Object.keys(values).filter((key) => key === pattern || (pattern.startsWith('*') && key.endsWith(pattern.slice(1))));
  const answer = (line: string): void => {
    let request: { op?: string; domain?: string; args?: { key?: string; name?: string; message?: string } };
    try {
      request = JSON.parse(line);
    } catch {
      strange.push(line);
      return;
    }
    const { op, domain = '', args } = request;
    if (op === 'stop') {
      stops.push(args?.message ?? '');
      return;
    }
    if (op !== 'get') strange.push(line);
    const returned: Record<string, unknown> = {
      trans_packages: { trans_packages: rows },
      conf: { keys_val: keysOf(conf, args?.key ?? '').map((key) => ({ key, value: conf[key] })) },
      vars: { vars: Object.entries(vars).map(([name, value]) => ({ name, value })) },
    };
    const usual = JSON.stringify({ op: 'reply', requested_op: 'get', domain, return: returned[domain], status: 'OK' });
    const said = say === undefined ? usual : say(usual, domain);
    if (said !== null) child.stdin?.write(`${said}\n`);
  };
  let [rest, stderr] = ['', ''];
  child.stdin?.on('error', () => {});
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(answer);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({ status, stderr, stops, strange: rest === '' ? strange : [...strange, rest] }),
    );
  });
}

const row = (direction: 'IN' | 'OUT', action: string, name: string, evr: string): Row => ({
  direction,
  action,
  name,
  arch: 'noarch',
  evr,
  repo_id: direction === 'IN' ? 'lab' : '@System',
  location: direction === 'IN' ? `${name}-${evr}.noarch.rpm` : '',
});
const upgrade = (name: string, next: string): Row[] => [row('OUT', 'O', name, '1.0.0-1'), row('IN', 'U', name, next)];
// The protocol's history tells that 1.2.0 makes calls that agent 1.0.0 does not have; what the file declares is not at hand.
const runtime = upgrade('kata-runtime', '1.2.0-1');
const image = upgrade('kata-containers-image', '1.2.0-1');

const cases: readonly [rule: string, dnf5: Dnf5, isStopped: boolean, said: RegExp][] = [
  ['the runtime alone is stopped', { rows: runtime }, true, /stopped dnf5 \[KC10[1-4]\]: /],
  ['the way past it', { rows: runtime }, true, /give dnf5 the option {2}--setvar=kata_check_allow=KC103/],
  ['runtime and image together', { rows: [...runtime, ...image] }, false, /^(?![\s\S]*stopped)/],
  ['in the other order', { rows: [...image, ...runtime] }, false, /^(?![\s\S]*stopped)/],
  [
    'a reinstallation',
    { rows: [row('OUT', 'O', 'kata-runtime', '1-1'), row('IN', 'R', 'kata-runtime', '1-1')] },
    false,
    /^$/,
  ],
  ['the image is removed', { rows: [row('OUT', 'E', 'kata-containers-image', '1.0.0-1')] }, false, /\[KC302\]/],
  ['something else', { rows: upgrade('vim', '9.1-1') }, false, /^$/],
  ['nothing', { rows: [] }, false, /^$/],
  ['kata_check=warn', { rows: runtime, vars: { kata_check: 'warn' } }, false, /warning \[KC103\]: /],
  ['kata_check=off', { rows: runtime, vars: { kata_check: 'off' } }, false, /^$/],
  ['kata_check_allow', { rows: runtime, vars: { kata_check_allow: 'KC103' } }, false, /warning \[KC103\]: /],
  ['a wrong kata_check', { rows: runtime, vars: { kata_check: 'of' } }, true, /the mode is block, warn or off, not of/],
  ['KATA_CHECK_MODE=off', { rows: runtime, env: { KATA_CHECK_MODE: 'off' } }, false, /^$/],
  ['an empty PATH', { rows: runtime, env: { PATH: '', NODE_PATH: '/nowhere' } }, true, /stopped dnf5/],
  ['a root that is still to be made', { rows: runtime, installroot: '/nowhere/root' }, false, /^$/],
  [
    'six thousand packages beside the runtime',
    {
      rows: [...Array.from({ length: 6000 }, (_, index) => row('IN', 'I', `package-${index}`, '1-1')), ...runtime],
    },
    true,
    /stopped dnf5/,
  ],
  [
    'an error for the variables alone',
    {
      rows: runtime,
      say: (usual, domain) =>
        domain === 'vars'
          ? '{"op":"reply","requested_op":"get","domain":"vars","status":"ERROR","message":"M"}'
          : usual,
    },
    true,
    /stopped/,
  ],
];

for (const form of forms) {
  for (const [rule, dnf5, isStopped, said] of cases) {
    test(
      `${form.name}: ${rule}`,
      async () => {
        const { status, stderr, stops, strange } = await talk(form, dnf5);
        assert.match(stderr, said);
        assert.equal(strange, [], 'standard output is the protocol');
        assert.is(stops.length, isStopped ? 1 : 0);
        if (isStopped) assert.match(stops[0] ?? '', /^kata-check: \[KC103\] the /);
        assert.is(status, isStopped ? 10 : 0);
      },
      { needs: form.needs, isLong: dnf5.rows.length > 1000 },
    );
  }

  test(
    `${form.name}: what goes wrong is no stop`,
    async () => {
      const error = '{"op":"reply","requested_op":"get","domain":"trans_packages","status":"ERROR","message":"M"}';
      for (const said of [error, 'garbage', '{}', '\u0000', '[]']) {
        const { status, stops, stderr } = await talk(form, { rows: runtime, say: () => said });
        assert.equal([status, stops], [1, []], said);
        assert.match(stderr, /^kata-check: dnf5/);
      }
      assert.is(kataCheck(form, ['hook', 'dnf5']).status, 1, 'the end instead of a reply');
      assert.is(kataCheckInShell(form, '"$@" hook dnf5 <&-').status, 1);
      assert.is(kataCheckInShell(form, '"$@" hook dnf5 >&- </dev/null').status, 1);
      assert.is(kataCheck(form, ['hook', 'dnf5', 'x']).status, 2);
    },
    form,
  );

  test(
    `${form.name}: a reply that never comes is not waited for for ever`,
    async () => {
      const { status, stops } = await talk(form, { rows: runtime, say: () => null });
      assert.equal([status, stops], [1, []]);
    },
    { needs: form.needs, isLong: true },
  );
}
