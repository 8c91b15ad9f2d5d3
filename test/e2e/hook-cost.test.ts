/** What a run that has nothing to do with Kata costs on a node that has it: no file of Kata is opened, and no program run. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { kataNode } from './kata-node.ts';
import { aptInput, forms, type Step } from './program.ts';

const test = suite('the cost of an apt run that has nothing to do with Kata');
const strangers: readonly Step[] = Array.from({ length: 200 }, (_, index) => ({
  name: `lib${index}`,
  old: '1',
  next: '2',
  what: `/var/cache/apt/archives/lib${index}_2_amd64.deb`,
}));

for (const form of forms) {
  test(
    `${form.name}: 200 upgrades`,
    () => {
      const root = join(temporaryFolder(), 'node');
      mkdirSync(root);
      writeTree(root, kataNode(strangers.map(({ name }) => name)));
      const opened = (steps: readonly Step[]): { files: string[]; programs: number } => {
        const input = join(root, '../input');
        const trace = join(root, '../trace');
        writeFileSync(input, aptInput(steps, [], root));
        rmSync(trace, { force: true });
        run(
          'sh',
          '-c',
          `APT_HOOK_INFO_FD=0 strace -f -s 4096 -e trace=open,openat,execve -o '${trace}' "$@" hook apt < '${input}'`,
          'sh',
          ...form.argv,
        );
        const lines = readFileSync(trace, 'utf8').split('\n');
        const files = lines.flatMap((line) => {
          const path = /\bopen(?:at)?\([^"]*"([^"]*)"/.exec(line)?.[1];
          return path?.startsWith(`${root}/`) && !line.includes('ENOENT') ? [path.slice(root.length)] : [];
        });
        return { files, programs: lines.filter((line) => line.includes('execve(') && line.includes('= 0')).length };
      };
      const { files, programs } = opened(strangers);
      assert.ok(files.includes('/var/lib/dpkg/status') && files.includes('/var/lib/dpkg/info/lib7.list'));
      assert.equal(
        files.filter((path) => !/^\/var\/lib\/dpkg\/(?:status|info\/lib\d+(?::amd64)?\.list)$/.test(path)),
        [],
      );
      assert.is(programs, 1, 'itself alone');
      // The same with a package that owns an image: then it is looked at.
      const owner = { ...(strangers[0] as Step), name: 'vendor-guest' };
      assert.ok(opened([owner]).files.some((path) => path.includes('configuration')));
    },
    { needs: ['strace', ...form.needs] },
  );
}
