import * as assert from 'uvu/assert';
import { steps } from '../../src/protocol/history.ts';
import { builtIn } from '../../src/protocol/reach.ts';
import { type Asked, protocolJson as json, protocolText as writtenText } from '../../src/report/protocol.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { settingsOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite("the report of the protocol's history");

function version(text: string | null): Version | null {
  return text === null ? null : (parseVersion(text) as Version);
}

const stock: Asked = { known: builtIn, node: null };
const protocolText = (from: Version | null, to: Version | null, asked = stock): string => writtenText(from, to, asked);
const protocolJson = (from: Version | null, to: Version | null, asked = stock): string => json(from, to, asked);

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
      if (!line.includes('https://')) assert.ok(line.length <= 80, line);
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
  assert.match(text, /^4\.1\.x +5\.12 +the table ends$/m);
});

test('two releases: what lies between them, the verdict in both directions, and the rows of the first', () => {
  const text = protocolText(version('3.29.0'), version('3.12.0'));
  assert.match(text, /^Between 3\.29\.0 \(protocol 5\.10\) and 3\.12\.0 \(protocol 5\.4\):$/m);
  assert.match(text, /^3\.13\.0 +5\.5 +\+ call MemAgentMemcgSet \(memory agent\)$/m);
  assert.not.match(text, /SetPolicy/);
  assert.match(text, /^runtime 3\.29\.0, agent 3\.12\.0: go ahead$/m);
  assert.match(text, /^ {2}Go runtime as shipped for QEMU: go ahead$/m);
  assert.match(text, /^ {2}the call GetDiagnosticData: an error is logged when a container/m);
  assert.match(text, /^ {4}Go runtime as shipped for QEMU: switched off: shared_fs = "virtio-fs"$/m);
  assert.match(
    text,
    /^ {4}https:\/\/github\.com\/kata-containers\/kata-containers\/blob\/3\.29\.0\/src\/runtime\/virtcontainers\/container\.go#L1548$/m,
  );
  assert.match(text, /^runtime 3\.12\.0, agent 3\.29\.0: go ahead$/m);
});

test('this node is asked, too, and decides', () => {
  const settings = settingsOf({ 'hypervisor.qemu.shared_fs': 'virtio-9p' });
  const node = { readers: [{ languages: ['go'] as const, settings }], isSure: true };
  const asked = { known: builtIn, node };
  const text = protocolText(version('3.29.0'), version('3.29.0'), asked);
  assert.match(text, /^runtime 3\.29\.0, agent 3\.29\.0: blocked {2}\[KC103\]\n {2}pods do not start: 9p$/m);
  assert.match(
    text,
    /^ {4}this node: switched on: shared_fs = "virtio-9p"\n {6}\(\/usr\/share\/defaults\/kata-containers\/configuration\.toml, line 1\)$/m,
  );
  const [verdict] = JSON.parse(protocolJson(version('3.29.0'), version('3.29.0'), asked)).verdicts;
  assert.equal(
    verdict.judged.map((one: Record<string, unknown>) => [one.by, one.verdict, one.code]),
    [
      ['Go runtime as shipped for QEMU', 'ok', null],
      ['Rust runtime as shipped', 'ok', null],
      ['this node', 'block', 'KC103'],
    ],
  );
  assert.equal([verdict.judged[2].rows[0].id, verdict.judged[2].rows[0].outcome], ['driver.9p', 'on']);
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
  assert.match(text, /^Since 3\.28\.0 \(protocol 5\.9\), up to 4\.1:$/m);
  assert.match(text, /GetDiagnosticData/);
  assert.not.match(text, /runtime 3\.28|Storage\.shared/);
  assert.match(protocolText(version('4.0.0'), null), /^Nothing changed\.$/m);
});

test('a build behind the last release is not decided where nothing is proven', () => {
  assert.match(
    protocolText(version('4.1.0-57-g0123abcde'), version('4.0.0')),
    /^runtime 4\.1\.0, agent 4\.0\.0: not decided$/m,
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
