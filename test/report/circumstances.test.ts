import { hostname } from 'node:os';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { circumstancesOf } from '../../src/report/circumstances.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('where and when a report was made');
const host = createNodeHost();

const below = (tree: Readonly<Record<string, string>>) => {
  const root = writeTree(temporaryFolder(), tree);
  return circumstancesOf(rootedHost(host, root), root);
};

test('this node has the name that the kernel knows', () => {
  const { host: name, root, time } = circumstancesOf(host, '');
  assert.equal([name, root], [hostname(), '/']);
  assert.is(new Date(time).toISOString(), time);
});

test('below another root the name is the one in its /etc/hostname', () => {
  assert.is(below({ '/etc/hostname': 'node-7\n' }).host, 'node-7');
});

for (const [rule, tree] of [
  ['no such file', { '/etc/other': '' }],
  ['an empty one', { '/etc/hostname': '\n' }],
  ['a folder in its place', { '/etc/hostname/x': '' }],
  ['one that is too large', { '/etc/hostname': 'x'.repeat(5000) }],
] as const)
  test(`no name: ${rule}`, () => assert.is(below(tree).host, null));
