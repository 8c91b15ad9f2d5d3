/**
 * Makes the one-file bundle of either form in dist/: `node packaging/bundle.mjs node|quickjs`, beside it what it was made of (.meta.json)
 * and, for the Node form, the licence notices. Each is plain JavaScript; packaging/native/build turns the second one into a program.
 *
 * esbuild is run as a program, so that a distribution's own serves as well as npm's, and Node.js 18 is enough.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeNotices } from './notices.mjs';

const top = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

const forms = {
  node: {
    output: 'dist/kata-check.mjs',
    options: [
      'src/main.node.ts',
      '--platform=node',
      '--target=node20.17',
      // execa and semver are CommonJS in part, and ask for Node's own modules by `require`.
      "--banner:js=#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    ],
  },
  quickjs: {
    output: 'dist/kata-check.quickjs.mjs',
    options: [
      'src/main.quickjs.ts',
      '--platform=neutral',
      '--target=es2022',
      '--main-fields=module,main',
      '--conditions=import,default',
      '--external:std',
      '--external:os',
      '--external:native',
      '--alias:node:util=./packaging/native/node-util.mjs',
      // What citty and semver expect of Node: no more than to be asked.
      "--banner:js=globalThis.global = globalThis; globalThis.process = { argv: [], execArgv: [], env: { NO_COLOR: '1' } };",
    ],
  },
};

const form = forms[process.argv[2]];
if (form === undefined) {
  process.stderr.write('usage: node packaging/bundle.mjs node|quickjs\n');
  process.exit(2);
}
const own = join(top, 'node_modules/.bin/esbuild');
const { status, error } = spawnSync(
  existsSync(own) ? own : 'esbuild',
  [
    ...form.options,
    '--bundle',
    '--format=esm',
    '--minify',
    '--legal-comments=none',
    '--log-level=warning',
    `--define:KATA_CHECK_VERSION=${JSON.stringify(version)}`,
    `--outfile=${form.output}`,
    `--metafile=${form.output}.meta.json`,
  ],
  { cwd: top, stdio: 'inherit' },
);
if (error !== undefined) throw new Error(`esbuild does not run: ${error.message}`);
if (status !== 0) process.exit(1);
if (process.argv[2] === 'node') {
  chmodSync(join(top, form.output), 0o755);
  writeNotices('kata-check.mjs');
} else {
  renameSync(join(top, `${form.output}.meta.json`), join(top, 'dist/kata-check.meta.json'));
}
