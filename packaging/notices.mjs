/**
 * What a form of the program contains beside its own sources, and the licence notices that must go with every copy of it. All of it is read
 * out of the packages themselves at each build: a bundled package without a licence file, or with a licence that the packages of kata-check do
 * not declare, fails the build.
 *
 * `node packaging/notices.mjs FORM [NAME=VERSION=LICENCE=FILE ...]` writes dist/FORM.licenses.txt; each further argument is a part that no
 * bundler knows of, such as QuickJS in the native form. With --folders before FORM it prints the folders of the bundled packages.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('..', import.meta.url));

/** The SPDX names that `License:` of packaging/rpm/kata-check.spec states. */
export const declared = ['Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT'];

/** Of what is linked into the static program beside. */
const linked = ['0BSD', 'BSD-2-Clause', 'LGPL-2.1-or-later', 'Zlib'];

/**
 * The npm package that a file of the bundle comes from, as `node_modules/NAME`, or `node_modules/OTHER/node_modules/NAME` where OTHER has a version
 * of its own; undefined for our own sources.
 */
function packageFolder(path) {
  return /^(?:.*?\/)??(node_modules\/(?:@[^/]+\/)?[^/]+(?:\/node_modules\/(?:@[^/]+\/)?[^/]+)*)(?=\/)/.exec(path)?.[1];
}

/** Where `node_modules/NAME` is: source packages bring the bundled packages along in vendor/. */
export function installed(folder) {
  const vendored = join(top, 'vendor', folder);
  return existsSync(vendored) ? vendored : join(top, folder);
}

function part(name, version, licence, file) {
  if (![...declared, ...linked].includes(licence))
    throw new Error(`${name}: its licence "${licence}" is none that kata-check's packages declare`);
  return { name, version, licence, file, text: readFileSync(file, 'utf8').trim() };
}

/** The npm packages in a bundle, from esbuild's metafile, in the order of their names. Throws where one has no licence file. */
export function bundledPackages(metafile) {
  const { outputs } = JSON.parse(readFileSync(metafile, 'utf8'));
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
  const folders = [...new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined))].sort();
  return folders.map((relative) => {
    const folder = installed(relative);
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^(?:licen[cs]e|copying)(?:\.|-|$)/i.test(entry));
    if (file === undefined) throw new Error(`${relative} is bundled and has no licence file`);
    return { ...part(name, version, license, join(folder, file)), folder: relative };
  });
}

/** All parts of dist/FORM: the bundled packages, and those that were noted when it was linked. */
export function partsOf(form) {
  const noted = join(top, `dist/${form}.parts.json`);
  const others = existsSync(noted) ? JSON.parse(readFileSync(noted, 'utf8')) : [];
  return [...bundledPackages(join(top, `dist/${form.replace('-static', '')}.meta.json`)), ...others];
}

export function writeNotices(form, others = []) {
  const noted = others.map((other) => part(...other.split('=')));
  if (noted.length > 0) writeFileSync(join(top, `dist/${form}.parts.json`), JSON.stringify(noted));
  const parts = partsOf(form);
  const rule = '-'.repeat(78);
  const notices = parts.map(
    ({ name, version, licence, text }) => `${rule}\n${name} ${version} (${licence})\n${rule}\n\n${text}\n`,
  );
  const head = `${basename(form)} is licensed under the Apache License, version 2.0. It contains the following other works,\neach under the licence that follows its name.\n`;
  writeFileSync(join(top, `dist/${form}.licenses.txt`), `${[head, ...notices].join('\n')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [form, ...others] = process.argv.slice(2);
  if (form === undefined) {
    process.stderr.write('usage: node packaging/notices.mjs [--folders] FORM [NAME=VERSION=LICENCE=FILE ...]\n');
    process.exit(2);
  }
  if (form === '--folders') {
    for (const { folder } of bundledPackages(join(top, `dist/${others[0]}.meta.json`)))
      process.stdout.write(`${folder}\n`);
  } else writeNotices(form, others);
}
