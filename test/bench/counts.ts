/**
 * How many instructions the native program runs (valgrind's callgrind), which no load of the machine changes: as multiples of what a program of
 * the same interpreter, compiler and libc runs. `node --import tsx test/bench/counts.ts` prints them beside test/bench/budget.json;
 * with `--write` it puts them there.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kataNode } from '../e2e/kata-node.ts';
import { aptInput, forms, inOwnRun, type Step, sampleNode } from '../e2e/program.ts';
import { guestTree, run, temporaryFolder, writeTree } from '../images.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const budgetFile = join(top, 'test/bench/budget.json');

type Multiples = Readonly<Record<string, number>>;

/** By compiler and its major version, which decides a tenth of what a program takes. */
const budgets: Readonly<Record<string, Multiples>> = JSON.parse(readFileSync(budgetFile, 'utf8'));
const compiler = `gcc ${run('gcc', '-dumpversion').split('.', 1)[0]?.trim()}`;

/** Of this compiler; of one that nobody has counted with, the most of all. */
export const budget: Multiples =
  budgets[compiler] ??
  Object.values(budgets).reduce((most, other) =>
    Object.fromEntries(Object.entries(most).map(([what, multiple]) => [what, Math.max(multiple, other[what] ?? 0)])),
  );

/**
 * libc copies, compares and searches by other instructions on each processor, which made up to 5 % of a count: with these switched off (those that a
 * libc does not know it ignores) it takes the same everywhere.
 */
const plainProcessor =
  'AVX512F AVX512VL AVX512BW AVX2 AVX BMI2 ERMS FSRM MOVBE LZCNT RTM EVEX SSE4_2 SSE4_1 SSSE3 AVX2_Usable AVX_Usable'
    .split(' ')
    .concat([
      'AVX_Fast_Unaligned_Load',
      'Fast_Unaligned_Copy',
      'Fast_Copy_Backward',
      'Slow_BSF',
      'Prefer_No_VZEROUPPER',
    ])
    .map((feature) => `-${feature}`)
    .join();

/** Of `argv`, in a process tree that is always the same, as a hook goes through its ancestors, and in the same environment. */
export function instructionsOf(argv: readonly string[], input = '', attempts = 5): number {
  const counted = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', ...argv];
  const [program = '', ...args] = inOwnRun(['unshare', '--pid', '--fork', '--mount-proc', ...counted]);
  const { stderr, stdout } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      APT_HOOK_INFO_FD: '0',
      GLIBC_TUNABLES: `glibc.cpu.hwcaps=${plainProcessor}`,
    },
  });
  const count = Number(/Collected : ([0-9]+)/.exec(stderr)?.[1]);
  // valgrind is fifty times as slow as the machine, and what else the machine does can use up the program's time.
  if (/before the deadline/.test(stdout + stderr)) {
    if (attempts > 1) return instructionsOf(argv, input, attempts - 1);
    throw new Error(`${argv.join(' ')}: not done before the deadline`);
  }
  if (Number.isNaN(count)) throw new Error(`no count of ${argv.join(' ')}: ${stderr.slice(-500)}`);
  return count;
}

function calibration(): number {
  const program = join(temporaryFolder(), 'calibration');
  run(join(top, 'packaging/native/build'), join(top, 'test/bench/calibration.ts'), program);
  return instructionsOf([program]);
}

/** A plain newc archive of a guest with 3,000 files more. */
function initrd(): string {
  const folder = temporaryFolder();
  const paths = Array.from({ length: 3000 }, (_, index) => `usr/lib/part-${index % 30}/some/file-${index}.so`);
  writeTree(folder, { ...guestTree('3.12.0'), ...Object.fromEntries(paths.map((path) => [path, 'x'])) });
  const file = join(temporaryFolder(), 'initrd');
  run('sh', '-c', `cd '${folder}' && find . | LC_ALL=C sort | cpio -o -H newc --quiet > '${file}'`);
  return file;
}

/** Multiples of the calibrating program's, by what is done. Needs root, valgrind, cpio and what builds the native form. */
export function counts(): Record<string, number> {
  const [program = ''] = forms.find(({ name }) => name === 'native')?.argv ?? [];
  const strangers: readonly Step[] = Array.from({ length: 200 }, (_, index) => ({
    name: `lib${index}`,
    old: '1',
    next: '2',
    what: `/var/cache/apt/archives/lib${index}_2_amd64.deb`,
  }));
  const root = join(temporaryFolder(), 'node');
  mkdirSync(root);
  writeTree(root, kataNode(strangers.map(({ name }) => name)));
  const header = Array.from(
    { length: 6000 },
    (_, index) => `Dir::Some::Option::Number${index}=/var/lib/thing/${index}`,
  );
  // Each part of a path is looked at, so that the copy counts the same wherever the sources are.
  const image = join(temporaryFolder(), 'kata-containers.img');
  copyFileSync(join(sampleNode, 'usr/share/kata-containers/kata-containers.img'), image);
  const one = calibration();
  const multiple = (argv: readonly string[], input?: string): number =>
    Number((instructionsOf([program, ...argv], input) / one).toFixed(4));
  return {
    'start alone (--version)': multiple(['--version']),
    'an apt run that has nothing to do with Kata: 200 upgrades, 6,000 lines of configuration': multiple(
      ['hook', 'apt'],
      aptInput(strangers, header, root),
    ),
    'an ext4 image': multiple(['image', image]),
    'a plain initrd of 3,000 files': multiple(['image', initrd()]),
    'the installed node, with fifteen configurations': multiple(['--root', root]),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = counts();
  for (const [what, multiple] of Object.entries(found))
    process.stdout.write(`${multiple.toFixed(3).padStart(9)} (budget ${budget[what]?.toFixed(3) ?? '-'})  ${what}\n`);
  if (process.argv[2] === '--write')
    writeFileSync(budgetFile, `${JSON.stringify({ ...budgets, [compiler]: found }, null, 2)}\n`);
}
