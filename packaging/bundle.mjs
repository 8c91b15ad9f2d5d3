/**
 * Makes the bundle of either form: `node packaging/bundle.mjs node`, the one file dist/kata-check.mjs with the licence notices beside it, or
 * `quickjs [ENTRY [FOLDER]]`, a folder of modules that packaging/native/build turns into a program. In that, what a command alone needs is a
 * module of its own, which is read when the command runs. Beside each stands what it was made of (.meta.json).
 *
 * esbuild is run as a program, so that a distribution's own serves as well as npm's, and Node.js 18 is enough.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installed, writeNotices } from './notices.mjs';

const top = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
const [name, entry = 'src/main.quickjs.ts', folder = 'dist/quickjs'] = process.argv.slice(2);
const modules = resolve(top, folder);
const semver = join(modules, 'node_modules/semver');
/** What citty and semver expect of Node: no more than to be asked. */
const nothingOfNode = JSON.stringify({ argv: [], env: { NO_COLOR: '1' } });

const forms = {
  node: {
    meta: 'dist/kata-check.mjs.meta.json',
    options: [
      '--outfile=dist/kata-check.mjs',
      'src/main.node.ts',
      '--platform=node',
      '--target=node20.17',
      // execa and semver are CommonJS in part, and ask for Node's own modules by `require`.
      "--banner:js=#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    ],
  },
  quickjs: {
    meta: folder === 'dist/quickjs' ? 'dist/kata-check.meta.json' : join(modules, 'meta.json'),
    options: [
      `main=${entry}`,
      '--splitting',
      `--outdir=${modules}`,
      '--out-extension:.js=.mjs',
      '--platform=neutral',
      '--target=es2022',
      '--main-fields=module,main',
      '--conditions=import,default',
      '--external:std',
      '--external:os',
      '--external:native',
      '--alias:node:util=./packaging/native/node-util.mjs',
      `--alias:semver=${semver}`,
      `--define:process=${nothingOfNode}`,
      `--define:globalThis.process=${nothingOfNode}`,
    ],
  },
};

const form = forms[name];
if (form === undefined) {
  process.stderr.write('usage: node packaging/bundle.mjs node|quickjs [ENTRY [FOLDER]]\n');
  process.exit(2);
}
if (name === 'quickjs') {
  rmSync(modules, { recursive: true, force: true });
  copySemver(semver);
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
    `--metafile=${form.meta}`,
  ],
  // Source packages bring the bundled packages along in vendor/.
  { cwd: top, stdio: 'inherit', env: { ...process.env, NODE_PATH: join(top, 'vendor/node_modules') } },
);
if (error !== undefined) throw new Error(`esbuild does not run: ${error.message}`);
if (status !== 0) process.exit(1);
if (name === 'node') {
  chmodSync(join(top, 'dist/kata-check.mjs'), 0o755);
  writeNotices('kata-check.mjs');
} else {
  // packaging/native/main.c says why.
  for (const file of readdirSync(modules).filter((entry) => entry.endsWith('.mjs'))) {
    const path = join(modules, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/\bimport\("\.\//g, 'importModule("'));
  }
}

/**
 * semver compiles its hundred regular expressions when it is loaded, which takes a quarter of a short run on QuickJS, and most of them are
 * never used. The copy compiles each when it is asked for. Throws when the library is not as it was.
 */
function copySemver(to) {
  cpSync(installed('node_modules/semver'), to, { recursive: true });
  const path = join(to, 'internal/re.js');
  let text = readFileSync(path, 'utf8');
  for (const [line, later] of [
    ['const safe = makeSafeRegex(value)', ''],
    ['safeSrc[index] = safe', 'later(safeSrc, index, () => makeSafeRegex(value))'],
    ['re[index] = new RegExp(value, F)', 'later(re, index, () => new RegExp(value, F))'],
    ['safeRe[index] = new RegExp(safe, F)', 'later(safeRe, index, () => new RegExp(safeSrc[index], F))'],
  ]) {
    const [old, next] = [line, later].map((part) => `  ${part.replace('F', "isGlobal ? 'g' : undefined")}\n`);
    const parts = text.split(old);
    if (parts.length !== 2) throw new Error(`${relative(top, path)} makes its expressions in another way than it did`);
    text = parts.join(next);
  }
  writeFileSync(path, `${text}\n${later}\n`);
}

/** Goes into the copy. */
function later(list, index, make) {
  Object.defineProperty(list, index, {
    configurable: true,
    get() {
      const value = make();
      Object.defineProperty(list, index, { value });
      return value;
    },
  });
}
