/**
 * Tests on uvu that cannot be lost: a suite runs without being told to, a thrown string is a failure, a test that never
 * ends is one too, and a test whose tools are missing is counted as skipped and says which.
 */

import { existsSync, readlinkSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { suite as uvuSuite } from 'uvu';

export interface Needs {
  /** Programs (looked up in the usual directories), "root", "no container", or the path of a file. */
  readonly needs?: readonly string[];
  /** Seconds; 120 when absent. */
  readonly timeout?: number;
  /** Takes more than some ten seconds: only `npm run test:long` runs it, and who asks for its file by name. */
  readonly isLong?: boolean;
}

export type Test = (name: string, handler: () => void | Promise<void>, options?: Needs) => void;

const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const open: { readonly run: () => void }[] = [];
let counted = { tests: 0, long: 0, skipped: [] as string[][] };

/** Which tests of a file run: test/run.ts decides. */
export type Wanted = 'short' | 'long' | 'all';
let wanted: Wanted = 'all';

/**
 * A folder of the corpus that KATA_CHECK_CORPUS names: `NAME` or `corpus/NAME` in it, or, for images, itself. Without one, a path that is not there
 * and says what is missing, for `needs`.
 */
export function corpusFolder(name: string): string {
  const corpus = process.env.KATA_CHECK_CORPUS;
  if (corpus === undefined || corpus === '') return `/KATA_CHECK_CORPUS/${name}`;
  const places = [`${corpus}/${name}`, `${corpus}/corpus/${name}`].map((path) => resolve(path));
  if (name === 'images') places.push(resolve(corpus));
  return places.find((path) => existsSync(path)) ?? `/KATA_CHECK_CORPUS/${name}`;
}

export function has(need: string): boolean {
  if (need === 'root') return process.geteuid?.() === 0;
  if (need === 'no container') return readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]';
  if (need.startsWith('/')) return existsSync(need);
  return directories.some((directory) => existsSync(`${directory}/${need}`));
}

async function withTimeout(handler: () => void | Promise<void>, seconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} seconds`)), seconds * 1000);
  });
  try {
    await Promise.race([handler(), expired]);
  } catch (error) {
    throw error instanceof Error ? error : new Error(`threw ${String(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

export function suite(name: string): Test {
  const inner = uvuSuite(name);
  open.push({ run: () => inner.run() });
  return (title, handler, { needs = [], timeout = 120, isLong = false } = {}) => {
    counted.tests += 1;
    if (isLong && wanted === 'short') counted.long += 1;
    if (wanted === (isLong ? 'short' : 'long')) return;
    const missing = needs.filter((need) => !has(need));
    if (missing.length === 0) inner(title, () => withTimeout(handler, timeout));
    else counted.skipped.push([...new Set(missing.map(written))]);
  };
}

/** A need as the sum of all names it. */
function written(need: string): string {
  if (need.startsWith('/KATA_CHECK_CORPUS/')) return 'KATA_CHECK_CORPUS, a folder of sample images';
  return need.startsWith('/') ? relative('.', need) : need;
}

/** For the file that is loaded next. */
export function want(tests: Wanted): void {
  wanted = tests;
}

/** Hands the suites of the file just loaded to uvu; returns how many tests they hold, and what those that are skipped need. */
export function takeSuites(): typeof counted {
  for (const { run } of open.splice(0)) run();
  const taken = counted;
  counted = { tests: 0, long: 0, skipped: [] };
  return taken;
}
