import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { LimitExceeded, NotFound, type Problem } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { followedStatus, resolvePath, rootedHost } from '../../src/host/rooted.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('a host below a root');
const host = createNodeHost();
const folder = temporaryFolder();
const limit = 1 << 20;

const root = writeTree(join(folder, 'root'), {
  'etc/kata/file': 'inside',
  'etc/absolute': { link: '/etc/kata/file' },
  'etc/relative': { link: 'kata/file' },
  'etc/up': { link: '../../../../etc/kata/file' },
  'etc/outside': { link: join(folder, 'outside') },
  'etc/dots': { link: '.././etc//kata/./file' },
  'etc/trailing': { link: 'kata/' },
  'etc/slash': { link: '/' },
  'etc/self': { link: 'self' },
  'etc/one': { link: 'two' },
  'etc/two': { link: '/etc/one' },
  'etc/dangling': { link: '/etc/none' },
  'etc/dangling-far': { link: '/none/of/it' },
  'etc/above': { link: `../..${folder}/outside` },
  'etc/through-file': { link: 'kata/file/x' },
});
writeTree(folder, { outside: 'OUTSIDE', 'root-link': { link: 'root' } });
for (let index = 0; index < 41; index += 1)
  symlinkSync(index === 40 ? 'kata/file' : `chain-${index + 1}`, join(root, 'etc', `chain-${index}`));

const resolved: readonly [rule: string, path: string, expected: string][] = [
  ['a file is itself', '/etc/kata/file', '/etc/kata/file'],
  ['the root itself', '/', '/'],
  ['slashes and dots fall away', '//etc/./kata///file/.', '/etc/kata/file'],
  ['.. takes one away', '/etc/kata/../kata/file', '/etc/kata/file'],
  ['.. stops at the root', '/../../etc/kata/file', '/etc/kata/file'],
  ['an absolute link begins at the root again', '/etc/absolute', '/etc/kata/file'],
  ['a relative one at its directory', '/etc/relative', '/etc/kata/file'],
  ['one that climbs stops at the root', '/etc/up', '/etc/kata/file'],
  ['dots in a link', '/etc/dots', '/etc/kata/file'],
  ['a slash at the end of a link', '/etc/trailing/file', '/etc/kata/file'],
  ['.. behind a link is where the link leads to', '/etc/slash/../etc/kata/file', '/etc/kata/file'],
  ['a link to the root, many times', `${'/etc/slash'.repeat(40)}/etc/kata/file`, '/etc/kata/file'],
  ['the last may be missing', '/etc/kata/none', '/etc/kata/none'],
  ['so may all of it', '/none/of/it', '/none/of/it'],
  ['a dangling link leads to what is not there', '/etc/dangling', '/etc/none'],
  ['forty links are followed', '/etc/chain-1', '/etc/kata/file'],
];

for (const [rule, path, expected] of resolved) {
  test(`resolved: ${rule}`, () => {
    assert.is(resolvePath(host, root, path), expected);
    assert.is(resolvePath(rootedHost(host, root), '', path), expected);
  });
}

const unfollowed: readonly [rule: string, path: string, expected: string][] = [
  ['the last link stays', '/etc/absolute', '/etc/absolute'],
  ['with dots behind it too', '/etc/absolute/.', '/etc/absolute'],
  ['those before it do not', '/etc/slash/etc/absolute', '/etc/absolute'],
  ['a loop at the end is not walked', '/etc/self', '/etc/self'],
];

for (const [rule, path, expected] of unfollowed) {
  test(`resolved but for its last step: ${rule}`, () => {
    assert.is(resolvePath(host, root, path, false), expected);
  });
}

const refused: readonly [rule: string, path: string, said: RegExp][] = [
  ['a link to itself', '/etc/self', /^\/etc\/self: more than 40 symbolic links$/],
  ['two links to each other', '/etc/one', /more than 40 symbolic links$/],
  ['a link to itself in the middle', '/etc/self/file', /more than 40 symbolic links$/],
  ['forty-one links', '/etc/chain-0', /more than 40 symbolic links$/],
  ['a path longer than the kernel takes', `/${'x'.repeat(200)}`.repeat(21), /longer than 4096 bytes$/],
];

for (const [rule, path, said] of refused) {
  test(`refused: ${rule}`, () => {
    for (const action of [() => resolvePath(host, root, path), () => rootedHost(host, root).readText(path, limit)]) {
      try {
        action();
      } catch (error) {
        assert.instance(error, LimitExceeded);
        assert.match((error as Error).message, said);
        continue;
      }
      assert.unreachable('it was resolved');
    }
  });
}

const contents: readonly [rule: string, path: string, expected: string | undefined][] = [
  ['a file', '/etc/kata/file', 'inside'],
  ['through an absolute link', '/etc/absolute', 'inside'],
  ['through a link that climbs', '/etc/up', 'inside'],
  ['a link to a file outside names one inside, which is not there', '/etc/outside', undefined],
  ['climbing to a file outside neither', '/etc/above', undefined],
  ['nor by the path itself', `/../..${folder}/outside`, undefined],
  ['a dangling link', '/etc/dangling', undefined],
  ['below a file', '/etc/through-file', undefined],
];

for (const [rule, path, expected] of contents) {
  test(`read: ${rule}`, () => {
    const rooted = rootedHost(host, root);
    if (expected === undefined) {
      assert.throws(
        () => rooted.readText(path, limit),
        (error: unknown) => error instanceof NotFound,
      );
      assert.throws(
        () => rooted.open(path),
        (error: unknown) => error instanceof NotFound,
      );
      assert.is(followedStatus(rooted, path), undefined);
      return;
    }
    assert.is(rooted.readText(path, limit), expected);
    const file = rooted.open(path);
    assert.is(Buffer.from(file.read(0, file.size)).toString(), expected);
    file.close();
    assert.is(followedStatus(rooted, path)?.kind, 'file');
    assert.is(followedStatus(rooted, path)?.size, expected.length);
  });
}

test('status and readLink are of the link itself, in a directory that links lead to', () => {
  const rooted = rootedHost(host, root);
  assert.is(rooted.status('/etc/slash/etc/absolute')?.kind, 'symlink');
  assert.is(rooted.readLink('/etc/slash/etc/absolute'), '/etc/kata/file');
  assert.is(rooted.status('/etc/dangling')?.kind, 'symlink');
  assert.is(rooted.status('/etc/none'), undefined);
});

test('a directory is listed where its links lead to', () => {
  const rooted = rootedHost(host, root);
  mkdirSync(join(root, 'listed'), { recursive: true });
  writeTree(root, { 'listed/a': '', 'listed/b': '' });
  symlinkSync('/listed', join(root, 'etc/list-link'));
  assert.equal(rooted.readDirectory('/etc/list-link').sort(), ['a', 'b']);
});

test('the root may be reached by a link itself', () => {
  assert.is(rootedHost(host, join(folder, 'root-link')).readText('/etc/absolute', limit), 'inside');
});

const noRoots: readonly [rule: string, path: string][] = [
  ['it is not there', join(folder, 'none')],
  ['it is a file', join(folder, 'outside')],
  ['it is a dangling link', join(root, 'etc/dangling-far')],
];

for (const [rule, path] of noRoots) {
  test(`no root: ${rule}`, () => {
    assert.throws(
      () => rootedHost(host, path),
      (error: unknown) => error instanceof NotFound && (error as Problem).message === `${path}: no such directory`,
    );
  });
}

test('programs, the terminal and the environment are those of the host', async () => {
  const said: string[] = [];
  const recorder: Host = { ...rootedHost(host, ''), write: (descriptor, text) => said.push(`${descriptor}${text}`) };
  const rooted = rootedHost(recorder, root);
  rooted.write(2, 'x');
  assert.equal(said, ['2x']);
  assert.is(rooted.environment('PATH'), process.env.PATH);
  assert.is(rooted.userId, host.userId);
  const options = { deadline: host.now() + 60_000, outputLimit: 1000 };
  assert.is(Buffer.from((await rooted.run(['cat', join(folder, 'outside')], options)).stdout).toString(), 'OUTSIDE');
});

test('holding: below the root, under the names that were asked for', () => {
  const rooted = rootedHost(host, root);
  const paths = ['/etc/kata/file', '/etc/slash/etc/kata/file', '/etc/absolute', '/etc/outside', '/none'];
  assert.equal(rooted.holding(paths, ['inside', 'OUTSIDE'], limit), paths.slice(0, 2));
  assert.equal(rooted.holding(['/etc/kata/file'], ['inside'], limit), ['/etc/kata/file']);
});

test('each part of a path is looked at once, also through the host below the root, and nothing below what is not there', () => {
  const looked: string[] = [];
  const counting: Host = {
    ...rootedHost(host, ''),
    status: (path) => {
      looked.push(path.slice(root.length));
      return host.status(path);
    },
  };
  const rooted = rootedHost(counting, root);
  const lookedFor = (path: string): string[] => {
    looked.length = 0;
    resolvePath(rooted, '', path);
    return [...looked];
  };
  assert.equal(lookedFor('/etc/kata/file'), ['/etc', '/etc/kata', '/etc/kata/file']);
  assert.equal(lookedFor('/etc/none/of/it'), ['/etc', '/etc/none']);
  assert.equal(lookedFor('/none/../etc/kata'), ['/none', '/etc', '/etc/kata']);
});
