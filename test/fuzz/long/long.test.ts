/**
 * Tens of thousands of damaged images for each reader. KATA_CHECK_FUZZ_SEED and KATA_CHECK_FUZZ_COUNT give another seed, and another
 * count for each reader.
 */

import * as assert from 'uvu/assert';
import { suite } from '../../suite.ts';
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
  disk: 20_000,
  initrd: 3000,
};

/** Bytes of memory that a process may take at the most, with Node.js itself and the good images. */
const memoryLimit = 1024 * 1024 * 1024;

function print(reader: string, { report }: Ended): void {
  if (report === undefined) return;
  const { mutations, outcomes, faults, slowest, peak } = report;
  const kinds = Object.entries(outcomes).map(([kind, count]) => `${kind} ${count}`);
  process.stdout.write(
    `\n${reader}: ${mutations} mutations; ${kinds.join(', ')}; uncaught ${faults}; slowest ${Math.round(slowest.milliseconds)} ms (case ${slowest.number}); peak ${Math.round(peak / 1048576)} MiB\n`,
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

const running = new Map<Reader, Promise<Ended>>();

function start(): void {
  if (running.size > 0) return;
  for (const reader of readers) {
    running.set(
      reader,
      inTurn(() => fuzz(reader, seed, Number(override ?? counts[reader]), 600)),
    );
  }
}

for (const reader of readers) {
  test(
    `${reader}: damaged images give an answer or one of the six problems`,
    async () => {
      start();
      const ended = await (running.get(reader) as Promise<Ended>);
      print(reader, ended);
      assert.ok(ended.report !== undefined && ended.report.faults === 0, ended.text);
      assert.is(ended.report?.mutations, Number(override ?? counts[reader]));
      assert.ok((ended.report?.peak ?? 0) < memoryLimit, `${ended.report?.peak} bytes of memory`);
    },
    { needs: programs[reader], timeout: 900 },
  );
}
