import * as assert from 'uvu/assert';
import { steps } from '../../src/protocol/history.ts';
import { protocolJson, protocolText } from '../../src/report/protocol.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { suite } from '../suite.ts';

const test = suite("the report of the protocol's history");

function version(text: string | null): Version | null {
  return text === null ? null : (parseVersion(text) as Version);
}

const asked: readonly [from: string | null, to: string | null][] = [
  [null, null],
  ['1.0.0', null],
  ['3.12.0', '3.29.0'],
  ['4.1.0', '1.0.0'],
  ['2.0.0', '1.12.0'],
  ['4.0.0', '4.1.0'],
  ['1.6.0-rc1', '1.5.0'],
];

for (const [from, to] of asked) {
  test(`${from ?? 'all'} ${to ?? ''}: 80 columns at the most, no blanks at the end of a line`, () => {
    const lines = protocolText(version(from), version(to)).split('\n');
    for (const line of lines) {
      assert.ok(line.length <= 80, line);
      assert.is(line, line.trimEnd());
    }
    assert.is(lines.at(-1), '');
  });
}

test('the whole history: each step and each change once, and both ends', () => {
  const text = protocolText(null, null);
  const flat = text.replace(/\n {17,}/g, ' ');
  for (const { release, protocol, changes } of steps) {
    assert.match(text, new RegExp(`^${release.replaceAll('.', '\\.')} +${protocol.replace('.', '\\.')} +[-+~!] `, 'm'));
    for (const { name } of changes) assert.ok(flat.includes(name), name);
  }
  assert.match(text, /^1\.0\.0 +1\.0 +the table begins$/m);
  assert.match(text, /^4\.1\.x +5\.9 +the table ends$/m);
});

test('two releases: what lies between them, and the verdict in both directions', () => {
  const text = protocolText(version('3.12.0'), version('3.29.0'));
  assert.match(text, /^Between 3\.12\.0 \(protocol 5\.4\) and 3\.29\.0 \(protocol 5\.9\):$/m);
  assert.match(text, /^3\.13\.0 +5\.5 +\+ call MemAgentMemcgSet \(memory agent\)$/m);
  assert.not.match(text, /SetPolicy/);
  assert.match(
    text,
    /^runtime 3\.12\.0, agent 3\.29\.0: a warning {2}\[KC107\]\n {2}the agent may refuse or misread: driver 9p/m,
  );
  assert.match(
    text,
    /^runtime 3\.29\.0, agent 3\.12\.0: blocked {2}\[KC103\]\n {2}calls the agent does not have: AddSwapPath/m,
  );
  assert.not.match(text, /Going back/);
});

test('the newer one first: the same steps, read backwards', () => {
  const text = protocolText(version('1.1.0'), version('1.0.0'));
  assert.match(text, /^Going back: /m);
  assert.match(
    text,
    /^runtime 1\.1\.0, agent 1\.0\.0: blocked {2}\[KC103\][\s\S]*^runtime 1\.0\.0, agent 1\.1\.0: go ahead$/m,
  );
});

test('one release: what changed since, and no verdict', () => {
  const text = protocolText(version('3.28.0'), null);
  assert.match(text, /^Since 3\.28\.0 \(protocol 5\.8\), up to 4\.1:$/m);
  assert.match(text, /GetDiagnosticData/);
  assert.not.match(text, /runtime 3\.28|Storage\.shared/);
  assert.match(protocolText(version('3.29.0'), null), /^Nothing changed\.$/m);
});

test('a pre-release of a release that changed something is not decided', () => {
  assert.match(
    protocolText(version('1.6.0-rc1'), version('1.5.0')),
    /^runtime 1\.5\.0, agent 1\.6\.0-rc1: not decided$/m,
  );
});

test('JSON, schema 1: all of the text, and null for what was not asked', () => {
  const all = JSON.parse(protocolJson(null, null));
  assert.equal([all.schema, all.from, all.to, all.verdicts], [1, null, null, []]);
  assert.equal(all.history, { first: '1.0.0', last: '4.1' });
  assert.is(all.steps.length, steps.length);
  const pair = JSON.parse(protocolJson(version('1.0.0'), version('1.1.0')));
  assert.equal(pair.from, { version: '1.0.0', protocol: '1.0' });
  assert.equal(pair.steps[0].changes[0], {
    subject: 'call',
    how: 'added',
    name: 'PauseContainer',
    to: null,
    detail: 'pausing containers',
    isBreak: false,
  });
  assert.equal(
    pair.verdicts.map((one: Record<string, unknown>) => [one.runtime, one.agent, one.verdict, one.code]),
    [
      ['1.0.0', '1.1.0', 'ok', null],
      ['1.1.0', '1.0.0', 'block', 'KC103'],
    ],
  );
});
