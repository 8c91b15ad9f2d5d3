import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { guestTree, makeExt, osbuilderYaml, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { after, imagePath, naming, node, program, usrConfig } from './roots.ts';

const test = suite('the agent of an image by its digest');
const tools = '/opt/kata-containers/uvm/tools/osbuilder/agent-install/usr/bin/kata-agent';
const agent = `\x7fELF${'an agent that does not name its version '.repeat(10_000)}`;

function image(binary: string, stated = 'unknown'): Buffer {
  const folder = temporaryFolder();
  const tree = {
    ...guestTree('1.0.0'),
    'var/lib/osbuilder/osbuilder.yaml': osbuilderYaml(stated),
    'usr/bin/kata-agent': binary,
  };
  return readFileSync(makeExt(join(folder, 'image'), writeTree(join(folder, 'tree'), tree), '16M'));
}

const usual = (binary: string, stated?: string): Tree => ({
  [usrConfig]: naming(imagePath),
  [imagePath]: image(binary, stated),
});

/** A node of dpkg on which kata-tools has brought an agent of this digest. */
function debian(tree: Tree, digest: string): string {
  return node(
    [
      { name: 'kata-runtime', version: '3.15.0-1', owns: [program] },
      { name: 'kata-containers-tools', version: '3.15.0.aks0-1', owns: [tools] },
    ],
    {
      [program]: '#!/bin/sh\n',
      ...tree,
      '/var/lib/dpkg/info/kata-containers-tools.md5sums': `${digest}  ${tools.slice(1)}\n${'0'.repeat(32)}  usr/share/doc/x\n`,
    },
  );
}

async function found(root: string): Promise<string> {
  const { state } = await after(root);
  const facts = state.images[0]?.facts;
  return facts?.agent
    ? `${facts.agent.version.text} ${facts.agent.source} ${facts.agent.path}`
    : `unknown: ${facts?.unknown}`;
}

const md5 = createHash('md5').update(agent, 'latin1').digest('hex');
const needs = ['mkfs.ext4', 'dpkg-query', 'md5sum', 'sha256sum'];

const rows: readonly [rule: string, root: () => string, expected: RegExp][] = [
  ['the same as a package has brought', () => debian(usual(agent), md5), /^3\.15\.0 package \/usr\/bin\/kata-agent$/],
  [
    'another one than the package has brought',
    () => debian(usual(`${agent}!`), md5),
    /^unknown: .*does not name its version.*; it is not the agent that kata-containers-tools 3\.15\.0\.aks0-1 brings$/,
  ],
  ['what the image itself says comes first', () => debian(usual(agent, '3.2.0'), md5), /^3\.2\.0 osbuilder\.yaml/],
  [
    'no package has brought one',
    () => debian({ ...usual(agent), [tools]: agent }, 'no digest'),
    /^unknown: (?!.*not the agent)/,
  ],
];

for (const [rule, root, expected] of rows) {
  test(rule, async () => assert.match(await found(root()), expected), { needs });
}

test(
  'the same as a package of rpm has brought',
  async () => {
    const root = writeTree(temporaryFolder(), { ...usual(agent), [program]: '#!/bin/sh\n' });
    const rpm = makeRpm(temporaryFolder(), {
      name: 'kata-containers-tools',
      version: '3.15.0.aks0',
      files: { [tools.slice(1)]: agent },
    });
    run('rpm', '--root', root, '--dbpath', '/usr/lib/sysimage/rpm', '--nodeps', '--noscripts', '-i', rpm);
    assert.match(await found(root), /^3\.15\.0 package \/usr\/bin\/kata-agent$/);
  },
  { needs: [...needs, 'rpm', 'rpmbuild', 'root'] },
);
