/** A Debian with kata-check from its real package, and small packages of Kata to install there. */

import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeDisk, makeExt, temporaryFolder, writeTree } from '../images.ts';
import { Debian } from './debian.ts';

const dist = join(import.meta.dirname, '../../dist');
const scratch = temporaryFolder();
export const program = '/usr/bin/kata-runtime';
export const image = '/usr/share/kata-containers/kata-containers.img';
const configuration = `[hypervisor.qemu]\nimage = "${image}"\n`;

const guestImages = new Map<string, Buffer>();

export function guestImage(version: string): Buffer {
  const known = guestImages.get(version);
  if (known !== undefined) return known;
  const filesystem = makeExt(
    join(scratch, `${version}.ext4`),
    writeTree(join(scratch, version), guestTree(version)),
    '16M',
  );
  const made = readFileSync(makeDisk(join(scratch, `${version}.img`), filesystem, { dax: true }));
  guestImages.set(version, made);
  return made;
}

/** As a package of Kata calls it. */
const preinst = `#!/bin/sh
set -e
if test -x /usr/bin/kata-check; then
  /usr/bin/kata-check hook preinst "$@" || case $? in 10 | 11) exit 1 ;; esac
fi
`;

const ranges = {
  '1.0.0': '>=1.0.0 <1.1.0',
  '1.1.0': '>=1.1.0 <1.2.0',
  '1.1.1': '>=1.1.0 <1.2.0',
} as const;

export type Version = keyof typeof ranges;

/** The runtime and the guest image of one version. */
export interface Pair {
  readonly runtime: string;
  readonly image: string;
  readonly version: Version;
  /** Of the one towards the other, as Depends. */
  readonly runtimeFields?: Readonly<Record<string, string>>;
  readonly imageFields?: Readonly<Record<string, string>>;
  /** They ask kata-check in their preinst. */
  readonly asks?: boolean;
}

export function makePair(folder: string, pair: Pair): void {
  const { version, asks = false } = pair;
  const scripts = asks ? { preinst } : {};
  makeDeb(folder, {
    name: pair.runtime,
    version: `${version}-1`,
    fields: { 'Kata-Agent-Requires': ranges[version], ...pair.runtimeFields },
    files: {
      [program]: `#!/bin/sh\necho "kata-runtime  : ${version}"\n`,
      'usr/share/defaults/kata-containers/configuration.toml': configuration,
    },
    scripts,
    compression: 'xz',
  });
  makeDeb(folder, {
    name: pair.image,
    version: `${version}-1`,
    fields: { 'Kata-Agent-Version': version, ...pair.imageFields },
    files: { [image]: guestImage(version) },
    scripts,
    compression: 'xz',
  });
}

/** How two packages can be bound: the fields of runtime and image, towards an image and a runtime of this version. */
const relations: readonly [
  name: string,
  runtime: Readonly<Record<string, string>>,
  image: Readonly<Record<string, string>>,
][] = [
  ['none', {}, {}],
  ['depends', { Depends: 'IMAGE (>= 1.1.0-1)' }, {}],
  ['predepends', { 'Pre-Depends': 'IMAGE (>= 1.1.0-1)' }, {}],
  ['breaks', { Breaks: 'IMAGE (<< 1.1.0-1)' }, {}],
  ['image-depends', {}, { Depends: 'RUNTIME (>= 1.1.0-1)' }],
  ['image-breaks', {}, { Breaks: 'RUNTIME (<< 1.1.0-1)' }],
  ['mutual', { Breaks: 'IMAGE (<< 1.1.0-1)' }, { Breaks: 'RUNTIME (<< 1.1.0-1)' }],
];

/**
 * Pairs that ask in their preinst, of 1.0.0 and 1.1.0, with each relation in the later one. apt goes by names where no relation tells it
 * otherwise: one runtime comes first, one last.
 */
export const askingPairs: readonly Pair[] = relations.flatMap(([relation, runtimeFields, imageFields]) =>
  [
    ['a', 'z'],
    ['z', 'a'],
  ].flatMap(([first, second]) => {
    const names = { runtime: `${first}-${relation}-kata-rt`, image: `${second}-${relation}-kata-img` };
    const named = (fields: Readonly<Record<string, string>>): Record<string, string> =>
      Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [
          key,
          value.replace('IMAGE', names.image).replace('RUNTIME', names.runtime),
        ]),
      );
    return (['1.0.0', '1.1.0'] as const).map(
      (version): Pair => ({
        ...names,
        version,
        asks: true,
        ...(version === '1.1.0' ? { runtimeFields: named(runtimeFields), imageFields: named(imageFields) } : {}),
      }),
    );
  }),
);
/** `pairs`: further ones for its repository. `kind`: how programs run in it. */
export function prepare(suiteName: string, pairs: readonly Pair[] = [], kind: typeof Debian = Debian): Debian {
  const debian = new kind(suiteName);
  const repository = join(debian.root, 'repository');
  for (const version of Object.keys(ranges) as Version[]) {
    makePair(repository, { runtime: 'kata-runtime', image: 'kata-containers-image', version });
    makeDeb(repository, { name: 'unrelated', version: `${version}-1` });
  }
  for (const pair of pairs) makePair(repository, pair);
  const [own] = readdirSync(dist).filter((name) => name.endsWith('.deb'));
  assert.ok(own !== undefined, 'npm run build:deb makes the package');
  copyFileSync(join(dist, own), join(repository, own));
  debian.publish();
  debian.expect('apt-get', 'install', '-y', 'kata-check');
  return debian;
}
