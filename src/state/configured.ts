/**
 * The node with the configurations that it will have: those that packages bring in the place of the old ones, and without those that go.
 *
 * What becomes of a configuration that the admin has changed: dpkg keeps its conffiles (it asks, and keeps them where nobody answers;
 * deb-conffiles(5)), rpm keeps what is %config(noreplace) and puts the new one beside it, and replaces what is only %config, unless the
 * packaged file is the same as before (rpm-spec(5)). dpkg leaves the conffiles of a package that goes.
 */

import { md5 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Problem } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type Laid, overlaidHost } from '../host/overlay.ts';
import { isConfiguration } from '../locate/configurations.ts';
import { filesIn } from '../locate/files.ts';
import { installedDigests, installedManifest, type Manifest } from '../locate/manifest.ts';
import { deployed } from '../locate/programs.ts';
import { toUtf8 } from '../read/bytes.ts';
import { type Before, nodeBefore } from './before.ts';
import type { Incoming } from './incoming.ts';
import type { PackageChange } from './transaction.ts';

/** As locate/toml.ts reads them. */
const sizeLimit = 1024 * 1024;

/** `before` itself where no configuration changes. Throws as `nodeBefore`. */
export async function withIncomingConfigurations(
  before: Before,
  steps: readonly PackageChange[],
  incoming: readonly Incoming[],
): Promise<Before> {
  const { host, rooted, request } = before;
  if (request.images.length > 0) return before;
  const files = new Map<string, Laid>();
  const configured = new Set<string>();
  for (const { name, action } of new Map(steps.map((step) => [step.name, step])).values()) {
    const coming = incoming.find((known) => known.change.name === name);
    // What was not looked into keeps what it has.
    if (coming === undefined && action !== 'remove') continue;
    const old = await attempt(() => installedManifest(host, request.root, name, before.payloadDeadline));
    const brought: Iterable<[string, Laid]> = coming === undefined ? [] : await broughtBy(before, coming);
    const left = old === undefined ? [] : await leftBehind(rooted, old, coming, incoming);
    for (const [path, laid] of [...left.map((path): [string, Laid] => [path, null]), ...brought]) {
      files.set(path, laid);
      configured.add(name);
    }
  }
  if (files.size === 0) return before;
  const after = await nodeBefore(host, rooted, request, steps, overlaidHost(rooted, files), before);
  return { ...after, namedBefore: before.namedBefore, configured };
}

/** Whether something else stands there now. */
function isOther(rooted: Host, path: string, laid: Laid): boolean {
  if (laid !== null && 'link' in laid) return linkAt(rooted, path) !== laid.link;
  return laid === null || rooted.status(path)?.kind !== 'file' || textOf(rooted, path) !== laid.text;
}

function linkAt(rooted: Host, path: string): string | undefined {
  return rooted.status(path)?.kind === 'symlink' ? rooted.readLink(path) : undefined;
}

/** Configurations of the installed package that its new version does not bring, or that go with it, and that no other one brings. */
async function leftBehind(
  rooted: Host,
  old: Manifest,
  coming: Incoming | undefined,
  incoming: readonly Incoming[],
): Promise<string[]> {
  if (coming !== undefined && (coming.manifest.files.size === 0 || coming.payload === null)) return [];
  const isBrought = (path: string): boolean =>
    incoming.some(({ paths, manifest }) => paths?.has(path) === true || manifest.files.has(path));
  const left = [...old.files].flatMap(([path, { configuration: kind }]) =>
    kind !== 'conffile' && isConfiguration(path) && !isBrought(path) && rooted.status(path) !== undefined ? [path] : [],
  );
  if (left.length === 0 || coming === undefined || coming.isWhole) return left;
  // A .deb does not list its links.
  const places = await attempt(async () => new Set(await coming.payload?.places()));
  return places === undefined ? [] : left.filter((path) => !places.has(path));
}

/** What a package puts on the disk that is not there now: not what the admin has changed and keeps. */
async function broughtBy(before: Before, coming: Incoming): Promise<Map<string, Laid>> {
  const { host, rooted, request, payloadDeadline } = before;
  const brought = new Map<string, Laid>();
  // A .deb does not list its links: another one may come in the place of one that is there.
  const links =
    coming.isWhole || coming.paths === null
      ? []
      : before.installation.files.filter((path) => rooted.status(path)?.kind === 'symlink');
  const paths = [...(coming.paths ?? []), ...links].filter(
    (path) => isConfiguration(path) && !coming.manifest.files.get(path)?.isGhost,
  );
  if (coming.payload === null || paths.length === 0) return brought;
  const { payload } = coming;
  const found = (await attempt(() => payload.contents(paths, sizeLimit))) ?? new Map<string, Laid>();
  const { prefix } = coming.change;
  if (prefix === undefined) for (const [path, laid] of found) if (!isOther(rooted, path, laid)) found.delete(path);
  if (found.size === 0) return brought;
  const digests =
    (await attempt(() => installedDigests(host, request.root, coming.name, payloadDeadline))) ?? new Map();
  for (const [path, laid] of found) {
    const kind = coming.manifest.files.get(path)?.configuration ?? null;
    if (kind !== null && isKept(rooted, path, kind, digests.get(path), laid)) continue;
    if (prefix === undefined) brought.set(path, laid);
    else for (const place of deployedAt(rooted, prefix, path)) brought.set(place, movedTo(prefix, laid));
  }
  return brought;
}

/**
 * Where kata-deploy puts a configuration that comes: for each shim and each runtime of the user's own it makes a copy, and of the one that
 * came a link to the shim's (since 3.32: binary/src/artifacts/install.rs, setup_runtime_directory and install_custom_runtime_configs).
 */
function deployedAt(rooted: Host, prefix: string, path: string): string[] {
  const [, folder, file, shim] = /^(.+)\/(configuration-([^/]+)\.toml)$/.exec(path) ?? [];
  if (folder === undefined) return [path];
  const isThere = (place: string): boolean => rooted.status(place) !== undefined;
  const ofShim = `${folder}/runtimes/${shim}/${file}`;
  const custom = filesIn(rooted, `${prefix}/share/defaults/kata-containers/custom-runtimes`);
  return [isThere(ofShim) ? ofShim : path, ...custom.map((handler) => `${handler}/${file}`).filter(isThere)];
}

/** kata-deploy changes the paths in it: by sed until 3.21, by a drop-in since. */
function movedTo(prefix: string, laid: Laid): Laid {
  return laid !== null && 'text' in laid ? { text: laid.text.replaceAll(`${deployed}/`, `${prefix}/`) } : laid;
}

/** `packaged`: the digest of the file in the installed package; undefined where it has no such file. */
function isKept(
  rooted: Host,
  path: string,
  kind: 'conffile' | 'config' | 'noreplace',
  packaged: string | undefined,
  incoming: Laid,
): boolean {
  const own = textOf(rooted, path);
  // dpkg does not bring back a conffile that was deleted.
  if (own === undefined) return kind === 'conffile' && packaged !== undefined;
  if (packaged !== undefined && digestOf(own, packaged) === packaged) return false;
  if (kind !== 'config') return true;
  return (
    packaged !== undefined && incoming !== null && 'text' in incoming && digestOf(incoming.text, packaged) === packaged
  );
}

/** In the form of another one: dpkg has MD5, rpm MD5 or SHA-256. */
function digestOf(text: string, like: string): string {
  return bytesToHex((like.length === 32 ? md5 : sha256)(toUtf8(text)));
}

function textOf(rooted: Host, path: string): string | undefined {
  try {
    return rooted.status(path) === undefined ? undefined : rooted.readText(path, sizeLimit);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** What cannot be read changes nothing. */
async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
