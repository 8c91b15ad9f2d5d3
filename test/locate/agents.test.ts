import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { packagedAgents } from '../../src/locate/agents.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('agents that packages bring as files');
const host = createNodeHost();
const digest = '0123456789abcdef0123456789abcdef';

const ask = (root: string): ReturnType<typeof packagedAgents> =>
  packagedAgents(host, rootedHost(host, root), root, host.now() + 60_000);

test(
  'of packages of dpkg with "kata" in their names, for any architecture, each with its version',
  async () => {
    const stanza = (name: string): string =>
      `Package: ${name}\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: 3.15.0-1\nDescription: x\n`;
    const info = '/var/lib/dpkg/info';
    const root = writeTree(temporaryFolder(), {
      '/var/lib/dpkg/status': ['kata-tools', 'kata-more', 'other', 'kata-odd'].map(stanza).join('\n'),
      [`${info}/kata-tools.md5sums`]: `${digest}  usr/libexec/agent/usr/bin/kata-agent\n${digest}  usr/bin/kata-agent-ctl\n`,
      [`${info}/kata-more:amd64.md5sums`]: `${digest}  opt/kata-agent\n`,
      [`${info}/other.md5sums`]: `${digest}  opt/kata-agent\n`,
      [`${info}/kata-odd.md5sums`]: `short  opt/kata-agent\n\nx\n`,
      [`${info}/kata-gone.md5sums`]: `${digest}  opt/gone/kata-agent\n`,
    });
    const found = (await ask(root)).map((one) => `${one.package} ${one.version} ${one.path} ${one.digest}`).sort();
    assert.equal(found, [
      `kata-more 3.15.0-1 /opt/kata-agent ${digest}`,
      `kata-tools 3.15.0-1 /usr/libexec/agent/usr/bin/kata-agent ${digest}`,
    ]);
  },
  { needs: ['dpkg-query'] },
);

test('where there is no package database there are none', async () => {
  assert.equal(await ask(temporaryFolder()), []);
});
