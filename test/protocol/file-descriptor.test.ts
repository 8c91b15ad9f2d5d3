import * as assert from 'uvu/assert';
import { FileBuilder, isSameProtocol, NoDescriptor } from '../../src/protocol/file-descriptor.ts';
import { descriptorsOf } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('one descriptor');
const needs = { needs: ['protoc'] };

const source = (packageName: string, more = ''): string => `syntax = "proto3"; package ${packageName};
message Request { string id = 1; map<string, bytes> files = 2; enum Kind { NONE = 0; } Kind kind = 3; ${more} }
message Response { }
service AgentService { rpc Pause(Request) returns (stream Response); }`;

function descriptor(text: string): Buffer {
  const [first] = descriptorsOf([{ path: 'agent.proto', source: text }]);
  assert.ok(first !== undefined);
  return first;
}

test(
  'it ends where nothing more of it can follow',
  () => {
    const bytes = descriptor(source('grpc'));
    const file = new FileBuilder(Buffer.concat([bytes, Buffer.from('\n\tanything')])).parse();
    assert.is(file.length, bytes.length);
    assert.equal(
      [...file.calls.values()],
      [{ name: 'AgentService/Pause', request: 'Request', response: 'stream Response' }],
    );
    const fields = [...(file.messages.get('Request')?.values() ?? [])].map(({ number, type }) => `${number} ${type}`);
    assert.equal(fields, ['1 string', '2 map<string, bytes>', '3 Kind']);
  },
  needs,
);

test(
  'whatever breaks off, and what is of another package, is no descriptor',
  () => {
    const bytes = descriptor(source('grpc'));
    for (let length = 0; length < bytes.length; length += 1)
      assert.throws(
        () => new FileBuilder(bytes.subarray(0, length)).parse(),
        (error: unknown) => error instanceof NoDescriptor,
      );
    assert.throws(
      () => new FileBuilder(descriptor(source('elsewhere'))).parse(),
      (error: unknown) => error instanceof NoDescriptor,
    );
  },
  needs,
);

test(
  'two of them are the same when nothing differs on the wire',
  () => {
    const parsed = (text: string) => new FileBuilder(descriptor(text)).parse();
    assert.ok(isSameProtocol(parsed(source('grpc')), parsed(source('grpc', '// a comment\n'))));
    assert.not.ok(isSameProtocol(parsed(source('grpc')), parsed(source('grpc', 'uint32 more = 4;'))));
  },
  needs,
);
