/**
 * What a .deb says of itself, the fields of its control file, and what it brings. Format: deb(5), an ar archive of
 * `debian-binary`, `control.tar*` and `data.tar*`.
 *
 * The control archive is small, and read here: `dpkg-deb --field` unpacks all of it into /tmp, which any user can fill, and one program for
 * each of a thousand packages takes half a minute. The payload comes from dpkg-deb where dpkg is installed; elsewhere it is read here.
 */

import { Corrupt, Io, LimitExceeded, NotFound, Unsupported } from '../errors.ts';
import type { File, Host, RunOptions } from '../host/host.ts';
import {
  type DebManifestFile,
  debManifestFiles,
  type Manifest,
  manifestLimit,
  parseDebManifest,
} from '../locate/manifest.ts';
import { Bytes, find, latin1, utf8 } from '../read/bytes.ts';
import * as limits from '../read/limits.ts';
import type { Member, PackageFields } from './members.ts';
import { tarMembers } from './tar.ts';

/** Debian's own longest control files have some 10 kB. */
const controlLimit = 1024 * 1024;
const decompressors: Readonly<Record<string, readonly string[]>> = {
  gz: ['gzip', '-dc'],
  xz: ['xz', '-dc', '-T1', '--memlimit-decompress=72MiB'],
  zst: ['zstd', '-dcq', '--memory=32MB'],
};

/** Written by hand, without dpkg-gencontrol, a field keeps the XB- that should have been taken off. */
const requiresField = /^(?:XB-)?Kata-Agent-Requires$/i;
const versionField = /^(?:XB-)?Kata-Agent-Version$/i;

/** Throws NotFound, Corrupt (not a .deb), Unsupported, Io, LimitExceeded. */
export async function readDebFields(host: Host, path: string, deadline: number): Promise<PackageFields> {
  const fields = parseControl(await readControl(host, path, deadline));
  const value = (name: RegExp): string | null => fields.find(([key]) => name.test(key))?.[1] ?? null;
  const name = value(/^Package$/i);
  const version = value(/^Version$/i);
  if (name === null || version === null) throw new Corrupt(`${path}: its control file names no package or no version`);
  return { name, version, agentRequires: value(requiresField), agentVersion: value(versionField) };
}

/** In both fields, however their first letters are written. */
const telling = Uint8Array.from('gent-', (letter) => letter.charCodeAt(0));

/**
 * Whether a package may carry one of the fields: false where it can be told at once that it does not, as for hundreds of .debs that have
 * nothing to do with Kata. Throws as `readDebFields`.
 */
export function mayDeclare(host: Host, path: string): boolean {
  const file = host.open(path);
  try {
    if (!isDeb(file)) return true;
    const member = findMember(file, 'control.tar');
    if (member.size > limits.controlBytes) return true;
    const packed = file.read(member.offset, member.size);
    const argv = decompressors[extensionOf(member)];
    const control = member.name === 'control.tar' ? packed : argv && host.unpacked(argv, packed, limits.controlBytes);
    return control === undefined || find(control, telling) !== -1;
  } finally {
    file.close();
  }
}

export function parseControl(text: string): [name: string, value: string][] {
  return text
    .replace(/\n[ \t]+/g, ' ')
    .split('\n')
    .flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon <= 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]];
    });
}

async function readControl(host: Host, path: string, deadline: number): Promise<string> {
  for await (const member of controlMembers(host, path, deadline)) {
    if (member.path === 'control') return utf8(await member.content(controlLimit)) ?? '';
  }
  throw new Corrupt(`${path}: holds no control file`);
}

/** Out of its control archive. Throws as `readDebFields`. */
export async function readDebManifest(host: Host, path: string, deadline: number): Promise<Manifest> {
  const texts = new Map<DebManifestFile, string>();
  for await (const member of controlMembers(host, path, deadline)) {
    const name = debManifestFiles.find((known) => known === member.path);
    if (name === undefined || member.type !== 'file') continue;
    const bytes = await member.content(manifestLimit);
    texts.set(name, utf8(bytes) ?? latin1(bytes));
  }
  return parseDebManifest(texts);
}

async function* controlMembers(host: Host, path: string, deadline: number): AsyncGenerator<Member> {
  let count = 0;
  for await (const member of tarMembers(controlStream(host, path, deadline), path)) {
    count += 1;
    if (count > limits.controlMembers) {
      throw new LimitExceeded(`${path}: more than ${limits.controlMembers} members in its control archive`);
    }
    yield member;
  }
}

async function* controlStream(host: Host, path: string, deadline: number): AsyncGenerator<Uint8Array> {
  const limit = { deadline, outputLimit: limits.controlBytes };
  try {
    yield* memberStream(host, path, 'control', limit);
  } catch (error) {
    // dpkg has the libraries of all compressions, and depends on none of their programs.
    if (!(error instanceof NotFound) || !/^the program /.test(error.message)) throw error;
    yield* host.stream(['dpkg-deb', '--ctrl-tarfile', path], limit);
  }
}

/** What the package brings. Throws as `readDebFields`. */
export function debMembers(host: Host, path: string, deadline: number): AsyncGenerator<Member> {
  return tarMembers(dataStream(host, path, deadline), path);
}

async function* dataStream(host: Host, path: string, deadline: number): AsyncGenerator<Uint8Array> {
  const limit = { deadline, outputLimit: limits.payloadBytes };
  try {
    yield* host.stream(['dpkg-deb', '--fsys-tarfile', path], limit);
  } catch (error) {
    // What dpkg-deb's processes say of each other behind the first line tells nothing more.
    if (error instanceof Io) throw new Io(`${path}: ${error.message.replace(/\n.*/s, '')}`);
    if (!(error instanceof NotFound) || !error.message.includes('dpkg-deb')) throw error;
    yield* memberStream(host, path, 'data', limit);
  }
}

/** The tar archive of that name, decompressed. */
async function* memberStream(
  host: Host,
  path: string,
  name: 'control' | 'data',
  limit: Pick<RunOptions, 'deadline' | 'outputLimit'>,
): AsyncGenerator<Uint8Array> {
  const file = host.open(path);
  try {
    const member = findMember(file, `${name}.tar`);
    const extension = extensionOf(member);
    if (name === 'control' && member.size > limit.outputLimit) {
      throw new LimitExceeded(`${path}: ${member.name} has ${member.size} bytes, more than ${limit.outputLimit}`);
    }
    if (extension === '') {
      const step = 65536;
      for (let at = 0; at < member.size; at += step)
        yield file.read(member.offset + at, Math.min(step, member.size - at));
      return;
    }
    const argv = decompressors[extension];
    if (argv === undefined) throw new Unsupported(`${path}: ${member.name} is compressed in an unknown way`);
    // The stream goes on behind the member; the reader of the tar archive stops before.
    yield* host.stream(argv, { ...limit, input: { file, offset: member.offset } });
  } catch (error) {
    // The words of a program are others than those of its library.
    const status = error instanceof Io ? /failed with status ([0-9]+)/.exec(error.message)?.[1] : undefined;
    if (status === undefined || Number(status) >= 128) throw error;
    throw new Corrupt(`${path}: its ${name} archive is broken, ends too early, or needs too much memory`);
  } finally {
    file.close();
  }
}

/** `xz` of `control.tar.xz`. */
function extensionOf({ name }: ArMember): string {
  return name.replace(/^[^.]*\.tar\.?/, '');
}

const magic = '!<arch>\n';

function isDeb(file: File): boolean {
  return file.size >= magic.length && latin1(file.read(0, magic.length)) === magic;
}

interface ArMember {
  readonly name: string;
  /** Both in bytes. */
  readonly offset: number;
  readonly size: number;
}

/** ar(5): a magic line, then headers of 60 bytes, each before its member, at even offsets. */
function findMember(file: File, prefix: string): ArMember {
  if (!isDeb(file)) throw new Corrupt(`${file.path}: is not a .deb`);
  let offset = magic.length;
  // A .deb has three members; deb(5) allows some more, whose names begin with an underscore.
  for (let count = 0; count < 100 && offset + 60 <= file.size; count += 1) {
    const header = new Bytes(file.read(offset, 60), `${file.path}, byte ${offset}`);
    const name = header.latin1(0, 16).replace(/\/? *$/, '');
    const size = /^([0-9]{1,10}) *$/.exec(header.latin1(48, 10))?.[1];
    if (size === undefined || header.latin1(58, 2) !== '`\n')
      throw new Corrupt(`${header.what}: not the header of an ar member`);
    if (name === prefix || name.startsWith(`${prefix}.`)) {
      if (offset + 60 + Number(size) > file.size) throw new Corrupt(`${file.path}: breaks off in its member ${name}`);
      return { name, offset: offset + 60, size: Number(size) };
    }
    offset += 60 + Number(size) + (Number(size) % 2);
  }
  throw new Corrupt(`${file.path}: holds no ${prefix}`);
}
