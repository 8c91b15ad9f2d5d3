/**
 * What a .deb says of itself, the fields of its control file, and what it brings. Format: deb(5), an ar archive of
 * `debian-binary`, `control.tar*` and `data.tar*`. dpkg-deb reads it where dpkg is installed; elsewhere it is read here.
 */

import { Corrupt, Io, NotFound, Unsupported } from '../errors.ts';
import type { File, Host } from '../host/host.ts';
import {
  type DebManifestFile,
  debManifestFiles,
  type Manifest,
  manifestLimit,
  parseDebManifest,
} from '../locate/manifest.ts';
import { Bytes, latin1, utf8 } from '../read/bytes.ts';
import * as limits from '../read/limits.ts';
import type { Member, PackageFields } from './members.ts';
import { tarMembers } from './tar.ts';

/** Debian's own longest control files have some 10 kB. */
const controlLimit = 1024 * 1024;
const decompressors: Readonly<Record<string, readonly string[]>> = {
  gz: ['gzip', '-dc'],
  xz: ['xz', '-dc'],
  zst: ['zstd', '-dc'],
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
  try {
    const { status, stdout, stderr } = await host.run(['dpkg-deb', '-f', path], {
      deadline,
      outputLimit: controlLimit,
    });
    if (status !== 0) throw new Corrupt(`${path}: ${stderr.trim().replace(/^dpkg-deb: error: /, '')}`);
    return utf8(stdout) ?? '';
  } catch (error) {
    if (!(error instanceof NotFound) || !error.message.includes('dpkg-deb')) throw error;
  }
  for await (const member of tarMembers(memberStream(host, path, 'control', deadline), path)) {
    if (member.path === 'control') return utf8(await member.content(controlLimit)) ?? '';
  }
  throw new Corrupt(`${path}: holds no control file`);
}

/** Out of its control archive. Throws as `readDebFields`. */
export async function readDebManifest(host: Host, path: string, deadline: number): Promise<Manifest> {
  const texts = new Map<DebManifestFile, string>();
  for await (const member of tarMembers(tarStream(host, path, 'control', deadline), path)) {
    const name = debManifestFiles.find((known) => known === member.path);
    if (name === undefined || member.type !== 'file') continue;
    const bytes = await member.content(manifestLimit);
    texts.set(name, utf8(bytes) ?? latin1(bytes));
  }
  return parseDebManifest(texts);
}

/** What the package brings. Throws as `readDebFields`. */
export function debMembers(host: Host, path: string, deadline: number): AsyncGenerator<Member> {
  return tarMembers(tarStream(host, path, 'data', deadline), path);
}

type Archive = 'control' | 'data';

const tarfileOptions: Readonly<Record<Archive, string>> = { control: '--ctrl-tarfile', data: '--fsys-tarfile' };

async function* tarStream(host: Host, path: string, name: Archive, deadline: number): AsyncGenerator<Uint8Array> {
  const limit = { deadline, outputLimit: limits.payloadBytes };
  try {
    yield* host.stream(['dpkg-deb', tarfileOptions[name], path], limit);
  } catch (error) {
    // What dpkg-deb's processes say of each other behind the first line tells nothing more.
    if (error instanceof Io) throw new Io(`${path}: ${error.message.replace(/\n.*/s, '')}`);
    if (!(error instanceof NotFound) || !error.message.includes('dpkg-deb')) throw error;
    yield* memberStream(host, path, name, deadline);
  }
}

/** The tar archive of that name, decompressed. */
async function* memberStream(host: Host, path: string, name: Archive, deadline: number): AsyncGenerator<Uint8Array> {
  const file = host.open(path);
  try {
    const member = findMember(file, `${name}.tar`);
    const extension = member.name.slice(`${name}.tar`.length + 1);
    if (extension === '') {
      const step = 65536;
      for (let at = 0; at < member.size; at += step)
        yield file.read(member.offset + at, Math.min(step, member.size - at));
      return;
    }
    const argv = decompressors[extension];
    if (argv === undefined) throw new Unsupported(`${path}: ${member.name} is compressed in an unknown way`);
    // The stream goes on behind the member; the reader of the tar archive stops before.
    yield* host.stream(argv, { deadline, outputLimit: limits.payloadBytes, input: { file, offset: member.offset } });
  } finally {
    file.close();
  }
}

interface ArMember {
  readonly name: string;
  /** Both in bytes. */
  readonly offset: number;
  readonly size: number;
}

/** ar(5): a magic line, then headers of 60 bytes, each before its member, at even offsets. */
function findMember(file: File, prefix: string): ArMember {
  const magic = '!<arch>\n';
  if (file.size < magic.length || new Bytes(file.read(0, magic.length), file.path).latin1(0, magic.length) !== magic) {
    throw new Corrupt(`${file.path}: is not a .deb`);
  }
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
