/**
 * How the native program grows with what it is given: `node --import tsx test/bench/growth.ts [FILE.svg]`, some five minutes, most of which
 * make the images. The processor time (the least of several runs, less that of /bin/true) and the largest resident memory, for images,
 * initrds, configurations and packages of several sizes; as a table, and as curves with both axes logarithmic, on which what is linear rises
 * by one decade in each, and what is flat does not rise. Ends with 1 where something grows faster than it may. Run as root.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kataNode } from '../e2e/kata-node.ts';
import { aptInput, forms, inOwnRun, type Step } from '../e2e/program.ts';
import { guestTree, run, type Tree, temporaryFolder, writeTree } from '../images.ts';

interface Series {
  readonly title: string;
  /** Of what a size counts. */
  readonly unit: string;
  readonly sizes: readonly number[];
  /** How it may grow, and why. */
  readonly growth: 'flat' | 'linear';
  readonly reason: string;
  /** Makes what is asked about, and returns the arguments and the input. */
  make(size: number): { readonly args: readonly string[]; readonly input?: string };
  /** What standard output must hold. */
  readonly expect: RegExp;
}

interface Point {
  readonly size: number;
  /** In milliseconds. */
  readonly time: number;
  /** In bytes. */
  readonly peak: number;
}

const agent = '3.12.0';
const perFolder = 1000;

const touch = 'mkdir -p "$1" && cd "$1" && seq -f "file-%.0f" "$2" "$3" | xargs -r touch';

/** A guest's tree with so many empty files in folders of a thousand. */
function guest(files: number): string {
  const tree = writeTree(temporaryFolder(), guestTree(agent));
  for (let first = 1; first <= files; first += perFolder) {
    const into = join(tree, `usr/lib/part-${(first - 1) / perFolder}`);
    run('sh', '-c', touch, 'sh', into, `${first}`, `${Math.min(files, first + perFolder - 1)}`);
  }
  return tree;
}

function ext4(tree: string, megabytes: number, files = 0, ...options: readonly string[]): string {
  const file = join(temporaryFolder(), 'image');
  const inodes = ['-N', `${files + 4096}`];
  run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=1', ...options, ...inodes, '-d', tree, file, `${megabytes}M`);
  return file;
}

/**
 * With so many entries in a folder, behind which stands the one that is looked for. The kernel puts them there, one behind the other as the
 * folder has no index: with one their hashes would say how much of it is read.
 */
function crowded(entries: number): string {
  const file = ext4(guest(0), 800, entries, '-O', '^dir_index');
  const top = temporaryFolder();
  run('mount', '-o', 'loop', file, top);
  try {
    const [folder, aside] = [join(top, 'var/lib'), join(top, 'aside')];
    renameSync(join(folder, 'osbuilder'), aside);
    run('sh', '-c', touch, 'sh', folder, '1', `${entries}`);
    renameSync(aside, join(folder, 'osbuilder'));
  } finally {
    run('umount', top);
  }
  return file;
}

/** A plain newc archive of a guest and so many empty files, written here: find and cpio would need a minute for the largest. */
function initrd(files: number): string {
  const path = join(temporaryFolder(), 'initrd');
  const descriptor = openSync(path, 'w');
  const padded = (length: number): number => Math.ceil(length / 4) * 4;
  let number = 0;
  const put = (name: string, mode: number, content: Uint8Array): void => {
    number += 1;
    const fields = [number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    const bytes = Buffer.alloc(padded(head.length) + padded(content.length));
    bytes.write(head, 'latin1');
    bytes.set(content, padded(head.length));
    writeSync(descriptor, bytes);
  };
  const isText = (content: Tree[string]): content is string | Uint8Array =>
    typeof content === 'string' || content instanceof Uint8Array;
  for (let file = 0; file < files; file += 1) {
    const folder = `usr/part-${Math.floor(file / perFolder)}`;
    if (file % perFolder === 0) put(folder, 0o40755, Buffer.alloc(0));
    put(`${folder}/file-${file}`, 0o100644, Buffer.alloc(0));
  }
  for (const [name, content] of Object.entries(guestTree(agent)))
    if (isText(content)) put(name, 0o100755, Buffer.from(content));
  put('TRAILER!!!', 0, Buffer.alloc(0));
  closeSync(descriptor);
  return path;
}

/** Kata from packages, with the files of so many others, and so many configurations of kata-deploy's handlers. */
function nodeWith(strangers: readonly string[], configurations: number): string {
  const root = join(temporaryFolder(), 'node');
  mkdirSync(root);
  const tree = kataNode(strangers);
  const text = Object.entries(tree).find(([name]) => name.endsWith('/configuration.toml'))?.[1] ?? '';
  const deployed = Array.from({ length: configurations }, (_, index) => [
    `/opt/kata/share/defaults/kata-containers/runtimes/handler-${index}/configuration-handler-${index}.toml`,
    text,
  ]);
  return writeTree(root, { ...tree, ...Object.fromEntries(deployed) });
}

const strangersOf = (count: number): readonly Step[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `lib${index}`,
    old: '1',
    next: '2',
    what: `/var/cache/apt/archives/lib${index}_2_amd64.deb`,
  }));

const series: readonly Series[] = [
  {
    title: 'an ext4 image, by its size',
    unit: 'MB',
    sizes: [100, 400, 1600, 8000],
    growth: 'flat',
    reason: 'The superblock, a group descriptor and the inodes on the way to the summary are read, wherever they are.',
    make: (size) => ({ args: ['image', ext4(guest(100), size)] }),
    expect: /3\.12\.0/,
  },
  {
    title: 'an ext4 image, by its files',
    unit: 'files',
    sizes: [1000, 10_000, 100_000, 1_000_000],
    growth: 'flat',
    reason: 'No folder is read but those on the way to the summary.',
    make: (size) => ({ args: ['image', ext4(guest(size), Math.max(400, size / 250), size + size / perFolder)] }),
    expect: /3\.12\.0/,
  },
  {
    title: 'an ext4 image, by the entries of a folder on the way',
    unit: 'entries',
    sizes: [100, 1000, 10_000, 100_000],
    growth: 'linear',
    reason:
      'The blocks of the folder are read one after the other until the name is found: its index of hashes is not believed.',
    make: (size) => ({ args: ['image', crowded(size)] }),
    expect: /3\.12\.0/,
  },
  {
    title: 'a plain initrd, by its files',
    unit: 'files',
    sizes: [100, 1000, 10_000, 90_000, 1_000_000],
    growth: 'linear',
    reason:
      'An archive has no index, so that each header is looked at; from 95,000 entries on the answer is that it has too many.',
    make: (size) => ({ args: ['image', initrd(size)] }),
    expect: /3\.12\.0|entries/,
  },
  {
    title: 'an installed node, by configurations of 30 kB',
    unit: 'files',
    sizes: [1, 10, 100],
    growth: 'linear',
    reason: 'Each is read and understood.',
    make: (size) => ({ args: ['--root', nodeWith([], size)] }),
    expect: /3\.12\.0|1\.0\.0/,
  },
  {
    title: 'an apt run that is not about Kata, by packages',
    unit: 'packages',
    sizes: [1, 10, 100, 1000, 4000],
    growth: 'linear',
    reason: "Each package has a line in apt's input and a list of its files, in which Kata's are looked for.",
    make: (size) => {
      const steps = strangersOf(size);
      const root = nodeWith(
        steps.map(({ name }) => name),
        0,
      );
      return { args: ['hook', 'apt'], input: aptInput(steps, [], root) };
    },
    expect: /^$/,
  },
];

const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', APT_HOOK_INFO_FD: '0' };
/** Processor time of ROUNDS times COUNT runs with FILE as input, one line each: that of a machine with other work does not count. */
const timing = `TIMEFORMAT='%3U %3S'; rounds=$1 count=$2 file=$3; shift 3
for ((round = 0; round < rounds; round++)); do
  time for ((run = 0; run < count; run++)); do "$@" < "$file" > /dev/null 2> /dev/null; done
done`;
const [rounds, runs] = [5, 10] as const;

/** The least processor time of a run, in milliseconds. */
function timeOf(argv: readonly string[], file: string, count: number = runs): number {
  const script = ['bash', '-c', timing, 'bash', count === 1 ? '1' : `${rounds}`, `${count}`, file];
  const [program = '', ...args] = inOwnRun([...script, ...argv]);
  const { stderr } = spawnSync(program, args, { encoding: 'utf8', env: environment });
  const times = [...stderr.matchAll(/^([0-9.]+) ([0-9.]+)$/gm)].map(
    ([, user, system]) => Number(user) + Number(system),
  );
  return (Math.min(...times) * 1000) / count;
}

/** More than this, in milliseconds, is measured once. */
const slow = 200;

function measured(program: string, { sizes, make, expect, title }: Series): Point[] {
  return sizes.map((size) => {
    const { args, input = '' } = make(size);
    const argv = [program, ...args];
    const [timed = '', ...rest] = inOwnRun(['/usr/bin/time', '-f', 'peak %M', ...argv]);
    const { stdout, stderr } = spawnSync(timed, rest, { input, encoding: 'utf8', env: environment });
    if (!expect.test(stdout)) throw new Error(`${title}, ${size}: ${stdout}${stderr}`);
    const file = join(temporaryFolder(), 'input');
    writeFileSync(file, input);
    const once = timeOf(argv, file, 1);
    const time = once > slow ? once : timeOf(argv, file) - timeOf(['/bin/true'], file);
    return { size, time: Math.max(0.1, time), peak: Number(/peak ([0-9]+)/.exec(stderr)?.[1]) * 1024 };
  });
}

/** Of a curve with both axes logarithmic, between its last two points: 1 is linear. */
function slope(points: readonly Point[], of: (point: Point) => number): number {
  const [before, last] = points.slice(-2);
  if (before === undefined || last === undefined) return 0;
  return Math.log(of(last) / of(before)) / Math.log(last.size / before.size);
}

/** What noise makes of a flat curve and of a linear one. */
const steepest = { flat: 0.3, linear: 1.2 } as const;

const [width, height, margin] = [640, 420, 60] as const;
const colors = ['#0b6e99', '#c4472b', '#4a8f3c', '#8e5ba6', '#b8860b', '#555555'];

interface Panel {
  readonly title: string;
  /** Powers of ten. */
  readonly from: number;
  readonly to: number;
  of(point: Point): number;
}

const panels: readonly Panel[] = [
  { title: 'milliseconds of processor, by size', from: -1, to: 4, of: ({ time }) => time },
  { title: 'MB of memory, by size', from: 0, to: 3, of: ({ peak }) => peak / 1e6 },
];
/** Sizes go from 1 to 10^6. */
const largest = 6;

function drawn(all: readonly (readonly Point[])[]): string {
  const parts = panels.map(({ title, from, to, of }, panel) => {
    const top = panel * height;
    const x = (size: number): number => margin + (Math.log10(size) / largest) * (width - 2 * margin);
    const y = (value: number): number =>
      top + height - margin - ((Math.log10(value) - from) / (to - from)) * (height - 2 * margin);
    const curves = all.map((points, index) => {
      const path = points.map((point) => `${x(point.size).toFixed(1)},${y(of(point)).toFixed(1)}`).join(' ');
      return `<polyline fill="none" stroke="${colors[index]}" stroke-width="2" points="${path}"/>`;
    });
    const across = Array.from({ length: largest + 1 }, (_, power) => {
      const place = x(10 ** power);
      return `<text x="${place}" y="${top + height - margin + 18}" font-size="11" text-anchor="middle">10^${power}</text>`;
    });
    const up = Array.from({ length: to - from + 1 }, (_, step) => {
      const value = 10 ** (from + step);
      return `<text x="${margin - 6}" y="${y(value) + 4}" font-size="11" text-anchor="end">${value}</text>`;
    });
    const frame = `<rect x="${margin}" y="${top + margin}" width="${width - 2 * margin}" height="${height - 2 * margin}" fill="none" stroke="#999"/>`;
    const head = `<text x="${margin}" y="${top + margin - 10}" font-size="14">${title}</text>`;
    return [head, frame, ...across, ...up, ...curves].join('');
  });
  const below = panels.length * height;
  const legend = series.map(({ title, unit, growth, reason }, index) => {
    const row = below + 36 * index;
    return (
      `<text x="${margin}" y="${row}" fill="${colors[index]}" font-size="12">${title}, in ${unit}: ${growth}</text>` +
      `<text x="${margin}" y="${row + 14}" font-size="10">${reason}</text>`
    );
  });
  const total = below + 36 * series.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>${parts.join('')}${legend.join('')}</svg>\n`;
}

/** Prints the table; the curves go to `file`. Whether all grows as it may. */
export function growth(file: string | undefined): boolean {
  const [program = ''] = forms.find(({ name }) => name === 'native')?.argv ?? [];
  // A million files are made in a third of the time in memory.
  if (existsSync('/dev/shm')) process.env.TMPDIR ??= '/dev/shm';
  let isWell = true;
  const all = series.map((one) => {
    const points = measured(program, one);
    console.log(`\n${one.title}: ${one.growth}. ${one.reason}`);
    for (const { size, time, peak } of points)
      console.log(
        `${String(size).padStart(10)} ${one.unit}${time.toFixed(1).padStart(10)} ms${(peak / 1e6).toFixed(1).padStart(9)} MB`,
      );
    for (const { title, of } of panels) {
      const found = slope(points, of);
      if (found <= steepest[one.growth]) continue;
      isWell = false;
      console.log(`  WORSE THAN ${one.growth}: ${title} rises by ${found.toFixed(2)} decades in each`);
    }
    return points;
  });
  if (file !== undefined) writeFileSync(file, drawn(all));
  return isWell;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = growth(process.argv[2]) ? 0 : 1;
