/**
 * Names of files that are no UTF-8. A text cannot hold their bytes, so that each byte over 0x7f of such a name stands as a lone surrogate,
 * U+DC80 for 0x80, as in Python's "surrogateescape" (PEP 383).
 */

import { attempt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { latin1, toUtf8, utf8 } from '../read/bytes.ts';
import type { PackageChange } from '../state/transaction.ts';

const escaped = /[\udc80-\udcff]/;
const escapeBase = 0xdc00;

/** A name out of its bytes. */
export function nameIn(bytes: Uint8Array): string {
  return (
    utf8(bytes) ?? Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : escapeBase + byte)).join('')
  );
}

/** The names in a list with a zero byte behind each. */
export function namesIn(bytes: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const zero = bytes.indexOf(0, at);
    const end = zero === -1 ? bytes.length : zero;
    names.push(nameIn(bytes.subarray(at, end)));
    at = end + 1;
  }
  return names;
}

/** A character for each byte of the name. */
export function bytesOf(name: string): string {
  return name.replace(/[^\x00-\x7f]/gu, (letter) =>
    escaped.test(letter) ? String.fromCharCode(letter.charCodeAt(0) - escapeBase) : latin1(toUtf8(letter)),
  );
}

/** A path that leads to the same file, in letters that programs and messages can have; itself for all that have an ordinary name, and where nothing is there. */
export function reachable(host: Host, path: string): string {
  if (!escaped.test(path)) return path;
  const slash = path.lastIndexOf('/');
  const [folder, name] = [path.slice(0, slash + 1), path.slice(slash + 1)];
  const found = attempt(() =>
    escaped.test(name) ? host.reach(bytesOf(path)) : `${host.reach(bytesOf(folder))}/${name}`,
  );
  return found ?? path;
}

/** The same step of a transaction, whose package can be opened. */
export function withReachable(host: Host, change: PackageChange): PackageChange {
  const { archive } = change;
  return archive === null || !escaped.test(archive) ? change : { ...change, archive: reachable(host, archive) };
}
