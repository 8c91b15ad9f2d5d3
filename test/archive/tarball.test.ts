import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { placeOf } from '../../src/archive/members.ts';
import { openPackage } from '../../src/archive/package.ts';
import { tarballMembers } from '../../src/archive/tarball.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type TarEntry, tarOf } from '../debs.ts';
import { run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('static tarballs');
const host = createNodeHost();
const folder = temporaryFolder();
const shim = 'opt/kata/bin/containerd-shim-kata-v2';
const image = 'opt/kata/share/kata-containers/kata.img';
const files: Tree = {
  [shim]: 'ELF',
  'opt/kata/VERSION': '3.21.0\n',
  'opt/kata/share/kata-containers/kata-1.img': 'x'.repeat(300_000),
  [image]: { link: 'kata-1.img' },
};

/** By the real tar, from its own folder, as Kata's build does. */
function tarball(name: string, tree: Tree, compression: string): string {
  const file = join(folder, name);
  run('tar', '-C', writeTree(temporaryFolder(), tree), compression, '-cf', file, './opt');
  return file;
}

async function places(path: string, prefix = '/opt/kata'): Promise<string[]> {
  const found: string[] = [];
  for await (const { path: place, type, target, pieces } of tarballMembers(host, path, host.now() + 60_000, prefix)) {
    if (type === 'directory') continue;
    let length = 0;
    for await (const piece of pieces()) length += piece.length;
    found.push(`/${place} ${type === 'file' ? length : target}`);
  }
  return found.sort();
}

const expected = [
  `/${shim} 3`,
  '/opt/kata/VERSION 7',
  `/${image} kata-1.img`,
  '/opt/kata/share/kata-containers/kata-1.img 300000',
].sort();

const forms: readonly [form: string, name: string, option: string, needs: readonly string[]][] = [
  ['zstd', 'kata-static-4.1.0-amd64.tar.zst', '--zstd', ['tar', 'zstd']],
  ['xz', 'kata-static-4.1.0-amd64.tar.xz', '--xz', ['tar', 'xz']],
  ['gzip', 'kata-static-4.1.0-amd64.tar.gz', '--gzip', ['tar', 'gzip']],
  ['alone', 'kata-static-4.1.0-amd64.tar', '--no-auto-compress', ['tar']],
];

for (const [form, name, option, needs] of forms) {
  test(
    `${form}: what it brings, and the version in it before the one in its name`,
    async () => {
      const path = tarball(name, files, option);
      assert.equal(await places(path), expected);
      const file = openPackage(host, path, host.now() + 60_000);
      assert.is(file.format, 'tarball');
      assert.equal(await file.fields(), { name, version: '3.21.0', agentRequires: null, agentVersion: null });
    },
    { needs },
  );
}

const names: readonly [name: string, version: string][] = [
  ['kata-static-4.1.0-amd64.tar.gz', '4.1.0'],
  ['kata-go-static-4.1.0-rc0-s390x.tar.gz', '4.1.0-rc0'],
  ['kata-static-3.2.0-x86_64.tar.gz', '3.2.0'],
  ['kata-static-shim-v2-go.tar.gz', ''],
  ['kata-tools-static-4.1.0-amd64.tar.gz', ''],
];

for (const [name, version] of names) {
  test(`without a file VERSION the name is all there is: ${name}`, async () => {
    const path = join(folder, name);
    writeFileSync(path, gzipSync(tarOf([{ path: `./${shim}`, content: 'ELF' }])));
    assert.is((await openPackage(host, path, host.now() + 60_000).fields()).version, version);
  });
}

test('where kata-deploy installs with a suffix: hard and absolute links go with their files, what is elsewhere is not brought', async () => {
  const path = join(folder, 'suffix.tar');
  const entries: TarEntry[] = [
    { path: './opt/kata/a', content: 'x' },
    { path: './opt/kata/b', type: '1', target: './opt/kata/a' },
    { path: './opt/kata/c', type: '2', target: '../kata/a' },
    { path: './opt/kata/d', type: '2', target: '/opt/kata/a' },
    { path: './opt/kata/e', type: '2', target: '/opt/kata-2/a' },
    { path: './opt/kata-2/d', content: 'x' },
    { path: './etc/passwd', content: 'x' },
    { path: '../../opt/kata/e', content: 'x' },
  ];
  writeFileSync(path, tarOf(entries));
  const found = await places(path, '/opt/kata-dev');
  assert.equal(found, [
    '/opt/kata-dev/a 1',
    '/opt/kata-dev/b opt/kata-dev/a',
    '/opt/kata-dev/c ../kata/a',
    '/opt/kata-dev/d /opt/kata-dev/a',
    '/opt/kata-dev/e /opt/kata-2/a',
  ]);
});

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The image of kata-deploy as an OCI layout in one tar archive. */
function ociArchive(layers: readonly Uint8Array[], index?: object): string {
  const blobs = layers.map((bytes) => ({ digest: `sha256:${digest(bytes)}`, size: bytes.length, bytes }));
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const described = (bytes: Uint8Array, mediaType: string) => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: `sha256:${digest(bytes)}`,
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: described(config, 'config.v1+json'),
      layers: blobs.map(({ bytes }) => described(bytes, 'layer.v1.tar')),
    }),
  );
  const own = { schemaVersion: 2, manifests: [described(manifest, 'manifest.v1+json')] };
  const path = join(temporaryFolder(), 'image.tar');
  const files: TarEntry[] = [
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify(index ?? own) },
    ...[config, manifest, ...layers].map((content) => ({ path: `blobs/sha256/${digest(content)}`, content })),
  ];
  writeFileSync(path, tarOf(files));
  return path;
}

function layerWith(name: string, tarballBytes: Uint8Array): Uint8Array {
  return tarOf([
    { path: 'usr/bin/kata-deploy', content: 'ELF' },
    { path: `opt/kata-artifacts/tarballs/${name}`, content: tarballBytes },
  ]);
}

const inner = (...entries: readonly TarEntry[]): Uint8Array => gzipSync(tarOf(entries));
const shimTarball = layerWith('kata-static-shim-v2-go.tar.gz', inner({ path: `./${shim}`, content: 'ELF' }));
const imageTarball = layerWith('kata-static-rootfs-image.tar.gz', inner({ path: `./${image}`, content: 'image' }));
const inLayers = [`/${shim} 3`, `/${image} 5`];

test('the image of kata-deploy in the OCI layout: tarballs in two layers, one of them compressed', async () => {
  assert.equal(await places(ociArchive([shimTarball, gzipSync(imageTarball)])), inLayers);
});

test(
  'the same as a folder',
  async () => {
    const folder = temporaryFolder();
    run('tar', '-C', folder, '-xf', ociArchive([shimTarball, gzipSync(imageTarball)]));
    assert.equal(await places(folder), inLayers);
    assert.is(openPackage(host, folder, host.now() + 60_000).format, 'tarball');
  },
  { needs: ['tar'] },
);

test('an older image of kata-deploy, which holds the files themselves', async () => {
  const layer = tarOf([
    { path: `opt/kata-artifacts/${shim}`, content: 'ELF' },
    { path: `opt/kata-artifacts/${image}`, type: '1', target: `opt/kata-artifacts/${shim}` },
  ]);
  assert.equal(await places(ociArchive([layer])), [`/${shim} 3`, `/${image} ${shim}`]);
});

test(
  'the same as skopeo writes it for Docker',
  async () => {
    const path = ociArchive([shimTarball, imageTarball]);
    const saved = join(temporaryFolder(), 'saved.tar');
    execFileSync(
      'skopeo',
      ['--insecure-policy', 'copy', '-q', `oci-archive:${path}`, `docker-archive:${saved}:kata-deploy:1`],
      { stdio: 'pipe' },
    );
    assert.equal(await places(saved), inLayers);
  },
  { needs: ['skopeo'] },
);

async function reason(path: string): Promise<string> {
  try {
    await places(path);
  } catch (error) {
    return (error as Error).message.replace(path, 'FILE');
  }
  return 'none';
}

const manifests = [1, 2].map((number) => ({
  digest: `sha256:${`${number}`.repeat(64)}`,
  platform: { architecture: 'x' },
}));
const broken: readonly [rule: string, path: string, said: RegExp][] = [
  ['two images', ociArchive([shimTarball], { manifests }), /holds 2 images; save the one/],
  ['an index that leads nowhere', ociArchive([shimTarball], { manifests: manifests.slice(1) }), /leads to no manifest/],
  ['a tarball in two layers', ociArchive([shimTarball, gzipSync(shimTarball)]), /in two layers/],
  [
    'a layer that is no archive',
    ociArchive([layerWith('kata-static-x.tar.zst', Buffer.from('junk'))]),
    /kata-static-x\.tar\.zst: neither a tar archive/,
  ],
];

for (const [rule, path, said] of broken) {
  test(`refused: ${rule}`, async () => assert.match(await reason(path), said));
}

test('a tarball that breaks off is corrupt, at every cut that leaves a header', async () => {
  const whole = readFileSync(ociArchive([shimTarball]));
  const path = join(folder, 'cut.tar');
  for (const size of [600, 1100, 2000, whole.length - 4096]) {
    writeFileSync(path, whole.subarray(0, size));
    assert.match(await reason(path), /breaks off|ends before|no manifest|neither/, `${size}`);
  }
});

test('what leads out of its folder is at no path that could be looked for', async () => {
  const path = join(folder, 'out.tar');
  writeFileSync(path, tarOf([{ path: './opt/kata/../../etc/shadow', content: 'x' }]));
  const brought: string[] = [];
  for await (const member of openPackage(host, path, host.now() + 60_000).members()) {
    const place = placeOf(member);
    if (place !== undefined) brought.push(place);
  }
  assert.equal(brought, []);
});

test('there is nothing in an empty archive', async () => {
  const path = join(folder, 'empty.tar');
  writeFileSync(path, tarOf([]));
  assert.match(await reason(path), /neither a tar archive/);
});
