import * as assert from 'uvu/assert';
import type { Reading } from '../../src/state/node.ts';
import { readsOf } from '../../src/state/reading.ts';
import { image, settingsOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('which configurations are read with an image');

type Reader = Reading['configurations'][number]['readers'][number];
const anybody: Reader = { prefix: null, language: null };

function reading(
  ...all: readonly (readonly [path: string, reader: Reader, values?: Record<string, string>])[]
): Reading {
  const configurations = all.map(([path, reader, values = {}]) => ({
    settings: settingsOf(values, { path }),
    readers: [reader],
  }));
  return { configurations, languages: ['go', 'rust'], architecture: 'other' };
}

const ofGo = { prefix: '/usr', language: 'go' } as const;
const ofAny = { prefix: null, language: null } as const;

type Row = readonly [
  rule: string,
  reading: Reading,
  runtime: { readonly prefix: string | null; readonly language: 'go' | 'rust' | null },
  users: readonly string[] | null,
  read: readonly string[],
  isSure: boolean,
];

const rows: readonly Row[] = [
  ['that which names it', reading(['/a', anybody], ['/b', anybody]), ofGo, ['/b'], ['/b go'], true],
  [
    'of all images, each that the runtime reads',
    reading(['/a', anybody], ['/b', anybody]),
    ofGo,
    null,
    ['/a go', '/b go'],
    true,
  ],
  [
    'another language reads another one',
    reading(['/a', { prefix: null, language: 'rust' }], ['/b', anybody]),
    ofGo,
    null,
    ['/b go'],
    true,
  ],
  [
    'another prefix too',
    reading(['/a', { prefix: '/opt/kata', language: null }], ['/b', anybody]),
    ofGo,
    null,
    ['/b go'],
    true,
  ],
  [
    'where nobody names the image, each may be the one',
    reading(['/a', anybody], ['/b', anybody]),
    ofGo,
    [],
    ['/a go', '/b go'],
    false,
  ],
  ['without any configuration nothing is known', reading(), ofAny, ['/a'], [' go,rust'], false],
  [
    'the language that reads a configuration',
    reading(['/a', { prefix: null, language: 'rust' }]),
    ofAny,
    ['/a'],
    ['/a rust'],
    true,
  ],
  [
    'a configuration without a name of its hypervisor is not of runtime-rs',
    reading(['/a', anybody]),
    ofAny,
    ['/a'],
    ['/a go'],
    true,
  ],
  ['with one it is', reading(['/a', anybody, { 'runtime.hypervisor_name': 'qemu' }]), ofAny, ['/a'], ['/a rust'], true],
];

for (const [rule, node, runtime, users, read, isSure] of rows) {
  test(rule, () => {
    const usedBy = users?.map((path) => ({ path, ...anybody }));
    const found = readsOf(node, runtime, usedBy === undefined ? null : image('3.2.0', { usedBy }));
    assert.equal(
      found.readers.map(({ settings, languages }) => `${settings.path} ${languages}`),
      [...read],
    );
    assert.is(found.isSure, isSure);
  });
}

test('an unknown configuration still knows the architecture', () => {
  assert.is(readsOf(reading(), ofAny, null).readers[0]?.settings.architecture, 'other');
});
