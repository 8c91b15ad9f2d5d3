/** What real programs of Go and Rust say of themselves, in both forms of the program: on a node below another root, and in a package. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeExt, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import {
  agentProto,
  compressed,
  descriptorsOf,
  elf,
  goProgram,
  hostileDescriptors,
  lastingCalls,
  protoFilesOf,
  rustProgram,
  rustRuntime,
} from '../programs.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('evidence out of real programs');
const needs = ['protoc', 'go', 'rustc', 'mkfs.ext4'];
const commit = '0123456789abcdef0123456789abcdef01234567';
const imagePath = '/usr/share/kata-containers/kata-containers.img';
const shim = '/opt/kata/bin/containerd-shim-kata-v2';
const rustShim = '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2';
const pausing = ['PauseContainer', 'ResumeContainer'];
/** With ListProcesses those of 1.1. */
const unnamedCalls = [...lastingCalls.slice(3), 'AddInterface', 'RemoveInterface', ...pausing];

const made = new Map<string, string>();
function once(key: string, make: () => string): string {
  const path = made.get(key) ?? make();
  made.set(key, path);
  return path;
}

/** The calls of 1.x are known by one that went later. */
const early = (version: string): string[] => (version.startsWith('1.') ? ['ListProcesses'] : []);

/** A Go runtime of this version that makes these calls beside the usual ones. */
function runtime(version: string, calls: readonly string[], fields: readonly string[] = []): Buffer {
  const key = `go ${version} ${calls} ${fields}`;
  const descriptors = (): Buffer[] =>
    descriptorsOf(protoFilesOf(agentProto([...early(version), ...calls], fields))).map(compressed);
  return readFileSync(once(key, () => goProgram({ version, descriptors: descriptors() })));
}

function agent(version: string, calls: readonly string[], fields: readonly string[] = []): Buffer {
  const key = `rust ${version} ${calls} ${fields}`;
  const descriptors = (): Buffer[] => descriptorsOf(protoFilesOf(agentProto([...early(version), ...calls], fields)));
  return readFileSync(once(key, () => rustProgram(version, commit, descriptors())));
}

function rust(version: string): Buffer {
  return readFileSync(once(`runtime-rs ${version}`, () => rustRuntime(version, commit)));
}

/** A guest image with this agent in it, and what osbuilder wrote of it. */
function image(stated: string, binary: Buffer, form: 'disk' | 'initrd' = 'disk'): Buffer {
  const folder = temporaryFolder();
  const tree = writeTree(join(folder, 'tree'), { ...guestTree(stated), 'usr/bin/kata-agent': binary });
  const file = join(folder, 'image');
  if (form === 'disk') makeExt(file, tree, '24M');
  else run('sh', '-c', `cd ${tree} && find . | cpio --quiet -o -H newc | gzip -1 > ${file}`);
  return readFileSync(file);
}

function node(tree: Tree): string {
  const toml = `[hypervisor.qemu]\nimage = "${imagePath}"\n`;
  return writeTree(temporaryFolder(), { '/etc/kata-containers/configuration.toml': toml, ...tree });
}

interface Document {
  readonly findings: readonly { readonly code: string; readonly severity: string; readonly detail: string }[];
}

function findings(stdout: string): string[] {
  return (JSON.parse(stdout) as Document).findings.map(({ code, severity }) => `${code} ${severity}`);
}

/** Field 3 of LinuxSeccomp and of LinuxSyscall is another thing since 2.1. */
const seccomp = (flags: string, syscall: string): string[] => [
  `message LinuxSeccomp { string default_action = 1; repeated string architectures = 2; ${flags} }`,
  `message LinuxSyscall { repeated string names = 1; string action = 2; ${syscall} }`,
  'message LinuxArg { uint64 index = 1; }',
  'LinuxSeccomp seccomp = 9;',
];
const before21 = seccomp('repeated LinuxSyscall syscalls = 3;', 'repeated LinuxArg args = 3;');
const since21 = seccomp(
  'repeated string flags = 3; repeated LinuxSyscall syscalls = 4;',
  'uint32 errno_ret = 3; repeated LinuxArg args = 4;',
);
const of16 = [...pausing, 'CopyFile'];
const of312 = [...pausing, 'CopyFile', 'SetPolicy'];

/** Two programs and nothing else: no release number and no table takes part. */
const alone: readonly [
  rule: string,
  programs: () => readonly Buffer[],
  status: number,
  missing: readonly string[],
  breaks: readonly string[],
][] = [
  ['the founding pair', () => [runtime('1.1.0', pausing), agent('1.0.0', [])], 10, pausing, []],
  ['the same the other way round', () => [runtime('1.0.0', []), agent('1.1.0', pausing)], 0, [], []],
  [
    'the seccomp change of 2.1',
    () => [runtime('2.1.0', [], since21), agent('2.0.0', [], before21)],
    10,
    [],
    ['LinuxSeccomp.3', 'LinuxSyscall.3'],
  ],
  [
    'and in the other direction',
    () => [runtime('2.0.0', [], before21), agent('2.1.0', [], since21)],
    10,
    [],
    ['LinuxSeccomp.3', 'LinuxSyscall.3'],
  ],
  ['runtime 1.6.0 with agent 1.5.0', () => [runtime('1.6.0', of16), agent('1.5.0', of16)], 0, [], []],
  ['runtime 3.13.0 with agent 3.12.0', () => [runtime('3.13.0', of312), agent('3.12.0', of312)], 0, [], []],
];

type Row = readonly [rule: string, tree: () => Tree, status: number, expected: readonly string[]];

const rows: readonly Row[] = [
  [
    'the version of a runtime is read out of it, where nothing may be run and no file names it',
    () => ({ [shim]: runtime('3.29.0', []), [imagePath]: image('3.29.0', agent('3.29.0', [])) }),
    0,
    [],
  ],
  [
    'likewise of a runtime in Rust',
    () => ({ [rustShim]: rust('3.20.0'), [imagePath]: image('3.20.0', agent('3.20.0', [])) }),
    0,
    [],
  ],
  [
    'and it is judged by that',
    () => ({ [rustShim]: rust('3.20.0'), [imagePath]: image('2.0.0', agent('2.0.0', [])) }),
    10,
    ['KC102 block'],
  ],
  [
    'a development build that says the version of the agent, and makes calls that the agent does not have',
    () => ({ [shim]: runtime('1.0.0', pausing), [imagePath]: image('1.0.0', agent('1.0.0', [])) }),
    10,
    ['KC103 block'],
  ],
  [
    'a runtime that names no version is judged between two releases',
    () => ({
      [shim]: runtime('1.x', unnamedCalls),
      [imagePath]: image('2.0.0', agent('2.0.0', [...unnamedCalls, 'ListProcesses'])),
    }),
    10,
    ['KC102 block'],
  ],
  [
    'it wins over a file beside it that is older',
    () => ({
      [shim]: runtime('3.29.0', []),
      '/opt/kata/VERSION': '3.20.0\n',
      [imagePath]: image('3.29.0', agent('3.29.0', [])),
    }),
    0,
    [],
  ],
  [
    'such a file alone is a doubt, though it would fit',
    () => ({
      [shim]: '#!/bin/sh\n',
      '/opt/kata/VERSION': '3.29.0\n',
      [imagePath]: image('3.29.0', agent('3.29.0', [])),
    }),
    0,
    ['KC204 warn'],
  ],
  [
    'a development build makes calls that the agent of the same version does not have',
    () => ({ [shim]: runtime('4.1.0', pausing), [imagePath]: image('4.1.0', agent('4.1.0', [])) }),
    10,
    ['KC103 block'],
  ],
  [
    'likewise with the agent in a compressed initrd',
    () => ({ [shim]: runtime('4.1.0', pausing), [imagePath]: image('4.1.0', agent('4.1.0', []), 'initrd') }),
    10,
    ['KC103 block'],
  ],
  [
    'they read a field in different ways',
    () => ({
      [shim]: runtime('4.1.0', [], ['string mode = 9;']),
      [imagePath]: image('4.1.0', agent('4.1.0', [], ['Empty mode = 9;'])),
    }),
    10,
    ['KC102 block'],
  ],
  [
    'an agent that has all calls clears what its release would lack',
    () => ({ [shim]: runtime('1.1.0', pausing), [imagePath]: image('1.0.0', agent('1.0.0', pausing)) }),
    0,
    ['KC103 warn'],
  ],
];

for (const form of forms) {
  for (const [rule, tree, status, expected] of rows) {
    test(
      `${form.name}: ${rule}`,
      () => {
        const outcome = kataCheck(form, ['--root', node(tree()), '--json']);
        assert.equal(findings(outcome.stdout), expected);
        assert.is(outcome.status, status);
      },
      { needs: [...needs, ...form.needs] },
    );
  }

  for (const [rule, programs, status, missing, breaks] of alone) {
    test(
      `${form.name}: two programs alone: ${rule}`,
      () => {
        const folder = temporaryFolder();
        const files = programs().map((bytes, index) => {
          writeFileSync(join(folder, `${index}`), bytes);
          return join(folder, `${index}`);
        });
        const outcome = kataCheck(form, ['protocol', ...files, '--json']);
        const { evidence } = JSON.parse(outcome.stdout);
        const fields = evidence.breaks.map(({ field }: { field: string }) => field);
        assert.equal([outcome.status, evidence.missing, fields], [status, missing, breaks]);
      },
      { needs: [...needs, ...form.needs] },
    );
  }

  for (const [rule, make] of hostileDescriptors) {
    test(
      `${form.name}: hostile, alone, in a package and in an image: ${rule}: nothing is believed, and the version is told`,
      () => {
        const program = Buffer.concat([elf({ texts: ['3.29.0'] }), make(descriptorsOf(protoFilesOf(agentProto())))]);
        const folder = temporaryFolder();
        const file = join(folder, 'program');
        writeFileSync(file, program);
        const deb = makeDeb(folder, {
          name: 'kata-runtime',
          version: '3.29.0.azl1',
          files: { 'usr/bin/kata-runtime': program },
        });
        const guest = join(folder, 'guest.img');
        const tree = writeTree(join(folder, 'tree'), { ...guestTree('3.29.0'), 'usr/bin/kata-agent': program });
        makeExt(guest, tree, '64M');
        for (const [path, version] of [
          [file, '3.29.0'],
          [deb, '3.29.0.azl1'],
          [guest, '3.29.0'],
        ]) {
          const { status, stdout } = kataCheck(form, ['protocol', path as string, '--json']);
          const [said] = JSON.parse(stdout).programs;
          assert.equal([status, said.version, said.description, said.problem], [11, version, null, null], path);
        }
      },
      { needs: [...needs, ...form.needs, 'dpkg-deb'], timeout: 60, isLong: true },
    );
  }

  const vendors: readonly [
    rule: string,
    needs: readonly string[],
    make: (folder: string, version: string, files: Tree) => string,
  ][] = [
    [
      'deb',
      ['dpkg-deb', 'dpkg-query'],
      (folder, version, files) => makeDeb(folder, { name: 'kata-runtime', version, files }),
    ],
    [
      'rpm',
      ['rpmbuild', 'rpm2cpio', 'rpm'],
      (folder, version, files) => makeRpm(folder, { name: 'kata-runtime', version, files }),
    ],
  ];
  for (const [rule, more, make] of vendors) {
    test(
      `${form.name}: ${rule}: of a vendor's package that comes, the program's own word counts`,
      () => {
        const root = node({ [imagePath]: image('2.0.0', agent('2.0.0', [])), '/var/lib/dpkg/status': '' });
        // Before 2.0 they speak another transport: the package says so, and neither program does.
        for (const [program, said] of [
          [runtime('2.0.0', []), '2.0.0'],
          [rust('3.0.0'), '3.0.0'],
        ] as const) {
          const what = make(temporaryFolder(), '1.5.0.azl3', { 'usr/bin/kata-runtime': program });
          const { stdout } = kataCheck(form, ['--root', root, '--json', what]);
          const { runtimes } = JSON.parse(stdout);
          assert.equal(
            runtimes.map(
              ({ version, versionSource }: { version: string; versionSource: string }) =>
                `${version} < ${versionSource}`,
            ),
            [
              `${said} < /usr/bin/kata-runtime; package kata-runtime says ${rule === 'deb' ? '1.5.0.azl3' : '1.5.0.azl3-1'}`,
            ],
          );
        }
      },
      { needs: [...needs, ...more, ...form.needs] },
    );
  }

  test(
    `${form.name}: in a tarball without VERSION, the runtime in Go says its version and its calls, and the one in Rust beside it its version`,
    () => {
      const root = node({ [imagePath]: image('4.1.0', agent('4.1.0', [])), '/var/lib/dpkg/status': '' });
      const judged = (tree: Tree): { codes: string[]; versions: string[]; status: number | null } => {
        const folder = temporaryFolder();
        const tarball = join(folder, 'kata-static.tar.gz');
        run('tar', '-czf', tarball, '-C', writeTree(join(folder, 'tree'), tree), './opt');
        const { stdout, status } = kataCheck(form, ['--root', root, '--json', tarball]);
        const { runtimes } = JSON.parse(stdout);
        const versions = runtimes.map(({ language, version }: Record<string, string>) => `${language} ${version}`);
        return { codes: findings(stdout), versions, status };
      };
      const both = judged({ [shim]: runtime('4.1.0', pausing), [rustShim]: rust('4.1.0') });
      assert.equal(both, { codes: ['KC103 block'], versions: ['go 4.1.0', 'rust 4.1.0'], status: 10 });
      assert.equal(judged({ [rustShim]: rust('4.1.0') }), { codes: [], versions: ['rust 4.1.0'], status: 0 });
    },
    { needs: [...needs, ...form.needs] },
  );

  test(
    `${form.name}: kata-check protocol of two programs, an image and a package`,
    () => {
      const folder = temporaryFolder();
      const file = (name: string, bytes: Buffer): string => {
        writeFileSync(join(folder, name), bytes);
        return join(folder, name);
      };
      const shimFile = file('runtime', runtime('4.1.0', pausing));
      const good = file('agent', agent('4.1.0', pausing));
      const guest = file('guest.img', image('4.1.0', agent('4.1.0', [])));
      const files = { 'usr/bin/kata-runtime': runtime('4.1.0', pausing) };
      const deb = makeDeb(folder, { name: 'kata-runtime', version: '4.1.0', files });
      const status = (...paths: readonly string[]): number | null => kataCheck(form, ['protocol', ...paths]).status;
      assert.is(status(shimFile), 0);
      assert.is(status(shimFile, good), 0);
      assert.is(status(shimFile, guest), 10);
      assert.is(status(deb, guest), 10);
      assert.is(status(deb, good), 0);
      assert.is(status('/bin/true'), 11);
      assert.is(status('/nowhere'), 1);
      assert.is(status(shimFile, good, guest), 2);
      const { stdout } = kataCheck(form, ['protocol', 'runtime', './guest.img', '--json'], { cwd: folder });
      assert.equal(JSON.parse(stdout).evidence, { missing: pausing, breaks: [] });
    },
    { needs: [...needs, ...form.needs, 'dpkg-deb'] },
  );

  test(
    `${form.name}: a runtime in a package that comes, and an agent in a package that comes with it`,
    () => {
      const root = node({ '/var/lib/dpkg/status': '' });
      const folder = temporaryFolder();
      const deb = (name: string, files: Tree): string => makeDeb(folder, { name, version: '4.1.0', files });
      const bringing = (calls: readonly string[]): string =>
        deb('kata-runtime', { 'usr/bin/kata-runtime': runtime('4.1.0', calls) });
      const images = deb('kata-containers-image', { [imagePath.slice(1)]: image('4.1.0', agent('4.1.0', [])) });
      const [good, bad] = [[], pausing].map((calls) =>
        kataCheck(form, ['--root', root, '--json', bringing(calls), images]),
      );
      assert.equal(findings(good?.stdout ?? ''), []);
      assert.equal(findings(bad?.stdout ?? ''), ['KC103 block']);
      assert.match(bad?.stdout ?? '', /read in both programs/);
    },
    { needs: [...needs, ...form.needs, 'dpkg-deb', 'dpkg-query'] },
  );
}
