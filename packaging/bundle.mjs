/**
 * Makes the one-file bundle of either form in dist/: `node packaging/bundle.mjs node|quickjs`.
 * Each is plain JavaScript; packaging/native/build turns the second one into a program.
 */

import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const top = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

const forms = {
  node: {
    entryPoints: [join(top, 'src/main.node.ts')],
    outfile: join(top, 'dist/kata-check.mjs'),
    platform: 'node',
    target: 'node20.17',
    banner: {
      // execa and semver are CommonJS in part, and ask for Node's own modules by `require`.
      js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  },
  quickjs: {
    entryPoints: [join(top, 'src/main.quickjs.ts')],
    outfile: join(top, 'dist/kata-check.quickjs.mjs'),
    platform: 'neutral',
    target: 'es2022',
    mainFields: ['module', 'main'],
    conditions: ['import', 'default'],
    external: ['std', 'os', 'native'],
    alias: { 'node:util': join(top, 'packaging/native/node-util.mjs') },
    banner: {
      // What citty and semver expect of Node: no more than to be asked.
      js: "globalThis.global = globalThis; globalThis.process = { argv: [], execArgv: [], env: { NO_COLOR: '1' } };",
    },
  },
};

const form = forms[process.argv[2]];
if (form === undefined) {
  process.stderr.write('usage: node packaging/bundle.mjs node|quickjs\n');
  process.exit(2);
}
await build({
  bundle: true,
  format: 'esm',
  minify: true,
  keepNames: false,
  legalComments: 'none',
  logLevel: 'warning',
  define: { KATA_CHECK_VERSION: JSON.stringify(version) },
  ...form,
});
if (process.argv[2] === 'node') chmodSync(form.outfile, 0o755);
