import * as assert from 'uvu/assert';
import { type Protocol, parseProtos } from '../../src/protocol/proto-files.ts';
import { suite } from '../suite.ts';

const test = suite('.proto files');

function parsed(...sources: readonly string[]): Protocol {
  return parseProtos(sources.map((source, index) => ({ path: `${index}.proto`, source })));
}

/** As "A.b=1:string". */
function fields({ messages }: Protocol): string[] {
  return [...messages].flatMap(([message, all]) =>
    [...all.values()].map(({ name, number, type }) => `${message}.${name}=${number}:${type}`),
  );
}

const rows: readonly [rule: string, source: string, fields: readonly string[]][] = [
  ['a field', 'message A { string b = 1; }', ['A.b=1:string']],
  ['repeated is part of the type', 'message A { repeated string b = 1; }', ['A.b=1:repeated string']],
  ['optional is not: it is the same on the wire', 'message A { optional string b = 1; }', ['A.b=1:string']],
  [
    'the package of a type is not',
    'message A { types.Interface b = 1; .grpc.C c = 2; }',
    ['A.b=1:Interface', 'A.c=2:C'],
  ],
  ['a map', 'message A { map<string, types.C> b = 1; }', ['A.b=1:map<string, C>']],
  [
    'a field called as a keyword',
    'message A { string message = 1; Spec option = 2; }',
    ['A.message=1:string', 'A.option=2:Spec'],
  ],
  [
    'members of a oneof are fields',
    'message A { oneof x { string b = 1; C c = 2; } int32 d = 3; }',
    ['A.b=1:string', 'A.c=2:C', 'A.d=3:int32'],
  ],
  [
    'messages and enums within',
    'message A { message B { C c = 1; } enum D { E = 0; } B b = 2; }',
    ['A.b=2:B', 'A.B.c=1:C', 'A.D.E=0:value'],
  ],
  [
    'options of fields',
    'message A { string b = 1 [(gogoproto.customname) = "B", deprecated = true]; }',
    ['A.b=1:string'],
  ],
  ['options with braces', 'message A { option (x) = { y: "}" }; string b = 1; }', ['A.b=1:string']],
  [
    'numbers in hexadecimal, and negative values',
    'message A { string b = 0x10; } enum C { D = -1; }',
    ['A.b=16:string', 'C.D=-1:value'],
  ],
  ['reservations', 'message A { reserved 2, 4 to 6; reserved "x"; string b = 1; }', ['A.b=1:string']],
  ['comments of both kinds, and braces in them', '// }\nmessage A { /* } */ string b = 1; // {\n}', ['A.b=1:string']],
  [
    'what stands around',
    'syntax = "proto3"; package grpc; import public "x.proto"; option go_package = "a;b"; message A { string b = 1; };',
    ['A.b=1:string'],
  ],
  ['nothing', '', []],
];

for (const [rule, source, expected] of rows) {
  test(rule, () => assert.equal(fields(parsed(source)).sort(), [...expected].sort()));
}

test('calls, with their streams, bodies and packages', () => {
  const { calls } = parsed(
    'service S { option (x) = 1; rpc A(B) returns (google.protobuf.Empty); rpc C(stream D) returns (stream types.E) {} rpc F(H) returns (G) { option (x) = 1; } }',
    'service T { rpc A(B) returns (C); }',
  );
  assert.equal(
    [...calls.values()].map(({ name, request, response }) => `${name}(${request}) ${response}`),
    ['S/A(B) Empty', 'S/C(stream D) stream E', 'S/F(H) G', 'T/A(B) C'],
  );
});

const wrong: readonly [rule: string, source: string, message: RegExp][] = [
  ['it ends in a message', 'message A {\n string b = 1;\n', /^0\.proto: illegal end of input 'null' \(line 3\)$/],
  ['it ends in options', 'message A { string b = 1 [', /^0\.proto: illegal end of input 'null' \(line 1\)$/],
  ['it ends in a statement', 'option x = {', /^0\.proto: illegal end of input 'null' \(line 1\)$/],
  ['a comment without its end', '/* message A {}', /^0\.proto: illegal comment \(line 1\)$/],
  ['no number', 'message A {\n\n string b = x; }', /^0\.proto: illegal id 'x' \(line 3\)$/],
  ['no name', 'message { }', /^0\.proto: illegal type name '\{' \(line 1\)$/],
  ['no semicolon', 'message A { string b = 1 }', /^0\.proto: .*'\}'.* \(line 1\)$/],
  ['a number twice', 'message A { string b = 1; string c = 1; }', /^0\.proto: duplicate id 1 /],
  ['a message twice', 'message A {} message A {}', /^0\.proto: duplicate name 'A' /],
  ['a call twice', 'service S { rpc A(B) returns (C); rpc A(B) returns (C); }', /^0\.proto: duplicate name 'A' /],
  ['no .proto at all', '<html>', /^0\.proto: illegal token '<' \(line 1\)$/],
  [
    'messages without end within each other',
    `${'message A {'.repeat(100_000)}`,
    /more than 64 braces within each other$/,
  ],
];

for (const [rule, source, message] of wrong) {
  test(`refused: ${rule}`, () =>
    assert.throws(
      () => parsed(source),
      (error: Error) => message.test(error.message),
    ));
}

test('a message in two files is one that stands there twice', () => {
  assert.throws(() => parsed('message A {}', '\nmessage A {}'), /^1\.proto: A stands there twice$/);
});

test('much of nothing is read in time', () => {
  const blank = ' '.repeat(1_000_000);
  const start = Date.now();
  parsed(`${blank}//${blank}\n/*${'*'.repeat(1_000_000)}*/message A { ${blank} }`);
  assert.throws(() => parsed(`"${'\\'.repeat(1_000_000)}`));
  assert.ok(Date.now() - start < 5000);
});
