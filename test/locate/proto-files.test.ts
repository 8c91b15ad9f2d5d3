import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { protoFiles } from '../../src/locate/proto-files.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the .proto files of a checkout');
const host = createNodeHost();
const before = 'service AgentService { }';

test('a tree: the files of the runtime and the agent, wherever they lie, no others and no links', () => {
  const folder = writeTree(temporaryFolder(), {
    'src/kata-3.29.0/protos/agent.proto': before,
    'src/kata-3.29.0/protos/types.proto': 'package types;',
    'src/kata-3.29.0/protos/sealed_secret.proto': 'message A { broken',
    'src/.hidden/agent.proto': before,
    'src/vendor/agent.proto': before,
  });
  symlinkSync(folder, join(folder, 'loop'));
  assert.equal(
    protoFiles(host, folder).map(({ path }) => path.slice(folder.length)),
    ['/src/kata-3.29.0/protos/agent.proto', '/src/kata-3.29.0/protos/types.proto'],
  );
});

test('a tree that holds one of them twice, or none, is not guessed at', () => {
  const folder = writeTree(temporaryFolder(), { 'a/agent.proto': before, 'b/agent.proto': before });
  assert.throws(() => protoFiles(host, folder), /holds both .*\/a\/agent\.proto and .*\/b\/agent\.proto/);
  mkdirSync(join(folder, 'none'));
  assert.throws(() => protoFiles(host, join(folder, 'none')), /holds no agent\.proto/);
  assert.throws(() => protoFiles(host, join(folder, 'nowhere')), /no such file or directory/);
});
