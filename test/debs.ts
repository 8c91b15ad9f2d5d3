/** Real .deb files, made by dpkg-deb. */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { run, type Tree, temporaryFolder, writeTree } from './images.ts';

export interface Deb {
  readonly name: string;
  readonly version: string;
  /** Further fields of the control file. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly files?: Tree;
  /** preinst and its kin, by name. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** dpkg-deb's -Z: none, gzip, xz, zstd. */
  readonly compression?: string;
}

/** Returns the path of the package in `folder`. */
export function makeDeb(folder: string, deb: Deb): string {
  const tree = temporaryFolder();
  const fields = {
    Package: deb.name,
    Version: deb.version,
    Architecture: 'all',
    Maintainer: 'Nobody <nobody@example.invalid>',
    ...deb.fields,
    Description: `${deb.name}, made for a test`,
  };
  writeTree(tree, {
    'DEBIAN/control': Object.entries(fields)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(''),
    ...deb.files,
  });
  for (const [name, text] of Object.entries(deb.scripts ?? {}))
    writeFileSync(join(tree, 'DEBIAN', name), text, { mode: 0o755 });
  run('chmod', '-R', 'u=rwX,go=rX', tree);
  const file = join(folder, `${deb.name}_${deb.version.replace(':', '%3a')}_all.deb`);
  run(
    'dpkg-deb',
    '--root-owner-group',
    `-Z${deb.compression ?? 'gzip'}`,
    '--uniform-compression',
    '--build',
    tree,
    file,
  );
  rmSync(tree, { recursive: true });
  return file;
}

export interface TarEntry {
  readonly path: string;
  /** ustar's letter: 0 a file, 1 a hard link, 2 a symbolic one, 3 a device, 5 a directory, 6 a FIFO, x a pax header. */
  readonly type?: string;
  readonly content?: Uint8Array | string;
  readonly target?: string;
  /** What the header says, whatever the content has. */
  readonly size?: number;
}

/** Any tar archive, also such as tar and dpkg-deb would never write. */
export function tarOf(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap(({ path, type = '0', content = '', target = '', size }) => {
    const bytes = Buffer.from(content);
    const head = Buffer.alloc(512);
    head.write(path, 0);
    head.write('0000644\0', 100);
    const said = size ?? bytes.length;
    if (said < 8 ** 11) head.write(`${said.toString(8).padStart(11, '0')}\0`, 124);
    else head.writeBigUInt64BE(BigInt(said), 128);
    if (said >= 8 ** 11) head[124] = 0x80;
    head.write(type, 156);
    head.write(target, 157);
    head.write('ustar\0', 257);
    head.write('        ', 148);
    const checksum = head.reduce((sum, byte) => sum + byte, 0);
    head.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
    const body = Buffer.alloc(Math.ceil(bytes.length / 512) * 512);
    bytes.copy(body);
    return [head, body];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A .deb whose data.tar is this one, put together by hand; `suffix`: of its name, when it is compressed. */
export function rawDeb(
  folder: string,
  { name, version, fields = {} }: Deb,
  data: Uint8Array,
  suffix: '' | '.gz' | '.xz' | '.zst' = '',
): string {
  const control = Object.entries({ Package: name, Version: version, Architecture: 'all', ...fields });
  const members: [string, Uint8Array][] = [
    ['debian-binary', Buffer.from('2.0\n')],
    [
      'control.tar',
      tarOf([{ path: './control', content: control.map(([key, value]) => `${key}: ${value}\n`).join('') }]),
    ],
    [`data.tar${suffix}`, data],
  ];
  const parts = members.flatMap(([member, content]) => [
    Buffer.from(
      `${member.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${`${content.length}`.padEnd(10)}\`\n`,
    ),
    content,
    Buffer.alloc(content.length % 2, '\n'),
  ]);
  const file = join(folder, `${name}_${version}_all.deb`);
  writeFileSync(file, Buffer.concat([Buffer.from('!<arch>\n'), ...parts]));
  return file;
}

/** A .deb that takes longer than any test of it: this member first, and then twelve gigabytes of zeros in members of gzip. */
export function endlessDeb(folder: string, deb: Deb, first: TarEntry): string {
  const piece = 1 << 26;
  const count = 192;
  const zeros = gzipSync(Buffer.alloc(piece), { level: 1 });
  const rest = tarOf([{ path: 'zeros', size: count * piece }]).subarray(0, 512);
  const parts = [
    gzipSync(tarOf([first]).subarray(0, -1024)),
    gzipSync(rest),
    ...Array.from({ length: count }, () => zeros),
  ];
  return rawDeb(folder, deb, Buffer.concat(parts), '.gz');
}
