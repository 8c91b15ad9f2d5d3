/** Runs the test files that test/run.ts names, one after the other, and hands back what came out. uvu's own dots are not shown. */

import { pathToFileURL } from 'node:url';
import type { Wanted } from './suite.ts';

export interface Job {
  readonly file: string;
  readonly wanted: Wanted;
}

export interface Outcome {
  readonly tests: number;
  readonly passed: number;
  readonly failed: number;
  /** What each skipped test needs. */
  readonly skipped: readonly (readonly string[])[];
  /** Tests that take long, and were left out for it. */
  readonly long: number;
  /** What uvu says of the failures. */
  readonly errors: string;
}

type Runner = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;
const state = globalThis as unknown as { UVU_DEFER: number; UVU_INDEX: number; UVU_QUEUE: [string, ...Runner[]][] };

// uvu looks at this when it is loaded: without it, it would start by itself.
state.UVU_DEFER = 1;
const { takeSuites, want } = await import('./suite.ts');

async function outcomeOf({ file, wanted }: Job): Promise<Outcome> {
  want(wanted);
  state.UVU_QUEUE = [['']];
  state.UVU_INDEX = 0;
  await import(pathToFileURL(file).href);
  const { tests, skipped, long } = takeSuites();
  let [passed, total, errors] = [0, 0, ''];
  const [, ...runners] = state.UVU_QUEUE[0] as [string, ...Runner[]];
  for (const runner of runners) {
    const [failures, some, , all] = await runner();
    passed += some;
    total += all;
    if (typeof failures === 'string') errors += failures;
  }
  return { tests, passed, failed: total - passed, skipped, long, errors };
}

process.on('message', (job: Job) => {
  outcomeOf(job).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => {
      process.stderr.write(`${job.file}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
