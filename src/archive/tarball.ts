/**
 * Tar archives: packages of pacman (pacman.ts), and the static tarballs in which Kata Containers is released (kata-static, kata-go-static, kata-tools, and the component tarballs of
 * kata-deploy), and the container image of kata-deploy that holds such tarballs, as `docker save` and the OCI image layout store it, the latter as a folder, too.
 *
 * A tarball brings files below ./opt/kata. Where kata-deploy installs with a suffix, they go to /opt/kata-SUFFIX: `prefix` says where.
 * Formats: tar (tar.ts) in gzip, zstd, xz or alone; OCI image-spec, image-layout.md and layer.md; Docker's image spec v1.2, manifest.json.
 * Not read: an archive with images for several architectures; a layer's deletions (whiteouts).
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import type { File, Host } from '../host/host.ts';
import { versionInOpenProgram } from '../locate/runtimes.ts';
import { utf8 } from '../read/bytes.ts';
import { type Compression, type CompressionName, compressions, decompress } from '../read/decompress.ts';
import * as limits from '../read/limits.ts';
import { Budget, Source } from '../read/source.ts';
import { isLayout, layersOf, layoutMembers } from './container-image.ts';
import { type Member, type PackageFields, PieceReader } from './members.ts';
import { informationLimit, isPacmanMetadata, pacmanFields, pacmanInformation } from './pacman.ts';
import { tarMembers } from './tar.ts';

/** Where the files of a tarball are before they are installed. */
const ownPrefix = 'opt/kata';
/** In which folders of its image kata-deploy carries tarballs, or what was in them (kata-deploy's Dockerfile). */
const artifacts = 'opt/kata-artifacts/';
/** kata-static-4.1.0-amd64.tar.zst; the version is only a guess where nothing inside says it. */
const releaseName =
  /^(?:.*\/)?kata-(?:go-)?static-(v?[0-9].*?)-(?:amd64|x86_64|arm64|aarch64|ppc64le|s390x|riscv64)\.tar/;
const versionFile = `${ownPrefix}/VERSION`;
const versionLimit = 4096;
/** The runtimes, of which most have a version that can be read (program-version.ts). */
const runtimeName = /^opt\/kata\/bin\/(?:kata-runtime|containerd-shim-kata[a-z0-9-]*-v2)$/;
const forms: readonly CompressionName[] = ['gzip', 'zstd', 'xz'];
const readSize = 256 * 1024;

/** Whether these first bytes are those of a tarball: a form of compression, or tar's own magic. */
export function isTarball(head: Uint8Array): boolean {
  return isTar(head) || compressionIn(head) !== undefined;
}

/** How many bytes `isTarball` needs. */
export const headSize = 262;

function isTar(head: Uint8Array): boolean {
  return utf8(head.subarray(257, 262)) === 'ustar';
}

function compressionIn(head: Uint8Array): Compression | undefined {
  return compressions.find(
    ({ name, magic }) => forms.includes(name) && magic.every((byte, index) => head[index] === byte),
  );
}

/**
 * What it says of itself. A package of pacman: its .PKGINFO. A static tarball: its name, and the version that comes first, in its file VERSION
 * or in a runtime in it; else, with a doubt, the one in its own name; else none. Throws Corrupt, Unsupported, LimitExceeded, NotFound (a
 * program that decompresses), Io.
 */
export async function tarballFields(host: Host, path: string, deadline: number): Promise<PackageFields> {
  const reading = readingOf(host, deadline);
  const stated = { name: path.slice(path.lastIndexOf('/') + 1), agentRequires: null, agentVersion: null };
  for await (const member of opened(reading, path)) {
    if (member.type !== 'file') continue;
    if (member.path === pacmanInformation) {
      return pacmanFields(utf8(await member.content(informationLimit)) ?? '', path);
    }
    const version = await versionIn(reading, member, path);
    if (version !== '') return { ...stated, version };
  }
  const version = releaseName.exec(path)?.[1] ?? '';
  const versionDoubt = 'only the name of the tarball says its version';
  return { ...stated, version, ...(version === '' ? {} : { versionDoubt }) };
}

async function versionIn(reading: Reading, member: Member, path: string): Promise<string> {
  if (member.path === versionFile) return (utf8(await member.content(versionLimit)) ?? '').trim();
  if (!runtimeName.test(member.path) || member.size > limits.agentBytes) return '';
  const file = await keptAside(reading, member.pieces(), `${path}, ${member.path}`);
  try {
    // It may be no program, or a broken one.
    return versionInOpenProgram(reading.host, file, reading.deadline) ?? '';
  } finally {
    file.close();
  }
}

/** What it brings; a static tarball as installed below `prefix`, an absolute path. Throws as `tarballFields`. */
export async function* tarballMembers(
  host: Host,
  path: string,
  deadline: number,
  prefix: string,
): AsyncGenerator<Member> {
  let isPacman: boolean | undefined;
  for await (const member of opened(readingOf(host, deadline), path)) {
    isPacman ??= isPacmanMetadata(member);
    if (isPacman) {
      if (!isPacmanMetadata(member)) yield member;
      continue;
    }
    if (member.path !== ownPrefix && !member.path.startsWith(`${ownPrefix}/`)) continue;
    yield { ...member, path: moved(member.path, prefix), target: movedTarget(member, prefix) };
  }
}

async function* opened(reading: Reading, path: string): AsyncGenerator<Member> {
  if (isLayout(reading.host, path)) {
    yield* membersIn(reading, () => layoutMembers(reading.host, path), path);
    return;
  }
  const file = reading.host.open(path);
  try {
    yield* membersIn(reading, () => tarMembers(piecesOf(reading, file, path), path), path);
  } finally {
    file.close();
  }
}

function moved(path: string, prefix: string): string {
  return path === ownPrefix || path.startsWith(`${ownPrefix}/`) ? prefix.slice(1) + path.slice(ownPrefix.length) : path;
}

function readingOf(host: Host, deadline: number): Reading {
  return { host, deadline, spent: { bytes: 0 }, seen: new Set() };
}

/** kata-deploy takes absolute links along (binary/src/artifacts/install.rs of 4.1.0, extract_tarball). */
function movedTarget({ type, target }: Member, prefix: string): string {
  if (type === 'hardlink') return moved(target.replace(/^(\.?\/+)+/, ''), prefix);
  return type === 'symlink' && target.startsWith('/') ? `/${moved(target.slice(1), prefix)}` : target;
}

interface Reading {
  readonly host: Host;
  readonly deadline: number;
  /** Of all archives in archives that were written to temporary files. */
  readonly spent: { bytes: number };
  /** The tarballs that were met in layers. */
  readonly seen: Set<string>;
}

/** What a static tarball, or the image of a container, brings; `all`: what is in the archive, from the beginning at each call. */
async function* membersIn(reading: Reading, all: () => AsyncIterable<Member>, what: string): AsyncGenerator<Member> {
  const layers = await layersOf(all, what);
  for await (const member of all()) {
    if (member.size > limits.payloadBytes) {
      throw new LimitExceeded(`${what}, ${member.path}: ${member.size} bytes, more than ${limits.payloadBytes}`);
    }
    if (layers === undefined) yield member;
    // Docker stores a layer that is there twice as a link to the other one.
    else if (layers.delete(member.path) && member.type === 'file') {
      yield* membersInLayer(reading, member, `${what}, layer ${member.path}`);
    }
  }
  const [missing] = layers ?? [];
  if (missing !== undefined) throw new Corrupt(`${what}: the layer ${missing} is not in it`);
}

async function* membersInLayer(reading: Reading, layer: Member, what: string): AsyncGenerator<Member> {
  for await (const member of membersInMember(reading, layer, what)) {
    if (!member.path.startsWith(artifacts)) continue;
    const inside = member.path.slice(artifacts.length);
    // Older images hold the files themselves.
    if (inside.startsWith(`${ownPrefix}/`)) yield { ...member, path: inside, target: linkInside(member) };
    if (member.type !== 'file' || !/^tarballs\/[^/]+\.tar(?:\.[a-z0-9]+)?$/.test(inside)) continue;
    if (reading.seen.has(inside)) throw new Unsupported(`${what}: ${inside} is in two layers of the image`);
    reading.seen.add(inside);
    yield* membersInMember(reading, member, `${what}, ${inside}`);
  }
}

/** Hard links are named as their files are. */
function linkInside({ type, target }: Member): string {
  const path = target.replace(/^(\.?\/+)+/, '');
  return type === 'hardlink' && path.startsWith(artifacts) ? path.slice(artifacts.length) : target;
}

/** The members of the archive that is this member: of a plain one as it passes; a decompressor reads files, a temporary one. */
async function* membersInMember(reading: Reading, archive: Member, what: string): AsyncGenerator<Member> {
  const passing = new PieceReader(archive.pieces(), what);
  const head = await passing.exactly(Math.min(archive.size, headSize));
  if (isTar(head)) {
    yield* tarMembers(again(head, passing), what);
    return;
  }
  const file = await keptAside(reading, again(head, passing), what);
  try {
    yield* tarMembers(piecesOf(reading, file, what), what);
  } finally {
    file.close();
  }
}

/** What was read already, and the rest. */
async function* again(head: Uint8Array, rest: PieceReader): AsyncGenerator<Uint8Array> {
  yield head;
  for (let piece = await rest.some(readSize); piece.length > 0; piece = await rest.some(readSize)) yield piece;
}

/** In a temporary file without a name. */
async function keptAside(
  { host, deadline, spent }: Reading,
  pieces: AsyncIterable<Uint8Array>,
  what: string,
): Promise<File> {
  const file = host.temporaryFile(what);
  try {
    for await (const piece of pieces) {
      spent.bytes += piece.length;
      if (spent.bytes > limits.packageNestedBytes) {
        throw new LimitExceeded(`${what}: archives of more than ${limits.packageNestedBytes} bytes in it`);
      }
      checkTime(host, deadline, what);
      file.write(piece);
    }
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The tar archive in a file, decompressed. */
async function* piecesOf({ host, deadline }: Reading, file: File, what: string): AsyncGenerator<Uint8Array> {
  const head = file.read(0, Math.min(file.size, headSize));
  const compression = compressionIn(head);
  if (compression !== undefined) {
    const source = new Source(file, new Budget(host, deadline));
    yield* decompress(host, compression, source, 0, limits.payloadBytes);
    return;
  }
  if (!isTar(head)) throw new Unsupported(`${what}: neither a tar archive nor one in gzip, zstd or xz`);
  if (file.size > limits.payloadBytes) throw new LimitExceeded(`${what}: more than ${limits.payloadBytes} bytes`);
  for (let at = 0; at < file.size; at += readSize) {
    checkTime(host, deadline, what);
    yield file.read(at, Math.min(readSize, file.size - at));
  }
}

function checkTime(host: Host, deadline: number, what: string): void {
  if (host.now() > deadline) throw new LimitExceeded(`${what}: not read before the deadline`);
}
