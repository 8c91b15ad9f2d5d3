import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { changesOf, type Row, rootOf, understood } from '../../src/hooks/changes.ts';
import type { PackageChange } from '../../src/state/transaction.ts';
import { suite } from '../suite.ts';

const test = suite('rows of what comes in and goes out');

const coming = (name: string, evr: string, more: Partial<Row> = {}): Row => ({
  direction: 'in',
  name,
  arch: 'x86_64',
  evr,
  archive: null,
  provides: null,
  ...more,
});
const going = (name: string, evr: string, more: Partial<Row> = {}): Row => ({
  ...coming(name, evr, more),
  direction: 'out',
});
const change = (name: string, old: string | null, next: string | null): PackageChange =>
  next === null
    ? { name, oldVersion: old, newVersion: null, action: 'remove', archive: null }
    : { name, oldVersion: old, newVersion: next, action: 'unpack', archive: null, declared: null };

const rows: readonly [rule: string, rows: readonly Row[], changes: readonly PackageChange[]][] = [
  ['nothing is nothing', [], []],
  ['an installation', [coming('kata-runtime', '3.5.0-1')], [change('kata-runtime', null, '3.5.0-1')]],
  ['a removal', [going('kata-runtime', '3.5.0-1')], [change('kata-runtime', '3.5.0-1', null)]],
  [
    'an upgrade, in either order of its rows',
    [going('a', '1-1'), coming('a', '2-1'), coming('b', '2-1'), going('b', '1-1')],
    [change('a', '1-1', '2-1'), change('b', '1-1', '2-1')],
  ],
  [
    'an epoch of 0 is none, another one stays',
    [going('a', '0:1-1'), coming('a', '1-1'), coming('b', '1:2-1')],
    [change('a', '1-1', '1-1'), change('b', null, '1:2-1')],
  ],
  [
    'what is obsoleted by another name is removed',
    [coming('kata-containers', '3.5.0-1'), going('kata-runtime', '1.0.0-1')],
    [change('kata-containers', null, '3.5.0-1'), change('kata-runtime', '1.0.0-1', null)],
  ],
  [
    'two architectures of one name',
    [going('a', '1-1', { arch: 'i686' }), going('a', '2-1'), coming('a', '3-1'), coming('a', '4-1', { arch: 'i686' })],
    [change('a', '2-1', '3-1'), change('a', '1-1', '4-1')],
  ],
  [
    'the architecture changes in an upgrade',
    [going('a', '1-1', { arch: 'noarch' }), coming('a', '2-1')],
    [change('a', '1-1', '2-1')],
  ],
];

for (const [rule, given, expected] of rows) {
  test(rule, () => assert.equal(changesOf(given), expected));
}

test('the archive and what it declares come along', () => {
  const provides = ['kata-agent-requires(min) = 3.4.0', 'kata-agent-requires(max) = 4.0.0'];
  const [only] = changesOf([coming('kata-runtime', '3.5.0-1', { archive: '/a.rpm', provides })]);
  assert.is(only?.archive, '/a.rpm');
  assert.equal(only?.declared, { agentRequires: '>=3.4.0 <4.0.0', agentVersion: null });
});

test('the real root has no name', () => {
  assert.is(rootOf('/'), '');
  assert.is(rootOf('/srv/root//'), '/srv/root');
});

test('adversary C8: an entry that is not understood takes nothing away from the others, and is told', () => {
  const read = (entry: unknown, index: number): string[] => {
    if (typeof entry !== 'string') throw new Corrupt(`${index} is no text`);
    return entry === '' ? [] : [entry];
  };
  assert.equal(understood(['a', 3, '', 'b'], read), { rows: ['a', 'b'], mistakes: ['1 is no text'] });
  assert.equal(understood(['a', ''], read), { rows: ['a'] });
  assert.equal(understood([], read), { rows: [] });
  assert.is(understood(['a', ...Array.from({ length: 100 }, () => null)], read).mistakes?.length, 10);
  assert.throws(() => understood([null, 3], read), /^0 is no text$/);
  assert.throws(() => understood(['a'], fail), /other/);
});

function fail(): never {
  throw new Error('other');
}
