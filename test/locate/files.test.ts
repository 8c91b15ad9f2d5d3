import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { filesIn, isFile, nameOf } from '../../src/locate/files.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('files of configurations');
const root = writeTree(temporaryFolder(), { '/etc/b': 'x', '/etc/a': 'x', '/etc/gone': { link: '/none' } });
mkdirSync(join(root, 'etc/folder'));
const host = rootedHost(createNodeHost(), root);

test('sorted, and none of what is no folder', () => {
  assert.equal(filesIn(host, '/etc'), ['/etc/a', '/etc/b', '/etc/folder', '/etc/gone']);
  for (const path of ['/none', '/etc/a', '/etc/gone']) assert.equal(filesIn(host, path), []);
});

test('a link that dangles is a file that cannot be read', () => {
  for (const path of ['/etc/a', '/etc/gone']) assert.ok(isFile(host, path), path);
  for (const path of ['/etc/folder', '/none']) assert.not(isFile(host, path), path);
});

test('the name at the end of a path', () => assert.is(nameOf('/etc/a.toml'), 'a.toml'));
