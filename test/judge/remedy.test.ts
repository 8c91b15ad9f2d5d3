import * as assert from 'uvu/assert';
import { managerOf } from '../../src/judge/managers.ts';
import { remedyOn, waiting } from '../../src/judge/remedy.ts';
import type { Image, Runtime, State } from '../../src/state/node.ts';
import { atOpt, declares, image, incomingImage, incomingRuntime, runtime, stateOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('remedies that work on this node');

const coming = incomingRuntime('3.5.0', declares);
const custom = image(
  '1.0.0',
  { package: null, usedBy: [{ path: '/etc/kata-containers/configuration.toml', prefix: null, language: null }] },
  { path: '/srv/kata/custom.img', resolvedPath: '/srv/kata/custom.img' },
);
const deployed = '/opt/kata/share/kata-containers/kata-containers.img';
const initrd = '/var/cache/kata-containers/kata-containers-initrd.img';
const osbuilder = '/usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh';
const fedora = { package: 'kata-containers', commands: [osbuilder] };
const azure = { package: 'kata-containers-tools', commands: ['make -C /uvm uvm', 'make -C /uvm deploy-uvm'] };
const built = (builder: NonNullable<Image['builder']>): Image =>
  image('1.0.0', { package: null, builder }, { path: initrd, resolvedPath: initrd });

const rows: readonly [
  rule: string,
  manager: string | null,
  runtime: Runtime,
  image: Image,
  text: RegExp,
  commands: readonly string[],
][] = [
  [
    'both packages together, and no hold',
    'apt',
    coming,
    image('1.0.0'),
    /^Install a guest image with agent 3 in the same transaction, or keep kata-runtime at 3\.4\.0-1\.$/,
    ['apt-get install kata-runtime kata-containers-image'],
  ],
  [
    'the image is on hold: both are released, or both are held',
    'apt',
    coming,
    image('1.0.0', { isHeld: true }),
    /^kata-containers-image is on hold\. .* Or hold kata-runtime as well \(the last command\)/,
    [
      'apt-mark unhold kata-containers-image',
      'apt-get install kata-runtime kata-containers-image',
      'apt-mark hold kata-runtime',
    ],
  ],
  [
    'the runtime is on hold',
    'apt',
    { ...runtime('3.4.0', declares), isHeld: true },
    incomingImage('1.0.0'),
    /^kata-runtime is on hold\. .* Or hold kata-containers-image as well/,
    [
      'apt-mark unhold kata-runtime',
      'apt-get install kata-containers-image kata-runtime',
      'apt-mark hold kata-containers-image',
    ],
  ],
  [
    "the admin's own image is built again, or another one is named; a hold is undone by a command that is named",
    'apt',
    coming,
    custom,
    /^No package brings \/srv\/kata\/custom\.img\. Build it again with agent 3, or name another image in \/etc\/kata-containers\/configuration\.toml, or keep kata-runtime at 3\.4\.0-1\. .*"apt-mark unhold kata-runtime" undoes that\.$/,
    ['apt-mark hold kata-runtime'],
  ],
  [
    'dnf 4 needs no plugin for what it prints',
    'dnf',
    coming,
    custom,
    /^No package brings .* or keep kata-runtime at 3\.4\.0-1\.$/,
    [],
  ],
  [
    'kata-deploy',
    null,
    runtime('3.5.0', declares, atOpt),
    image('1.0.0', { package: null }, { path: deployed, resolvedPath: deployed }),
    /^Upgrade kata-deploy \(helm upgrade\), or unpack the kata-static archive, to a release with agent 3\.$/,
    [],
  ],
  [
    'a link of kata-deploy that leads to an image of its own',
    null,
    runtime('3.5.0', declares, atOpt),
    image('1.0.0', { package: null }, { path: deployed, resolvedPath: '/srv/x.img' }),
    /^No package brings /,
    [],
  ],
  [
    'Fedora: the image is built again out of the installed agent',
    null,
    runtime('3.5.0', declares, { name: 'kata-containers' }),
    built(fedora),
    /is built on this node out of the agent in kata-containers\. Build it again\.$/,
    [osbuilder],
  ],
  [
    'Azure: the tools, then the image, then the runtime',
    'dnf',
    incomingRuntime('3.5.0', declares, { name: 'kata-containers' }),
    built(azure),
    /Upgrade kata-containers-tools first, then build the image again, and then upgrade kata-containers\.$/,
    ['dnf install kata-containers-tools', ...azure.commands, 'dnf install kata-containers'],
  ],
  [
    "a package of the transaction brings an agent for an image that no package brings: the same order, the building is the admin's",
    'dnf',
    incomingRuntime('3.5.0', declares, { name: 'kata-containers' }),
    built({ package: 'kata-tools', commands: [] }),
    /brings .*, but kata-tools brings an agent for it\. Upgrade kata-tools first, then build the image again, and then upgrade kata-containers\.$/,
    ['dnf install kata-tools'],
  ],
  [
    'such a package says nothing of a runtime that is installed',
    'dnf',
    runtime('3.5.0', declares, { name: 'kata-containers' }),
    built({ package: 'kata-tools', commands: [] }),
    /^No package brings .* Build it again with agent 3/,
    [],
  ],
  [
    'both come and do not fit',
    'apt',
    coming,
    incomingImage('1.0.0'),
    /^Install a guest image with agent 3 instead of this one, or keep kata-runtime at 3\.4\.0-1\. /,
    ['apt-mark hold kata-runtime kata-containers-image'],
  ],
];

for (const [rule, manager, one, other, text, commands] of rows) {
  test(rule, () => {
    const remedy = remedyOn({ runtime: one, image: other, wanted: '3' }, managerOf(manager));
    assert.match(remedy.text, text);
    assert.equal(remedy.commands, commands);
  });
}

test('a further way stands beside the others', () => {
  const { text } = remedyOn({ runtime: coming, image: custom, wanted: '3', otherwise: ', or set x' }, undefined);
  assert.match(text, /, or keep kata-runtime at 3\.4\.0-1, or set x\.$/);
});

const kata = ['kata-runtime'];
const waits: readonly [rule: string, state: Partial<State>, text: RegExp | null, commands?: readonly string[]][] = [
  ['no other package', { manager: 'apt', changing: { kata, others: 0 } }, null],
  ['by hand', { manager: null, changing: null }, null],
  [
    'apt: a hold, the command again, and how to undo the hold',
    { manager: 'apt', changing: { kata, others: 1000 }, commandLine: ['apt', 'full-upgrade'] },
    /^1000 other packages wait\. Hold kata-runtime and repeat .*"apt-mark unhold kata-runtime" undoes the hold\.$/,
    ['apt-mark hold kata-runtime', 'apt full-upgrade'],
  ],
  [
    'unattended-upgrades, whose command line is not known',
    { manager: 'apt', changing: { kata, others: 1 } },
    /^1 other package waits\. Hold kata-runtime, and the next run installs the rest/,
    ['apt-mark hold kata-runtime'],
  ],
  [
    'dnf: an option for this run alone',
    { manager: 'dnf', changing: { kata, others: 2 }, commandLine: ['dnf', '-y', 'upgrade'] },
    /^2 other packages wait\. This command installs them and leaves kata-runtime as it is:$/,
    ['dnf --exclude=kata-runtime -y upgrade'],
  ],
  [
    'dnf: two packages of Kata, as they are',
    {
      manager: 'dnf',
      changing: { kata: ['kata-containers-image', 'kata-runtime'], others: 1 },
      commandLine: ['dnf', 'upgrade'],
    },
    /^1 other package waits\. This command installs it and leaves kata-containers-image and kata-runtime as they are:$/,
    ['dnf --exclude=kata-containers-image --exclude=kata-runtime upgrade'],
  ],
  [
    'dnf, whose command line is not known',
    { manager: 'dnf5', changing: { kata, others: 2 } },
    /Give dnf5 the option --exclude=kata-runtime/,
    [],
  ],
];

for (const name of ['kata-runtime', 'kata-runtime=1.1.0-1', 'kata-runtime-1.1.0', './kata-runtime_1.1.0-1_all.deb']) {
  test(`who asked for ${name} leaves it out`, () => {
    const parts = { manager: 'apt', changing: { kata, others: 2 }, commandLine: ['apt', 'install', 'hello', name] };
    const rest = waiting(stateOf([], [], parts));
    assert.match(
      rest?.text ?? '',
      /^2 other packages wait\. To install them now, repeat the command without kata-runtime\.$/,
    );
    assert.equal(rest?.commands, []);
  });
}

test('another package with a similar name is another one', () => {
  const parts = { manager: 'apt', changing: { kata, others: 2 }, commandLine: ['apt', 'install', 'kata-runtime-doc'] };
  assert.equal(waiting(stateOf([], [], parts))?.commands.length, 2);
});

for (const [rule, parts, text, commands] of waits) {
  test(`the other packages of a stopped run: ${rule}`, () => {
    const rest = waiting(stateOf([], [], parts));
    if (text === null) assert.is(rest, null);
    else {
      assert.match(rest?.text ?? '', text);
      assert.equal(rest?.commands, commands);
    }
  });
}
