import * as assert from 'uvu/assert';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { type Form, forms, kataCheck, type Outcome, sampleNode } from './program.ts';

const test = suite('command line');

const wrong: readonly [rule: string, args: readonly string[], message: RegExp][] = [
  [
    'a mistyped option is not "no requirement"',
    ['--requir', 'x'],
    /unknown option --requir; did you mean --requires\?\n/,
  ],
  ['a mistyped option of a command', ['image', '--depp', 'x'], /unknown option --depp; did you mean --deep\?\n/],
  ['an option with one dash', ['-json'], /unknown option -json; did you mean --json\?\n/],
  ['an option that is like no other', ['--frobnicate'], /unknown option --frobnicate\n/],
  [
    'an option that is none, before a command',
    ['--jsn', 'image', 'x'],
    /unknown option --jsn; did you mean --json\?\nusage: kata-check image /,
  ],
  ['a command after two dashes', ['--', 'explain'], /explain is neither a command nor a package or tarball/],
  ['an option without its value', ['--requires'], /--requires needs a value\n/],
  ['an option as a value', ['--requires', '--json'], /--requires needs a value, and --json is an option\n/],
  ['an empty value', ['--requires='], /--requires needs a value\n/],
  ['a flag with a value', ['--json=yes'], /--json takes no value\n/],
  ['a short option', ['-z'], /unknown option -z\n/],
  ['an option given twice', ['--to', '3.4.0', '--to', '3.5.0'], /--to is given twice\n/],
  ['a bad range', ['--requires', '>>1'], /--requires >>1 is not a range of versions, such as /],
  [
    'a bad version',
    ['--to', 'newest'],
    /--to newest is not a version of Kata Containers: a version is written X\.Y\.Z, as 3\.29\.0\n/,
  ],
  [
    'four numbers',
    ['--to', '3.29.0.1'],
    /--to 3\.29\.0\.1 is not a version of Kata Containers: a version is written X/,
  ],
  [
    'the full name of an rpm as a version',
    ['--to', 'kata-containers-3.25.0-4.rhaos4.21.el9'],
    /el9 is not a version of Kata Containers: it looks like the name of a package whose version is 3\.25\.0\n/,
  ],
  ['a package file as a version', ['--to', './k_3.29.0_amd64.deb'], /\.deb is a package file; name it without --to\n/],
  ['a word that is no command', ['chekc'], /chekc is neither a command nor a package or tarball\n/],
  ['a mistyped command', ['explian'], /explian is neither .+; did you mean explain\?\n/],
  ['help as a word', ['help'], /help is neither .+; did you mean --help\?\n/],
  ['a bad mode', ['--mode', 'maybe'], /--mode is one of block, warn, off, not maybe\n/],
  ['an unknown code to allow', ['--allow', 'KC999'], /the command line: KC999 is not the code of a finding/],
  ['a bad choice of colours', ['--color', 'red'], /--color is one of auto, always, never/],
  ['a configuration that is not there', ['--config', '/nowhere.conf'], /\/nowhere\.conf: no such configuration file\n/],
  ['image without a path', ['image'], /which image\?\n/],
  ['an option of another command', ['image', '--to', '3.0.0', 'x'], /unknown option --to\n/],
  ['an option that a hook cannot follow', ['hook', 'apt', '--json'], /unknown option --json\n/],
  ['hook without a name', ['hook'], /which hook\? one of apt, dpkg, /],
  ['an unknown hook', ['hook', 'nix'], /no hook for nix; one of apt, /],
  ['a hook with too many words', ['hook', 'apt', 'more'], /hook apt takes no argument: more\n/],
  [
    'an unknown code to explain',
    ['explain', 'KC000'],
    /KC000 is not the code of a finding; .+; did you mean KC101\?\n/,
  ],
  ['a shell that is none', ['completion', 'tcsh'], /which shell\? one of bash, zsh, fish/],
  [
    'protocol of a release that the history does not know',
    ['protocol', '4.2.0'],
    /4\.2\.0: the protocol history ends at 4\.1\n/,
  ],
  ['protocol of what is no version', ['protocol', '3.12.0', 'newest'], /newest is not a version of Kata Containers: /],
  ['protocol of three releases', ['protocol', '1.0', '1.1', '1.2'], /two releases at the most, not 1\.2 too\n/],
  ['an option of compare without it', ['protocol', '1.0', '--from', '1.0.0'], /--from and --to belong to compare\n/],
  ['two codes to explain', ['explain', 'KC101', 'KC104'], /explain takes one code, not KC104 as well/],
  ['control characters in an argument are not printed', ['--\u001b[31mred'], /unknown option --\\u001b\[31mred\n/],
];

/** What the form that ran first said: the other one says the same, to the byte. */
const said = new Map<string, Outcome>();

for (const form of forms) {
  for (const [rule, args, message] of wrong) {
    test(
      `${form.name}: ${rule}: status 2, usage on standard error`,
      () => {
        const outcome = kataCheck(form, args);
        assert.match(outcome.stderr, message);
        assert.match(outcome.stderr, /\nusage: kata-check/);
        assert.is(outcome.stdout, '');
        assert.is(outcome.status, 2);
        assert.equal(outcome, said.get(rule) ?? outcome);
        said.set(rule, outcome);
      },
      form,
    );
  }

  test(
    `${form.name}: help, version and explain`,
    () => {
      const help = kataCheck(form, ['--help']);
      assert.is(help.status, 0);
      assert.equal(kataCheck(form, ['-h']), help);
      assert.equal(kataCheck(form, ['-V']), kataCheck(form, ['--version']));
      assert.match(help.stdout, /--requires=<RANGE>/);
      assert.match(help.stdout, /kata-check image PATH/);
      assert.not.match(help.stdout, /\u001b/);
      assert.match(kataCheck(form, ['image', '--help']).stdout, /kata-check image \[OPTIONS\] PATH/);
      assert.match(kataCheck(form, ['--version']).stdout, /^kata-check \d+\.\d+\.\d+\n$/);
      assert.match(kataCheck(form, ['explain']).stdout, /^KC101 {2}block/m);
      assert.match(kataCheck(form, ['protocol', '1.0', '1.1.0']).stdout, /^runtime 1\.1\.0, agent 1\.0\.0: blocked/m);
      assert.is(JSON.parse(kataCheck(form, ['protocol', '--json']).stdout).schema, 1);
      assert.match(kataCheck(form, ['explain', 'kc101']).stdout, /--allow KC101/);
    },
    form,
  );

  const orders: readonly [rule: string, args: readonly string[], usual: readonly string[]][] = [
    ['a flag before the command', ['--json', 'explain', 'KC101'], ['explain', 'KC101', '--json']],
    ['a value before the command', ['--root', '/', 'image', '/x'], ['image', '/x', '--root', '/']],
    ['a value after an equals sign', ['--color=never', 'explain'], ['explain', '--color', 'never']],
    ['the name of a command as a value', ['--root', 'image', '--json'], ['--json', '--root=image']],
    ['two numbers as a release', ['--to', '3.29', '--json'], ['--to', '3.29.0', '--json']],
    ['a capital v', ['--to', 'V4.0.0', '--json'], ['--to', 'v4.0.0', '--json']],
  ];
  for (const [rule, args, usual] of orders) {
    test(
      `${form.name}: ${rule} is taken as in the usual order or form`,
      () => assert.equal(kataCheck(form, args), kataCheck(form, usual)),
      form,
    );
  }

  test(
    `${form.name}: colours only where they are wanted`,
    () => {
      const args = ['--root', sampleNode, '--requires', '>=2.0.0'];
      const colored = (more: readonly string[], env = {}): boolean =>
        kataCheck(form, [...args, ...more], { env }).stdout.includes('\u001b[');
      assert.is(colored([]), false, 'not in a pipe');
      assert.is(colored(['--color', 'always']), true);
      assert.is(colored(['--color', 'never']), false);
    },
    form,
  );
}

const [nodeForm, nativeForm] = forms;

test('protocol compare is of the Node form: status 10 when the release is too small a step', () => {
  const folder = writeTree(temporaryFolder(), {
    'old/agent.proto': 'service AgentService { }',
    'new/agent.proto': 'service AgentService { rpc PauseContainer(P) returns (E); } message P { }',
  });
  const compare = (...args: readonly string[]) =>
    kataCheck(nodeForm as Form, ['protocol', 'compare', 'old', 'new', ...args], { cwd: folder });
  const refused = compare('--from', '1.0.0', '--to', '1.0.1');
  assert.match(refused.stdout, /1\.0\.1 is too small a step from 1\.0\.0/);
  assert.is(refused.status, 10);
  assert.is(compare('--from', '1.0.0', '--to', '1.1.0').status, 0);
  assert.is(JSON.parse(compare('--from', '1.0.0', '--json').stdout).least, '1.1.0');
  assert.is(compare('--from', '1.1.0', '--to', '1.0.0').status, 2);
  assert.match(compare('--to', 'x').stderr, /--to x is not a version/);
  assert.match(compare('more').stderr, /compare takes two trees or \.proto files\n/);
  const broken = writeTree(temporaryFolder(), { 'agent.proto': 'message A {' });
  assert.is(kataCheck(nodeForm as Form, ['protocol', 'compare', broken, broken]).status, 1);
});

test(
  'the native form says that protocol compare is not of it',
  () => {
    const { status, stderr } = kataCheck(nativeForm as Form, ['protocol', 'compare', '/old', '/new']);
    assert.match(stderr, /compare is of the Node\.js form of kata-check only\n/);
    assert.is(status, 2);
  },
  nativeForm,
);

test(
  'both forms write the same, to the byte',
  () => {
    const [node, native] = forms;
    assert.ok(node !== undefined && native !== undefined);
    const all = [
      ['--help'],
      ['image', '--help'],
      ['--version'],
      ['explain'],
      ['explain', 'KC104'],
      ['protocol'],
      ['protocol', '--json'],
      ['protocol', '3.12.0', '3.29.0'],
    ];
    for (const args of all) assert.equal(kataCheck(native, args), kataCheck(node, args), args.join(' '));
  },
  { needs: forms.flatMap(({ needs }) => needs) },
);
