/**
 * root_hash_VARIANT.txt, in which image_builder.sh says what a measured image's root hash is, for the build to put it into the
 * configuration. The runtime never reads it. It lies beside the image where the image's tarball brought it along.
 *
 * Which file belongs to which image only its name tells: kata-containers-VARIANT.img, and for kata-containers.img one of the names that
 * the build had for it. Where two could, or the image's name is a link to somewhere else, none does.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { resolvePath } from '../host/rooted.ts';

/** A line of parameters, or the ten that veritysetup prints. */
const fileLimit = 4096;
/** Since 4.0; of the first confidential releases; where the build names no variant. */
const namesOfDefault: readonly string[] = ['base', 'vanilla', ''];

export interface RootHashFile {
  readonly path: string;
  readonly text: string;
}

/** Undefined where there is none, or it is not certain which; `host` is rooted. Never throws for what is there. */
export function rootHashBeside(host: Host, image: string): RootHashFile | undefined {
  const name = /^(.*)\/kata-containers(?:-([^/]+))?\.img$/.exec(image);
  if (name === null) return undefined;
  const [, folder = '', variant] = name;
  try {
    const end = resolvePath(host, '', image);
    if (end.slice(0, end.lastIndexOf('/')) !== resolvePath(host, '', folder)) return undefined;
    const present = (variant === undefined ? namesOfDefault : [variant])
      .map((label) => `${folder}/root_hash_${label}.txt`)
      .filter((path) => host.status(path) !== undefined);
    const [path] = present;
    return path === undefined || present.length > 1 ? undefined : { path, text: host.readText(path, fileLimit) };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
