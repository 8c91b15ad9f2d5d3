import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt, Unsupported } from '../../src/errors.ts';
import { parseAptHook } from '../../src/hooks/apt.ts';
import { isReinstall, type PackageChange, type Transaction } from '../../src/state/transaction.ts';
import { corpusFolder, suite } from '../suite.ts';

const test = suite("apt's hook input");

/** As it comes: a character for each byte. */
const parse = (input: string): Transaction => parseAptHook(Buffer.from(input));

type Step = readonly [
  name: string,
  old: string,
  sign: '<' | '=' | '>',
  next: string,
  what: string,
  multiArch?: 'same' | 'foreign',
];

const configure = '**CONFIGURE**';
const remove = '**REMOVE**';

/** As apt writes its configuration: keys with `::`, some without a value, blanks as %20. */
const configuration = [
  'APT::Architecture=amd64',
  'APT::NeverAutoRemove::=^firmware-linux.*',
  'APT::Get::Assume-Yes=1',
  'Dir=/',
  'Dir::State::status=/var/lib/dpkg/status',
  'Acquire::http=',
  'DPkg::Pre-Install-Pkgs::=/usr/bin/kata-check%20hook%20apt',
  'DPkg::Tools::Options::/usr/bin/kata-check::Version=3',
  'CommandLine::AsString=apt-get%20install%20kata-runtime',
];

function version1(steps: readonly Step[]): string {
  return steps
    .filter(([, , , , what]) => what.startsWith('/'))
    .map(([, , , , what]) => `${what}\n`)
    .join('');
}

function version2(steps: readonly Step[], options: readonly string[] = []): string {
  const lines = steps.map(([name, old, sign, next, what]) => `${name} ${old} ${sign} ${next} ${what}`);
  return `${['VERSION 2', ...configuration, ...options, '', ...lines].join('\n')}\n`;
}

function version3(steps: readonly Step[], options: readonly string[] = []): string {
  const side = (version: string, multiArch = 'none'): string =>
    version === '-' ? '- - none' : `${version} amd64 ${multiArch}`;
  const lines = steps.map(
    ([name, old, sign, next, what, multiArch]) =>
      `${name} ${side(old, multiArch)} ${sign} ${side(next, multiArch)} ${what}`,
  );
  return `${['VERSION 3', ...configuration, ...options, '', ...lines].join('\n')}\n`;
}

const debs = '/var/cache/apt/archives';

const transactions: readonly [rule: string, steps: readonly Step[], changes: readonly PackageChange[]][] = [
  [
    'an installation has no old version',
    [
      ['kata-runtime', '-', '<', '3.5.0-1', `${debs}/kata-runtime_3.5.0-1_amd64.deb`],
      ['kata-runtime', '-', '<', '3.5.0-1', configure],
    ],
    [
      {
        name: 'kata-runtime',
        oldVersion: null,
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-runtime_3.5.0-1_amd64.deb`,
      },
      { name: 'kata-runtime', oldVersion: null, newVersion: '3.5.0-1', action: 'configure', archive: null },
    ],
  ],
  [
    'an upgrade of two',
    [
      ['kata-containers-image', '3.4.0-1', '<', '3.5.0-1', `${debs}/kata-containers-image_3.5.0-1_all.deb`, 'foreign'],
      ['kata-runtime', '3.4.0-1', '<', '3.5.0-1', `${debs}/kata-runtime_3.5.0-1_amd64.deb`],
    ],
    [
      {
        name: 'kata-containers-image',
        oldVersion: '3.4.0-1',
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-containers-image_3.5.0-1_all.deb`,
      },
      {
        name: 'kata-runtime',
        oldVersion: '3.4.0-1',
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-runtime_3.5.0-1_amd64.deb`,
      },
    ],
  ],
  [
    'a downgrade brings an archive too',
    [['kata-runtime', '3.5.0-1', '>', '3.4.0-1', '/repo/./kata-runtime_3.4.0-1_amd64.deb']],
    [
      {
        name: 'kata-runtime',
        oldVersion: '3.5.0-1',
        newVersion: '3.4.0-1',
        action: 'unpack',
        archive: '/repo/./kata-runtime_3.4.0-1_amd64.deb',
      },
    ],
  ],
  [
    'a reinstallation has the same version twice',
    [['kata-runtime', '3.5.0-1', '=', '3.5.0-1', `${debs}/kata-runtime_3.5.0-1_amd64.deb`]],
    [
      {
        name: 'kata-runtime',
        oldVersion: '3.5.0-1',
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-runtime_3.5.0-1_amd64.deb`,
      },
    ],
  ],
  [
    'a removal has neither new version nor archive',
    [['kata-containers-image', '3.4.0-1', '>', '-', remove]],
    [{ name: 'kata-containers-image', oldVersion: '3.4.0-1', newVersion: null, action: 'remove', archive: null }],
  ],
  [
    'removal, installation and upgrade in one go keep their order',
    [
      ['kata-containers-image', '3.4.0-1', '>', '-', remove],
      ['kata-extra', '-', '<', '3.5.0-1', `${debs}/kata-extra_3.5.0-1_amd64.deb`, 'same'],
      ['kata-runtime', '3.4.0-1', '<', '3.5.0-1', `${debs}/kata-runtime_3.5.0-1_amd64.deb`],
    ],
    [
      { name: 'kata-containers-image', oldVersion: '3.4.0-1', newVersion: null, action: 'remove', archive: null },
      {
        name: 'kata-extra',
        oldVersion: null,
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-extra_3.5.0-1_amd64.deb`,
      },
      {
        name: 'kata-runtime',
        oldVersion: '3.4.0-1',
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-runtime_3.5.0-1_amd64.deb`,
      },
    ],
  ],
  [
    'a repair configures alone',
    [['kata-containers-image', '3.5.0-1', '=', '3.5.0-1', configure]],
    [
      {
        name: 'kata-containers-image',
        oldVersion: '3.5.0-1',
        newVersion: '3.5.0-1',
        action: 'configure',
        archive: null,
      },
    ],
  ],
  [
    'an epoch keeps its colon, and its %3a in the name of the file',
    [['kata-runtime', '1:3.4.0-1', '<', '1:3.5.0-1', `${debs}/kata-runtime_1%3a3.5.0-1_amd64.deb`]],
    [
      {
        name: 'kata-runtime',
        oldVersion: '1:3.4.0-1',
        newVersion: '1:3.5.0-1',
        action: 'unpack',
        archive: `${debs}/kata-runtime_1%3a3.5.0-1_amd64.deb`,
      },
    ],
  ],
  [
    'a path reaches to the end of its line, whatever stands in it',
    [['kata-runtime', '3.4.0-1', '<', '3.5.0-1', '/srv/my debs/a  b\u2028 =/kata-runtime_3.5.0-1_amd64.deb']],
    [
      {
        name: 'kata-runtime',
        oldVersion: '3.4.0-1',
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: '/srv/my debs/a  b\u2028 =/kata-runtime_3.5.0-1_amd64.deb',
      },
    ],
  ],
  ['no step at all', [], []],
];

for (const [rule, steps, changes] of transactions) {
  test(`versions 2 and 3: ${rule}`, () => {
    for (const write of [version2, version3]) {
      const transaction = parse(write(steps));
      assert.equal(transaction, { manager: 'apt', root: '', changes, mode: null, allow: [] });
    }
  });

  test(`version 1 tells only archives: ${rule}`, () => {
    const expected = changes
      .filter(({ action }) => action === 'unpack')
      .map((change) => ({ ...change, oldVersion: null, newVersion: null }));
    assert.equal(parse(version1(steps)), {
      manager: 'apt',
      root: '',
      changes: expected,
      mode: null,
      allow: [],
    });
  });
}

test('a removal alone is empty input in version 1', () => {
  assert.equal([...parse('').changes], []);
});

test('the last line may lack its end', () => {
  const input = version3([['kata-runtime', '3.4.0-1', '>', '-', remove]]);
  assert.is(parse(input.slice(0, -1)).changes[0]?.action, 'remove');
});

const upgrade: Step = ['kata-runtime', '3.4.0-1', '<', '3.5.0-1', `${debs}/kata-runtime_3.5.0-1_amd64.deb`];

const options: readonly [
  rule: string,
  options: readonly string[],
  expected: { mode?: string; allow?: readonly string[]; root?: string },
][] = [
  ['Mode', ['KataCheck::Mode=warn'], { mode: 'warn' }],
  ['the key in any case', ['katacheck::MODE=off'], { mode: 'off' }],
  ['the last Mode counts', ['KataCheck::Mode=off', 'KataCheck::Mode=block'], { mode: 'block' }],
  ['another key that ends so is none', ['My::KataCheck::Mode=off', 'KataCheck::Mode::X=off'], {}],
  ['a key inside a value is none', ['CommandLine::AsString=apt%20-o%20KataCheck::Mode=off'], {}],
  ['a line break inside a value makes no key', ['Acquire::X=1%0aKataCheck::Mode=off'], {}],
  ['Allow', ['KataCheck::Allow=KC101'], { allow: ['KC101'] }],
  ['Allow with commas', ['KataCheck::Allow=KC101,KC301,'], { allow: ['KC101', 'KC301'] }],
  ['Allow with commas and blanks', ['KataCheck::Allow=KC101,%20KC301'], { allow: ['KC101', 'KC301'] }],
  ['Allow as a list', ['KataCheck::Allow::=KC101', 'KataCheck::Allow::=KC301'], { allow: ['KC101', 'KC301'] }],
  [
    'Allow both ways, in any case',
    ['KATACHECK::ALLOW=KC101', 'katacheck::allow::=KC301'],
    { allow: ['KC101', 'KC301'] },
  ],
  ['another root', ['DPkg::Options::=--root=/srv/target'], { root: '/srv/target' }],
  ['another root with a slash at its end', ['DPkg::Options::=--root=/srv/target/'], { root: '/srv/target' }],
  ['a blank in the root', ['DPkg::Options::=--root=/srv/my%20target'], { root: '/srv/my target' }],
  ['a root that is not ASCII: apt quotes its bytes', ['DPkg::Options::=--root=/srv/caf%c3%a9'], { root: '/srv/café' }],
  ['bytes that are no UTF-8 stay bytes', ['DPkg::Options::=--root=/srv/caf%e9'], { root: '/srv/caf\u00e9' }],
  ['the last root counts', ['DPkg::Options::=--root=/one', 'DPkg::Options::=--root=/two'], { root: '/two' }],
  ['--instdir is a root too', ['dpkg::options::=--instdir=/srv/target'], { root: '/srv/target' }],
  ['the real root is none', ['DPkg::Options::=--root=/'], {}],
  ["another of dpkg's options", ['DPkg::Options::=--force-confold', 'DPkg::Options::=--admindir=/x'], {}],
  [
    'letters whose small form is longer do not shift what follows',
    ['Acquire::X=\u0130\u0130\u0130', 'KataCheck::Mode=warn'],
    { mode: 'warn' },
  ],
];

for (const [rule, lines, expected] of options) {
  test(`options: ${rule}`, () => {
    for (const write of [version2, version3]) {
      const { mode, allow, root } = parse(write([upgrade], lines));
      assert.equal({ mode, allow: [...allow], root }, { mode: null, allow: [], root: '', ...expected });
    }
  });
}

/** In each of these, the configuration holds it. */
const password = 'hunter2';
const secret = `Acquire::http::Proxy=http://user:${password}@proxy.example:3128`;
const header = ['VERSION 3', secret, ...configuration];

const broken: readonly [rule: string, input: string, kind: typeof Corrupt | typeof Unsupported, said: RegExp][] = [
  ['a newer protocol', `VERSION 4\n${secret}\n\n`, Unsupported, /^version 4 of apt's hook protocol$/],
  ['a number that is none of ours', `VERSION 0\n${secret}\n\n`, Unsupported, /version 0/],
  ['a version with more digits', `VERSION 99999\n${secret}\n\n`, Corrupt, /line 1: neither a path/],
  ['no empty line behind the configuration', `${header.join('\n')}\n`, Corrupt, /no empty line/],
  ['the configuration alone', `${secret}\n`, Corrupt, /line 1: neither a path nor a version/],
  [
    'the first step is broken',
    [...header, '', `kata-runtime ${password}`, ''].join('\n'),
    Corrupt,
    new RegExp(`line ${header.length + 2}: not a step of version 3$`),
  ],
  [
    'a step of version 2 in version 3',
    [...header, '', `kata-runtime 3.4.0-1 < 3.5.0-1 ${configure}`].join('\n'),
    Corrupt,
    /not a step of version 3$/,
  ],
  [
    'a sign of no meaning',
    [...header, '', `kata-runtime 1 amd64 none ~ 2 amd64 none ${configure}`].join('\n'),
    Corrupt,
    /not a step of version 3$/,
  ],
];

for (const [rule, input, kind, said] of broken) {
  test(`refused, and without a word of the input: ${rule}`, () => {
    try {
      parse(input);
    } catch (error) {
      assert.instance(error, kind);
      assert.match((error as Error).message, said);
      assert.not.match((error as Error).message, new RegExp(`${password}|proxy`));
      return;
    }
    assert.unreachable('it was taken');
  });
}

test('ten thousand lines of configuration and as many steps', () => {
  const lines = Array.from({ length: 10_000 }, (_, index) => `APT::Key${index}=${index}`);
  const steps = Array.from({ length: 10_000 }, (_, index): Step => [`p${index}`, '1', '<', '2', `/p${index}.deb`]);
  const { changes, mode } = parse(version3(steps, [...lines, 'KataCheck::Mode=warn']));
  assert.is(changes.length, 10_000);
  assert.is(changes[9_999]?.archive, '/p9999.deb');
  assert.is(mode, 'warn');
});

const captures = corpusFolder('captures/apt');

/** What happened in each of the recorded runs, as `name old new action`; archives are those of the unpacked, in this order. */
const recorded: Readonly<Record<string, readonly string[]>> = {
  downgrade: ['kata-image 3.4.0-1 3.2.0-1 unpack', 'kata-runtime 3.5.0-1 3.2.0-1 unpack'],
  http_epoch: ['kata-extra 1:3.2.0-1 1:3.5.0-1 unpack', 'kata-runtime 3.4.0-1 3.5.0-1 unpack'],
  install_again: ['kata-runtime - 3.2.0-1 unpack'],
  local_file: ['kata-image - 3.4.0-1 unpack', 'kata-runtime 3.5.0-1 3.4.0-1 unpack'],
  mixed: ['kata-image 3.2.0-1 - remove', 'kata-extra - 1:3.5.0-1 unpack', 'kata-runtime 3.2.0-1 3.4.0-1 unpack'],
  preinst_fail_install: ['kata-runtime - 3.4.0-1 unpack', 'kata-image 3.4.0-1 3.4.0-1 configure'],
  purge_rc: ['kata-runtime 3.2.0-1 - remove'],
  reinstall: ['kata-runtime 3.2.0-1 3.2.0-1 unpack'],
  remove: ['kata-runtime 3.2.0-1 - remove'],
  upgrade_single: ['kata-runtime 3.4.0-1 3.5.0-1 unpack'],
  upgrade_two: ['kata-image 3.2.0-1 3.4.0-1 unpack', 'kata-runtime 3.2.0-1 3.4.0-1 unpack'],
};

test(
  'every recorded run of apt, in all three versions',
  () => {
    const names = Object.keys(recorded).flatMap((name) => [1, 2, 3].map((version) => `${name}-v${version}.txt`));
    assert.equal(readdirSync(captures).sort(), names.sort());
    for (const [name, steps] of Object.entries(recorded)) {
      const unpacked = steps.filter((step) => step.endsWith(' unpack'));
      for (const version of [1, 2, 3]) {
        const file = `${name}-v${version}.txt`;
        const { changes, root, mode, allow } = parse(readFileSync(join(captures, file), 'utf8'));
        assert.equal([root, mode, [...allow]], ['', null, []], file);
        const archives = changes.flatMap((change) => (change.action === 'unpack' ? [change] : []));
        assert.is(archives.length, unpacked.length, file);
        for (const [index, step] of unpacked.entries()) {
          const [packageName = '', , next = ''] = step.split(' ');
          // The repository's files leave the epoch out of their names; apt's own cache writes it.
          const upstream = next.replace(/^1:/, name === 'http_epoch' ? '1%3a' : '');
          assert.is(archives[index]?.name, packageName, file);
          const folder = name === 'http_epoch' ? debs : '/repo/.';
          assert.is(archives[index]?.archive, `${folder}/${packageName}_${upstream}_amd64.deb`, file);
        }
        if (version === 1) {
          assert.is(changes.length, unpacked.length, file);
          continue;
        }
        const told = changes.map(
          (change) => `${change.name} ${change.oldVersion ?? '-'} ${change.newVersion ?? '-'} ${change.action}`,
        );
        const configured = unpacked.map((step) => step.replace(/unpack$/, 'configure'));
        const rest = steps.filter((step) => step.endsWith(' configure'));
        assert.equal(told, [...steps.filter((step) => !rest.includes(step)), ...configured, ...rest], file);
        assert.is(changes.some(isReinstall), name === 'reinstall', file);
      }
    }
  },
  { needs: [captures] },
);

const half: readonly [rule: string, input: string, names: readonly string[], said: RegExp][] = [
  [
    'version 1: a relative path',
    `/a_1_all.deb\n\n./b_1_all.deb ${password}\n`,
    ['a'],
    /^apt's hook input, line 3: neither a path nor a version$/,
  ],
  [
    'the third step is broken',
    ['VERSION 2', secret, '', `a 1 < 2 /a.deb`, `b 1 > - ${remove}`, `c 1 < ${password}`, `d 1 < 2 /d.deb`].join('\n'),
    ['a', 'b', 'd'],
    /^apt's hook input, line 6: not a step of version 2$/,
  ],
];

for (const [rule, input, names, said] of half) {
  test(`adversary C8: the other lines count, and no word of this one is told: ${rule}`, () => {
    const { changes, mistakes = [] } = parse(input);
    assert.equal(
      changes.map(({ name }) => name),
      names,
    );
    assert.is(mistakes.length, 1);
    assert.match(mistakes[0] ?? '', said);
  });
}
