/**
 * Prints the spec file: packaging/rpm/kata-check.spec with the version, what the program bundles (`Provides: bundled(…)`, as Fedora's guidelines
 * want it) and the changelog in it. The bundle for QuickJS is made before; `node packaging/rpm/spec.mjs QUICKJS-VERSION`.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledPackages } from '../notices.mjs';

const top = fileURLToPath(new URL('../..', import.meta.url));
const { version, homepage } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
const changelog = execFileSync(process.execPath, [join(top, 'packaging/changelog.mjs'), 'rpm'], { encoding: 'utf8' });
const bundled = [
  `Provides: bundled(quickjs) = ${process.argv[2].replaceAll('-', '.')}`,
  ...bundledPackages(join(top, 'dist/kata-check.meta.json')).map(
    (part) => `Provides: bundled(npm(${part.name})) = ${part.version}`,
  ),
];
const values = { VERSION: version, URL: homepage, BUNDLED: bundled.join('\n'), CHANGELOG: changelog.trimEnd() };
process.stdout.write(
  readFileSync(join(top, 'packaging/rpm/kata-check.spec'), 'utf8').replace(/@([A-Z]+)@/g, (_, name) => values[name]),
);
