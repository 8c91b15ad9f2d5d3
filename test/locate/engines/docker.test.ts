import * as assert from 'uvu/assert';
import { createNodeHost } from '../../../src/host/node.ts';
import { rootedHost } from '../../../src/host/rooted.ts';
import { configurationIn, dockerHandlers } from '../../../src/locate/engines/docker.ts';
import type { Unread } from '../../../src/locate/toml.ts';
import { temporaryFolder, writeTree } from '../../images.ts';
import { suite } from '../../suite.ts';

const test = suite('the runtimes of Docker and iSulad');

const words: readonly [rule: string, words: readonly string[], configuration: string | undefined][] = [
  ['none', [], undefined],
  ['the next argument', ['--log', 'x', '--kata-config', '/k.toml', '--debug'], '/k.toml'],
  ['the same argument', ['--kata-config=/k.toml'], '/k.toml'],
  ['the first counts', ['--kata-config=/a', '--kata-config', '/b'], '/a'],
  ['nothing behind it', ['--kata-config'], undefined],
  ['an empty one', ['--kata-config='], undefined],
  ['another option that begins so', ['--kata-configuration', '/k.toml'], undefined],
];

for (const [rule, given, configuration] of words) {
  test(`arguments: ${rule}`, () => assert.is(configurationIn(given), configuration));
}

function found(file: string, text: string): { handlers: readonly string[]; unread: readonly Unread[] } {
  const unread: Unread[] = [];
  const host = rootedHost(createNodeHost(), writeTree(temporaryFolder(), { [file]: text }));
  const handlers = dockerHandlers(host, unread).map(
    ({ by, configuration = '-', program = '-', type = '-', isKata }) =>
      `${by}: ${configuration} ${program} ${type}${isKata ? ' of Kata' : ''}`,
  );
  return { handlers, unread };
}

const docker = '/etc/docker/daemon.json';
const rows: readonly [rule: string, runtimes: object, handlers: readonly string[], file?: string][] = [
  [
    'a shim by its type',
    { kata: { runtimeType: 'io.containerd.kata.v2', options: { ConfigPath: '/k' } } },
    ['Docker, runtime kata: /k - io.containerd.kata.v2 of Kata'],
  ],
  [
    'a shim by its path',
    { vm: { runtimeType: '/opt/kata/bin/containerd-shim-kata-v2', options: { ConfigPath: '/k' } } },
    ['Docker, runtime vm: /k /opt/kata/bin/containerd-shim-kata-v2 - of Kata'],
  ],
  [
    'a program with arguments',
    { vm: { path: '/usr/bin/vm', runtimeArgs: ['--kata-config', '/k'] } },
    ['Docker, runtime vm: /k /usr/bin/vm - of Kata'],
  ],
  [
    'a program alone, and one that is not of Kata',
    { kata: { path: '/usr/bin/kata-runtime' }, crun: { path: '/usr/bin/crun' } },
    ['Docker, runtime kata: - /usr/bin/kata-runtime - of Kata', 'Docker, runtime crun: - /usr/bin/crun -'],
  ],
  [
    'iSulad',
    { k: { path: '/usr/bin/k', 'runtime-args': ['--kata-config=/k'] }, none: { path: '/x', 'runtime-args': null } },
    ['iSulad, runtime k: /k /usr/bin/k - of Kata', 'iSulad, runtime none: - /x -'],
    '/etc/isulad/daemon.json',
  ],
  ['the snap of Docker', { k: {} }, ['Docker, runtime k: - - -'], '/var/snap/docker/current/config/daemon.json'],
  [
    'values of other kinds',
    { a: 1, b: null, c: ['x'], d: { runtimeArgs: 5, options: 'x' } },
    ['a', 'b', 'c', 'd'].map((name) => `Docker, runtime ${name}: - - -`),
  ],
];

for (const [rule, runtimes, handlers, file = docker] of rows) {
  test(rule, () => assert.equal(found(file, JSON.stringify({ runtimes })), { handlers, unread: [] }));
}

for (const text of ['[]', '5', 'null', '{}', '{"runtimes": []}']) {
  test(`a file without runtimes: ${text}`, () => assert.equal(found(docker, text), { handlers: [], unread: [] }));
}

test('a broken file is named', () => {
  const unread = [{ path: docker, message: `${docker}: is no valid JSON` }];
  assert.equal(found(docker, '{"runtimes": {'), { handlers: [], unread });
});

test('a byte order mark before it is no mistake, as it is none for Docker', () => {
  const { handlers, unread } = found(docker, '\ufeff{"runtimes":{"kata":{"path":"/usr/bin/kata-runtime"}}}');
  assert.equal([handlers.length, unread.length], [1, 0]);
  assert.equal(found(docker, ' \n'), { handlers: [], unread: [] }, 'an empty one is none, either');
});
