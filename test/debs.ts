/** Real .deb files, made by dpkg-deb. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, type Tree, temporaryFolder, writeTree } from './images.ts';

export interface Deb {
  readonly name: string;
  readonly version: string;
  /** Further fields of the control file. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly files?: Tree;
  /** dpkg-deb's -Z: none, gzip, xz, zstd. */
  readonly compression?: string;
}

/** Returns the path of the package in `folder`. */
export function makeDeb(folder: string, deb: Deb): string {
  const tree = temporaryFolder();
  const fields = {
    Package: deb.name,
    Version: deb.version,
    Architecture: 'all',
    Maintainer: 'Nobody <nobody@example.invalid>',
    ...deb.fields,
    Description: `${deb.name}, made for a test`,
  };
  writeTree(tree, {
    'DEBIAN/control': Object.entries(fields)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(''),
    ...deb.files,
  });
  run('chmod', '-R', 'u=rwX,go=rX', tree);
  const file = join(folder, `${deb.name}_${deb.version.replace(':', '%3a')}_all.deb`);
  run(
    'dpkg-deb',
    '--root-owner-group',
    `-Z${deb.compression ?? 'gzip'}`,
    '--uniform-compression',
    '--build',
    tree,
    file,
  );
  rmSync(tree, { recursive: true });
  return file;
}
