/**
 * Programs of the size of real ones, in packages and in an image, for the measurements: programs of the tests' own with descriptors, behind which real
 * code and pseudo-random bytes stand by turns.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDeb } from '../debs.ts';
import { guestTree, makeExt, writeTree } from '../images.ts';
import { agentProto, compressed, descriptorsOf, goProgram, protoFilesOf, rustProgram } from '../programs.ts';
import { makeRpm } from '../rpms.ts';

export const programVersion = '3.31.0';
const commit = '0123456789abcdef0123456789abcdef01234567';
const mebibyte = 1024 * 1024;
/** Of a vendor, so that the program in the package is asked for its version, too. */
const packageVersion = '3.30.0.azl1';
const imagePath = '/usr/share/kata-containers/kata-containers.img';

/** In megabytes. */
export const programSizes = [20, 45, 70] as const;

export interface SizedProgram {
  readonly megabytes: number;
  readonly runtime: string;
  readonly agent: string;
  readonly deb: string;
  readonly rpm: string;
  readonly image: string;
}

/** The node is a root with an image of which the agent describes itself: what comes is compared with it. */
export function sizedPrograms(folder: string): { readonly node: string; readonly programs: readonly SizedProgram[] } {
  mkdirSync(folder, { recursive: true });
  const descriptors = descriptorsOf(protoFilesOf(agentProto()));
  const goCode = readFileSync(goProgram({ version: programVersion, descriptors: descriptors.map(compressed) }));
  const rustCode = readFileSync(rustProgram(programVersion, commit, descriptors));
  const filler = readFileSync(goProgram({ version: '0.0.0' }));
  const imageOf = (name: string, agent: Uint8Array, size: string): string => {
    const tree = writeTree(join(folder, `${name}.tree`), { ...guestTree(''), 'usr/bin/kata-agent': agent });
    return makeExt(join(folder, `${name}.img`), tree, size);
  };
  const node = writeTree(join(folder, 'node'), {
    '/etc/kata-containers/configuration.toml': `[hypervisor.qemu]\nimage = "${imagePath}"\n`,
    '/var/lib/dpkg/status': '',
    [imagePath]: readFileSync(imageOf('node', rustCode, '24M')),
  });
  const programs = programSizes.map((megabytes) => {
    const file = (name: string, code: Uint8Array): string => {
      writeFileSync(join(folder, `${name}-${megabytes}`), filled(code, filler, megabytes * 1e6));
      return join(folder, `${name}-${megabytes}`);
    };
    const [runtime, agent] = [file('runtime', goCode), file('agent', rustCode)];
    const files = { 'usr/bin/kata-runtime': readFileSync(runtime) };
    const what = { name: `kata-runtime-${megabytes}`, version: packageVersion, files };
    return {
      megabytes,
      runtime,
      agent,
      deb: makeDeb(folder, { ...what, compression: 'zstd' }),
      rpm: makeRpm(folder, { ...what, payload: 'w3.zstdio' }),
      image: imageOf(`agent-${megabytes}`, readFileSync(agent), `${megabytes + 40}M`),
    };
  });
  return { node, programs };
}

/** Of this size, in bytes. */
function filled(program: Uint8Array, filler: Uint8Array, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.set(program);
  let state = 1;
  for (let at = program.length, isCode = true; at < size; at += mebibyte, isCode = !isCode) {
    const end = Math.min(size, at + mebibyte);
    if (isCode) {
      bytes.set(filler.subarray(0, end - at), at);
      continue;
    }
    for (let place = at; place < end; place += 1) {
      // Numerical Recipes' generator; its upper bits are the good ones.
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[place] = state >>> 24;
    }
  }
  return bytes;
}
