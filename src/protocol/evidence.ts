/**
 * What two programs themselves say of whether they understand each other: their descriptors, compared. No release number takes part, so that
 * it holds for forks and development builds, and for a release that no table lists.
 *
 * Descriptors do not say by which transport a program speaks, nor which values (drivers, paths) it knows.
 */

import type { Description } from './descriptors.ts';
import type { Call, Field } from './proto-files.ts';

/** A field that the two read in different ways. */
export interface WireBreak {
  /** As `LinuxSeccomp.3`. */
  readonly field: string;
  readonly runtime: string;
  readonly agent: string;
}

export interface Evidence {
  /** Calls that the runtime makes and the agent does not have or does not serve, by name; null where the two do not tell. */
  readonly missing: readonly string[] | null;
  /** In messages that both exchange. */
  readonly breaks: readonly WireBreak[];
}

const service = 'AgentService/';

/** What is on the wire for a type, by which the other side reads it (https://protobuf.dev/programming-guides/proto3/#updating). */
const kinds: Readonly<Record<string, string>> = {
  int32: 'integer',
  int64: 'integer',
  uint32: 'integer',
  uint64: 'integer',
  bool: 'integer',
  sint32: 'zigzag integer',
  sint64: 'zigzag integer',
  fixed32: '32 bits',
  sfixed32: '32 bits',
  float: 'float',
  fixed64: '64 bits',
  sfixed64: '64 bits',
  double: 'double',
  string: 'text',
  bytes: 'text',
};

type Fields = ReadonlyMap<number, Field>;

/** Of ReadStdout and ReadStderr, which a Go runtime calls without its table (kata_agent.go, readProcessStdout). */
const outsideOfTable = 'ReadStreamRequest';

/** Whether the runtime makes this call, as far as it tells: what it only knows is no evidence. */
export function isMade({ requested }: Description, { request }: Call): boolean {
  return requested === null || requested.has(request) || request === outsideOfTable;
}

/** `runtime` calls, `agent` serves. */
export function compareDescriptions(runtime: Description, agent: Description): Evidence {
  const made = [...runtime.calls.values()].filter((call) => call.name.startsWith(service) && isMade(runtime, call));
  const isServed = ({ name }: Call): boolean => agent.calls.has(name) && !agent.notServed.has(name);
  const tells = runtime.hasServices && agent.files.includes('agent.proto') && agent.hasServices;
  const missing = tells
    ? made
        .filter((call) => !isServed(call))
        .map(({ name }) => name.slice(service.length))
        .sort()
    : null;
  // An agent of 2.x describes its messages and not its calls.
  const both = made.filter((call) => !tells || isServed(call));
  return { missing, breaks: breaksIn(runtime, agent, both) };
}

/** In the messages of these calls, and in what those hold. */
function breaksIn(runtime: Description, agent: Description, calls: readonly Call[]): WireBreak[] {
  const found: WireBreak[] = [];
  const pending = [...new Set(calls.flatMap(({ request, response }) => [request, response]))];
  const seen = new Set(pending);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const [one, other] = [messageOf(runtime, name), messageOf(agent, name)];
    if (one === undefined || other === undefined) continue;
    for (const field of one.values()) {
      for (const inner of namesIn(field.type)) {
        if (seen.has(inner)) continue;
        seen.add(inner);
        pending.push(inner);
      }
      const twin = other.get(field.number);
      if (twin === undefined || isSameOnWire(runtime, agent, field, twin)) continue;
      found.push({
        field: `${name}.${field.number}`,
        runtime: `${field.type} ${field.name}`,
        agent: `${twin.type} ${twin.name}`,
      });
    }
  }
  return found.sort((a, b) => (a.field < b.field ? -1 : 1));
}

/** By its last name, as the types of fields name it. Two nested ones of the same name cannot be told apart: none then. */
function messageOf({ messages }: Description, name: string): Fields | undefined {
  const direct = messages.get(name);
  if (direct !== undefined) return direct;
  const nested = [...messages].filter(([full]) => full.endsWith(`.${name}`));
  return nested.length === 1 ? nested[0]?.[1] : undefined;
}

/** Messages and enums that a type names. */
function namesIn(type: string): string[] {
  return type.split(/[^A-Za-z0-9_]+/).filter((word) => /^[A-Z]/.test(word));
}

function isSameOnWire(runtime: Description, agent: Description, one: Field, other: Field): boolean {
  if (one.type === other.type) return true;
  const [first, second] = [shapeOf(runtime, one.type), shapeOf(agent, other.type)];
  return first.join() === second.join();
}

/** How often, and of which kind each part is. Messages of different names are the same where their fields have the same numbers and names. */
function shapeOf(description: Description, type: string): string[] {
  const repeated = /^(?:repeated|map)\b/.test(type) ? 'repeated' : 'once';
  const map = /^map<([^,]*), (.*)>$/.exec(type);
  const parts = map === null ? [type.replace(/^repeated /, '')] : [map[1] ?? '', map[2] ?? ''];
  return [repeated, ...parts.map((part) => kinds[part] ?? formOf(description, part))];
}

function formOf(description: Description, name: string): string {
  const fields = messageOf(description, name);
  if (fields === undefined) return name;
  const all = [...fields.values()].sort((a, b) => a.number - b.number);
  if (all.length > 0 && all.every(({ type }) => type === 'value')) return 'integer';
  return `message ${all.map((field) => `${field.number} ${field.name}`).join(' ')}`;
}
