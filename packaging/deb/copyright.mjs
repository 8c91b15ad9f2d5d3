/**
 * Prints debian/copyright (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/) for the source package: our own files, and
 * each part that vendor/ brings along, with the holders and the licence out of its own licence file. `node packaging/deb/copyright.mjs
 * LICENCE` takes the licence file of QuickJS; the bundle for QuickJS is made before.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledPackages } from '../notices.mjs';

const top = fileURLToPath(new URL('../..', import.meta.url));

/** Debian's names for the licences where they are other ones than SPDX's. */
const debianNames = { MIT: 'Expat' };

/** A text as a field's continuation lines. */
const indented = (text) =>
  text
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');

function holders(name, text) {
  const lines = text.split('\n').map((line) => line.trim());
  const found = lines.filter((line) => /^(?:the mit license \(mit\) )?copyright (?:\(c\)|©|\d)/i.test(line));
  if (found.length === 0) throw new Error(`${name}: its licence file names no holder of the copyright`);
  return [...new Set(found)].map((line) => line.replace(/^.*?copyright\s+/i, '')).join('\n           ');
}

function stanza({ name, licence, text, folder }) {
  return [
    `Files: vendor/${folder}/*`,
    `Copyright: ${holders(name, text)}`,
    `License: ${debianNames[licence] ?? licence}`,
    indented(text),
    '',
  ].join('\n');
}

const quickjs = {
  name: 'QuickJS',
  licence: 'MIT',
  folder: 'quickjs',
  text: readFileSync(process.argv[2], 'utf8').trim(),
};
const packages = bundledPackages(join(top, 'dist/kata-check.meta.json'));
const { homepage, author } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

process.stdout.write(
  `${[
    `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: kata-check
Upstream-Contact: ${author}
Source: ${homepage}
Comment: The program is linked from these sources and, of vendor/, from the
 packages that packaging/native/build bundles, and from QuickJS.

Files: *
Copyright: 2026 The kata-check developers
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`,
    ...packages.map(stanza),
    stanza(quickjs),
  ].join('\n')}`,
);
