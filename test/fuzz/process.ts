/** A campaign in a process of its own: its memory can be measured, and it can be ended when it hangs. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../images.ts';
import type { Report } from './campaign.ts';
import type { Reader } from './seeds.ts';

export interface Ended {
  /** Undefined when there was none: the process was ended, or crashed. */
  /** `peak` and `before` the first damage: bytes of memory. */
  readonly report:
    | (Omit<Report, 'faults'> & { readonly faults: number; readonly peak: number; readonly before: number })
    | undefined;
  /** What to say of it when there is no report, or one with faults. */
  readonly text: string;
}

/** Of JavaScript's own memory, in MiB: an image that asks for more ends the process, and is found by that. */
const heapLimit = 512;

export function lastLine<T>(output: string): T | undefined {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? (JSON.parse(line) as T) : undefined;
}

/** Runs a program that writes the number of its case to the file `place` while it runs. `seconds`: how long it may take. */
export function runCampaign(
  argv: readonly string[],
  place: string,
  again: (number: string) => string,
  seconds: number,
): Promise<Ended> {
  const [program = '', ...rest] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, rest, {
      env: { ...process.env, NO_COLOR: '1', KATA_CHECK_FUZZ_PLACE: place },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    child.on('error', (error) => resolve({ report: undefined, text: error.message }));
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      const report = lastLine<NonNullable<Ended['report']>>(output);
      if (report !== undefined) return resolve({ report, text: output });
      let number = '';
      try {
        number = readFileSync(place, 'utf8').trim();
      } catch {
        // It never began.
      }
      const end = signal === null ? `ended with ${status}` : `was ended by ${signal}, after ${seconds} s at the most`;
      resolve({ report: undefined, text: `${output}\ncase ${number} ${end}\n  again: ${again(number)}\n` });
    });
  });
}

/** The readers on Node.js, with images of their own or those of the files `images`. */
export function fuzz(
  reader: Reader,
  seed: number,
  count: number,
  seconds: number,
  images: readonly string[] = [],
): Promise<Ended> {
  const script = join(import.meta.dirname, 'fuzz.ts');
  const argv = [process.execPath, `--max-old-space-size=${heapLimit}`, '--import', 'tsx', script];
  const again = (number: string): string => `node --import tsx test/fuzz/fuzz.ts ${reader} ${seed} 1 ${number}`;
  const place = join(temporaryFolder(), 'place');
  return runCampaign([...argv, reader, `${seed}`, `${count}`, '0', ...images], place, again, seconds);
}
