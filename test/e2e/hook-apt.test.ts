import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { aptInput, forms, kataCheck, kataCheckInShell, type Step, sampleNode, samplePackages } from './program.ts';

const test = suite('kata-check hook apt');
const folder = temporaryFolder();

const upgrade = (name: string): Step => ({
  name,
  old: '1.0.0-1',
  next: '1.1.0-1',
  what: `${samplePackages}/${name}_1.1.0-1_all.deb`,
});
const configure = (step: Step): Step => ({ ...step, what: '**CONFIGURE**' });
const remove = (name: string): Step => ({ name, old: '1.0.0-1', next: null, what: '**REMOVE**' });
const runtime = upgrade('kata-runtime');
const image = upgrade('kata-containers-image');
const unrelated: Step = { name: 'vim', old: '9.0', next: '9.1', what: '/var/cache/apt/archives/vim_9.1_amd64.deb' };

const cases: readonly [
  rule: string,
  steps: readonly Step[],
  options: readonly string[],
  status: number,
  said: RegExp,
][] = [
  ['the runtime alone is stopped', [runtime, configure(runtime)], [], 10, /stopped apt \[KC101\]: /],
  ['runtime and image together pass, silently', [image, runtime, configure(image), configure(runtime)], [], 0, /^$/],
  ['so they do in the other order', [runtime, image], [], 0, /^$/],
  ['the image alone passes: by the history the installed runtime works with it', [image], [], 0, /^$/],
  ['CONFIGURE alone never stops a repair', [configure(runtime)], [], 0, /^$/],
  ['a reinstallation changes nothing', [{ ...runtime, old: '1.1.0-1' }], [], 0, /^$/],
  ["removing both is nobody else's matter", [remove('kata-runtime'), remove('kata-containers-image')], [], 0, /^$/],
  ['removing the runtime is silent', [remove('kata-runtime')], [], 0, /^$/],
  ['removing the image below the runtime is said', [remove('kata-containers-image')], [], 0, /warning \[KC302\]: /],
  ['something else is silent', [unrelated], [], 0, /^$/],
  ['Mode=warn passes with the warning', [runtime], ['KataCheck::Mode=warn'], 0, /warning \[KC101\]: /],
  ['Mode=off does nothing', [runtime], ['KataCheck::Mode=off'], 0, /^$/],
  ['Allow passes with the warning', [runtime], ['KataCheck::Allow=KC301,KC101'], 0, /warning \[KC101\]: /],
  [
    'a wrong Mode is said, and the block stays',
    [runtime],
    ['KataCheck::Mode=of'],
    10,
    /the mode is block, warn or off, not of/,
  ],
];

for (const form of forms) {
  for (const [rule, steps, options, status, said] of cases) {
    test(
      `${form.name}: ${rule}`,
      () => {
        const secret = 'Acquire::http::Proxy=http://user:hunter2@proxy';
        const outcome = kataCheck(form, ['hook', 'apt'], {
          input: aptInput(steps, [secret, ...options]),
          env: { APT_HOOK_INFO_FD: '0' },
        });
        assert.match(outcome.stderr, said);
        assert.not.match(outcome.stderr, /hunter2/);
        assert.is(outcome.stdout, '');
        assert.is(outcome.status, status);
      },
      form,
    );
  }

  test(
    `${form.name}: the image alone is judged against the installed runtime`,
    () => {
      // Its runtime is newer than the image that comes, and makes calls since 1.3.0 that the agent has since 1.2.0 and 1.3.0.
      const node = join(folder, `newer-${form.name}`);
      cpSync(sampleNode, node, { recursive: true });
      const status = join(node, 'var/lib/dpkg/status');
      const known = readFileSync(status, 'utf8').split(/\n\n/);
      const changed = known.map((part) =>
        part.includes('Package: kata-runtime\n') ? part.replace(/^Version: .*$/m, 'Version: 1.3.0-1') : part,
      );
      writeFileSync(status, changed.join('\n\n'));
      const env = { APT_HOOK_INFO_FD: '0' };
      const { stderr, status: code } = kataCheck(form, ['hook', 'apt'], { input: aptInput([image], [], node), env });
      assert.match(stderr, /stopped apt \[KC103\]: the guest image does not fit the installed Kata runtime/);
      for (const call of ['GetGuestDetails', 'ListInterfaces']) assert.match(stderr, new RegExp(`missing +${call} `));
      assert.not.match(stderr, /PauseContainer/, 'which the incoming agent 1.1.0 has');
      assert.is(code, 10);
    },
    form,
  );

  test(
    `${form.name}: the removal of the package that owns the last of many paths of [images] is told`,
    () => {
      const node = join(folder, `images-${form.name}`);
      cpSync(sampleNode, node, { recursive: true });
      const paths = Array.from({ length: 200 }, (_, index) => `/srv/${index}.raw`);
      const lines = paths.map((path) => `path[] = ${path}\n`).join('');
      const status = readFileSync(join(node, 'var/lib/dpkg/status'), 'utf8').trimEnd();
      const vendor = 'Package: vendor\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n';
      writeTree(node, {
        '/etc/kata-check.conf': `[images]\n${lines}`,
        '/var/lib/dpkg/status': `${status}\n\n${vendor}`,
        '/var/lib/dpkg/info/vendor.list': `/.\n${paths.at(-1)}\n`,
        [paths.at(-1) ?? '']: readFileSync(join(node, 'usr/share/kata-containers/kata-containers.img')),
      });
      const steps = [{ name: 'vendor', old: '1', next: null, what: '**REMOVE**' }];
      const env = { APT_HOOK_INFO_FD: '0' };
      const { stderr } = kataCheck(form, ['hook', 'apt'], { input: aptInput(steps, [], node), env });
      assert.match(stderr, /\[KC302\].*\/srv\/199\.raw/s);
    },
    form,
  );

  const input = join(folder, 'input');
  test(
    `${form.name}: descriptor 20, whatever has become of the others`,
    () => {
      writeFileSync(input, aptInput([runtime]));
      const env = { APT_HOOK_INFO_FD: '20' };
      const script = '"$@" hook apt 20<"$INPUT"';
      assert.is(kataCheckInShell(form, script, { ...env, INPUT: input }).status, 10);
      for (const closed of ['2>&-', '>&-', '2>/dev/full', '</dev/null', '2> >(exec true)']) {
        assert.is(kataCheckInShell(form, `${script} ${closed}`, { ...env, INPUT: input }).status, 10, closed);
      }
      assert.is(
        kataCheckInShell(form, `cat "$INPUT" | "$@" hook apt`, { APT_HOOK_INFO_FD: '0', INPUT: input }).status,
        10,
      );
    },
    form,
  );

  test(
    `${form.name}: where the image is on hold, the fix releases both or holds both`,
    () => {
      const root = join(temporaryFolder(), 'held');
      cpSync(sampleNode, root, { recursive: true });
      const status = join(root, 'var/lib/dpkg/status');
      const held = readFileSync(status, 'utf8').replace(/(image\nStatus: )install/, '$1hold');
      writeFileSync(status, held);
      const { stderr } = kataCheck(form, ['hook', 'apt'], {
        input: aptInput([runtime], [], root),
        env: { APT_HOOK_INFO_FD: '0' },
      });
      assert.match(stderr, /kata-containers-image is on hold\./);
      for (const command of [
        'apt-mark unhold kata-containers-image',
        'apt-get install kata-runtime kata-containers-image',
        'apt-mark hold kata-runtime',
      ])
        assert.match(stderr, new RegExp(`^ {14}${command}$`, 'm'));
    },
    form,
  );

  test(
    `${form.name}: the other packages of a stopped run, and how they go on`,
    () => {
      const { stderr } = kataCheck(form, ['hook', 'apt'], {
        input: aptInput([runtime, unrelated, configure(unrelated)]),
        env: { APT_HOOK_INFO_FD: '0' },
      });
      assert.match(stderr, /^Nothing was changed\. 1 other package waits\. Hold kata-runtime/m);
      assert.match(stderr, /^ {4}apt-mark hold kata-runtime$/m);
    },
    form,
  );

  test(
    `${form.name}: the command line that was stopped is printed to go on with, once with the override and once for the rest`,
    () => {
      const apt = join(folder, 'apt-get');
      writeFileSync(apt, '#!/bin/sh\nsh -c \'"$@" hook apt\' sh "$KC1" $KC2\ntrue\n', { mode: 0o755 });
      const [first, second = ''] = form.argv;
      writeFileSync(input, aptInput([runtime, unrelated]));
      const { stderr } = kataCheckInShell(form, `"${apt}" -y dist-upgrade < "$INPUT"`, {
        APT_HOOK_INFO_FD: '0',
        INPUT: input,
        KC1: first,
        KC2: second,
      });
      assert.match(stderr, /^ {2}override {4}apt-get -o KataCheck::Allow=KC101 -y dist-upgrade$/m);
      assert.match(stderr, /^ {4}apt-mark hold kata-runtime\n {4}apt-get -y dist-upgrade$/m);
    },
    { needs: [...form.needs, '/proc/self/stat'] },
  );

  test(
    `${form.name}: what goes wrong is no block`,
    () => {
      const hook = (text: string, fd = '0') =>
        kataCheck(form, ['hook', 'apt'], { input: text, env: { APT_HOOK_INFO_FD: fd } });
      assert.is(hook('').status, 0, 'version 1 of the protocol for removals');
      assert.is(hook('VERSION 3\nKey=value\n\ngarbage\n').status, 1);
      assert.is(hook('VERSION 9\n\n').status, 1);
      const closed = { status: 1, stdout: '', stderr: 'kata-check: descriptor 77: bad file descriptor\n' };
      assert.equal(hook('', '77'), closed, 'at once, not at the deadline');
      assert.is(hook('', 'x').status, 2);
    },
    form,
  );

  const gone: readonly [rule: string, next: string, status: number, said: RegExp][] = [
    ['the history stops what it proves', '1.1.0-1', 10, /stopped apt \[KC103\]: /],
    ['the history lets go on what fits', '1.0.7-1', 0, /^(?!.*\[KC)/s],
    ['a version that no history knows is a doubt', '9.0.0-1', 0, /warning \[KC104\]: /],
  ];
  for (const [rule, next, status, said] of gone) {
    test(
      `${form.name}: a package that cannot be read is judged by its version: ${rule}`,
      () => {
        const what = `/nowhere/kata-runtime_${next}_all.deb`;
        const outcome = kataCheck(form, ['hook', 'apt'], {
          input: aptInput([{ ...runtime, next, what }]),
          env: { APT_HOOK_INFO_FD: '0' },
        });
        assert.match(outcome.stderr, /the incoming package cannot be read: \/nowhere\//);
        assert.match(outcome.stderr, said);
        assert.is(outcome.status, status, outcome.stderr);
      },
      form,
    );
  }

  test(
    `${form.name}: a byte that is no UTF-8 does not switch the hook off`,
    () => {
      writeFileSync(input, Buffer.from(aptInput([runtime], ['Dir::Log=caf\u00e9']), 'latin1'));
      const { status } = kataCheckInShell(form, '"$@" hook apt 20<"$INPUT"', { APT_HOOK_INFO_FD: '20', INPUT: input });
      assert.is(status, 10);
    },
    form,
  );

  test(
    `${form.name}: version 1 and 2 of the protocol`,
    () => {
      const version2 = `VERSION 2\nDPkg::Options::=--root=${sampleNode}\n\nkata-runtime 1.0.0-1 < 1.1.0-1 ${runtime.what}\n`;
      const env = { APT_HOOK_INFO_FD: '0' };
      assert.is(kataCheck(form, ['hook', 'apt'], { input: version2, env }).status, 10);
      // Version 1 names no root: on this machine's own root nothing of Kata is installed, or is it?
      const version1 = kataCheck(form, ['hook', 'apt'], { input: `${runtime.what}\n`, env });
      assert.ok(version1.status === 0 || version1.status === 10);
    },
    form,
  );
}

for (const form of forms) {
  test(
    `${form.name}: switched off, it says so when it is asked to`,
    () => {
      const input = aptInput([runtime], ['KataCheck::Mode=off']);
      const byOption = kataCheck(form, ['hook', 'apt', '--verbose'], { input });
      assert.equal(
        [byOption.status, byOption.stderr],
        [0, 'kata-check: does nothing: mode = off  (the options of apt)\n'],
      );
      const env = { KATA_CHECK_MODE: 'off' };
      const byEnvironment = kataCheck(form, ['hook', 'apt', '--verbose'], { input, env });
      assert.equal(
        [byEnvironment.status, byEnvironment.stderr],
        [0, 'kata-check: does nothing: mode = off  (the environment)\n'],
      );
    },
    { needs: form.needs },
  );
}
