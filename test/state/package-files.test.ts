import { renameSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { NotFound } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { packageFiles } from '../../src/state/package-files.ts';
import { makeDeb } from '../debs.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('package files by hand');
const host = createNodeHost();
const folder = temporaryFolder();

test(
  'each is called what it says, comes anew, and declares what it does',
  async () => {
    const fields = { 'Kata-Agent-Requires': '>=3.4.0' };
    const archive = join(folder, 'anything.deb');
    renameSync(makeDeb(folder, { name: 'kata-runtime', version: '1:3.5.0-1', fields }), archive);
    const { changes, ...rest } = await packageFiles(host, '/srv/root', [archive], host.now() + 60_000);
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
    await packageFiles(host, '', [join(folder, 'none.deb')], host.now() + 60_000);
  } catch (error) {
    assert.instance(error, NotFound);
    return;
  }
  assert.unreachable('it was taken');
});
