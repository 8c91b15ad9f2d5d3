/** The same campaigns as a native program, made as packaging/native/build makes kata-check. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, temporaryFolder } from '../images.ts';
import { type Ended, runCampaign } from './process.ts';
import { makeSeeds, type Reader } from './seeds.ts';

const top = join(import.meta.dirname, '../..');
/** For `needs`: where kata-check itself was built, this can be. */
export const nativeProgram = join(top, 'dist/kata-check');

let made: string | undefined;

function make(): string {
  const program = join(temporaryFolder(), 'fuzz');
  run(join(top, 'packaging/native/build'), join(import.meta.dirname, 'fuzz.quickjs.ts'), program);
  return program;
}

const folders = new Map<Reader, readonly string[]>();

/** The images of a reader as files, the same for both forms: what mkfs makes of one tree is not the same bytes twice. */
export function stored(reader: Reader): readonly string[] {
  const known = folders.get(reader);
  if (known !== undefined) return known;
  const folder = join(temporaryFolder(), reader);
  mkdirSync(folder);
  const paths = makeSeeds(reader).map(({ name, data }) => {
    const path = join(folder, name);
    writeFileSync(path, data);
    return path;
  });
  folders.set(reader, paths);
  return paths;
}

/** The readers on QuickJS. The same seed and number damage the same bytes as on Node.js. */
export async function fuzzNative(reader: Reader, seed: number, count: number, seconds: number): Promise<Ended> {
  made ??= make();
  // Under qemu-user where CROSS names another architecture, for which packaging/native/build has made it.
  const program = [join(top, 'packaging/native/run'), '--program', made];
  const folder = temporaryFolder();
  const place = join(folder, 'place');
  const scratch = reader === 'initrd' ? join(folder, 'damaged.img') : '';
  const again = (number: string): string =>
    `node --import tsx test/fuzz/fuzz.ts ${reader} ${seed} 1 ${number} (Node.js)`;
  return runCampaign(
    [...program, reader, `${seed}`, `${count}`, '0', scratch, place, ...stored(reader)],
    place,
    again,
    seconds,
  );
}
