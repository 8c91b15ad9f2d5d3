/**
 * Damage to an image in memory, the same for the same seed: numbers in known structures, and bytes wherever they stand.
 * Runs on Node.js and QuickJS alike.
 */

import type { Field, Place } from './structures.ts';

/** Bytes put over those of the image. */
export interface Patch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface Mutation {
  /** What is done, in words, for a message. */
  readonly title: string;
  readonly patches: readonly Patch[];
  /** The image is cut to this many bytes. */
  readonly size: number;
}

/** What can be damaged. */
export interface Target {
  readonly data: Uint8Array;
  readonly places: readonly Place[];
}

/** Numbers of chance that are the same in every run: xorshift of 32 bits, its state spread by a multiplication. */
export class Random {
  #state: number;

  constructor(seed: number, stream: number) {
    let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0;
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    this.#state = state === 0 ? 1 : state;
    for (let index = 0; index < 4; index += 1) this.next();
  }

  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 4294967296) * limit);
  }

  chance(one: number): boolean {
    return this.below(one) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const hexDigits = 8;

function sizeOf({ width, order }: Field): number {
  return order === 'hex' ? hexDigits : width;
}

function numberAt(data: Uint8Array, field: Field): bigint {
  const bytes = data.subarray(field.at, field.at + sizeOf(field));
  if (field.order === 'hex') {
    const value = Number.parseInt(String.fromCharCode(...bytes), 16);
    return Number.isNaN(value) ? 0n : BigInt(value);
  }
  const ordered = field.order === 'big' ? [...bytes] : [...bytes].reverse();
  return ordered.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

function encoded(field: Field, value: bigint): Uint8Array {
  const bits = BigInt(field.width * 8);
  const number = BigInt.asUintN(Number(bits), value);
  if (field.order === 'hex') {
    return Uint8Array.from(number.toString(16).padStart(hexDigits, '0'), (digit) => digit.charCodeAt(0));
  }
  const bytes = Uint8Array.from({ length: field.width }, (_, index) => Number((number >> BigInt(index * 8)) & 255n));
  return field.order === 'big' ? bytes.reverse() : bytes;
}

/** A value that readers trip over, in place of `old`. */
function hostile(random: Random, old: bigint, field: Field, target: Target): bigint {
  const bits = BigInt(field.width * 8);
  const highest = 1n << (bits - 1n);
  switch (random.below(15)) {
    case 0:
      return 0n;
    case 1:
      return 1n;
    case 2:
      return -1n;
    case 3:
      return -2n;
    case 4:
      return highest - BigInt(random.below(2));
    case 5:
      return old + 1n;
    case 6:
      return old - 1n;
    case 7:
      return old * 2n;
    case 8:
      return old / 2n;
    case 9:
      return old ^ (1n << BigInt(random.below(Number(bits))));
    case 10:
      return BigInt(random.next()) * 4294967296n + BigInt(random.next());
    case 11:
      return BigInt(random.below(64));
    case 12:
      // As many blocks as the image has, or one more or less.
      return BigInt(target.data.length >>> random.pick([0, 9, 10, 11, 12])) + BigInt(random.below(3) - 1);
    case 13:
      return (1n << BigInt(random.below(Number(bits)))) - BigInt(random.below(2));
    default: {
      // What is right elsewhere: cycles, and structures that two others point to.
      const other = placeOfChance(random, target.places);
      const alike = (other?.fields ?? []).filter(({ width, order }) => width === field.width && order === field.order);
      return alike.length === 0 ? old : numberAt(target.data, random.pick(alike));
    }
  }
}

/** Kinds first, or the thousand records of a directory would hide the one superblock. */
function placeOfChance(random: Random, all: readonly Place[]): Place | undefined {
  const known = all.filter(({ fields }) => fields.length > 0);
  const places = known.length > 0 && !random.chance(4) ? known : all;
  if (places.length === 0) return undefined;
  const kinds = [...new Set(places.map(({ kind }) => kind))];
  const kind = random.pick(kinds);
  return random.pick(places.filter((place) => place.kind === kind));
}

function structured(random: Random, target: Target): { title: string; patches: Patch[] } | undefined {
  const place = placeOfChance(
    random,
    target.places.filter(({ fields }) => fields.length > 0),
  );
  if (place === undefined) return undefined;
  const field = random.pick(place.fields);
  const old = numberAt(target.data, field);
  const value = hostile(random, old, field, target);
  const bytes = encoded(field, value);
  const title = `${place.kind} at ${place.offset}: ${field.width} bytes at ${field.at - place.offset}: ${old} -> ${value}`;
  return { title, patches: [{ at: field.at, bytes }] };
}

function raw(random: Random, target: Target): { title: string; patches: Patch[] } {
  const { data } = target;
  const place = random.below(10) < 7 ? placeOfChance(random, target.places) : undefined;
  const start = place?.offset ?? 0;
  const length = place?.length ?? data.length;
  const where = place === undefined ? 'anywhere' : `${place.kind} at ${place.offset}`;
  const anywhere = (size: number): number => start + random.below(Math.max(1, length - size + 1));
  switch (random.below(6)) {
    case 0: {
      const patches = Array.from({ length: 1 + random.below(8) }, () => {
        const at = anywhere(1);
        return { at, bytes: Uint8Array.of((data[at] as number) ^ (1 << random.below(8))) };
      });
      return { title: `${where}: bits flipped at ${patches.map(({ at }) => at).join(', ')}`, patches };
    }
    case 1: {
      const bytes = Uint8Array.from({ length: 1 + random.below(16) }, () => random.next());
      const at = anywhere(bytes.length);
      return { title: `${where}: ${bytes.length} bytes of chance at ${at}`, patches: [{ at, bytes }] };
    }
    case 2: {
      const width = random.pick([1, 2, 4, 8] as const);
      const at = Math.floor(anywhere(width) / width) * width;
      const field: Field = { at, width, order: random.pick(['little', 'big']) };
      const value = hostile(random, numberAt(data, field), field, target);
      return { title: `${where}: ${width} bytes at ${at}: ${value}`, patches: [{ at, bytes: encoded(field, value) }] };
    }
    case 3: {
      const size = random.pick([16, 64, 512, 1024, 4096]);
      const from = Math.floor(random.below(data.length) / size) * size;
      const other = placeOfChance(random, target.places);
      const source = other === undefined || random.chance(3) ? from : other.offset;
      const at = Math.floor(anywhere(1) / size) * size;
      const bytes = data.slice(source, Math.min(source + size, data.length));
      return { title: `${where}: ${bytes.length} bytes from ${source} copied to ${at}`, patches: [{ at, bytes }] };
    }
    case 4: {
      const size = random.pick([2, 4, 16, 64, 512, 4096]);
      const at = anywhere(size);
      const bytes = new Uint8Array(size).fill(random.chance(4) ? 255 : 0);
      return { title: `${where}: ${size} bytes of ${bytes[0]} at ${at}`, patches: [{ at, bytes }] };
    }
    default: {
      const at = anywhere(2);
      const bytes = data.slice(at, at + 2 + random.below(64)).reverse();
      return { title: `${where}: ${bytes.length} bytes at ${at} reversed`, patches: [{ at, bytes }] };
    }
  }
}

/** In bytes: an inode, and what stands behind it. */
const reach = 512;

function isNear({ offset, length }: Place, at: number): boolean {
  return offset < at + reach && offset + length > at - reach;
}

/** Mostly one fault, since the first one found hides the others. */
export function mutate(random: Random, target: Target): Mutation {
  const count = random.below(10) < 7 ? 1 : 2 + random.below(3);
  const titles: string[] = [];
  const patches: Patch[] = [];
  let size = target.data.length;
  for (let index = 0; index < count; index += 1) {
    if (random.chance(40)) {
      const place = placeOfChance(random, target.places);
      const at =
        place === undefined || random.chance(3) ? random.below(size) : place.offset + random.below(place.length);
      size = Math.min(size, at);
      titles.push(`cut to ${size} bytes`);
      continue;
    }
    // What takes two wrong numbers takes them side by side: a size, and the form of what it counts.
    const last = patches.at(-1);
    const near = last === undefined || random.chance(2) ? [] : target.places.filter((place) => isNear(place, last.at));
    const aim = near.length === 0 ? target : { data: target.data, places: near };
    const one = (random.below(10) < 6 ? structured(random, aim) : undefined) ?? raw(random, aim);
    titles.push(one.title);
    patches.push(...one.patches);
  }
  return { title: titles.join('; '), patches, size };
}

/** Puts the patches over the data, and returns what takes them away again. */
export function applyPatches(data: Uint8Array, patches: readonly Patch[]): () => void {
  const undo: Patch[] = [];
  for (const { at, bytes } of patches) {
    const fitting = bytes.subarray(0, Math.max(0, data.length - at));
    undo.push({ at, bytes: data.slice(at, at + fitting.length) });
    data.set(fitting, Math.min(at, data.length));
  }
  return () => {
    for (const { at, bytes } of undo.reverse()) data.set(bytes, Math.min(at, data.length));
  };
}
