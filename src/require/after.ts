/**
 * The state after the transaction: which runtimes and which guest images will be there. Without a transaction, what is there now.
 *
 * Which package is the runtime, which the image? First that speaks: it carries one of the fields; it owns, or its payload
 * brings, a runtime program or a configured image; its name is listed. One package can be both.
 */

import type { Request } from '../check.ts';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import type { Image, Measured, Runtime, State } from '../judge/judge.ts';
import { type Language, namesOf } from '../locate/configurations.ts';
import {
  type ConfiguredImage,
  type Installation,
  locateInstallation,
  type Program,
  runtimePrograms,
} from '../locate/installation.ts';
import { type InstalledPackage, installedPackages } from '../locate/packages.ts';
import { askProgram, versionInFile } from '../locate/runtimes.ts';
import { runningSandboxes } from '../locate/sandboxes.ts';
import { readImage, readMeasurement } from '../read/image.ts';
import { parseVerityParameters } from '../read/verity.ts';
import { parseVersion } from '../version.ts';
import { type DebFields, debPaths, readDebFields } from './deb.ts';
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
  readonly fields: DebFields | null;
  /** Runtime programs and configured images that the installed version owns or the new one brings. */
  readonly paths: ReadonlySet<string>;
  readonly isRuntime: boolean;
  readonly isImage: boolean;
}

/** `host` is the real one, `rooted` the one below `request.root`. Throws Io, LimitExceeded. */
export async function stateAfter(host: Host, rooted: Host, request: Request): Promise<After> {
  const steps = (request.transaction?.changes ?? []).filter(
    (change) => change.action !== 'configure' && !isReinstall(change),
  );
  const nothing: After = {
    state: {
      runtimes: [],
      images: [],
      configurations: [],
      unread: [],
      manager: null,
      onlyChanges: true,
      sandboxes: null,
      measured: [],
    },
    warnings: [],
  };
  if (request.transaction !== null && (steps.length === 0 || !concernsKata(rooted, request, steps))) return nothing;

  // Below another root the environment is somebody else's.
  const chosen = request.root === '' ? host.environment('KATA_CONF_FILE') : undefined;
  const installation = locateInstallation(rooted, chosen);
  const node = new Node(host, rooted, request, installation);
  await node.askPackages(steps);
  const incoming: Incoming[] = [];
  for (const step of steps) {
    if (step.action === 'remove' || step.archive === null) continue;
    const found = await node.examine(step, step.archive);
    if (found !== undefined) incoming.push(found);
  }
  const removed = new Set(steps.filter(({ action }) => action === 'remove').map(({ name }) => name));
  // Nothing of Kata comes and nothing goes: no image need be read, and nobody be told of a configuration that was wrong before.
  if (request.transaction !== null && incoming.length === 0 && !node.ownsAnything(removed)) {
    return { ...nothing, warnings: node.warnings };
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
      sandboxes: request.root === '' ? runningSandboxes(host) : null,
      measured: measuredImages(rooted, installation, request),
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

/**
 * By hand only: a package that comes in may bring the image, its configuration, or both, and what it writes into the configuration is
 * not known before. A missing image is another finding.
 */
function measuredImages(rooted: Host, installation: Installation, request: Request): Measured[] {
  if (request.transaction !== null || request.images.length > 0) return [];
  const options = { deadline: request.deadline };
  return installation.configurations.flatMap(({ path: configuration, images, maskedBy }) =>
    (maskedBy === null ? images : []).flatMap(({ path: image, verity }): Measured[] => {
      if (verity === null || kindAt(rooted, image) !== 'file') return [];
      const parameters = parseVerityParameters(verity);
      if (parameters === undefined) return [{ image, configuration, expected: null, actual: null, problem: null }];
      const { rootHash, problem } = readMeasurement(rooted, image, parameters, options);
      return [{ image, configuration, expected: parameters.rootHash, actual: rootHash, problem }];
    }),
  );
}

function kindAt(rooted: Host, path: string): string | undefined {
  try {
    return followedStatus(rooted, path)?.kind;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** Cheap, as this is asked in every run of a package manager: nothing is opened, no program is run. */
function concernsKata(rooted: Host, request: Request, steps: readonly PackageChange[]): boolean {
  const { runtimePackages, imagePackages } = request.config;
  const names = new Set([...runtimePackages, ...imagePackages].map(({ value }) => value));
  return (
    steps.some(({ name }) => names.has(name) || name.includes('kata')) ||
    runtimePrograms.some(({ path }) => rooted.status(path) !== undefined)
  );
}

class Node {
  readonly warnings: string[] = [];
  readonly #host: Host;
  readonly #rooted: Host;
  readonly #request: Request;
  readonly #installation: Installation;
  /** The images to be judged, with the names under which a package can own them. */
  readonly #images: readonly (ConfiguredImage & { readonly names: readonly string[] })[];
  #packages: readonly InstalledPackage[] = [];

  constructor(host: Host, rooted: Host, request: Request, installation: Installation) {
    this.#host = host;
    this.#rooted = rooted;
    this.#request = request;
    this.#installation = installation;
    const known = new Map(installation.images.map((image) => [image.path, image]));
    for (const { value, from } of request.config.images) {
      const usedBy = [...(known.get(value)?.usedBy ?? []), { path: from, prefix: null, language: null }];
      known.set(value, { path: value, kind: 'guest', usedBy });
    }
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
    this.#packages = await installedPackages(this.#host, root, [...new Set(paths)], asked, deadline);
  }

  /** Undefined when the package has nothing to do with Kata. */
  async examine(change: PackageChange, archive: string): Promise<Incoming | undefined> {
    const { config, deadline } = this.#request;
    const isListed = (list: readonly { readonly value: string }[], name: string): boolean =>
      list.some(({ value }) => value === name);
    const installed = this.#packages.find(({ name }) => name === change.name);
    const isNamed =
      change.name.includes('kata') ||
      isListed(config.runtimePackages, change.name) ||
      isListed(config.imagePackages, change.name);
    const isKnown =
      installed !== undefined &&
      (installed.agentRequires !== null || installed.agentVersion !== null || installed.owns.length > 0);
    // An upgrade of something that had nothing to do with Kata still has not; a new package says so in its fields.
    if (!isNamed && !isKnown && change.oldVersion !== null) return undefined;

    let fields: DebFields | null = null;
    try {
      fields = await readDebFields(this.#host, archive, deadline);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (isNamed || isKnown) this.warnings.push(`the incoming package cannot be read: ${error.message}`);
    }
    const declares = fields !== null && (fields.agentRequires !== null || fields.agentVersion !== null);
    if (!isNamed && !isKnown && !declares) return undefined;
    const name = fields?.package ?? change.name;
    const owned = this.#packages.find((known) => known.name === name)?.owns ?? [];
    const paths = new Set(owned.length > 0 ? owned : await this.#broughtBy(archive));
    const isProgram = (path: string): boolean => runtimePrograms.some((program) => program.path === path);
    return {
      change,
      name,
      versionText: change.newVersion ?? fields?.version ?? null,
      fields,
      paths,
      isRuntime:
        (fields?.agentRequires ?? null) !== null ||
        [...paths].some(isProgram) ||
        isListed(config.runtimePackages, name),
      isImage:
        (fields?.agentVersion ?? null) !== null ||
        [...paths].some((path) => !isProgram(path)) ||
        isListed(config.imagePackages, name),
    };
  }

  /** Runtime programs and configured images in a package's payload. */
  async #broughtBy(archive: string): Promise<string[]> {
    const wanted = new Set([...runtimePrograms.map(({ path }) => path), ...this.#images.flatMap(({ names }) => names)]);
    const brought: string[] = [];
    try {
      for await (const path of debPaths(this.#host, archive, this.#request.deadline)) {
        if (wanted.has(path)) brought.push(path);
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.warnings.push(`the payload of the incoming package cannot be read: ${error.message}`);
    }
    return brought;
  }

  /** Whether one of these packages owns a runtime program or a configured image. */
  ownsAnything(names: ReadonlySet<string>): boolean {
    return this.#packages.some(({ name, owns }) => names.has(name) && owns.length > 0);
  }

  async images(incoming: readonly Incoming[], removed: ReadonlySet<string>): Promise<Image[]> {
    const images: Image[] = [];
    for (const { path, kind, usedBy, names } of this.#images) {
      const comes = incoming.findLast(({ isImage, paths }) => isImage && names.some((name) => paths.has(name)));
      const owner = this.#packages.find(({ owns }) => names.some((name) => owns.includes(name)))?.name ?? null;
      const versionText = comes?.fields?.agentVersion ?? null;
      const facts = await readImage(this.#rooted, path, { deadline: this.#request.deadline });
      images.push({
        usedBy,
        package: comes?.name ?? owner,
        incoming:
          comes === undefined
            ? null
            : {
                package: `${comes.name} ${comes.versionText ?? ''}`.trim(),
                versionText,
                version: versionText === null ? undefined : parseVersion(versionText),
              },
        removedBy: comes === undefined && owner !== null && removed.has(owner) ? owner : null,
        facts: { ...facts, ...(kind === 'extension' ? { kind, unknown: null } : {}) },
      });
    }
    return images;
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

  #incomingRuntime({ name, versionText, fields, paths, change }: Incoming): Runtime {
    const version = versionText === null ? undefined : parseVersion(versionText);
    const declared = fields?.agentRequires ?? null;
    const brought = runtimePrograms.filter(({ path }) => paths.has(path));
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
      replaces: change.oldVersion ?? this.#packages.find((known) => known.name === name)?.version ?? null,
      ...requirementOf({
        option: this.#request.requires,
        declared: declared === null ? undefined : { text: declared, from: 'its field Kata-Agent-Requires' },
        isUnread: fields === null,
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
      const versionText = await askProgram(this.#host, path, this.#request.deadline);
      return { versionText, versionSource: versionText === null ? null : `${path} --version` };
    }
    const file = `${prefix}/VERSION`;
    const versionText = prefix === '/opt/kata' ? versionInFile(this.#rooted, file) : null;
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
