import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Report } from '../../src/check.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type ImageFacts, readImage } from '../../src/read/image.ts';
import { imagesJson, reportDocument, reportJson, reportJsonLine } from '../../src/report/json.ts';
import type { Image, Runtime } from '../../src/state/node.ts';
import { parseRange, parseVersion, type Version, type VersionRange } from '../../src/version.ts';
import { guestTree, makeExt, osbuilderYaml, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { diskFacts, reportOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the report as JSON');
const where = { host: 'node-1', root: '/', time: '2026-01-31T12:00:00.000Z' };
const written = (report: Report, exitCode: number): string => reportJson(reportDocument(report, exitCode, where));
const commit = '0123456789abcdef0123456789abcdef01234567';
const configuration = '/usr/share/defaults/kata-containers/configuration.toml';

const whole: ImageFacts = {
  ...diskFacts,
  resolvedPath: '/usr/share/kata-containers/kata-ubuntu.image',
  agent: { version: parseVersion(`3.4.0-rc1-${commit}`) as Version, source: 'osbuilder.yaml', path: summaryPath },
};

const broken: ImageFacts = {
  ...whole,
  path: '/srv/x.img',
  resolvedPath: '/srv/x.img',
  form: null,
  table: null,
  dax: null,
  partitions: null,
  partition: null,
  offset: null,
  filesystem: null,
  agent: null,
  problem: { kind: 'not-found', message: '/srv/x.img: no such file or directory' },
};

const image = (facts: ImageFacts, parts: Partial<Image> = {}): Image => ({
  facts,
  description: null,
  usedBy: [{ path: configuration, prefix: '/usr', language: null }],
  package: null,
  incoming: null,
  removedBy: null,
  rebuiltBy: null,
  ...parts,
});

const runtime = (parts: Partial<Runtime> = {}): Runtime => ({
  name: 'kata-runtime',
  versionText: '3.5.0-1',
  version: parseVersion('3.5.0-1'),
  isIncoming: false,
  source: '/usr/bin/kata-runtime',
  prefix: '/usr',
  language: 'go',
  versionDoubt: null,
  description: null,
  versionSource: 'package kata-runtime',
  requirement: { range: parseRange('>=3.5.0') as VersionRange, source: 'its package', isRule: false },
  requirementProblem: null,
  replaces: '3.4.0-1',
  ...parts,
});

// biome-ignore lint/suspicious/noExplicitAny: what a reader of the document sees
type Document = any;

function parsed(report: Report, exitCode = 0): Document {
  return JSON.parse(written(report, exitCode));
}

/** Schema 1, as it was promised: more keys may come, none may go. */
const keys = {
  document: [
    'schema',
    'program',
    'host',
    'root',
    'time',
    'verdict',
    'exitCode',
    'runtime',
    'runtimes',
    'requirement',
    'images',
    'configurations',
    'measured',
    'pairs',
    'sandboxes',
    'findings',
  ],
  runtime: ['installed', 'incoming'],
  installed: ['version', 'path', 'source'],
  incoming: ['version', 'package', 'source'],
  requirement: ['range', 'source'],
  image: [
    'path',
    'resolvedPath',
    'form',
    'table',
    'dax',
    'partitions',
    'partition',
    'offset',
    'filesystem',
    'compression',
    'agent',
    'contradiction',
    'unchecked',
    'kind',
    'problem',
    'usedBy',
  ],
  agent: ['version', 'commit', 'source', 'path'],
  problem: ['kind', 'message'],
  sandboxes: ['running', 'ids'],
  finding: ['code', 'severity', 'title', 'detail', 'facts', 'effect', 'missing', 'affects', 'remedy', 'override'],
  remedy: ['text', 'commands'],
} as const;

function hasKeys(value: unknown, name: keyof typeof keys): void {
  const there = Object.keys(value as object);
  for (const key of keys[name]) assert.ok(there.includes(key), `${name} has ${key}`);
}

const everything = (): Report =>
  reportOf([runtime({ isIncoming: true, source: '/x.deb' }), runtime()], [image(whole), image(broken)], {
    manager: 'apt',
    sandboxes: { running: 1, ids: ['a'] },
  });

test('what is measured is told whole', () => {
  const measured = {
    image: '/i.img',
    source: '/c.toml',
    isConfigured: true,
    expected: 'a'.repeat(64),
    actual: null,
    problem: 'x\u001b',
  };
  assert.equal(parsed(reportOf([runtime()], [image(whole)], { measured: [measured] })).measured, [
    { ...measured, problem: 'x\\u001b' },
  ]);
});

const reports: readonly [rule: string, report: () => Report][] = [
  ['all of it is known', everything],
  ['nothing is', () => reportOf([], [])],
  [
    'a runtime of which nothing is known',
    () =>
      reportOf(
        [
          runtime({
            versionText: null,
            version: undefined,
            requirement: null,
            requirementProblem: 'its version is not known',
            source: 'none',
          }),
        ],
        [image(whole)],
      ),
  ],
];

for (const [rule, make] of reports) {
  test(`every key of schema 1 is there: ${rule}`, () => {
    const document = parsed(make());
    hasKeys(document, 'document');
    hasKeys(document.runtime, 'runtime');
    if (document.runtime.installed !== null) hasKeys(document.runtime.installed, 'installed');
    if (document.runtime.incoming !== null) hasKeys(document.runtime.incoming, 'incoming');
    if (document.requirement !== null) hasKeys(document.requirement, 'requirement');
    hasKeys(document.sandboxes, 'sandboxes');
    for (const one of document.images) {
      hasKeys(one, 'image');
      if (one.agent !== null) hasKeys(one.agent, 'agent');
      if (one.problem !== null) hasKeys(one.problem, 'problem');
    }
    for (const finding of document.findings) {
      hasKeys(finding, 'finding');
      hasKeys(finding.remedy, 'remedy');
    }
  });
}

test('what is known is said', () => {
  const document = parsed(everything(), 10);
  assert.equal([document.schema, document.verdict, document.exitCode], [1, 'block', 10]);
  assert.equal(document.runtime, {
    installed: { version: '3.5.0', path: '/usr/bin/kata-runtime', source: 'kata-runtime' },
    incoming: { version: '3.5.0', package: 'kata-runtime', source: '/x.deb' },
  });
  assert.equal(document.requirement, { range: '>=3.5.0', source: 'its package' });
  assert.equal(document.images[0], {
    path: whole.path,
    resolvedPath: whole.resolvedPath,
    form: 'disk',
    table: 'mbr',
    dax: true,
    partitions: 1,
    partition: 1,
    offset: 3145728,
    filesystem: 'ext4',
    compression: null,
    agent: { version: '3.4.0-rc1', commit, source: 'osbuilder.yaml', path: summaryPath },
    contradiction: null,
    unchecked: null,
    kind: 'guest',
    problem: null,
    usedBy: [configuration],
  });
  assert.equal(document.images[1].agent, null);
  assert.equal(document.images[1].problem, broken.problem);
  assert.equal(document.sandboxes, { running: 1, ids: ['a'] });
  const finding = document.findings.find(({ code }: { code: string }) => code === 'KC101');
  assert.is(finding.severity, 'block');
  assert.equal(finding.affects, [whole.path]);
  assert.match(
    finding.detail,
    /^incoming kata-runtime 3\.5\.0-1, agent >=3\.5\.0 \(its package\); installed agent 3\.4\.0-rc1, /,
  );
  assert.match(finding.override, /^give apt the option {2}-o KataCheck::Allow=KC101 /);
});

test('what is not known is null, never absent', () => {
  const document = parsed(reportOf([], []));
  assert.equal(document, {
    schema: 1,
    program: { name: 'kata-check', version: '0.0.0' },
    host: 'node-1',
    root: '/',
    time: '2026-01-31T12:00:00.000Z',
    verdict: 'ok',
    exitCode: 0,
    runtime: { installed: null, incoming: null },
    runtimes: [],
    requirement: null,
    images: [],
    configurations: [],
    measured: [],
    pairs: [],
    waiting: null,
    sandboxes: { running: null, ids: [] },
    findings: [],
  });
});

test('an image that comes in has the agent that its package states, not the one that is there', () => {
  const states = (stated: string | null): Document =>
    parsed(
      reportOf(
        [runtime()],
        [
          image(whole, {
            incoming: {
              package: 'kata-image 3.5.0-1',
              versionText: stated,
              version: stated === null ? undefined : parseVersion(stated),
              isRead: false,
              problem: null,
            },
          }),
        ],
      ),
    ).images[0].agent;
  assert.equal(states('3.5.0'), { version: '3.5.0', commit: null, source: 'package', path: 'kata-image 3.5.0-1' });
  assert.is(states(null), null);
});

test('an image that was read out of a package is described as it is there', () => {
  const version = whole.agent?.version;
  const incoming = { package: 'kata-image 3.5.0-1', versionText: null, version, isRead: true, problem: null };
  const read = parsed(reportOf([runtime()], [image(whole, { incoming })])).images[0];
  assert.equal(read.agent, parsed(reportOf([runtime()], [image(whole)])).images[0].agent);
  assert.is(read.agent.source, 'osbuilder.yaml');
});

test('images alone have the same form', () => {
  const document = JSON.parse(imagesJson([whole, broken])) as Document;
  assert.equal(Object.keys(document), ['schema', 'images']);
  const expected = parsed(everything()).images;
  assert.equal(
    document.images,
    expected.map((one: Document) => ({ ...one, usedBy: [] })),
  );
});

/** Ends in a line break, is ASCII where that matters, and is no longer than a page or two. */
function isHarmless(text: string): void {
  assert.not.match(
    text,
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/,
  );
  assert.ok(text.endsWith('}\n'));
  assert.ok(text.length < 20_000, `${text.length} characters`);
}

const hostile = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\u2066\u200b\u00ad\u2060\ufff9\u2028\u0000';

const hostileParts: readonly [rule: string, make: (text: string) => Report][] = [
  [
    'why an image cannot be read',
    (text) => reportOf([runtime()], [image({ ...broken, problem: { kind: 'corrupt', message: text } })]),
  ],
  ['why its agent is not known', (text) => reportOf([runtime()], [image({ ...whole, agent: null, unknown: text })])],
  [
    "an incoming package's version of its agent",
    (text) =>
      reportOf(
        [runtime()],
        [
          image(whole, {
            incoming: { package: 'x', versionText: text, version: undefined, isRead: false, problem: text },
          }),
        ],
      ),
  ],
  ["a runtime's version", (text) => reportOf([runtime({ versionText: text, version: undefined })], [image(whole)])],
  [
    'why nothing is required',
    (text) => reportOf([runtime({ requirement: null, requirementProblem: text })], [image(whole)]),
  ],
];

for (const [rule, make] of hostileParts) {
  test(`escaped and bounded: ${rule}`, () => {
    isHarmless(written(make(hostile), 0));
    isHarmless(written(make(`${hostile}${'x'.repeat(1 << 20)}`), 0));
  });
}

test('escaped: paths, which must come back as they were', () => {
  const path = `/srv/${hostile.replace('\0', '')}`;
  const text = written(reportOf([runtime()], [image({ ...broken, path, resolvedPath: path })]), 0);
  isHarmless(text);
  assert.is(JSON.parse(text).images[0].resolvedPath, path);
  assert.equal(JSON.parse(text).findings[0].affects, [path]);
});

const host = createNodeHost();

for (const [rule, version] of [
  ['escapes', hostile.replace('\0', '')],
  ['most of the largest summary', 'x'.repeat(250_000)],
] as const) {
  test(
    `a real image with ${rule} for a version is harmless`,
    async () => {
      const folder = temporaryFolder();
      const tree = writeTree(join(folder, 'tree'), { ...guestTree('x'), [summaryPath]: osbuilderYaml(version) });
      const facts = await readImage(
        host,
        makeExt(join(folder, 'image'), tree, '2M', '-b', '1024', '-O', '^has_journal'),
        {
          deadline: host.now() + 60_000,
        },
      );
      assert.is(facts.problem, null);
      assert.ok(facts.unknown);
      isHarmless(imagesJson([facts]));
      isHarmless(written(reportOf([runtime()], [image(facts)]), 0));
    },
    { needs: ['mkfs.ext4'] },
  );
}

test('JSON Lines: the same document in one line', () => {
  const whole = reportDocument(everything(), 10, where);
  const line = reportJsonLine(whole);
  assert.match(line, /^[^\n]+\n$/);
  assert.equal(JSON.parse(line), JSON.parse(reportJson(whole)));
});
