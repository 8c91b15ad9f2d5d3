import * as assert from 'uvu/assert';
import {
  compareProtocols,
  consequenceOf,
  protocolOf,
  rangeByHistory,
  stepsBetween,
  whyNotCovered,
} from '../../src/protocol/compare.ts';
import { isBreak, steps } from '../../src/protocol/history.ts';
import { compareVersions, isInRange, parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('the history of the protocol');

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version`);
  return parsed;
}

type Row = readonly [
  rule: string,
  runtime: string,
  agent: string,
  /** `undecided`: a rule must decide. */
  code: 'KC102' | 'KC103' | 'KC107' | 'fits' | 'undecided',
  /** The calls, the names of drivers, or what the consequence says. */
  named?: readonly string[] | RegExp,
];

const pairs: readonly Row[] = [
  // The newer runtime.
  ['the case it all began with', '1.1.0', '1.0.0', 'KC103', ['PauseContainer', 'ResumeContainer']],
  ['a newer agent has more than is asked for', '1.0.0', '1.1.0', 'fits'],
  [
    'all calls on the way, by name',
    '3.29.0',
    '3.12.0',
    'KC103',
    ['AddSwapPath', 'GetDiagnosticData', 'MemAgentCompactSet', 'MemAgentMemcgSet'],
  ],
  [
    'what the runtime no longer calls is not missed',
    '1.6.0',
    '1.5.0',
    'KC103',
    ['MemHotplugByProbe', 'StartTracing', 'StopTracing'],
  ],
  ['a call that came and went again is not missed', '2.3.0', '2.2.0', 'fits'],
  ['messages that came are no calls', '1.7.0', '1.6.0', 'KC107', ['driver local']],
  ['a field more is ignored', '2.2.2', '2.2.1', 'fits'],
  ['in the other direction too', '2.4.0', '2.4.1', 'fits'],
  ['a field in a release of its own', '3.17.0', '3.16.0', 'fits'],
  ['services inside the guest are none of the runtime', '3.8.0', '3.7.0', 'fits'],

  // The older runtime.
  ['calls that went', '1.5.0', '1.6.0', 'KC102', ['AddInterface', 'RemoveInterface']],
  [
    'a call that came after the runtime and went again',
    '1.5.0',
    '1.12.0',
    'KC102',
    ['AddInterface', 'RemoveInterface'],
  ],
  ['tracing went', '2.3.0', '2.4.0', 'KC102', ['StartTracing', 'StopTracing']],
  ['no step at all between', '3.11.0', '3.5.0', 'fits'],
  ['nor in the other direction', '3.5.0', '3.11.0', 'fits'],

  // Breaks, in both directions.
  ['the transport', '2.0.0', '1.12.0', 'KC102', /^gRPC to ttRPC in 2\.0\.0: no call at all/],
  ['the transport, and back', '1.12.0', '2.0.0', 'KC102', /^gRPC to ttRPC in 2\.0\.0/],
  ['a message', '2.1.0', '2.0.0', 'KC102', /^the message LinuxSeccomp changed in 2\.1\.0: CreateContainer/],
  ['a message, and back', '2.0.0', '2.1.0', 'KC102', /^the message LinuxSeccomp/],
  ['the whole history', '4.1.0', '1.0.0', 'KC102', /^gRPC to ttRPC/],
  ['the whole history, and back', '1.0.0', '4.1.0', 'KC102', /^gRPC to ttRPC/],

  // Values: where no call is missing.
  [
    'a driver that went, and a form of paths',
    '3.12.0',
    '3.29.0',
    'KC107',
    ['driver 9p', 'Interface.devicePath (3.15.0)'],
  ],
  ['a driver that came', '1.9.0', '1.8.0', 'KC107', ['driver blk-ccw']],
  ['an agent that knows more drivers', '1.8.0', '1.9.0', 'fits'],
  ['drivers that were renamed, for the older runtime', '3.1.0', '3.2.0', 'KC107', ['driver vfio', 'driver vfio-gk']],
  [
    'with a call missing they are not said',
    '3.2.0',
    '3.1.0',
    'KC103',
    ['RemoveStaleVirtiofsShareMounts', 'UpdateEphemeralMounts'],
  ],
  ['only a form of paths', '1.11.0', '1.12.0', 'KC107', ['Interface.pciPath (1.12.0)']],

  // Patch releases, pre-releases, packages.
  ['a patch release as its minor', '3.12.7', '3.12.0', 'fits'],
  ['however large its number', '3.12.999999999', '3.12.0', 'fits'],
  ['which does not reach into the next', '3.12.999999999', '3.13.0', 'fits'],
  ['versions of packages', '1:1.1.0-1', '1.0.0~rc1+git.717a30b-29', 'KC103', ['PauseContainer', 'ResumeContainer']],
  ['a candidate of a release that changed something could be either', '1.6.0-rc1', '1.5.0', 'undecided'],
  ['as the agent too', '1.1.0', '1.1.0-alpha0', 'undecided'],
  ['where it would be the same either way, that holds', '3.0.0', '2.0.0-rc0', 'KC102', /^the message LinuxSeccomp/],
  ['only what is missing in either case', '3.30.0', '3.15.0-rc0', 'KC103', ['GetDiagnosticData']],
  ['a candidate fits itself', '1.6.0-rc1', '1.6.0-rc1', 'fits'],
  ['a candidate of a release that changed nothing is as the release', '3.5.0-rc0', '3.4.0', 'fits'],

  // The ends of the table.
  ['a runtime that is newer than the table', '4.2.0', '4.1.0', 'undecided'],
  ['an agent that is', '4.1.0', '4.2.0', 'undecided'],
  ['older than the table', '1.0.0', '0.9.0', 'undecided'],
  ['a minor that never was', '3.0.0', '2.9.0', 'undecided'],
  ['the last one', '4.1.9', '4.0.0', 'fits'],
];

for (const [rule, runtime, agent, code, named] of pairs) {
  test(`runtime ${runtime}, agent ${agent}: ${code}: ${rule}`, () => {
    const found = compareProtocols(version(runtime), version(agent));
    assert.is(found === undefined ? 'undecided' : (found.code ?? 'fits'), code);
    if (found === undefined || named === undefined) return;
    if (named instanceof RegExp) assert.match(consequenceOf(found), named);
    else if (code === 'KC107') assert.equal(found.values, named);
    else {
      assert.equal(
        found.missing.map(({ name }) => name),
        named,
      );
    }
  });
}

test('each missing call is named with the feature that makes it', () => {
  const found = compareProtocols(version('3.29.0'), version('3.12.0'));
  assert.equal(found?.missing, [
    { name: 'AddSwapPath', feature: 'swap' },
    { name: 'GetDiagnosticData', feature: 'diagnostics' },
    { name: 'MemAgentCompactSet', feature: 'memory agent' },
    { name: 'MemAgentMemcgSet', feature: 'memory agent' },
  ]);
  const first = compareProtocols(version('1.3.0'), version('1.2.0'));
  assert.equal(first?.missing, [{ name: 'GetGuestDetails', feature: 'every sandbox' }]);
});

test('a long list of calls is cut in the sentence, and only there', () => {
  const found = compareProtocols(version('4.1.0'), version('2.1.0'));
  assert.ok(found !== undefined && found.missing.length > 10);
  assert.match(consequenceOf(found), /^calls the agent does not have: (?:\w+, ){5}\w+ and \d+ more$/);
});

const ranges: readonly [rule: string, runtime: string, range: string | undefined][] = [
  ['from the last call that was added', '3.29.0', '>=3.29.0'],
  ['later releases that changed nothing are the same', '4.1.0', '>=3.29.0'],
  ['a step of fields alone does not narrow it', '3.28.0', '>=3.15.0'],
  ['a removal ends it', '1.5.2', '>=1.5.0 <1.6.0'],
  ['the first release', '1.0.0', '>=1.0.0 <1.6.0'],
  ['breaks on both sides', '2.0.4', '>=2.0.0 <2.1.0'],
  ['a patch release in the middle', '2.2.3', '>=2.2.0 <2.4.0'],
  ['none of a candidate that could be either', '1.6.0-rc1', undefined],
  ['none of what is not covered', '4.2.0', undefined],
];

for (const [rule, runtime, expected] of ranges) {
  test(`the agents of runtime ${runtime}: ${expected ?? 'not told'}: ${rule}`, () => {
    assert.is(rangeByHistory(version(runtime))?.text, expected);
  });
}

const protocols: readonly [release: string, protocol: string | null][] = [
  ['1.0.0', '1.0'],
  ['1.1.0', '1.1'],
  ['1.6.0', '2.0'],
  ['1.8.0', '2.1'],
  ['2.0.0', '3.0'],
  ['2.1.1', '4.0'],
  ['2.2.1', '4.1'],
  ['2.2.2', '4.2'],
  ['2.3.0', '4.2'],
  ['2.4.0', '5.0'],
  ['2.4.1', '5.1'],
  ['3.7.0', '5.4'],
  ['3.8.0', '5.4'],
  ['4.1.0', '5.9'],
  ['1.6.0-rc1', '1.5 or 2.0'],
  ['4.2.0', null],
];

for (const [release, protocol] of protocols) {
  test(`release ${release} speaks protocol ${protocol ?? 'nobody knows which'}`, () => {
    assert.is(protocolOf(version(release)), protocol);
  });
}

const ends: readonly [release: string, why: string | null][] = [
  ['4.1.3', null],
  ['4.2.0', 'the protocol history ends at 4.1'],
  ['5.0.0', 'the protocol history ends at 4.1'],
  ['0.9.0', 'the protocol history begins at 1.0.0'],
  ['3.33.0', 'the protocol history knows no release 3.33'],
];

for (const [release, why] of ends) {
  test(`${release} is ${why === null ? 'covered' : `not covered: ${why}`}`, () => {
    assert.is(whyNotCovered(version(release)), why);
  });
}

test('steps between two releases, whichever comes first, and after one', () => {
  const names = (one: string, other: string | null): string[] =>
    stepsBetween(version(one), other === null ? null : version(other)).map(({ release }) => release);
  assert.equal(names('2.1.0', '2.4.0'), ['2.2.0', '2.2.2', '2.4.0']);
  assert.equal(names('2.4.0', '2.1.0'), ['2.2.0', '2.2.2', '2.4.0']);
  assert.equal(names('3.17.0', null), ['3.18.0', '3.28.0', '3.29.0']);
  assert.equal(names('4.0.0', '4.1.0'), []);
  assert.equal(names('1.6.0-rc1', '1.5.0'), ['1.6.0'], 'which may be in it');
  assert.equal(names('1.6.0-rc1', '1.7.0'), ['1.6.0', '1.7.0'], 'or not');
  assert.equal(names('1.6.0-rc1', '1.6.0-rc1'), []);
});

test('the table is in order, without a step that says nothing', () => {
  const releases = steps.map(({ release }) => version(release));
  for (const [index, one] of releases.entries()) {
    const next = releases[index + 1];
    if (next !== undefined) assert.ok(compareVersions(one, next) < 0, one.text);
    assert.is(whyNotCovered(one), null);
  }
  for (const { release, changes } of steps) assert.ok(changes.length > 0, release);
});

test('what goes was there, and nothing comes twice', () => {
  const calls = new Set<string>();
  // Those of before the table.
  for (const name of ['AddInterface', 'RemoveInterface', 'ListProcesses']) calls.add(name);
  for (const { release, changes } of steps) {
    for (const { subject, how, name, detail } of changes) {
      if (subject !== 'call') continue;
      assert.is(calls.has(name), how === 'removed', `${release}: ${name}`);
      if (how === 'added') calls.add(name);
      else calls.delete(name);
      assert.ok(detail, `${name} has its feature`);
    }
  }
});

/** Releases that there really were: a fair sample of all minors, and patch releases beside them. */
const releases = [
  ...['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0', '1.5.0', '1.6.0', '1.7.0', '1.8.0', '1.9.0', '1.10.0', '1.11.0'],
  ...['1.12.0', '1.12.1', '2.0.0', '2.1.0', '2.2.0', '2.2.1', '2.2.2', '2.3.0', '2.4.0', '2.4.1', '2.5.0', '3.0.0'],
  ...['3.1.0', '3.2.0', '3.3.0', '3.4.0', '3.5.0', '3.8.0', '3.11.0', '3.12.0', '3.13.0', '3.14.0', '3.15.0', '3.17.0'],
  ...['3.27.0', '3.28.0', '3.29.0', '3.32.0', '4.0.0', '4.1.0'],
].map(version);

function verdictOf(runtime: Version, agent: Version): string {
  const found = compareProtocols(runtime, agent);
  return found === undefined ? 'undecided' : JSON.stringify(found);
}

test('over all pairs: a release fits itself, and nothing is left undecided', () => {
  for (const runtime of releases) {
    assert.is(compareProtocols(runtime, runtime)?.code, null, runtime.text);
    for (const agent of releases) assert.not.equal(verdictOf(runtime, agent), 'undecided');
  }
});

test('over all pairs: a patch release without a step is judged as the release', () => {
  for (const runtime of releases) {
    // 2.2.0 and 2.4.0 have later patch releases with a step: theirs are 2.2.1, and none.
    const isFollowed = ['2.2.0', '2.2.1', '2.4.0'].includes(runtime.text);
    const patched = version(`${runtime.major}.${runtime.minor}.${isFollowed ? runtime.patch : runtime.patch + 5}`);
    for (const agent of releases) {
      assert.is(verdictOf(patched, agent), verdictOf(runtime, agent), `${patched.text} ${agent.text}`);
      assert.is(verdictOf(agent, patched), verdictOf(agent, runtime), `${agent.text} ${patched.text}`);
    }
  }
  assert.is(verdictOf(version('2.2.1'), version('2.1.0')), verdictOf(version('2.2.0'), version('2.1.0')));
});

test('over all pairs: what blocks names a step between the two, and its calls or its break are of those steps', () => {
  for (const runtime of releases) {
    for (const agent of releases) {
      const found = compareProtocols(runtime, agent);
      if (found?.code !== 'KC102' && found?.code !== 'KC103') continue;
      const passed = stepsBetween(runtime, agent);
      const names = passed.flatMap(({ changes }) => changes.map(({ name }) => name));
      const said = [...found.missing.map(({ name }) => name), ...found.breaks.map(({ change }) => change.name)];
      assert.ok(said.length > 0, `${runtime.text} ${agent.text}`);
      for (const name of said) assert.ok(names.includes(name), `${runtime.text} ${agent.text}: ${name}`);
    }
  }
});

test("over all pairs: a runtime's range holds exactly the agents that are not blocked", () => {
  for (const runtime of releases) {
    const range = rangeByHistory(runtime);
    assert.ok(range, runtime.text);
    for (const agent of releases) {
      const { code } = compareProtocols(runtime, agent) ?? { code: undefined };
      const isFitting = code === null || code === 'KC107';
      assert.is(range !== undefined && isInRange(agent, range), isFitting, `${runtime.text} ${agent.text}`);
    }
  }
});

test('over all pairs: the numbers tell at a glance', () => {
  for (const runtime of releases) {
    for (const agent of releases) {
      const [breaks = 0, additions = 0] = (protocolOf(runtime) ?? '').split('.').map(Number);
      const [agentBreaks = 0, agentAdditions = 0] = (protocolOf(agent) ?? '').split('.').map(Number);
      const { code } = compareProtocols(runtime, agent) ?? { code: undefined };
      const isBlocked = code === 'KC102' || code === 'KC103';
      const pair = `${runtime.text} ${agent.text}: ${code}`;
      // Another first number: neither direction works. The same: an agent that is as new does.
      if (breaks !== agentBreaks) assert.ok(isBlocked, pair);
      else if (agentAdditions >= additions) assert.not.ok(isBlocked, pair);
      if (breaks === agentBreaks && additions === agentAdditions) assert.is(code, null, pair);
    }
  }
});

test('a break is a change of the transport or of a message, or a call that goes', () => {
  const breaking = steps.filter(({ changes }) => changes.some(isBreak)).map(({ release }) => release);
  assert.equal(breaking, ['1.6.0', '2.0.0', '2.1.0', '2.4.0']);
});
