/**
 * Measured guest images: the root hash that the image's own hash partition gives, to compare with the one that is configured.
 * Only the top block of the hash tree is read and hashed; what it vouches for is the guest kernel's to check.
 *
 * Format: dm-verity, hash type 1 (Linux, Documentation/admin-guide/device-mapper/verity.rst; the superblock as in cryptsetup's
 * veritysetup): the tree stands in partition 2 from its top block on, behind a superblock until Kata 3.26 and without one since.
 * The root hash is the hash of the salt and the top block. Not read: other hashes than SHA-256, a tree of a single data block.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { Corrupt, Unsupported } from '../errors.ts';
import { fromLatin1 } from './bytes.ts';
import type { Layout } from './disk.ts';
import type { Source } from './source.ts';

const signature = 'verity\0\0';
/** The kernel takes hash blocks up to the page size; veritysetup up to 512 KiB. */
const blockLimit = 512 * 1024;

/**
 * What `kernel_verity_params` and `root_hash_*.txt` say: `root_hash=…,salt=…,data_blocks=…,data_block_size=…,hash_block_size=…`; such a file
 * until Kata 3.26 is what veritysetup prints: `Root hash: …`, `Salt: …`, `Hash block size: … [bytes]`.
 */
export interface VerityParameters {
  /** Lower-case hexadecimal digits. */
  readonly rootHash: string;
  /** Likewise, two for each byte; null when it is not given, so that only a superblock can tell. */
  readonly salt: string | null;
  /** In bytes. */
  readonly hashBlockSize: number;
}

/** Undefined when the text does not hold a root hash of SHA-256, or its salt is not one of whole bytes. */
export function parseVerityParameters(text: string): VerityParameters | undefined {
  const values = new Map(
    text
      .replace(
        /^(Root hash|Salt|Hash block size):[ \t]+/gm,
        (_, label: string) => `${label.toLowerCase().replaceAll(' ', '_')}=`,
      )
      .trim()
      .split(/[,\s]+/)
      .map((pair): [string, string] => {
        const equals = pair.indexOf('=');
        return [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
  );
  const rootHash = (values.get('root_hash') ?? '').toLowerCase();
  const salt = values.get('salt')?.toLowerCase() ?? null;
  const hashBlockSize = Number(values.get('hash_block_size') ?? 4096);
  const isWhole = /^[0-9a-f]{64}$/.test(rootHash) && /^(?:[0-9a-f]{2}){0,256}$|^-$/.test(salt ?? '');
  return isWhole && isBlockSize(hashBlockSize)
    ? { rootHash, salt: salt === '-' ? '' : salt, hashBlockSize }
    : undefined;
}

function isBlockSize(size: number): boolean {
  return size >= 512 && size <= blockLimit && (size & (size - 1)) === 0;
}

export interface RootHash {
  /** Lower-case hexadecimal digits. */
  readonly rootHash: string;
  readonly hasSuperblock: boolean;
}

/**
 * The root hash of a measured image, or undefined when it has no second partition. `parameters` gives the salt and the block size where
 * there is no superblock to do so. Throws Corrupt, Unsupported, LimitExceeded, Io.
 */
export function readRootHash(source: Source, layout: Layout, parameters: VerityParameters): RootHash | undefined {
  const partition = layout.partitions.find(({ number }) => number === 2);
  if (partition === undefined) return undefined;
  const hashes = source.part(partition.offset, partition.length, 'hash partition');
  if (hashes.length < 512) throw new Corrupt(`hash partition: has ${hashes.length} bytes only`);
  const superblock = hashes.read(0, 512, 'verity superblock');
  if (superblock.latin1(0, 8) !== signature) {
    if (parameters.salt === null) {
      throw new Unsupported('the hash partition has no superblock, and with its root hash no salt is given');
    }
    return { rootHash: hashTop(hashes, 0, parameters.hashBlockSize, bytesOf(parameters.salt)), hasSuperblock: false };
  }
  const algorithm = superblock.latin1(32, 32).split('\0', 1)[0] ?? '';
  if (superblock.u32(8) !== 1 || superblock.u32(12) !== 1 || algorithm !== 'sha256') {
    const form = `version ${superblock.u32(8)}, hash type ${superblock.u32(12)}, ${algorithm}`;
    throw new Unsupported(`a verity superblock of another form than version 1, hash type 1, sha256: ${form}`);
  }
  const size = superblock.u32(68);
  const saltSize = superblock.u16(80);
  if (!isBlockSize(size) || saltSize > 256) {
    throw new Corrupt(`verity superblock: hash blocks of ${size} bytes, a salt of ${saltSize}`);
  }
  return { rootHash: hashTop(hashes, size, size, superblock.slice(88, saltSize).data), hasSuperblock: true };
}

function hashTop(hashes: Source, offset: number, size: number, salt: Uint8Array): string {
  const block = hashes.read(offset, size, 'top block of the hash tree');
  const salted = new Uint8Array(salt.length + size);
  salted.set(salt);
  salted.set(block.data, salt.length);
  return [...sha256(salted)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytesOf(hex: string): Uint8Array {
  return fromLatin1(hex.replace(/../g, (digits) => String.fromCharCode(Number.parseInt(digits, 16))));
}
