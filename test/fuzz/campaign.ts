/** Many damaged images, one after the other, each made again by its seed and its number. Runs on Node.js and QuickJS alike. */

import type { ProblemKind } from '../../src/errors.ts';
import type { File, Host } from '../../src/host/host.ts';
import { applyPatches, type Mutation, mutate, Random } from './mutate.ts';
import { type ExamineOptions, examine, hostOf, MemoryFile, trace } from './property.ts';
import { cpioPieces, type Piece, type Place, placesOf } from './structures.ts';

/** A good image, of which damaged ones are made. */
export interface Seed {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Of a damaged image: what it does with it, and how to look at it. */
export interface Case {
  readonly number: number;
  readonly image: string;
  readonly mutation: Mutation;
  readonly message: string;
}

export interface Report {
  mutations: number;
  readonly outcomes: Record<'answer' | ProblemKind, number>;
  /** The same for the same answers. */
  digest: number;
  readonly faults: Case[];
  slowest: { milliseconds: number; number: number };
}

export interface CampaignOptions {
  readonly seed: number;
  /** The number of the first case. */
  readonly first: number;
  readonly count: number;
  /** In milliseconds, for one image. */
  readonly bound: number;
  /** Told of each case before it begins, so that one that never ends is known. */
  readonly begin?: (number: number) => void;
  /** The same bytes in a file of the host, out of which the host itself may read the headers of an initrd. */
  readonly backing?: (data: Uint8Array) => File;
  /** Shows an image of these bytes to the readers; without it they get it from memory. */
  readonly store?: (data: Uint8Array) => { readonly host: Host; readonly path: string };
}

/** One in so many images is read as far as the limits go. */
const thoroughEach = 16;
/** After so many the cause is known. */
const faultLimit = 20;

async function structuresOf(host: Pick<Host, 'now' | 'lz4Block'>, { name, data }: Seed): Promise<Place[]> {
  if (name.startsWith('program-')) return opaquePlaces(data);
  const pieces: Piece[] = await trace(
    hostOf(host, () => new MemoryFile(name, data)),
    `/${name}`,
  );
  // Of these, no pieces are taken one by one.
  const places = placesOf(data, [...pieces, ...(/^(cpio|stream)-/.test(name) ? cpioPieces(data) : [])]);
  // What is only asked whether it is something else decides nothing here.
  return places.filter(({ kind, length }) => length > 16 && (name.startsWith('disk') || kind !== 'master boot record'));
}

/** A compressed stream is opaque: its ends are where its headers, lengths and checksums stand. */
function opaquePlaces(data: Uint8Array): Place[] {
  const length = Math.min(64, data.length);
  return [
    { kind: 'begin of the stream', offset: 0, length, fields: [] },
    { kind: 'end of the stream', offset: data.length - length, length, fields: [] },
    { kind: 'stream', offset: 0, length: data.length, fields: [] },
  ];
}

/** Of all answers in their order, a number of 32 bits. */
function digest(before: number, text: string): number {
  let value = before;
  for (let at = 0; at < text.length; at += 1) value = (Math.imul(value, 31) + text.charCodeAt(at)) >>> 0;
  return value;
}

export async function campaign(
  host: Pick<Host, 'now' | 'lz4Block'>,
  seeds: readonly Seed[],
  options: CampaignOptions,
): Promise<Report> {
  const report: Report = {
    mutations: 0,
    outcomes: { answer: 0, corrupt: 0, unsupported: 0, 'limit-exceeded': 0, io: 0, 'not-found': 0, usage: 0 },
    faults: [],
    digest: 0,
    slowest: { milliseconds: 0, number: -1 },
  };
  const places = new Map<Seed, Place[]>();
  const end = options.first + options.count;
  for (let number = options.first; number < end && report.faults.length < faultLimit; number += 1) {
    options.begin?.(number);
    const random = new Random(options.seed, number);
    const seed = random.pick(seeds);
    const { data } = seed;
    let known = places.get(seed);
    if (known === undefined) {
      known = options.store === undefined ? await structuresOf(host, seed) : opaquePlaces(data);
      places.set(seed, known);
    }
    const mutation = mutate(random, { data, places: known });
    const examining: ExamineOptions = { bound: options.bound, isThorough: number % thoroughEach === 0 };
    const undo = applyPatches(data, mutation.patches);
    const backing = seed.name.startsWith('cpio-') ? options.backing?.(data.subarray(0, mutation.size)) : undefined;
    try {
      const stored = options.store?.(data.subarray(0, mutation.size)) ?? {
        host: hostOf(host, () => new MemoryFile(`/${seed.name}`, data, mutation.size, backing?.descriptor)),
        path: `/${seed.name}`,
      };
      const { answer, outcome, milliseconds } = await examine(stored.host, stored.path, examining);
      report.outcomes[outcome] += 1;
      report.digest = digest(report.digest, answer);
      if (milliseconds > report.slowest.milliseconds) report.slowest = { milliseconds, number };
    } catch (error) {
      const message = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
      report.faults.push({ number, image: seed.name, mutation, message });
    } finally {
      backing?.close();
      undo();
    }
    report.mutations += 1;
  }
  return report;
}
