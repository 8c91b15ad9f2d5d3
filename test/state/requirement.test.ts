import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { builtIn } from '../../src/protocol/reach.ts';
import { readsOf } from '../../src/state/reading.ts';
import { type RequirementSources, requirementOf } from '../../src/state/requirement.ts';
import { parseRange, parseVersion } from '../../src/version.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { usualReading } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('requirements');

function configured(files: Readonly<Record<string, string>>): RequirementSources['settings'] {
  const { config, mistakes } = loadConfig(
    rootedHost(createNodeHost(), writeTree(temporaryFolder(), files)),
    undefined,
    [],
  );
  assert.equal([...mistakes], []);
  return config;
}

const plain = configured({});
const main = '/etc/kata-check.conf';
const lines = configured({ [main]: '[requires]\n3.28 - 3.32 = >=3.27.0 <4.0.0\n4.x = >=4.0.0\n' });

const declared = { text: '>=3.4.0 <3.6.0', from: 'its field Kata-Agent-Requires' };
const option = parseRange('>=3.0.0');

type Row = readonly [
  rule: string,
  sources: Partial<RequirementSources> & { readonly runtime?: string },
  expected: readonly [range: string, source: string | RegExp, isRule: boolean, problem?: RegExp] | RegExp,
];

const rows: readonly Row[] = [
  [
    '1. the option wins over all',
    { option, declared, runtime: '3.30.0', settings: lines },
    ['>=3.0.0', '--requires', false],
  ],
  ['1. it needs no version', { option }, ['>=3.0.0', '--requires', false]],
  [
    '2. the package wins over the configuration',
    { declared, runtime: '3.30.0', settings: lines },
    ['>=3.4.0 <3.6.0', 'its field Kata-Agent-Requires', false],
  ],
  ['2. it needs no version', { declared }, ['>=3.4.0 <3.6.0', 'its field Kata-Agent-Requires', false]],
  [
    '2. a package whose range cannot be read switches the configuration not off, and it is said',
    { declared: { ...declared, text: '(>= 3.4.0)' }, runtime: '3.30.0', settings: lines },
    [
      '>=3.27.0 <4.0.0',
      `${main}, line 2: [requires] 3.28 - 3.32`,
      false,
      /^its field Kata-Agent-Requires cannot be read as a range of versions: \(>= 3\.4\.0\)$/,
    ],
  ],
  [
    '2. nor the history, when it is empty',
    { declared: { ...declared, text: '' }, runtime: '3.30.0' },
    ['>=3.2.0', 'protocol history', false, /cannot be read as a range of versions: $/],
  ],
  [
    '3. the configuration, where it covers the runtime',
    { runtime: '3.30.0', settings: lines },
    ['>=3.27.0 <4.0.0', `${main}, line 2: [requires] 3.28 - 3.32`, false],
  ],
  [
    '3. its pre-releases and its packaging too',
    { runtime: '4.0.0~rc1-1', settings: lines },
    ['>=4.0.0', `${main}, line 3: [requires] 4.x`, false],
  ],
  [
    '3. of several lines that cover it, the last',
    { runtime: '4.1.0', settings: configured({ [main]: '[requires]\n4.x = >=4.0.0\n4.1.x = >=4.1.0\n' }) },
    ['>=4.1.0', /line 3/, false],
  ],
  [
    '3. of several files, the drop-in',
    {
      runtime: '4.1.0',
      settings: configured({
        [main]: '[requires]\n4.1.x = >=4.1.0\n',
        [`${main}.d/site.conf`]: '[requires]\n4.x = >=4.0.0\n',
      }),
    },
    ['>=4.0.0', /^\/etc\/kata-check\.conf\.d\/site\.conf, line 2/, false],
  ],
  [
    '4. else the history of the protocol',
    { runtime: '3.27.2', settings: lines },
    ['>=3.2.0', 'protocol history', false],
  ],
  [
    '4. where it covers the runtime, the rule does not count',
    { runtime: '3.27.2', settings: configured({ [main]: 'rule = exact\n' }) },
    ['>=3.2.0', 'protocol history', false],
  ],
  [
    '3. the configuration wins over the history',
    { runtime: '3.28.0', settings: lines },
    ['>=3.27.0 <4.0.0', `${main}, line 2: [requires] 3.28 - 3.32`, false],
  ],
  [
    '5. else the rule, by default minor: beyond the table, and it is said',
    { runtime: '4.2.1' },
    ['>=4.2.0-0 <4.3.0-0', 'rule minor: the protocol history ends at 4.1', true],
  ],
  [
    '5. the configured rule',
    { runtime: '4.5.0', settings: configured({ [main]: 'rule = skew=2\n' }) },
    ['>=4.3.0-0 <4.6.0-0', 'rule skew=2: the protocol history ends at 4.1', true],
  ],
  [
    '5. before the table',
    { runtime: '0.9.0' },
    ['>=0.9.0-0 <0.10.0-0', 'rule minor: the protocol history begins at 1.0.0', true],
  ],
  [
    '4. a build between two releases: what nothing is proven against on either side, and it is said',
    { runtime: '3.2.0-rc1' },
    ['>=2.2.0', 'protocol history, for a build before 3.2.0', false],
  ],
  ['without a version there is none', { settings: lines }, /^its version is not known$/],
  [
    'nor with one of no known form',
    { settings: lines, versionText: '3.2.0.1' },
    /^its version cannot be read: 3\.2\.0\.1$/,
  ],
];

for (const [rule, { runtime, ...parts }, expected] of rows) {
  test(rule, () => {
    const version = runtime === undefined ? undefined : parseVersion(runtime);
    const { requirement, requirementProblem } = requirementOf({
      option: undefined,
      declared: undefined,
      settings: plain,
      known: builtIn,
      reads: readsOf(usualReading, { prefix: null, language: null }, null),
      version,
      versionText: runtime ?? null,
      ...parts,
    });
    if (expected instanceof RegExp) {
      assert.is(requirement, null);
      assert.match(requirementProblem ?? '', expected);
      return;
    }
    const [range, source, isRule, problem] = expected;
    if (problem === undefined) assert.is(requirementProblem, null);
    else assert.match(requirementProblem ?? '', problem);
    assert.is(requirement?.range.text, range);
    if (typeof source === 'string') assert.is(requirement?.source, source);
    else assert.match(requirement?.source ?? '', source);
    assert.is(requirement?.isRule, isRule);
    // What the history does not tell of an agent is up to the rule.
    assert.is(requirement?.otherwise?.isRule, String(source).startsWith('protocol history') ? true : undefined);
  });
}
