import * as assert from 'uvu/assert';
import type { Met } from '../../src/protocol/reach.ts';
import type { Row } from '../../src/protocol/row.ts';
import {
  consequenceOf,
  decisionText,
  failureOf,
  labelOf,
  namedRow,
  reasonsOf,
  sourceLink,
} from '../../src/protocol/words.ts';
import { suite } from '../suite.ts';

const test = suite('words for what fails');

function met(row: Partial<Row>, parts: Partial<Met> = {}): Met {
  const usual: Row = {
    id: 'x',
    kind: 'call',
    name: 'X',
    lacks: '<1.1.0',
    when: 'a pod starts',
    effect: 'pod',
    sources: [],
  };
  const rest = { outcome: 'always', weight: 'block', decisions: [], annotation: null, isDoubtful: false } as const;
  return { row: { ...usual, ...row }, ...rest, ...parts };
}

const failures: readonly [rule: string, failure: string, row: Partial<Row>, parts?: Partial<Met>][] = [
  ['every pod', 'pods do not start', {}],
  ['containers', 'containers do not start', { effect: 'container' }],
  [
    'those pods',
    'pods with a volume do not start',
    { effect: 'container', pods: 'pods with a volume' },
    { outcome: 'most' },
  ],
  [
    'pods that switch it on themselves',
    'pods with the annotation a.b do not start',
    {},
    { outcome: 'few', annotation: 'a.b' },
  ],
  [
    'less than was asked for',
    'pods with a limit get fewer CPUs than they ask for, and no error says so',
    { effect: 'degraded', pods: 'pods with a limit' },
    { outcome: 'most' },
  ],
  ['an operation', 'an error is the answer when a pod starts', { effect: 'operation' }],
  ['nothing but a log', 'an error is logged when a pod starts', { effect: 'ignored' }],
];

for (const [rule, failure, row, parts] of failures) test(rule, () => assert.is(failureOf(met(row, parts)), failure));

const decisions: readonly [text: string, value: string | boolean | null, path: string | null, line: number | null][] = [
  ['x = true (/a.toml, line 3)', true, '/a.toml', 3],
  ['x = "none" (/a.toml)', 'none', '/a.toml', null],
  ['x = false (compiled in, as no configuration sets it)', false, null, null],
  ['x is not known', null, null, null],
];

for (const [text, value, path, line] of decisions) {
  test(`a setting: ${text}`, () => assert.is(decisionText({ key: 'hypervisor.qemu.x', value, path, line }), text));
}

test('failures of the same kind stand together, and a long list is cut', () => {
  const many = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'].map((name) => met({ name }));
  const text = consequenceOf([...many, met({ name: 'Y', effect: 'container' })]);
  assert.is(text, 'pods do not start: A, B, C, D, E, F and 2 more; containers do not start: Y');
});

test('what, when, by whom and by which setting', () => {
  const driver = met({ kind: 'driver', name: 'local', pods: 'pods with a volume' }, { isDoubtful: true });
  assert.equal([labelOf(driver), namedRow(driver.row)], ['unknown', 'the driver local']);
  assert.equal(reasonsOf(driver), ['sent when a pod starts', 'met by pods with a volume', 'not certain: see below']);
  assert.equal(reasonsOf(met({ byHand: 'docker pause' })), ['called when a pod starts: docker pause']);
});

test('a source is an address', () => {
  assert.is(
    sourceLink('runtime@1.3.0:virtcontainers/api.go:126'),
    'https://github.com/kata-containers/runtime/blob/1.3.0/virtcontainers/api.go#L126',
  );
  assert.is(sourceLink('elsewhere'), 'elsewhere');
});
