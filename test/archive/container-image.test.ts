import * as assert from 'uvu/assert';
import { layersOf } from '../../src/archive/container-image.ts';
import type { Member } from '../../src/archive/members.ts';
import { suite } from '../suite.ts';

const test = suite('container images in tar archives');
const one = '1'.repeat(64);
const two = '2'.repeat(64);

function members(files: Readonly<Record<string, string>>): () => AsyncGenerator<Member> {
  return async function* () {
    for (const [path, text] of Object.entries(files)) {
      const bytes = new TextEncoder().encode(text);
      const pieces = async function* () {
        yield bytes;
      };
      yield { path, type: 'file', size: bytes.length, target: '', identity: null, content: async () => bytes, pieces };
    }
  };
}

const manifest = (...layers: readonly string[]): string =>
  JSON.stringify({ layers: layers.map((digest) => ({ digest: `sha256:${digest}` })) });
const index = (...digests: readonly string[]): string =>
  JSON.stringify({ manifests: digests.map((digest) => ({ digest: `sha256:${digest}` })) });

const rows: readonly [
  rule: string,
  files: Readonly<Record<string, string>>,
  layers: readonly string[] | undefined | RegExp,
][] = [
  ['anything else', { 'opt/kata/VERSION': '1' }, undefined],
  ['anything else, though it begins so', { 'manifest.json': '[]', 'opt/kata/VERSION': '1' }, undefined],
  ['Docker', { 'manifest.json': `[{"Layers": ["${one}/layer.tar"]}]`, [`${one}/layer.tar`]: '' }, [`${one}/layer.tar`]],
  ['Docker, two images', { 'manifest.json': '[{"Layers": []}, {"Layers": []}]' }, /holds 2 images/],
  ['Docker, nothing like it', { 'manifest.json': 'x' }, /manifest\.json: is no valid JSON/],
  ['Docker, broken', { 'manifest.json': '[{' }, /manifest\.json: is no valid JSON/],
  [
    'OCI',
    { 'oci-layout': '{}', 'index.json': index(one), [`blobs/sha256/${one}`]: manifest(two) },
    [`blobs/sha256/${two}`],
  ],
  [
    'OCI, an index in the index',
    {
      'index.json': index(one),
      [`blobs/sha256/${one}`]: index(two),
      [`blobs/sha256/${two}`]: manifest(one),
    },
    [`blobs/sha256/${one}`],
  ],
  [
    'OCI, beside an attestation',
    {
      'index.json': JSON.stringify({
        manifests: [{ digest: `sha256:${one}` }, { digest: `sha256:${two}`, platform: { architecture: 'unknown' } }],
      }),
      [`blobs/sha256/${one}`]: manifest(two),
    },
    [`blobs/sha256/${two}`],
  ],
  [
    'OCI, the index of several architectures, of which one was pulled',
    { 'index.json': index(one, two), [`blobs/sha256/${two}`]: manifest(one) },
    [`blobs/sha256/${one}`],
  ],
  [
    'OCI, a layer of another digest',
    {
      'index.json': index(one),
      [`blobs/sha256/${one}`]: JSON.stringify({ layers: [{ digest: `sha512:${two}` }] }),
    },
    /a layer of the digest "sha512:2/,
  ],
  [
    'OCI, thirty manifests of a megabyte',
    Object.fromEntries(
      Array.from({ length: 30 }, (_, at) => [`blobs/sha256/${`${at}`.padStart(64, '0')}`, '{'.padEnd(1024 * 1024)]),
    ),
    /manifests of more than 16777216 bytes/,
  ],
  [
    'OCI, thirty layers of a megabyte',
    {
      'index.json': index(one),
      [`blobs/sha256/${one}`]: manifest(two),
      ...Object.fromEntries(
        Array.from({ length: 30 }, (_, at) => [`blobs/sha256/${`${at}`.padStart(64, '0')}`, 'x'.padEnd(1024 * 1024)]),
      ),
    },
    [`blobs/sha256/${two}`],
  ],
  ['OCI, in a circle', { 'index.json': index(one), [`blobs/sha256/${one}`]: index(one) }, /leads to no manifest/],
  [
    'OCI, a digest that leaves',
    { 'index.json': JSON.stringify({ manifests: [{ digest: 'sha256:../x' }] }) },
    /no manifest/,
  ],
  ['OCI, no list', { 'index.json': '{"manifests": 5}' }, /no manifest/],
];

for (const [rule, files, expected] of rows) {
  test(rule, async () => {
    try {
      const layers = await layersOf(members(files), 'FILE');
      assert.equal(layers === undefined ? undefined : [...layers], expected);
    } catch (error) {
      if (!(expected instanceof RegExp)) throw error;
      assert.match((error as Error).message, expected);
    }
  });
}
