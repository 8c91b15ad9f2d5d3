/** The same campaigns as a native program, made as packaging/native/build makes kata-check. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { arch, homedir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { run, temporaryFolder } from '../images.ts';
import { type Ended, runCampaign } from './process.ts';
import { makeSeeds, type Reader } from './seeds.ts';

const top = join(import.meta.dirname, '../..');
const { KATA_CHECK_CACHE, XDG_CACHE_HOME } = process.env;
const caches = KATA_CHECK_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'kata-check');
const machine = { x64: 'x86_64', arm64: 'aarch64', ppc64: 'ppc64le' }[arch() as string] ?? arch();
const cache = join(caches, `quickjs-2025.04.26-${machine}`);
const isInstalled = existsSync('/usr/bin/qjsc') && existsSync('/usr/include/quickjs');

/** For `needs`: packaging/native/build puts it there, unless a package does. */
export const qjsc = isInstalled ? '/usr/bin/qjsc' : join(cache, 'qjsc');

let made: Promise<string> | undefined;

async function make(): Promise<string> {
  const folder = temporaryFolder();
  const bundle = join(folder, 'fuzz.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'fuzz.quickjs.ts')],
    outfile: bundle,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    mainFields: ['module', 'main'],
    conditions: ['import', 'default'],
    external: ['std', 'os', 'native'],
    alias: { 'node:util': join(top, 'packaging/native/node-util.mjs') },
    banner: { js: 'globalThis.global = globalThis; globalThis.process = { argv: [], execArgv: [], env: {} };' },
    logLevel: 'warning',
  });
  const source = join(folder, 'fuzz.c');
  const program = join(folder, 'fuzz');
  const library = isInstalled
    ? execFileSync('find', ['/usr/lib', '-name', 'libquickjs.a', '-print', '-quit'], { encoding: 'utf8' }).trim()
    : join(cache, 'libquickjs.a');
  const include = isInstalled ? '/usr/include/quickjs' : cache;
  execFileSync(qjsc, ['-m', '-e', '-M', 'native,native', '-N', 'fuzz_bundle', '-o', source, bundle]);
  const nativeCode = join(top, 'packaging/native/native.c');
  const libraries = [library, '-lm', '-ldl', '-lpthread'];
  run('gcc', '-O2', '-I', include, '-I', join(include, '..'), '-o', program, source, nativeCode, ...libraries);
  return program;
}

const folders = new Map<Reader, readonly string[]>();

function stored(reader: Reader): readonly string[] {
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
  const program = await made;
  const folder = temporaryFolder();
  const place = join(folder, 'place');
  const scratch = reader === 'initrd' ? join(folder, 'damaged.img') : '';
  const again = (number: string): string =>
    `node --import tsx test/fuzz/fuzz.ts ${reader} ${seed} 1 ${number} (Node.js)`;
  return runCampaign(
    [program, reader, `${seed}`, `${count}`, '0', scratch, place, ...stored(reader)],
    place,
    again,
    seconds,
  );
}
