import * as assert from 'uvu/assert';
import { compareProtocols, differences, leastVersion, weightOf } from '../../src/protocol/proto-compare.ts';
import { parseProtos } from '../../src/protocol/proto-files.ts';
import { comparisonText } from '../../src/report/proto-compare.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('.proto files compared');

const parse = (source: string) => parseProtos([{ path: 'agent.proto', source }]);

type Row = readonly [rule: string, old: string, next: string, expected: readonly string[]];

const rows: readonly Row[] = [
  ['nothing', 'message A { string b = 1; }', 'message A { string b = 1; }', []],
  [
    'comments, order and options',
    'message A { string b = 1; C c = 2; }',
    '// x\nmessage A { C c = 2; string b = 1 [x = y]; }',
    [],
  ],
  ['another package', 'message A { Interface b = 1; }', 'message A { types.Interface b = 1; }', []],
  ['a call added', 'service S { }', 'service S { rpc A(B) returns (C); }', ['addition: the call S/A was added']],
  ['a call removed', 'service S { rpc A(B) returns (C); }', 'service S { }', ['break: the call S/A was removed']],
  [
    'a call with another request',
    'service S { rpc A(B) returns (C); }',
    'service S { rpc A(D) returns (C); }',
    ['break: the request of the call S/A is D, before B'],
  ],
  [
    'whose message has but another name',
    'service S { rpc A(B) returns (C); } message B { string x = 1; }',
    'service S { rpc A(D) returns (C); } message D { string x = 1; }',
    ['none: the request of the call S/A is D, before B', 'none: D was added', 'none: B was removed'],
  ],
  [
    'a call that became a stream',
    'service S { rpc A(B) returns (C); }',
    'service S { rpc A(B) returns (stream C); }',
    ['break: the response of the call S/A is stream C, before C'],
  ],
  ['a message added', '', 'message A { string b = 1; }', ['none: A was added']],
  ['a field added', 'message A { }', 'message A { string b = 1; }', ['addition: A.b = 1 was added']],
  ['a field removed', 'message A { string b = 1; }', 'message A { }', ['break: A.b = 1 was removed']],
  [
    'a field renamed',
    'message A { string pciAddr = 6; }',
    'message A { string pciPath = 6; }',
    ['addition: A.pciPath = 6 was called pciAddr before: is its meaning the same?'],
  ],
  [
    'a field renumbered',
    'message A { string b = 1; }',
    'message A { string b = 2; }',
    ['break: A.b is number 2, before 1'],
  ],
  [
    'a field retyped',
    'message A { string b = 1; }',
    'message A { bytes b = 1; }',
    ['break: A.b = 1 is bytes, before string'],
  ],
  [
    'a field repeated',
    'message A { C b = 1; }',
    'message A { repeated C b = 1; }',
    ['break: A.b = 1 is repeated C, before C'],
  ],
  [
    'two fields that change places',
    'message A { string b = 1; string c = 2; }',
    'message A { string c = 1; string b = 2; }',
    ['break: A.c is number 1, before 2', 'break: A.b is number 2, before 1'],
  ],
  [
    'a field in the place of one that moved, as in LinuxSeccomp of 2.1',
    'message L { repeated LinuxSyscall Syscalls = 3; }',
    'message L { repeated string Flags = 3; repeated LinuxSyscall Syscalls = 4; }',
    ['break: L.Flags = 3 is repeated string, before repeated LinuxSyscall', 'break: L.Syscalls is number 4, before 3'],
  ],
  [
    'the same with one type',
    'message L { string b = 3; }',
    'message L { string f = 3; string b = 4; }',
    ['break: L.f = 3 stands where b stood', 'break: L.b is number 4, before 3'],
  ],
  ['a value of an enum added', 'enum E { A = 0; }', 'enum E { A = 0; B = 1; }', ['addition: E.B = 1 was added']],
  ['a value of an enum removed', 'enum E { A = 0; B = 1; }', 'enum E { A = 0; }', ['break: E.B = 1 was removed']],
  [
    'in a message within',
    'message A { message B { } }',
    'message A { message B { string c = 1; } }',
    ['addition: A.B.c = 1 was added'],
  ],
];

for (const [rule, old, next, expected] of rows) {
  test(rule, () => {
    const found = differences(parse(old), parse(next));
    assert.equal(
      found.map(({ weight, text }) => `${weight}: ${text}`),
      expected,
    );
    const worst = expected.some((one) => one.startsWith('break'))
      ? 'break'
      : expected.some((one) => one.startsWith('addition'))
        ? 'addition'
        : 'none';
    assert.is(weightOf(found), worst);
  });
}

test('breaks come first, whatever they are found after', () => {
  const found = differences(
    parse('service S { rpc A(B) returns (C); }'),
    parse('message D { } service S { rpc E(B) returns (C); }'),
  );
  assert.equal(
    found.map(({ weight }) => weight),
    ['break', 'addition', 'none'],
  );
});

const least: readonly [from: string, weight: 'none' | 'addition' | 'break', expected: string][] = [
  ['1.0.0', 'none', '1.0.1'],
  ['1.0.0', 'addition', '1.1.0'],
  ['1.0.3', 'break', '1.1.0'],
  ['3.30.0-rc1', 'addition', '3.30.0'],
  ['3.30.1-rc1', 'addition', '3.31.0'],
  ['3.30.1-rc1', 'none', '3.30.1'],
];

for (const [from, weight, expected] of least) {
  test(`after ${from}, with ${weight}: ${expected}`, () => {
    assert.is(leastVersion(parseVersion(from) as Version, weight), expected);
  });
}

const before = 'service AgentService { rpc CreateContainer(R) returns (E); } message R { string id = 1; }';
const paused =
  'service AgentService { rpc CreateContainer(R) returns (E); rpc PauseContainer(P) returns (E); } message R { string id = 1; } message P { }';
const changed = 'service AgentService { rpc CreateContainer(R) returns (E); } message R { bytes id = 1; }';

type Release = readonly [rule: string, next: string, from: string, to: string, isTooSmall: boolean, said: RegExp];
const releases: readonly Release[] = [
  [
    "the thread's first example",
    paused,
    '1.0.0',
    '1.0.1',
    true,
    /at least a minor release, 1\.1\.0\.\n1\.0\.1 is too small a step from 1\.0\.0\.\n$/,
  ],
  [
    'as it was released',
    paused,
    '1.0.0',
    '1.1.0',
    false,
    /^\+ addition {2}the call AgentService\/PauseContainer was added\n/,
  ],
  [
    'its second, with the drain notice',
    changed,
    '1.0.0',
    '1.0.1',
    true,
    /breaks: at least a minor release, 1\.1\.0\.\nAnnounce it: nodes must be drained/,
  ],
  [
    'a minor with a break is let through, and its notice is there',
    changed,
    '1.0.0',
    '1.1.0',
    false,
    /nodes must be drained/,
  ],
  ['a major too', changed, '1.9.0', '2.0.0', false, /nodes must be drained/],
  [
    'a patch that changes nothing',
    before,
    '1.0.0',
    '1.0.1',
    false,
    /^The protocol is the same: a patch release is enough, 1\.0\.1\.\n$/,
  ],
  ['a candidate becomes its release', paused, '1.1.0-rc0', '1.1.0', false, /at least a minor release, 1\.1\.0\.\n$/],
];

for (const [rule, next, from, to, isTooSmall, said] of releases) {
  test(`${from} to ${to}: ${rule}`, () => {
    const versions = [parseVersion(from) as Version, parseVersion(to) as Version] as const;
    const compared = compareProtocols(parse(before), parse(next), ...versions);
    assert.is(compared.isTooSmall, isTooSmall);
    assert.match(comparisonText(compared, ...versions), said);
  });
}

test('versions that make no release are wrong use', () => {
  const same = parse(before);
  const [one, other] = [parseVersion('1.0.0') as Version, parseVersion('1.1.0') as Version];
  assert.throws(() => compareProtocols(same, same, null, one), /--to needs --from/);
  assert.throws(() => compareProtocols(same, same, other, one), /1\.0\.0 is not newer than 1\.1\.0/);
  assert.throws(() => compareProtocols(same, same, one, one), /is not newer/);
});
