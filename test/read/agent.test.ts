import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type AgentFacts, findAgent, VersionSearch, versionInSummary } from '../../src/read/agent.ts';
import { fromLatin1, latin1 } from '../../src/read/bytes.ts';
import { openExt4 } from '../../src/read/ext4.ts';
import * as limits from '../../src/read/limits.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { guestTree, makeExt, osbuilderYaml, summaryPath, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { rustProgram } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('the agent in an image');
const host = createNodeHost();
const commit = '0123456789abcdef0123456789abcdef01234567';
const other = '76543210fedcba9876543210fedcba9876543210';

const agent = (...lines: readonly string[]): string => `agent:\n${lines.map((line) => `  ${line}\n`).join('')}`;

const summaries: readonly [rule: string, summary: string, expected: string | undefined][] = [
  ['format 0.0.2, in which version: stands three times', osbuilderYaml('3.4.0'), '3.4.0'],
  ['with a commit', osbuilderYaml(`1.0.0-${commit}`), `1.0.0-${commit}`],
  ['unknown', osbuilderYaml('unknown'), undefined],
  ['a word that osbuilder left in', osbuilderYaml('<<unknown>>'), undefined],
  ['empty', osbuilderYaml(''), undefined],
  ['another word is what it says', osbuilderYaml('main'), 'main'],
  ['not in quotation marks', agent('version: 3.4.0'), '3.4.0'],
  ['in single ones', agent("version: '3.4.0'"), '3.4.0'],
  ['with a comment', agent('version: 3.4.0  # from git'), '3.4.0'],
  ['with a comment behind quotation marks', agent('version: "3.4.0" # from git'), '3.4.0'],
  ['indented by a tab', 'agent:\n\tversion: 3.4.0\n', '3.4.0'],
  ['lines as Windows ends them', agent('name: "x"', 'version: "3.4.0"').replaceAll('\n', '\r\n'), '3.4.0'],
  ['comments and blank lines between', 'agent:\n# x\n\n  name: "x"\n#\n  version: "3.4.0"\n', '3.4.0'],
  ['the last line without its end', agent('version: "3.4.0"').trimEnd(), '3.4.0'],
  ['a comment behind agent', 'agent: # x\n  version: "3.4.0"\n', '3.4.0'],
  [
    "a version of something below agent is not the agent's",
    agent('source:', '  version: "1.0.0"', 'version: "3.4.0"'),
    '3.4.0',
  ],
  ['nor is one of the next section', `${agent('name: "x"')}other:\n  version: "1.0.0"\n`, undefined],
  ['nor one at the top', 'version: "1.0.0"\n', undefined],
  ['nor of a section with a longer name', 'agents:\n  version: "1.0.0"\n', undefined],
  ['a key with a longer name', agent('versions: "1.0.0"', 'version-x: "2.0.0"'), undefined],
  ['a text that is no mapping', 'agent: "3.4.0"\n', undefined],
  ['nothing', '', undefined],
  ['bytes that are no UTF-8', `name: "caf\xe9"\n${agent('version: "3.4.0"')}`, '3.4.0'],
  ['half a megabyte of blanks', `${agent(`version: ${' '.repeat(1 << 19)}3.4.0${' '.repeat(1 << 19)}`)}`, '3.4.0'],
  [
    'half a megabyte of blanks that are no comment',
    agent(`version: 3.4.0${' '.repeat(1 << 19)}x`),
    `3.4.0${' '.repeat(1 << 19)}x`,
  ],
  [
    'half a megabyte of blanks before a lone carriage return',
    agent(`version: ${' '.repeat(1 << 19)}3.4.0\rx`),
    '3.4.0\rx',
  ],
  ['half a megabyte of blanks before a comment', agent(`version: 3.4.0${' '.repeat(1 << 19)}# x`), '3.4.0'],
  ['nothing but a comment', agent('version: # 3.4.0'), undefined],
];

for (const [rule, summary, expected] of summaries) {
  test(
    `in the summary: ${rule}`,
    () => {
      assert.is(versionInSummary(fromLatin1(summary)), expected);
    },
    { timeout: 20 },
  );
}

const noise = `\x7fELF\0rustc 1.70.0 (90c541806 2023-05-31)\0/cargo/registry/src/serde-1.0.188/lib.rs\0-----\0`;

const binaries: readonly [rule: string, content: string, expected: string | undefined][] = [
  ['with its commit', `${noise}kata-agent 3.4.0-${commit}\0${noise}`, `3.4.0 ${commit}`],
  ['of a candidate', `${noise}2.5.0-rc1-${commit}${noise}`, `2.5.0-rc1 ${commit}`],
  ['of an alpha', `${noise}2.5.0-alpha12-${commit}\0`, `2.5.0-alpha12 ${commit}`],
  ['of a changed work tree', `${noise}1.0.0-${commit}-dirty\0`, `1.0.0 ${commit}`],
  ['at the very start', `3.4.0-${commit}`, `3.4.0 ${commit}`],
  ['at the very end', `${noise}3.4.0-${commit}`, `3.4.0 ${commit}`],
  ['the same one several times', `3.4.0-${commit}\0x\x003.4.0-${commit}-dirty\0`, `3.4.0 ${commit}`],
  ['two that differ: nobody can tell', `3.4.0-${commit}\0x\x003.5.0-${other}\0`, undefined],
  ['without a commit it drowns in those of its parts', `${noise}3.4.0\0`, undefined],
  ['a commit cut short', `${noise}3.4.0-${commit.slice(1)}\0`, undefined],
  ['a commit in capitals', `${noise}3.4.0-${commit.toUpperCase().replaceAll(/[0-9]/g, 'A')}\0`, undefined],
  ['two numbers', `${noise}3.4-${commit}\0`, undefined],
  ['four numbers', `${noise}1.3.4.0-${commit}\0`, undefined],
  [
    'run together with the constants before it, as in Rust',
    `${noise}policy3.29.00.0.13.29.0-${commit}kata-agent`,
    `3.29.0 ${commit}`,
  ],
  ['likewise, of a candidate', `${noise}x2.5.0-rc10.0.12.5.0-rc1-${commit}`, `2.5.0-rc1 ${commit}`],
  ["likewise, a vendor's", `${noise}3.29.0.kata30.0.13.29.0.kata3-${commit}`, `3.29.0 ${commit}`],
  ['likewise, behind a digit', `${noise}13.29.00.0.13.29.0-${commit}`, `3.29.0 ${commit}`],
  [
    'likewise, with more hexadecimal digits behind it',
    `${noise}3.29.00.0.13.29.0-${commit}agent-commit`,
    `3.29.0 ${commit}`,
  ],
  ['likewise, of a version with equal numbers', `${noise}1.1.10.0.11.1.1-${commit}`, `1.1.1 ${commit}`],
  ['run together with another version is not known', `${noise}3.28.00.0.13.29.0-${commit}`, undefined],
  ['run together without the version of the interface', `${noise}3.29.03.29.0-${commit}`, `3.29.0 ${commit}`],
  ['in another order, as older compilers lay them', `${noise}0.0.13.29.0-${commit}3.29.0`, `3.29.0 ${commit}`],
  ['likewise, before another number', `${noise}0.0.13.29.0-${commit}3.29.07`, `3.29.0 ${commit}`],
  ['likewise, where the version itself stands elsewhere', `${noise}0.0.13.29.0-${commit}x`, `3.29.0 ${commit}`],
  ['likewise, of a candidate', `${noise}0.0.12.5.0-rc1-${commit}2.5.0-rc1`, `2.5.0-rc1 ${commit}`],
  ['behind a digit, and again behind the commit', `${noise}sha13.29.0-${commit}3.29.0`, `3.29.0 ${commit}`],
  ['behind several digits: nobody can tell where it begins', `${noise}sha2563.29.0-${commit}`, undefined],
  ['behind the end of another number', `${noise}9.0.0.13.29.0-${commit}`, undefined],
  ['a commit alone', `${noise}x-${commit}\0`, undefined],
  ['nothing', '', undefined],
];

for (const [rule, content, expected] of binaries) {
  test(`in a binary: ${rule}`, () => {
    const bytes = fromLatin1(content);
    for (const step of [1, 7, 47, 64, 100, 100_000]) {
      const search = new VersionSearch();
      for (let at = 0; at < bytes.length; at += step) search.add(bytes.subarray(at, at + step));
      const found = search.result();
      assert.is(found === undefined ? undefined : `${found.text} ${found.commit}`, expected, `in pieces of ${step}`);
      assert.not.ok(search.isPacked);
    }
  });
}

for (const before of ['kata-agent-', 'policy2.5.0-alpha20.0.1']) {
  test(`in a binary: a version across two pieces, wherever they meet, behind ${before}`, () => {
    const bytes = fromLatin1(`${'-'.repeat(100)}${before}2.5.0-alpha2-${commit}-dirty${'-'.repeat(100)}`);
    for (let at = 1; at < bytes.length; at += 1) {
      const search = new VersionSearch();
      search.add(bytes.subarray(0, at));
      search.add(bytes.subarray(at));
      assert.is(search.result()?.text, '2.5.0-alpha2', `cut at ${at}`);
      assert.is(search.result()?.isDirty, true, `cut at ${at}`);
    }
  });
}

test(
  'in a binary: numbers and dots alone take no longer than their number',
  () => {
    const search = new VersionSearch();
    const bytes = fromLatin1(`${'1.'.repeat(40)}1.1.1-${commit}`.repeat(20_000));
    search.add(bytes);
    assert.is(search.result(), undefined);
  },
  { timeout: 20 },
);

test('in a binary: more versions than any has are not all kept', () => {
  const found = (count: number): string | undefined => {
    const search = new VersionSearch();
    for (let index = 0; index < count; index += 1) {
      search.add(fromLatin1(`\x003.4.0-${index.toString(16).padStart(40, '0')}\0`));
    }
    return search.result()?.text;
  };
  assert.is(found(limits.agentVersions), '3.4.0');
  assert.is(found(limits.agentVersions + 1), undefined);
});

test('of a binary, no more is looked through than the limit', async () => {
  const folder = temporaryFolder();
  const packed = writeTree(join(folder, 'tree'), { 'usr/bin/kata-agent': 'x' });
  const image = makeExt(join(folder, 'image'), packed, '4M', '-b', '1024', '-O', '^has_journal');
  const budget = new Budget(host, host.now() + 60_000);
  const piece = new Uint8Array(1 << 20);
  let given = 0;
  function* endless(): Generator<Uint8Array> {
    for (; given < 2 * limits.agentBytes; given += piece.length) yield piece;
  }
  await findAgent(openExt4(new Source(host.open(image), budget)), budget, {}, endless);
  assert.ok(given <= limits.agentBytes);
});

test('in a binary: one packed by upx says so', () => {
  const search = new VersionSearch();
  search.add(fromLatin1(`\x7fELF${'\0'.repeat(200)}UPX!${'\0'.repeat(2000)}`));
  assert.ok(search.isPacked);
  assert.is(search.result(), undefined);
});

async function facts(tree: Tree, deep = false): Promise<AgentFacts> {
  const folder = temporaryFolder();
  const packed = writeTree(join(folder, 'tree'), { 'etc/hostname': 'x', ...tree });
  const image = makeExt(join(folder, 'image'), packed, '4M', '-b', '1024', '-O', '^has_journal');
  const budget = new Budget(host, host.now() + 60_000);
  return findAgent(openExt4(new Source(host.open(image), budget)), budget, { deep });
}

const binary = (version: string): string => `${noise}${version}-${commit}\0${'x'.repeat(100_000)}`;
const guest = guestTree('3.4.0');
const { [summaryPath.slice(1)]: _, ...withoutSummary } = guest;

/** `version source path`, or why it is not known; and what contradicts. */
const images: readonly [
  rule: string,
  tree: Tree,
  expected: string,
  deep?: boolean,
  contradiction?: string | null,
  unchecked?: string,
][] = [
  ['the summary speaks', guest, `3.4.0 osbuilder.yaml ${summaryPath}`],
  [
    'it wins over the binary',
    { ...guest, 'usr/bin/kata-agent': binary('3.5.0') },
    `3.4.0 osbuilder.yaml ${summaryPath}`,
  ],
  [
    'with deep, what the binary says is told',
    { ...guest, 'usr/bin/kata-agent': binary('3.5.0') },
    `3.4.0 osbuilder.yaml ${summaryPath}`,
    true,
    '3.5.0',
  ],
  [
    'with deep, the same is no contradiction',
    { ...guest, 'usr/bin/kata-agent': binary('3.4.0') },
    `3.4.0 osbuilder.yaml ${summaryPath}`,
    true,
  ],
  [
    'with deep, a binary that does not name its version is no contradiction, and is told',
    guest,
    `3.4.0 osbuilder.yaml ${summaryPath}`,
    true,
    null,
    '/usr/bin/kata-agent does not name its version; /sbin/init does not name its version',
  ],
  [
    'with deep, a binary that is packed is told',
    { [summaryPath.slice(1)]: osbuilderYaml('3.4.0'), 'usr/bin/kata-agent': `\x7fELF${'\0'.repeat(200)}UPX!` },
    `3.4.0 osbuilder.yaml ${summaryPath}`,
    true,
    null,
    '/usr/bin/kata-agent is packed with UPX, which hides its version',
  ],
  [
    'with deep, an image without an agent is told',
    { [summaryPath.slice(1)]: osbuilderYaml('3.4.0') },
    `3.4.0 osbuilder.yaml ${summaryPath}`,
    true,
    null,
    'there is no agent in the image',
  ],
  [
    'the binary, where there is no summary',
    { ...withoutSummary, 'usr/bin/kata-agent': binary('3.5.0') },
    '3.5.0 agent-binary /usr/bin/kata-agent',
  ],
  [
    'the binary, where the summary does not say',
    { ...guest, [summaryPath.slice(1)]: osbuilderYaml('unknown'), 'usr/bin/kata-agent': binary('3.5.0') },
    '3.5.0 agent-binary /usr/bin/kata-agent',
  ],
  [
    'the binary, where the summary says what is no version',
    { ...guest, [summaryPath.slice(1)]: osbuilderYaml('main'), 'usr/bin/kata-agent': binary('3.5.0') },
    '3.5.0 agent-binary /usr/bin/kata-agent',
  ],
  ['the agent as the init', { 'sbin/init': binary('3.5.0') }, '3.5.0 agent-binary /sbin/init'],
  [
    'the agent through a link',
    { 'usr/bin/kata-agent': { link: '/opt/kata-agent' }, 'opt/kata-agent': binary('3.5.0') },
    '3.5.0 agent-binary /usr/bin/kata-agent',
  ],
  [
    'neither says it',
    withoutSummary,
    `guest: ${summaryPath} is not in the image; /usr/bin/kata-agent does not name its version; /sbin/init does not name its version`,
  ],
  [
    'a summary of no version, cut where it is long',
    { ...guest, [summaryPath.slice(1)]: osbuilderYaml('m'.repeat(100)) },
    `guest: ${summaryPath} says ${'m'.repeat(60)}…, which is no version; /usr/bin/kata-agent does not name its version; /sbin/init does not name its version`,
  ],
  [
    'packed by upx',
    { 'usr/bin/kata-agent': `\x7fELF${'\0'.repeat(200)}UPX!` },
    `guest: ${summaryPath} is not in the image; /usr/bin/kata-agent is packed with UPX, which hides its version`,
  ],
  ['neither agent nor init: an extension image', {}, 'extension: null'],
  ['a directory where the agent would be', { 'usr/bin/kata-agent/x': '' }, 'extension: null'],
];

for (const [rule, tree, expected, deep = false, contradiction = null, unchecked = null] of images) {
  test(
    `in an image: ${rule}`,
    async () => {
      const found = await facts(tree, deep);
      assert.is(
        found.agent === null
          ? `${found.kind}: ${found.unknown}`
          : `${found.agent.version.text} ${found.agent.source} ${found.agent.path}`,
        expected,
      );
      assert.is(found.contradiction?.version.text ?? null, contradiction);
      assert.is(found.unchecked, unchecked);
    },
    { needs: ['mkfs.ext4'] },
  );
}

test(
  'who observes is handed all of the binary, whether the summary speaks or not, and its errors are not those of the image',
  async () => {
    const folder = temporaryFolder();
    const content = binary('3.4.0');
    const packed = writeTree(join(folder, 'tree'), { ...guest, 'usr/bin/kata-agent': content });
    const image = makeExt(join(folder, 'image'), packed, '4M', '-b', '1024', '-O', '^has_journal');
    const budget = new Budget(host, host.now() + 60_000);
    const filesystem = openExt4(new Source(host.open(image), budget));
    for (const deep of [false, true]) {
      const seen: string[] = [];
      const observe = (path: string) => ({ add: (piece: Uint8Array) => seen.push(`${path} ${latin1(piece)}`) });
      const found = await findAgent(filesystem, budget, { deep, observe });
      assert.is(found.agent?.version.text, '3.4.0');
      assert.is(seen.join('|').replaceAll('|/usr/bin/kata-agent ', ''), `/usr/bin/kata-agent ${content}`);
    }
    const broken = (): Iterable<Uint8Array> => {
      throw new Corrupt('broken');
    };
    const found = await findAgent(filesystem, budget, { observe: () => ({ add: () => {} }) }, broken);
    assert.is(found.agent?.version.text, '3.4.0');
  },
  { needs: ['mkfs.ext4'] },
);

for (const version of ['3.29.0', '2.5.0-rc1']) {
  test(
    `in a binary: ${version} of a real Rust program`,
    () => {
      const search = new VersionSearch();
      search.add(readFileSync(rustProgram(version, commit, [])));
      assert.is(search.result()?.text, version);
      assert.is(search.result()?.commit, commit);
    },
    { needs: ['rustc'] },
  );
}
