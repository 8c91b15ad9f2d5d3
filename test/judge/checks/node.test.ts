import * as assert from 'uvu/assert';
import { nodeChecks } from '../../../src/judge/checks/node.ts';
import type { State } from '../../../src/state/node.ts';
import { examined, image, runtime, stateOf } from '../../states.ts';
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
