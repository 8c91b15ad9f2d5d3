/** The JSON Schema that is shipped, against every document that kata-check makes of a sample node. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { reportDocument } from '../../src/report/json.ts';
import { reportOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the JSON Schema');
const fixtures = join(import.meta.dirname, '../fixtures/nodes');
const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../packaging/report.schema.json'), 'utf8'));

/** As it is shipped a schema allows further keys, which may be added; here it must know each. */
function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed);
  if (typeof part !== 'object' || part === null) return part;
  const inner = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, closed(value)]));
  return 'properties' in part ? { ...inner, additionalProperties: false } : inner;
}

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
const isShipped = ajv.compile(schema);
const isClosed = ajv.compile(closed(schema) as object);

for (const name of readdirSync(fixtures)) {
  test(`${name.replace(/\.txt$/, '')}: the document validates, and has no key that the schema does not know`, () => {
    const transcript = readFileSync(join(fixtures, name), 'utf8');
    const json = /^\{\n.*?^\}$/ms.exec(transcript)?.[0];
    assert.ok(json !== undefined);
    const document = JSON.parse(json);
    assert.ok(isShipped(document), ajv.errorsText(isShipped.errors));
    assert.ok(isClosed(document), ajv.errorsText(isClosed.errors));
  });
}

test('nothing at all validates, and what a later version adds', () => {
  const document = reportDocument(reportOf([], []), 0, { host: null, root: '/', time: '2026-01-31T12:00:00.000Z' });
  assert.ok(isClosed(document), ajv.errorsText(isClosed.errors));
  assert.ok(isShipped({ ...document, more: 1 }));
  assert.not.ok(isClosed({ ...document, more: 1 }), 'this test sees unknown keys');
});

for (const key of schema.required) {
  test(`a document without ${key} does not validate`, () => {
    const document: Record<string, unknown> = {
      ...reportDocument(reportOf([], []), 0, { host: null, root: '/', time: '2026-01-31T12:00:00.000Z' }),
    };
    delete document[key];
    assert.not.ok(isShipped(document));
  });
}
