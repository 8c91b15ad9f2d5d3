import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { openExt4 } from '../../src/read/ext4.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { isExt4 } from '../../src/read/superblocks.ts';
import { forms } from '../e2e/program.ts';
import { temporaryFolder } from '../images.ts';
import { corpusFolder, suite } from '../suite.ts';
import { examine } from './property.ts';

const test = suite('hostile corpora');
const host = createNodeHost();
const folder = temporaryFolder();
const time = '/usr/bin/time';

/** The files of a corpus, unpacked: [name, path]. */
function unpacked(corpus: string): [name: string, path: string][] {
  return readdirSync(corpus)
    .sort()
    .map((name) => {
      const packed = join(corpus, name);
      if (!name.endsWith('.gz')) return [name, packed];
      const path = join(folder, `${basename(corpus)}-${basename(name, '.gz')}`);
      if (!existsSync(path)) writeFileSync(path, gunzipSync(readFileSync(packed)));
      return [name, path];
    });
}

/** The names in `/` that debugfs sees; undefined when it cannot read it. Its blocks must be whole, or it does not say all. */
function namesByDebugfs(path: string): string[] | undefined {
  const { stdout, stderr } = spawnSync('debugfs', ['-R', 'ls -p /', path], {
    encoding: 'latin1',
    env: { PATH: process.env.PATH },
  });
  const complaints = stderr.split('\n').filter((line) => line !== '' && !/^debugfs [0-9]/.test(line));
  if (complaints.length > 0 || !stdout.startsWith('/')) return undefined;
  // /inode/mode/owner/group/name/size/
  return stdout
    .split('\n')
    .flatMap((line) => /^\/([0-9]+)\/[^/]*\/[^/]*\/[^/]*\/(.*)\/[^/]*\/$/.exec(line)?.slice(1) ?? [])
    .flatMap((part, index, all) => (index % 2 === 1 && all[index - 1] !== '0' ? [part] : []))
    .filter((name) => name !== '.' && name !== '..');
}

for (const name of ['e2fsprogs', 'erofs-crashers', 'cpio']) {
  const corpus = corpusFolder(name);
  test(
    `${name}: an answer or one of the six problems for each`,
    async () => {
      const files = unpacked(corpus);
      assert.ok(files.length > 0);
      for (const [file, path] of files) {
        try {
          await examine(host, path, { bound: 20_000, isThorough: true });
        } catch (error) {
          throw new Error(`${file}: ${error instanceof Error ? error.message : error}`);
        }
      }
    },
    { needs: [corpus], timeout: 300 },
  );

  for (const form of forms) {
    test(
      `${name}, ${form.name}: the command ends, says what is wrong, and takes little memory`,
      () => {
        const files = unpacked(corpus);
        let slowest = { name: '', milliseconds: 0 };
        let largest = { name: '', kibibytes: 0 };
        for (const [file, path] of files) {
          const start = host.now();
          const command = [...form.argv, 'image', '--json', '--deep', path];
          const { status, signal, stdout, stderr } = spawnSync(time, ['-f', '%M', ...command], {
            encoding: 'utf8',
            timeout: 30_000,
          });
          const milliseconds = host.now() - start;
          assert.ok(signal === null && (status === 0 || status === 11), `${file}: ${status} ${signal} ${stderr}`);
          assert.not.match(stdout + stderr, /internal error|NaN|undefined/, file);
          const { images } = JSON.parse(stdout) as { images: { problem: { kind: string; message: string } | null }[] };
          assert.is(images.length, 1, file);
          const kibibytes = Number(stderr.trim().split('\n').at(-1));
          if (milliseconds > slowest.milliseconds) slowest = { name: file, milliseconds };
          if (kibibytes > largest.kibibytes) largest = { name: file, kibibytes };
        }
        process.stdout.write(
          `\n${name}, ${form.name}: ${files.length} files; slowest ${slowest.name} ${Math.round(slowest.milliseconds)} ms; largest ${largest.name} ${largest.kibibytes} KiB\n`,
        );
        // Node.js alone takes 40 to 70 MB.
        assert.ok(
          largest.kibibytes < (form.name === 'native' ? 32_768 : 262_144),
          `${largest.name}: ${largest.kibibytes} KiB`,
        );
        assert.ok(slowest.milliseconds < 15_000, slowest.name);
      },
      { needs: [corpus, time, ...form.needs], timeout: 600 },
    );
  }
}

const e2fsprogs = corpusFolder('e2fsprogs');
test(
  'e2fsprogs: where debugfs reads /, so do we',
  () => {
    let compared = 0;
    for (const [file, path] of unpacked(e2fsprogs)) {
      const expected = namesByDebugfs(path);
      if (expected === undefined) continue;
      const source = new Source(host.open(path), new Budget(host, host.now() + 20_000));
      try {
        assert.ok(isExt4(source));
        assert.equal([...openExt4(source).root.names()].sort(), expected.sort());
      } catch (error) {
        throw new Error(`${file}: ${error instanceof Error ? error.message : error}`);
      }
      compared += 1;
    }
    assert.ok(compared > 80, `${compared} only`);
  },
  { needs: [e2fsprogs, 'debugfs'] },
);
