/** What real programs of Go and Rust say of themselves, in both forms of the program: on a node below another root, and in a package. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { guestTree, makeExt, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { agentProto, compressed, descriptorsOf, goProgram, protoFilesOf, rustProgram } from '../programs.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck } from './program.ts';

const test = suite('evidence out of real programs');
const needs = ['protoc', 'go', 'rustc', 'mkfs.ext4'];
const commit = '0123456789abcdef0123456789abcdef01234567';
const imagePath = '/usr/share/kata-containers/kata-containers.img';
const shim = '/opt/kata/bin/containerd-shim-kata-v2';
const pausing = ['PauseContainer', 'ResumeContainer'];

const made = new Map<string, string>();
function once(key: string, make: () => string): string {
  const path = made.get(key) ?? make();
  made.set(key, path);
  return path;
}

/** A Go runtime of this version that makes these calls beside the usual ones. */
function runtime(version: string, calls: readonly string[], fields: readonly string[] = []): Buffer {
  const key = `go ${version} ${calls} ${fields}`;
  const descriptors = (): Buffer[] => descriptorsOf(protoFilesOf(agentProto(calls, fields))).map(compressed);
  return readFileSync(once(key, () => goProgram({ version, descriptors: descriptors() })));
}

function agent(version: string, calls: readonly string[], fields: readonly string[] = []): Buffer {
  const key = `rust ${version} ${calls} ${fields}`;
  const descriptors = (): Buffer[] => descriptorsOf(protoFilesOf(agentProto(calls, fields)));
  return readFileSync(once(key, () => rustProgram(version, commit, descriptors())));
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

type Row = readonly [rule: string, tree: () => Tree, status: number, expected: readonly string[]];

const rows: readonly Row[] = [
  [
    'the version of a runtime is read out of it, where nothing may be run and no file names it',
    () => ({ [shim]: runtime('3.29.0', []), [imagePath]: image('3.29.0', agent('3.29.0', [])) }),
    0,
    [],
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
