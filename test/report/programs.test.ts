import * as assert from 'uvu/assert';
import type { Description } from '../../src/protocol/descriptors.ts';
import { parseProtos } from '../../src/protocol/proto-files.ts';
import { evidenceFor, programsJson, programsText } from '../../src/report/programs.ts';
import type { Described } from '../../src/state/described.ts';
import { suite } from '../suite.ts';

const test = suite('what programs say, as a report');

function saying(calls: readonly string[], parts: Partial<Description> = {}): Description {
  const source = `service AgentService { ${calls.map((name) => `rpc ${name}(${name}Request) returns (E);`).join(' ')} } message E { string a = 1; }`;
  const { calls: all, messages } = parseProtos([{ path: 'agent.proto', source }]);
  const usual = { files: ['agent.proto'], hasServices: true, notServed: new Set<string>(), requested: null };
  return { calls: all, messages, ...usual, ...parts };
}

function program(path: string, description: Description | null, parts: Partial<Described> = {}): Described {
  return { path, kind: 'program', version: '3.29.0', description, problem: null, ...parts };
}

test('one program: its version, its files, its calls and what it does not do', () => {
  const requested = new Set(['ARequest']);
  const notServed = new Set(['AgentService/B']);
  const text = programsText([program('/x', saying(['A', 'B'], { requested, notServed }))]);
  assert.is(
    text,
    `/x
  kind        program
  version     3.29.0
  files       agent.proto
  messages    1, with 1 fields and values
  calls       2: AgentService/A, AgentService/B
  never made  AgentService/B
  not served  AgentService/B
`,
  );
});

test('two: the first as runtime, the second as agent', () => {
  const both = [program('/r', saying(['A', 'Pause'])), program('/a', saying(['A']))];
  assert.match(
    programsText(both),
    /^the first as runtime, the second as agent\n {2}missing {5}the agent does not have Pause\n/m,
  );
  assert.match(programsText([...both].reverse()), /^ {2}verdict {5}they fit: /m);
  assert.equal(evidenceFor(both)?.missing, ['Pause']);
});

test('nothing said, nothing readable, nothing hidden', () => {
  const text = programsText([
    program('/a\u001b[31m', null),
    program('/b', null, { kind: null, problem: 'no such\u202e file' }),
  ]);
  assert.match(text, /^\/a\\u001b\[31m$/m);
  assert.match(text, /^ {2}says {8}nothing: it holds no descriptor/m);
  assert.match(text, /^ {2}problem {5}no such\\u202e file$/m);
  assert.not.match(text, /runtime, the second/);
});

test('as JSON', () => {
  const document = JSON.parse(programsJson([program('/r', saying(['A', 'B'])), program('/a', saying(['A']))]));
  assert.is(document.schema, 1);
  assert.equal(document.evidence, { missing: ['B'], breaks: [] });
  const [first] = document.programs;
  assert.equal(Object.keys(first), ['path', 'kind', 'version', 'problem', 'description']);
  assert.equal(first.description.calls[0], { name: 'AgentService/A', request: 'ARequest', response: 'E' });
  assert.equal(first.description.messages, [{ name: 'E', fields: [{ name: 'a', number: 1, type: 'string' }] }]);
  assert.is(JSON.parse(programsJson([program('/r', null)])).programs[0].description, null);
});
