import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { assembled } from '../../src/state/assembled.ts';
import { sampleNode } from '../e2e/program.ts';
import { suite } from '../suite.ts';
import { configOf } from './roots.ts';

const test = suite('the state, put together');
const host = createNodeHost();

test('without a transaction: the runtime and the image that are installed', async () => {
  const request = {
    root: sampleNode,
    transaction: null,
    to: null,
    requires: undefined,
    images: [],
    settings: configOf(''),
    deadline: host.now() + 60_000,
  };
  const { state, warnings } = await assembled(host, rootedHost(host, sampleNode), request, []);
  assert.equal(
    state.images.map(({ facts }) => [facts.path, facts.agent?.version.text]),
    [['/usr/share/kata-containers/kata-containers.img', '1.0.0']],
  );
  assert.ok(state.runtimes.length > 0);
  assert.equal([state.onlyChanges, warnings], [false, []]);
});
