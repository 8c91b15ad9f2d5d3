/**
 * Damages images of one reader and looks at them: `node --import tsx test/fuzz/fuzz.ts READER [SEED [COUNT [FIRST [IMAGE…]]]]`.
 * A fault names the case; `… READER SEED 1 CASE` makes that one again. The last line is the report in JSON.
 * KATA_CHECK_FUZZ_PLACE: a file in which the number of the running case stands, for whoever ends this when it hangs.
 */

import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createNodeHost } from '../../src/host/node.ts';
import { temporaryFolder } from '../images.ts';
import { campaign } from './campaign.ts';
import { applyPatches } from './mutate.ts';
import { makeSeeds, type Reader, readers } from './seeds.ts';

const [reader = '', seed = '1', count = '1000', first = '0', ...images] = process.argv.slice(2);
if (!readers.includes(reader as Reader)) {
  process.stderr.write(`usage: fuzz.ts ${readers.join('|')} [SEED [COUNT [FIRST [IMAGE...]]]]\n`);
  process.exit(2);
}
const host = createNodeHost();
const seeds =
  images.length === 0
    ? makeSeeds(reader as Reader)
    : images.map((path) => ({ name: basename(path), data: new Uint8Array(readFileSync(path)) }));
const image = join(temporaryFolder(), 'damaged.img');
const place = process.env.KATA_CHECK_FUZZ_PLACE;
const descriptor = place === undefined ? undefined : openSync(place, 'w');
const before = process.memoryUsage.rss();
const report = await campaign(host, seeds, {
  seed: Number(seed),
  first: Number(first),
  count: Number(count),
  bound: 10_000,
  begin: (number) => {
    if (descriptor !== undefined) writeSync(descriptor, `${number}`.padEnd(12), 0);
  },
  // The programs that decompress take a file.
  ...(reader === 'initrd' && {
    store: (data: Uint8Array) => {
      writeFileSync(image, data);
      return { host, path: image };
    },
  }),
});
for (const { number, image: name, mutation, message } of report.faults) {
  const kept = join(tmpdir(), `kata-check-fuzz-${reader}-${seed}-${number}.img`);
  const { data } = seeds.find((one) => one.name === name) as { data: Uint8Array };
  const undo = applyPatches(data, mutation.patches);
  writeFileSync(kept, data.subarray(0, mutation.size));
  undo();
  process.stdout.write(
    `case ${number} of ${name}: ${mutation.title}\n  ${message}\n  the image: ${kept}\n  again: node --import tsx test/fuzz/fuzz.ts ${reader} ${seed} 1 ${number}\n`,
  );
}
// In KiB.
const { maxRSS } = process.resourceUsage();
process.stdout.write(
  `${JSON.stringify({ ...report, images: seeds.length, faults: report.faults.length, peak: maxRSS * 1024, before })}\n`,
);
process.exit(report.faults.length === 0 ? 0 : 1);
