import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { type IncomingImage, IncomingPayload, Room } from '../../src/archive/incoming.ts';
import { openPackage } from '../../src/archive/package.ts';
import { Io } from '../../src/errors.ts';
import type { Host, TemporaryFile } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import * as limits from '../../src/read/limits.ts';
import { makeDeb, rawDeb, type TarEntry, tarOf } from '../debs.ts';
import { guestTree, makeDisk, makeExt, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';

const test = suite('incoming images');
const host = createNodeHost();
const folder = temporaryFolder();
const images = '/usr/share/kata-containers';
const wanted = `${images}/kata-containers.img`;
const deb = ['dpkg-deb', 'gzip'];
const rpm = ['rpm', 'rpmbuild', 'rpm2cpio'];

/** As image_builder.sh makes it, over a megabyte so that it is kept as it passes. */
let disk: Buffer | undefined;
function diskImage(): Buffer {
  const tree = writeTree(temporaryFolder(), guestTree('3.5.0'));
  disk ??= readFileSync(makeDisk(join(folder, 'disk'), makeExt(join(folder, 'ext'), tree, '2M'), { dax: true }));
  return disk;
}

function initrd(): Buffer {
  const tree = writeTree(temporaryFolder(), guestTree('3.5.0'));
  const list = join(folder, 'initrd.cpio');
  run('sh', '-c', `cd ${tree} && find . | cpio --quiet -o -H newc > ${list}`);
  return gzipSync(readFileSync(list));
}

/** The descriptors of this process that are files without a name. */
function unnamed(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      return /\/kata-check-[0-9a-f]+/.test(target) ? [target] : [];
    } catch {
      return [];
    }
  });
}

interface Parts {
  readonly names?: readonly string[];
  readonly host?: Host;
  readonly deadline?: number;
}

async function readIn(path: string, parts: Parts = {}): Promise<IncomingImage> {
  const { names = [wanted], host: on = host, deadline = host.now() + 60_000 } = parts;
  const payload = new IncomingPayload(on, openPackage(on, path, deadline), names, deadline);
  try {
    const found = await payload.images([{ path: names[0] ?? '', names }]);
    const image = found.get(names[0] ?? '');
    assert.ok(image);
    return image as IncomingImage;
  } finally {
    payload.close();
    assert.equal(unnamed(), []);
  }
}

/** What was found, in words. */
function told({ facts, problem }: IncomingImage): string {
  if (facts === null) return problem;
  if (facts.problem !== null) return `${facts.problem.kind}: ${facts.problem.message}`;
  const what = facts.form === 'disk' ? `disk, ${facts.table}, ${facts.filesystem}` : `initrd, ${facts.compression}`;
  return `${facts.agent?.version.text} in ${facts.resolvedPath}: ${what}`;
}

const isDisk = (place = wanted): string => `3.5.0 in ${place}: disk, mbr, ext4`;

type Row = readonly [rule: string, files: () => Tree, expected: string, names?: readonly string[]];

const versioned = `${images}/kata-containers-3.5.0.img`;

const both: readonly Row[] = [
  ['at the configured path', () => ({ [wanted]: diskImage() }), isDisk()],
  [
    'behind a link',
    () => ({ [versioned]: diskImage(), [wanted]: { link: 'kata-containers-3.5.0.img' } }),
    isDisk(versioned),
  ],
  ['behind an absolute link', () => ({ [versioned]: diskImage(), [wanted]: { link: versioned } }), isDisk(versioned)],
  [
    'behind a link into another folder, which takes a second time',
    () => ({ '/opt/images/a.img': diskImage(), [wanted]: { link: '../../../opt/images/a.img' } }),
    isDisk('/opt/images/a.img'),
  ],
  [
    'in a folder that is a link',
    () => ({ '/opt/images/kata-containers.img': diskImage(), [images]: { link: '/opt/images' } }),
    isDisk('/opt/images/kata-containers.img'),
  ],
  [
    'by the name that the configured one leads to on the node',
    () => ({ [wanted]: diskImage() }),
    isDisk(),
    ['/srv/my.img', wanted],
  ],
  ['an initrd', () => ({ [wanted]: initrd() }), `3.5.0 in ${wanted}: initrd, gzip`],
  ['not in the package', () => ({ '/usr/share/doc/x': 'x' }), `${wanted} is not in the package`],
  [
    'a link to what is not in the package',
    () => ({ [wanted]: { link: '/etc/passwd' } }),
    `${wanted} leads to /etc/passwd, which is not in the package`,
  ],
  [
    'a link that leads out of everything',
    () => ({ [wanted]: { link: '../../../../../../etc/passwd' } }),
    `${wanted} leads to /etc/passwd, which is not in the package`,
  ],
  ['empty', () => ({ [wanted]: '' }), `unsupported: ${wanted} is empty`],
  [
    'no image',
    () => ({ [wanted]: 'x'.repeat(5000) }),
    `unsupported: ${wanted}: no ext4, xfs or erofs filesystem in it`,
  ],
];

for (const [index, [rule, files, expected, names]] of both.entries()) {
  test(
    `deb: ${rule}`,
    async () => {
      const path = makeDeb(folder, { name: `row-${index}`, version: '1', files: files() });
      assert.is(told(await readIn(path, names === undefined ? {} : { names })), expected);
    },
    { needs: ['mkfs.ext4', 'cpio', ...deb] },
  );
  test(
    `rpm: ${rule}`,
    async () => {
      const path = makeRpm(folder, { name: `row-${index}`, version: '1', files: files() });
      assert.is(told(await readIn(path, names === undefined ? {} : { names })), expected);
    },
    { needs: ['mkfs.ext4', 'cpio', ...rpm] },
  );
}

test(
  'rpm: a hard link, whichever of its names has the content',
  async () => {
    for (const [index, other] of ['kata-a.img', 'kata-z.img'].entries()) {
      const path = makeRpm(folder, {
        name: `hard-${index}`,
        version: '1',
        files: { [`${images}/${other}`]: diskImage() },
        install: [`ln %{buildroot}${images}/${other} %{buildroot}${wanted}`],
        adds: [wanted],
      });
      assert.match(told(await readIn(path)), /^3\.5\.0 in .*: disk, mbr, ext4$/);
    }
  },
  { needs: ['mkfs.ext4', ...rpm] },
);

test(
  'several images of one package, in one reading',
  async () => {
    const other = `${images}/kata-containers-initrd.img`;
    const path = makeDeb(folder, {
      name: 'several',
      version: '1',
      files: { [wanted]: diskImage(), [other]: initrd() },
    });
    const deadline = host.now() + 60_000;
    const payload = new IncomingPayload(host, openPackage(host, path, deadline), [wanted, other, '/none'], deadline);
    const found = await payload.images([wanted, other, '/none'].map((name) => ({ path: name, names: [name] })));
    assert.equal(
      [...found.values()].map(told).sort(),
      ['/none is not in the package', isDisk(), `3.5.0 in ${other}: initrd, gzip`].sort(),
    );
    payload.close();
    assert.equal(unnamed(), []);
  },
  { needs: ['mkfs.ext4', 'cpio', ...deb] },
);

test(
  'E4: all packages of a run share one room on the disk, and what one no longer needs is for the next',
  async () => {
    const room = new Room();
    room.left = 3_000_000;
    const deadline = host.now() + 60_000;
    const [first, second] = ['one', 'other'].map((name) => {
      const path = makeDeb(folder, {
        name: `room-${name}`,
        version: '1',
        files: { [wanted]: Buffer.alloc(2_000_000, name) },
      });
      return new IncomingPayload(host, openPackage(host, path, deadline), [wanted], deadline, {}, room);
    });
    const asked = [{ path: wanted, names: [wanted] }];
    const problem = async (payload: IncomingPayload | undefined): Promise<string> =>
      told((await payload?.images(asked))?.get(wanted) as IncomingImage);
    await first?.places();
    assert.is(room.left, 1_000_000);
    assert.match(await problem(second), /the images of this run have more than [0-9]+ bytes in all$/);
    first?.close();
    assert.is(room.left, 3_000_000);
    assert.match(await problem(second), /no ext4, xfs or erofs filesystem/);
    second?.close();
    assert.is(room.left, 3_000_000);
    assert.equal(unnamed(), []);
  },
  { needs: deb },
);

const member = wanted.slice(1);
const terabyte = 1024 ** 4;

const hostile: readonly [rule: string, entries: () => readonly TarEntry[], expected: RegExp][] = [
  [
    'a link that leads deeper with each step',
    () => [
      { path: member, type: '2', target: 'l' },
      { path: 'x', type: 'K', content: `${'b/'.repeat(2000)}\0` },
      { path: 'usr/share/kata-containers/l', type: '2' },
      { path: 'x', type: 'K', content: `${'c/'.repeat(2000)}\0` },
      { path: `usr/share/kata-containers/${'b/'.repeat(10)}b`, type: '2' },
    ],
    /longer than 4096 bytes$/,
  ],
  [
    'a link to itself',
    () => [{ path: member, type: '2', target: 'kata-containers.img' }],
    /more than 40 symbolic links$/,
  ],
  ['a directory', () => [{ path: `${member}/`, type: '5' }], /is a directory, not a regular file$/],
  [
    'a hard link to a member before',
    () => [
      { path: 'a', content: diskImage() },
      { path: member, type: '1', target: './a' },
    ],
    /^3\.5\.0 in \/a: /,
  ],
  [
    'a hard link out of the package',
    () => [{ path: member, type: '1', target: '../../../etc/passwd' }],
    /not in the package$/,
  ],
  [
    'a member of a terabyte that is not there',
    () => [{ path: member, size: terabyte }],
    /kata-containers\.img has 1099511627776 bytes, more than 2147483648$|breaks off/,
  ],
  [
    "a terabyte in GNU's old sparse form",
    () => [{ path: member, type: 'S', content: 'x' }],
    /is stored as a sparse file, which is not read$/,
  ],
  [
    'a terabyte in a sparse form of pax',
    () => [
      { path: 'x', type: 'x', content: '22 GNU.sparse.major=1\n35 GNU.sparse.realsize=1099511627776\n' },
      { path: member },
    ],
    /is stored as a sparse file, which is not read$/,
  ],
  ['a FIFO', () => [{ path: member, type: '6' }], /is a device, FIFO or socket, not a regular file$/],
  ['a device', () => [{ path: member, type: '3' }], /is a device, FIFO or socket, not a regular file$/],
  [
    'names that lead out are at no place',
    () => [
      { path: `../../${member}`, content: diskImage() },
      { path: `x/../${member}`, content: diskImage() },
    ],
    /^\/usr\/share\/kata-containers\/kata-containers\.img is not in the package$/,
  ],
  ['an absolute name', () => [{ path: `/${member}`, content: diskImage() }], /^3\.5\.0 in /],
  [
    'of a member that comes twice the last one counts',
    () => [
      { path: member, content: diskImage() },
      { path: member, content: 'x' },
    ],
    /^unsupported: /,
  ],
  [
    'in either order',
    () => [
      { path: member, content: 'x' },
      { path: member, content: diskImage() },
    ],
    /^3\.5\.0 in /,
  ],
  [
    'a link that replaces it',
    () => [
      { path: member, content: diskImage() },
      { path: member, type: '2', target: '/etc/shadow' },
    ],
    /leads to \/etc\/shadow, which is not in the package$/,
  ],
  [
    'a link of 5000 bytes',
    () => [
      { path: 'x', type: 'K', content: `${'a/'.repeat(2500)}\0` },
      { path: member, type: '2' },
    ],
    /a link longer than 4096 bytes$/,
  ],
];

for (const [index, [rule, entries, expected]] of hostile.entries()) {
  test(
    `hostile: ${rule}`,
    async () => {
      const path = rawDeb(folder, { name: `hostile-${index}`, version: '1' }, tarOf(entries()));
      assert.match(told(await readIn(path)), expected);
    },
    { needs: ['mkfs.ext4', ...deb] },
  );
}

/** An rpm with a plain payload, in which this text, of the same length, stands in place of the other. */
function patched(name: string, from: string | RegExp, to: string): string {
  const files = { [wanted]: diskImage() };
  const path = makeRpm(folder, { name, version: '1', files, payload: 'w.ufdio' });
  const text = readFileSync(path, 'latin1');
  const at = text.lastIndexOf('070701', text.indexOf(`.${wanted}\0`));
  const rest = text.slice(at).replace(from, to);
  assert.is(rest.length, text.length - at);
  assert.is.not(rest, text.slice(at));
  writeFileSync(path, text.slice(0, at) + rest, 'latin1');
  return path;
}

const hostileRpms: readonly [rule: string, from: string | RegExp, to: string, expected: RegExp][] = [
  ['a member of 4 GiB that is not there', /(?<=^.{54}).{8}/s, 'ffffffff', /breaks off at byte \d+$/],
  ['a size that is no number', /(?<=^.{54}).{8}/s, '-0000001', /has no hexadecimal digit/],
  ['a name of 4 GiB', /(?<=^.{94}).{8}/s, 'ffffffff', /has a name of 4294967295 bytes$/],
  ['a name that leads out', './usr/share', '../us/share', /kata-containers\.img is not in the package$/],
  ['a directory that has content', /(?<=^.{14}).{8}/s, '000041ed', /is a directory, not a regular file$/],
  ['a FIFO', /(?<=^.{14}).{8}/s, '000011a4', /is a device, FIFO or socket, not a regular file$/],
  ['a link as long as an image', /(?<=^.{14}).{8}/s, '0000a1ff', /\d+ bytes, more than 4096$/],
  ['another magic number', '070701', '070707', /no cpio header$/],
];

for (const [index, [rule, from, to, expected]] of hostileRpms.entries()) {
  test(
    `hostile rpm: ${rule}`,
    async () => {
      assert.match(told(await readIn(patched(`hostile-${index}`, from, to))), expected);
    },
    { needs: ['mkfs.ext4', ...rpm] },
  );
}

test(
  'a bomb: a gigabyte of zeros in a megabyte is no image, and takes no room',
  async () => {
    const size = 1 << 30;
    const file = join(folder, 'bomb.xz');
    const head = join(folder, 'bomb.head');
    writeFileSync(head, tarOf([{ path: member, size }]).subarray(0, 512));
    run('sh', '-c', `{ cat ${head}; head -c ${size + 1024} /dev/zero; } | xz -0 > ${file}`);
    const path = rawDeb(folder, { name: 'bomb', version: '1' }, readFileSync(file), '.xz');
    assert.match(told(await readIn(path)), /no ext4, xfs or erofs filesystem in it$/);
  },
  { needs: ['xz', ...deb], isLong: true },
);

test(
  'a payload that breaks off, after the image too',
  async () => {
    const files = {
      [wanted]: diskImage(),
      '/usr/share/z-last': Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * at * 7919) >> 5)),
    };
    const whole = readFileSync(makeDeb(folder, { name: 'cut', version: '1', files, compression: 'none' }));
    for (const part of [0.3, 0.99]) {
      const path = join(folder, `cut-${part}.deb`);
      run('cp', makeDeb(folder, { name: 'cut', version: '1', files, compression: 'none' }), path);
      run('truncate', '-s', `${Math.floor(whole.length * part)}`, path);
      const { facts } = await readIn(path);
      assert.is(facts, null);
    }
  },
  { needs: ['mkfs.ext4', ...deb] },
);

/** A host whose temporary files are these. */
function withFiles(make: (file: TemporaryFile) => TemporaryFile): Host {
  return { ...rootedHost(host, ''), temporaryFile: (name) => make(host.temporaryFile(name)) };
}

test(
  'a full disk, or none that can be written, is the reason, and nothing stays open',
  async () => {
    const path = makeDeb(folder, { name: 'full', version: '1', files: { [wanted]: diskImage() } });
    const full = withFiles((file) => ({
      path: file.path,
      size: 0,
      read: (offset, length) => file.read(offset, length),
      close: () => file.close(),
      write: () => {
        throw new Io(`${file.path}: ENOSPC`);
      },
    }));
    let made = 0;
    const nowhere = withFiles((file) => {
      made += 1;
      file.close();
      throw new Io('no temporary file in /tmp: EROFS');
    });
    assert.is(told(await readIn(path, { host: nowhere })), 'no temporary file in /tmp: EROFS');
    assert.is(made, 2);
    assert.match(told(await readIn(path, { host: full })), /kata-containers\.img in .*full_1_all\.deb: ENOSPC$/);
  },
  { needs: ['mkfs.ext4', ...deb] },
);

test(
  'the deadline is the reason, and nothing stays open',
  async () => {
    const path = makeDeb(folder, { name: 'late', version: '1', files: { [wanted]: diskImage() } });
    assert.match(told(await readIn(path, { deadline: host.now() - 1 })), /deadline/);
  },
  { needs: ['mkfs.ext4', ...deb] },
);

test(
  'more members than the limit are refused',
  async () => {
    const one = Buffer.from(tarOf([{ path: 'x' }]).subarray(0, 512));
    const count = limits.packageMembers + 1;
    const all = Buffer.alloc(512 * (count + 2));
    for (let at = 0; at < count; at += 1) one.copy(all, at * 512);
    const path = rawDeb(folder, { name: 'many', version: '1' }, all);
    assert.match(told(await readIn(path)), /more than 25000 members$/);
  },
  { needs: deb },
);
