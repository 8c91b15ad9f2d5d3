import * as assert from 'uvu/assert';
import type { Description } from '../../src/protocol/descriptors.ts';
import { compareDescriptions } from '../../src/protocol/evidence.ts';
import { parseProtos } from '../../src/protocol/proto-files.ts';
import { suite } from '../suite.ts';

const test = suite('what two programs say of each other');

type Extra = Partial<Pick<Description, 'notServed' | 'requested' | 'hasServices' | 'files'>>;

/** What a program with this agent.proto would say. */
function saying(source: string, extra: Extra = {}): Description {
  const { calls, messages } = parseProtos([{ path: 'agent.proto', source }]);
  const usual = { files: ['agent.proto'], hasServices: calls.size > 0, notServed: new Set<string>(), requested: null };
  return { calls, messages, ...usual, ...extra };
}

const one = (fields: string, more = ''): string =>
  `service AgentService { rpc A(ARequest) returns (Empty); } message Empty {} message ARequest { ${fields} } ${more}`;
const calling = (...names: readonly string[]): string =>
  `service AgentService { ${names.map((name) => `rpc ${name}(${name}Request) returns (Empty);`).join(' ')} }
   message Empty {} ${names.map((name) => `message ${name}Request {}`).join(' ')}`;

const rows: readonly [
  rule: string,
  runtime: Description,
  agent: Description,
  missing: string[] | null,
  breaks: string[],
][] = [
  ['the same', saying(calling('A', 'B')), saying(calling('A', 'B')), [], []],
  [
    'a call that the agent does not have',
    saying(calling('A', 'Pause', 'Resume')),
    saying(calling('A')),
    ['Pause', 'Resume'],
    [],
  ],
  ['a call that only the agent has is none of the runtime', saying(calling('A')), saying(calling('A', 'B')), [], []],
  [
    'a call that the agent lists and does not serve',
    saying(calling('A', 'Resize')),
    saying(calling('A', 'Resize'), { notServed: new Set(['AgentService/Resize']) }),
    ['Resize'],
    [],
  ],
  [
    'a call that the runtime knows and never makes',
    saying(calling('A', 'B', 'C'), { requested: new Set(['ARequest', 'CRequest']) }),
    saying(calling('A')),
    ['C'],
    [],
  ],
  [
    'another service is spoken elsewhere',
    saying(`${calling('A')} service Health { rpc Check(Empty) returns (Empty); }`),
    saying(calling('A')),
    [],
    [],
  ],
  ['an agent that does not describe its calls', saying(calling('A', 'B')), saying('message ARequest {}'), null, []],
  [
    'an agent of which only another file was found',
    saying(calling('A')),
    saying(calling('A'), { files: ['health.proto'] }),
    null,
    [],
  ],
  ['a field that only one has', saying(one('string a = 1; bool b = 2;')), saying(one('string a = 1;')), [], []],
  ['a field with another name', saying(one('string a = 1;')), saying(one('string b = 1;')), [], []],
  [
    'text where the other has a message: the change of seccomp in 2.1',
    saying(one('LinuxSeccomp s = 1;', 'message LinuxSeccomp { repeated string Flags = 3; }')),
    saying(one('LinuxSeccomp s = 1;', 'message LinuxSeccomp { repeated Syscall Syscalls = 3; } message Syscall {}')),
    [],
    ['LinuxSeccomp.3 repeated string Flags | repeated Syscall Syscalls'],
  ],
  [
    'a message in place of a number',
    saying(one('uint32 a = 3;')),
    saying(one('B b = 3;', 'message B {}')),
    [],
    ['ARequest.3 uint32 a | B b'],
  ],
  [
    'one in place of several',
    saying(one('string a = 1;')),
    saying(one('repeated string a = 1;')),
    [],
    ['ARequest.1 string a | repeated string a'],
  ],
  ['a number of another width is read all the same', saying(one('int32 a = 1;')), saying(one('uint64 a = 1;')), [], []],
  [
    'a number that is written in another way',
    saying(one('int32 a = 1;')),
    saying(one('sint32 a = 1;')),
    [],
    ['ARequest.1 int32 a | sint32 a'],
  ],
  ['an enum for a number', saying(one('K a = 1;', 'enum K { x = 0; }')), saying(one('int32 a = 1;')), [], []],
  ['bytes for a text', saying(one('bytes a = 1;')), saying(one('string a = 1;')), [], []],
  [
    'a message that only has another name',
    saying(one('X a = 1;', 'message X { string b = 1; }')),
    saying(one('Y a = 1;', 'message Y { string b = 1; }')),
    [],
    [],
  ],
  [
    'a map with other values',
    saying(one('map<string, string> a = 1;')),
    saying(one('map<string, int32> a = 1;')),
    [],
    ['ARequest.1 map<string, string> a | map<string, int32> a'],
  ],
  [
    'a message that neither sends to the other',
    saying(one('string a = 1;', 'message Z { string b = 1; }')),
    saying(one('string a = 1;', 'message Z { int32 b = 1; }')),
    [],
    [],
  ],
  [
    'a message inside of another one that is sent',
    saying(one('Spec s = 1; message Spec { Deep d = 1; } message Deep { string b = 1; }')),
    saying(one('Spec s = 1; message Spec { Deep d = 1; } message Deep { int32 b = 1; }')),
    [],
    ['Deep.1 string b | int32 b'],
  ],
  [
    'messages that hold each other end',
    saying(one('X x = 1;', 'message X { Y y = 1; } message Y { X x = 1; }')),
    saying(one('X x = 1;', 'message X { Y y = 1; } message Y { X x = 1; }')),
    [],
    [],
  ],
  [
    'an agent without described calls is compared by its messages',
    saying(one('string a = 1;')),
    saying('message ARequest { int32 a = 1; }'),
    null,
    ['ARequest.1 string a | int32 a'],
  ],
];

for (const [rule, runtime, agent, missing, breaks] of rows) {
  test(rule, () => {
    const found = compareDescriptions(runtime, agent);
    assert.equal(found.missing, missing);
    assert.equal(
      found.breaks.map((each) => `${each.field} ${each.runtime} | ${each.agent}`),
      breaks,
    );
  });
}
