import * as assert from 'uvu/assert';
import { Io, NotFound } from '../../src/errors.ts';
import type { Ancestor } from '../../src/hooks/ancestors.ts';
import { hasToken, leaveToken } from '../../src/hooks/token.ts';
import type { Host, Status } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { suite } from '../suite.ts';

const test = suite('what a hook leaves for the later ones');
const real = createNodeHost();
const folder = '/run/kata-check';
const file = `${folder}/told-to-go-on`;

interface World {
  /** Content by path. */
  readonly files: Map<string, string>;
  readonly status: Map<string, Partial<Status>>;
  readonly host: Host;
}

/** A host with nothing but these files; processes live whose stat is there, and share our root unless theirs is told. */
function world(
  files: Readonly<Record<string, string>> = {},
  status: Readonly<Record<string, Partial<Status>>> = {},
): World {
  const content = new Map(Object.entries(files));
  const known = new Map(Object.entries({ [folder]: { kind: 'directory' as const, mode: 0o755 }, ...status }));
  const plain: Status = { kind: 'file', size: 0, mode: 0o644, owner: 0, identity: '1:1' };
  const host: Host = {
    ...new Proxy(real, {}),
    status: (path: string) => {
      const at = path.replace(/\/\.$/, '');
      if (known.has(at)) return { ...plain, ...known.get(at) };
      return content.has(at) || at === '/' || /^\/proc\/[0-9]+\/root$/.test(at) ? plain : undefined;
    },
    readText: (path: string) => {
      const text = content.get(path);
      if (text === undefined) throw new NotFound(`${path}: no such file`);
      return text;
    },
    replaceFile: (path: string, text: string, mode: number) => {
      assert.is(mode, 0o644);
      content.set(path, text);
    },
  };
  return { files: content, status: known, host };
}

const process = (pid: number, startTime: string): Ancestor => ({ pid, command: 'apt-get', startTime });
const stat = (startTime: string): string => `1 (x) S 1 ${'0 '.repeat(17)}${startTime} 0`;
const apt = process(70, '700');

test('left by one process, found by those below it, and by no others', () => {
  const { host } = world();
  assert.not.ok(hasToken(host, [apt]));
  leaveToken(host, apt);
  assert.ok(hasToken(host, [process(80, '800'), apt, process(1, '1')]));
  assert.not.ok(hasToken(host, [process(80, '800'), process(1, '1')]));
  assert.not.ok(hasToken(host, [process(70, '701')]), 'a later process with the same number');
  assert.not.ok(hasToken(host, []));
});

test('several at a time; those that are gone are forgotten', () => {
  const { host, files } = world({ '/proc/70/stat': stat('700'), '/proc/71/stat': stat('999') });
  for (const holder of [apt, process(71, '710'), process(72, '720'), apt]) leaveToken(host, holder);
  assert.is(files.get(file), '70 700\n');
  leaveToken(host, process(73, '730'));
  assert.is(files.get(file), '70 700\n73 730\n');
  leaveToken(host, undefined);
  assert.is(files.get(file), '70 700\n73 730\n');
});

test('never more than a hundred', () => {
  const many = Array.from({ length: 500 }, (_, index) => index + 1000);
  const { host, files } = world(Object.fromEntries(many.map((pid) => [`/proc/${pid}/stat`, stat(`${pid}`)])));
  for (const pid of many) leaveToken(host, process(pid, `${pid}`));
  assert.is(files.get(file)?.split('\n').length, 101);
  assert.match(files.get(file) ?? '', /^1499 1499$/m);
});

const untrusted: readonly [rule: string, status: Readonly<Record<string, Partial<Status>>>][] = [
  ['a file of somebody else', { [file]: { owner: 1000 } }],
  ['a file that its group can write', { [file]: { mode: 0o664 } }],
  ['a file that everybody can write', { [file]: { mode: 0o602 } }],
  ['a symlink', { [file]: { kind: 'symlink' } }],
  ['a folder of somebody else', { [folder]: { kind: 'directory', mode: 0o755, owner: 1000 } }],
  ['a folder that everybody can write', { [folder]: { kind: 'directory', mode: 0o1777 } }],
  ['a symlink in the place of the folder', { [folder]: { kind: 'symlink', mode: 0o777 } }],
];

for (const [rule, status] of untrusted) {
  test(`not believed: ${rule}`, () => {
    const { host, files } = world({ [file]: '70 700\n' }, status);
    assert.not.ok(hasToken(host, [apt]));
    leaveToken(host, process(71, '710'));
    // Put in the place of a file that is not believed, but not into a folder that is not.
    assert.is(files.get(file), folder in status ? '70 700\n' : '71 710\n');
  });
}

for (const text of [
  '',
  'x',
  '70',
  '70 700',
  '70 700 \n',
  '-70 700\n',
  '70 7e2\n',
  '\0'.repeat(100),
  '070 700\n'.repeat(2),
]) {
  test(`no token: ${JSON.stringify(text.slice(0, 12))}`, () => {
    const { host } = world({ [file]: text });
    assert.is(hasToken(host, [apt]), text === '70 700' || text.startsWith('070'));
  });
}

test('a hook outside of our root left it there', () => {
  const { host, status, files } = world({ '/proc/70/root/run/kata-check/told-to-go-on': '70 700\n' });
  status.set('/proc/70/root/run/kata-check', { kind: 'directory', mode: 0o755 });
  assert.not.ok(hasToken(host, [apt]), 'whose root is ours');
  status.set('/proc/70/root', { kind: 'directory', identity: '9:9' });
  assert.ok(hasToken(host, [apt]));
  files.set('/proc/70/root/run/kata-check/told-to-go-on', '71 700\n');
  assert.not.ok(hasToken(host, [apt]));
});

test('where it cannot be left nothing happens', () => {
  const { host } = world();
  leaveToken(
    {
      ...host,
      replaceFile: () => {
        throw new Io('/run is read-only');
      },
    },
    apt,
  );
  assert.not.ok(hasToken(host, [apt]));
});
