/** The packages of packaging/examples, built by dpkg and rpm, and what kata-check, dpkg and rpm make of them. */

import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { forms, kataCheck } from '../e2e/program.ts';
import { guestTree, makeExt, run, temporaryFolder, writeTree } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';

const test = suite('examples for packagers');
const top = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
const needs = {
  deb: ['mkfs.ext4', 'make', 'dpkg-gencontrol', 'dpkg-deb', 'dpkg'],
  rpm: ['mkfs.ext4', 'rpmbuild', 'rpm', 'rpm2cpio'],
} as const;
const kinds = ['deb', 'rpm'] as const;
type Kind = (typeof kinds)[number];

function image(agent: string): string {
  const tree = writeTree(temporaryFolder(), guestTree(agent));
  return makeExt(join(folder, `${agent}.img`), tree, '2M');
}

const built = new Map<Kind, Readonly<Record<string, string>>>();

/** The two packages by their names, with an image whose agent is what its package says. */
function examples(kind: Kind): Readonly<Record<string, string>> {
  const known = built.get(kind);
  if (known !== undefined) return known;
  const target = join(folder, kind);
  run(join(top, 'packaging/examples/build'), kind, image('3.5.0'), target);
  const made = Object.fromEntries(
    readdirSync(target).map((name) => [name.replace(/[_-]3\.5\.0.*$/, ''), join(target, name)]),
  );
  assert.equal(Object.keys(made).sort(), ['kata-containers-image', 'kata-runtime']);
  built.set(kind, made);
  return made;
}

for (const form of forms) {
  for (const kind of kinds) {
    test(
      `${form.name}: ${kind}: both declare, and fit each other on a node where nothing is`,
      () => {
        const root = temporaryFolder();
        const { status, stdout, stderr } = kataCheck(form, [
          '--root',
          root,
          '--strict',
          '--json',
          ...Object.values(examples(kind)),
        ]);
        assert.is(status, 0, stdout + stderr);
        const { runtime, requirement, images, findings } = JSON.parse(stdout);
        assert.equal([runtime.incoming.version, requirement.range], ['3.5.0', '>=3.5.0-alpha0 <3.6.0-alpha0']);
        assert.match(requirement.source, kind === 'deb' ? /Kata-Agent-Requires/ : /kata-agent-requires/);
        assert.is(images.length, 1);
        assert.equal([images[0].agent.version, images[0].agent.source], ['3.5.0', 'package']);
        assert.equal(findings, []);
      },
      { needs: [...needs[kind], ...form.needs] },
    );
  }

  test(
    `${form.name}: the runtime with the image of another release is stopped, stated or read`,
    () => {
      const { 'kata-runtime': runtime = '' } = examples('deb');
      const content = readFileSync(image('3.4.0'));
      const files = { '/usr/share/kata-containers/kata-containers.img': content };
      const name = 'kata-containers-image';
      const stated = makeDeb(folder, { name, version: '3.4.0-1', fields: { 'Kata-Agent-Version': '3.4.0' }, files });
      const silent = makeDeb(folder, { name, version: '3.4.0-2', files });
      for (const other of [stated, silent]) {
        const { status, stdout } = kataCheck(form, ['--root', temporaryFolder(), runtime, other]);
        assert.is(status, 10, stdout);
        assert.match(stdout, /KC101/);
      }
      const pipeline = ['--to', '3.5.0', '--requires', '>=3.5.0-alpha0 <3.6.0-alpha0', '--strict', '--image'];
      assert.is(kataCheck(form, ['--root', '/', ...pipeline, image('3.4.0')]).status, 10);
      assert.is(kataCheck(form, ['--root', '/', ...pipeline, image('3.5.0')]).status, 0);
    },
    { needs: [...needs.deb, 'gzip', ...form.needs] },
  );
}

test(
  'deb: dpkg refuses either alone before it is unpacked',
  () => {
    const root = temporaryFolder();
    writeTree(root, { 'var/lib/dpkg/status': '', 'var/lib/dpkg/info/format': '1\n', 'var/lib/dpkg/updates/.keep': '' });
    run('rm', join(root, 'var/lib/dpkg/updates/.keep'));
    const dpkg = (...paths: readonly string[]): { readonly status: number | null; readonly stderr: string } =>
      spawnSync(
        'dpkg',
        [`--root=${root}`, '--force-script-chrootless', '--force-not-root', '--force-bad-path', '-i', ...paths],
        {
          encoding: 'utf8',
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
        },
      );
    const first = dpkg(...Object.values(examples('deb')));
    assert.is(first.status, 0, first.stderr);
    for (const [name, other] of [
      ['kata-runtime', 'kata-containers-image'],
      ['kata-containers-image', 'kata-runtime'],
    ] as const) {
      const newer = makeDeb(folder, { name, version: '3.6.0-1', fields: { Breaks: `${other} (<< 3.6.0~)` } });
      const { status, stderr } = dpkg(newer);
      assert.is(status, 1);
      assert.match(stderr, new RegExp(`(?:${name}|${other}).* breaks (?:${name}|${other})`));
      assert.match(run('dpkg-query', `--admindir=${root}/var/lib/dpkg`, '-W', name), /\t3\.5\.0-1\n$/);
    }
  },
  { needs: [...needs.deb, 'gzip', 'root'] },
);

test(
  'rpm: either alone is refused, and both go in',
  () => {
    const root = temporaryFolder();
    const rpm = (...paths: readonly string[]): { readonly status: number | null; readonly stderr: string } =>
      spawnSync(
        'rpm',
        [
          '--root',
          root,
          '-U',
          '--justdb',
          '--nodeps'.replace('--nodeps', '--ignoreos'),
          '--nosignature',
          '--noscripts',
          ...paths,
        ],
        {
          encoding: 'utf8',
          env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
        },
      );
    // Nothing of a shell is in this root.
    makeRpmInto(root, 'sh', ['/bin/sh']);
    const first = rpm(...Object.values(examples('rpm')));
    assert.is(first.status, 0, first.stderr);
    const runtime = makeRpm(folder, {
      name: 'kata-runtime',
      version: '3.6.0',
      provides: ['kata-agent-requires(min) = 3.6.0~alpha0'],
    });
    const guest = makeRpm(folder, {
      name: 'kata-containers-image',
      version: '3.6.0',
      provides: ['kata-agent = 3.6.0'],
    });
    for (const alone of [runtime, guest]) {
      const { status, stderr } = rpm(alone);
      assert.is.not(status, 0);
      assert.match(stderr, /kata-agent.* conflicts with/);
    }
    assert.is(rpm(runtime, guest).status, 0);
  },
  { needs: [...needs.rpm, 'root'] },
);

function makeRpmInto(root: string, name: string, provides: readonly string[]): void {
  run('rpm', '--root', root, '-U', '--justdb', '--nosignature', makeRpm(folder, { name, version: '1', provides }));
}

const line = readFileSync(join(top, 'hooks/preinst'), 'utf8')
  .split('\n')
  .find((text) => text.startsWith('if '));

test('the preinst of the examples are the one line of hooks/preinst', () => {
  const folderOfDebian = join(top, 'packaging/examples/deb/debian');
  const scripts = readdirSync(folderOfDebian).filter((name) => name.endsWith('.preinst'));
  assert.is(scripts.length, 2);
  for (const name of scripts) {
    const lines = readFileSync(join(folderOfDebian, name), 'utf8').split('\n');
    assert.equal(
      lines.filter((text) => !/^(?:#.*)?$/.test(text)),
      ['set -e', line],
    );
  }
});

test("adversary F2: nothing that a package's script runs as root is looked up along the caller's PATH", () => {
  const files = ['hooks/preinst', 'hooks/rpm/macros.kata-check', 'packaging/deb/kata-check.postinst'];
  for (const file of files) {
    const text = readFileSync(join(top, file), 'utf8').replace(/^#.*$/gm, '');
    assert.not.match(text, /(?:^|[\s;&|])kata-check hook/, file);
    assert.match(text, /\/usr\/bin\/kata-check hook/, file);
  }
});

/** A program called kata-check that ends so, or none. */
function programs(status: number | string | null): string {
  const path = temporaryFolder();
  if (status === null) return path;
  const end = typeof status === 'number' ? `exit ${status}` : `kill -s ${status} $$`;
  writeTree(path, { 'kata-check': `#!/bin/sh\necho "$*"\n${end}\n` });
  chmodSync(join(path, 'kata-check'), 0o755);
  return path;
}

const statuses: readonly [rule: string, status: number | string | null, preinst: number][] = [
  ['it is not installed', null, 0],
  ['it fits', 0, 0],
  ['it fails itself', 1, 0],
  ['it is used wrongly', 2, 0],
  ['a mismatch', 10, 1],
  ['not to be determined, and to be stopped then', 11, 1],
  ['it is interrupted', 130, 0],
  ['it dies of a signal', 'SEGV', 0],
];

for (const [rule, status, preinst] of statuses) {
  test(`the one line of a preinst: ${rule}`, () => {
    const script = readFileSync(join(top, 'hooks/preinst'), 'utf8');
    const moved = script.replaceAll('/usr/bin/kata-check', `${programs(status)}/kata-check`);
    const result = spawnSync('/bin/sh', ['-c', moved, 'preinst', 'upgrade', '1:3.4.0-1', '3.5.0-1'], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });
    assert.is(result.status, preinst, result.stderr);
    assert.is(result.stdout, status === null ? '' : 'hook preinst upgrade 1:3.4.0-1 3.5.0-1\n');
  });

  test(
    `the one line of a %pre never fails: ${rule}`,
    () => {
      const macros = `--macros=${join(top, 'hooks/rpm/macros.kata-check')}`;
      const defines = ['name kata', 'version 3.5.0', 'release 1', 'epoch 1'].flatMap((text) => ['--define', text]);
      const script = run(
        'rpm',
        macros,
        ...defines,
        '--eval',
        '%kata_check_pre',
        '--eval',
        '%kata_check_pre kata-image',
      );
      const moved = script.replaceAll('/usr/bin/kata-check', `${programs(status)}/kata-check`);
      const env = { PATH: '/usr/bin:/bin' };
      const result = spawnSync('/bin/sh', ['-e', '-c', moved, 'sh', '2'], { encoding: 'utf8', env });
      assert.is(result.status, 0, result.stderr);
      const told = ['kata', 'kata-image'].map((name) => `hook rpm prein ${name} 1:3.5.0-1\n`).join('');
      assert.is(result.stdout, status === null ? '' : told);
    },
    { needs: ['rpm'] },
  );
}

test(
  'rpm macros: a bound that is not given is none, and one at the least is needed',
  () => {
    const evaluated = (text: string): string =>
      run('rpm', `--macros=${join(top, 'hooks/rpm/macros.kata-check')}`, '--eval', text).trim();
    assert.equal(evaluated('%kata_check_requires 3.5.0').split('\n'), [
      'Provides: kata-agent-requires(min) = 3.5.0',
      'Conflicts: kata-agent < 3.5.0',
    ]);
    for (const macro of ['%kata_check_requires', '%kata_check_agent']) assert.throws(() => evaluated(macro));
  },
  { needs: ['rpm'] },
);
