/**
 * What holds where nobody configured anything, and what may say otherwise: the texts of the configuration's files, and what goes over
 * them. Nearly every run of a package manager needs no more of the configuration than this, so that nothing here understands a file.
 */

import { NotFound, Problem, Usage } from './errors.ts';
import type { Host } from './host/host.ts';
import { resolvePath } from './host/rooted.ts';
import type { Severity } from './judge/findings.ts';
import type { Policy } from './judge/policy.ts';
import type { Origin, Settings } from './state/settings.ts';

export interface Config extends Settings {
  readonly mode: Origin<Policy['mode']>;
  readonly allow: readonly Origin<string>[];
  readonly strict: Origin<boolean>;
  /** Seconds for the whole run. */
  readonly deadline: Origin<number>;
  readonly severity: ReadonlyMap<string, Origin<Severity>>;
}

/** Where a value is from that nobody has configured. */
export const fallback = 'default';
export const origin = <T>(value: T, from: string): Origin<T> => ({ value, from });

/** Seconds for the whole run, where the configuration does not say. */
const defaultDeadline = 20;
/** Before the configuration is read, in milliseconds. */
export const firstDeadline = defaultDeadline * 1000;
/** Between the deadline of every single step and the end of the whole program, in milliseconds: time to say what happened. */
export const grace = 2000;

export const defaults: Config = {
  mode: origin('block', fallback),
  allow: [],
  strict: origin(false, fallback),
  rule: origin({ kind: 'minor' }, fallback),
  deadline: origin(defaultDeadline, fallback),
  severity: new Map(),
  requires: [],
  runtimePackages: ['kata-runtime', 'kata-containers', 'kata-containers-cc', 'katacontainers'].map((name) =>
    origin(name, fallback),
  ),
  imagePackages: ['kata-containers-image', 'kata-containers-initrd', 'katacontainers-image-initrd'].map((name) =>
    origin(name, fallback),
  ),
  images: [],
  rebuiltImages: [],
};

export const configPath = '/etc/kata-check.conf';
const configLimit = 1024 * 1024;
/** What goes over the files: environment, the package manager's command line, options. In this order, later ones win. */
export interface Override {
  readonly from: string;
  readonly mode?: string | undefined;
  readonly allow?: readonly string[];
  readonly strict?: boolean;
}

/** `KC101, KC301`. */
export function codesIn(text: string): string[] {
  return text
    .split(',')
    .map((code) => code.trim())
    .filter((code) => code !== '');
}

export function environmentOverride(host: Host): Override {
  return {
    from: 'the environment',
    mode: host.environment('KATA_CHECK_MODE') || undefined,
    allow: codesIn(host.environment('KATA_CHECK_ALLOW') ?? ''),
  };
}

export interface Loaded {
  readonly config: Config;
  /** What was not understood: each with its place. By hand this is wrong use, in a hook a warning. */
  readonly mistakes: readonly string[];
  /** Files that were not believed. */
  readonly warnings: readonly string[];
}

/** The configuration before anybody has understood it. */
export interface Written {
  /** In the order in which they are read; later ones win. What is wrong with one of them stands in its place. */
  readonly files: readonly ({ readonly path: string; readonly text: string } | string)[];
  readonly overrides: readonly Override[];
  readonly warnings: readonly string[];
}

/** `path`: the file given by the user, which then must be there; undefined for the usual ones. Throws Usage. */
export function readConfig(host: Host, path: string | undefined, overrides: readonly Override[]): Written {
  const warnings: string[] = [];
  const files: Written['files'][number][] = [];
  for (const file of path === undefined ? usualFiles(host, files) : [path]) {
    const text = readTrusted(host, file, warnings, files);
    if (text !== undefined) files.push({ path: file, text });
    else if (path !== undefined && warnings.length === 0 && files.length === 0)
      throw new Usage(`${path}: no such configuration file`);
  }
  return { files, overrides, warnings };
}

/** What holds where the files have only comments, as the packaged one has, and nothing goes over them; undefined where they say something. */
export function unconfigured({ files, overrides, warnings }: Written): Loaded | undefined {
  const mistakes = files.filter((file) => typeof file === 'string');
  const isSilent = files.every((file) => typeof file === 'string' || !/^\s*[^\s;#]/m.test(file.text));
  const isOverridden = overrides.some(
    ({ mode, allow = [], strict }) => mode !== undefined || allow.length > 0 || strict === true,
  );
  return isSilent && !isOverridden ? { config: defaults, mistakes, warnings } : undefined;
}

export function policyOf(config: Config): Policy {
  return {
    mode: config.mode.value,
    allow: new Set(config.allow.map(({ value }) => value)),
    severity: new Map([...config.severity].map(([code, { value }]) => [code, value])),
    strict: config.strict.value,
  };
}

function usualFiles(host: Host, mistakes: Written['files'][number][]): string[] {
  const folder = `${configPath}.d`;
  let names: string[] = [];
  try {
    names = host.readDirectory(folder);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (!(error instanceof NotFound)) mistakes.push(`the settings in ${folder} are ignored: ${error.message}`);
  }
  const dropIns = names.filter((name) => name.endsWith('.conf')).sort();
  return [configPath, ...dropIns.map((name) => `${folder}/${name}`)];
}

/** Undefined when there is no such file, or when root must not believe it because somebody else could have written it. */
function readTrusted(
  host: Host,
  path: string,
  warnings: string[],
  mistakes: Written['files'][number][],
): string | undefined {
  try {
    const status = host.status(resolvePath(host, '', path));
    if (status === undefined) return undefined;
    if (host.userId === 0 && (status.owner !== 0 || (status.mode & 0o022) !== 0)) {
      warnings.push(
        `${path} and the settings in it are ignored, because the file does not belong to root alone: root must own it, and nobody else may write to it`,
      );
      return undefined;
    }
    return host.readText(path, configLimit);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    if (!(error instanceof Problem)) throw error;
    // In a hook the defaults hold then, as for a file that is not believed: a mistake must not switch the check off.
    mistakes.push(`the configuration cannot be read: ${error.message}`);
    return undefined;
  }
}
