/**
 * `npm run bench [FOLDER [PATTERN]]`: kata-check in both forms beside the programs that could do its work, all in one run, as tables; and
 * what it costs an apt run that is not its matter. Images are made in FOLDER, or reused from it; without one they are gone at the end.
 * PATTERN: only the tables with such a title. Every command is first run once and its output looked at: what does not find the agent's
 * version is said to have failed, not measured. counts.ts keeps a budget of instructions; growth.ts, which this runs at the end, draws how the
 * program grows with what it is given.
 *
 * Time: the median of hyperfine's runs, without a shell except for pipes, page cache warm. Read: bytes that read calls took from the
 * image, or, for a mount, sectors that the loop device was asked for. Peak: the largest resident set of any process of the command.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { forms } from '../e2e/program.ts';
import { summaryPath, temporaryFolder } from '../images.ts';
import { has } from '../suite.ts';
import { aptRun } from './apt.ts';
import { growth } from './growth.ts';
import { agentPath, diskOffset, type Fixture, type FixtureName, fixtures } from './images.ts';
import { sizedPrograms } from './programs.ts';

interface Command {
  readonly name: string;
  /** A text is for a shell. */
  readonly run: readonly string[] | string;
  readonly needs?: readonly string[];
  /** Why it cannot be measured at all, where that is known. */
  readonly cannot?: string | false;
  /** What its output must hold when it has done the work. */
  readonly expect: RegExp;
  /** Instead of the group's. */
  readonly runs?: number;
  /** Before each run. */
  readonly prepare?: string;
}

interface Group {
  readonly title: string;
  readonly runs: number;
  /** The file whose reads are counted. */
  readonly image: string | null;
  /** Of the two columns of ratios; those of the two forms, when absent. */
  readonly ratios?: readonly [string, string];
  /** The first ones are kata-check's. */
  readonly commands: readonly Command[];
  /** What has to be there meanwhile. */
  within?(action: () => void): void;
}

interface Measured {
  readonly median: number;
  readonly read: number | null;
  readonly peak: number | null;
}

const version = /3\.31\.0/;
const summary = summaryPath.slice(1);
const needed = ['hyperfine', 'strace', 'time'];
const temporary = temporaryFolder();
const folder = process.argv[2] === undefined ? join(temporary, 'images') : resolve(process.argv[2]);
const agentFile = join(folder, agentPath);

const quoted = (argument: string): string => `'${argument.replaceAll("'", "'\\''")}'`;
const shellText = ({ run }: Command): string => (typeof run === 'string' ? run : run.map(quoted).join(' '));
const argvOf = ({ run }: Command): readonly string[] => (typeof run === 'string' ? ['/bin/bash', '-c', run] : run);

function ours(args: readonly string[], expect = version): Command[] {
  return forms
    .map(({ name, argv, needs }) => ({ name: `kata-check, ${name}`, run: [...argv, ...args], needs, expect }))
    .reverse();
}

/** What kata-collect-data.sh does with an image. */
function mounting(image: string): Command {
  const script = join(temporary, 'mounting.sh');
  const text = `set -e
loop=$(losetup --find --show --read-only --offset ${diskOffset} "$1")
sectors() { awk '{ print $3 }' "/sys/block/\${loop#/dev/}/stat"; }
[ -z "$COUNT" ] || before=$(sectors)
trap 'umount "$2" 2>/dev/null || :; losetup --detach "$loop"' EXIT
mount -o ro "$loop" "$2"
cat "$2${summaryPath}"
[ -z "$COUNT" ] || echo "sectors $(($(sectors) - before))"
`;
  writeFileSync(script, text);
  const top = join(temporary, 'mount');
  mkdirSync(top, { recursive: true });
  const needs = ['root', 'losetup', 'mount', 'umount'];
  return { name: 'losetup, mount, cat, umount', run: ['/bin/bash', script, image, top], needs, expect: version };
}

function sevenZip(fixture: Fixture): Command {
  return { name: '7zz e -so', run: ['7zz', 'e', '-so', fixture.bare, summary], needs: ['7zz'], expect: version };
}

function erofsPeers({ bare }: Fixture): Command[] {
  const out = join(temporary, 'extracted');
  const dumpHelp = spawnSync('dump.erofs', ['--help'], { encoding: 'utf8' });
  const hasCat = /--cat/.test(`${dumpHelp.stdout}${dumpHelp.stderr}`);
  return [
    {
      name: 'dump.erofs --cat',
      run: ['dump.erofs', '--cat', `--path=${summaryPath}`, bare],
      needs: ['dump.erofs'],
      cannot: !hasCat && 'this version of dump.erofs has no --cat',
      expect: version,
    },
    {
      name: 'fsck.erofs --extract (all of it)',
      run: ['fsck.erofs', `--extract=${out}`, bare],
      needs: ['fsck.erofs'],
      runs: 2,
      prepare: `rm -rf ${out}`,
      expect: /(?:)/,
    },
  ];
}

const disks: readonly { name: FixtureName; peers(fixture: Fixture): Command[] }[] = [
  {
    name: 'ext4',
    peers: ({ image }) => [
      {
        name: 'debugfs -R cat',
        run: ['debugfs', '-R', `cat ${summaryPath}`, `${image}?offset=${diskOffset}`],
        needs: ['debugfs'],
        expect: version,
      },
    ],
  },
  {
    name: 'xfs',
    peers: ({ bare }) => [
      {
        name: 'xfs_db',
        run: ['xfs_db', '-r', '-c', `path ${summaryPath}`, '-c', 'dblock 0', '-c', 'type text', '-c', 'print', bare],
        needs: ['xfs_db'],
        // Printed as a dump, sixteen bytes to a line.
        expect: /osbuilder/,
      },
    ],
  },
  { name: 'erofs', peers: erofsPeers },
  { name: 'erofs lz4hc', peers: erofsPeers },
];

const initrds: readonly { name: FixtureName; plain: string; needs: readonly string[] }[] = [
  { name: 'initrd gzip', plain: 'gzip -dc', needs: ['gzip'] },
  { name: 'initrd zstd', plain: 'zstd -dcq', needs: ['zstd'] },
  { name: 'initrd plain', plain: 'cat', needs: [] },
];

const aptTitle = 'apt';
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const programsTitle = 'programs';

/** What a program says of its version and of the protocol, beside a search for the text of a version that is known already. */
function programGroups(): (Group | string)[] {
  if (!programsTitle.includes(process.argv[3] ?? '')) return [];
  const wanted = ['/usr/bin/go', '/usr/bin/rustc', 'protoc', 'dpkg-deb', 'rpmbuild', 'zstd'].filter(
    (need) => !has(need),
  );
  if (wanted.length > 0) return [`${programsTitle}: not here: ${wanted.join(', ')}`];
  const { node, programs } = sizedPrograms(join(temporary, programsTitle));
  const find = "strings | grep -ao '3\\.31\\.0'";
  const places = [
    { where: 'alone', file: 'runtime', by: (path: string) => ['protocol', path], content: 'cat FILE', needs: [] },
    {
      where: 'in a .deb',
      file: 'deb',
      by: (path: string) => ['--root', node, '--json', path],
      content: 'dpkg-deb --fsys-tarfile FILE | tar -xO ./usr/bin/kata-runtime',
      needs: ['dpkg-deb', 'tar'],
    },
    {
      where: 'in an .rpm',
      file: 'rpm',
      by: (path: string) => ['--root', node, '--json', path],
      content: 'rpm2cpio FILE | cpio -i --quiet --to-stdout ./usr/bin/kata-runtime',
      needs: ['rpm2cpio', 'cpio'],
    },
    {
      where: 'an agent in an ext4 image',
      file: 'image',
      by: (path: string) => ['protocol', path],
      content: "debugfs -R 'cat /usr/bin/kata-agent' FILE",
      needs: ['debugfs'],
    },
  ] as const;
  return programs.flatMap((program) =>
    places.map(({ where, file, by, content, needs }): Group => {
      const path = program[file];
      const peer: Command = {
        name: 'strings | grep',
        run: `${content.replace('FILE', quoted(path))} | ${find}`,
        needs: ['strings', 'grep', ...needs],
        expect: version,
      };
      const title = `${programsTitle} of ${program.megabytes} MB, ${where}: version and descriptors`;
      return { title, runs: 7, image: path, commands: [...ours(by(path)), peer] };
    }),
  );
}

function groups(): (Group | string)[] {
  if (process.argv[3] === programsTitle) return programGroups();
  const made = fixtures(folder);
  const all: (Group | string)[] = [];
  console.log(`${made.tree.files} files, ${megabytes(made.tree.bytes)}, in ${folder}`);
  const debugfs = { name: 'debugfs -V', run: ['debugfs', '-V'], needs: ['debugfs'], expect: /./ };
  const node = { name: 'node -e 0', run: [process.execPath, '-e', '0'], expect: /(?:)/ };
  const nothing = { name: '/bin/true', run: ['/bin/true'], expect: /^$/ };
  const starts = [...ours(['--version'], /./), nothing, debugfs, node];
  all.push({ title: 'start alone', runs: 20, image: null, commands: starts });

  for (const { name, peers } of disks) {
    const fixture = made.get(name);
    if (typeof fixture === 'string') {
      all.push(`${name}: ${fixture}`);
      continue;
    }
    const { image, size } = fixture;
    const commands = [...ours(['image', image]), ...peers(fixture), sevenZip(fixture), mounting(image)];
    all.push({ title: `${name}, ${megabytes(size)}: the summary`, runs: 15, image, commands });
  }
  for (const { name, plain, needs } of initrds) {
    const fixture = made.get(name);
    if (typeof fixture === 'string') {
      all.push(`${name}: ${fixture}`);
      continue;
    }
    const { image, size } = fixture;
    const pipe: Command = {
      name: `${plain} | cpio --to-stdout`,
      run: `${plain} ${quoted(image)} | cpio -i --quiet --to-stdout ${summary}`,
      needs: ['cpio', ...needs],
      expect: version,
    };
    const bsdtar = {
      name: 'bsdtar -xOf',
      run: ['bsdtar', '-xOf', image, `./${summary}`],
      needs: ['bsdtar'],
      expect: version,
    };
    const commands = [...ours(['image', image]), pipe, bsdtar];
    all.push({ title: `${name}, ${megabytes(size)}: the summary`, runs: 3, image, commands });
  }
  for (const name of ['ext4', 'xfs', 'erofs', 'erofs lz4hc'] as const) {
    const fixture = made.get(name);
    if (typeof fixture === 'string') continue;
    const grep = {
      name: 'grep -aoE in the file itself',
      run: ['grep', '-aoE', '-m1', '[0-9]+\\.[0-9]+\\.[0-9]+(-(alpha|rc)[0-9]+)?-[0-9a-f]{40}', agentFile],
      needs: ['grep'],
      expect: version,
    };
    const commands = [...ours(['image', '--deep', fixture.image]), grep];
    all.push({ title: `${name}: the agent of 60 MB, too (--deep)`, runs: 3, image: fixture.image, commands });
  }
  all.push(...programGroups());
  const wanted = ['root', 'debootstrap', 'mount'].filter((need) => !has(need));
  if (!aptTitle.includes(process.argv[3] ?? '')) return all;
  if (wanted.length > 0) all.push(`${aptTitle}: not here: ${wanted.join(', ')}`);
  else all.push({ runs: 15, image: null, ...aptRun('bookworm') });
  return all;
}

/** Why a command is not measured; undefined when it does its work. */
function refusal(command: Command): string | undefined {
  if (command.cannot) return command.cannot;
  const missing = (command.needs ?? []).filter((need) => !has(need));
  if (missing.length > 0) return `not here: ${missing.join(', ')}`;
  if (command.prepare !== undefined) execFileSync('/bin/sh', ['-c', command.prepare]);
  const [program = '', ...args] = argvOf(command);
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'latin1', maxBuffer: 1 << 28 });
  const said = stderr.trim().split('\n').at(-1) ?? '';
  if (status !== 0) return `failed with status ${status}: ${said.slice(0, 60)}`;
  return command.expect.test(stdout + stderr) ? undefined : `does not give it: ${said.slice(0, 60)}`;
}

function medianOf(command: Command, runs: number): number {
  const file = join(temporary, 'hyperfine.json');
  const args = ['--export-json', file, '--warmup', '1', '--runs', `${runs}`, '--style', 'none'];
  if (typeof command.run !== 'string') args.push('-N');
  if (command.prepare !== undefined) args.push('--prepare', command.prepare);
  execFileSync('hyperfine', [...args, shellText(command)], { stdio: ['ignore', 'ignore', 'pipe'] });
  return JSON.parse(readFileSync(file, 'utf8')).results[0].median;
}

function peakOf(command: Command): number | null {
  if (!has('/usr/bin/time')) return null;
  if (command.prepare !== undefined) execFileSync('/bin/sh', ['-c', command.prepare]);
  const file = join(temporary, 'time');
  spawnSync('/usr/bin/time', ['-f', '%M', '-o', file, ...argvOf(command)], { stdio: 'ignore' });
  return Number(readFileSync(file, 'utf8').trim().split('\n').at(-1)) * 1024;
}

/** Bytes that the read calls of the command and its children took from a file. */
function readOf(command: Command, files: readonly string[]): number | null {
  if (command.name.startsWith('losetup')) {
    const [program = '', ...args] = argvOf(command);
    const { stdout } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, COUNT: '1' } });
    return Number(/sectors (\d+)/.exec(stdout)?.[1]) * 512;
  }
  if (!has('strace')) return null;
  if (command.prepare !== undefined) execFileSync('/bin/sh', ['-c', command.prepare]);
  const file = join(temporary, 'strace');
  const calls = 'trace=read,pread64,readv,preadv,preadv2,mmap';
  spawnSync('strace', ['-f', '-y', '-s', '0', '-e', calls, '-o', file, ...argvOf(command)], { stdio: 'ignore' });
  const interrupted = new Set<string>();
  let total = 0;
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const [, process = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const isOfFile = files.some((path) => call.includes(`<${path}>`));
    if (isOfFile && call.includes('<unfinished')) interrupted.add(process);
    if (!isOfFile && !(call.includes('resumed>') && interrupted.delete(process))) continue;
    if (call.startsWith('mmap')) total += Number(/^mmap\([^,]*, (\d+)/.exec(call)?.[1] ?? 0);
    else total += Number(/ = (\d+)$/.exec(call)?.[1] ?? 0);
  }
  return total;
}

function duration(seconds: number): string {
  return seconds < 1 ? `${(seconds * 1000).toFixed(1)} ms` : `${seconds.toFixed(2)} s`;
}

function bytes(count: number | null): string {
  if (count === null) return '?';
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function ratio(mine: Measured | undefined, other: Measured): string {
  return mine === undefined ? '' : (mine.median / other.median).toFixed(2);
}

function line(cells: readonly string[]): void {
  const [name = '', ...figures] = cells;
  console.log(`  ${name.padEnd(34)}${figures.map((figure) => figure.padStart(12)).join('')}`.trimEnd());
}

function measure(
  { title, runs, image, commands, ratios: named = ['native/it', 'Node/it'] }: Group,
  files: readonly string[],
): void {
  console.log(`\n${title}`);
  line(['', 'median', ...named, 'read', 'peak']);
  const mine: Measured[] = [];
  for (const command of commands) {
    const why = refusal(command);
    if (why !== undefined) {
      console.log(`  ${command.name.padEnd(34)} ${why}`);
      continue;
    }
    const measured: Measured = {
      median: medianOf(command, command.runs ?? runs),
      read: image === null ? null : readOf(command, files),
      peak: peakOf(command),
    };
    const isOurs = command.name.startsWith('kata-check');
    if (isOurs) mine.push(measured);
    const ratios = isOurs ? ['', ''] : [ratio(mine[0], measured), ratio(mine[1], measured)];
    const read = image === null ? '' : bytes(measured.read);
    line([command.name, duration(measured.median), ...ratios, read, bytes(measured.peak)]);
  }
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
}

const missing = needed.filter((tool) => !has(tool));
if (missing.length > 0) console.log(`not here, so that figures are missing: ${missing.join(', ')}`);
if (!has('hyperfine')) process.exit(1);
const planned = groups();
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores; load before: ${load()}`);
for (const group of planned) {
  if (!(typeof group === 'string' ? group : group.title).includes(process.argv[3] ?? '')) continue;
  if (typeof group === 'string') console.log(`\n${group}`);
  else {
    const files = group.image === null ? [] : [group.image, group.image.replace(/\.disk$/, '.img'), agentFile];
    const within = group.within ?? ((action: () => void): void => action());
    within(() => measure(group, files));
  }
}
const growthTitle = 'growth';
if (growthTitle.includes(process.argv[3] ?? '')) {
  const wanted = ['root', 'mkfs.ext4', '/usr/bin/time'].filter((need) => !has(need));
  if (wanted.length > 0) console.log(`\n${growthTitle}: not here: ${wanted.join(', ')}`);
  else {
    const picture = join(process.argv[2] === undefined ? process.cwd() : folder, 'growth.svg');
    console.log(`\n${growthTitle}: the curves are in ${picture}`);
    if (!growth(picture)) process.exitCode = 1;
  }
}
console.log(`\nload after: ${load()}`);
rmSync(join(temporary, 'extracted'), { recursive: true, force: true });
