/**
 * Runs every `*.test.ts` below test/ or, as arguments, below the given folders or files. Fails when a file holds no test, when there
 * is none at all, and, with KATA_CHECK_NO_SKIP=1, when one is skipped. The last line is `N passed, N failed, N skipped`.
 */

import { relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'uvu/parse';

type Runner = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;
const state = globalThis as unknown as { UVU_DEFER: number; UVU_INDEX: number; UVU_QUEUE: [string, ...Runner[]][] };

// uvu looks at this when it is loaded: without it, it would start by itself between two files.
state.UVU_DEFER = 1;
const uvu = await import('uvu');
const { closeSuites, skipped } = await import('./suite.ts');

const here = import.meta.dirname;
/** Slow or needing root and a whole Debian: only when asked for by name. */
const onlyByName = ['system', 'oracle', 'fuzz/long', 'bench'];
const asked = process.argv.slice(2).map((path) => resolve(path));

const { suites } = await parse(here, '\\.test\\.ts$');
const chosen = suites.filter(({ file }) =>
  asked.length > 0
    ? asked.some((path) => file === path || file.startsWith(`${path}/`))
    : !onlyByName.some((folder) => relative(here, file).startsWith(`${folder}/`)),
);

// What a user's shell exports must not change what is tested.
for (const name of Object.keys(process.env)) {
  if (/^(KATA_CHECK_(MODE|ALLOW)|KATA_CONF_FILE|NODE_OPTIONS|NODE_EXTRA_CA_CERTS)$/.test(name))
    delete process.env[name];
}

let passed = 0;
let total = 0;
const empty: string[] = [];
state.UVU_QUEUE = state.UVU_QUEUE.filter(([name]) => name !== null);
for (const { name, file } of chosen) {
  state.UVU_INDEX = state.UVU_QUEUE.length;
  state.UVU_QUEUE.push([name]);
  await import(pathToFileURL(file).href);
  if (closeSuites() === 0) empty.push(name);
}
for (const group of state.UVU_QUEUE) {
  for (const [index, runner] of group.entries()) {
    if (typeof runner !== 'function') continue;
    group[index] = async () => {
      const result = await runner();
      passed += result[1];
      total += result[3];
      return result;
    };
  }
}
await uvu.exec();

const failed = total - passed;
for (const line of skipped) process.stdout.write(`${line}\n`);
for (const name of empty) process.stdout.write(`${name}: holds no test\n`);
const mayNotSkip = process.env.KATA_CHECK_NO_SKIP === '1';
if (mayNotSkip && skipped.length > 0) process.stdout.write('tests were skipped where every tool must be there\n');
const isGood = total > 0 && failed === 0 && empty.length === 0 && !(mayNotSkip && skipped.length > 0);
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
process.exit(isGood ? 0 : 1);
