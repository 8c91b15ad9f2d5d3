import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { withAdditions } from '../../src/protocol/additions.ts';
import { builtIn, codeOf, reach } from '../../src/protocol/reach.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { settingsOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('what is added to the tables of the protocol');

const row = {
  id: 'Hibernate',
  kind: 'call',
  name: 'Hibernate',
  go: '4.2.0..',
  lacks: '<4.2.0',
  when: 'a sandbox starts',
  effect: 'pod',
  where: [[{ key: 'runtime.vfio_mode', is: 'vfio' }]],
  sources: ['kata-containers@4.2.0:src/runtime/virtcontainers/sandbox.go:1'],
};
const added = (document: object) => withAdditions(builtIn, '/a.json', JSON.stringify(document));
const version = (text: string): Version => parseVersion(text) as Version;

test('a release and a row: judged as those that the program knows', () => {
  const known = added({ schema: 1, releases: ['4.2'], rows: [row] });
  const code = (value: string) => {
    const settings = settingsOf({ 'runtime.vfio_mode': value });
    const found = reach(version('4.2.0'), version('4.1.0'), [{ languages: ['go'], settings }], true, known);
    return found === undefined ? 'not covered' : codeOf(found.met);
  };
  assert.equal([code('vfio'), code('guest-kernel')], ['KC103', null]);
});

test('a row of a known id takes its place', () => {
  const known = added({ schema: 1, rows: [{ ...row, id: 'SetPolicy' }] });
  assert.is(known.rows.length, builtIn.rows.length);
  assert.is(known.rows.find(({ id }) => id === 'SetPolicy')?.name, 'Hibernate');
});

test('the next major release, and its first minor', () => {
  assert.is(added({ schema: 1, releases: ['5.0', '5.1'] }).lastMinors.get(5), 1);
});

const wrong: readonly [rule: string, document: object, message: string][] = [
  ['another schema', { schema: 2 }, '/schema is not 1'],
  ['an unknown key', { schema: 1, row: [] }, '/row is no known key'],
  ['a release left out', { schema: 1, releases: ['4.3'] }, '/releases/0 leaves out 4.2'],
  ['a release with a patch', { schema: 1, releases: ['4.2.0'] }, '/releases/0 is of another form: 4.2.0'],
  ['an unknown key of a row', { schema: 1, rows: [{ ...row, effects: 'pod' }] }, '/rows/0/effects is no known key'],
  ['no source', { schema: 1, rows: [row, { ...row, sources: [] }] }, '/rows/1/sources is empty'],
  ['no runtime', { schema: 1, rows: [{ ...row, go: undefined }] }, '/rows/0 has neither go nor rust'],
  ['a span that is none', { schema: 1, rows: [{ ...row, go: '4.2.0' }] }, '/rows/0/go is of another form: 4.2.0'],
  [
    'a range that is none',
    { schema: 1, rows: [{ ...row, lacks: '^4.2.0' }] },
    '/rows/0/lacks is of another form: ^4.2.0',
  ],
  [
    'an unknown effect',
    { schema: 1, rows: [{ ...row, effect: 'boom' }] },
    '/rows/0/effect is none of pod, container, degraded, engine, operation, ignored',
  ],
  [
    'pods without their share',
    { schema: 1, rows: [{ ...row, pods: 'x' }] },
    '/rows/0 has one of pods and share without the other',
  ],
  [
    'a term of nothing',
    { schema: 1, rows: [{ ...row, where: [[{ key: 'runtime.x' }]] }] },
    '/rows/0/where/0/0 is neither a key with is, not or above, nor a hypervisor, a snapshotter or an architecture',
  ],
  [
    'a bound that is no number',
    { schema: 1, rows: [{ ...row, where: [[{ key: 'runtime.x', above: '1' }]] }] },
    '/rows/0/where/0/0/above is no number',
  ],
  ['a list instead of a row', { schema: 1, rows: [[]] }, '/rows/0 is no object'],
  [
    'a number that begins with 0',
    { schema: 1, rows: [{ ...row, go: '04.2.0..' }] },
    '/rows/0/go is of another form: 04.2.0..',
  ],
  [
    'a range of two numbers',
    { schema: 1, rows: [{ ...row, lacks: '<4.2' }] },
    '/rows/0/lacks is of another form: <4.2',
  ],
  [
    'a key without a section',
    { schema: 1, rows: [{ ...row, where: [[{ key: 'vfio_mode', is: 'x' }]] }] },
    '/rows/0/where/0/0/key is of another form: vfio_mode',
  ],
  ['a text of nothing', { schema: 1, rows: [{ ...row, when: '' }] }, '/rows/0/when is no text of 1 to 1000 characters'],
];

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../packaging/protocol.schema.json'), 'utf8'));
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false });
const isValid = ajv.compile(schema);

test('by the published schema the rows of the program, and a new one, are valid', () => {
  const document = { schema: 1, releases: ['4.2'], rows: [...builtIn.rows, row] };
  assert.ok(isValid(document), ajv.errorsText(isValid.errors));
  assert.is(added(document).rows.length, builtIn.rows.length + 1);
});

for (const [rule, document, message] of wrong) {
  test(`refused with its place: ${rule}`, () => {
    assert.throws(
      () => added(document),
      (error: Error) => error.message === `/a.json: ${message}`,
    );
    // Which releases the program knows, the schema does not.
    assert.is(isValid(JSON.parse(JSON.stringify(document))), rule === 'a release left out');
  });
}

test('refused: no JSON', () => {
  assert.throws(() => withAdditions(builtIn, '/a.json', '{'), /^\/a\.json: \/ is no JSON$/);
});
