import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { describeConfig, loadConfig } from '../src/config.ts';
import { type Config, type Loaded, type Override, policyOf } from '../src/defaults.ts';
import { Usage } from '../src/errors.ts';
import type { Host } from '../src/host/host.ts';
import { createNodeHost } from '../src/host/node.ts';
import { rootedHost } from '../src/host/rooted.ts';
import { run, type Tree, temporaryFolder, writeTree } from './images.ts';
import { suite } from './suite.ts';

const test = suite('configuration');
const main = '/etc/kata-check.conf';
const dropIns = `${main}.d`;

/** As anybody but root, who is not told to believe the file. */
function node(tree: Tree, userId = 1000): Host {
  return { ...rootedHost(createNodeHost(), writeTree(temporaryFolder(), tree)), userId };
}

function load(tree: Tree, overrides: readonly Override[] = []): Loaded {
  return loadConfig(node(tree), undefined, overrides);
}

/** What is not as it is without any configuration. */
function changed(config: Config): string[] {
  const usual = describeConfig(load({}).config);
  return describeConfig(config).filter((line) => !usual.includes(line));
}

const understood: readonly [rule: string, text: string, lines: readonly string[]][] = [
  ['nothing', '', []],
  ['comments and blank lines', '; mode = off\n# mode = off\n\n   ; rule = exact\n', []],
  ['mode', 'mode = warn\n', [`mode = warn  (${main}, line 1)`]],
  ['a comment behind a value', '; first\nmode = off ; for now\n', [`mode = off  (${main}, line 2)`]],
  ['a value in quotation marks', 'mode = "warn"\n', [`mode = warn  (${main}, line 1)`]],
  ['no blanks, no end of the last line', 'mode=off', [`mode = off  (${main}, line 1)`]],
  [
    'lines as Windows ends them',
    'rule = exact\r\nmode = warn\r\n',
    [`mode = warn  (${main}, line 2)`, `rule = exact  (${main}, line 1)`],
  ],
  ['a byte order mark', '\ufeffmode = warn\n', [`mode = warn  (${main}, line 1)`]],
  [
    'given twice, the last counts, and it is named',
    'mode = warn\nrule = exact\nmode = off\n',
    [`mode = off  (${main}, line 3)`, `rule = exact  (${main}, line 2)`],
  ],
  ['rule', 'rule = skew=2\n', [`rule = skew=2  (${main}, line 1)`]],
  ['deadline', 'deadline = 5\n', [`deadline = 5  (${main}, line 1)`]],
  [
    'allow, as a list',
    'allow[] = KC302\n\nallow[] = KC101\n',
    [`allow = KC302  (${main}, line 1)`, `allow = KC101  (${main}, line 3)`],
  ],
  ['allow, one alone', 'allow = KC101\n', [`allow = KC101  (${main}, line 1)`]],
  [
    'severity',
    '[severity]\nKC201 = block\nKC101 = info\n',
    [`severity KC201 = block  (${main}, line 2)`, `severity KC101 = info  (${main}, line 3)`],
  ],
  [
    'a section begun twice',
    '[severity]\nKC201 = block\n[packages]\n[severity]\nKC101 = info\n',
    [`severity KC201 = block  (${main}, line 2)`, `severity KC101 = info  (${main}, line 5)`],
  ],
  [
    'requires, with an = in what it says',
    '[requires]\n3.28 - 3.32 = >=3.27.0 <4.0.0\n4.x = >=4.0.0\n',
    [
      `requires 3.28 - 3.32 = >=3.27.0 <4.0.0  (${main}, line 2: [requires] 3.28 - 3.32)`,
      `requires 4.x = >=4.0.0  (${main}, line 3: [requires] 4.x)`,
    ],
  ],
  [
    'packages take the place of the usual ones',
    '[packages]\nruntime[] = acme-kata\nimage[] = acme-guest\nimage[] = acme-initrd\n',
    [
      `runtime package = acme-kata  (${main}, line 2)`,
      `image package = acme-guest  (${main}, line 3)`,
      `image package = acme-initrd  (${main}, line 4)`,
    ],
  ],
  [
    'images',
    '[images]\npath[] = /srv/kata/one.img\npath[] = /srv/kata/my two.img\n',
    [`image = /srv/kata/one.img  (${main}, line 2)`, `image = /srv/kata/my two.img  (${main}, line 3)`],
  ],
  [
    'a key of a section is not looked for in another',
    '[images]\npath[] = /runtime.img\n[packages]\nimage[] = kata\n',
    [`image package = kata  (${main}, line 4)`, `image = /runtime.img  (${main}, line 2)`],
  ],
];

for (const [rule, text, lines] of understood) {
  test(`understood: ${rule}`, () => {
    const { config, mistakes, warnings } = load({ [main]: text });
    assert.equal([mistakes, warnings], [[], []]);
    assert.equal(changed(config), lines);
  });
}

test('without a file every value is the default, and says so', () => {
  assert.equal(describeConfig(load({}).config), [
    'mode = block  (default)',
    'rule = minor  (default)',
    'deadline = 20  (default)',
    'strict = false  (default)',
    'runtime package = kata-runtime  (default)',
    'runtime package = kata-containers  (default)',
    'runtime package = kata-containers-cc  (default)',
    'runtime package = katacontainers  (default)',
    'image package = kata-containers-image  (default)',
    'image package = kata-containers-initrd  (default)',
    'image package = katacontainers-image-initrd  (default)',
  ]);
});

/** `lines`: that something changed all the same, beside the mistake. */
const mistaken: readonly [rule: string, text: string, mistakes: readonly string[], lines?: readonly string[]][] = [
  ['an unknown key', '; a comment\nmoed = warn\n', ['line 2: unknown key moed']],
  ['a key that begins as a known one', 'modes = warn\n', ['line 1: unknown key modes']],
  ['a key of another case', 'Mode = warn\n', ['line 1: unknown key Mode']],
  ['an unknown section', '\n[package]\nruntime[] = x\n', ['line 2: unknown section [package]']],
  ['a key without a value', 'mode\n', ['line 1: mode needs one value']],
  ['an empty value', 'mode =\n', ['line 1: mode is block, warn or off, not ']],
  [
    'a value that is no mode',
    'rule = exact\nmode = wran\n',
    ['line 2: mode is block, warn or off, not wran'],
    [`rule = exact  (${main}, line 1)`],
  ],
  ['a list where one value is', 'mode[] = off\n', ['line 1: mode needs one value']],
  ['a section where a value is', '[mode]\nx = off\n', ['line 1: mode needs one value']],
  ['true is no mode', 'mode = true\n', ['line 1: mode needs one value']],
  ['a rule', 'rule = loose\n', ['line 1: rule is exact, minor or skew=N, not loose']],
  ['a skew without its number', 'rule = skew=\n', ['line 1: rule is exact, minor or skew=N, not skew=']],
  ['no time at all', 'deadline = 0\n', ['line 1: deadline is a number of seconds from 1 to 9999, not 0']],
  ['less than that', 'deadline = -1\n', ['line 1: deadline is a number of seconds from 1 to 9999, not -1']],
  ['a deadline with its unit', 'deadline = 5s\n', ['line 1: deadline is a number of seconds from 1 to 9999, not 5s']],
  ['no deadline', 'deadline = Infinity\n', ['line 1: deadline is a number of seconds from 1 to 9999, not Infinity']],
  [
    'a code that is none',
    'allow[] = KC101\nallow[] = KC999\n',
    ['line 2: KC999 is not the code of a finding; kata-check explain lists all codes'],
    [`allow = KC101  (${main}, line 1)`],
  ],
  [
    'codes with a comma',
    'allow = KC101,KC104\n',
    ['line 1: KC101,KC104 is not the code of a finding; kata-check explain lists all codes'],
  ],
  ['allow as a section', '[allow]\nKC101 = yes\n', ['line 1: allow takes a list: allow[] = …']],
  ['allow of everything', 'allow = true\n', ['line 1: allow takes a list: allow[] = …']],
  ['a section as a key', 'severity = block\n', ['line 1: [severity] is a section']],
  ['a list as a section', 'severity[] = KC201\n', ['line 1: [severity] is a section']],
  [
    'severity of no finding',
    '[severity]\nKC999 = block\n',
    ['line 2: KC999 is not the code of a finding; kata-check explain lists all codes'],
  ],
  [
    'a severity that is none',
    '[severity]\nKC201 = fatal\n',
    ['line 2: the severity of KC201 is info, warn or block, not fatal'],
  ],
  [
    'a section inside a section',
    '[severity.KC201]\nx = block\n',
    [': the severity of KC201 is info, warn or block, not a section or a list'],
  ],
  [
    'a range of runtimes',
    '[requires]\nnew ones = >=3.0.0\n',
    ['line 2: [requires] new ones is not a range of runtime versions'],
  ],
  [
    'a key that ends at its first =',
    '[requires]\n>=3.28.0 = >=3.27.0\n',
    ['line 2: [requires] > is not a range of runtime versions'],
  ],
  [
    'a range of agents',
    '[requires]\n3.x = (>= 3.0.0)\n',
    ['line 2: [requires] (>= 3.0.0) is not a range of agent versions'],
  ],
  [
    'a range of agents that is not there',
    '[requires]\n3.x\n',
    ['line 2: [requires] true is not a range of agent versions'],
  ],
  [
    'an unknown kind of package',
    '[packages]\nkernel[] = x\n',
    ['line 2: [packages] has runtime[] and image[], not kernel'],
  ],
  ['an unknown key of images', '[images]\nimage[] = /x\n', ['line 2: [images] has path[] and rebuilt[], not image']],
  [
    'a relative path',
    '[images]\npath[] = b\npath[] = /a\n',
    ['line 2: [images] b is not an absolute path'],
    [`image = /a  (${main}, line 3)`],
  ],
  ['__proto__ as a key', 'x = 1\n__proto__ = off\n', ['line 2: unknown key __proto__', 'line 1: unknown key x']],
  ['__proto__ as a section', '[__proto__]\nmode = off\n', ['line 1: unknown key __proto__']],
  [
    '__proto__ in a section',
    '[severity]\n__proto__ = block\nKC201 = block\n',
    ['line 2: unknown key __proto__'],
    [`severity KC201 = block  (${main}, line 3)`],
  ],
  ['__proto__ as a list', '[packages]\n__proto__[] = kata\n', ['line 2: unknown key __proto__']],
  [
    'names that every object has',
    'constructor = 1\n[toString]\n[hasOwnProperty]\nx = 1\n',
    [
      'line 1: unknown key constructor',
      'line 2: unknown section [toString]',
      'line 3: unknown section [hasOwnProperty]',
    ],
  ],
  [
    'the same in sections',
    '[severity]\nconstructor = block\n[packages]\ntoString = x\n',
    [
      'line 2: constructor is not the code of a finding; kata-check explain lists all codes',
      'line 4: [packages] has runtime[] and image[], not toString',
    ],
  ],
  ['a name that is both key and section', 'mode = null\n[mode.x]\na = 1\n', [': a section has the name of a key']],
];

for (const [rule, text, expected, lines = []] of mistaken) {
  test(`a mistake, with its place: ${rule}`, () => {
    const { config, mistakes, warnings } = load({ [main]: text });
    const told = mistakes.map((mistake) => mistake.replace(`${main}, `, '').replace(main, ''));
    assert.is(told.length, expected.length, told.join('\n'));
    for (const [index, start] of expected.entries()) assert.ok(told[index]?.startsWith(start), told[index]);
    assert.equal(changed(config), lines);
    assert.equal([...warnings], []);
    assert.is(({} as { mode?: unknown }).mode, undefined);
  });
}

test('drop-ins are read behind the main file, in the order of their names; others are not', () => {
  const { config, mistakes } = load({
    [main]: 'mode = off\nrule = exact\nallow[] = KC101\n[packages]\nruntime[] = main\n[images]\npath[] = /main.img\n',
    [`${dropIns}/20-site.conf`]: 'mode = warn\nallow[] = KC104\n[images]\npath[] = /site.img\n',
    [`${dropIns}/10-vendor.conf`]:
      'mode = off\ndeadline = 9\n[packages]\nruntime[] = vendor\n[severity]\nKC201 = block\n',
    [`${dropIns}/30-old.conf.bak`]: 'mode = block\nbad\n',
    [`${dropIns}/README`]: 'nothing',
  });
  assert.equal([...mistakes], []);
  assert.equal(changed(config), [
    `mode = warn  (${dropIns}/20-site.conf, line 1)`,
    `rule = exact  (${main}, line 2)`,
    `deadline = 9  (${dropIns}/10-vendor.conf, line 2)`,
    `allow = KC101  (${main}, line 3)`,
    `allow = KC104  (${dropIns}/20-site.conf, line 2)`,
    `severity KC201 = block  (${dropIns}/10-vendor.conf, line 6)`,
    `runtime package = vendor  (${dropIns}/10-vendor.conf, line 4)`,
    `image = /main.img  (${main}, line 7)`,
    `image = /site.img  (${dropIns}/20-site.conf, line 4)`,
  ]);
});

test('drop-ins alone are enough, and a mistake names theirs', () => {
  const { config, mistakes } = load({ [`${dropIns}/site.conf`]: 'mode = warn\nmoed = off\n' });
  assert.equal(changed(config), [`mode = warn  (${dropIns}/site.conf, line 1)`]);
  assert.equal([...mistakes], [`${dropIns}/site.conf, line 2: unknown key moed`]);
});

const file = 'mode = off\nallow[] = KC101\n';
const environment: Override = { from: 'the environment', mode: 'warn', allow: ['KC104'] };
const command: Override = { from: 'the command line', mode: 'block', allow: ['KC201'], strict: true };

const overridden: readonly [rule: string, overrides: readonly Override[], lines: readonly string[]][] = [
  ['the file alone', [], [`mode = off  (${main}, line 1)`, `allow = KC101  (${main}, line 2)`]],
  [
    'the environment goes over the file, and adds to its list',
    [environment],
    ['mode = warn  (the environment)', `allow = KC101  (${main}, line 2)`, 'allow = KC104  (the environment)'],
  ],
  [
    'options go over the environment',
    [environment, command],
    [
      'mode = block  (the command line)',
      'strict = true  (the command line)',
      `allow = KC101  (${main}, line 2)`,
      'allow = KC104  (the environment)',
      'allow = KC201  (the command line)',
    ],
  ],
  [
    'what is not given leaves what is',
    [environment, { from: 'nobody', mode: undefined, strict: false }],
    ['mode = warn  (the environment)', `allow = KC101  (${main}, line 2)`, 'allow = KC104  (the environment)'],
  ],
];

for (const [rule, overrides, lines] of overridden) {
  test(`precedence: ${rule}`, () => {
    const { config, mistakes } = load({ [main]: file }, overrides);
    assert.equal([...mistakes], []);
    assert.equal(changed(config), lines);
  });
}

test('precedence: a wrong value of the environment is a mistake and leaves the file in force', () => {
  const { config, mistakes } = load({ [main]: file }, [
    { from: 'the environment', mode: 'of', allow: ['KC1', 'KC104'] },
  ]);
  assert.equal(
    [...mistakes],
    [
      'the environment: the mode is block, warn or off, not of',
      'the environment: KC1 is not the code of a finding; kata-check explain lists all codes',
    ],
  );
  assert.equal([config.mode.value, config.allow.map(({ value }) => value)], ['off', ['KC101', 'KC104']]);
});

test('the policy is what is left', () => {
  const { config } = load({ [main]: `${file}[severity]\nKC201 = block\n` }, [command]);
  const { mode, allow, severity, strict } = policyOf(config);
  assert.equal([mode, [...allow], [...severity], strict], ['block', ['KC101', 'KC201'], [['KC201', 'block']], true]);
});

test('a file given by the user is the only one', () => {
  const host = node({
    [main]: 'mode = off\n',
    [`${dropIns}/x.conf`]: 'mode = off\n',
    '/srv/mine.conf': 'rule = exact\n',
  });
  assert.equal(changed(loadConfig(host, '/srv/mine.conf', []).config), ['rule = exact  (/srv/mine.conf, line 1)']);
});

test('a file given by the user must be there', () => {
  for (const path of ['/srv/none.conf', '/srv/dangling.conf']) {
    try {
      loadConfig(node({ '/srv/dangling.conf': { link: 'none' } }), path, []);
    } catch (error) {
      assert.instance(error, Usage);
      assert.is((error as Error).message, `${path}: no such configuration file`);
      continue;
    }
    assert.unreachable('it was read');
  }
});

test('a link to the file is followed', () => {
  assert.is(
    load({ [main]: { link: '/srv/shared.conf' }, '/srv/shared.conf': 'mode = off\n' }).config.mode.value,
    'off',
  );
});

const megabyte = 1 << 20;

const unreadable: readonly [rule: string, make: (root: string) => void, said: RegExp][] = [
  [
    'a directory',
    (root) => mkdirSync(join(root, main)),
    /^the configuration cannot be read: .*kata-check\.conf: is a directory/,
  ],
  [
    'a FIFO',
    (root) => run('mkfifo', join(root, main)),
    /^the configuration cannot be read: .*kata-check\.conf: is .*FIFO/,
  ],
  [
    'a link to itself',
    (root) => symlinkSync('kata-check.conf', join(root, main)),
    /^the configuration cannot be read: .*more than 40 symbolic links$/,
  ],
  ['over the limit', (root) => writeTree(root, { [main]: `;${' '.repeat(megabyte)}` }), /larger than 1048576 bytes$/],
  [
    'a drop-in that is a directory',
    (root) => mkdirSync(join(root, dropIns, 'x.conf'), { recursive: true }),
    /x\.conf: is a directory/,
  ],
];

for (const [rule, make, said] of unreadable) {
  test(
    `unreadable: ${rule}`,
    () => {
      const root = writeTree(temporaryFolder(), { '/etc/hostname': 'x' });
      make(root);
      const { mistakes, config } = loadConfig({ ...rootedHost(createNodeHost(), root), userId: 1000 }, undefined, []);
      assert.is(mistakes.length, 1);
      assert.match(mistakes[0] ?? '', said);
      assert.is(config.mode.value, 'block', 'the defaults hold');
    },
    { timeout: 20 },
  );
}

test('a drop-in folder that is a file holds none', () => {
  assert.equal(changed(load({ [dropIns]: 'mode = off\n' }).config), []);
});

test(
  'a megabyte of unknown keys is a mistake each, and no matter of minutes',
  () => {
    const keys = Array.from({ length: 90_000 }, (_, index) => `key${index}=1`);
    const { mistakes } = load({ [main]: keys.join('\n') });
    assert.is(mistakes.length, 90_000);
    assert.is(mistakes.at(-1), `${main}, line 90000: unknown key key89999`);
  },
  { timeout: 30 },
);

const untrusted: readonly [rule: string, mode: number, owner: number, isUsed: boolean][] = [
  ["root's own", 0o644, 0, true],
  ['readable by root alone', 0o600, 0, true],
  ['writable by a group', 0o664, 0, false],
  ['writable by all', 0o646, 0, false],
  ["somebody else's", 0o644, 1000, false],
];

for (const [rule, mode, owner, isUsed] of untrusted) {
  test(
    `as root: ${rule} is ${isUsed ? '' : 'not '}used`,
    () => {
      for (const path of [main, `${dropIns}/site.conf`, '/srv/mine.conf']) {
        for (const isLinked of [false, true]) {
          const root = writeTree(temporaryFolder(), {
            [isLinked ? '/srv/target' : path]: 'mode = off\n',
            ...(isLinked ? { [path]: { link: '/srv/target' } } : {}),
          });
          const target = join(root, isLinked ? '/srv/target' : path);
          chmodSync(target, mode);
          chownSync(target, owner, owner);
          const rooted = rootedHost(createNodeHost(), root);
          const given = path.startsWith('/srv') ? path : undefined;
          const { config, warnings } = loadConfig(rooted, given, []);
          assert.is(config.mode.value, isUsed ? 'off' : 'block');
          assert.equal(
            [...warnings],
            isUsed
              ? []
              : [
                  `${path} and the settings in it are ignored, because the file does not belong to root alone: root must own it, and nobody else may write to it`,
                ],
          );
          assert.is(loadConfig({ ...rooted, userId: 1000 }, given, []).config.mode.value, 'off');
        }
      }
    },
    { needs: ['root'] },
  );
}
