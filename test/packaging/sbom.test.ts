import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';

const test = suite('the list of parts');
const top = join(import.meta.dirname, '../..');

for (const [form, part, needs] of [
  ['kata-check.mjs', 'execa', []],
  ['kata-check', 'QuickJS', [join(top, 'dist/kata-check')]],
] as const) {
  test(
    `${form}: as many parts as there are notices, and the same bytes twice`,
    () => {
      const list = (): string => {
        const argv = [join(top, 'packaging/sbom.mjs'), form];
        const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
        assert.is(status, 0, stderr);
        return stdout;
      };
      const first = list();
      const { bomFormat, components } = JSON.parse(first);
      assert.is(bomFormat, 'CycloneDX');
      const notices = readFileSync(join(top, `dist/${form}.licenses.txt`), 'utf8');
      assert.is(components.length, notices.match(/^-{78}\n.* \(.*\)\n-{78}$/gm)?.length);
      for (const name of [part, 'semver'])
        assert.ok(
          components.some((other: { name: string }) => other.name === name),
          name,
        );
      assert.is(list(), first);
    },
    { needs },
  );
}
