/**
 * A simulation of 500 nodes: `node --import tsx test/bench/fleet.ts [FILE.svg [NODES]]`. Makes 500 small trees of kata-deploy, of several releases, with
 * guest images of their own, which kata-deploy does not replace; asks kata-check in one pass for each node and each release that may come;
 * collects the lines of `--format jsonl` into one table, with the time, and draws which nodes may upgrade to which release.
 *
 * Every node is drawn from a seed, so that two runs have the same ones.
 */

import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { forms } from '../e2e/program.ts';
import { guestTree, makeDisk, makeExt, temporaryFolder, writeTree } from '../images.ts';

const [, , file, howMany = '500'] = process.argv;
const nodeCount = Number(howMany);
const installed = ['2.2.0', '2.5.0', '3.2.0', '3.12.0'];
const incoming = ['2.5.0', '3.12.0', '4.1.0'];
/** A node's own image holds the agent of its runtime's release, or lags behind by up to three of these. */
const agents = ['1.12.1', '2.0.0', ...installed];
const prefix = '/opt/kata';
const defaults = `${prefix}/share/defaults/kata-containers`;

interface Line {
  readonly verdict: 'ok' | 'warn' | 'block';
  readonly findings: readonly { readonly code: string }[];
}

interface Node {
  readonly name: string;
  readonly root: string;
  readonly runtime: string;
  /** Of the node's own image, which kata-deploy does not replace. */
  readonly agent: string;
}

/** Park and Miller's generator. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

const folder = temporaryFolder();

function image(agent: string): string {
  const filesystem = makeExt(join(folder, `${agent}.ext4`), writeTree(join(folder, agent), guestTree(agent)), '8M');
  return makeDisk(join(folder, `${agent}.img`), filesystem, { dax: true });
}

/** A handler of the node's own, with a configuration and an image that no release of Kata replaces. */
function makeNode(name: string, runtime: string, agent: string, images: ReadonlyMap<string, string>): Node {
  const root = join(folder, 'nodes', name);
  const configuration = `${defaults}/custom-runtimes/own/configuration-qemu.toml`;
  writeTree(root, {
    'etc/hostname': `${name}\n`,
    [`${prefix}/VERSION`]: `${runtime}\n`,
    [`${prefix}/bin/containerd-shim-kata-v2`]: 'x',
    [configuration]: '[hypervisor.qemu]\nimage = "/srv/own.img"\n',
    '/etc/containerd/config.toml': [
      'version = 3',
      `[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.kata-own]`,
      'runtime_type = "io.containerd.kata-own.v2"',
      `runtime_path = "${prefix}/bin/containerd-shim-kata-v2"`,
      `options.ConfigPath = "${configuration}"`,
      '',
    ].join('\n'),
  });
  const own = join(root, 'srv/own.img');
  mkdirSync(dirname(own), { recursive: true });
  // Linked: 500 images of 11 MB are not needed to read 500 images.
  linkSync(images.get(agent) ?? '', own);
  return { name, root, runtime, agent };
}

function nodes(): readonly Node[] {
  const random = generator(1);
  const images = new Map(agents.map((agent) => [agent, image(agent)]));
  return Array.from({ length: nodeCount }, (_, index) => {
    const release = random(installed.length);
    const lag = Math.max(0, random(10) - 6);
    const agent = agents[Math.max(0, agents.indexOf(installed[release] ?? '') - lag)] ?? '';
    return makeNode(`node-${String(index).padStart(3, '0')}`, installed[release] ?? '', agent, images);
  });
}

function ask(argv: readonly string[], node: Node, to: string): Line {
  const [program = '', ...first] = argv;
  const args = [...first, '--format', 'jsonl', '--root', node.root, '--to', to];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
  if (![0, 10, 11].includes(status ?? -1)) throw new Error(`${node.name}, ${to}: ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Line;
}

interface Answer {
  readonly node: Node;
  readonly to: string;
  readonly line: Line;
}

/** A row for each kind of node: how many there are, and the verdict with its findings on each release. */
function table(answers: readonly Answer[]): string {
  const kinds = new Map<string, { count: number; verdicts: string[] }>();
  for (const { node, line } of answers) {
    const kind = `${node.runtime.padEnd(9)} ${node.agent.padEnd(9)}`;
    const row = kinds.get(kind) ?? { count: 0, verdicts: [] };
    kinds.set(kind, row);
    row.count += 1;
    const codes = [...new Set(line.findings.map(({ code }) => code))];
    const verdict = [line.verdict, ...codes].join(' ');
    const at = (row.count - 1) % incoming.length;
    if ((row.verdicts[at] ?? verdict) !== verdict) throw new Error(`${node.name}: two nodes of a kind, two answers`);
    row.verdicts[at] = verdict;
  }
  const rows = [...kinds].sort().map(([kind, { count, verdicts }]) => {
    const nodes = String(count / incoming.length).padStart(5);
    return `${kind} ${nodes}  ${verdicts.map((verdict) => verdict.padEnd(18)).join('')}`.trimEnd();
  });
  const head = `runtime   own agent nodes  ${incoming.map((to) => `to ${to}`.padEnd(18)).join('')}`.trimEnd();
  return `${[head, ...rows].join('\n')}\n`;
}

/** Each with a sign beside its colour, for those who do not see colours. */
const looks = {
  ok: { fill: '#cfe8cf', sign: '', words: 'may upgrade' },
  warn: { fill: '#ffe08a', sign: '~', words: 'may upgrade, with a warning' },
  block: { fill: '#f2a48c', sign: '+', words: 'is blocked' },
} as const;

const [cell, columns, left, top, gap] = [14, 25, 150, 96, 18];

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x}" y="${y}"${more === '' ? '' : ` ${more}`}>${content}</text>`;
}

function square(x: number, y: number, { node, line }: Answer): string {
  const { fill, sign, words } = looks[line.verdict];
  const title = `${node.name}: runtime ${node.runtime}, own agent ${node.agent}: ${words}`;
  const middle = `text-anchor="middle" font-size="9" fill="#555"`;
  return (
    `<g><title>${title}</title><rect x="${x}" y="${y}" width="${cell - 1}" height="${cell - 1}" rx="2" fill="${fill}"/>` +
    `${sign === '' ? '' : text(x + (cell - 1) / 2, y + cell - 4, sign, middle)}</g>`
  );
}

function legend(y: number): string[] {
  let x = left;
  return Object.values(looks).map(({ fill, sign, words }) => {
    const at = x;
    x += 60 + words.length * 7;
    const shown = sign === '' ? words : `${words} (${sign})`;
    return `<rect x="${at}" y="${y - 11}" width="${cell - 1}" height="${cell - 1}" rx="2" fill="${fill}"/>${text(at + cell + 6, y, shown)}`;
  });
}

/** A column for each release that may come, a row of squares for the nodes of each release that is installed: the older their own agents, the earlier. */
function picture(answers: readonly Answer[]): string {
  const width = columns * cell + 40;
  const parts = [
    text(20, 32, `Which of ${nodeCount} nodes may upgrade to which release of Kata Containers`, 'font-size="18"'),
    text(
      20,
      54,
      'Each square is a node, at the same place in each column; those with the oldest guest images come first.',
      'fill="#555"',
    ),
  ];
  for (const [field, to] of incoming.entries()) {
    const may = answers.filter((answer) => answer.to === to && answer.line.verdict !== 'block').length;
    parts.push(text(left + field * width, top - 12, `to ${to}: ${may} of ${nodeCount} may`, 'font-weight="bold"'));
  }
  let y = top;
  for (const runtime of installed) {
    const nodes = answers.filter(({ node }) => node.runtime === runtime);
    const count = nodes.length / incoming.length;
    parts.push(text(20, y + 12, `runtime ${runtime}`, 'font-weight="bold"'));
    parts.push(text(20, y + 28, `${count} nodes`, 'fill="#555"'));
    for (const [field, to] of incoming.entries()) {
      const own = nodes
        .filter((answer) => answer.to === to)
        .sort(({ node: one }, { node: other }) => agents.indexOf(one.agent) - agents.indexOf(other.agent));
      for (const [index, answer] of own.entries()) {
        const x = left + field * width + (index % columns) * cell;
        parts.push(square(x, y + Math.floor(index / columns) * cell, answer));
      }
    }
    y += Math.ceil(count / columns) * cell + gap;
  }
  parts.push(...legend(y + 12));
  const [all, height] = [left + incoming.length * width - 20, y + 30];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${all}" height="${height}" viewBox="0 0 ${all} ${height}" font-family="sans-serif" ` +
    `font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
  );
}

/** Of all programs that have ended, in milliseconds: proc(5), cutime and cstime, in hundredths of a second. */
function processorTime(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

const native = forms.find(({ name }) => name === 'native');
if (native === undefined) throw new Error('the native form is not built');
const began = performance.now();
const all = nodes();
const made = performance.now();
const before = processorTime();
const answers = all.flatMap((node) => incoming.map((to) => ({ node, to, line: ask(native.argv, node, to) })));
const asked = performance.now();
const used = (processorTime() - before) / answers.length;
process.stdout.write(table(answers));
for (const to of incoming) {
  const may = answers.filter((answer) => answer.to === to && answer.line.verdict !== 'block').length;
  process.stdout.write(`to ${to}: ${may} of ${nodeCount} nodes may upgrade\n`);
}
const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1);
process.stdout.write(
  `${nodeCount} nodes made in ${seconds(began, made)} s; ${answers.length} answers, one after the other, in ${seconds(made, asked)} s, ` +
    `${((asked - made) / answers.length).toFixed(1)} ms each, ${used.toFixed(1)} ms of them on a processor\n`,
);
if (file !== undefined) writeFileSync(file, picture(answers));
