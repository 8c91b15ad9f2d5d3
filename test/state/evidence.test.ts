import * as assert from 'uvu/assert';
import { Descriptions, PayloadDescriptions } from '../../src/state/evidence.ts';
import { agentProto, descriptorsOf, protoFilesOf } from '../programs.ts';
import { suite } from '../suite.ts';
import { rustProgram } from './roots.ts';

const test = suite('what programs say while they pass');

test('runtimes are known by their names', () => {
  const { observers } = new PayloadDescriptions();
  const names: readonly [place: string, isRuntime: boolean][] = [
    ['/usr/bin/kata-runtime', true],
    ['/opt/kata/bin/containerd-shim-kata-v2', true],
    ['/usr/local/bin/containerd-shim-kata-cc-v2', true],
    ['/opt/kata/bin/kata-monitor', false],
    ['/usr/bin/containerd-shim-runc-v2', false],
    ['/usr/share/doc/kata-runtime/README', false],
  ];
  for (const [place, isRuntime] of names) assert.is(observers.program?.(place) !== undefined, isRuntime, place);
});

const silent = Buffer.from('\x7fELF');
const speaking = (): Buffer => Buffer.concat(descriptorsOf(protoFilesOf(agentProto())));

test(
  'any one of two agents may speak',
  () => {
    const after = (...programs: readonly Uint8Array[]): Descriptions => {
      const found = new Descriptions();
      for (const program of programs) found.observe().add(program);
      return found;
    };
    assert.is(after(silent, speaking()).any()?.hasServices, true);
    assert.is(after(speaking(), silent).any()?.hasServices, true);
    assert.is(after(silent).any(), null);
  },
  { needs: ['protoc'] },
);

test(
  'of runtimes that come together and read the same configurations all must speak, and the others need not',
  () => {
    const descriptions = new PayloadDescriptions();
    const [go, shim, rust] = ['/opt/kata/bin/kata-runtime', '/opt/kata/bin/containerd-shim-kata-v2', rustProgram];
    for (const [path, bytes] of [
      [go, speaking()],
      [shim, speaking()],
      [rust, silent],
    ] as const) {
      const observer = descriptions.observers.program?.(path);
      observer?.add(bytes);
      observer?.end?.();
    }
    assert.is(descriptions.all([go, shim])?.hasServices, true);
    assert.is(descriptions.all([go, shim, rust]), null);
    assert.is(descriptions.all([rust]), null);
    assert.is(descriptions.all([]), null);
  },
  { needs: ['protoc'] },
);
