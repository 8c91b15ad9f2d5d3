import * as assert from 'uvu/assert';
import { type Manager, managerOf, managers, overrideOf } from '../../src/judge/managers.ts';
import { suite } from '../suite.ts';

const test = suite('package managers in words');
const both = ['kata-runtime', 'kata-containers-image'];

/** The override where the command line is known, and where it is not. */
const rows: readonly [
  name: string,
  commandLine: readonly string[],
  override: string,
  otherwise: string,
  install: string | null,
  hold: string | null,
][] = [
  [
    'apt',
    ['apt-get', '-y', 'upgrade'],
    'apt-get -o KataCheck::Allow=KC101 -y upgrade',
    'give apt the option  -o KataCheck::Allow=KC101',
    'apt-get install kata-runtime kata-containers-image',
    'apt-mark hold kata-runtime kata-containers-image',
  ],
  [
    'dpkg',
    ['dpkg', '-i', './a b.deb'],
    "KATA_CHECK_ALLOW=KC101 dpkg -i './a b.deb'",
    'set  KATA_CHECK_ALLOW=KC101  in the environment of dpkg',
    null,
    'apt-mark hold kata-runtime kata-containers-image',
  ],
  [
    'dnf',
    ['yum', 'upgrade'],
    'KATA_CHECK_ALLOW=KC101 yum upgrade',
    'set  KATA_CHECK_ALLOW=KC101  in the environment of dnf',
    'dnf install kata-runtime kata-containers-image',
    '--exclude=kata-runtime --exclude=kata-containers-image',
  ],
  [
    'dnf5',
    ['dnf', 'upgrade'],
    'dnf --setvar=kata_check_allow=KC101 upgrade',
    'give dnf5 the option  --setvar=kata_check_allow=KC101',
    'dnf5 install kata-runtime kata-containers-image',
    '--exclude=kata-runtime --exclude=kata-containers-image',
  ],
  [
    'zypper',
    ['zypper', 'up'],
    'KATA_CHECK_ALLOW=KC101 zypper up',
    'set  KATA_CHECK_ALLOW=KC101  in the environment of zypper',
    'zypper install kata-runtime kata-containers-image',
    'zypper addlock kata-runtime kata-containers-image',
  ],
  [
    'rpm',
    ['rpm', '-U', 'a.rpm'],
    'KATA_CHECK_ALLOW=KC101 rpm -U a.rpm',
    'set  KATA_CHECK_ALLOW=KC101  in the environment of rpm',
    null,
    null,
  ],
];

for (const [name, commandLine, override, otherwise, install, hold] of rows) {
  test(`${name}: the way past a finding, and both kinds of command`, () => {
    const manager = managerOf(name) as Manager;
    assert.is(overrideOf(manager, 'KC101', commandLine), override);
    assert.is(overrideOf(manager, 'KC101', null), otherwise);
    assert.is(manager.install(both), install);
    const { keep } = manager;
    assert.is(keep === null ? null : keep.by === 'hold' ? keep.hold(both) : keep.words(both).join(' '), hold);
  });
}

test('every manager is called by one of its programs', () => {
  for (const { name, programs } of managers) assert.ok(programs.includes(name));
});

for (const name of [null, 'the installation', 'toString']) {
  test(`no package manager: ${name}`, () => assert.is(managerOf(name), undefined));
}
