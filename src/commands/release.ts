/**
 * A release of Kata Containers as people type it: 3.29 is 3.29.0, V4.0.0 is 4.0.0.
 */

import { Usage } from '../errors.ts';
import { parseVersion, type Version } from '../version.ts';

export interface Release {
  /** With the three numbers that a version has, and the rest as it was typed. */
  readonly text: string;
  readonly version: Version;
}

/** `option`: what it is the value of, as "--to"; undefined for an argument. Throws Usage, which shows how a version is written. */
export function release(typed: string, option?: string): Release {
  const text = /^[0-9]+\.[0-9]+$/.test(typed.replace(/^v/i, ''))
    ? `${typed.replace(/^v/i, '')}.0`
    : typed.replace(/^V/, 'v');
  const version = parseVersion(text);
  if (version !== undefined) return { text, version };
  const named = option === undefined ? typed : `${option} ${typed}`;
  if (/\.(?:deb|rpm|tar\.[a-z0-9]+)$/.test(typed) && option === '--to')
    throw new Usage(`${named} is a package file; name it without --to`);
  const inPackage = parseVersion(
    /^[A-Za-z][A-Za-z0-9+._]*(?:-[A-Za-z][A-Za-z0-9+._]*)*[-_ ]([0-9].*)$/.exec(typed)?.[1] ?? '',
  );
  const hint =
    inPackage === undefined
      ? 'a version is written X.Y.Z, as 3.29.0'
      : `it looks like the name of a package whose version is ${inPackage.text}`;
  throw new Usage(`${named} is not a version of Kata Containers: ${hint}`);
}
