/**
 * Tens of thousands of damaged images for each reader. KATA_CHECK_FUZZ_SEED and KATA_CHECK_FUZZ_COUNT give another seed, and another
 * count for each reader.
 */

import * as assert from 'uvu/assert';
import { has, suite } from '../../suite.ts';
import { fuzzNative, nativeProgram } from '../native.ts';
import { type Ended, fuzz } from '../process.ts';
import { programs, type Reader, readers } from '../seeds.ts';

const test = suite('fuzz, long');
const seed = Number(process.env.KATA_CHECK_FUZZ_SEED || 1);
const override = process.env.KATA_CHECK_FUZZ_COUNT || undefined;

/** Each compressed image starts a program four times. */
const counts: Readonly<Record<Reader, number>> = {
  ext4: 20_000,
  xfs: 20_000,
  erofs: 20_000,
  cpio: 20_000,
  stream: 20_000,
  disk: 20_000,
  initrd: 3000,
  program: 20_000,
};

/** In the native form, which takes some ten times as long. */
const nativeCounts: Readonly<Record<Reader, number>> = {
  ext4: 4000,
  xfs: 1500,
  erofs: 4000,
  cpio: 20_000,
  stream: 20_000,
  disk: 6000,
  initrd: 2000,
  program: 10_000,
};

/** For one reader, in seconds. It takes two minutes on a quiet machine; what hangs is found by its case, not by this. */
const patience = 1800;

/** Bytes of memory that the images may take at the most, beside the program itself and the good images. */
const memoryLimit = 256 * 1024 * 1024;

const mebibytes = (bytes: number): number => Math.round(bytes / 1048576);

function print(reader: string, { report }: Ended): void {
  if (report === undefined) return;
  const { mutations, outcomes, faults, slowest, peak, before } = report;
  const kinds = Object.entries(outcomes).map(([kind, count]) => `${kind} ${count}`);
  process.stdout.write(
    `\n${reader}: ${mutations} mutations; ${kinds.join(', ')}; uncaught ${faults}; slowest ${Math.round(slowest.milliseconds)} ms (case ${slowest.number}); peak ${mebibytes(peak)} MiB, of which ${mebibytes(before)} before the first\n`,
  );
}

// Two at a time.
const waiting: (() => void)[] = [];
let free = 2;

async function inTurn<T>(action: () => Promise<T>): Promise<T> {
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free -= 1;
  try {
    return await action();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }
}

interface Run {
  readonly name: string;
  readonly count: number;
  readonly needs: readonly string[];
  readonly start: () => Promise<Ended>;
}

const runs = readers.flatMap((reader): Run[] => {
  const [count, nativeCount] = [counts[reader], nativeCounts[reader]].map((number) => Number(override ?? number)) as [
    number,
    number,
  ];
  const needs = programs[reader];
  return [
    { name: reader, count, needs, start: () => fuzz(reader, seed, count, patience) },
    {
      name: `${reader}, native`,
      count: nativeCount,
      needs: [...needs, nativeProgram],
      start: () => fuzzNative(reader, seed, nativeCount, patience),
    },
  ];
});
const running = new Map<Run, Promise<Ended>>();

/** All at once, as the first test begins: each waits for its turn. */
function ended(run: Run): Promise<Ended> {
  if (running.size === 0) {
    for (const one of runs.filter(({ needs }) => needs.every(has))) running.set(one, inTurn(one.start));
  }
  return running.get(run) as Promise<Ended>;
}

for (const run of runs) {
  test(
    `${run.name}: damaged images give an answer or one of the six problems`,
    async () => {
      const end = await ended(run);
      print(run.name, end);
      assert.ok(end.report !== undefined && end.report.faults === 0, end.text);
      assert.is(end.report?.mutations, run.count);
      assert.ok(
        (end.report?.peak ?? 0) - (end.report?.before ?? 0) < memoryLimit,
        `${end.report?.peak} bytes of memory`,
      );
    },
    { needs: run.needs, timeout: 2 * patience },
  );
}
