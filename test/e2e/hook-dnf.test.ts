import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck, kataCheckInShell, sampleNode } from './program.ts';

const test = suite('kata-check hook dnf');
const folder = temporaryFolder();

type Row = Readonly<Record<string, unknown>>;
const requires = ['kata-agent-requires(min) = 1.1.0', 'kata-agent-requires(max) = 1.2.0'];
const row = (action: string, name: string, evr: string, more: Row = {}): Row => ({
  action,
  name,
  evr,
  arch: 'noarch',
  ...more,
});
const upgrade = (name: string, more: Row = {}): Row[] => [
  row('UPGRADE', name, '1.1.0-1', more),
  row('UPGRADED', name, '1.0.0-1'),
];
const runtime = upgrade('kata-runtime', { provides: requires });
const image = upgrade('kata-containers-image', { provides: ['kata-agent = 1.1.0'] });
const many = Array.from({ length: 6000 }, (_, index) =>
  row('INSTALL', `package-${index}`, '1-1', { path: '/gone.rpm' }),
);
const document = (packages: readonly Row[], installroot = sampleNode): string =>
  JSON.stringify({ installroot, packages });

const cases: readonly [
  rule: string,
  packages: readonly Row[],
  env: Readonly<Record<string, string>>,
  status: number,
  said: RegExp,
][] = [
  ['the runtime alone is stopped', runtime, {}, 10, /stopped dnf \[KC101\]: /],
  ['its fix is said in the words of dnf', runtime, {}, 10, /dnf install kata-runtime kata-containers-image/],
  ['runtime and image together pass, silently', [...runtime, ...image], {}, 0, /^$/],
  ['so they do in the other order', [...image, ...runtime], {}, 0, /^$/],
  [
    'an image alone that the installed runtime cannot use',
    upgrade('kata-containers-image', { provides: ['kata-agent = 3.0.0'] }),
    {},
    10,
    /stopped dnf \[KC\d+\]: .* the installed Kata runtime/,
  ],
  ['a reinstallation changes nothing', runtime.map((fields) => ({ ...fields, evr: '1.1.0-1' })), {}, 0, /^$/],
  [
    'removing both is silent',
    [row('REMOVE', 'kata-runtime', '1.0.0-1'), row('REMOVE', 'kata-containers-image', '1.0.0-1')],
    {},
    0,
    /^$/,
  ],
  [
    'removing the image below the runtime is said',
    [row('REMOVE', 'kata-containers-image', '1.0.0-1')],
    {},
    0,
    /warning \[KC302\]: /,
  ],
  ['something else is silent', upgrade('vim'), {}, 0, /^$/],
  ['six thousand packages are silent', many, {}, 0, /^$/],
  ['nothing at all is silent', [], {}, 0, /^$/],
  ['KATA_CHECK_MODE=warn passes with the warning', runtime, { KATA_CHECK_MODE: 'warn' }, 0, /warning \[KC101\]: /],
  ['KATA_CHECK_MODE=off does nothing', runtime, { KATA_CHECK_MODE: 'off' }, 0, /^$/],
  ['KATA_CHECK_ALLOW passes with the warning', runtime, { KATA_CHECK_ALLOW: 'KC301,KC101' }, 0, /warning \[KC101\]: /],
  [
    "the caller's Node.js and PATH do no harm",
    runtime,
    { PATH: '', NODE_PATH: '/nowhere', NODE_EXTRA_CA_CERTS: '/nowhere' },
    10,
    /stopped dnf/,
  ],
];

for (const form of forms) {
  for (const [rule, packages, env, status, said] of cases) {
    test(
      `${form.name}: ${rule}`,
      () => {
        const outcome = kataCheck(form, ['hook', 'dnf'], { input: document(packages), env });
        assert.match(outcome.stderr, said);
        assert.is(outcome.stdout, '');
        assert.is(outcome.status, status);
      },
      form,
    );
  }

  test(
    `${form.name}: the packages' own files are read where dnf tells nothing of them`,
    () => {
      const path = (name: string, provides: readonly string[]): Row => ({
        path: makeRpm(folder, { name, version: '1.1.0', provides }),
      });
      const alone = upgrade('kata-runtime', path('kata-runtime', requires));
      const both = [
        ...alone,
        ...upgrade('kata-containers-image', path('kata-containers-image', ['kata-agent = 1.1.0'])),
      ];
      assert.is(kataCheck(form, ['hook', 'dnf'], { input: document(alone) }).status, 10);
      assert.equal(kataCheck(form, ['hook', 'dnf'], { input: document(both) }), { status: 0, stdout: '', stderr: '' });
    },
    { needs: [...form.needs, 'rpmbuild'] },
  );

  test(
    `${form.name}: what goes wrong is no block`,
    () => {
      const hook = (input: string) => kataCheck(form, ['hook', 'dnf'], { input });
      assert.is(hook('').status, 1);
      assert.is(hook('{"installroot": "/", "packages": [').status, 1);
      const { status, stderr } = hook(document([{ ...runtime[0], action: 'EXPLODE' }]));
      assert.match(stderr, /packages\[0\]\.action is none that is known: EXPLODE/);
      assert.is(status, 1);
      assert.is(kataCheck(form, ['hook', 'dnf', 'x']).status, 2);
      assert.is(kataCheckInShell(form, '"$@" hook dnf <&-').status, 1, 'no standard input');
    },
    form,
  );

  const gone: readonly [rule: string, version: string, status: number, said: RegExp][] = [
    ['the history stops what it proves', '1.1.0', 10, /stopped dnf \[KC103\]: /],
    ['the history lets go on what fits', '1.0.7', 0, /^(?!.*\[KC)/s],
    ['a version that no history knows is a doubt', '9.0.0', 0, /warning \[KC104\]: /],
  ];
  for (const [rule, version, status, said] of gone) {
    test(
      `${form.name}: a package that cannot be read is judged by its version: ${rule}`,
      () => {
        const path = join(folder, 'gone.rpm');
        const steps = [
          row('UPGRADE', 'kata-runtime', `${version}-1`, { path }),
          row('UPGRADED', 'kata-runtime', '1.0.0-1'),
        ];
        const outcome = kataCheck(form, ['hook', 'dnf'], { input: document(steps) });
        assert.match(outcome.stderr, /cannot be read.*gone\.rpm/);
        assert.match(outcome.stderr, said);
        assert.is(outcome.status, status, outcome.stderr);
      },
      form,
    );
  }

  test(
    `${form.name}: a root that is still to be made holds nothing of Kata`,
    () => {
      const outcome = kataCheck(form, ['hook', 'dnf'], { input: document(runtime, join(folder, 'to-be-made')) });
      assert.equal(outcome, { status: 0, stdout: '', stderr: '' });
      assert.equal(kataCheck(form, ['hook', 'dnf'], { input: document(runtime, folder) }), outcome);
    },
    form,
  );

  test(
    `${form.name}: descriptors that are closed or full do not change the verdict`,
    () => {
      const script = 'printf %s "$INPUT" | "$@" hook dnf';
      for (const closed of ['2>&-', '>&-', '2>/dev/full', '2> >(exec true)']) {
        assert.is(kataCheckInShell(form, `${script} ${closed}`, { INPUT: document(runtime) }).status, 10, closed);
      }
    },
    form,
  );
}
