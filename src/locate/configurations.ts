/**
 * Every configuration of Kata that something on the node reads, and which runtime reads it.
 *
 * 1. The default, when nobody names another. Go: $KATA_CONF_FILE, /etc/kata-containers/configuration.toml, then the path that was
 *    compiled in, which belongs to the runtime below the same prefix. Rust: $KATA_CONF_FILE, then /etc, /usr/share/defaults and
 *    /opt/kata/share/defaults, each with kata-containers/runtime-rs/, one list for every Rust runtime. Until 3.2, and now where there
 *    is nothing in runtime-rs/, Rust reads what Go reads. A default that comes earlier masks those behind it.
 * 2. kata-deploy's, one per shim and one per custom handler. Each handler names its own, so that nothing masks them.
 * 3. Those that containerd, CRI-O or a wrapper script names for a handler.
 * 4. Azure Linux's for confidential pods, where nobody names one of them: the package has no default, and which one containerd's
 *    configuration is to name depends on the hardware.
 *
 * A configuration-NAME.toml that none of them leads to is only a choice that nobody made.
 * Drop-ins: every file of config.d beside the configuration, its links followed; in the order of their names, later ones win.
 */

import type { TomlTable } from 'smol-toml';
import { attempt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus, resolvePath } from '../host/rooted.ts';
import type { Settings } from '../protocol/settings.ts';
import { imagesOf, type NamedImage } from './named-images.ts';
import { confidential, snap } from './programs.ts';
import { dropInNaming, type Part, settingsIn } from './settings.ts';
import { type Lines, merged, readToml, type Unread, withoutOtherKeys } from './toml.ts';

/** Configurations and drop-ins of Kata, wherever its prefix is, and what names them: the files of containerd, CRI-O, Docker and iSulad. */
const configurationPath = new RegExp(
  [
    /\/kata-containers\/(?:.*\/)?(?:[^/]+\.toml|config\.d\/[^/]+)$/,
    /\/(?:containerd|cri|k0s)\/(?:.*\/)?[^/]+\.(?:toml|part)$|\/containerd\.toml$/,
    /\/crio\/crio\.conf(?:\.d\/[^/]+)?$/,
    /\/(?:docker|isulad|config)\/daemon\.json$/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

/** Whether a file of a package may be one of them, by its path. */
export function isConfiguration(path: string): boolean {
  return configurationPath.test(path);
}

/** kata-deploy writes up to three for a handler. */
const dropInLimit = 1000;
export type Language = 'go' | 'rust';

/** The runtimes below one prefix that are written in one language; null for any. */
export interface Reader {
  readonly prefix: string | null;
  readonly language: Language | null;
}

export interface NamedConfiguration {
  readonly path: string;
  /** As "containerd, handler kata-qemu". */
  readonly by: string;
  /** The file that names it. */
  readonly file: string;
  readonly reader: Reader;
}

export interface Configuration {
  readonly path: string;
  /** Its links followed. */
  readonly resolvedPath: string;
  readonly readers: readonly Reader[];
  /** As "containerd, handler kata-qemu"; null for a default. */
  readonly namedBy: string | null;
  readonly dropIns: readonly string[];
  readonly images: readonly NamedImage[];
  /** It has a section for the remote hypervisor, whose guest image is not on this node. */
  readonly isRemote: boolean;
  /** What it says of what the protocol's tables ask for; who names it, and the architecture, are not in it yet. */
  readonly settings: Settings;
  /** Of itself and its drop-ins. */
  readonly unread: readonly Unread[];
  /** The configuration that masks it: nobody reads it then. Null for one that is read. */
  readonly maskedBy: string | null;
}

const confidentialFolder = `${confidential}/share/defaults/kata-containers`;

const local = '/etc/kata-containers/configuration.toml';

const packaged: readonly { readonly prefix: string; readonly path: string }[] = [
  { prefix: '/usr', path: '/usr/share/defaults/kata-containers/configuration.toml' },
  // Fedora
  { prefix: '/usr', path: '/usr/share/kata-containers/defaults/configuration.toml' },
  { prefix: '/usr/local', path: '/usr/local/share/defaults/kata-containers/configuration.toml' },
  { prefix: '/opt/kata', path: '/opt/kata/share/defaults/kata-containers/configuration.toml' },
  { prefix: snap, path: `${snap}/share/defaults/kata-containers/configuration.toml` },
  { prefix: confidential, path: `${confidentialFolder}/configuration.toml` },
];

/** In the order in which every Rust runtime looks. */
const rustDefaults: readonly string[] = ['/etc', '/usr/share/defaults', '/opt/kata/share/defaults'].map(
  (folder) => `${folder}/kata-containers/runtime-rs/configuration.toml`,
);

/** kata-deploy's folders, each with a folder per shim or handler; null: the configuration's name tells the language. */
const deployed: readonly { readonly folder: string; readonly language: Language | null }[] = [
  { folder: '/opt/kata/share/defaults/kata-containers/runtimes', language: null },
  { folder: '/opt/kata/share/defaults/kata-containers/runtime-rs/runtimes', language: 'rust' },
  { folder: '/opt/kata/share/defaults/kata-containers/custom-runtimes', language: null },
];

const rustShims = /-(dragonball|cloud-hypervisor|openvmm|[a-z0-9-]+-runtime-rs)\.toml$/;

/** Below /opt/kata, where only the name tells. */
export function languageOfName(path: string): Language {
  return path.includes('/runtime-rs/') || rustShims.test(path) ? 'rust' : 'go';
}

interface Candidate {
  readonly path: string;
  readonly readers: readonly Reader[];
  readonly namedBy: string | null;
  readonly maskedBy: string | null;
  /** Who reads it is only told by its place and name; whoever names it knows better. */
  readonly isGuessed?: boolean;
  /** The file that names it for a handler. */
  readonly namedIn?: string;
}

/**
 * `host` is rooted. `chosen`: $KATA_CONF_FILE, where it counts. `programs`: the prefixes of the runtimes that are there.
 * Throws LimitExceeded, Io.
 */
export function locateConfigurations(
  host: Host,
  chosen: string | undefined,
  programs: readonly string[],
  named: readonly NamedConfiguration[],
): Configuration[] {
  const ofShims = deployedConfigurations(host);
  const candidates = [
    ...defaults(host, chosen, programs, ofShims),
    ...ofShims,
    ...namedCandidates(named),
    ...confidentialConfigurations(host, named),
  ];
  const configurations: Configuration[] = [];
  const guessed = new Set<string>();
  for (const { isGuessed = false, namedIn, ...candidate } of candidates) {
    const resolvedPath = endOfLinks(host, candidate.path);
    const sameFile = configurations.find((other) => other.resolvedPath === resolvedPath);
    // A link to what masks it hides nothing.
    if (sameFile !== undefined && candidate.maskedBy !== null) continue;
    const known = configurations.findIndex((other) => other.path === candidate.path);
    const other = configurations[known];
    if (other === undefined) {
      const contents = sameFile ?? contentsOf(host, candidate.path, resolvedPath);
      // What is wrong with a file is told once, whatever its names are.
      const isTold = sameFile !== undefined && sameFile.maskedBy === null;
      const stale = namedIn === undefined ? undefined : staleHandler(host, candidate, namedIn);
      const unread = isTold ? [] : stale === undefined ? contents.unread : [stale];
      const settings = { ...contents.settings, path: candidate.path };
      configurations.push({ ...contents, ...candidate, resolvedPath, unread, settings });
      if (isGuessed) guessed.add(candidate.path);
      continue;
    }
    // Masked as a default, and named by somebody all the same: then it is read.
    const own = other.maskedBy === null && !guessed.has(other.path) ? other.readers : [];
    guessed.delete(other.path);
    const more = candidate.readers.filter((reader) => !own.some((one) => isSame(one, reader)));
    const namedBy = other.namedBy ?? (other.maskedBy === null ? null : candidate.namedBy);
    configurations[known] = { ...other, readers: [...own, ...more], namedBy, maskedBy: null };
  }
  return configurations;
}

function isSame(one: Reader, other: Reader): boolean {
  return one.prefix === other.prefix && one.language === other.language;
}

function exists(host: Host, path: string): boolean {
  return host.status(path) !== undefined;
}

/** A runtime goes on to the next where the links of one end nowhere. */
function isFound(host: Host, path: string): boolean {
  return attempt(() => followedStatus(host, path) !== undefined) ?? false;
}

function defaults(
  host: Host,
  chosen: string | undefined,
  programs: readonly string[],
  ofShims: readonly Candidate[],
): Candidate[] {
  const isChosen = chosen?.startsWith('/') === true && isFound(host, chosen);
  const choice = isChosen ? chosen : null;
  const ofRust = rustDefaults.filter((path) => exists(host, path));
  const hasOwnRust = ofRust.length > 0 || ofShims.some(({ readers }) => readers[0]?.language === 'rust');
  const go: Language | null = hasOwnRust ? 'go' : null;
  const candidates: Candidate[] = [];
  const add = (path: string, readers: readonly Reader[], maskedBy: string | null): void => {
    candidates.push({ path, readers, namedBy: null, maskedBy });
  };
  if (choice !== null) add(choice, [{ prefix: null, language: null }], null);
  const hasLocal = exists(host, local);
  if (hasLocal) add(local, [{ prefix: null, language: go }], choice);
  const mask = choice ?? (isFound(host, local) ? local : null);
  const ofGo = packaged.filter(({ path }) => exists(host, path));
  // A runtime that was copied to another place and brought no configuration along has the path of where it is from compiled in: for one
  // in /usr/local/bin that is below /usr, else where there is a configuration and no runtime.
  const hasOwn = (prefix: string): boolean => ofGo.some((one) => one.prefix === prefix);
  const copied = ['/usr', '/usr/local'].filter((prefix) => programs.includes(prefix) && !hasOwn(prefix));
  for (const { path, prefix } of ofGo) {
    const isOpen = !programs.includes(prefix) && !hasOwn('/usr');
    const prefixes = [prefix, ...copied.filter((one) => (prefix === '/usr' ? one === '/usr/local' : isOpen))];
    add(
      path,
      prefixes.map((one) => ({ prefix: one, language: go })),
      mask,
    );
  }
  const firstOfRust = ofRust.find((path) => isFound(host, path));
  for (const path of ofRust) {
    const isMasked = firstOfRust !== undefined && path !== firstOfRust && isFound(host, path);
    add(path, [{ prefix: null, language: 'rust' }], choice ?? (isMasked ? firstOfRust : null));
  }
  return candidates;
}

function deployedConfigurations(host: Host): Candidate[] {
  return deployed.flatMap(({ folder, language }) =>
    namesIn(host, folder).flatMap((handler) =>
      namesIn(host, `${folder}/${handler}`)
        .filter((name) => /^configuration[^/]*\.toml$/.test(name))
        .map((name): Candidate => {
          const written = language ?? languageOfName(name);
          return {
            path: `${folder}/${handler}/${name}`,
            readers: [{ prefix: '/opt/kata', language: written }],
            namedBy: `kata-deploy, ${handler}`,
            maskedBy: null,
            isGuessed: true,
          };
        }),
    ),
  );
}

/** Not those for debugging, which need another image. */
function confidentialConfigurations(host: Host, named: readonly NamedConfiguration[]): Candidate[] {
  const isNamed = named.some(({ path }) => path.startsWith(`${confidentialFolder}/`));
  if (isNamed || exists(host, `${confidentialFolder}/configuration.toml`)) return [];
  return namesIn(host, confidentialFolder)
    .filter((name) => /^configuration-[^/]*\.toml$/.test(name) && !name.includes('-debug'))
    .map((name) => ({
      path: `${confidentialFolder}/${name}`,
      readers: [{ prefix: confidential, language: null }],
      namedBy: null,
      maskedBy: null,
    }));
}

function namedCandidates(named: readonly NamedConfiguration[]): Candidate[] {
  return named.map(({ path, by, file, reader }) => ({
    path,
    readers: [reader],
    namedBy: by,
    maskedBy: null,
    namedIn: file,
  }));
}

/** A handler that outlived the configuration that it names; undefined where the configuration is there. */
function staleHandler(host: Host, { path, namedBy }: Candidate, namedIn: string): Unread | undefined {
  if (exists(host, path)) return undefined;
  return { path, message: `${path}: no such file`, reason: 'gone', namedBy: namedBy ?? namedIn, namedIn };
}

/** Sorted; none of what is no directory. */
function namesIn(host: Host, path: string): string[] {
  return attempt(() => (followedStatus(host, path)?.kind === 'directory' ? host.readDirectory(path).sort() : [])) ?? [];
}

/** Where the path's links end; itself when they do not. */
export function endOfLinks(host: Host, path: string): string {
  // A loop, say: whoever reads it finds the same, and says so of this one.
  return attempt(() => resolvePath(host, '', path)) ?? path;
}

/** The names under which a file can belong to a package: as named, and where its symlinks end. */
export function namesOf(host: Host, path: string): string[] {
  return [...new Set([path, endOfLinks(host, path)])];
}

type Contents = Pick<Configuration, 'dropIns' | 'images' | 'isRemote' | 'unread' | 'settings'>;

function contentsOf(host: Host, path: string, resolvedPath: string): Contents {
  const unread: Unread[] = [];
  const parts: Part[] = [];
  const read = (file: string): void => {
    const lines: Lines = new Map();
    const table = readToml(host, file, unread, withoutOtherKeys, lines);
    if (table !== undefined) parts.push({ path: file, table, lines });
  };
  read(path);
  const folder = `${resolvedPath.slice(0, resolvedPath.lastIndexOf('/'))}/config.d`;
  const dropIns = namesIn(host, folder)
    .map((name) => `${folder}/${name}`)
    .filter((file) => attempt(() => followedStatus(host, file)?.kind) !== 'directory');
  if (dropIns.length > dropInLimit) {
    unread.push({ path: folder, message: `${folder}: more than ${dropInLimit} drop-ins` });
  }
  for (const file of dropIns.slice(0, dropInLimit)) read(file);
  const document = parts.reduce<TomlTable>((base, { table }, index) => (index === 0 ? table : merged(base, table)), {});
  const settings = settingsIn(path, parts, unread.length > 0);
  const { odd, isEmpty, ...found } = imagesOf(document);
  for (const image of odd) {
    const place = dropInNaming(parts, image.path) ?? path;
    const message = `${place}: it names the ${image.kind} image ${JSON.stringify(image.path)}, which is no absolute path`;
    unread.push({ path: place, message, reason: 'relative' });
  }
  if (isEmpty) unread.push({ path, message: `${path}: image and initrd are empty`, reason: 'imageless' });
  const images = found.images.map((image) => ({ ...image, namedIn: dropInNaming(parts, image.path) }));
  return { dropIns, ...found, images, unread, settings };
}
