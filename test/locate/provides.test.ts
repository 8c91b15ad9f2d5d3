import * as assert from 'uvu/assert';
import type { Declared } from '../../src/locate/declared.ts';
import { declaredByProvides } from '../../src/locate/provides.ts';
import { isInRange, parseRange, parseVersion } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('what an rpm provides');

const min = 'kata-agent-requires(min)';
const max = 'kata-agent-requires(max)';

const rows: readonly [rule: string, provides: readonly string[], expected: Partial<Declared>][] = [
  ['nothing of Kata', ['kata-runtime = 3.4.0-1', 'config(kata-runtime) = 3.4.0-1', 'acme'], {}],
  ['the lower bound alone', [`${min} = 3.4.0`], { agentRequires: '>=3.4.0' }],
  ['the upper bound alone', [`${max} = 3.6.0`], { agentRequires: '<3.6.0' }],
  ['both, in whichever order', [`${max} = 3.6.0`, `${min} = 3.4.0`], { agentRequires: '>=3.4.0 <3.6.0' }],
  ['the agent in the image', ['kata-agent = 3.5.0'], { agentVersion: '3.5.0' }],
  [
    'of one package that is both',
    [`${min} = 3.5.0`, 'kata-agent = 3.5.0'],
    { agentRequires: '>=3.5.0', agentVersion: '3.5.0' },
  ],
  ['a pre-release', [`${min} = 3.4.0~rc1`, `${max} = 4.0.0~alpha0`], { agentRequires: '>=3.4.0-rc1 <4.0.0-alpha0' }],
  ['an epoch and a release are no part of it', [`${min} = 1:3.4.0~rc1-3.fc41`], { agentRequires: '>=3.4.0-rc1' }],
  ['what comes after a release is taken as it', [`${max} = 3.6.0^git1`], { agentRequires: '<3.6.0' }],
  ['two numbers', [`${min} = 3.4`, `${max} = 1:4`], { agentRequires: '>=3.4.0 <4' }],
  ['without a version nothing is stated', ['kata-agent', min], {}],
  ['nor with another sign', ['kata-agent >= 3.5.0', `${min} > 3.4.0`], {}],
  ['blanks around it, as of a list', [' kata-agent = 3.5.0 '], { agentVersion: '3.5.0' }],
  ['one agent, written in two ways', ['kata-agent = 3.5.0', 'kata-agent = 1:3.5.0-1'], { agentVersion: '3.5.0' }],
  ['two agents are none', ['kata-agent = 3.5.0', 'kata-agent = 3.6.0'], {}],
  ['a name that only begins so', ['kata-agent-tools = 3.5.0', 'kata-agent(x86-64) = 3.5.0'], {}],
  [
    'what is no version is still said',
    [`${min} = banana`, 'kata-agent = banana'],
    { agentRequires: '>=banana', agentVersion: 'banana' },
  ],
];

for (const [rule, provides, expected] of rows) {
  test(rule, () => {
    assert.equal(declaredByProvides(provides), { agentRequires: null, agentVersion: null, ...expected });
  });
}

test('pre-releases of both bounds are ranges, and hold what they should', () => {
  const { agentRequires } = declaredByProvides([`${min} = 1:3.4.0~rc1-1`, `${max} = 4.0.0~alpha0`]);
  const range = parseRange(agentRequires ?? '');
  const holds = (text: string): boolean => {
    const version = parseVersion(text);
    return range !== undefined && version !== undefined && isInRange(version, range);
  };
  assert.equal(['3.4.0-rc0', '3.4.0-rc1', '3.4.0', '3.31.0', '4.0.0-alpha0', '4.0.0'].map(holds), [
    false,
    true,
    true,
    true,
    false,
    false,
  ]);
});

test('a bound that is no version is no range', () => {
  assert.is(parseRange(declaredByProvides([`${min} = banana`]).agentRequires ?? ''), undefined);
});
