import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt, Io } from '../../src/errors.ts';
import { askDnf5, stopRequest } from '../../src/hooks/dnf5.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import type { Transaction } from '../../src/state/transaction.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the conversation with dnf 5');
const folder = temporaryFolder();
const real = createNodeHost();

type Values = readonly Readonly<Record<string, string>>[];
interface Dnf5 {
  readonly trans_packages: Values;
  readonly conf?: Readonly<Record<string, string>>;
  readonly vars?: Values;
}

const reply = (domain: string, list: string, values: Values): string =>
  `${JSON.stringify({ op: 'reply', requested_op: 'get', domain, return: { [list]: values }, status: 'OK' })}\n`;

/** As dnf 5 answers; `say` changes that, and gives undefined to end the conversation. */
function hostOf(dnf5: Dnf5, say = (_domain: string, usual: string): string | undefined => usual, size = 7): Host {
  const lines: (string | undefined)[] = [];
  const conf: Record<string, string> = { installroot: '/', cachedir: join(folder, 'cache'), ...dnf5.conf };
  const answer = ({ domain, args }: { domain: string; args: { key?: string } }): string => {
    if (domain === 'conf') {
      const keys = Object.keys(conf).filter((key) =>
        args.key === '*.baseurl' ? key.endsWith('.baseurl') : key === args.key,
      );
      return reply(
        'conf',
        'keys_val',
        keys.map((key) => ({ key, value: conf[key] ?? '' })),
      );
    }
    return reply(domain, domain, domain === 'vars' ? (dnf5.vars ?? []) : dnf5.trans_packages);
  };
  return Object.assign(Object.create(real) as Host, {
    write: (_: number, text: string): void => {
      const request = JSON.parse(text);
      assert.match(text, /^\{"op":"get".*\}\n$/);
      lines.push(say(request.domain, answer(request)));
    },
    input: async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        const bytes = Buffer.from(lines.shift() ?? '');
        if (bytes.length === 0) return;
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
    },
  });
}

const ask = (dnf5: Dnf5, say?: (domain: string, usual: string) => string | undefined): Promise<Transaction> =>
  askDnf5(hostOf(dnf5, say), Number.POSITIVE_INFINITY);

const row = (direction: 'IN' | 'OUT', action: string, evr: string, more: Readonly<Record<string, string>> = {}) => ({
  direction,
  action,
  name: 'kata-runtime',
  arch: 'noarch',
  evr,
  repo_id: direction === 'IN' ? 'lab' : '@System',
  location: direction === 'IN' ? `packages/k/kata-runtime-${evr}.noarch.rpm` : '',
  ...more,
});
const upgrade = [row('OUT', 'O', '3.2.0-1'), row('IN', 'U', '3.5.0-1')];

test('an upgrade, its root, and what was given with --setvar', async () => {
  const vars = [
    { name: 'kata_check', value: 'warn' },
    { name: 'kata_check_allow', value: 'KC101,KC103' },
  ];
  const { changes, ...rest } = await ask({
    trans_packages: upgrade,
    conf: { installroot: '/srv/r', cachedir: '/nowhere' },
    vars,
  });
  assert.equal(rest, { manager: 'dnf5', root: '/srv/r', mode: 'warn', allow: ['KC101', 'KC103'] });
  assert.equal(changes, [
    {
      name: 'kata-runtime',
      oldVersion: '3.2.0-1',
      newVersion: '3.5.0-1',
      action: 'unpack',
      archive: null,
      declared: null,
    },
  ]);
});

test('a changed reason is no change, an erased package is a removal', async () => {
  const { changes } = await ask({ trans_packages: [row('IN', '?', '1-1', { name: 'a' }), row('OUT', 'E', '3.2.0-1')] });
  assert.equal(
    changes.map(({ name, action }) => [name, action]),
    [['kata-runtime', 'remove']],
  );
});

const name = 'kata-runtime-3.5.0-1.noarch.rpm';
const cached = join(folder, 'cache/lab-0123456789abcdef/packages');
mkdirSync(cached, { recursive: true });
mkdirSync(join(folder, 'cache/lab-extra-0123456789abcdef/packages'), { recursive: true });
writeFileSync(join(cached, name), '');
writeFileSync(join(folder, 'cache/lab-extra-0123456789abcdef/packages/other.rpm'), '');
mkdirSync(join(folder, 'a repository/packages/k'), { recursive: true });
writeFileSync(join(folder, 'a repository/packages/k', name), '');
const base = `file://${folder}/a%20repository/`;

const places: readonly [
  rule: string,
  more: Record<string, string>,
  conf: Record<string, string>,
  path: string | null,
][] = [
  ['in the cache of its repository', {}, {}, join(cached, name)],
  ['a repository whose name begins the same', { location: 'other.rpm' }, {}, null],
  ['of the command line', { repo_id: '@commandline', location: '/srv/a.rpm' }, {}, '/srv/a.rpm'],
  ['of the command line, by its address', { repo_id: '@commandline', location: 'http://x/a.rpm' }, {}, null],
  [
    'below the baseurl of a local repository',
    { repo_id: 'local' },
    { 'local.baseurl': `http://mirror/, ${base}` },
    join(folder, 'a repository/packages/k', name),
  ],
  ['not there', { repo_id: 'local', location: 'gone.rpm' }, { 'local.baseurl': base }, null],
  ['without a location', { location: '' }, {}, null],
  ['no cache', {}, { cachedir: '/nowhere' }, null],
];
for (const [rule, more, conf, path] of places) {
  test(`the file of a package: ${rule}`, async () => {
    const { changes } = await ask({ trans_packages: [row('IN', 'U', '3.5.0-1', more)], conf });
    assert.is(changes[0]?.archive, path);
  });
}

test('an old plugin that knows no variables and no repositories', async () => {
  const { changes, mode } = await ask({ trans_packages: upgrade }, (domain, usual) =>
    domain === 'vars' || usual.includes('cachedir') || usual.includes('baseurl')
      ? `${JSON.stringify({ op: 'reply', requested_op: 'get', domain, status: 'ERROR', message: 'unknown' })}\n`
      : usual,
  );
  assert.is(changes.length, 1);
  assert.is(mode, null);
});

const mistakes: readonly [rule: string, said: string | undefined, kind: typeof Corrupt | typeof Io, message: RegExp][] =
  [
    ['no reply', undefined, Corrupt, /ended the conversation/],
    ['half a reply', '{"op":', Corrupt, /ended the conversation/],
    ['no JSON', 'hello\n', Corrupt, /no JSON/],
    ['another document', '[]\n', Corrupt, /the reply is no object/],
    ['another domain', reply('packages', 'packages', []), Corrupt, /another request/],
    [
      'an error',
      '{"op":"reply","requested_op":"get","domain":"trans_packages","status":"ERROR","message":"Bad key"}\n',
      Io,
      /trans_packages: Bad key/,
    ],
    ['no list', reply('trans_packages', 'packages', []), Corrupt, /return\.trans_packages is no list/],
    ['a direction of its own', reply('trans_packages', 'trans_packages', [{ direction: 'UP' }]), Corrupt, /neither IN/],
    ['no name', reply('trans_packages', 'trans_packages', [{ direction: 'IN', action: 'U' }]), Corrupt, /\[0\]\.name/],
  ];
for (const [rule, said, kind, message] of mistakes) {
  test(`an error: ${rule}`, async () => {
    try {
      await ask({ trans_packages: upgrade }, (domain, usual) => (domain === 'trans_packages' ? said : usual));
    } catch (error) {
      assert.instance(error, kind);
      assert.match((error as Error).message, message);
      return;
    }
    assert.unreachable();
  });
}

test('letters divided between two pieces', async () => {
  const { changes } = await ask({ trans_packages: [row('IN', 'I', '1-1', { name: 'größe€😀' })] });
  assert.is(changes[0]?.name, 'größe€😀');
});

test('six thousand packages in pieces of a pipe', async () => {
  const many = Array.from({ length: 6000 }, (_, index) => row('IN', 'I', '1-1', { name: `package-${index}` }));
  const { changes } = await askDnf5(hostOf({ trans_packages: many }, undefined, 4096), Number.POSITIVE_INFINITY);
  assert.is(changes.length, 6000);
});

test('a stop is one line', () => {
  assert.is(stopRequest('a\n"b"'), '{"op":"stop","args":{"message":"a\\n\\"b\\""}}\n');
});
