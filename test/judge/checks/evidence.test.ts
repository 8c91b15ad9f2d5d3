import * as assert from 'uvu/assert';
import { judge } from '../../../src/judge/judge.ts';
import type { Description } from '../../../src/protocol/descriptors.ts';
import { parseProtos } from '../../../src/protocol/proto-files.ts';
import type { Image, Runtime } from '../../../src/state/node.ts';
import { image, runtime, stateOf, usualPolicy } from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('evidence');

function saying(calls: readonly string[], type = 'string'): Description {
  const source = `service AgentService { ${calls.map((name) => `rpc ${name}(Request) returns (Request);`).join(' ')} } message Request { ${type} a = 1; }`;
  const protocol = parseProtos([{ path: 'agent.proto', source }]);
  return {
    calls: protocol.calls,
    messages: protocol.messages,
    files: ['agent.proto'],
    hasServices: true,
    notServed: new Set(),
    requested: null,
  };
}

const history = { history: 'minor' } as const;
const old = saying(['CreateContainer']);
const pausing = saying(['CreateContainer', 'PauseContainer', 'ResumeContainer']);

const by = (written: string | null, description: Description | null, parts: Partial<Runtime> = {}): Runtime =>
  runtime(written, written === null ? { problem: 'its version is not known' } : history, { description, ...parts });
const holding = (agent: string | null, description: Description | null, parts: Partial<Image> = {}): Image =>
  image(agent, { description, ...parts });

/** `CODE severity consequence`, of those that the programs decide on. */
const rows: readonly [rule: string, runtime: Runtime, image: Image, expected: RegExp[]][] = [
  [
    'neither says anything: the table alone',
    by('1.1.0', null),
    holding('1.0.0', null),
    [
      /^KC103 block pods do not start: ephemeral; .* a container is paused: PauseContainer; .* resumed: ResumeContainer$/,
    ],
  ],
  ['one alone says nothing either', by('1.0.0', pausing), holding('1.0.0', null), []],
  [
    'the founding case as it happened: a development build that calls itself 1.0.0',
    by('1.0.0', pausing),
    holding('1.0.0', old),
    [/^KC103 block .* a container is paused: PauseContainer; .* resumed: ResumeContainer \(read in both programs\)$/],
  ],
  [
    'what the table tells already is not told twice',
    by('1.1.0', pausing),
    holding('1.0.0', old),
    [
      /^KC103 block pods do not start: ephemeral; .* a container is paused: PauseContainer; .* resumed: ResumeContainer$/,
    ],
  ],
  [
    'a call that no table knows',
    by('4.1.0', saying(['CreateContainer', 'Hibernate'])),
    holding('4.1.0', old),
    [
      /^KC103 block calls the agent does not have: Hibernate; until a release declares otherwise, the two must match \(read/,
    ],
  ],
  [
    'no version is known of either',
    by(null, pausing),
    holding(null, old),
    [
      /^KC204 warn/,
      /^KC201 warn/,
      /^KC103 block .* a container is paused: PauseContainer; .* resumed: ResumeContainer \(read/,
    ],
  ],
  [
    'a message that the two read in different ways',
    by('3.29.0', saying(['CreateContainer'], 'bytes')),
    holding('3.29.0', saying(['CreateContainer'], 'uint64')),
    [/^KC102 block the two read the same bytes in different ways: Request\.1 \(read in both programs\)$/],
  ],
  [
    'all is there, whatever the releases say: a warning',
    by('1.1.0', pausing),
    holding('1.0.0', pausing),
    [/^KC103 warn .*PauseContainer.*both programs themselves say that every call is there$/],
  ],
  [
    'what the runtime never calls is no finding',
    by('1.4.0', saying(['CreateContainer', 'AddInterface'])),
    holding('1.4.0', old),
    [],
  ],
  [
    'what the runtime could call and never calls is none, of newer ones either',
    by('3.29.0', saying(['CreateContainer', 'MemAgentMemcgSet', 'GetDiagnosticData'])),
    holding('3.12.0', old),
    [],
  ],
  [
    'what is declared wins',
    runtime('1.0.0', { declares: '>=1.0.0' }, { description: pausing }),
    holding('1.0.0', old),
    [],
  ],
  [
    'an image that goes away is not compared',
    by('1.0.0', pausing),
    holding('1.0.0', old, { removedBy: 'x' }),
    [/^KC302/],
  ],
];

for (const [rule, one, other, expected] of rows) {
  test(rule, () => {
    const { findings } = judge(stateOf([one], [other]), usualPolicy);
    const found = findings.map(({ code, severity, consequence }) => `${code} ${severity} ${consequence}`);
    assert.is(found.length, expected.length, found.join('\n'));
    for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern);
  });
}

const doubt = 'only /opt/kata/VERSION says so';

test('a version in doubt: what follows from it warns, and what fits is told too; what the programs say still blocks', () => {
  const codes = (one: Runtime, other: Image, strict = false): string =>
    judge(stateOf([one], [other]), { ...usualPolicy, strict })
      .findings.map(({ code, severity }) => `${code} ${severity}`)
      .join(', ');
  assert.is(codes(by('1.1.0', null, { versionDoubt: doubt }), holding('1.1.0', null)), 'KC204 warn');
  assert.is(codes(by('1.1.0', null, { versionDoubt: doubt }), holding('1.0.0', null)), 'KC204 warn, KC103 warn');
  assert.is(codes(by('1.1.0', null, { versionDoubt: doubt }), holding('1.0.0', null), true), 'KC204 block, KC103 warn');
  assert.is(codes(by('1.0.0', pausing, { versionDoubt: doubt }), holding('1.0.0', old)), 'KC204 warn, KC103 block');
});

test('a version in doubt is none where --requires says which agents work', () => {
  const one = runtime('1.1.0', { declares: '>=1.1.0' }, { versionDoubt: doubt });
  const given = { ...one, requirement: one.requirement === null ? null : { ...one.requirement, source: '--requires' } };
  const { findings } = judge(stateOf([given], [holding('1.0.0', null)]), usualPolicy);
  assert.equal(
    findings.map(({ code, severity }) => `${code} ${severity}`),
    ['KC101 block'],
  );
});
