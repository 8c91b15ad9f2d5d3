/**
 * Parses one FileDescriptorProto (google/protobuf/descriptor.proto), which is not delimited: it ends where nothing more of it can follow.
 * It must be of Kata's packages and of proto3; what is not is refused with NoDescriptor.
 */

import { latin1 } from '../read/bytes.ts';
import type { Call, Field } from './proto-files.ts';

const depthLimit = 8;
/** Messages, fields, calls and enum values of one file. agent.proto has some 300. */
const itemLimit = 10_000;
/** Of a file, message, field or call. */
export const nameBytes = 255;
const identifier = /^[A-Za-z_]\w*$/;
/** Others have files of the same names: containerd's oci.proto, gRPC's health.proto. */
const packages = ['grpc', 'types', 'protocols'];

/** These bytes are no descriptor. */
export class NoDescriptor extends Error {}

/** One descriptor, as far as it matters on the wire. */
export interface ParsedFile {
  readonly name: string;
  readonly calls: ReadonlyMap<string, Call>;
  readonly messages: ReadonlyMap<string, ReadonlyMap<number, Field>>;
  /** In bytes. */
  readonly length: number;
}

export function isSameProtocol(one: ParsedFile, other: ParsedFile): boolean {
  const flat = ({ calls, messages }: ParsedFile): string =>
    JSON.stringify([[...calls.values()], [...messages].map(([name, fields]) => [name, [...fields.values()]])]);
  return flat(one) === flat(other);
}

/** A field of a protobuf message: varints as numbers, all else as bytes. */
interface Item {
  readonly number: number;
  readonly value: number | Uint8Array;
}

/** Reads tags and values (https://protobuf.dev/programming-guides/encoding/). All methods throw NoDescriptor. */
class Wire {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** Below 2^35: nothing in a descriptor is larger, but negative enum values, of which the low bits are kept. */
  #varint(): number {
    let value = 0;
    for (let index = 0; index < 10; index += 1) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) throw new NoDescriptor();
      this.at += 1;
      if (index < 5) value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new NoDescriptor();
  }

  next(): Item {
    const tag = this.#varint();
    const number = Math.floor(tag / 8);
    if (number < 1 || number > 0x1fffffff) throw new NoDescriptor();
    const type = tag & 7;
    if (type === 0) return { number, value: this.#varint() };
    const length = type === 1 ? 8 : type === 5 ? 4 : type === 2 ? this.#varint() : Number.NaN;
    if (!(this.at + length <= this.#bytes.length)) throw new NoDescriptor();
    const value = this.#bytes.subarray(this.at, this.at + length);
    this.at += length;
    return { number, value };
  }
}

function bytesOf({ value }: Item): Uint8Array {
  if (typeof value === 'number') throw new NoDescriptor();
  return value;
}

function numberOf({ value }: Item): number {
  if (typeof value !== 'number') throw new NoDescriptor();
  return value;
}

function nameOf(item: Item): string {
  const name = latin1(bytesOf(item));
  if (name.length > nameBytes || !identifier.test(name)) throw new NoDescriptor();
  return name;
}

/** `.grpc.CreateContainerRequest` as CreateContainerRequest: a message that moves to another package is the same on the wire. */
function typeNameOf(item: Item): string {
  const name = latin1(bytesOf(item));
  if (name.length > nameBytes || !/^\.?[A-Za-z_][\w.]*$/.test(name)) throw new NoDescriptor();
  return name.slice(name.lastIndexOf('.') + 1);
}

/** FieldDescriptorProto.Type, 1 to 18, as .proto files name them; those that name another message or enum are "". */
const scalarTypes = [
  '',
  'double',
  'float',
  'int64',
  'uint64',
  'int32',
  'fixed64',
  'fixed32',
  'bool',
  'string',
  'group',
  '',
  'bytes',
  'uint32',
  '',
  'sfixed32',
  'sfixed64',
  'sint32',
  'sint64',
];
const repeatedLabel = 3;

/** Builds one descriptor from the bytes that begin with it. */
export class FileBuilder {
  readonly calls = new Map<string, Call>();
  readonly messages = new Map<string, Map<number, Field>>();
  /** Entries of maps, as the messages that they are in a descriptor. */
  readonly #entries = new Map<string, string>();
  #items = 0;
  readonly #wire: Wire;

  constructor(bytes: Uint8Array) {
    this.#wire = new Wire(bytes);
  }

  /** How much was read of the bytes. */
  get read(): number {
    return this.#wire.at;
  }

  /** The descriptor with which the bytes begin: FileDescriptorProto, from 1 to 12. Throws NoDescriptor. */
  parse(): ParsedFile {
    const wire = this.#wire;
    let name = '';
    let packageName = '';
    let last = 1;
    while (!wire.isAtEnd) {
      const item = wire.next();
      if (item.number < last || item.number > 12) throw new NoDescriptor();
      last = item.number;
      if (item.number === 1) name = latin1(bytesOf(item));
      else if (item.number === 2) packageName = latin1(bytesOf(item));
      // The package decides, and stands in front: no more is read of others' files.
      else if (!packages.includes(packageName)) throw new NoDescriptor();
      else if (item.number === 4) this.#message(bytesOf(item), '', 1);
      else if (item.number === 5) this.#enum(bytesOf(item), '');
      else if (item.number === 6) this.#service(bytesOf(item));
      else if (item.number === 12) {
        if (latin1(bytesOf(item).subarray(0, 7)) !== 'proto3') throw new NoDescriptor();
        this.#resolveMaps();
        return { name, length: wire.at, calls: this.calls, messages: this.messages };
      }
    }
    throw new NoDescriptor();
  }

  #count(): void {
    this.#items += 1;
    if (this.#items > itemLimit) throw new NoDescriptor();
  }

  /** DescriptorProto. */
  #message(bytes: Uint8Array, outer: string, depth: number): void {
    if (depth > depthLimit) throw new NoDescriptor();
    this.#count();
    const items = allOf(bytes);
    const first = items.find(({ number }) => number === 1);
    if (first === undefined) throw new NoDescriptor();
    const name = outer + nameOf(first);
    const fields = new Map<number, Field>();
    for (const item of items) {
      if (item.number === 2) {
        this.#count();
        const field = fieldOf(bytesOf(item));
        if (fields.has(field.number)) throw new NoDescriptor();
        fields.set(field.number, field);
      } else if (item.number === 3) this.#message(bytesOf(item), `${name}.`, depth + 1);
      else if (item.number === 4) this.#enum(bytesOf(item), `${name}.`);
    }
    // MessageOptions.map_entry is 7.
    const options = items.find(({ number }) => number === 7);
    const isEntry =
      options !== undefined && allOf(bytesOf(options)).some(({ number, value }) => number === 7 && value === 1);
    if (isEntry) {
      const [key, value] = [fields.get(1)?.type, fields.get(2)?.type];
      if (key === undefined || value === undefined) throw new NoDescriptor();
      this.#entries.set(name.slice(name.lastIndexOf('.') + 1), `map<${key}, ${value}>`);
      return;
    }
    if (this.messages.has(name)) throw new NoDescriptor();
    this.messages.set(name, fields);
  }

  /** EnumDescriptorProto. */
  #enum(bytes: Uint8Array, outer: string): void {
    this.#count();
    const items = allOf(bytes);
    const first = items.find(({ number }) => number === 1);
    if (first === undefined) throw new NoDescriptor();
    const values = new Map<number, Field>();
    for (const item of items) {
      if (item.number !== 2) continue;
      this.#count();
      const parts = allOf(bytesOf(item));
      const [name, number] = [parts.find((part) => part.number === 1), parts.find((part) => part.number === 2)];
      if (name === undefined) throw new NoDescriptor();
      const value = number === undefined ? 0 : numberOf(number);
      if (!values.has(value)) values.set(value, { name: nameOf(name), number: value, type: 'value' });
    }
    this.messages.set(outer + nameOf(first), values);
  }

  /** ServiceDescriptorProto, and MethodDescriptorProto in it. */
  #service(bytes: Uint8Array): void {
    this.#count();
    const items = allOf(bytes);
    const first = items.find(({ number }) => number === 1);
    if (first === undefined) throw new NoDescriptor();
    const service = nameOf(first);
    for (const item of items) {
      if (item.number !== 2) continue;
      this.#count();
      const parts = allOf(bytesOf(item));
      const part = (number: number): Item | undefined => parts.find((one) => one.number === number);
      const [name, input, output] = [part(1), part(2), part(3)];
      if (name === undefined || input === undefined || output === undefined) throw new NoDescriptor();
      const call = `${service}/${nameOf(name)}`;
      if (this.calls.has(call)) throw new NoDescriptor();
      this.calls.set(call, {
        name: call,
        request: (part(5)?.value === 1 ? 'stream ' : '') + typeNameOf(input),
        response: (part(6)?.value === 1 ? 'stream ' : '') + typeNameOf(output),
      });
    }
  }

  /** A map is a repeated message that is marked as an entry; the generators give it different names. */
  #resolveMaps(): void {
    for (const fields of this.messages.values()) {
      for (const [number, field] of fields) {
        const entry = this.#entries.get(field.type.replace(/^repeated /, ''));
        if (entry !== undefined) fields.set(number, { ...field, type: entry });
      }
    }
  }
}

/** FieldDescriptorProto. */
function fieldOf(bytes: Uint8Array): Field {
  let [name, number, label, type, typeName] = ['', 0, 0, 0, ''];
  for (const item of allOf(bytes)) {
    if (item.number === 1) name = nameOf(item);
    else if (item.number === 3) number = numberOf(item);
    else if (item.number === 4) label = numberOf(item);
    else if (item.number === 5) type = numberOf(item);
    else if (item.number === 6) typeName = typeNameOf(item);
  }
  const scalar = scalarTypes[type];
  const isKnown = name !== '' && number > 0 && label >= 1 && label <= 3 && type !== 0 && scalar !== undefined;
  if (!isKnown || (scalar === '' && typeName === '')) throw new NoDescriptor();
  return { name, number, type: (label === repeatedLabel ? 'repeated ' : '') + (scalar === '' ? typeName : scalar) };
}

function allOf(bytes: Uint8Array): Item[] {
  const wire = new Wire(bytes);
  const items: Item[] = [];
  while (!wire.isAtEnd) items.push(wire.next());
  return items;
}
