import * as assert from 'uvu/assert';
import { configurationChecks } from '../../../src/judge/checks/configuration.ts';
import type { Unread } from '../../../src/locate/toml.ts';
import {
  declares,
  examined,
  image,
  imagePath,
  incomingRuntime,
  packagedConfig,
  runtime,
  stateOf,
} from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks of configurations');

const rows: readonly [rule: string, unread: Unread, code: string, said: RegExp][] = [
  [
    'one that cannot be read',
    { path: '/c.toml', message: '/c.toml, line 1' },
    'KC202',
    /cannot read it: \/c\.toml, line 1\. /,
  ],
  [
    'a handler that outlived it, with its file',
    {
      path: '/c.toml',
      message: '/c.toml: no such file',
      reason: 'gone',
      namedBy: 'containerd, handler kata-x',
      namedIn: '/etc/x.toml',
    },
    'KC202',
    /gone.*named by containerd, handler kata-x \/etc\/x\.toml.*Remove this handler from \/etc\/x\.toml/,
  ],
  [
    'an image by no absolute path',
    {
      path: '/c.toml',
      message: '/c.toml: it names the guest image "x.img", which is no absolute path',
      reason: 'relative',
    },
    'KC203',
    /"x\.img".*Write the absolute path/,
  ],
  [
    'no image where one belongs',
    { path: '/c.toml', message: '/c.toml: image and initrd are empty', reason: 'imageless' },
    'KC203',
    /names no guest image.*does not start a pod without.*image and initrd are empty.*Write the absolute path/,
  ],
  [
    'a handler that names one by no absolute path',
    {
      path: '/etc/x.toml',
      message: '/etc/x.toml: it names the configuration "k.toml", which is no absolute path',
      reason: 'relative',
      namedBy: 'containerd, handler kata-x',
      namedIn: '/etc/x.toml',
    },
    'KC202',
    /named by containerd, handler kata-x \/etc\/x\.toml.*"k\.toml".*absolute path of the configuration into \/etc\/x\.toml/,
  ],
  [
    'a runtime without one',
    { path: '/usr/bin/kata-runtime', message: '/usr/bin/kata-runtime: no configuration was found', reason: 'bare' },
    'KC202',
    /Nobody can tell.*: \/usr\/bin\/kata-runtime: no configuration was found\. /,
  ],
];

for (const [rule, unread, code, said] of rows) {
  test(`told: ${rule}`, () => {
    const [found, ...more] = examined(configurationChecks, stateOf([], [], { unread: [unread] }));
    assert.equal(more, []);
    assert.is(found?.code, code);
    const { title = '', facts = [], consequence = '', remedy } = found ?? {};
    const text = [
      title,
      ...facts.map(({ label, value, from }) => `${label} ${value} ${from}`),
      consequence,
      remedy?.text,
    ];
    assert.match(text.join(' '), said);
  });
}

test('a configuration that cannot be read is a finding with its place', () => {
  const unread = [{ path: '/c.toml', message: '/c.toml, line 1, column 2: no' }];
  const [finding] = examined(configurationChecks, stateOf([], [], { unread }));
  assert.is(finding?.code, 'KC202');
  assert.equal(finding?.affects, ['/c.toml']);
  assert.match(finding?.consequence ?? '', /cannot read it: \/c\.toml, line 1, column 2: no\.$/);
  assert.equal(examined(configurationChecks, stateOf([], [], { unread, onlyChanges: true })), []);
  const changed = examined(
    configurationChecks,
    stateOf([incomingRuntime('3.4.0', declares)], [], { unread, onlyChanges: true }),
  );
  assert.equal(
    changed.map(({ code }) => code),
    ['KC202'],
  );
});

test('what is masked is told, with the images that nobody else names', () => {
  const configuration = {
    path: packagedConfig,
    resolvedPath: packagedConfig,
    readers: [],
    namedBy: null,
    dropIns: [],
    images: [{ path: imagePath }, { path: '/hidden.img' }],
    isRemote: false,
    maskedBy: '/etc/c.toml',
  };
  const state = stateOf([runtime('3.4.0')], [image('3.4.0')], { configurations: [configuration] });
  const findings = examined(configurationChecks, state);
  assert.equal(
    findings.map(({ code, severity, consequence }) => [code, severity, consequence]),
    [['KC303', 'info', `The runtime reads /etc/c.toml instead of ${packagedConfig}, so that nothing uses /hidden.img`]],
  );
  const read = { ...configuration, maskedBy: null };
  assert.equal(examined(configurationChecks, { ...state, configurations: [read] }), []);
});
