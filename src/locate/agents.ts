/**
 * The agents that installed packages bring as files of their own, to be built into guest images on the node, and the digests that the package
 * database keeps of them. An image into which such a file was copied holds the agent of that package, whatever else it says.
 *
 * rpm keeps a digest of each file (rpm-queryformat(7), FILEDIGESTS), dpkg the md5sums of a package (deb-md5sums(5)).
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { utf8 } from '../read/bytes.ts';
import { installedPackages, rpmDatabaseOf } from './packages.ts';

export interface PackagedAgent {
  readonly package: string;
  readonly version: string;
  readonly path: string;
  /** Lower-case hexadecimal digits. */
  readonly digest: string;
}

/** By the number of its digits: the program that computes such a digest. */
export const digestPrograms: ReadonlyMap<number, string> = new Map([
  [32, 'md5sum'],
  [40, 'sha1sum'],
  [64, 'sha256sum'],
]);

const outputLimit = 16 * 1024 * 1024;
const listLimit = 4 * 1024 * 1024;
const rpmFormat = '[%{=NAME}\\t%{=VERSION}-%{=RELEASE}\\t%{FILEDIGESTS}\\t%{FILENAMES}\\n]';

function isAgent(path: string): boolean {
  return path.endsWith('/kata-agent');
}

/** Of packages with "kata" in their names. `host` is the real one, `rooted` the one below `root`. Empty where no database can be read. */
export async function packagedAgents(
  host: Host,
  rooted: Host,
  root: string,
  deadline: number,
): Promise<PackagedAgent[]> {
  try {
    return [...(await ofRpm(host, root, deadline)), ...(await ofDpkg(host, rooted, root, deadline))];
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
}

async function ofRpm(host: Host, root: string, deadline: number): Promise<PackagedAgent[]> {
  const database = rpmDatabaseOf(host, root);
  if (database === undefined) return [];
  const argv = ['rpm', '--dbpath', database, '-qa', '--queryformat', rpmFormat, '*kata*'];
  const { stdout } = await host.run(argv, { deadline, outputLimit });
  return (utf8(stdout) ?? '').split('\n').flatMap((line) => {
    const [name = '', version = '', digest = '', path = ''] = line.split('\t');
    return isAgent(path) && digestPrograms.has(digest.length) ? [{ package: name, version, path, digest }] : [];
  });
}

async function ofDpkg(host: Host, rooted: Host, root: string, deadline: number): Promise<PackagedAgent[]> {
  const folder = '/var/lib/dpkg/info';
  if (rooted.status(folder) === undefined) return [];
  const found: PackagedAgent[] = [];
  for (const file of rooted.readDirectory(folder)) {
    const name = /^([^:]*kata[^:]*)(?::[a-z0-9-]+)?\.md5sums$/.exec(file)?.[1];
    if (name === undefined) continue;
    for (const line of rooted.readText(`${folder}/${file}`, listLimit).split('\n')) {
      const [digest = '', path = ''] = line.split(/ {2}/, 2);
      if (!isAgent(`/${path}`) || !digestPrograms.has(digest.length)) continue;
      const [owner] = await installedPackages(host, root, [], [name], deadline);
      if (owner !== undefined) found.push({ package: name, version: owner.version, path: `/${path}`, digest });
    }
  }
  return found;
}
