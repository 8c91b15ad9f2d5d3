import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Report } from '../../src/check.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { codes, findingKind, findingKinds } from '../../src/judge/findings.ts';
import { type ImageFacts, readImage } from '../../src/read/image.ts';
import { imageText } from '../../src/report/image-text.ts';
import { explainText, overrideFor, reportText } from '../../src/report/text.ts';
import type { Image, Runtime } from '../../src/state/node.ts';
import { parseRange, parseVersion, type Version, type VersionRange } from '../../src/version.ts';
import { guestTree, makeExt, osbuilderYaml, summaryPath, temporaryFolder, writeTree } from '../images.ts';
import { reportOf as anyReportOf, diskFacts, imagePath } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the report as text');

const whole: ImageFacts = {
  ...diskFacts,
  agent: { version: parseVersion('3.4.0') as Version, source: 'osbuilder.yaml', path: summaryPath },
};

const image = (facts: Partial<ImageFacts> = {}, parts: Partial<Image> = {}): Image => ({
  facts: { ...whole, ...facts },
  description: null,
  usedBy: [],
  package: 'kata-containers-image',
  incoming: null,
  removedBy: null,
  rebuiltBy: null,
  ...parts,
});

const runtime = (range: string, parts: Partial<Runtime> = {}): Runtime => ({
  name: 'kata-runtime',
  versionText: '3.5.0-1',
  version: parseVersion('3.5.0-1'),
  isIncoming: true,
  source: '/x.deb',
  prefix: '/usr',
  language: 'go',
  versionDoubt: null,
  description: null,
  versionSource: 'package kata-runtime',
  requirement: { range: parseRange(range) as VersionRange, source: 'its field Kata-Agent-Requires', isRule: false },
  requirementProblem: null,
  replaces: '3.4.0-1',
  ...parts,
});

/** Of what apt is about to do. */
const reportOf: typeof anyReportOf = (runtimes, images, parts, policy) =>
  anyReportOf(runtimes, images, { manager: 'apt', onlyChanges: true, ...parts }, policy);

const plain = { color: false, manager: 'apt' } as const;
const byHand = { color: false, manager: null } as const;

test('a block has its six parts, line by line', () => {
  const text = reportText(reportOf([runtime('>=3.5.0 <3.6.0')], [image()]), plain, true);
  assert.is(
    text,
    `kata-check: stopped apt [KC101]: the guest image does not fit the incoming Kata runtime

  incoming    kata-runtime 3.5.0-1        agent >=3.5.0 <3.6.0 (its field
                                          Kata-Agent-Requires)
  installed   agent 3.4.0
              ${imagePath}
              ext4 in partition 1, osbuilder.yaml
  effect      This runtime works with agent >=3.5.0 <3.6.0, but the agent in the
              image is 3.4.0. Containers may not start, or may fail later when
              one side calls what the other does not have.
  fix         Install a guest image with agent >=3.5.0 <3.6.0 in the same
              transaction, or keep kata-runtime at 3.4.0-1.
              apt-get install kata-runtime kata-containers-image
  override    give apt the option  -o KataCheck::Allow=KC101
              or  allow[] = KC101  in /etc/kata-check.conf

Nothing was changed.
The error that apt reports below means this stop.
`,
  );
});

test('an effect is a sentence, whoever wrote it', () => {
  const report = reportOf([runtime('>=3.5.0')], [image()]);
  for (const [consequence, said] of [
    ['pods do not start: x', 'Pods do not start: x.'],
    ['/x is gone.', '/x is gone.'],
    ['gRPC to ttRPC', 'gRPC to ttRPC.'],
  ] as const) {
    const findings = report.findings.map((finding) => ({ ...finding, consequence }));
    assert.ok(reportText({ ...report, findings }, plain, true).includes(`  effect      ${said}\n`), said);
  }
});

const silence: readonly [rule: string, report: Report, isHook: boolean, said: RegExp][] = [
  ['a hook with nothing to say is silent', reportOf([runtime('>=3.0.0')], [image()]), true, /^$/],
  ['a hook where nothing is installed is silent', reportOf([], []), true, /^$/],
  [
    'by hand, what fits is said, with both sides',
    reportOf([runtime('>=3.0.0')], [image()], { onlyChanges: false }),
    false,
    /^kata-check: fits: every guest image fits the Kata runtime\n\n {2}incoming {4}kata-runtime 3\.5\.0-1 .*\n.*\n {2}installed {3}agent 3\.4\.0\n/,
  ],
  [
    'by hand, an image that is made anew is not said to fit, nor what it holds now',
    reportOf([runtime('>=3.0.0')], [image({}, { rebuiltBy: 'kata-containers 3.5.0-1' })], { onlyChanges: false }),
    false,
    /^kata-check: no guest image can be judged before it is made anew\n\n {2}incoming {4}kata-runtime 3\.5\.0-1 (?:.*\n)(?!.*agent 3\.4\.0)/,
  ],
  [
    'by hand, nothing of Kata',
    reportOf([], [], { onlyChanges: false }),
    false,
    /^kata-check: nothing of Kata Containers is installed: nothing to check\n$/,
  ],
  [
    'by hand, no image',
    reportOf([runtime('>=3.0.0')], [], { onlyChanges: false }),
    false,
    /^kata-check: no guest image is configured: nothing to check\n$/,
  ],
  [
    'packages that change nothing of Kata: that is no praise of what is there',
    reportOf([], [image()]),
    false,
    /^kata-check: these packages change nothing of Kata Containers: nothing to check\n$/,
  ],
  [
    'a warning in a hook does not claim that something was stopped',
    reportOf([runtime('>=3.5.0')], [image()], {}, { mode: 'warn' }),
    true,
    /^kata-check: warning \[KC101\]: (?!.*(stopped|blocked|override|Nothing was changed))/s,
  ],
  [
    'a note is called so',
    reportOf([runtime('>=3.5.0')], [image()], {}, { severity: new Map([['KC101', 'info']]) }),
    true,
    /^kata-check: note \[KC101\]: (?!.*(override|Nothing was changed))/s,
  ],
];

for (const [rule, report, isHook, said] of silence) {
  test(rule, () => {
    assert.match(reportText(report, isHook ? plain : byHand, isHook), said);
  });
}

test('by hand a block is said without a package manager, and nothing is claimed of one', () => {
  const text = reportText(reportOf([runtime('>=3.5.0')], [image()], { manager: null }), byHand, false);
  assert.match(text, /^kata-check: blocked \[KC101\]: /m);
  assert.match(text, /^ {2}override {4}--allow KC101 {3}or {2}allow\[\] = KC101 {2}in \/etc\/kata-check\.conf$/m);
  assert.not.match(text, /apt|Nothing was changed/);
});

test('what blocks stands last, where it is seen, and each finding begins its own paragraph', () => {
  const images = [
    image(),
    image({ path: '/b', agent: null }),
    image({ path: '/c', agent: null, problem: { kind: 'corrupt', message: 'x' } }),
  ];
  const text = reportText(reportOf([runtime('>=3.5.0')], images), plain, true);
  assert.equal(
    [...text.matchAll(/^kata-check: .* \[(KC\d+)\]: .*$/gm)].map(([, code]) => code),
    ['KC201', 'KC202', 'KC101'],
  );
  for (const [, before] of text.matchAll(/([\s\S]{2})kata-check: /g)) assert.is(before, '\n\n');
  assert.ok(text.endsWith('\n\nNothing was changed.\nThe error that apt reports below means this stop.\n'));
  assert.not.match(text, /\n\n\n/);
});

/** Each line of a finding's body has its label in column 3, its value in 15, and where that is from in 43 or in 15, too. */
function assertAligned(text: string): void {
  for (const line of text.replace(/^kata-check: .*\[KC\d+\]: .*$/gm, '').split('\n')) {
    if (line === '' || /^(?:Nothing was changed|The error that apt reports)/.test(line)) continue;
    assert.ok(line.length <= 80 || isToCopy(line), line);
    assert.match(line, /^( {2}[a-z][a-z ]{10}| {13}| {41}) \S/, line);
    assert.not.match(line, /\s$/, line);
    // Two blanks inside a fact fill its column: what comes behind them is where it is from.
    if (/^ {2}(?:incoming|installed|removed) .{4}.* {2}/.test(line)) assert.match(line.slice(41, 43), /^ \S$/, line);
  }
}

/** A path is one, and a command: they are as long as they are. */
function isToCopy(line: string): boolean {
  return /^.{14}(?:\/|kata-check image \/)\S*$/.test(line);
}

const lengths = [1, 14, 15, 20, 27, 28, 29, 100, 1000];

for (const length of lengths) {
  test(`lines stay aligned with a version of ${length} characters`, () => {
    const versionText = 'x'.repeat(length);
    const unknown = {
      versionText,
      version: undefined,
      requirement: null,
      requirementProblem: `its version cannot be read: ${versionText}`,
    };
    const report = reportOf(
      [runtime('*', unknown)],
      [image(), image({ path: `/${versionText}` }, { removedBy: versionText })],
    );
    assert.equal(
      report.findings.map(({ code }) => code),
      ['KC204', 'KC302'],
    );
    const text = reportText(report, plain, true);
    assertAligned(text);
    for (const line of text.split('\n')) assert.ok(line.length <= (/^ *\/|^kata-check: /.test(line) ? 300 : 80), line);
  });
}

test('lines stay aligned for each finding there is', () => {
  const report = reportOf(
    [runtime('>=3.5.0'), runtime('*', { requirement: null, requirementProblem: 'x', name: 'other' })],
    [
      image(),
      image({ path: '/1', agent: null }),
      image(
        { path: '/2', problem: { kind: 'corrupt', message: 'x' } },
        { usedBy: [{ path: '/etc/kata-containers/configuration.toml', prefix: null, language: null }] },
      ),
      image({ path: '/3', problem: { kind: 'not-found', message: 'x' } }),
      image({ path: '/4' }, { removedBy: 'kata-containers-image' }),
      image(
        { path: '/5' },
        {
          incoming: {
            package: 'kata-containers-image 3.5.0-1',
            versionText: null,
            version: undefined,
            isRead: false,
            problem: null,
          },
        },
      ),
    ],
  );
  assert.equal(
    [...new Set(report.findings.map(({ code }) => code))],
    ['KC204', 'KC101', 'KC201', 'KC202', 'KC203', 'KC302', 'KC205'],
  );
  assertAligned(reportText(report, plain, true));
});

test('colours are only where they are asked for, and take nothing from the words', () => {
  const report = reportOf([runtime('>=3.5.0')], [image(), image({ path: '/b', agent: null })]);
  const colored = reportText(report, { ...plain, color: true }, true);
  assert.match(colored, /kata-check: \u001b\[1;31mstopped apt\u001b\[0m \[KC\d+\]: /);
  assert.match(colored, /kata-check: \u001b\[1;33mwarning\u001b\[0m \[KC\d+\]: /);
  assert.is(colored.replace(/\u001b\[[0-9;]*m/g, ''), reportText(report, plain, true));
  assert.not.match(reportText(report, plain, true), /\u001b/);
});

const overrides: readonly [manager: string | null, expected: string][] = [
  ['apt', 'give apt the option  -o KataCheck::Allow=KC104   or  allow[] = KC104  in /etc/kata-check.conf'],
  ['the installation', '--allow KC104   or  allow[] = KC104  in /etc/kata-check.conf'],
  [null, '--allow KC104   or  allow[] = KC104  in /etc/kata-check.conf'],
];

test('the way out is the command line that was stopped, with the override in it', () => {
  const state = { commandLine: ['apt-get', 'install', 'kata-runtime'], manager: 'apt' };
  const text = reportText(reportOf([runtime('>=3.5.0')], [image()], state), plain, true);
  assert.match(text, /^ {2}override {4}apt-get -o KataCheck::Allow=KC101 install kata-runtime\n {14}or {2}allow/m);
  assert.not.match(text, /…/);
});

for (const [manager, expected] of overrides) {
  test(`the way out for ${manager ?? 'nobody'}`, () => {
    assert.is(overrideFor('KC104', { manager, commandLine: null }), expected);
  });
}

for (const kind of findingKinds) {
  test(`explained: ${kind.code}`, () => {
    const text = explainText(kind);
    assert.ok(text.startsWith(`${kind.code}  ${kind.title}\n  default: ${kind.severity}\n\n`));
    const words = text.replace(/\s+/g, ' ');
    assert.ok(words.includes(kind.meaning));
    assert.ok(words.includes(kind.remedy));
    const isBlock = findingKind(kind.code).severity === 'block';
    assert.is(new RegExp(`To be warned and go on, one of:\n    --allow ${kind.code}\n`).test(text), isBlock);
    assert.is(/This finding (?:warns|informs) and stops nothing/.test(text), !isBlock);
    for (const line of text.split('\n')) {
      assert.ok(line.length <= 80, line);
      assert.not.match(line, /\s$/, line);
      for (const code of line.match(/KC\d{3}/g) ?? []) assert.ok(codes.includes(code), line);
    }
  });
}

function assertHarmless(text: string): void {
  assert.not.match(
    text,
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/,
  );
  assert.ok(text.length < 20_000, `${text.length} characters`);
}

const hostile =
  '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\u2066\u200b\u00ad\u2060\ufff9\u2028\u0000\r\nNothing was changed.\n';

const hostileParts: readonly [rule: string, make: (text: string) => Report][] = [
  [
    'why an image cannot be read',
    (text) => reportOf([runtime('*')], [image({ problem: { kind: 'corrupt', message: text } })]),
  ],
  ['why its agent is not known', (text) => reportOf([runtime('*')], [image({ agent: null, unknown: text })])],
  [
    "an incoming package's version of its agent",
    (text) =>
      reportOf(
        [runtime('*')],
        [
          image(
            {},
            { incoming: { package: text, versionText: text, version: undefined, isRead: false, problem: text } },
          ),
        ],
      ),
  ],
  ['the name of a package', (text) => reportOf([runtime('>=3.5.0', { name: text })], [image()])],
  [
    'the version of a package',
    (text) => reportOf([runtime('>=3.5.0', { versionText: text, replaces: text })], [image()]),
  ],
  [
    'why nothing is required',
    (text) => reportOf([runtime('*', { requirement: null, requirementProblem: text })], [image()]),
  ],
  ['a path', (text) => reportOf([runtime('>=3.5.0')], [image({ path: text, resolvedPath: text })])],
  [
    'a path of what cannot be read',
    (text) => reportOf([runtime('*')], [image({ path: text, problem: { kind: 'corrupt', message: text } })]),
  ],
];

for (const [rule, make] of hostileParts) {
  test(`escaped and bounded: ${rule}`, () => {
    for (const text of [hostile, `${hostile}${'x'.repeat(1 << 20)}`]) {
      const report = make(text);
      assert.ok(report.findings.length > 0);
      const said = reportText(report, plain, true);
      assertHarmless(said);
      assert.is(
        said.split('\n').filter((line) => line.trim() === 'Nothing was changed.').length,
        report.verdict === 'block' ? 1 : 0,
        said,
      );
      assertHarmless(
        imageText({
          ...whole,
          path: text,
          resolvedPath: `${text}x`,
          notes: [text],
          problem: { kind: 'corrupt', message: text },
        }),
      );
    }
  });
}

const host = createNodeHost();

for (const [rule, version] of [
  ['escapes', hostile.replace(/[\0\r\n]/g, '')],
  ['most of the largest summary', 'x'.repeat(250_000)],
] as const) {
  test(
    `a real image with ${rule} for a version is harmless`,
    async () => {
      const folder = temporaryFolder();
      const tree = writeTree(join(folder, 'tree'), { ...guestTree('x'), [summaryPath]: osbuilderYaml(version) });
      const file = makeExt(join(folder, 'image'), tree, '2M', '-b', '1024', '-O', '^has_journal');
      const facts = await readImage(host, file, { deadline: host.now() + 60_000 });
      assert.is(facts.problem, null);
      assert.ok(facts.unknown);
      assertHarmless(imageText(facts));
      const text = reportText(reportOf([runtime('*')], [image(facts)]), plain, true);
      assert.match(text, /KC201/);
      assertHarmless(text);
    },
    { needs: ['mkfs.ext4'] },
  );
}
