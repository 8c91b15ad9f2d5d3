/**
 * What a package brings and which scripts it runs, as far as this is known without unpacking it: out of the package file, or, of a package
 * that is installed, out of the database of dpkg or rpm.
 *
 * Formats: deb-conffiles(5), deb-md5sums(5), and the query tags of rpm (rpm-queryformat(7)): FILEFLAGS has bit 0 for %config, bit 4 for
 * noreplace and bit 6 for %ghost.
 */

import { attempt, NotFound } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { utf8 } from '../read/bytes.ts';
import { rpmDatabaseOf } from './packages.ts';

export interface Manifest {
  /** The scripts that run after the unpacking: postinst of a .deb; %post, %posttrans and triggers of an .rpm. */
  readonly script: string;
  /** By their absolute paths. */
  readonly files: ReadonlyMap<string, Listed>;
  /** Whether `files` is all that it brings: a .deb need not list anything, and does not list its links and folders. */
  readonly isWhole: boolean;
}

export interface Listed {
  /** What becomes of it where it was changed on the node: dpkg's conffile, rpm's %config and %config(noreplace). Null: it is replaced. */
  readonly configuration: 'conffile' | 'config' | 'noreplace' | null;
  /** It belongs to the package and is not in it: rpm's %ghost. */
  readonly isGhost: boolean;
}

/** Of a package that says nothing of what it brings. */
export const nothingSaid: Manifest = { script: '', files: new Map(), isWhole: false };

/** The files of a .deb's control archive that a manifest is made of. */
export const debManifestFiles = ['postinst', 'conffiles', 'md5sums'] as const;
export type DebManifestFile = (typeof debManifestFiles)[number];

/** Debian's longest lists of paths have some 5 MB, and a kernel's list in rpm's form some 10 MB. */
export const manifestLimit = 32 * 1024 * 1024;

/** A line for each file, an empty line, and the scripts. */
export const rpmManifestFormat = '[%{FILEFLAGS}\\t%{FILENAMES}\\n]\\n%{POSTIN}\\n%{POSTTRANS}\\n[%{TRIGGERSCRIPTS}\\n]';

export function parseDebManifest(texts: ReadonlyMap<DebManifestFile, string>): Manifest {
  const files = new Map<string, Listed>();
  const linesOf = (name: DebManifestFile): string[] =>
    (texts.get(name) ?? '').split('\n').filter((line) => line !== '');
  for (const line of linesOf('md5sums')) {
    const path = /^[0-9a-f]{32} [ *](?:\.?\/)*(.+)$/.exec(line)?.[1];
    if (path !== undefined) files.set(`/${path}`, { configuration: null, isGhost: false });
  }
  // A word may stand before the path: remove-on-upgrade, of a file that the package does not bring any more.
  for (const line of linesOf('conffiles')) {
    if (line.startsWith('/')) files.set(line, { configuration: 'conffile', isGhost: false });
  }
  return { script: texts.get('postinst') ?? '', files, isWhole: false };
}

/** Of what rpm prints for `rpmManifestFormat`. */
export function parseRpmManifest(text: string): Manifest {
  const end = text.indexOf('\n\n');
  const files = new Map<string, Listed>();
  for (const line of text.slice(0, Math.max(0, end)).split('\n')) {
    const [, flags = '0', path] = /^([0-9]+)\t(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const has = (bit: number): boolean => (Number(flags) & (1 << bit)) !== 0;
    files.set(path, { configuration: has(0) ? (has(4) ? 'noreplace' : 'config') : null, isGhost: has(6) });
  }
  return { script: text.slice(end + 1), files, isWhole: true };
}

/** Of an installed package; undefined where no database knows it. `root`: "" for the real one; `host` is not rooted. Throws LimitExceeded, Io. */
export async function installedManifest(
  host: Host,
  root: string,
  name: string,
  deadline: number,
): Promise<Manifest | undefined> {
  const info = `${root}/var/lib/dpkg/info/${name}`;
  if (/^[a-z0-9][a-z0-9+.-]*$/.test(name) && host.status(`${info}.list`) !== undefined) {
    const { script, files } = parseDebManifest(
      new Map(debManifestFiles.map((file) => [file, textOf(host, `${info}.${file}`)] as const)),
    );
    // dpkg's own list has all, links and folders too.
    const all = textOf(host, `${info}.list`)
      .split('\n')
      .filter((path) => path.startsWith('/') && path !== '/.');
    const listed = all.map((path): [string, Listed] => [path, { configuration: null, isGhost: false }]);
    return { script, files: new Map([...listed, ...files]), isWhole: true };
  }
  const database = rpmDatabaseOf(host, root);
  if (database === undefined) return undefined;
  try {
    const argv = ['rpm', '--dbpath', database, '-q', '--queryformat', rpmManifestFormat, '--', name];
    const { status, stdout } = await host.run(argv, { deadline, outputLimit: manifestLimit });
    return status === 0 ? parseRpmManifest(utf8(stdout) ?? '') : undefined;
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

/** The digests of an installed package's files, by their paths: of dpkg's conffiles MD5, of rpm's files what rpm has. Throws as `installedManifest`. */
export async function installedDigests(
  host: Host,
  root: string,
  name: string,
  deadline: number,
): Promise<Map<string, string>> {
  const database = rpmDatabaseOf(host, root);
  const isDebian = host.status(`${root}/var/lib/dpkg/info/${name}.list`) !== undefined;
  const argv = isDebian
    ? // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder
      ['dpkg-query', `--admindir=${root}/var/lib/dpkg`, '-W', '-f', '${Conffiles}\\n', '--', name]
    : ['rpm', '--dbpath', database ?? '', '-q', '--queryformat', '[ %{FILENAMES} %{FILEDIGESTS}\\n]', '--', name];
  if (!isDebian && database === undefined) return new Map();
  const { stdout } = await host.run(argv, { deadline, outputLimit: manifestLimit });
  const lines = (utf8(stdout) ?? '').split('\n').flatMap((line): [string, string][] => {
    const [, path, digest] = /^ (\/.*) ([0-9a-f]{32,128})(?: obsolete)?$/.exec(line) ?? [];
    return path === undefined || digest === undefined ? [] : [[path, digest]];
  });
  return new Map(lines);
}

function textOf(host: Host, path: string): string {
  return attempt(() => host.readText(path, manifestLimit)) ?? '';
}
