import * as assert from 'uvu/assert';
import { Descriptions } from '../../src/state/evidence.ts';
import { agentProto, descriptorsOf, protoFilesOf } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('what programs say while they pass');

test('runtimes are known by their names', () => {
  const found = new Descriptions();
  const names: readonly [place: string, isRuntime: boolean][] = [
    ['/usr/bin/kata-runtime', true],
    ['/opt/kata/bin/containerd-shim-kata-v2', true],
    ['/usr/local/bin/containerd-shim-kata-cc-v2', true],
    ['/opt/kata/bin/kata-monitor', false],
    ['/usr/bin/containerd-shim-runc-v2', false],
    ['/usr/share/doc/kata-runtime/README', false],
  ];
  for (const [place, isRuntime] of names) assert.is(found.observeRuntime(place) !== undefined, isRuntime, place);
});

test(
  'any one of two agents may speak; of runtimes that come together all must',
  () => {
    const speaking = Buffer.concat(descriptorsOf(protoFilesOf(agentProto())));
    const after = (...programs: readonly Uint8Array[]): Descriptions => {
      const found = new Descriptions();
      for (const program of programs) found.observe().add(program);
      return found;
    };
    const silent = Buffer.from('\x7fELF');
    assert.is(after(silent, speaking).any()?.hasServices, true);
    assert.is(after(speaking, silent).any()?.hasServices, true);
    assert.is(after(silent).any(), null);
    assert.is(after(speaking, speaking).all()?.hasServices, true);
    assert.is(after(speaking, silent).all(), null);
    assert.is(after().all(), null);
  },
  { needs: ['protoc'] },
);
