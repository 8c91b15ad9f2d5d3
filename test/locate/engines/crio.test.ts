import * as assert from 'uvu/assert';
import { createNodeHost } from '../../../src/host/node.ts';
import { rootedHost } from '../../../src/host/rooted.ts';
import { crioHandlers } from '../../../src/locate/engines/crio.ts';
import type { Unread } from '../../../src/locate/toml.ts';
import { temporaryFolder, writeTree } from '../../images.ts';
import { suite } from '../../suite.ts';

const test = suite('the handlers of CRI-O');

const rows: readonly [rule: string, lines: string, isKata: boolean][] = [
  ['a virtual machine', 'runtime_type = "vm"', true],
  ['a program of Kata', 'runtime_path = "/usr/bin/kata-runtime"', true],
  ['annotations of Kata', 'allowed_annotations = ["io.katacontainers.config.hypervisor"]', true],
  ['none of them', 'runtime_type = "oci"\nruntime_path = "/usr/bin/runc"', false],
];

for (const [rule, lines, isKata] of rows) {
  test(rule, () => {
    const tree = writeTree(temporaryFolder(), {
      '/etc/crio/crio.conf.d/10-x': `[crio.runtime.runtimes.x]\nruntime_config_path = "/c"\n${lines}\n`,
    });
    const unread: Unread[] = [];
    const [handler, ...more] = crioHandlers(rootedHost(createNodeHost(), tree), unread);
    assert.equal(more, []);
    assert.is(handler?.by, 'CRI-O, handler x');
    assert.is(handler?.file, '/etc/crio/crio.conf.d/10-x');
    assert.is(handler?.configuration, '/c');
    assert.is(handler?.isKata, isKata);
    assert.equal(unread, []);
  });
}
