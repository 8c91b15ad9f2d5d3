import * as assert from 'uvu/assert';
import { NotFound } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type Laid, overlaidHost } from '../../src/host/overlay.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('a host with other files');

const root = writeTree(temporaryFolder(), {
  '/etc/a': 'old',
  '/etc/b': 'b',
  '/etc/link': { link: 'a' },
  '/etc/d/x': 'x',
  '/usr/etc': { link: '/etc' },
});
const laid: readonly (readonly [string, Laid])[] = [
  ['/etc/a', { text: 'new' }],
  ['/etc/b', null],
  ['/etc/c', { link: 'a' }],
  ['/opt/kata/share/y', { text: 'y' }],
];
const host = overlaidHost(rootedHost(createNodeHost(), root), new Map(laid));

const texts: readonly [rule: string, path: string, expected: string | null][] = [
  ['a file that is laid over', '/etc/a', 'new'],
  ['by a link that is there', '/etc/link', 'new'],
  ['by a link that is laid', '/etc/c', 'new'],
  ['by a folder that is a link', '/usr/etc/a', 'new'],
  ['a file that is taken away', '/etc/b', null],
  ['a file that stays', '/etc/d/x', 'x'],
  ['a file in a folder that is not there', '/opt/kata/share/y', 'y'],
];

for (const [rule, path, expected] of texts) {
  test(`read: ${rule}`, () => {
    if (expected === null)
      assert.throws(
        () => host.readText(path, 100),
        (error: unknown) => error instanceof NotFound,
      );
    else assert.is(host.readText(path, 100), expected);
  });
}

const kinds: readonly [path: string, kind: string | undefined][] = [
  ['/etc/a', 'file'],
  ['/etc/b', undefined],
  ['/etc/c', 'symlink'],
  ['/etc/d', 'directory'],
  ['/opt/kata', 'directory'],
  ['/opt/kata/share/y', 'file'],
  ['/opt/other', undefined],
];

for (const [path, kind] of kinds) test(`${path} is ${kind}`, () => assert.is(host.status(path)?.kind, kind));

test('folders have what is laid in them, and not what is taken away', () => {
  assert.equal(host.readDirectory('/etc').sort(), ['a', 'c', 'd', 'link']);
  assert.equal(host.readDirectory('/usr/etc').sort(), ['a', 'c', 'd', 'link']);
  assert.equal(host.readDirectory('/opt/kata'), ['share']);
  assert.throws(() => host.readDirectory('/opt/other'));
  assert.is(host.readLink('/etc/c'), 'a');
  assert.is(host.readLink('/etc/link'), 'a');
});

test('of the real root, too, whose host is an object of a class', () => {
  const real = overlaidHost(createNodeHost(), new Map([['/nowhere/at/all', { text: 'x' }]]));
  assert.is(real.readText('/nowhere/at/all', 10), 'x');
  assert.ok(real.now() > 0);
});
