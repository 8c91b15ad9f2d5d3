import * as assert from 'uvu/assert';
import { Io, NotFound } from '../../src/errors.ts';
import type { Ancestor } from '../../src/hooks/ancestors.ts';
import { hasToken, leaveToken, removeToken, type Told, toldTo } from '../../src/hooks/token.ts';
import type { Host, Status } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { suite } from '../suite.ts';

const test = suite('what a hook leaves for the later ones');
const real = createNodeHost();
const folder = '/run/kata-check';
const nothing: Told = new Set();
const tokens = `${folder}/told-to-go-on`;
const file = `${tokens}/70`;

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
  const directory = { kind: 'directory' as const, mode: 0o755 };
  const known = new Map<string, Partial<Status>>(
    Object.entries({ [folder]: directory, [tokens]: directory, ...status }),
  );
  const plain: Status = { kind: 'file', size: 4, mode: 0o644, owner: 0, identity: '1:1' };
  const host: Host = {
    ...new Proxy(real, {}),
    status: (path: string) => {
      const at = path.replace(/\/\.$/, '');
      if (known.has(at)) return { ...plain, ...known.get(at) };
      return content.has(at) || at === '/' || /^\/proc\/[0-9]+(?:\/root)?$/.test(at) ? plain : undefined;
    },
    readText: (path: string) => {
      const text = content.get(path);
      if (text === undefined) throw new NotFound(`${path}: no such file`);
      return text;
    },
    readLink: (path: string) => content.get(path) ?? 'user:[1]',
    readDirectory: (path: string) =>
      [...content.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)),
    replaceFile: (path: string, text: string, mode: number) => {
      assert.is(mode, 0o644);
      if (!known.has(tokens)) known.set(tokens, directory);
      content.set(path, text);
    },
    removeFile: (path: string) => {
      content.delete(path);
      known.delete(path);
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
  leaveToken(host, apt, nothing);
  assert.ok(hasToken(host, [process(80, '800'), apt, process(1, '1')]));
  assert.not.ok(hasToken(host, [process(80, '800'), process(1, '1')]));
  assert.not.ok(hasToken(host, [process(70, '701')]), 'a later process with the same number');
  assert.not.ok(hasToken(host, []));
});

const left = ({ files }: World): string[] => [...files.keys()].filter((path) => path.startsWith(`${tokens}/`)).sort();

test('several at a time; those that are gone are forgotten', () => {
  const there = world({ '/proc/70/stat': stat('700'), '/proc/71/stat': stat('999'), '/proc/73/stat': stat('730') });
  for (const holder of [apt, process(71, '710'), process(72, '720'), apt]) leaveToken(there.host, holder, nothing);
  assert.equal(left(there), [file]);
  assert.is(there.files.get(file), '700\n');
  leaveToken(there.host, process(73, '730'), nothing);
  assert.equal(left(there), [file, `${tokens}/73`]);
  leaveToken(there.host, undefined, nothing);
  assert.equal(left(there), [file, `${tokens}/73`]);
});

test('taken back from one process and from no other', () => {
  const there = world({ '/proc/71/stat': stat('710') });
  for (const holder of [apt, process(71, '710')]) leaveToken(there.host, holder, nothing);
  for (const holder of [apt, process(72, '720'), undefined]) removeToken(there.host, holder);
  assert.not.ok(hasToken(there.host, [apt]));
  assert.ok(hasToken(there.host, [process(71, '710')]));
});

test('adversary F1: a hook never overwrites what another one left at the same time', () => {
  const many = Array.from({ length: 200 }, (_, index) => index + 1000);
  const there = world(Object.fromEntries(many.map((pid) => [`/proc/${pid}/stat`, stat(`${pid}`)])));
  const seen = new Set<string>();
  // Each writes one file, of its own name, and reads none of the others before.
  const host = { ...there.host, replaceFile: (path: string, text: string) => seen.add(`${path} ${text}`) };
  for (const pid of many) leaveToken(host, process(pid, `${pid}`), nothing);
  assert.is(seen.size, many.length);
});

test('the one file of an earlier version makes room', () => {
  const there = world(
    { [tokens]: '70 700\n', '/proc/70/stat': stat('700') },
    { [tokens]: { kind: 'file', mode: 0o644 } },
  );
  assert.not.ok(hasToken(there.host, [apt]));
  leaveToken(there.host, apt, nothing);
  assert.not.ok(there.files.has(tokens));
  assert.is(there.files.get(file), '700\n');
});

const untrusted: readonly [rule: string, status: Readonly<Record<string, Partial<Status>>>][] = [
  ['a file of somebody else', { [file]: { owner: 1000 } }],
  ['a file that its group can write', { [file]: { mode: 0o664 } }],
  ['a file that everybody can write', { [file]: { mode: 0o602 } }],
  ['a symlink', { [file]: { kind: 'symlink' } }],
  ['a folder of somebody else', { [folder]: { kind: 'directory', mode: 0o755, owner: 1000 } }],
  ['a folder that everybody can write', { [folder]: { kind: 'directory', mode: 0o1777 } }],
  ['a symlink in the place of the folder', { [folder]: { kind: 'symlink', mode: 0o777 } }],
  ['a folder of tokens of somebody else', { [tokens]: { kind: 'directory', mode: 0o755, owner: 1000 } }],
  ['a folder of tokens that its group can write', { [tokens]: { kind: 'directory', mode: 0o775 } }],
  ['a file without a size, as those of procfs', { [file]: { size: 0 } }],
  ['a file of another filesystem, bound to its name', { [file]: { identity: '2:1' } }],
];

for (const [rule, status] of untrusted) {
  test(`not believed: ${rule}`, () => {
    const { host, files } = world({ [file]: '700\n', '/proc/71/stat': stat('710') }, status);
    assert.not.ok(hasToken(host, [apt]));
    leaveToken(host, process(71, '710'), nothing);
    // Into a folder that is not believed nothing is put.
    assert.is(files.has(`${tokens}/71`), file in status);
  });
}

for (const text of [
  '',
  'x',
  '700',
  '700 \n',
  '-700\n',
  '7e2\n',
  '\0'.repeat(100),
  '70 700\n',
  '0700\n',
  '700\n700\n',
]) {
  test(`no token: ${JSON.stringify(text.slice(0, 12))}`, () => {
    const { host } = world({ [file]: text });
    assert.not.ok(hasToken(host, [apt]));
  });
}

/** apt has another root than we; the first process has one too. */
function inChroot(files: Readonly<Record<string, string>>): World {
  const folders = ['/proc/1/root', '/proc/70/root'].flatMap((root) => [root + folder, root + tokens]);
  return world(files, {
    ...Object.fromEntries(folders.map((path) => [path, { kind: 'directory', mode: 0o755 }])),
    '/proc/1/root': { kind: 'directory', identity: '9:9' },
    '/proc/70/root': { kind: 'directory', identity: '9:9' },
  });
}

test('in a chroot: a hook outside of it left one in the /run of the first process', () => {
  const there = inChroot({ [`/proc/1/root${file}`]: '700\n' });
  assert.ok(hasToken(there.host, [apt]));
  assert.not.ok(hasToken(there.host, [process(70, '701')]));
  there.status.set('/proc/70/root', { kind: 'directory', identity: '1:1' });
  assert.not.ok(hasToken(there.host, [apt]), 'a process that is in our root has left its own there');
});

test('adversary A2: nothing is believed that stands in the root of an ancestor', () => {
  const asked: string[] = [];
  const { host } = inChroot({ [`/proc/70/root${file}`]: '700\n' });
  const noting: Host = {
    ...host,
    readText: (path, limit) => {
      asked.push(path);
      return host.readText(path, limit);
    },
  };
  assert.not.ok(hasToken(noting, [apt]));
  assert.equal(asked, []);
});

for (const [rule, change] of [
  ['belongs to another user', (there: World) => there.status.set('/proc/1', { owner: 1000 })],
  ['is root in a user namespace of its own', (there: World) => there.files.set('/proc/1/ns/user', 'user:[2]')],
] as const) {
  test(`in a chroot: the first process is not believed when it ${rule}`, () => {
    const there = inChroot({ [`/proc/1/root${file}`]: '700\n' });
    change(there);
    assert.not.ok(hasToken(there.host, [apt]));
  });
}

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
    nothing,
  );
  assert.not.ok(hasToken(host, [apt]));
});

const toldAbove = (host: Host, ...ancestors: readonly Ancestor[]): unknown => {
  const found = toldTo(host, ancestors);
  return found && [...found].sort();
};

test('what was told is found again, of all processes above together', () => {
  const { host } = world({ '/proc/70/stat': stat('700'), '/proc/80/stat': stat('800') });
  leaveToken(host, apt, new Set(['["KC103","/a\\n.img"]', '["KC301"]']));
  leaveToken(host, process(80, '800'), new Set(['["KC203","/b"]']));
  assert.equal(toldAbove(host, apt), ['["KC103","/a\\n.img"]', '["KC301"]']);
  assert.is((toldAbove(host, process(80, '800'), apt) as unknown[]).length, 3);
  assert.is(toldAbove(host, process(90, '900')), undefined);
  leaveToken(host, apt, nothing);
  assert.equal(toldAbove(host, apt), []);
});

test('a token that breaks off, or whose first line is no start time, is none', () => {
  for (const text of ['700', '700\n["KC103"', '["KC103"]\n700\n', '', 'all\n', '700\nall\n']) {
    assert.not.ok(hasToken(world({ [file]: text }).host, [apt]), JSON.stringify(text));
  }
});
