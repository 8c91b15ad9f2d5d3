/**
 * What a program of Kata says of the agent protocol by itself: the descriptors (google/protobuf/descriptor.proto) of agent.proto and its
 * companions that the generators of Go and Rust embed, as they are or compressed by gzip, and a few texts beside them.
 *
 * A descriptor is not delimited in a program: it begins with the name of its file (field 1, a length before it), and ends where nothing
 * more of it can follow. Generators write the fields in the order of their numbers, `syntax` last, so that a descriptor that breaks off, or
 * that something else runs into, is known by its lack of `syntax = "proto3"`.
 *
 * Which programs have which descriptors:
 * - Go, all of 1.0 to 4.x: all of them. Up to 3.2 by gogo/protobuf, compressed; from 3.3 on by protoc-gen-go, as they are.
 * - Rust agents: where something asks for a descriptor, which is in 2.0 to 3.2 always, and from 3.3 on with the feature agent-policy.
 *   Those of 2.x hold no services.
 * - Rust runtimes: none.
 * So what is not found is unknown, and never taken to be missing.
 */

import { fromLatin1, latin1 } from '../read/bytes.ts';
import { inflate } from '../read/inflate.ts';
import type { Call, Field, Protocol } from './proto-files.ts';

/** What one program says. Without `messages` nothing is known of what it speaks. */
export interface Description extends Protocol {
  /** The files that were found, as agent.proto; none: nothing is known. */
  readonly files: readonly string[];
  /** Whether services are described at all: a program whose descriptors hold none may serve, or make, any call. */
  readonly hasServices: boolean;
  /** Calls of AgentService, as AgentService/ResizeVolume, that a Rust agent lists and answers with "is not supported". */
  readonly notServed: ReadonlySet<string>;
  /**
   * Of a Go runtime from 3.3 on: the request types that stand in its table of calls, which tell what it calls from what it only knows.
   * Null where that cannot be told.
   */
  readonly requested: ReadonlySet<string> | null;
}

/** agent.proto has 12 KB, with its comments 40. */
const descriptorBytes = 64 * 1024;
/** Before a descriptor: its first tag and the length of its name. */
const headBytes = 3;
const nameBytes = 255;
/** A program has up to 70 candidates by name, and 14 streams of gzip; what has more was made to be slow. */
const candidateLimit = 1024;
const gzipLimit = 1024;
const gzipPassLimit = 32;
/** Bytes of descriptors parsed in all. The five files of Kata have some 40 KB, and stand there once. */
const parsedLimit = 1024 * 1024;
/** Enough to see how a compressed descriptor begins. */
const peekBytes = nameBytes + headBytes + 1;
/** Programs have some hundred texts of this form. */
const textLimit = 4096;
const depthLimit = 8;
/** Messages, fields, calls and enum values of one file. agent.proto has some 300. */
const itemLimit = 10_000;

const windowBytes = 512 * 1024;
/** What must stand behind a place before it is looked at. */
const reach = descriptorBytes + nameBytes + headBytes;

/** A text to be found, and which of its bytes is rare in programs: that one is looked for. */
interface Text {
  readonly bytes: Uint8Array;
  readonly rare: number;
}

const nameTag: Text = { bytes: Uint8Array.of(0x0a), rare: 0 };
const gzipMagic: Text = { bytes: fromLatin1('\x1f\x8b\x08\x00'), rare: 0 };
const servicePath: Text = { bytes: fromLatin1('/grpc.AgentService/'), rare: 11 };
const requestKey: Text = { bytes: fromLatin1('Request'), rare: 2 };

/** Where the text first stands at or after `from`, or -1. */
function findText(bytes: Uint8Array, { bytes: text, rare }: Text, from: number): number {
  const byte = text[rare] as number;
  for (let at = bytes.indexOf(byte, from + rare); at !== -1; at = bytes.indexOf(byte, at + 1)) {
    const start = at - rare;
    let matched = 0;
    while (matched < text.length && bytes[start + matched] === text[matched]) matched += 1;
    if (matched === text.length) return start;
  }
  return -1;
}

/** csi.proto. */
const leastName = 9;
const fileName = /^(?:[\w.~@+-]+\/)*(?:agent|oci|types|health|csi)\.proto$/;
const identifier = /^[A-Za-z_]\w*$/;
/** Others have files of the same names: containerd's oci.proto, gRPC's health.proto. */
const packages = ['grpc', 'types', 'protocols'];

/** These bytes are no descriptor. Kept inside of this file. */
class NoDescriptor extends Error {}

/** Looks through a program that is handed over in pieces. */
export class DescriptorSearch {
  readonly #window = new Uint8Array(windowBytes);
  #filled = 0;
  /** Up to where the window was looked through. */
  #looked = 0;
  readonly #files = new Map<string, { readonly text: string; readonly file: ParsedFile }>();
  readonly #notServed = new Set<string>();
  readonly #requested = new Set<string>();
  #candidates = 0;
  #streams = 0;
  #passed = 0;
  #parsed = 0;
  #hasCompressed = false;
  /** There is more than any program has, or two that contradict each other: nothing is believed. */
  #isConfused = false;

  /** The next bytes of the program, of any number. */
  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length && !this.#isConfused; ) {
      const part = piece.subarray(at, at + this.#window.length - this.#filled);
      this.#window.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#window.length) return;
      const end = this.#filled - reach;
      this.#look(end);
      // What stands before a place is asked for, too.
      const kept = end - nameBytes - headBytes;
      this.#window.copyWithin(0, kept, this.#filled);
      this.#filled -= kept;
      this.#looked = end - kept;
    }
  }

  /** After the last piece. Null when nothing can be told. */
  result(): Description | null {
    if (!this.#isConfused) this.#look(this.#filled);
    if (this.#isConfused || this.#files.size === 0) return null;
    const calls = new Map<string, Call>();
    const messages = new Map<string, ReadonlyMap<number, Field>>();
    for (const { file } of this.#files.values()) {
      for (const [name, call] of file.calls) calls.set(name, call);
      for (const [name, fields] of file.messages) messages.set(name, fields);
    }
    return {
      files: [...this.#files.keys()].sort(),
      hasServices: calls.size > 0,
      calls,
      messages,
      notServed: this.#notServed,
      requested: this.#hasCompressed || this.#requested.size === 0 ? null : this.#requested,
    };
  }

  /** At all places before `end`. */
  #look(end: number): void {
    const bytes = this.#window.subarray(0, this.#filled);
    const each = (text: Text, found: (at: number) => void): void => {
      for (let at = findText(bytes, text, this.#looked); at !== -1 && at < end; at = findText(bytes, text, at + 1)) {
        if (this.#isConfused) return;
        found(at);
      }
    };
    each(nameTag, (at) => this.#tryName(bytes, at));
    each(gzipMagic, (at) => this.#tryGzip(bytes, at));
    each(servicePath, (at) => this.#noteNotServed(bytes, at));
    each(requestKey, (at) => this.#noteRequested(bytes, at));
    this.#looked = end;
  }

  /** Does a descriptor begin here, with the tag of its name? */
  #tryName(bytes: Uint8Array, at: number): void {
    const end = nameEnd(bytes, at);
    // Nearly all fail at the last letter.
    if (end === undefined || bytes[end - 1] !== 0x6f || bytes[end - 6] !== 0x2e || !beginsDescriptor(bytes, at)) return;
    this.#candidates += 1;
    if (this.#candidates > candidateLimit) this.#isConfused = true;
    else this.#parse(bytes.subarray(at, at + descriptorBytes));
  }

  #tryGzip(bytes: Uint8Array, at: number): void {
    this.#streams += 1;
    if (this.#streams > gzipLimit) {
      this.#isConfused = true;
      return;
    }
    // RFC 1952: a head of ten bytes, without a name, as there are no flags.
    const input = bytes.subarray(at, at + descriptorBytes);
    const peeked = inflate(input, 10, peekBytes);
    if (peeked === undefined || !beginsDescriptor(peeked, 0)) return;
    this.#passed += 1;
    if (this.#passed > gzipPassLimit) {
      this.#isConfused = true;
      return;
    }
    const plain = inflate(input, 10, descriptorBytes);
    if (plain === undefined) return;
    if (this.#parse(plain)) this.#hasCompressed = true;
  }

  /** Whether it is a descriptor of Kata's. */
  #parse(bytes: Uint8Array): boolean {
    const builder = new FileBuilder(bytes);
    try {
      const file = builder.parse();
      const name = file.name.slice(file.name.lastIndexOf('/') + 1);
      const text = latin1(bytes.subarray(0, file.length)).slice(file.name.length);
      const known = this.#files.get(name);
      // A program may hold one twice, but not two of which nobody knows which one it speaks.
      if (known !== undefined && known.text !== text && !isSameProtocol(known.file, file)) this.#isConfused = true;
      this.#files.set(name, { text, file });
      return true;
    } catch (error) {
      if (!(error instanceof NoDescriptor)) throw error;
      return false;
    } finally {
      this.#parsed += builder.read;
      if (this.#parsed > parsedLimit) this.#isConfused = true;
    }
  }

  /** `/grpc.AgentService/ResizeVolume is not supported`: the text of ttrpc's default for a method that a server does not implement. */
  #noteNotServed(bytes: Uint8Array, at: number): void {
    const behind = latin1(bytes.subarray(at + servicePath.bytes.length, at + servicePath.bytes.length + 100));
    const call = /^([A-Z][A-Za-z0-9]{1,60}) is not supported/.exec(behind)?.[1];
    if (call !== undefined && this.#notServed.size < textLimit) this.#notServed.add(`AgentService/${call}`);
  }

  /** `grpc.AddSwapRequest`, but not as a part of a longer name: in Go a key of the table of calls (kata_agent.go). */
  #noteRequested(bytes: Uint8Array, at: number): void {
    const before = latin1(bytes.subarray(Math.max(0, at - 64), at));
    const name = /(?<![.*/])grpc\.([A-Z][A-Za-z0-9]*)$/.exec(before)?.[1];
    // Go's texts stand one behind the other without an end.
    const isOne = name !== undefined && !name.includes('Request');
    if (isOne && this.#requested.size < textLimit) this.#requested.add(`${name}Request`);
  }
}

/** Where the name that begins a descriptor at `at` ends; undefined when none of a possible length begins there. */
function nameEnd(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at + 1] ?? 0;
  const length = first < 0x80 ? first : (first & 0x7f) | ((bytes[at + 2] ?? 0) << 7);
  return length < leastName || length > nameBytes ? undefined : at + (first < 0x80 ? 2 : 3) + length;
}

function beginsDescriptor(bytes: Uint8Array, at: number): boolean {
  const end = nameEnd(bytes, at);
  if (bytes[at] !== 0x0a || end === undefined) return false;
  return fileName.test(latin1(bytes.subarray(at + ((bytes[at + 1] ?? 0) < 0x80 ? 2 : 3), end)));
}

/** One descriptor, as far as it matters on the wire. */
interface ParsedFile {
  readonly name: string;
  readonly calls: ReadonlyMap<string, Call>;
  readonly messages: ReadonlyMap<string, ReadonlyMap<number, Field>>;
  /** In bytes. */
  readonly length: number;
}

function isSameProtocol(one: ParsedFile, other: ParsedFile): boolean {
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

class FileBuilder {
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
