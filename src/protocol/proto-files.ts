/**
 * Reads .proto files (https://protobuf.dev/reference/protobuf/proto3-spec/): packages aside, their services, messages and enums with
 * what counts on the wire. Options, reservations, extensions and imports are passed over; groups of proto2 are not supported.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';

export interface Call {
  /** As AgentService/CreateContainer. */
  readonly name: string;
  /** Names of messages, with `stream ` in front of a stream. */
  readonly request: string;
  readonly response: string;
}

export interface Field {
  readonly name: string;
  readonly number: number;
  /** Without its package; `repeated` and `map` are part of it. */
  readonly type: string;
}

export interface Protocol {
  readonly calls: ReadonlyMap<string, Call>;
  /** Messages by name, nested ones as Outer.Inner; the fields by number. Of an enum each value is a field of the type `value`. */
  readonly messages: ReadonlyMap<string, ReadonlyMap<number, Field>>;
}

/** Messages within messages: agent.proto has none. */
const depthLimit = 32;
/** Bytes; agent.proto is 20 KB. */
export const protoSizeLimit = 4 * 1024 * 1024;

const token = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\s+|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[.\w+-]+|[^\s\w]/gy;

class Tokens {
  readonly #path: string;
  readonly #all: { readonly text: string; readonly line: number }[] = [];
  #next = 0;

  constructor(path: string, source: string) {
    this.#path = path;
    let line = 1;
    for (const [text] of source.matchAll(token)) {
      if (!/^(?:\s|\/\/|\/\*)/.test(text)) this.#all.push({ text, line });
      line += text.split('\n').length - 1;
    }
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#all.length;
  }

  peek(): string {
    return this.#all[this.#next]?.text ?? '';
  }

  take(): string {
    const taken = this.#all[this.#next];
    if (taken === undefined) throw this.wrong('the file ends too early');
    this.#next += 1;
    return taken.text;
  }

  expect(text: string): void {
    const found = this.take();
    if (found !== text) throw this.wrong(`${text} expected, not ${found}`);
  }

  name(): string {
    const found = this.take();
    if (!/^\.?[A-Za-z_][\w.]*$/.test(found)) throw this.wrong(`a name expected, not ${found}`);
    return found;
  }

  number(): number {
    const found = this.take();
    if (!/^-?(?:0[xX][0-9a-fA-F]+|[0-9]+)$/.test(found)) throw this.wrong(`a number expected, not ${found}`);
    return Number(found);
  }

  /** Past the end of the statement, whatever braces it holds. */
  skipStatement(): void {
    let depth = 0;
    for (;;) {
      const text = this.take();
      if (text === '{') depth += 1;
      if (text === '}') depth -= 1;
      if (depth <= 0 && (text === ';' || text === '}')) return;
    }
  }

  /** `[...]` behind a field. */
  skipOptions(): void {
    if (this.peek() !== '[') return;
    while (this.take() !== ']');
  }

  wrong(what: string, Kind: new (message: string) => Error = Corrupt): Error {
    const at = this.#all[Math.max(0, this.#next - 1)]?.line ?? 1;
    return new Kind(`${this.#path}, line ${at}: ${what}`);
  }
}

class Builder {
  readonly calls = new Map<string, Call>();
  readonly messages = new Map<string, Map<number, Field>>();

  file(tokens: Tokens): void {
    while (!tokens.isAtEnd) {
      const word = tokens.take();
      if (word === 'service') this.#service(tokens);
      else if (word === 'message') this.#message(tokens, '', 1);
      else if (word === 'enum') this.#enum(tokens, '');
      else if (['syntax', 'package', 'import', 'option', 'extend', 'edition'].includes(word)) tokens.skipStatement();
      else if (word !== ';') throw tokens.wrong(`${word} begins nothing that is known`);
    }
  }

  #service(tokens: Tokens): void {
    const service = tokens.name();
    tokens.expect('{');
    for (let word = tokens.take(); word !== '}'; word = tokens.take()) {
      if (word === 'option') tokens.skipStatement();
      else if (word === 'rpc') {
        const name = `${service}/${tokens.name()}`;
        const request = this.#streamed(tokens);
        tokens.expect('returns');
        const response = this.#streamed(tokens);
        if (this.calls.has(name)) throw tokens.wrong(`the call ${name} stands there twice`);
        this.calls.set(name, { name, request, response });
        if (tokens.peek() === '{' || tokens.peek() === ';') tokens.skipStatement();
      } else if (word !== ';') throw tokens.wrong(`rpc expected, not ${word}`);
    }
  }

  #streamed(tokens: Tokens): string {
    tokens.expect('(');
    const first = tokens.name();
    const text =
      first === 'stream' && tokens.peek() !== ')' ? `stream ${unqualified(tokens.name())}` : unqualified(first);
    tokens.expect(')');
    return text;
  }

  #message(tokens: Tokens, outer: string, depth: number): void {
    if (depth > depthLimit) throw tokens.wrong(`more than ${depthLimit} messages within each other`, LimitExceeded);
    const name = outer + tokens.name();
    const fields = this.#open(tokens, name);
    let isInOneof = false;
    for (;;) {
      const word = tokens.take();
      if (word === '}') {
        if (!isInOneof) return;
        isInOneof = false;
      } else if (word === 'message') this.#message(tokens, `${name}.`, depth + 1);
      else if (word === 'enum') this.#enum(tokens, `${name}.`);
      else if (word === 'oneof' && !isInOneof) {
        // On the wire its members are fields of the message.
        tokens.name();
        tokens.expect('{');
        isInOneof = true;
      } else if (['option', 'reserved', 'extensions', 'extend'].includes(word)) tokens.skipStatement();
      else if (word === 'group') throw tokens.wrong('a group of proto2', Unsupported);
      else if (word !== ';') this.#field(tokens, word, fields);
    }
  }

  #field(tokens: Tokens, word: string, fields: Map<number, Field>): void {
    const isLabel = word === 'repeated' || word === 'optional' || word === 'required';
    let type = isLabel ? tokens.name() : word;
    if (type === 'map' && tokens.peek() === '<') {
      tokens.expect('<');
      const key = tokens.name();
      tokens.expect(',');
      type = `map<${key}, ${unqualified(tokens.name())}>`;
      tokens.expect('>');
    } else if (/^\.?[A-Za-z_][\w.]*$/.test(type)) type = unqualified(type);
    else throw tokens.wrong(`a field expected, not ${type}`);
    const name = tokens.name();
    tokens.expect('=');
    const number = tokens.number();
    tokens.skipOptions();
    tokens.expect(';');
    if (fields.has(number)) throw tokens.wrong(`number ${number} stands there twice`);
    fields.set(number, { name, number, type: word === 'repeated' ? `repeated ${type}` : type });
  }

  #enum(tokens: Tokens, outer: string): void {
    const fields = this.#open(tokens, outer + tokens.name());
    for (let word = tokens.take(); word !== '}'; word = tokens.take()) {
      if (word === 'option' || word === 'reserved') tokens.skipStatement();
      else if (word !== ';') {
        tokens.expect('=');
        const number = tokens.number();
        tokens.skipOptions();
        tokens.expect(';');
        // Two names of one value are allowed; the first is the one that counts.
        if (!fields.has(number)) fields.set(number, { name: word, number, type: 'value' });
      }
    }
  }

  #open(tokens: Tokens, name: string): Map<number, Field> {
    if (this.messages.has(name)) throw tokens.wrong(`${name} stands there twice`);
    const fields = new Map<number, Field>();
    this.messages.set(name, fields);
    tokens.expect('{');
    return fields;
  }
}

/** A message that moves to another package is the same on the wire. */
function unqualified(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

/** Several files are one protocol. Throws Corrupt with the line, Unsupported, LimitExceeded. */
export function parseProtos(files: readonly { readonly path: string; readonly source: string }[]): Protocol {
  const builder = new Builder();
  for (const { path, source } of files) builder.file(new Tokens(path, source));
  return builder;
}
