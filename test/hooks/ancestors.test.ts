import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { NotFound } from '../../src/errors.ts';
import {
  type Ancestor,
  ancestorsOf,
  argumentsOf,
  callerOf,
  commandLineOf,
  isAlive,
  pathOf,
  sharesRoot,
} from '../../src/hooks/ancestors.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { suite } from '../suite.ts';

const test = suite('the processes above');
const host = createNodeHost();
const needs = ['/proc/self/stat'];

/** A host on which /proc says this. */
function withProc(files: Readonly<Record<string, string>>): Host {
  return new Proxy(host, {
    get(target, name: keyof Host) {
      if (name === 'readText' || name === 'readLink')
        return (path: string) => {
          const text = files[path.slice('/proc/'.length)];
          if (text === undefined) throw new NotFound(`${path}: no such file`);
          return text;
        };
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const stat = (pid: number, name: string, parent: number, start: string): string =>
  `${pid} (${name}) S ${parent} ${Array.from({ length: 17 }, () => '0').join(' ')} ${start} 0\n`;

test('each up to the first, with its name and its start', () => {
  const proc = withProc({
    self: '40',
    '40/stat': stat(40, 'kata-check', 30, '400'),
    '30/stat': stat(30, 'sh', 20, '300'),
    '20/stat': stat(20, 'a) R 7 (b', 10, '18446744073709551615'),
    '10/stat': stat(10, 'init', 0, '1'),
  });
  assert.equal(ancestorsOf(proc), [
    { pid: 30, command: 'sh', startTime: '300' },
    { pid: 20, command: 'a) R 7 (b', startTime: '18446744073709551615' },
    { pid: 10, command: 'init', startTime: '1' },
  ]);
});

const broken: readonly [rule: string, files: Readonly<Record<string, string>>, expected: readonly number[]][] = [
  ['/proc is not mounted', {}, []],
  ['its link is no number', { self: 'x' }, []],
  ['its own stat is not there', { self: '40' }, []],
  ['a stat is no stat', { self: '40', '40/stat': stat(40, 'x', 30, '1'), '30/stat': 'none' }, []],
  ['one is gone meanwhile', { self: '40', '40/stat': stat(40, 'x', 30, '1') }, []],
  [
    'one without a start time',
    { self: '40', '40/stat': stat(40, 'x', 30, '1'), '30/stat': stat(30, 'x', 20, '-') },
    [],
  ],
  [
    'a circle ends',
    { self: '40', '40/stat': stat(40, 'x', 30, '1'), '30/stat': stat(30, 'x', 30, '1') },
    Array.from({ length: 64 }, () => 30),
  ],
];

for (const [rule, files, expected] of broken) {
  test(`where ${rule}`, () =>
    assert.equal(
      ancestorsOf(withProc(files)).map(({ pid }) => pid),
      expected,
    ));
}

test('the caller is the first that is no shell', () => {
  const at = (command: string): Ancestor => ({ pid: 1, command, startTime: '1' });
  assert.is(callerOf([at('sh'), at('dash'), at('apt-get'), at('bash')])?.command, 'apt-get');
  assert.is(callerOf([at('bash')]), undefined);
});

test(
  'the real ones: arguments, folder, root and life',
  () => {
    const [parent] = ancestorsOf(host);
    assert.is(parent?.pid, process.ppid);
    const [own] = ancestorsOf(withProc({ ...real(process.pid), self: '1', '1/stat': stat(1, 'x', process.pid, '1') }));
    assert.ok(own !== undefined);
    assert.is(own.pid, process.pid);
    assert.is(`${argumentsOf(host, own).join('\0')}\0`, readFileSync('/proc/self/cmdline', 'utf8'));
    assert.ok(sharesRoot(host, own));
    assert.is(pathOf(host, own, '/x/y.deb'), '/x/y.deb');
    assert.is(pathOf(host, own, 'y.deb'), join(realpathSync(process.cwd()), 'y.deb'));
    assert.ok(isAlive(host, own));
    assert.not.ok(isAlive(host, { ...own, startTime: `${own.startTime}0` }), 'a later process with its number');
    assert.not.ok(isAlive(host, { ...own, pid: 2 ** 31 }));
  },
  { needs },
);

function real(pid: number): Record<string, string> {
  return { [`${pid}/stat`]: readFileSync(`/proc/${pid}/stat`, 'utf8') };
}

const commandLines: readonly [
  rule: string,
  name: string,
  words: readonly string[],
  expected: readonly string[] | null,
][] = [
  ['without the folder of its program', 'apt-get', ['/usr/bin/apt-get', '-y', 'upgrade'], ['apt-get', '-y', 'upgrade']],
  ['without its interpreter', 'dnf', ['/usr/bin/python3', '-s', '/usr/bin/dnf', 'upgrade'], ['dnf', 'upgrade']],
  ['of another program: not known', 'unattended-upgr', ['/usr/bin/python3', '/usr/bin/unattended-upgrade'], null],
  ['that cannot be read: not known', 'apt', [], null],
  ['that apt gave to dpkg: nobody can repeat it', 'dpkg', ['dpkg', '--status-fd', '23', '--unpack', 'a.deb'], null],
];

for (const [rule, name, words, expected] of commandLines) {
  test(`the command line of a package manager, ${rule}`, () => {
    const proc = withProc({
      self: '40',
      '40/stat': stat(40, 'kata-check', 30, '400'),
      '30/stat': stat(30, 'sh', 20, '300'),
      '20/stat': stat(20, name, 10, '200'),
      '10/stat': stat(10, 'init', 0, '1'),
      ...(words.length === 0 ? {} : { '20/cmdline': `${words.join('\0')}\0` }),
    });
    assert.equal(commandLineOf(proc, ['apt', 'apt-get', 'dpkg', 'dnf']), expected);
  });
}
