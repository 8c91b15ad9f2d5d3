/**
 * Reads .proto files (https://protobuf.dev/reference/protobuf/proto3-spec/) with the parser of protobuf.js: packages aside, their services,
 * messages and enums with what counts on the wire. Options, reservations, extensions and imports do not count.
 *
 * Of the Node form only.
 */

import protobuf from 'protobufjs';
import { Corrupt, LimitExceeded } from '../errors.ts';

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

/** Braces within each other; agent.proto has three. The parser calls itself for each. */
const depthLimit = 64;

/** A message that moves to another package is the same on the wire. */
function unqualified(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

function typeOf(field: protobuf.Field): string {
  const type = unqualified(field.type);
  if (field instanceof protobuf.MapField) return `map<${field.keyType}, ${type}>`;
  return field.repeated ? `repeated ${type}` : type;
}

class Builder {
  readonly calls = new Map<string, Call>();
  readonly messages = new Map<string, Map<number, Field>>();

  /** `outer` is the name of the message around, with a dot behind it. Throws Corrupt. */
  add(namespace: protobuf.NamespaceBase, outer: string): void {
    for (const found of namespace.nestedArray) {
      if (found instanceof protobuf.Service) this.#service(found);
      else if (found instanceof protobuf.Enum) {
        const values = this.#open(outer + found.name);
        for (const [name, number] of Object.entries(found.values)) {
          // Two names of one value are allowed; the first is the one that counts.
          if (!values.has(number)) values.set(number, { name, number, type: 'value' });
        }
      } else if (found instanceof protobuf.Type) {
        const fields = this.#open(outer + found.name);
        for (const field of found.fieldsArray) {
          fields.set(field.id, { name: field.name, number: field.id, type: typeOf(field) });
        }
        this.add(found, `${outer}${found.name}.`);
      } else if (found instanceof protobuf.Namespace) this.add(found, outer);
    }
  }

  #service(service: protobuf.Service): void {
    for (const method of service.methodsArray) {
      const name = `${service.name}/${method.name}`;
      if (this.calls.has(name)) throw new Corrupt(`the call ${name} stands there twice`);
      const side = (isStream: boolean | undefined, type: string): string =>
        `${isStream === true ? 'stream ' : ''}${unqualified(type)}`;
      const request = side(method.requestStream, method.requestType);
      this.calls.set(name, { name, request, response: side(method.responseStream, method.responseType) });
    }
  }

  #open(name: string): Map<number, Field> {
    if (this.messages.has(name)) throw new Corrupt(`${name} stands there twice`);
    const fields = new Map<number, Field>();
    this.messages.set(name, fields);
    return fields;
  }
}

/** The deepest that braces stand within each other, those in comments and strings too. */
function depthOf(source: string): number {
  let [depth, deepest] = [0, 0];
  for (const [brace] of source.matchAll(/[{}]/g)) {
    depth += brace === '{' ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** Several files are one protocol. Throws Corrupt, with the line where the parser knows it, and LimitExceeded. */
export function parseProtos(files: readonly { readonly path: string; readonly source: string }[]): Protocol {
  const builder = new Builder();
  for (const { path, source } of files) {
    if (depthOf(source) > depthLimit)
      throw new LimitExceeded(`${path}: more than ${depthLimit} braces within each other`);
    try {
      // Kata's all say proto3. What does not say is read as proto3, too.
      const whole = /^\s*syntax\s*=/m.test(source) ? source : `syntax = "proto3"; ${source}`;
      const { root } = protobuf.parse(whole, new protobuf.Root(), { keepCase: true });
      builder.add(root, '');
    } catch (error) {
      const [reason = ''] = (error as Error).message.split('\n');
      throw new Corrupt(`${path}: ${reason}`);
    }
  }
  return builder;
}
