/**
 * How the native program grows with what it is given: `node --import tsx test/bench/growth.ts FILE.svg`. Instructions (callgrind: no load of the machine
 * changes them) and the largest resident memory, for images, initrds, configurations and packages of several sizes; as a table and as curves
 * with both axes logarithmic, on which what is linear rises by one decade in each, and what is flat does not rise.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kataNode } from '../e2e/kata-node.ts';
import { aptInput, forms, inOwnRun, type Step } from '../e2e/program.ts';
import { guestTree, run, temporaryFolder, writeTree } from '../images.ts';
import { instructionsOf } from './counts.ts';

interface Series {
  readonly title: string;
  readonly sizes: readonly number[];
  /** Makes what is asked about, and returns the arguments and the input. */
  make(size: number): { readonly args: readonly string[]; readonly input?: string };
}

interface Point {
  readonly size: number;
  readonly instructions: number;
  /** In bytes. */
  readonly peak: number;
}

function guest(files: number, folders: number): string {
  const paths = Array.from({ length: files }, (_, index) => `usr/lib/part-${index % folders}/file-${index}`);
  return writeTree(temporaryFolder(), {
    ...guestTree('3.12.0'),
    ...Object.fromEntries(paths.map((path) => [path, ''])),
  });
}

function ext4(tree: string, megabytes: number, ...options: string[]): string {
  const file = join(temporaryFolder(), 'image');
  run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=1', ...options, '-d', tree, file, `${megabytes}M`);
  return file;
}

function initrd(tree: string): string {
  const file = join(temporaryFolder(), 'initrd');
  run('sh', '-c', `cd '${tree}' && find . | LC_ALL=C sort | cpio -o -H newc --quiet > '${file}'`);
  return file;
}

function nodeWith(strangers: readonly string[], configurations: number): string {
  const root = join(temporaryFolder(), 'node');
  mkdirSync(root);
  const tree = kataNode(strangers);
  const [path = '', text = ''] = Object.entries(tree).find(([name]) => name.endsWith('configuration.toml')) ?? [];
  const folder = path.slice(0, path.lastIndexOf('/'));
  const dropIns = Array.from({ length: configurations }, (_, index) => `${folder}/config.d/${index}.toml`);
  return writeTree(root, { ...tree, ...Object.fromEntries(dropIns.map((name) => [name, text])) });
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
    title: 'an ext4 image, by MB',
    sizes: [100, 400, 1600, 8000],
    make: (size) => ({ args: ['image', ext4(guest(100, 10), size)] }),
  },
  {
    title: 'an ext4 image, by files in one folder on the way',
    sizes: [100, 1000, 10_000],
    make: (size) => {
      const tree = guest(0, 1);
      writeTree(tree, Object.fromEntries(Array.from({ length: size }, (_, index) => [`var/lib/file-${index}`, ''])));
      return { args: ['image', ext4(tree, 400, '-N', `${size + 4096}`)] };
    },
  },
  {
    title: 'a plain initrd, by files',
    sizes: [100, 1000, 10_000],
    make: (size) => ({ args: ['image', initrd(guest(size, Math.ceil(size / 100)))] }),
  },
  {
    title: 'an installed node, by drop-ins of 30 kB',
    sizes: [1, 10, 100],
    make: (size) => ({ args: ['--root', nodeWith([], size)] }),
  },
  {
    title: 'an apt run that is not about Kata, by packages',
    sizes: [1, 10, 100, 1000, 4000],
    make: (size) => {
      const steps = strangersOf(size);
      return {
        args: ['hook', 'apt'],
        input: aptInput(
          steps,
          [],
          nodeWith(
            steps.map(({ name }) => name),
            0,
          ),
        ),
      };
    },
  },
];

function measured(program: string, { sizes, make }: Series): Point[] {
  return sizes.map((size) => {
    const { args, input } = make(size);
    const argv = [program, ...args];
    const [timed = '', ...rest] = inOwnRun(['/usr/bin/time', '-f', 'peak %M', ...argv]);
    const { stderr } = spawnSync(timed, rest, {
      input: input ?? '',
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', APT_HOOK_INFO_FD: '0' },
    });
    return { size, instructions: instructionsOf(argv, input), peak: Number(/peak ([0-9]+)/.exec(stderr)?.[1]) * 1024 };
  });
}

const width = 640;
const height = 420;
const margin = 60;
const colors = ['#0b6e99', '#c4472b', '#4a8f3c', '#8e5ba6', '#b8860b'];

/** Both axes logarithmic: sizes from 1 to 10^5, instructions from 10^6 to 10^11. */
function drawn(all: readonly (readonly Point[])[]): string {
  const x = (size: number): number => margin + (Math.log10(Math.max(1, size)) / 5) * (width - 2 * margin);
  const y = (count: number): number => height - margin - ((Math.log10(count) - 6) / 5) * (height - 2 * margin);
  const curves = all.map((points, index) => {
    const color = colors[index % colors.length];
    const path = points
      .map(({ size, instructions }) => `${x(size).toFixed(1)},${y(instructions).toFixed(1)}`)
      .join(' ');
    return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${path}"/><text x="${margin + 8}" y="${margin + 16 * index}" fill="${color}" font-size="12">${series[index]?.title}</text>`;
  });
  const lines = [0, 1, 2, 3, 4, 5].map(
    (power) =>
      `<text x="${x(10 ** power)}" y="${height - margin + 18}" font-size="11" text-anchor="middle">10^${power}</text><text x="${margin - 6}" y="${y(10 ** (power + 6)) + 4}" font-size="11" text-anchor="end">10^${power + 6}</text>`,
  );
  const frame = `<rect x="${margin}" y="${margin - 20}" width="${width - 2 * margin}" height="${height - 2 * margin + 20}" fill="none" stroke="#999"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif"><rect width="100%" height="100%" fill="white"/><text x="${margin}" y="24" font-size="14">instructions of kata-check, by size</text>${frame}${lines.join('')}${curves.join('')}</svg>\n`;
}

const [file] = process.argv.slice(2);
const [program = ''] = forms.find(({ name }) => name === 'native')?.argv ?? [];
const all = series.map((one) => {
  const points = measured(program, one);
  console.log(`\n${one.title}`);
  for (const { size, instructions, peak } of points) {
    const [millions, megabytes] = [instructions / 1e6, peak / 1e6].map((value) => value.toFixed(1).padStart(9));
    console.log(`${String(size).padStart(8)}${millions} million instructions${megabytes} MB`);
  }
  return points;
});
if (file !== undefined) writeFileSync(file, drawn(all));
