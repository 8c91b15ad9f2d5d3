/**
 * Runs every `*.test.ts` below test/ or, as arguments, below the given folders or files; with `--long` those tests that the usual run
 * leaves out because they take long. A line of progress for each file. Fails when a file holds no test, when there is none at all, and,
 * with KATA_CHECK_NO_SKIP=1, when one is skipped. The last line is `N passed, N failed, N skipped`.
 */

import { fork } from 'node:child_process';
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parse } from 'uvu/parse';
import type { Wanted } from './suite.ts';
import type { Job, Outcome } from './worker.ts';

const here = import.meta.dirname;
/** Need root, a whole Debian, and each other's absence: only when asked for by name. */
const alone = ['system', 'bench'];
const long = ['oracle', 'fuzz/long'];
/** Mount images in their long tests. A mount namespace that another test makes meanwhile would keep them busy, so that they run when no other does. */
const mounting = ['oracle', 'read/xfs.test.ts'];
const isBelow = (folders: readonly string[], file: string): boolean =>
  folders.some((folder) => file === folder || file.startsWith(`${folder}/`));

const isLong = process.argv.includes('--long');
const asked = process.argv.slice(2).filter((argument) => argument !== '--long');
/** Tests that are asked for by name run, long or not. */
const wantedIn = (file: string): Wanted =>
  asked.length > 0 || isBelow(long, relative(here, file)) ? 'all' : isLong ? 'long' : 'short';
// What a user's shell exports must not change what is tested.
for (const name of Object.keys(process.env)) {
  if (/^(KATA_CHECK_(MODE|ALLOW)|KATA_CONF_FILE|NODE_OPTIONS|NODE_EXTRA_CA_CERTS)$/.test(name))
    delete process.env[name];
}

const { suites } = await parse(here, '\\.test\\.ts$');
const chosen = suites
  .map(({ file }) => file)
  .filter((file) => {
    const path = relative(here, file);
    if (asked.length > 0)
      return isBelow(
        asked.map((name) => relative(here, resolve(name))),
        path,
      );
    return !isBelow(alone, path) && (isLong || !isBelow(long, path));
  })
  // What has most tests takes longest, and must not be left to the end.
  .sort((one, other) => statSync(other).size - statSync(one).size);

const sum = { passed: 0, failed: 0, long: 0 };
const skipped: string[] = [];
const empty: string[] = [];

function note(file: string, outcome: Outcome, milliseconds: number): void {
  sum.passed += outcome.passed;
  sum.failed += outcome.failed;
  sum.long += outcome.long;
  skipped.push(...outcome.skipped.map((needs) => needs.join(', ')));
  const path = relative(here, file);
  if (outcome.tests === 0) empty.push(path);
  if (outcome.passed + outcome.failed + outcome.skipped.length === 0) return;
  const more = [
    ...(outcome.failed > 0 ? [`${outcome.failed} FAILED`] : []),
    ...(outcome.skipped.length > 0 ? [`${outcome.skipped.length} skipped`] : []),
  ];
  const seconds = (milliseconds / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${path}: ${[`${outcome.passed} passed`, ...more].join(', ')}\n${outcome.errors}`);
}

/** Takes one file after the other until none is left. */
async function worker(pending: string[]): Promise<void> {
  for (let file = pending.shift(); file !== undefined; ) {
    const child = fork(join(here, 'worker.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    for (let isAlive = true; isAlive && file !== undefined; ) {
      const start = performance.now();
      const outcome = await new Promise<Outcome | null>((done) => {
        child.once('message', (message) => done(message as Outcome));
        child.once('exit', () => done(null));
        child.send({ file: file as string, wanted: wantedIn(file as string) } satisfies Job);
      });
      isAlive = outcome !== null;
      const crashed = {
        tests: 1,
        passed: 0,
        failed: 1,
        skipped: [],
        long: 0,
        errors: `  the tests did not come to their end\n`,
      };
      note(file, outcome ?? crashed, performance.now() - start);
      child.removeAllListeners();
      file = pending.shift();
    }
    if (child.connected) child.disconnect();
  }
}

/** One more at a time than there are processors: some tests wait for a deadline. */
async function runAll(files: readonly string[], atOnce = availableParallelism() + 1): Promise<void> {
  const pending = [...files];
  await Promise.all(Array.from({ length: atOnce }, () => worker(pending)));
}

const isIn = (folders: readonly string[]) => (file: string) => isBelow(folders, relative(here, file));
const isOne = isIn(isLong || asked.length > 0 ? [...alone, ...mounting] : alone);
await runAll(chosen.filter((file) => !isOne(file)));
await runAll(chosen.filter(isOne), 1);

for (const need of [...new Set(skipped)].sort())
  process.stdout.write(`skipped: ${skipped.filter((other) => other === need).length} need ${need}\n`);
if (skipped.length > 0) {
  const install = "apt-get install $(grep -v '^#' test/debian-packages)";
  process.stdout.write(`to run them too, on Debian and as root: ${install} && npm run build:native\n`);
}
if (sum.long > 0) process.stdout.write(`${sum.long} that take long are left to npm run test:long\n`);
for (const name of empty) process.stdout.write(`${name}: holds no test\n`);
const mayNotSkip = process.env.KATA_CHECK_NO_SKIP === '1';
if (mayNotSkip && skipped.length > 0) process.stdout.write('tests were skipped where every tool must be there\n');
const isGood = sum.passed > 0 && sum.failed === 0 && empty.length === 0 && !(mayNotSkip && skipped.length > 0);
process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${skipped.length} skipped\n`);
process.exit(isGood ? 0 : 1);
