/**
 * Packages of pacman: a tar archive, compressed or not, that begins with members whose names begin with a dot: .BUILDINFO, .MTREE, .PKGINFO,
 * .INSTALL. Format of .PKGINFO: lines `KEY = VALUE`, a key several times for a list (makepkg, write_pkginfo; PKGINFO(5)).
 */

import { Corrupt } from '../errors.ts';
import { asProvide } from '../locate/pacman.ts';
import { declaredByProvides } from '../locate/provides.ts';
import type { Member, PackageFields } from './members.ts';

export const pacmanInformation = '.PKGINFO';
/** A package that depends on all others would have some 100 kB. */
export const informationLimit = 1024 * 1024;

/** What only the package manager reads. */
export function isPacmanMetadata({ path }: Pick<Member, 'path'>): boolean {
  return path.startsWith('.');
}

/** `what` names the package. Throws Corrupt (no name or no version). */
export function pacmanFields(text: string, what: string): PackageFields {
  const values = (key: string): string[] =>
    text.split('\n').flatMap((line) => (line.startsWith(`${key} = `) ? [line.slice(key.length + 3).trim()] : []));
  const [name = ''] = values('pkgname');
  const [version = ''] = values('pkgver');
  if (name === '' || version === '')
    throw new Corrupt(`${what}: its ${pacmanInformation} names no package or no version`);
  return { name, version, ...declaredByProvides(values('provides').map(asProvide)) };
}
