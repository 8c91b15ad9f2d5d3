/**
 * packaging/changelog is the one source of every package's changelog. It has Debian's form (deb-changelog(5)) and is Debian's as it is;
 * `node packaging/changelog.mjs version|date|rpm|markdown` prints the newest version, its date in seconds since 1970, or all of it for the others.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('changelog', import.meta.url));

/** Entries, newest first. Throws with the line's number where a line has not the form of a changelog. */
export function parseChangelog(text) {
  const entries = [];
  let open;
  text.split('\n').forEach((line, index) => {
    const bad = (what) => new Error(`packaging/changelog:${index + 1}: ${what}: ${JSON.stringify(line)}`);
    const head = /^kata-check \((\d+\.\d+\.\d+(?:~[a-z0-9.]+)?)-(\d+)\) ([a-zA-Z-]+); urgency=\w+$/.exec(line);
    const tail = /^ -- (.+ <.+>) {2}(\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4})$/.exec(line);
    if (head !== null) {
      if (open !== undefined) throw bad('the entry before it has no line with a name and a date');
      open = { version: head[1], revision: head[2], distribution: head[3], changes: [] };
    } else if (tail !== null) {
      if (open === undefined || open.changes.length === 0) throw bad('an end without an entry');
      entries.push({ ...open, author: tail[1], date: new Date(tail[2]) });
      open = undefined;
    } else if (line.startsWith('  * ')) {
      if (open === undefined) throw bad('a change outside an entry');
      open.changes.push(line.slice(4).trim());
    } else if (line.startsWith('    ')) {
      if (open === undefined || open.changes.length === 0) throw bad('a continuation of nothing');
      open.changes.push(`${open.changes.pop()} ${line.trim()}`);
    } else if (line.trim() !== '') throw bad('this is no line of a changelog');
  });
  if (open !== undefined) throw new Error('packaging/changelog: its last entry has no line with a name and a date');
  if (entries.length === 0) throw new Error('packaging/changelog: it has no entry');
  return entries;
}

const day = (date) => date.toISOString().slice(0, 10);

/** rpm's form: `* Fri Nov 27 2026 Name <mail> - 0.2.0-1`, and no comma in the date. */
function rpmEntry({ date, author, version, revision, changes }) {
  const [name, number, month, year] = date.toUTCString().replace(',', '').split(' ');
  const lines = changes.map((change) => `- ${change.replaceAll('%', '%%')}`);
  return [`* ${name} ${month} ${number} ${year} ${author} - ${version}-${revision}`, ...lines, ''].join('\n');
}

function markdownEntry({ date, version, changes }) {
  return [`## ${version} (${day(date)})`, '', ...changes.map((change) => `- ${change}`), ''].join('\n');
}

const forms = {
  version: ([newest]) => `${newest.version}\n`,
  date: ([newest]) => `${newest.date.getTime() / 1000}\n`,
  rpm: (entries) => entries.map(rpmEntry).join('\n'),
  markdown: (entries) => `# Changes\n\n${entries.map(markdownEntry).join('\n')}`,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const form = forms[process.argv[2]];
  if (form === undefined) {
    process.stderr.write('usage: node packaging/changelog.mjs version|date|rpm|markdown\n');
    process.exit(2);
  }
  process.stdout.write(form(parseChangelog(readFileSync(file, 'utf8'))));
}
