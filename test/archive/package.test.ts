import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openPackage, type PackageFile } from '../../src/archive/package.ts';
import { Io, NotFound, Unsupported } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { makeDeb } from '../debs.ts';
import { run, type Tree, temporaryFolder } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';

const test = suite('package files');
const host = createNodeHost();
const folder = temporaryFolder();
const files: Tree = {
  'usr/bin/kata-runtime': '#!/bin/sh\n',
  'usr/share/kata-containers/kata-1.img': 'x'.repeat(300_000),
  'usr/share/kata-containers/kata.img': { link: 'kata-1.img' },
};

const open = (path: string): PackageFile => openPackage(host, path, host.now() + 60_000);

async function described(file: PackageFile): Promise<unknown> {
  const members: [string, string, string, string][] = [];
  for await (const { path, type, target, pieces } of file.members()) {
    if (type === 'directory') continue;
    let length = 0;
    for await (const piece of pieces()) length += piece.length;
    members.push([path, type, target, type === 'file' ? `${length}` : '']);
  }
  return {
    fields: await file.fields(),
    members: members.sort(),
  };
}

test(
  'a .deb and an .rpm of the same content say the same, whatever they are called',
  async () => {
    const version = '3.5.0~rc1-1';
    const deb = makeDeb(folder, {
      name: 'kata-containers',
      version,
      fields: { 'Kata-Agent-Requires': '>=3.4.0-rc1 <3.6.0', 'Kata-Agent-Version': '3.5.0~rc1' },
      files,
    });
    const rpm = makeRpm(folder, {
      name: 'kata-containers',
      version: '3.5.0~rc1',
      provides: ['kata-agent-requires(min) = 3.4.0~rc1', 'kata-agent-requires(max) = 3.6.0', 'kata-agent = 3.5.0~rc1'],
      files,
    });
    const expected = {
      fields: {
        name: 'kata-containers',
        version,
        agentRequires: '>=3.4.0-rc1 <3.6.0',
        agentVersion: '3.5.0~rc1',
      },
      members: [
        ['usr/bin/kata-runtime', 'file', '', '10'],
        ['usr/share/kata-containers/kata-1.img', 'file', '', '300000'],
        ['usr/share/kata-containers/kata.img', 'symlink', 'kata-1.img', ''],
      ],
    };
    const swapped = [join(folder, 'a.rpm'), join(folder, 'b.deb'), join(folder, 'c[1]*?.rpm')] as const;
    copyFileSync(deb, swapped[0]);
    copyFileSync(rpm, swapped[1]);
    copyFileSync(rpm, swapped[2]);
    for (const path of [deb, rpm, ...swapped]) assert.equal(await described(open(path)), expected, path);
    assert.equal([open(swapped[0]).format, open(swapped[1]).format], ['deb', 'rpm']);
  },
  { needs: ['dpkg-deb', 'gzip', 'rpm', 'rpmbuild', 'rpm2cpio'] },
);

test(
  'what it runs and lists is known without unpacking it',
  async () => {
    const configuration = 'etc/kata-containers/configuration.toml';
    const deb = makeDeb(folder, {
      name: 'kata-listed',
      version: '1',
      files: { ...files, [configuration]: '' },
      scripts: {
        postinst: '#!/bin/sh\nmake-image\n',
        conffiles: `/${configuration}\nremove-on-upgrade /etc/old\n`,
        md5sums: `${'0'.repeat(32)}  usr/bin/kata-runtime\n`,
      },
    });
    const rpm = makeRpm(folder, {
      name: 'kata-listed',
      version: '1',
      files: { ...files, [configuration]: '', 'etc/a.toml': '', 'var/cache/kata.img': '' },
      attributes: { [configuration]: '%config(noreplace)', 'etc/a.toml': '%config', 'var/cache/kata.img': '%ghost' },
      scriptlets: ['%post', 'make-image', '%posttrans', 'link-image', '%preun', 'remove-image'],
    });
    const listed = async (path: string): Promise<unknown> => {
      const { files: found, isWhole } = await open(path).manifest();
      const rows = [...found].map(
        ([name, { configuration: kind, isGhost }]) => `${name} ${kind}${isGhost ? ' ghost' : ''}`,
      );
      return [isWhole, ...rows.sort()];
    };
    assert.equal(await listed(deb), [false, `/${configuration} conffile`, '/usr/bin/kata-runtime null']);
    assert.equal(await listed(rpm), [
      true,
      '/etc/a.toml config',
      `/${configuration} noreplace`,
      '/usr/bin/kata-runtime null',
      '/usr/share/kata-containers/kata-1.img null',
      '/usr/share/kata-containers/kata.img null',
      '/var/cache/kata.img null ghost',
    ]);
    assert.match((await open(deb).manifest()).script, /^make-image$/m);
    const { script } = await open(rpm).manifest();
    assert.match(script, /^make-image$/m);
    assert.match(script, /^link-image$/m);
    assert.not.match(script, /remove-image/);
  },
  { needs: ['dpkg-deb', 'gzip', 'rpm', 'rpmbuild'] },
);

const refused: readonly [
  rule: string,
  make: (path: string) => void,
  kind: typeof Io | typeof NotFound | typeof Unsupported,
][] = [
  ['not there', () => {}, NotFound],
  ['empty', (path) => writeFileSync(path, ''), Unsupported],
  ['shorter than a magic number', (path) => writeFileSync(path, '!<a'), Unsupported],
  // rpm itself would take the text for a list of packages, and open those.
  ['a list of packages', (path) => writeFileSync(path, '/etc/passwd\nhttp://192.0.2.1/x.rpm\n'), Unsupported],
  ['a directory', (path) => run('mkdir', path), Io],
  ['a FIFO', (path) => run('mkfifo', path), Io],
];

for (const [index, [rule, make, kind]] of refused.entries()) {
  test(`refused, with its name: ${rule}`, () => {
    const path = join(folder, `refused-${index}.rpm`);
    make(path);
    try {
      open(path);
    } catch (error) {
      assert.instance(error, kind);
      assert.ok((error as Error).message.startsWith(`${path}: `));
      return;
    }
    assert.unreachable('it was opened');
  });
}
