/**
 * What an .rpm says of itself, the paths it brings, and its payload: a cpio archive in the newc form. rpm and rpm2cpio read it, and
 * are given the open file: an argument would be taken for a pattern of names, and a text for a list of further packages.
 * Not read: rpms with a file of 4 GiB and more, which rpm2cpio refuses. Signatures are the package manager's to check.
 */

import { Corrupt, LimitExceeded, NotFound, Unsupported } from '../errors.ts';
import type { File, Host, RunOptions } from '../host/host.ts';
import { type Manifest, parseRpmManifest, rpmManifestFormat } from '../locate/manifest.ts';
import { rpmFormat } from '../locate/packages.ts';
import { declaredByProvides } from '../locate/provides.ts';
import { latin1, utf8 } from '../read/bytes.ts';
import { cpioName, headerSize, padding, parseCpioHeader, trailer } from '../read/cpio.ts';
import { isCpio } from '../read/decompress.ts';
import * as limits from '../read/limits.ts';
import { Content, type Member, type PackageFields, PieceReader } from './members.ts';

/** Of what rpm says: the Provides of a kernel, or the paths of the largest packages, have some MB. */
const outputLimit = 32 * 1024 * 1024;

/** `deadline`: milliseconds on the host's clock. Throws NotFound (the file, or the program rpm), Corrupt, Io, LimitExceeded. */
export async function readRpmFields(host: Host, path: string, deadline: number): Promise<PackageFields> {
  const [name = '', version = '', provides = ''] = (await query(host, path, rpmFormat, deadline)).split('\t');
  if (name === '' || version === '') throw new Corrupt(`${path}: names no package or no version`);
  return { name, version, ...declaredByProvides(provides.split(',')) };
}

/** Out of its header. Throws as `readRpmFields`. */
export async function readRpmManifest(host: Host, path: string, deadline: number): Promise<Manifest> {
  return parseRpmManifest(await query(host, path, rpmManifestFormat, deadline));
}

async function query(host: Host, path: string, format: string, deadline: number): Promise<string> {
  const argv = ['rpm', '-qp', '--nosignature', '--nodigest', '--nomanifest', '--queryformat', format, '-'];
  return withFile(host, path, async (file) => {
    const input = { file, offset: 0 };
    const { status, stdout, stderr } = await host.run(argv, { deadline, outputLimit, input });
    if (status !== 0) throw new Corrupt(`${path}: ${reason(stderr)}`);
    return utf8(stdout) ?? latin1(stdout);
  });
}

/** rpm says the name of what it reads, which is none here. */
function reason(stderr: string): string {
  const [line = ''] = stderr.trim().split('\n', 1);
  return line === '' ? 'rpm cannot read it' : line.replace(/^error: (?:-: )?/, '');
}

async function withFile<T>(host: Host, path: string, use: (file: File) => Promise<T>): Promise<T> {
  const file = host.open(path);
  try {
    return await use(file);
  } finally {
    file.close();
  }
}

/** Throws as `readRpmFields`; without the program rpm2cpio, NotFound names it. */
export async function* rpmMembers(host: Host, path: string, deadline: number): AsyncGenerator<Member> {
  const file = host.open(path);
  const options = { deadline, outputLimit: limits.payloadBytes, input: { file, offset: 0 } };
  const reader = new PieceReader(payload(host, path, options), path);
  try {
    for (;;) {
      const start = reader.position;
      const place = `${path}, byte ${start} of its payload`;
      const header = await reader.exactly(headerSize, place);
      if (!isCpio(header)) throw new Corrupt(`${place}: no cpio header`);
      const { kind, size, nameSize, shared } = parseCpioHeader(header, path, start);
      const bytes = await reader.exactly(nameSize + padding(headerSize + nameSize), place);
      const name = cpioName(bytes, nameSize, path, start);
      if (name === trailer) return;
      const content = new Content(reader, size, place);
      const target = kind === 'symlink' ? latin1(await content.all(limits.pathBytes)) : '';
      yield {
        path: name.replace(/^(\.?\/+)+/, ''),
        type: kind,
        size,
        target,
        identity: shared === undefined ? null : `${shared.format}:${shared.device}:${shared.inode}`,
        content: (limit) => content.all(limit),
        pieces: () => content.pieces(),
      };
      await reader.skip(content.left + padding(size), place);
    }
  } finally {
    await reader.close();
    file.close();
  }
}

async function* payload(host: Host, path: string, options: RunOptions): AsyncGenerator<Uint8Array> {
  try {
    yield* host.stream(['rpm2cpio', '-'], options);
  } catch (error) {
    if (error instanceof NotFound) throw new NotFound(`${error.message}; it is in the package rpm2cpio or rpm`);
    if (error instanceof Error && /over 4GB/.test(error.message)) {
      throw new Unsupported(`${path}: an rpm with a file of 4 GiB or more`);
    }
    throw error instanceof LimitExceeded ? new LimitExceeded(`${path}: ${error.message}`) : error;
  }
}
