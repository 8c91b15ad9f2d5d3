import * as assert from 'uvu/assert';
import { managerOf } from '../../src/judge/managers.ts';
import { suite } from '../suite.ts';

const test = suite('package managers in words');
const both = ['kata-runtime', 'kata-containers-image'];

const rows: readonly [name: string, override: string, install: string | null, hold: string | null][] = [
  [
    'apt',
    'apt -o KataCheck::Allow=KC101 …',
    'apt-get install kata-runtime kata-containers-image',
    'apt-mark hold kata-runtime kata-containers-image',
  ],
  ['dpkg', 'KATA_CHECK_ALLOW=KC101 dpkg …', null, 'apt-mark hold kata-runtime kata-containers-image'],
  [
    'dnf',
    'KATA_CHECK_ALLOW=KC101 dnf …',
    'dnf install kata-runtime kata-containers-image',
    'dnf versionlock add kata-runtime kata-containers-image',
  ],
  [
    'dnf5',
    'dnf5 --setvar=kata_check_allow=KC101 …',
    'dnf5 install kata-runtime kata-containers-image',
    'dnf5 versionlock add kata-runtime kata-containers-image',
  ],
  [
    'zypper',
    'KATA_CHECK_ALLOW=KC101 zypper …',
    'zypper install kata-runtime kata-containers-image',
    'zypper addlock kata-runtime kata-containers-image',
  ],
  ['rpm', 'KATA_CHECK_ALLOW=KC101 rpm …', null, null],
];

for (const [name, override, install, hold] of rows) {
  test(`${name}: the way past a finding, and both kinds of command`, () => {
    const manager = managerOf(name);
    assert.is(manager?.override('KC101'), override);
    assert.is(manager?.install(both), install);
    assert.is(manager?.hold(both), hold);
  });
}

for (const name of [null, 'the installation', 'toString']) {
  test(`no package manager: ${name}`, () => assert.is(managerOf(name), undefined));
}
