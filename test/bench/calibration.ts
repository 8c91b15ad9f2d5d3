/** What instruction counts are measured against: the same interpreter at work of the kind that kata-check does, built in the same run. */

import * as std from 'std';

const names = new Map<string, number>();
const bytes = new Uint8Array(4096);
let sum = 0;
for (let round = 0; round < 1500; round += 1) {
  const path = `usr/share/folder-${round % 40}/file-${round}.txt`;
  names.set(path, round);
  const match = /folder-(?<number>[0-9]+)\/file-([0-9]+)/.exec(path);
  sum += Number(match?.groups?.number ?? 0) + (names.get(path) ?? 0);
  for (let at = 0; at < 50; at += 1) bytes[(round + at) % bytes.length] = (sum + at) & 255;
  sum += bytes.indexOf(7) + path.split('/').reverse().join('/').length;
}
std.exit(sum > 0 ? 0 : 1);
