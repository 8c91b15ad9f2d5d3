import * as assert from 'uvu/assert';
import { compareProtocols } from '../../src/protocol/proto-compare.ts';
import { parseProtos } from '../../src/protocol/proto-files.ts';
import { comparisonJson, comparisonText } from '../../src/report/proto-compare.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite('the texts of protocol compare');

const protocol = (source: string) => parseProtos([{ path: 'agent.proto', source }]);
const old = protocol('service S { rpc A(B) returns (C); rpc D(B) returns (C); }');
const next = protocol('service S { rpc A(B) returns (C); rpc E(B) returns (C); }');
const [from, to] = [parseVersion('1.0.0') as Version, parseVersion('1.0.1') as Version];

test('each difference has its sign, a break is announced, and a step that is too small is refused', () => {
  assert.is(
    comparisonText(compareProtocols(old, next, from, to), from, to),
    `! break     the call S/D was removed
+ addition  the call S/E was added

The protocol breaks: at least a minor release, 1.1.0.
Announce it: nodes must be drained, and runtime and guest image upgraded together.
1.0.1 is too small a step from 1.0.0.
`,
  );
});

test('the document says the same, and null for versions that were not given', () => {
  const document = JSON.parse(comparisonJson(compareProtocols(old, next, null, null), null, null));
  assert.equal(
    { ...document, differences: document.differences.length },
    {
      schema: 1,
      differences: 2,
      weight: 'break',
      step: 'minor',
      drain: true,
      from: null,
      to: null,
      least: null,
      isTooSmall: false,
    },
  );
});
