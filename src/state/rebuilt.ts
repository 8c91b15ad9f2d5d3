/**
 * Which guest images the packages of a transaction make anew on the node. The package of Fedora and RHEL brings a kata-agent and a program
 * that builds an initrd around it (kata-osbuilder.sh, which %post runs); older releases have three packages for this. No package owns such
 * an image, and the one that is there before the transaction does not tell which one will be there afterwards.
 *
 * An image is taken to be made anew only where the packages that come in show all of this:
 *
 * 1. One of them brings a program kata-agent, outside of an image.
 * 2. One of them runs a builder when it has been unpacked: its script names a builder that they bring, by itself or through a unit of
 *    systemd, or makes a filesystem or an archive itself; or they bring the unit of Fedora that runs the builder.
 * 3. This builder puts the image where the configuration looks for it: the script or the builder names the image or its folder, or the image
 *    lies in Fedora's folder or in a folder below /var that comes with one of the packages.
 *
 * A script that names the image itself needs no second proof. The configuration ([images] rebuilt[]) can say so, too. Every other image stays
 * as it is, as one of the admin's own in /srv does.
 */

import { attempt, Problem } from '../errors.ts';
import type { Builder } from '../locate/builders.ts';
import type { Before } from './before.ts';
import type { Incoming } from './incoming.ts';

/** Where Fedora's kata-osbuilder.sh puts images, and the unit that runs it at boot. */
const usualFolder = '/var/cache/kata-containers';
const usualUnit = /\/systemd\/system\/kata-osbuilder[^/]*\.service$/;

const unit = /\/systemd\/system\/[^/]+\.(?:service|path|timer)$/;

const agentProgram = /\/kata-agent$/;
const osbuilder = /\/osbuilder\//;
const things = '(?:image|initrd|initramfs|rootfs|guest|uvm)';
const verbs = '(?:build|make|create|generate|update|mk|gen)';
/** A program by whose path one can tell that it makes an image: osbuilder/rootfs.sh, uvm_build.sh, build-initrd, mkimage. */
const builderPath = new RegExp(
  `osbuilder|dracut|${verbs}\\w*[-_.]?(?:\\w+[-_.])?${things}|${things}\\w*[-_.]?${verbs}`,
  'i',
);
/** What a script that makes an image by itself runs. */
const builderCommand =
  /\b(?:cpio|dracut|mkfs\.\w+|mke2fs|mksquashfs|mkinitramfs|(?:rootfs|image_builder|initrd_builder)\.sh)\b/;

/** kata-osbuilder.sh has 15 kB; what is larger is no script. */
const scriptLimit = 1024 * 1024;
/** A unit that runs a script that runs another one, which runs a third. */
const stepLimit = 4;

/** The package that makes it anew, with its version, by the path of each image. `images`: those that no package owns. Throws Io, LimitExceeded. */
export async function rebuiltImages(
  before: Before,
  incoming: readonly Incoming[],
  images: Before['images'],
): Promise<Map<string, string>> {
  const rebuilt = new Map<string, string>();
  if (images.length === 0) return rebuilt;
  const brought = new Set(incoming.flatMap(({ paths, manifest }) => [...(paths ?? []), ...manifest.files.keys()]));
  const hasAgent = [...brought].some((path) => agentProgram.test(path));
  const patterns = before.request.settings.rebuiltImages.map(({ value }) => patternOf(value));
  for (const coming of incoming) {
    const builds = hasAgent ? await imagesBuiltBy(before, coming, incoming, brought) : () => false;
    for (const { path, names } of images) {
      const isConfigured = coming.isRuntime && names.some((name) => patterns.some((pattern) => pattern.test(name)));
      if (isConfigured || names.some(builds)) {
        rebuilt.set(path, `${coming.name} ${coming.versionText ?? ''}`.trim());
      }
    }
  }
  return rebuilt;
}

/** Whether a package makes the image of this name. */
async function imagesBuiltBy(
  before: Before,
  { manifest, paths }: Incoming,
  incoming: readonly Incoming[],
  brought: ReadonlySet<string>,
): Promise<(name: string) => boolean> {
  const steps = [...brought].filter((path) => builderPath.test(path) || unit.test(path));
  const texts = [withoutComments(manifest.script)];
  const run = new Set<string>();
  for (let step = 0; step < stepLimit; step += 1) {
    const more = steps.filter((path) => !run.has(path) && texts.some((text) => namesProgram(text, path)));
    for (const path of more) run.add(path);
    texts.push(...(await scriptsAt(before, incoming, more)));
  }
  const hasUnit = [...(paths ?? [])].some((path) => usualUnit.test(path));
  const hasRun = [...run].some((path) => builderPath.test(path) && !unit.test(path));
  const runsBuilder = hasRun || hasUnit || builderCommand.test(texts[0] ?? '');
  return (name) =>
    texts.some((text) => namesPath(text, name)) ||
    (runsBuilder &&
      foldersOf(name).some(
        (folder) =>
          folder === usualFolder ||
          (folder.startsWith('/var/') && brought.has(folder)) ||
          texts.some((text) => namesFolder(text, folder)),
      ));
}

/**
 * The package of the transaction out of whose agent an image can be built by hand: it brings one, or osbuilder, and is not the runtime itself.
 * Azure Linux has such a one (kata-containers-tools): the image must be built between its upgrade and the one of the runtime.
 */
export function broughtBuilder(incoming: readonly Incoming[]): Builder | undefined {
  const found = incoming.find(
    ({ isRuntime, paths, manifest }) =>
      !isRuntime &&
      [...(paths ?? []), ...manifest.files.keys()].some((path) => agentProgram.test(path) || osbuilder.test(path)),
  );
  return found === undefined ? undefined : { package: found.name, commands: [] };
}

/** The scripts at these places in the packages; of a package that is not at hand, those that are installed. */
async function scriptsAt(before: Before, incoming: readonly Incoming[], wanted: readonly string[]): Promise<string[]> {
  const scripts = new Map<string, string>();
  for (const { payload, manifest, paths } of incoming) {
    const brings = (path: string): boolean => paths?.has(path) === true || manifest.files.has(path);
    const own = wanted.filter((path) => brings(path) && !scripts.has(path));
    if (payload === null) {
      for (const path of own) scripts.set(path, installedScript(before, path));
    } else {
      try {
        for (const [path, found] of await payload.contents(own, scriptLimit)) {
          if ('text' in found) scripts.set(path, found.text);
        }
      } catch (error) {
        // What cannot be read names nothing.
        if (!(error instanceof Problem)) throw error;
      }
    }
  }
  return [...scripts.values()].map(withoutComments);
}

function installedScript({ rooted }: Before, path: string): string {
  return attempt(() => rooted.readText(path, scriptLimit)) ?? '';
}

function withoutComments(script: string): string {
  return script.replace(/^[ \t]*#.*$/gm, '');
}

/** By its path, or by its name alone, as behind a variable. */
function namesProgram(script: string, path: string): boolean {
  return new RegExp(`(?:^|[^\\w.-])${escaped(path.slice(path.lastIndexOf('/') + 1))}(?![\\w.-])`, 'm').test(script);
}

function namesPath(script: string, path: string): boolean {
  return new RegExp(`(?:^|[^\\w./-])${escaped(path)}(?![\\w./-])`, 'm').test(script);
}

/** The folder itself, or something in it that a variable or a pattern tells; a path of another file in it does not name this one. */
function namesFolder(script: string, folder: string): boolean {
  return new RegExp(`(?:^|[^\\w./-])${escaped(folder)}(?:/?(?![\\w./-])|/["'$*?{])`, 'm').test(script);
}

/** As a shell: `*` and `?` stand for anything but a slash. */
function patternOf(text: string): RegExp {
  return new RegExp(`^${escaped(text).replace(/\\\*/g, '[^/]*').replace(/\\\?/g, '[^/]')}$`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The folder that a file is in and those above it, but none of the whole system: of /usr and /var those count that are three deep. */
function foldersOf(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  const folders = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
  const least = names[0] === 'usr' || names[0] === 'var' ? 3 : 2;
  return folders.slice(least - 1);
}
