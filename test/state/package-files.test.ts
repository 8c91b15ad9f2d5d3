import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { NotFound } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { packageFiles } from '../../src/state/package-files.ts';
import { makeDeb, tarOf } from '../debs.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('package files by hand');
const host = createNodeHost();
const folder = temporaryFolder();

const byHand = (...paths: string[]) => ({ paths, prefix: undefined });

test(
  'each is called what it says, comes anew, and declares what it does',
  async () => {
    const fields = { 'Kata-Agent-Requires': '>=3.4.0' };
    const archive = join(folder, 'anything.deb');
    renameSync(makeDeb(folder, { name: 'kata-runtime', version: '1:3.5.0-1', fields }), archive);
    const { changes, ...rest } = await packageFiles(host, host, '/srv/root', byHand(archive), host.now() + 60_000);
    assert.equal(rest, { manager: 'the installation', root: '/srv/root', mode: null, allow: [] });
    const declared = { name: 'kata-runtime', version: '1:3.5.0-1', agentRequires: '>=3.4.0', agentVersion: null };
    assert.equal(changes, [
      { name: 'kata-runtime', oldVersion: null, newVersion: '1:3.5.0-1', action: 'unpack', archive, declared },
    ]);
  },
  { needs: ['dpkg-deb', 'gzip'] },
);

test('one that cannot be read is an error, and not a package of nothing', async () => {
  try {
    await packageFiles(host, host, '', byHand(join(folder, 'none.deb')), host.now() + 60_000);
  } catch (error) {
    assert.instance(error, NotFound);
    return;
  }
  assert.unreachable('it was taken');
});

const prefixes: readonly [rule: string, folders: readonly string[], given: string | undefined, prefix: string][] = [
  ['the usual place', [], undefined, '/opt/kata'],
  ['the usual place, whatever else is there', ['kata', 'kata-dev'], undefined, '/opt/kata'],
  ['the only one with a suffix', ['kata-dev', 'other'], undefined, '/opt/kata-dev'],
  ['of several with a suffix nobody knows which', ['kata-a', 'kata-b'], undefined, '/opt/kata'],
  ['what the user says', ['kata-a'], '/opt/kata-b', '/opt/kata-b'],
];

for (const [rule, folders, given, prefix] of prefixes) {
  test(`where a tarball is installed: ${rule}`, async () => {
    const root = writeTree(temporaryFolder(), { '/etc/hostname': 'x' });
    for (const name of folders) mkdirSync(join(root, 'opt', name), { recursive: true });
    const archive = join(folder, 'kata-static-4.1.0-amd64.tar');
    writeFileSync(archive, tarOf([{ path: './opt/kata/x' }]));
    const rooted = rootedHost(host, root);
    const { changes } = await packageFiles(
      host,
      rooted,
      root,
      { paths: [archive], prefix: given },
      host.now() + 60_000,
    );
    assert.is(changes[0]?.prefix, prefix);
    assert.is(changes[0]?.newVersion, '4.1.0');
  });
}
