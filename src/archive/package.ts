/**
 * A package file, .deb or .rpm by its first bytes and not by its name: what it says of itself, the paths it brings, and its members.
 */

import { Unsupported } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { latin1 } from '../read/bytes.ts';
import { debMembers, readDebFields } from './deb.ts';
import { type Member, type PackageFields, placeOf } from './members.ts';
import { readRpmFields, rpmMembers, rpmPaths } from './rpm.ts';

/** All methods throw NotFound (a program is missing, or the file is gone), Corrupt, Unsupported, LimitExceeded, Io. */
export interface PackageFile {
  readonly path: string;
  readonly format: 'deb' | 'rpm';
  fields(): Promise<PackageFields>;
  /** Every path that it brings, absolute: of an rpm out of its header, of a deb by unpacking all of it. */
  paths(): AsyncIterable<string>;
  /** In their order. Leaving the loop early ends the programs. */
  members(): AsyncIterable<Member>;
}

/** ar(5) and rpm's lead (rpm's docs, format_lead). */
const magics = { deb: '!<arch>\n', rpm: '\xed\xab\xee\xdb' };

/** `deadline`: for each method. Throws NotFound, Unsupported (neither of the two), Io. */
export function openPackage(host: Host, path: string, deadline: number): PackageFile {
  const head = headOf(host, path);
  if (head.startsWith(magics.deb)) {
    return {
      path,
      format: 'deb',
      fields: () => readDebFields(host, path, deadline),
      members: () => debMembers(host, path, deadline),
      paths: () => placesOf(debMembers(host, path, deadline)),
    };
  }
  if (head.startsWith(magics.rpm)) {
    return {
      path,
      format: 'rpm',
      fields: () => readRpmFields(host, path, deadline),
      members: () => rpmMembers(host, path, deadline),
      paths: () => rpmPaths(host, path, deadline),
    };
  }
  throw new Unsupported(`${path}: neither a .deb nor an .rpm`);
}

function headOf(host: Host, path: string): string {
  const file = host.open(path);
  try {
    return latin1(file.read(0, Math.min(file.size, magics.deb.length)));
  } finally {
    file.close();
  }
}

async function* placesOf(members: AsyncIterable<Member>): AsyncGenerator<string> {
  for await (const member of members) {
    const place = placeOf(member);
    if (place !== undefined) yield place;
  }
}
