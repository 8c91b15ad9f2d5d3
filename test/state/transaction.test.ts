import * as assert from 'uvu/assert';
import { isReinstall, type PackageChange } from '../../src/state/transaction.ts';
import { suite } from '../suite.ts';

const test = suite('transactions');

const change: PackageChange = {
  name: 'kata-runtime',
  oldVersion: '3.4.0-1',
  newVersion: '3.5.0-1',
  action: 'unpack',
  archive: '/kata-runtime_3.5.0-1_amd64.deb',
};

const reinstalls: readonly [rule: string, parts: Partial<PackageChange>, expected: boolean][] = [
  ['an upgrade is none', {}, false],
  ['a downgrade is none', { newVersion: '3.3.0-1' }, false],
  ['the same version again', { newVersion: '3.4.0-1' }, true],
  ['another revision is another package', { newVersion: '3.4.0-2' }, false],
  ['an installation is none', { oldVersion: null }, false],
  ['nothing said of either version is not the same version', { oldVersion: null, newVersion: null }, false],
  ['only the archive knows the new one', { newVersion: null }, false],
  ['configuring unpacks nothing', { newVersion: '3.4.0-1', action: 'configure', archive: null }, false],
  ['a removal is none', { newVersion: null, action: 'remove', archive: null }, false],
];

for (const [rule, parts, expected] of reinstalls) {
  test(`reinstallation: ${rule}`, () => {
    assert.is(isReinstall({ ...change, ...parts }), expected);
  });
}
