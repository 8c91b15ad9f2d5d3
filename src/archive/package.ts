/**
 * A package file, a .deb, an .rpm or a tarball by its first bytes and not by its name: what it says of itself, the paths it brings, and
 * its members.
 */

import { Unsupported } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Manifest, nothingSaid } from '../locate/manifest.ts';
import { latin1 } from '../read/bytes.ts';
import { isLayout } from './container-image.ts';
import { debMembers, readDebFields, readDebManifest } from './deb.ts';
import type { Member, PackageFields } from './members.ts';
import { readRpmFields, readRpmManifest, rpmMembers } from './rpm.ts';
import { headSize, isTarball, tarballFields, tarballMembers } from './tarball.ts';

/** All methods throw NotFound (a program is missing, or the file is gone), Corrupt, Unsupported, LimitExceeded, Io. */
export interface PackageFile {
  readonly path: string;
  readonly format: 'deb' | 'rpm' | 'tarball';
  fields(): Promise<PackageFields>;
  /** What it brings and runs, without unpacking it; a tarball says nothing of this. */
  manifest(): Promise<Manifest>;
  /** In their order. Leaving the loop early ends the programs. */
  members(): AsyncIterable<Member>;
}

/** ar(5) and rpm's lead (rpm's docs, format_lead). */
const magics = { deb: '!<arch>\n', rpm: '\xed\xab\xee\xdb' };

/** `deadline`: for each method; `prefix`: where a tarball is installed. Throws NotFound, Unsupported (none of these), Io. */
export function openPackage(host: Host, path: string, deadline: number, prefix = '/opt/kata'): PackageFile {
  const isFolder = isLayout(host, path);
  const bytes = isFolder ? new Uint8Array(0) : headOf(host, path);
  const head = latin1(bytes);
  if (head.startsWith(magics.deb)) {
    return {
      path,
      format: 'deb',
      fields: () => readDebFields(host, path, deadline),
      members: () => debMembers(host, path, deadline),
      manifest: () => readDebManifest(host, path, deadline),
    };
  }
  if (head.startsWith(magics.rpm)) {
    return {
      path,
      format: 'rpm',
      fields: () => readRpmFields(host, path, deadline),
      members: () => rpmMembers(host, path, deadline),
      manifest: () => readRpmManifest(host, path, deadline),
    };
  }
  if (isFolder || isTarball(bytes)) {
    return {
      path,
      format: 'tarball',
      fields: () => tarballFields(host, path, deadline),
      members: () => tarballMembers(host, path, deadline, prefix),
      manifest: async () => nothingSaid,
    };
  }
  throw new Unsupported(`${path}: neither a .deb, an .rpm nor a tarball`);
}

function headOf(host: Host, path: string): Uint8Array {
  const file = host.open(path);
  try {
    return file.read(0, Math.min(file.size, headSize));
  } finally {
    file.close();
  }
}
