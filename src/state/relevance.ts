/**
 * Whether a transaction can concern Kata at all: asked in every run of a package manager, so that it must be cheap, and open nothing of
 * Kata's. A changed package does when
 *
 * 1. its name is listed, or contains "kata", or its manager says that it carries one of the fields;
 * 2. it is installed and carries one of the fields;
 * 3. it is installed and owns a runtime program, an image of [images], what looks like a part of Kata or a guest image, or a file of a
 *    container engine that may name a configuration of Kata;
 * 4. it is new, a runtime is installed, and its archive carries one of the fields.
 *
 * Format of dpkg's database: deb-control(5), and a file NAME.list or NAME:ARCHITECTURE.list of paths for each package. Of pacman's: src/locate/pacman.ts. A root without either
 * (rpm's database would have to be asked through rpm) is told by 1 and by whether a runtime program is there.
 */

import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { resolvePath } from '../host/rooted.ts';
import { declares } from '../locate/declared.ts';
import { pacmanDatabase, runtimePrograms } from '../locate/programs.ts';
import { find, fromLatin1, latin1 } from '../read/bytes.ts';
import type { Settings } from './settings.ts';
import type { PackageChange } from './transaction.ts';

/** A Debian with everything in it has some 60 MB of status; the longest lists of paths have some 5 MB. */
const readLimit = 256 * 1024 * 1024;
/** Of a path: a runtime program's, something of Kata's, what may be a guest image, or a container engine's file. */
const tellingPaths = [
  '/kata',
  '-kata-v2\n',
  '.img\n',
  '.image\n',
  '.initrd\n',
  'etc/containerd/',
  '/containerd.d/',
  'etc/cri/',
  'etc/crio/',
  '/daemon.json\n',
];
const field = 'Kata-Agent-';
/** In the description of a package of pacman that states its agent. */
const provided = '\nkata-agent';
/** Of Debian, where Kata runs. */
const architectures = ['amd64', 'arm64', 'ppc64el', 's390x', 'riscv64', 'i386', 'armhf'];

/** Of the time that is left, for new packages that are looked into for a field. */
export const lookShare = 0.25;

export interface Question {
  /** The root that is changed; "" for the real one. */
  readonly root: string;
  readonly settings: Settings;
  /** Milliseconds on the host's clock. */
  readonly deadline: number;
}

/** `rooted` is `host` below the root that is changed. Throws Io, LimitExceeded. */
export async function concernsKata(
  host: Host,
  rooted: Host,
  steps: readonly PackageChange[],
  question: Question,
): Promise<boolean> {
  const { runtimePackages, imagePackages } = question.settings;
  const listed = new Set([...runtimePackages, ...imagePackages].map(({ value }) => value));
  if (steps.some(({ name, declared }) => listed.has(name) || name.includes('kata') || declares(declared))) return true;
  if (steps.length === 0) return false;

  const hasRuntime = runtimePrograms.some(({ path }) => rooted.status(path) !== undefined);
  const database = question.root + resolvePath(host, question.root, '/var/lib/dpkg');
  const isOfDpkg = host.status(`${database}/status`)?.kind === 'file';
  const isOfPacman = rooted.status(pacmanDatabase) !== undefined;
  if (!isOfDpkg && !isOfPacman) return hasRuntime;
  const names = new Set(steps.map(({ name }) => name));
  if (isOfPacman) {
    const { pacmanFiles } = await import('../locate/pacman.ts');
    if (holdsKata(rooted, pacmanFiles(rooted, pacmanDatabase, names), question)) return true;
  }
  if (isOfDpkg && tellsOfKata(host, database, names, question)) return true;
  if (!hasRuntime) return false;
  const start = host.now();
  for (const { oldVersion, archive } of steps) {
    if (oldVersion !== null || archive === null) continue;
    // What is left is looked at, or said to be left out, with the rest of the transaction.
    if (host.now() > start + (question.deadline - start) * lookShare) return true;
    if (await carriesField(host, archive, question.deadline)) return true;
  }
  return false;
}

/** What dpkg knows of the installed ones. */
function tellsOfKata(host: Host, database: string, names: ReadonlySet<string>, question: Question): boolean {
  const status = `${database}/status`;
  if (host.holding([status], [field], readLimit).length > 0) {
    const declaring = packagesWithFields(host.readBytes(status, readLimit));
    if (declaring.some((name) => names.has(name))) return true;
  }
  return holdsKata(host, listsOf(host, database, names), question);
}

/** Whether one of these lists of paths, or descriptions of packages, tells of Kata. */
function holdsKata(host: Host, lists: readonly string[], { settings }: Question): boolean {
  const images = settings.images.map(({ value }) => `${value.replace(/^\//, '')}\n`);
  return host.holding(lists, [...tellingPaths, provided, ...images], readLimit).length > 0;
}

/** Whatever state they are in. `Package:` is the first field of each. */
function packagesWithFields(status: Uint8Array): string[] {
  const names: string[] = [];
  const wanted = fromLatin1(field);
  for (let at = find(status, wanted); at !== -1; at = find(status, wanted, at + 1))
    names.push(packageBefore(status, at));
  return names;
}

/** Most descriptions of a package are shorter, in bytes. */
const usualDescription = 4096;

function packageBefore(status: Uint8Array, at: number): string {
  for (let size = usualDescription; ; size *= 4) {
    const before = latin1(status.subarray(Math.max(0, at - size), at));
    const start = before.lastIndexOf('\nPackage:');
    if (start !== -1 || size >= at) return /Package: *(\S+)/.exec(before.slice(Math.max(0, start)))?.[1] ?? '';
  }
}

/** Some of which are not there. Of packages that can be installed for several architectures at once, the architecture is in the name. */
function listsOf(host: Host, database: string, names: ReadonlySet<string>): string[] {
  // libc is always installed, and one of these packages.
  const suffixes = architectures.filter((name) => host.status(`${database}/info/libc6:${name}.list`) !== undefined);
  return ['', ...suffixes.map((name) => `:${name}`)].flatMap((suffix) =>
    [...names].map((name) => `${database}/info/${name}${suffix}.list`),
  );
}

/** Whether an archive carries one of the fields. Never throws for what it is. */
export async function carriesField(host: Host, archive: string, deadline: number): Promise<boolean> {
  const [{ mayDeclare }, { openPackage }] = await Promise.all([
    import('../archive/deb.ts'),
    import('../archive/package.ts'),
  ]);
  try {
    return mayDeclare(host, archive) && declares(await openPackage(host, archive, deadline).fields());
  } catch (error) {
    // What cannot be read is not unpacked either.
    if (error instanceof Problem) return false;
    throw error;
  }
}
