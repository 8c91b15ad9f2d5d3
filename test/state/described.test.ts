import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { describeFile } from '../../src/state/described.ts';
import { makeDeb } from '../debs.ts';
import { guestTree, makeExt, run, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { agentProto, compressed, descriptorsOf, elf, protoFilesOf } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('what one file says');
const host = createNodeHost();

/** An ELF program of this version that is described, by the way of Go or as it is. */
function program(calls: readonly string[]): Buffer {
  const all = descriptorsOf(protoFilesOf(agentProto(calls))).map(compressed);
  return Buffer.concat([elf({ texts: ['3.29.0'] }), ...all]);
}

const image = (binary: Buffer): string => {
  const folder = temporaryFolder();
  const tree = writeTree(join(folder, 'tree'), { ...guestTree('3.29.0'), 'usr/bin/kata-agent': binary });
  return makeExt(join(folder, 'image'), tree, '16M');
};

const deb = (files: Tree): string => makeDeb(temporaryFolder(), { name: 'kata', version: '3.29.0-1', files });

const tarball = (): string => {
  const tree = writeTree(temporaryFolder(), {
    'opt/kata/bin/containerd-shim-kata-v2': program(['A']),
    'opt/kata/VERSION': '3.29.0\n',
  });
  const path = join(temporaryFolder(), 'kata-static.tar.gz');
  run('tar', '-C', tree, '-czf', path, './opt');
  return path;
};

function file(bytes: Buffer): string {
  const path = join(temporaryFolder(), 'file');
  writeFileSync(path, bytes);
  return path;
}

/** `KIND VERSION CALLS`, of which there are three without more. */
const rows: readonly [rule: string, path: () => string, expected: string][] = [
  ['a program', () => file(program(['A'])), 'program 3.29.0 4'],
  ['a program that says nothing', () => file(elf({ texts: ['3.29.0'] })), 'program 3.29.0 null'],
  ['the agent in an image', () => image(program([])), 'image 3.29.0 3'],
  ['an image whose agent says nothing', () => image(Buffer.from('x')), 'image 3.29.0 null'],
  ['a runtime in a package', () => deb({ 'usr/bin/kata-runtime': program(['A', 'B']) }), 'package 3.29.0-1 5'],
  ['a package without one', () => deb({ 'usr/bin/other': 'x' }), 'package 3.29.0-1 null'],
  ['a runtime in a static tarball', tarball, 'package 3.29.0 4'],
];

for (const [rule, path, expected] of rows) {
  test(
    rule,
    async () => {
      const { kind, version, description, problem } = await describeFile(host, path(), host.now() + 60_000);
      assert.is(problem, null);
      assert.is(`${kind} ${version} ${description?.calls.size ?? null}`, expected);
    },
    { needs: ['protoc', 'mkfs.ext4', 'dpkg-deb', 'tar'] },
  );
}

test('what is not there, or is none of these, is a problem', async () => {
  for (const path of ['/nowhere', file(Buffer.from('hello')), file(Buffer.alloc(0)), temporaryFolder()]) {
    const { problem, description } = await describeFile(host, path, host.now() + 60_000);
    assert.type(problem, 'string');
    assert.is(description, null);
  }
});
