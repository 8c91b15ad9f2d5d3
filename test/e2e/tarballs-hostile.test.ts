/** Tarballs that nobody of good will makes: each ends soon, in little memory, with an error that names the file and the place, or is judged right. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { type TarEntry, tarOf } from '../debs.ts';
import { run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';
import { suite } from '../suite.ts';
import { guest, hypervisor } from './nodes.ts';
import { forms } from './program.ts';

const test = suite('kata-check TARBALL, hostile');
const needs = ['mkfs.ext4', 'sh', 'gzip', 'xz', 'zstd'];
const folder = temporaryFolder();
const image = './opt/kata/share/kata-containers/kata-containers.img';
const shim = './opt/kata/bin/containerd-shim-kata-v2';
const gibibyte = 1 << 30;

/** One handler and its image. */
const node = writeTree(temporaryFolder(), {
  '/opt/kata/bin/containerd-shim-kata-v2': goStandIn('4.0.0'),
  '/opt/kata/share/defaults/kata-containers/configuration.toml': hypervisor('qemu', image.slice(1)),
  [image.slice(1)]: guest('4.0.0'),
  // A bomb is to end by it and not by ten minutes.
  '/etc/hurry.conf': 'deadline = 1\n',
} satisfies Tree);

interface Outcome {
  readonly status: number | null;
  readonly text: string;
  /** Milliseconds. */
  readonly took: number;
}

/** In 1 GiB of address space where the form allows it: Node.js itself reserves more. */
function check(form: (typeof forms)[number], path: string, isHurried: boolean): Outcome {
  const limit = form.name === 'native' ? 'ulimit -v 1048576; ' : '';
  const hurry = isHurried ? ['--config', join(node, 'etc/hurry.conf')] : [];
  const args = ['--root', node, ...hurry, '--json', path];
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `${limit}exec "$@"`, 'sh', ...form.argv, ...args], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
    timeout: 60_000,
  });
  return { status, text: stdout + stderr, took: performance.now() - began };
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const whole: readonly TarEntry[] = [
  { path: './opt/kata/VERSION', content: '4.1.0\n' },
  { path: shim, content: goStandIn('4.1.0') },
];

/** A tar archive that begins with a guest image of so many bytes, which are not there. */
function endless(size: number, before: readonly TarEntry[] = []): Uint8Array {
  return tarOf([...before, { path: image, size }]).subarray(0, -1024);
}

const bombs = new Map<string, string>();

/** The archive's beginning and eight GiB of zeros, in one stream after another. */
function bomb(name: string, pack: string, before: readonly TarEntry[] = []): string {
  const known = bombs.get(name);
  if (known !== undefined) return known;
  const head = written('head', endless(8 * gibibyte, before));
  const path = join(folder, name);
  const zeros = `for at in $(seq 32); do cat zeros; done`;
  run(
    'sh',
    '-c',
    `cd '${folder}' && head -c 256M /dev/zero | ${pack} > zeros && (${pack} < '${head}'; ${zeros}) > '${path}'`,
  );
  bombs.set(name, path);
  return path;
}

/** A hole of so many bytes behind the beginning. */
function hole(name: string, size: number, said: number): string {
  const path = written(name, endless(said));
  truncateSync(path, size);
  return path;
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const layout: TarEntry = { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' };

/** An image in the OCI layout with these layers; `stored`: what is stored of them. */
function ociArchive(name: string, layers: readonly Uint8Array[], stored = layers): string {
  const blob = (content: Uint8Array | string, digest = digestOf(Buffer.from(content))): TarEntry => ({
    path: `blobs/sha256/${digest}`,
    content,
  });
  const manifest = JSON.stringify({ layers: layers.map((bytes) => ({ digest: `sha256:${digestOf(bytes)}` })) });
  const index = JSON.stringify({ manifests: [{ digest: `sha256:${digestOf(Buffer.from(manifest))}` }] });
  const blobs = stored.map((bytes, at) => blob(bytes, digestOf(layers[at] ?? bytes)));
  return written(name, tarOf([layout, { path: 'index.json', content: index }, blob(manifest), ...blobs]));
}

const tarballs = 'opt/kata-artifacts/tarballs';
const component = gzipSync(tarOf(whole));
const damaged = Buffer.from(component);
damaged.fill(0xff, 10, 60);
const layer = tarOf([{ path: `${tarballs}/kata-static-shim-v2-go.tar.gz`, content: component }]);
const packedLayer = gzipSync(layer);

const refused: readonly [rule: string, path: () => string, said: RegExp][] = [
  [
    '100,000 members',
    () => written('many.tar', tarOf([...whole, ...many(100_000), { path: image, content: guest('4.1.0') }])),
    // Of which the deadline of a second may come first.
    /FILE: (?:more than 25000 members|.*not read before the deadline)/,
  ],
  [
    'a bomb of zstd',
    () => bomb('bomb.tar.zst', 'zstd -q -1'),
    /zstd stream from byte 0 of FILE: zstd did not end before/,
  ],
  ['a bomb of gzip', () => bomb('bomb.tar.gz', 'gzip -1'), /gzip stream from byte 0 of FILE: gzip did not end before/],
  ['a bomb of xz', () => bomb('bomb.tar.xz', 'xz -0'), /xz stream from byte 0 of FILE: xz did not end before/],
  [
    'a bomb in a layer',
    () => ociArchive('layer.tar', [readFileSync(bomb('bomb.tar.zst', 'zstd -q -1'))]),
    /FILE, layer blobs\/sha256\/[0-9a-f]{64}: zstd did not end before/,
  ],
  [
    'a member of more than any release',
    () => hole('more.tar', 1e6, 2 ** 43),
    new RegExp(`FILE, ${image.slice(2)}: 8796093022208 bytes, more than 17179869184`),
  ],
  [
    'a file of eight terabytes, most of it a hole',
    () => hole('hole.tar', 2 ** 43, 8 * gibibyte),
    /FILE: more than 17179869184 bytes/,
  ],
  [
    'a file that breaks off in a member',
    () => hole('cut.tar', 5000, 8 * gibibyte),
    /FILE, byte [0-9]+: the archive breaks off at byte 5000/,
  ],
  [
    'a layer that is not stored',
    () => ociArchive('missing.tar', [layer], []),
    /FILE: the layer blobs\/sha256\/[0-9a-f]{64} is not in it/,
  ],
  [
    'a layer that breaks off',
    () => ociArchive('cut-layer.tar', [packedLayer], [packedLayer.subarray(0, -20)]),
    /gzip stream from byte 0 of FILE, layer blobs\/sha256\/[0-9a-f]{64}: is broken, or ends too early/,
  ],
  [
    'a damaged tarball in a layer',
    () => ociArchive('damaged.tar', [tarOf([{ path: `${tarballs}/kata-static-x.tar.gz`, content: damaged }])]),
    /gzip stream from byte 0 of FILE, layer blobs\/sha256\/[0-9a-f]{64}, tarballs\/kata-static-x\.tar\.gz: is broken, or ends too early/,
  ],
  [
    'a layer that is a text',
    () => ociArchive('text.tar', [Buffer.from('no archive')]),
    /FILE, layer blobs\/sha256\/[0-9a-f]{64}: neither a tar archive/,
  ],
];

const outside = (target: string, type = '2'): Uint8Array => tarOf([...whole, { path: image, type, target }]);
const leads = 'opt/kata/share/kata-containers/kata-containers.img leads to';
const judged: readonly [rule: string, bytes: () => Uint8Array, said: RegExp][] = [
  [
    'a bomb that says its version first',
    () => readFileSync(bomb('version.tar.zst', 'zstd -q -1', whole)),
    /the incoming package cannot be read: zstd stream from byte 0 of \S+: zstd did not end before/,
  ],
  [
    'a relative link that leaves',
    () => outside('../../../../../../../etc/passwd'),
    new RegExp(`${leads} /etc/passwd, which is not in the package`),
  ],
  [
    'an absolute link that leaves',
    () => outside('/etc/shadow'),
    new RegExp(`${leads} /etc/shadow, which is not in the package`),
  ],
  [
    'a hard link that leaves',
    () => outside('../../etc/passwd', '1'),
    /a link, not a regular file|is not in the package/,
  ],
  ['a link to itself', () => outside('kata-containers.img'), /more than 40 symbolic links/],
  [
    'a name that leaves',
    () => tarOf([...whole, { path: `./opt/kata/../../${image}`, content: guest('1.0.0') }]),
    /"agentVersion": "4\.0\.0"/,
  ],
  ['names in bytes that are no UTF-8', () => latin1Names(), /"agentVersion": "4\.1\.0"/],
  [
    '20,000 members',
    () => tarOf([...whole, ...many(20_000), { path: image, content: guest('4.1.0') }]),
    /"agentVersion": "4\.1\.0"/,
  ],
];

function many(count: number): TarEntry[] {
  return Array.from({ length: count }, (_, index) => ({ path: `./opt/kata/share/${index % 100}/file-${index}` }));
}

/** In ustar's header and in pax's, of files, folders and links. */
function latin1Names(): Uint8Array {
  const odd = '\xff\xfe\x1b[31m';
  const record = ` path=./opt/kata/${odd}\n`;
  const pax = Buffer.from(`${record.length + 2}${record}`, 'latin1');
  const plain = tarOf([
    ...whole,
    { path: './opt/kata/@@@@@@', content: 'x' },
    { path: './opt/kata/@@@@@@/', type: '5' },
    { path: './opt/kata/link', type: '2', target: '@@@@@@' },
    { path: 'pax', type: 'x', content: pax },
    { path: 'x', content: 'x' },
    { path: image, content: guest('4.1.0') },
  ]);
  return Buffer.from(Buffer.from(plain).toString('latin1').replaceAll('@@@@@@', odd.slice(0, 6)), 'latin1');
}

/** Takes as long as it is given. */
const isBomb = (rule: string): boolean => rule.includes('bomb');

for (const form of forms) {
  const options = { needs: [...needs, ...form.needs] };
  for (const [rule, make, said] of refused) {
    test(
      `${form.name}: refused: ${rule}`,
      () => {
        const path = make();
        const { status, text, took } = check(form, path, true);
        assert.match(text.replaceAll(path, 'FILE'), said);
        assert.is(status, 11);
        assert.ok(took < 30_000, `${took} ms`);
      },
      { ...options, isLong: isBomb(rule) },
    );
  }
  for (const [index, [rule, make, said]] of judged.entries()) {
    test(
      `${form.name}: judged: ${rule}`,
      () => {
        const { status, text } = check(form, written(`judged-${index}.tar`, make()), isBomb(rule));
        assert.match(text.replace(/\s+/g, ' '), said);
        assert.is(status, said.source.includes('agentVersion') ? 0 : 11);
        assert.not.match(text, /root:|\x1b/);
      },
      { ...options, isLong: isBomb(rule) },
    );
  }
}
