/**
 * As fuzz.ts, in the native form: `PROGRAM READER SEED COUNT FIRST SCRATCH PLACE IMAGE...`. SCRATCH: a file for damaged images,
 * where the readers want one, else ''. PLACE: a file for the number of the running case.
 */

import * as std from 'std';
import { createQuickJsHost, inner } from '../../src/host/quickjs.ts';
import { replaceInner } from '../../src/read/bytes.ts';
import { campaign, type Seed } from './campaign.ts';

replaceInner(inner);
const host = createQuickJsHost();
const step = 8 * 1024 * 1024;

function load(path: string): Seed {
  const file = host.open(path);
  const data = new Uint8Array(file.size);
  for (let at = 0; at < file.size; at += step) data.set(file.read(at, Math.min(step, file.size - at)), at);
  file.close();
  return { name: path.slice(path.lastIndexOf('/') + 1), data };
}

/** In bytes, from /proc/self/status. */
function memory(field: 'VmRSS' | 'VmHWM'): number {
  const status = host.readText('/proc/self/status', 65_536);
  return Number(new RegExp(`${field}:\\s*([0-9]+)`).exec(status)?.[1] ?? 0) * 1024;
}

async function main(): Promise<void> {
  const [, seed = '', count = '', first = '', scratch = '', place = '', ...paths] = host.arguments;
  const seeds = paths.map(load);
  const before = memory('VmRSS');
  const running = std.open(place, 'w');
  const report = await campaign(host, seeds, {
    seed: Number(seed),
    first: Number(first),
    count: Number(count),
    bound: 30_000,
    begin: (number) => {
      running?.seek(0, 0);
      running?.puts(`${number}`.padEnd(12));
      running?.flush();
    },
    backing: (data) => {
      const file = host.temporaryFile('damaged');
      file.write(data);
      return file;
    },
    ...(scratch !== '' && {
      store: (data: Uint8Array) => {
        const file = std.open(scratch, 'w');
        file?.write(data.buffer, data.byteOffset, data.length);
        file?.close();
        return { host, path: scratch };
      },
    }),
  });
  for (const { number, image, mutation, message } of report.faults) {
    host.write(1, `case ${number} of ${image}: ${mutation.title}\n  ${message}\n`);
  }
  const summary = { ...report, faults: report.faults.length, peak: memory('VmHWM'), before };
  host.write(1, `${JSON.stringify(summary)}\n`);
  host.exit(report.faults.length === 0 ? 0 : 1);
}

// Not awaited, as in src/main.quickjs.ts.
void main().catch((error: unknown) => {
  host.write(1, `${error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : error}\n`);
  host.exit(2);
});
