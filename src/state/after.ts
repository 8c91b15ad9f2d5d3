/**
 * The state after the transaction: which runtimes and which guest images will be there. Without a transaction, what is there now.
 *
 * Which package is the runtime, which the image? First that speaks: it carries one of the fields; it owns, or its payload
 * brings, a runtime program or a configured image; its name is listed. One package can be both.
 */

import { type IncomingImage, IncomingPayload, type Wanted } from '../archive/incoming.ts';
import type { PackageFields } from '../archive/members.ts';
import { openPackage, type PackageFile } from '../archive/package.ts';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Language, namesOf } from '../locate/configurations.ts';
import {
  type ConfiguredImage,
  type Installation,
  locateInstallation,
  type Program,
  runtimePrograms,
  usualImages,
} from '../locate/installation.ts';
import { measuredImages } from '../locate/measured.ts';
import { type InstalledPackage, installedPackages } from '../locate/packages.ts';
import { type Declared, declares } from '../locate/provides.ts';
import { askProgram, versionInFile } from '../locate/runtimes.ts';
import { runningSandboxes } from '../locate/sandboxes.ts';
import { readImage } from '../read/image.ts';
import { parseVersion } from '../version.ts';
import type { Image, Runtime, State } from './node.ts';
import { concernsKata } from './relevance.ts';
import type { Request } from './request.ts';
import { requirementOf } from './requirement.ts';
import { isReinstall, type PackageChange } from './transaction.ts';

export interface After {
  readonly state: State;
  /** Problems on the way that are no findings of their own. */
  readonly warnings: readonly string[];
}

/** What comes in with one package, as far as Kata is concerned. */
interface Incoming {
  readonly change: PackageChange;
  readonly name: string;
  readonly versionText: string | null;
  /** What it states, by itself or through the package manager; null when that is not known. */
  readonly declared: Declared | null;
  /** Runtime programs and configured images that the installed version owns or the new one brings; null when nobody knows. */
  readonly paths: ReadonlySet<string> | null;
  /** Null when the package cannot be read. */
  readonly payload: IncomingPayload | null;
  /** Why it, or its payload, cannot be read; null when it can. */
  readonly problem: string | null;
  /** By which words it states what the runtime needs. */
  readonly statedBy: string;
  readonly isRuntime: boolean;
  readonly isImage: boolean;
}

/** Of the time that is left, for what is read out of packages: what is installed is read, and all is told, in the rest. */
const payloadShare = 0.75;

const nothing: State = {
  runtimes: [],
  images: [],
  configurations: [],
  unread: [],
  manager: null,
  onlyChanges: true,
  sandboxes: null,
  measured: [],
};

/** `host` is the real one, `rooted` the one below `request.root`. Throws Io, LimitExceeded. */
export async function stateAfter(host: Host, rooted: Host, request: Request): Promise<After> {
  const steps = (request.transaction?.changes ?? []).filter(
    (change) => change.action !== 'configure' && !isReinstall(change),
  );
  if (request.transaction !== null && !(await concernsKata(host, rooted, steps, request))) {
    return { state: nothing, warnings: [] };
  }

  // Below another root the environment is somebody else's.
  const chosen = request.root === '' ? host.environment('KATA_CONF_FILE') : undefined;
  const installation = locateInstallation(rooted, chosen);
  const node = new Node(host, rooted, request, installation);
  await node.askPackages(steps);
  const incoming: Incoming[] = [];
  try {
    for (const step of steps) {
      const found = step.action === 'remove' ? undefined : await node.examine(step);
      if (found !== undefined) incoming.push(found);
    }
    return await assembled(node, installation, request, steps, incoming);
  } finally {
    for (const { payload } of incoming) payload?.close();
  }
}

/** What the packages that come and go make of the node. Throws as `stateAfter`. */
async function assembled(
  node: Node,
  installation: Installation,
  request: Request,
  steps: readonly PackageChange[],
  incoming: readonly Incoming[],
): Promise<After> {
  const removed = new Set(steps.filter(({ action }) => action === 'remove').map(({ name }) => name));
  // Nothing of Kata comes and nothing goes: no image need be read, and nobody be told of a configuration that was wrong before.
  if (request.transaction !== null && incoming.length === 0 && !node.ownsAnything(removed)) {
    return { state: nothing, warnings: node.warnings };
  }
  const images = await node.images(incoming, removed);
  const runtimes = await node.runtimes(incoming, removed, images);
  return {
    state: {
      runtimes,
      images,
      ...configured(installation, request),
      manager: request.transaction?.manager ?? null,
      onlyChanges: request.transaction !== null,
      // Another root is another node, or none: what runs here is not its.
      sandboxes: request.root === '' ? runningSandboxes(node.host) : null,
      // By hand only. A package that comes in may bring the image, its configuration, or both. dpkg leaves a configuration that was changed
      // on the node as it is, or asks; drop-ins and handlers of this node say which of them are read; and the hash partition is deep in a
      // compressed payload: what will then be asked of which image is not certain, and this finding blocks. Where neither of the two
      // changes, a transaction is not the place to tell of it.
      measured:
        request.transaction !== null || request.images.length > 0
          ? []
          : measuredImages(node.rooted, installation, request.deadline),
    },
    warnings: node.warnings,
  };
}

/** None when the images are given: what names them was not asked then. */
function configured(installation: Installation, request: Request): Pick<State, 'configurations' | 'unread'> {
  if (request.images.length > 0) return { configurations: [], unread: [] };
  const { configurations } = installation;
  // Nobody reads a masked one, so that its mistakes do no harm.
  const read = configurations.filter(({ maskedBy }) => maskedBy === null);
  return { configurations, unread: [...installation.unread, ...read.flatMap(({ unread }) => unread)] };
}

class Node {
  readonly warnings: string[] = [];
  readonly host: Host;
  readonly rooted: Host;
  readonly #request: Request;
  readonly #installation: Installation;
  /** The images to be judged, with the names under which a package can own them. */
  readonly #images: readonly (ConfiguredImage & Wanted)[];
  /** Nothing names an image, and none is there: these are where packages put one. */
  readonly #isFresh: boolean;
  readonly #payloadDeadline: number;
  #packages: readonly InstalledPackage[] = [];

  constructor(host: Host, rooted: Host, request: Request, installation: Installation) {
    this.host = host;
    this.rooted = rooted;
    this.#request = request;
    this.#installation = installation;
    const known = new Map(installation.images.map((image) => [image.path, image]));
    for (const { value, from } of request.config.images) {
      const usedBy = [...(known.get(value)?.usedBy ?? []), { path: from, prefix: null, language: null }];
      known.set(value, { path: value, kind: 'guest', usedBy });
    }
    this.#isFresh = request.images.length === 0 && known.size === 0 && installation.configurations.length === 0;
    if (this.#isFresh) {
      for (const { path, prefix } of usualImages) {
        known.set(path, { path, kind: 'guest', usedBy: [{ path, prefix, language: null }] });
      }
    }
    const now = host.now();
    this.#payloadDeadline = now + (request.deadline - now) * payloadShare;
    const chosen = request.images.length > 0 ? request.images : [...known.keys()];
    this.#images = chosen.map((path) => ({
      ...(known.get(path) ?? { path, kind: 'guest', usedBy: [] }),
      names: namesOf(rooted, path),
    }));
  }

  /** Owners of runtime programs and images, and what is installed of the packages that change. */
  async askPackages(steps: readonly PackageChange[]): Promise<void> {
    const { root, config, deadline } = this.#request;
    const names = [...config.runtimePackages, ...config.imagePackages].map(({ value }) => value);
    const paths = [
      ...this.#installation.programs.map(({ path }) => path),
      ...this.#images.flatMap((image) => image.names),
    ];
    const asked = [...new Set([...names, ...steps.map(({ name }) => name)])];
    this.#packages = await installedPackages(this.host, root, [...new Set(paths)], asked, deadline);
  }

  /** Undefined when the package has nothing to do with Kata. */
  async examine(change: PackageChange): Promise<Incoming | undefined> {
    const { config } = this.#request;
    const isListed = (list: readonly { readonly value: string }[], name: string): boolean =>
      list.some(({ value }) => value === name);
    const installed = this.#packages.find(({ name }) => name === change.name);
    const isNamed =
      change.name.includes('kata') ||
      isListed(config.runtimePackages, change.name) ||
      isListed(config.imagePackages, change.name);
    const isKnown =
      (installed !== undefined && (declares(installed) || installed.owns.length > 0)) || declares(change.declared);
    // An upgrade of something that had nothing to do with Kata still has not; a new package says so in its fields.
    if (!isNamed && !isKnown && change.oldVersion !== null) return undefined;

    const { file, fields, problem } = await this.#open(change);
    if (problem !== null && change.archive !== null && (isNamed || isKnown)) {
      this.warnings.push(`the incoming package cannot be read: ${problem}`);
    }
    const declared = fields ?? change.declared ?? null;
    if (!isNamed && !isKnown && !declares(declared)) return undefined;
    const name = fields?.name ?? change.name;
    const owned = this.#packages.find((known) => known.name === name)?.owns ?? [];
    const payload =
      file === null
        ? null
        : new IncomingPayload(
            this.rooted,
            file,
            this.#images.flatMap(({ names }) => names),
            this.#payloadDeadline,
          );
    const isStated = (declared?.agentVersion ?? null) !== null;
    const brought =
      owned.length > 0 ? { paths: new Set(owned), problem } : await this.#broughtBy(file, isStated ? null : payload);
    const { paths } = brought;
    const isProgram = (path: string): boolean => this.#programs().some((program) => program.path === path);
    return {
      change,
      name,
      versionText: change.newVersion ?? fields?.version ?? null,
      declared,
      paths,
      payload,
      problem: problem ?? brought.problem,
      statedBy: file?.format === 'deb' ? 'its field Kata-Agent-Requires' : 'its Provides kata-agent-requires',
      isRuntime:
        (declared?.agentRequires ?? null) !== null ||
        [...(paths ?? [])].some(isProgram) ||
        isListed(config.runtimePackages, name),
      isImage:
        isStated ||
        (paths === null && payload?.holdsLikelyImage === true) ||
        [...(paths ?? [])].some((path) => !isProgram(path)) ||
        isListed(config.imagePackages, name),
    };
  }

  /** What is a runtime: in its usual places, and where this node's handlers name one. */
  #programs(): readonly Program[] {
    return [...runtimePrograms, ...this.#installation.programs];
  }

  /** Never throws for what the package is. */
  async #open({
    archive,
  }: PackageChange): Promise<Pick<Incoming, 'problem'> & { file: PackageFile | null; fields: PackageFields | null }> {
    if (archive === null)
      return { file: null, fields: null, problem: 'the package is not at hand before it is installed' };
    try {
      const file = openPackage(this.host, archive, this.#payloadDeadline);
      return { file, fields: await file.fields(), problem: null };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { file: null, fields: null, problem: error.message };
    }
  }

  /** Runtime programs and configured images that the package brings; null when its payload cannot be read. */
  async #broughtBy(
    file: PackageFile | null,
    payload: IncomingPayload | null,
  ): Promise<Pick<Incoming, 'paths' | 'problem'>> {
    if (file === null) return { paths: null, problem: null };
    const wanted = new Set([
      ...this.#programs().map(({ path }) => path),
      ...this.#images.flatMap(({ names }) => names),
    ]);
    const brought = new Set<string>();
    try {
      // A deb is unpacked for its paths, and the images are taken out on the same way.
      if (payload === null || file.format === 'rpm') for await (const path of file.paths()) note(path);
      else for (const path of await payload.places()) note(path);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.warnings.push(`the payload of the incoming package cannot be read: ${error.message}`);
      return { paths: null, problem: error.message };
    }
    return { paths: brought, problem: null };

    function note(path: string): void {
      if (wanted.has(path)) brought.add(path);
    }
  }

  /** Whether one of these packages owns a runtime program or a configured image. */
  ownsAnything(names: ReadonlySet<string>): boolean {
    return this.#packages.some(({ name, owns }) => names.has(name) && owns.length > 0);
  }

  async images(incoming: readonly Incoming[], removed: ReadonlySet<string>): Promise<Image[]> {
    const owners = new Map<string, string | null>();
    const bringers = new Map<string, Incoming>();
    for (const { path, names } of this.#images) {
      const owner = this.#packages.find(({ owns }) => names.some((name) => owns.includes(name)))?.name ?? null;
      owners.set(path, owner);
      const comes =
        incoming.findLast(({ isImage, paths }) => isImage && names.some((name) => paths?.has(name))) ??
        // What nobody can look into is taken to bring the image where packages put theirs.
        (owner === null && names.some(isUsual)
          ? incoming.findLast(({ isImage, paths }) => isImage && !paths)
          : undefined);
      if (comes !== undefined) bringers.set(path, comes);
    }
    const read = await this.#readIncoming(incoming, bringers);
    const images: Image[] = [];
    for (const { path, kind, usedBy } of this.#images) {
      const comes = bringers.get(path);
      if (comes === undefined && this.#isFresh) continue;
      const owner = owners.get(path) ?? null;
      const found = read.get(path);
      const facts = found?.facts ?? (await readImage(this.rooted, path, { deadline: this.#request.deadline }));
      images.push({
        usedBy,
        package: comes?.name ?? owner,
        incoming: comes === undefined ? null : incomingImage(comes, found),
        removedBy: comes === undefined && owner !== null && removed.has(owner) ? owner : null,
        facts: { ...facts, ...(kind === 'extension' ? { kind, unknown: null } : {}) },
      });
    }
    return images;
  }

  /** The images of the packages that do not state their agent. */
  async #readIncoming(
    incoming: readonly Incoming[],
    bringers: ReadonlyMap<string, Incoming>,
  ): Promise<Map<string, IncomingImage>> {
    const found = new Map<string, IncomingImage>();
    for (const comes of incoming) {
      const wanted = this.#images.filter(({ path, kind }) => kind === 'guest' && bringers.get(path) === comes);
      if (comes.payload === null || wanted.length === 0 || (comes.declared?.agentVersion ?? null) !== null) continue;
      for (const [path, image] of await comes.payload.images(wanted)) found.set(path, image);
      comes.payload.close();
    }
    return found;
  }

  async runtimes(
    incoming: readonly Incoming[],
    removed: ReadonlySet<string>,
    images: readonly Image[],
  ): Promise<Runtime[]> {
    const { to, requires, config, transaction } = this.#request;
    const coming = incoming.filter(({ isRuntime }) => isRuntime).map((found) => this.#incomingRuntime(found));
    if (to !== null) {
      coming.push({
        name: config.runtimePackages[0]?.value ?? 'kata-runtime',
        versionText: to,
        version: parseVersion(to),
        isIncoming: true,
        source: '--to',
        prefix: null,
        language: null,
        versionSource: '--to',
        replaces: null,
        ...requirementOf({ option: requires, declared: undefined, version: parseVersion(to), versionText: to, config }),
      });
    }
    const replaced = new Set(incoming.filter(({ isRuntime }) => isRuntime).map(({ name }) => name));
    const isReplaced = ({ name, prefix, language }: Runtime): boolean =>
      to !== null ||
      replaced.has(name) ||
      coming.some(
        (runtime) =>
          runtime.prefix !== null &&
          runtime.prefix === prefix &&
          (runtime.language === null || language === null || runtime.language === language),
      );
    const staying: Runtime[] = [];
    const imagesChange =
      transaction === null || images.some((image) => image.incoming !== null || image.removedBy !== null);
    if (imagesChange && to === null) {
      for (const runtime of await this.#installedRuntimes()) {
        if (!isReplaced(runtime) && !removed.has(runtime.name)) staying.push(runtime);
      }
    }
    const all = [...coming, ...staying];
    if (all.length > 0 || transaction !== null || images.length === 0) return all;
    return [this.#unknownRuntime()];
  }

  #incomingRuntime({ name, versionText, declared, paths, change, statedBy }: Incoming): Runtime {
    const version = versionText === null ? undefined : parseVersion(versionText);
    const requires = declared?.agentRequires ?? null;
    const installed = this.#packages.find((known) => known.name === name);
    const brought = this.#programs().filter(({ path }) => paths?.has(path));
    const languages = new Set<Language | null>(brought.map(({ language }) => language));
    return {
      name,
      versionText,
      version,
      isIncoming: true,
      source: change.archive ?? name,
      prefix: brought[0]?.prefix ?? null,
      language: languages.size === 1 ? (brought[0]?.language ?? null) : null,
      versionSource: versionText === null ? null : `package ${name}`,
      replaces: change.oldVersion ?? installed?.version ?? null,
      ...requirementOf({
        option: this.#request.requires,
        declared: requires === null ? undefined : { text: requires, from: statedBy },
        // A package that is not at hand is taken to declare a range if the one before did.
        isUnread: declared === null && (change.archive !== null || (installed?.agentRequires ?? null) !== null),
        version,
        versionText,
        config: this.#request.config,
      }),
    };
  }

  /** Programs that read the same configurations and are of the same version are one: the first speaks for them. */
  async #installedRuntimes(): Promise<Runtime[]> {
    const { config, requires } = this.#request;
    const runtimes: Runtime[] = [];
    for (const program of this.#installation.programs) {
      const { path, prefix, language } = program;
      const owner = this.#packages.find(({ owns }) => owns.includes(path));
      const same = runtimes.filter((other) => other.prefix === prefix && other.language === language);
      // Without another version of its own it is the same.
      if (same.some(({ name }) => name === owner?.name)) continue;
      const { versionText, versionSource } = await this.#versionOf(program, owner);
      if (same.length > 0 && versionText === null) continue;
      if (same.some((other) => other.versionText === versionText)) continue;
      const version = versionText === null ? undefined : parseVersion(versionText);
      const declared = owner?.agentRequires ?? null;
      runtimes.push({
        name: owner?.name ?? path,
        versionText,
        version,
        isIncoming: false,
        source: path,
        prefix,
        language,
        versionSource,
        replaces: null,
        ...requirementOf({
          option: requires,
          declared: declared === null ? undefined : { text: declared, from: `declared by ${owner?.name ?? path}` },
          version,
          versionText,
          config,
        }),
      });
    }
    return runtimes;
  }

  /** The package's, else what the program says; below another root, where nothing is run, what lies beside it. */
  async #versionOf(
    { path, prefix }: Program,
    owner: InstalledPackage | undefined,
  ): Promise<Pick<Runtime, 'versionText' | 'versionSource'>> {
    if (owner !== undefined) return { versionText: owner.version, versionSource: `package ${owner.name}` };
    if (this.#request.root === '') {
      const versionText = await askProgram(this.host, path, this.#request.deadline);
      return { versionText, versionSource: versionText === null ? null : `${path} --version` };
    }
    const file = `${prefix}/VERSION`;
    // kata-deploy may be there several times: /opt/kata-NAME.
    const versionText = prefix.startsWith('/opt/kata') ? versionInFile(this.rooted, file) : null;
    return { versionText, versionSource: versionText === null ? null : file };
  }

  /** There are images but no runtime: without --requires that is a finding, not silence. */
  #unknownRuntime(): Runtime {
    const { config, requires } = this.#request;
    return {
      name: config.runtimePackages[0]?.value ?? 'kata-runtime',
      versionText: null,
      version: undefined,
      isIncoming: false,
      source: 'none',
      prefix: null,
      language: null,
      versionSource: null,
      replaces: null,
      ...requirementOf({ option: requires, declared: undefined, version: undefined, versionText: null, config }),
    };
  }
}

function isUsual(path: string): boolean {
  return usualImages.some((usual) => usual.path === path);
}

/** What a package says of the image that it brings, or what was read there. */
function incomingImage(comes: Incoming, found: IncomingImage | undefined): NonNullable<Image['incoming']> {
  const versionText = comes.declared?.agentVersion ?? null;
  const read = found?.facts;
  return {
    package: `${comes.name} ${comes.versionText ?? ''}`.trim(),
    versionText,
    version: versionText === null ? read?.agent?.version : parseVersion(versionText),
    isRead: read !== null && read !== undefined,
    problem: versionText === null ? (found?.problem ?? read?.problem?.message ?? read?.unknown ?? comes.problem) : null,
  };
}
