import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from './suite.ts';

const test = suite('the mirror of src/');
const sources = join(import.meta.dirname, '../src');

/** Tested from outside, as programs, by test/e2e; host.ts holds the types and what both hosts share. */
const fromOutside = [
  'check.ts',
  'cli.ts',
  'host/host.ts',
  'host/quickjs-modules.d.ts',
  'host/quickjs.ts',
  'main.node.ts',
  'main.quickjs.ts',
];

const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort();

for (const path of files.filter((file) => !fromOutside.includes(file))) {
  test(`${path} has its twin`, () => {
    const twin = path.replace(/\.ts$/, '.test.ts');
    assert.ok(existsSync(join(import.meta.dirname, twin)), `test/${twin} is missing`);
  });
}

test('what is tested from outside is still there', () => {
  assert.equal(
    fromOutside.filter((path) => !files.includes(path)),
    [],
  );
});
