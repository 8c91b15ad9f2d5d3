/**
 * Prints the list of parts (SBOM, CycloneDX 1.6) of a form: `node packaging/sbom.mjs kata-check|kata-check-static|kata-check.mjs`, after it is built. The npm
 * packages are listed by CycloneDX's own tool for esbuild from what was bundled; the parts that no bundler knows of are added. The same bytes
 * for the same parts.
 */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { partsOf } from './notices.mjs';

const top = fileURLToPath(new URL('..', import.meta.url));
const [form] = process.argv.slice(2);
if (form === undefined) {
  process.stderr.write('usage: node packaging/sbom.mjs kata-check|kata-check-static|kata-check.mjs\n');
  process.exit(2);
}
const tool = join(top, 'node_modules/.bin/cyclonedx-esbuild');
const document = JSON.parse(
  execFileSync(
    tool,
    ['--output-reproducible', '--spec-version', '1.6', `dist/${form.replace('-static', '')}.meta.json`],
    {
      cwd: top,
      encoding: 'utf8',
    },
  ),
);
// What esbuild itself defines is no part of anybody's.
document.components = document.components.filter(({ name }) => !name.startsWith('VirtualComponent'));
const known = new Set(document.components.map(({ name, group }) => (group === undefined ? name : `${group}/${name}`)));
const parts = partsOf(form);
for (const { name, version, licence } of parts.filter((part) => !known.has(part.name))) {
  document.components.push({
    type: 'library',
    name,
    version,
    'bom-ref': `${name}@${version}`,
    licenses: [{ license: { id: licence } }],
  });
}
const listed = document.components.length;
if (listed !== parts.length) throw new Error(`${form}: ${listed} parts are listed, and ${parts.length} are in it`);
process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
