import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { installedManifest, type Manifest, parseDebManifest, parseRpmManifest } from '../../src/locate/manifest.ts';
import { run, temporaryFolder, writeTree } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';

const test = suite('what a package brings and runs');
const host = createNodeHost();

const listed = ({ files, isWhole }: Manifest): readonly string[] => [
  ...(isWhole ? ['all'] : []),
  ...[...files].map(([path, { configuration, isGhost }]) => `${path} ${configuration}${isGhost ? ' ghost' : ''}`),
];

const debs: readonly [rule: string, md5sums: string, conffiles: string, expected: readonly string[]][] = [
  ['nothing is listed', '', '', []],
  ['files by their digests', `${'a'.repeat(32)}  usr/bin/a b\n`, '', ['/usr/bin/a b null']],
  ['a line of another form is none', 'usr/bin/a\n', '', []],
  ['configurations', '', '/etc/a.toml\n', ['/etc/a.toml conffile']],
  ['what is removed by an upgrade does not come', '', 'remove-on-upgrade /etc/a.toml\n', []],
];

for (const [rule, md5sums, conffiles, expected] of debs) {
  test(`a .deb: ${rule}`, () => {
    const texts = new Map([
      ['md5sums', md5sums],
      ['conffiles', conffiles],
      ['postinst', 'make-image\n'],
    ] as const);
    assert.equal(listed(parseDebManifest(texts)), expected);
    assert.is(parseDebManifest(texts).script, 'make-image\n');
  });
}

const rpms: readonly [rule: string, printed: string, expected: readonly string[], script: RegExp][] = [
  ['no files', '(none)\t(none)\n\n(none)\n(none)\n', ['all'], /none/],
  ['%config is bit 0', '1\t/a\n\nx\n', ['all', '/a config'], /x/],
  ['noreplace is bit 4', '17\t/a\n\nx\n', ['all', '/a noreplace'], /x/],
  ['%ghost is bit 6', '64\t/a\n0\t/b\n\nx\n', ['all', '/a null ghost', '/b null'], /x/],
  ['scripts with empty lines', '0\t/a\n\nx\n\ny\n', ['all', '/a null'], /x\n\ny/],
  ['text of another form', 'x', ['all'], /x/],
];

for (const [rule, printed, expected, script] of rpms) {
  test(`an .rpm: ${rule}`, () => {
    const manifest = parseRpmManifest(printed);
    assert.equal(listed(manifest), expected);
    assert.match(manifest.script, script);
  });
}

test("of an installed package: dpkg's database", async () => {
  const info = '/var/lib/dpkg/info/kata-runtime';
  const root = writeTree(temporaryFolder(), {
    [`${info}.list`]: '/.\n/usr/share/link.toml\n/etc/a.toml\n',
    [`${info}.postinst`]: 'make-image\n',
    [`${info}.conffiles`]: '/etc/a.toml\n',
  });
  const of = (name: string): Promise<Manifest | undefined> => installedManifest(host, root, name, host.now() + 60_000);
  const manifest = await of('kata-runtime');
  assert.equal(manifest && listed(manifest), ['all', '/usr/share/link.toml null', '/etc/a.toml conffile']);
  assert.is(manifest?.script, 'make-image\n');
  for (const name of ['kata-image', '../info/kata-runtime', '']) assert.is(await of(name), undefined, name);
});

test(
  "of an installed package: rpm's database",
  async () => {
    const root = temporaryFolder();
    const rpm = makeRpm(temporaryFolder(), {
      name: 'kata-runtime',
      version: '1',
      files: { 'usr/bin/kata-runtime': '' },
      scriptlets: ['%posttrans', 'make-image'],
    });
    run('rpm', '--root', root, '--dbpath', '/usr/lib/sysimage/rpm', '-U', '--justdb', '--nodeps', rpm);
    const of = (name: string): Promise<Manifest | undefined> =>
      installedManifest(host, root, name, host.now() + 60_000);
    const manifest = await of('kata-runtime');
    assert.equal(manifest && listed(manifest), ['all', '/usr/bin/kata-runtime null']);
    assert.match(manifest?.script ?? '', /^make-image$/m);
    assert.is(await of('kata-image'), undefined);
  },
  { needs: ['root', 'rpm', 'rpmbuild'] },
);
