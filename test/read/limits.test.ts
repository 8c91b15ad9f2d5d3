import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import * as limits from '../../src/read/limits.ts';
import { suite } from '../suite.ts';

const test = suite('limits');
const folder = join(import.meta.dirname, '../../src/read');
const readers = [folder, join(folder, '../archive')].flatMap((path) =>
  readdirSync(path)
    .filter((name) => name !== 'limits.ts')
    .map((name) => readFileSync(join(path, name), 'utf8')),
);
const source = readFileSync(join(folder, 'limits.ts'), 'utf8');

for (const [name, value] of Object.entries(limits)) {
  test(`${name} is a number, has its reason beside it, and a reader keeps it`, () => {
    assert.ok(Number.isSafeInteger(value) && value > 0);
    assert.match(source, new RegExp(`\\*/\\nexport const ${name} = `));
    assert.ok(readers.some((text) => text.includes(`limits.${name}`)));
  });
}

test('what is read at once is less than what is read in all, and a path holds its links', () => {
  assert.ok(limits.readBytes < limits.imageBytes);
  assert.ok(limits.summaryBytes <= limits.readBytes);
  assert.ok(limits.agentBytes <= limits.imageBytes);
  assert.ok(limits.initrdKeptBytes >= limits.summaryBytes);
});
