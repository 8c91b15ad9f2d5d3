import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { additionsFolder, knownProtocol } from '../../src/locate/additions.ts';
import { builtIn } from '../../src/protocol/reach.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('files that add to the tables of the protocol');

async function found(files: Readonly<Record<string, string>>, change?: (root: string) => void) {
  const tree = Object.fromEntries(Object.entries(files).map(([name, text]) => [`${additionsFolder}/${name}`, text]));
  const root = writeTree(temporaryFolder(), tree);
  change?.(root);
  const problems: string[] = [];
  const known = await knownProtocol(rootedHost(createNodeHost(), root), problems);
  return { last: known.lastMinors.get(4), problems, known };
}

test('without the folder: what is built in', async () => {
  assert.is(await knownProtocol(rootedHost(createNodeHost(), temporaryFolder()), []), builtIn);
});

test('in the order of their names, and nothing but .json', async () => {
  const { last, problems } = await found({
    '20-b.json': '{"schema":1,"releases":["4.3"]}',
    '10-a.json': '{"schema":1,"releases":["4.2"]}',
    README: 'x',
  });
  assert.equal([last, problems], [3, []]);
});

test('a file that is wrong is refused with its place, and the others hold', async () => {
  const { last, problems } = await found({
    'a.json': '{"schema":1,"releases":["4.2"]}',
    'b.json': '{"schema":1,"rows":{}}',
  });
  assert.equal([last, problems], [2, [`${additionsFolder}/b.json: /rows is no list: the file is not used`]]);
});

test(
  'as root only what root alone can write',
  async () => {
    const { last, problems } = await found({ 'a.json': '{"schema":1,"releases":["4.2"]}' }, (root) =>
      chmodSync(join(root, additionsFolder, 'a.json'), 0o666),
    );
    assert.is(last, 1);
    assert.match(problems[0] ?? '', /a\.json is not read: it, or its folder, is not root's alone to write$/);
  },
  { needs: process.getuid?.() === 0 ? [] : ['root'] },
);

test('the published schema names the same keys', () => {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../packaging/protocol.schema.json'), 'utf8'));
  assert.equal(Object.keys(schema.properties).sort(), ['$schema', 'releases', 'rows', 'schema']);
  const known = new Set(builtIn.rows.flatMap((row) => Object.keys(row)));
  assert.equal(Object.keys(schema.$defs.row.properties).sort(), [...known].sort());
});
