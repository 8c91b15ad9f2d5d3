/**
 * The guest images and their extensions that the sections of a configuration name, and what is asked of measured ones.
 */

import type { TomlTable, TomlValue } from 'smol-toml';
import { isTable } from './toml.ts';

export interface NamedImage {
  readonly path: string;
  readonly kind: 'guest' | 'extension';
  /** What a measured image must be, in the form of `kernel_verity_params`; null when nothing is asked of it. */
  readonly verity: string | null;
  /** The drop-in that says so; undefined for the configuration itself. */
  readonly namedIn?: string | undefined;
}

/** IBM Secure Execution boots kernel and initrd as one encrypted file, which is named as the kernel. */
const secureExecution = /\/kata-containers-se[^/]*\.img$/;

/** With its keys in lower case: the runtime in Go takes `Image` for `image` where there is no `image` (BurntSushi/toml, decode.go). */
function folded(table: TomlTable): TomlTable {
  const lower = Object.entries(table).map(([key, value]): [string, TomlValue] => [key.toLowerCase(), value]);
  return { ...Object.fromEntries(lower), ...table };
}

/** Named by no absolute path. */
type Odd = Pick<NamedImage, 'path' | 'kind'>;

/** `[hypervisor.qemu]`, `[hypervisor.clh]` and so on: whatever stands below `hypervisor`. */
export function imagesOf(document: TomlTable): {
  readonly images: readonly NamedImage[];
  /** Pods run elsewhere, in virtual machines of a cloud. */
  readonly isRemote: boolean;
  readonly odd: readonly Odd[];
  /** The keys of a hypervisor are there, and name nothing. */
  readonly isEmpty: boolean;
} {
  const { hypervisor } = folded(document);
  if (!isTable(hypervisor)) return { images: [], isRemote: false, odd: [], isEmpty: false };
  const images = new Map<string, NamedImage>();
  const odd: Odd[] = [];
  let [isNamed, isEmpty] = [false, false];
  const add = (path: unknown, kind: NamedImage['kind'], parameters?: unknown): void => {
    if (typeof path !== 'string' || path === '') return;
    isNamed = true;
    if (!path.startsWith('/')) {
      odd.push({ path, kind });
      return;
    }
    const verity = typeof parameters === 'string' && parameters.trim() !== '' ? parameters : null;
    const known = images.get(path);
    if (known?.kind !== 'guest') images.set(path, { path, kind, verity });
    else if (known.verity === null) images.set(path, { ...known, verity });
  };
  for (const [name, written] of Object.entries(hypervisor)) {
    if (!isTable(written)) continue;
    isNamed = false;
    const section = folded(written);
    const { image, initrd, igvm, kernel, guest_extension_images: extensions } = section;
    add(image, 'guest', verityOf(section));
    for (const path of [initrd, igvm]) add(path, 'guest');
    if (typeof kernel === 'string' && secureExecution.test(kernel)) add(kernel, 'guest');
    if (!isNamed && (image === '' || initrd === '') && name !== 'remote') isEmpty = true;
    for (const extension of Array.isArray(extensions) ? extensions : []) {
      if (isTable(extension)) add(extension.path, 'extension', extension.verity_params);
    }
  }
  return { images: [...images.values()], isRemote: isTable(hypervisor.remote), odd, isEmpty };
}

/** `kernel_verity_params`; until 3.26 two of the kernel's parameters, of which the last of a name counts. */
function verityOf({ kernel_verity_params: parameters, kernel_params: kernel }: TomlTable): TomlValue | undefined {
  if (typeof kernel !== 'string' || (typeof parameters === 'string' && parameters.trim() !== '')) return parameters;
  const last = (name: string): string | undefined =>
    kernel
      .split(/\s+/)
      .findLast((word) => word.replace(/^cc_/, '').startsWith(`rootfs_verity.${name}=`))
      ?.replace(/^[^=]*=/, '');
  const hash = last('hash');
  return last('scheme') === 'dm-verity' && hash !== undefined ? `root_hash=${hash}` : parameters;
}
