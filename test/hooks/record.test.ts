import * as assert from 'uvu/assert';
import type { Report } from '../../src/check.ts';
import { Io, LimitExceeded, NotFound } from '../../src/errors.ts';
import { lastPath, lastStop, recordStop, resolveStop } from '../../src/hooks/record.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { builtIn } from '../../src/protocol/reach.ts';
import { temporaryFolder } from '../images.ts';
import { usualReading } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the record of a stopped run');
const real = createNodeHost();

const report: Report = {
  findings: [
    {
      code: 'KC101',
      severity: 'block',
      title: 'the guest image does not fit\u001b[31m',
      facts: [],
      consequence: 'containers may fail',
      affects: [],
      remedy: { text: 'fix it', commands: [] },
    },
    {
      code: 'KC301',
      severity: 'warn',
      title: 'sandboxes are running',
      facts: [],
      consequence: 'drain',
      affects: [],
      remedy: { text: 'drain', commands: [] },
    },
  ],
  verdict: 'block',
  pairs: [],
  warnings: [],
  state: {
    runtimes: [],
    images: [],
    configurations: [],
    unread: [],
    manager: 'apt',
    commandLine: null,
    onlyChanges: true,
    changing: null,
    sandboxes: null,
    measured: [],
    reading: usualReading,
    known: builtIn,
  },
};

async function recorded(
  root: string,
  fault?: () => never,
): Promise<{ written: string[]; ran: string[][]; wait: number }> {
  const written: string[] = [];
  const ran: string[][] = [];
  let wait = Number.NaN;
  const host: Host = Object.assign(Object.create(real) as Host, {
    now: () => 1000,
    replaceFile: (path: string, text: string, mode: number) => {
      assert.is(mode, 0o644);
      written.push(path, text);
      fault?.();
    },
    run: async (argv: readonly string[], options: { deadline: number }) => {
      ran.push([...argv]);
      wait = options.deadline - 1000;
      fault?.();
      return { status: 1, stdout: new Uint8Array(), stderr: 'no socket' };
    },
  });
  await recordStop(host, report, { manager: 'apt', root }, 10);
  return { written, ran, wait };
}

test('the report as --json gives it, with who was stopped and when; a line for the log', async () => {
  const before = Date.now();
  const { written, ran, wait } = await recorded('');
  assert.is(written[0], '/run/kata-check/last.json');
  const { manager, root, time, verdict, exitCode, findings } = JSON.parse(written[1] ?? '');
  assert.equal([manager, root, verdict, exitCode], ['apt', '/', 'block', 10]);
  assert.equal(
    findings.map(({ code }: { code: string }) => code),
    ['KC101', 'KC301'],
  );
  const at = Date.parse(time);
  assert.ok(before <= at && at <= Date.now());
  assert.equal(ran[0]?.slice(0, -1), ['logger', '-t', 'kata-check', '-p', 'user.warning', '--']);
  assert.match(ran[0]?.at(-1) ?? '', /^stopped apt: \[KC101\] the guest image does not fit/);
  assert.not.match(ran[0]?.at(-1) ?? '', /[\x00-\x1f]|KC301/);
  assert.ok(wait > 0 && wait <= 1000);
});

test('another root is named', async () => {
  const root = temporaryFolder();
  const { written, ran } = await recorded(root);
  assert.is(JSON.parse(written[1] ?? '').root, root);
  assert.match(ran[0]?.at(-1) ?? '', new RegExp(`^stopped apt \\(${root}\\): `));
});

for (const error of [new Io('read-only'), new NotFound('no logger'), new LimitExceeded('it hangs')]) {
  test(`nothing comes of it: ${error.message}`, async () => {
    const { written, ran } = await recorded('', () => {
      throw error;
    });
    assert.equal([written.length, ran.length], [2, 1]);
  });
}

/** A host that keeps what is recorded, owned by `owner`. */
function keeping(owner = 0, mode = 0o644): { host: Host; kept: () => string } {
  let kept = '';
  const host: Host = Object.assign(Object.create(real), {
    replaceFile: (_: string, text: string) => {
      kept = text;
    },
    status: (path: string) =>
      path !== lastPath
        ? real.status(path)
        : kept === ''
          ? undefined
          : { kind: 'file', size: 1, owner, mode, identity: '' },
    readText: (path: string, limit: number) => (path === lastPath ? kept : real.readText(path, limit)),
    run: async () => ({ status: 0, stdout: new Uint8Array(), stderr: '' }),
  });
  return { host, kept: () => kept };
}

test('a stop stands until a later transaction below the same root is let through', async () => {
  const { host, kept } = keeping();
  assert.is(lastStop(host, ''), null);
  await resolveStop(host, '');
  assert.is(kept(), '', 'nothing is written where nothing was stopped');
  await recordStop(host, report, { manager: 'apt', root: '' }, 10);
  const { time, ...stopped } = lastStop(host, '') ?? { time: '' };
  assert.equal(stopped, { manager: 'apt', codes: ['KC101'], resolved: null });
  const elsewhere = temporaryFolder();
  assert.is(lastStop(host, elsewhere), null);
  await resolveStop(host, elsewhere);
  assert.is(lastStop(host, '')?.resolved, null, 'another root');
  await resolveStop(host, '');
  const resolved = lastStop(host, '')?.resolved ?? '';
  assert.ok(time !== '' && resolved >= time);
  await resolveStop(host, '');
  assert.is(lastStop(host, '')?.resolved, resolved, 'the first time counts');
});

for (const [rule, owner, mode] of [
  ['that somebody else left', 1000, 0o644],
  ['that others may write', 0, 0o666],
] as const) {
  test(`a record ${rule} is not believed`, async () => {
    const { host } = keeping(owner, mode);
    await recordStop(host, report, { manager: 'apt', root: '' }, 10);
    assert.is(lastStop(host, ''), null);
  });
}
