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

import { find, fromLatin1, latin1 } from '../read/bytes.ts';
import { inflate } from '../read/inflate.ts';
import { FileBuilder, isSameProtocol, NoDescriptor, nameBytes, type ParsedFile } from './file-descriptor.ts';
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
/** Places that are looked at: a real program has some 10,000. */
const matchLimit = 100_000;

const windowBytes = 512 * 1024;
/** What must stand behind a place before it is looked at. */
const reach = descriptorBytes + nameBytes + headBytes;

/** The end of a name: rarer in a program than the tag before it, which is a line's end. */
const nameExtension = fromLatin1('.proto');
const gzipMagic = fromLatin1('\x1f\x8b\x08\x00');
const servicePath = fromLatin1('/grpc.AgentService/');
const requestKey = fromLatin1('Request');

/** csi.proto. */
const leastName = 9;
const fileName = /^(?:[\w.~@+-]+\/)*(?:agent|oci|types|health|csi)\.proto$/;
/** Whether a byte can be one of such a name. */
const isOfName = Array.from({ length: 256 }, (_, byte) => /[\w.~@+/-]/.test(String.fromCharCode(byte)) && byte < 0x80);

/** Looks through a program that is handed over in pieces. */
export class DescriptorSearch {
  readonly #window = new Uint8Array(windowBytes);
  #filled = 0;
  /** Up to where the window was looked through. */
  #looked = 0;
  readonly #files = new Map<string, { readonly text: string; readonly file: ParsedFile }>();
  readonly #notServed = new Set<string>();
  readonly #requested = new Set<string>();
  #matches = 0;
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
    const each = (text: Uint8Array, last: number, found: (at: number) => void): void => {
      for (let at = find(bytes, text, this.#looked); at !== -1 && at < last; at = find(bytes, text, at + 1)) {
        this.#matches += 1;
        if (this.#matches > matchLimit) this.#isConfused = true;
        if (this.#isConfused) return;
        found(at);
      }
    };
    each(nameExtension, end + nameBytes + headBytes, (at) => this.#tryName(bytes, at + nameExtension.length, end));
    each(gzipMagic, end, (at) => this.#tryGzip(bytes, at));
    each(servicePath, end, (at) => this.#noteNotServed(bytes, at));
    each(requestKey, end, (at) => this.#noteRequested(bytes, at));
    this.#looked = end;
  }

  /** Does a descriptor begin before `end` with the name that ends here? Its tag is no letter of a name, its length may look like one. */
  #tryName(bytes: Uint8Array, nameStop: number, end: number): void {
    const least = Math.max(this.#looked, nameStop - nameBytes - headBytes);
    let start = nameStop - 1;
    while (start > least && isOfName[bytes[start] as number]) start -= 1;
    for (let at = Math.max(least, start - headBytes + 1); at <= start && at < end; at += 1) {
      if (bytes[at] !== 0x0a || nameEnd(bytes, at) !== nameStop || !beginsDescriptor(bytes, at)) continue;
      this.#candidates += 1;
      if (this.#candidates > candidateLimit) this.#isConfused = true;
      else this.#parse(bytes.subarray(at, at + descriptorBytes));
    }
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
    const behind = latin1(bytes.subarray(at + servicePath.length, at + servicePath.length + 100));
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
