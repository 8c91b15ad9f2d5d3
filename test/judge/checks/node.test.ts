import * as assert from 'uvu/assert';
import { nodeChecks } from '../../../src/judge/checks/node.ts';
import type { State } from '../../../src/state/node.ts';
import {
  declares,
  examined,
  image,
  imagePath,
  incomingRuntime,
  packagedConfig,
  runtime,
  stateOf,
} from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks of the node');

const two = { running: 2, ids: ['sandbox-1', 'sandbox-2'] };
const drains: readonly [
  rule: string,
  isIncoming: boolean,
  sandboxes: State['sandboxes'],
  expected: readonly string[],
][] = [
  ['sandboxes that run while a runtime comes in are said', true, two, ['KC301 warn']],
  ["without a change they are nobody's matter", false, two, []],
  ['none runs', true, { running: 0, ids: [] }, []],
  ['whether some run is not known', true, null, []],
];

for (const [rule, isIncoming, sandboxes, expected] of drains) {
  test(rule, () => {
    const state = stateOf([{ ...runtime('3.4.0'), isIncoming }], [image('3.4.0')], { sandboxes });
    const findings = examined(nodeChecks, state);
    assert.equal(
      findings.map(({ code, severity }) => `${code} ${severity}`),
      expected,
    );
    for (const { facts, affects, remedy } of findings) {
      assert.is(facts[0]?.value, '2 sandboxes');
      assert.equal(affects, two.ids);
      assert.ok(remedy.commands.some((command) => command.startsWith('kubectl drain')));
    }
  });
}

test('a configuration that cannot be read is a finding with its place', () => {
  const unread = [{ path: '/c.toml', message: '/c.toml, line 1, column 2: no' }];
  const [finding] = examined(nodeChecks, stateOf([], [], { unread }));
  assert.is(finding?.code, 'KC202');
  assert.equal(finding?.affects, ['/c.toml']);
  assert.match(finding?.consequence ?? '', /^\/c\.toml, line 1, column 2: no; /);
  assert.equal(examined(nodeChecks, stateOf([], [], { unread, onlyChanges: true })), []);
  const changed = examined(
    nodeChecks,
    stateOf([incomingRuntime('3.4.0', declares)], [], { unread, onlyChanges: true }),
  );
  assert.equal(
    changed.map(({ code }) => code),
    ['KC202'],
  );
});

test('what is masked is told, with the images that nobody else names', () => {
  const configuration = {
    path: packagedConfig,
    resolvedPath: packagedConfig,
    readers: [],
    namedBy: null,
    dropIns: [],
    images: [{ path: imagePath }, { path: '/hidden.img' }],
    isRemote: false,
    maskedBy: '/etc/c.toml',
  };
  const state = stateOf([runtime('3.4.0')], [image('3.4.0')], { configurations: [configuration] });
  const findings = examined(nodeChecks, state);
  assert.equal(
    findings.map(({ code, severity, consequence }) => [code, severity, consequence]),
    [['KC303', 'info', `/etc/c.toml masks ${packagedConfig}, which names /hidden.img`]],
  );
  const read = { ...configuration, maskedBy: null };
  assert.equal(examined(nodeChecks, { ...state, configurations: [read] }), []);
});
