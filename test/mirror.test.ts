import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from './suite.ts';

const test = suite('the mirror of src/');
const sources = join(import.meta.dirname, '../src');

/**
 * Tested from outside, as programs, by test/e2e; host.ts holds the types and what both hosts share; names.ts holds names; assembled.ts is
 * the part of after.ts that is loaded late, and test/state/after.test.ts tests both.
 */
const fromOutside =
  /^(?:state\/assembled|check|cli|commands\/.+|main\..+|hook|hooks\/names|host\/host|host\/quickjs[^/]*)\.ts$/;

const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort();

/** A file of types alone does nothing that could be tested. */
function isTypesAlone(path: string): boolean {
  return !/^export (?:async )?(?:function|const|class|let)\b/m.test(readFileSync(join(sources, path), 'utf8'));
}

for (const path of files.filter((file) => !fromOutside.test(file) && !isTypesAlone(file))) {
  test(`${path} has its twin`, () => {
    const twin = path.replace(/\.ts$/, '.test.ts');
    assert.ok(existsSync(join(import.meta.dirname, twin)), `test/${twin} is missing`);
  });
}

test('there is something to mirror, and each exception is still needed', () => {
  assert.ok(files.length > 30);
  for (const path of ['check.ts', 'cli.ts', 'main.node.ts', 'host/host.ts', 'host/quickjs.ts'])
    assert.ok(files.includes(path), path);
});
