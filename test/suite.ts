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
}

export type Test = (name: string, handler: () => void | Promise<void>, options?: Needs) => void;

const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const open: { name: string; run(): void; tests: number }[] = [];

/** Skipped tests as "test: needs X", for the runner. */
export const skipped: string[] = [];

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
  const entry = { name, run: () => inner.run(), tests: 0 };
  open.push(entry);
  return (title, handler, options = {}) => {
    entry.tests += 1;
    const missing = (options.needs ?? []).filter((need) => !has(need));
    if (missing.length > 0) {
      skipped.push(
        `${name}: ${title}: skipped: needs ${missing.map((need) => (need.startsWith('/') && !need.startsWith('/KATA') ? relative('.', need) : need)).join(', ')}`,
      );
      inner.skip(title);
    } else {
      inner(title, () => withTimeout(handler, options.timeout ?? 120));
    }
  };
}

/** Hands the suites of the file just loaded to uvu; returns how many tests they hold. */
export function closeSuites(): number {
  let tests = 0;
  for (const entry of open.splice(0)) {
    entry.run();
    tests += entry.tests;
  }
  return tests;
}
