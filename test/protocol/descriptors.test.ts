import * as assert from 'uvu/assert';
import { type Description, DescriptorSearch } from '../../src/protocol/descriptors.ts';
import { parseProtos } from '../../src/protocol/proto-files.ts';
import { agentProto, compressed, descriptorsOf, hostileDescriptors, protoFilesOf } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('descriptors in a program');
const needs = { needs: ['protoc'] };

function describe(bytes: Uint8Array, step = bytes.length): Description | null {
  const search = new DescriptorSearch();
  for (let at = 0; at < bytes.length; at += step) search.add(bytes.subarray(at, at + step));
  return search.result();
}

/** What a description says, so that two can be compared. */
function flat(of: Pick<Description, 'calls' | 'messages'> | null): unknown {
  if (of === null) return null;
  const fields = (map: ReadonlyMap<number, { number: number }>): unknown[] =>
    [...map.values()].sort((a, b) => a.number - b.number);
  return {
    calls: [...of.calls.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    messages: [...of.messages]
      .map(([name, map]) => [name, fields(map)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  };
}

const noise = Buffer.from(
  `\x7fELF\0\0sync/atomic.proto google/protobuf/descriptor.proto\x1f\x8b\x08\x00junk\n\x0bagent.protx`,
  'latin1',
);

const forms: readonly [rule: string, made: (all: readonly Buffer[]) => Buffer][] = [
  ['as they are, as protoc-gen-go and rust-protobuf embed them', (all) => Buffer.concat([noise, ...all, noise])],
  ['with something else right behind each', (all) => Buffer.concat(all.flatMap((one) => [one, noise]))],
  ['compressed, as gogo/protobuf embeds them', (all) => Buffer.concat(all.flatMap((one) => [noise, compressed(one)]))],
  ['twice', (all) => Buffer.concat([...all, noise, ...all])],
  ['both ways', (all) => Buffer.concat([...all, noise, ...all.map(compressed)])],
  [
    'one MiB before, between and behind',
    (all) => Buffer.concat(all.flatMap((one) => [Buffer.alloc(1 << 20, 'proto '), one, noise])),
  ],
];

for (const [rule, made] of forms) {
  test(
    `${rule}: they say what the .proto files say`,
    () => {
      const files = protoFilesOf(agentProto(['PauseContainer']));
      const program = made(descriptorsOf(files));
      const expected = flat(parseProtos(files));
      for (const step of [program.length, 262_144, 65_537, 8191])
        assert.equal(flat(describe(program, step)), expected, `in pieces of ${step}`);
    },
    needs,
  );
}

test(
  'wherever two pieces, and two windows, meet',
  () => {
    const files = protoFilesOf(agentProto());
    const all = Buffer.concat(descriptorsOf(files));
    const expected = flat(parseProtos(files));
    for (let place = 0; place < 420_000; place += 39_119) {
      const program = Buffer.concat([Buffer.alloc(place + 400_000), all, Buffer.alloc(place)]);
      assert.equal(flat(describe(program, 100_003)), expected, `at ${place}`);
    }
  },
  needs,
);

const names: readonly [rule: string, name: string, files: readonly string[]][] = [
  ['its name alone', 'agent.proto', ['agent.proto', 'types.proto']],
  [
    'with the path of a Go package',
    'github.com/kata-containers/agent/protocols/grpc/agent.proto',
    ['agent.proto', 'types.proto'],
  ],
  [
    'with a path of more than 127 bytes',
    `${'a-fork-with-a-long-name/'.repeat(6)}agent.proto`,
    ['agent.proto', 'types.proto'],
  ],
  ['health.proto', 'health.proto', ['health.proto', 'types.proto']],
  ['another file of the same package is not one of ours', 'metrics.proto', ['types.proto']],
  ['one whose name only ends so', 'myagent.proto', ['types.proto']],
];

for (const [rule, name, files] of names) {
  test(
    `names: ${rule}`,
    () => {
      for (const form of [(one: Buffer) => one, compressed]) {
        const found = describe(Buffer.concat(descriptorsOf(protoFilesOf(agentProto(), name)).map(form)));
        assert.equal(found?.files, files);
      }
    },
    needs,
  );
}

const foreign: readonly [rule: string, agent: string][] = [
  [
    'of another package, as gRPC has its own health.proto',
    agentProto().replace('package grpc', 'package grpc.health.v1'),
  ],
  ['of no package', agentProto().replace('package grpc;', '')],
  ['of proto2, which marks no end', 'syntax = "proto2"; package grpc; message A { optional string b = 1; }'],
];

for (const [rule, agent] of foreign) {
  test(
    `not ours: a file ${rule}`,
    () => {
      const found = describe(Buffer.concat([...descriptorsOf(protoFilesOf(agent)), noise]));
      assert.equal(found?.files, ['types.proto']);
      assert.not.ok(found?.hasServices);
    },
    needs,
  );
}

test(
  'a descriptor that is cut short, or damaged, says nothing or the same, and never something else of its calls',
  () => {
    const [, whole = Buffer.alloc(0)] = descriptorsOf(protoFilesOf(agentProto()));
    for (let cut = 0; cut < whole.length; cut += 3) assert.is(describe(whole.subarray(0, cut)), null, `cut at ${cut}`);
    // A window of zeros where a part of it was.
    for (let at = 0; at < whole.length - 8; at += 5) {
      const damaged = Buffer.from(whole);
      damaged.fill(0, at, at + 8);
      const found = describe(damaged);
      for (const name of found?.calls.keys() ?? []) assert.match(name, /^\w+\/\w+$/);
    }
  },
  needs,
);

test(
  'two that contradict each other: nothing is known',
  () => {
    const program = (...calls: readonly string[][]): Buffer =>
      Buffer.concat(calls.flatMap((one) => descriptorsOf(protoFilesOf(agentProto(one)))));
    assert.is(describe(program([], ['PauseContainer'])), null);
    assert.not.equal(describe(program(['PauseContainer'], ['PauseContainer'])), null);
  },
  needs,
);

test(
  'what an agent lists but does not serve',
  () => {
    const texts =
      '\0/grpc.AgentService/ResizeVolume is not supported/grpc.AgentService/CreateContainer\0/grpc.Health/Check is not supported';
    const all = descriptorsOf(protoFilesOf(agentProto(['ResizeVolume'])));
    const found = describe(Buffer.concat([...all, Buffer.from(texts)]), 7);
    assert.equal([...(found?.notServed ?? [])], ['AgentService/ResizeVolume']);
    assert.ok(found?.calls.has('AgentService/ResizeVolume'));
  },
  needs,
);

test(
  'what a runtime has in its table of calls, where its generator leaves no other trace of them',
  () => {
    const texts =
      'xgrpc.CreateContainerRequestgrpc.StartContainerRequest\0*grpc.AddSwapRequest protocols/grpc.AddSwapRequest v1.grpc.AddSwapRequest grpc.lowRequest';
    const all = descriptorsOf(protoFilesOf(agentProto(['AddSwap'])));
    const found = describe(Buffer.concat([...all, Buffer.from(texts)]), 50);
    assert.equal([...(found?.requested ?? [])].sort(), ['CreateContainerRequest', 'StartContainerRequest']);
    // gogo/protobuf registers all messages by such texts.
    assert.is(describe(Buffer.concat([...all.map(compressed), Buffer.from(texts)]))?.requested, null);
  },
  needs,
);

test('nothing: null, for what holds no descriptor', () => {
  for (const bytes of [Buffer.alloc(0), noise, Buffer.alloc(3 << 20), Buffer.from('\n\x0bagent.proto'.repeat(50))])
    assert.is(describe(bytes), null);
});

/** Each of these took more than ten seconds without a bound. */
for (const [rule, made] of hostileDescriptors) {
  test(
    `hostile: ${rule} are given up, and nothing is believed`,
    () => {
      const program = made(descriptorsOf(protoFilesOf(agentProto())));
      assert.is(describe(program, 262_144), null);
    },
    { ...needs, timeout: 30 },
  );
}
