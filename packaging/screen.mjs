/**
 * Draws what a stopped upgrade looks like in a terminal, as an SVG, from what the program really says about the sample node of the tests:
 *
 *     npm run build && node packaging/screen.mjs FILE.svg
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const replay = join(import.meta.dirname, '../test/fixtures/founding-case/replay.mjs');
const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node packaging/screen.mjs FILE.svg\n');
  process.exit(2);
}
const lines = execFileSync(process.execPath, [replay], { encoding: 'utf8' }).split('\n');
const first = lines.findIndex((line) => line.startsWith('$ apt-get install kata-runtime'));
const last = lines.findIndex((line, index) => index > first && line.startsWith('=> '));
if (first === -1 || last === -1) throw new Error(`${replay} prints no stopped upgrade`);
const screen = lines.slice(first, last);

const [width, height] = [Math.max(...screen.map((line) => line.length)) * 8.4 + 40, screen.length * 18 + 64];
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
/** The command and the verdict stand out, as the program itself has them on a terminal. */
const look = (line) =>
  line.startsWith('$ ') ? ' fill="#9ccfd8"' : /^kata-check: /.test(line) ? ' fill="#eb6f92" font-weight="bold"' : '';
const text = screen.map((line, index) => `<text x="20" y="${56 + index * 18}"${look(line)}>${escaped(line)}</text>`);
writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${height}" viewBox="0 0 ${Math.ceil(width)} ${height}" role="img" ` +
    `aria-label="apt, stopped by kata-check" font-family="ui-monospace, monospace" font-size="14" fill="#e0def4" xml:space="preserve">\n` +
    '<rect width="100%" height="100%" rx="8" fill="#191724"/>\n' +
    ['#eb6f92', '#f6c177', '#9ccfd8']
      .map((fill, index) => `<circle cx="${22 + index * 20}" cy="20" r="6" fill="${fill}"/>`)
      .join('') +
    `\n${text.join('\n')}\n</svg>\n`,
);
