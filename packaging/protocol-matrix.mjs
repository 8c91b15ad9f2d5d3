/**
 * Draws over all pairs of 40 releases, runtime by agent, what is proof, what is a warning and what fits on a node as it is shipped, as an
 * SVG: the left half of a field for the runtime in Go, the right half for the one in Rust.
 *
 *     node --import tsx packaging/protocol-matrix.mjs FILE.svg
 */

import { writeFileSync } from 'node:fs';
import { protocolOf } from '../src/protocol/compare.ts';
import { builtIn, codeOf, countedOf, reach } from '../src/protocol/reach.ts';
import { stockSettings } from '../src/protocol/settings.ts';
import { consequenceOf } from '../src/protocol/words.ts';
import { parseVersion } from '../src/version.ts';

const releases = [
  ...['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0', '1.5.0', '1.6.0', '1.7.0', '1.8.0', '1.9.0', '1.11.0', '1.12.0'],
  ...['2.0.0', '2.1.0', '2.2.0', '2.2.2', '2.3.0', '2.4.0', '2.4.1', '2.5.0'],
  ...['3.0.0', '3.1.0', '3.2.0', '3.3.0', '3.5.0', '3.8.0', '3.11.0', '3.12.0', '3.13.0', '3.14.0', '3.15.0', '3.16.0'],
  ...['3.17.0', '3.18.0', '3.27.0', '3.28.0', '3.29.0', '3.32.0', '4.0.0', '4.1.0'],
].map(parseVersion);

/** By finding; each with a sign beside its colour, for those who do not see colours. */
const looks = new Map([
  [null, { fill: '#cfe8cf', sign: '', words: 'go ahead' }],
  ['KC107', { fill: '#ffe08a', sign: '~', words: 'KC107, a warning: certain pods, or operations by hand, fail' }],
  ['KC103', { fill: '#f2a48c', sign: '+', words: 'KC103, blocked: the agent does not have what the runtime asks for' }],
  ['KC102', { fill: '#b0413e', sign: '×', words: 'KC102, blocked: they do not understand each other' }],
]);
const languages = ['go', 'rust'];
const names = { go: 'Go', rust: 'Rust' };

const cell = 20;
const left = 150;
const top = 150;
const size = releases.length * cell;
const text = (x, y, content, more = '') => `<text x="${x}" y="${y}" ${more}>${content}</text>`;
const escaped = (content) => content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const label = (version) => `${version.text} (${protocolOf(version)})`;

const parts = [text(left, 30, 'Kata runtime and agent: which pairs kata-check lets through', 'font-size="18"')];
parts.push(
  text(left, 50, 'left half: runtime in Go, right half: in Rust, as shipped; hover over a field for the reason'),
);
parts.push(text(left + size / 2, 75, 'agent in the guest image', 'text-anchor="middle" font-weight="bold"'));
parts.push(text(10, top - 10, 'runtime', 'font-weight="bold"'));
for (const [index, version] of releases.entries()) {
  const at = index * cell + cell / 2 + 4;
  parts.push(text(left - 8, top + at, label(version), 'text-anchor="end"'));
  parts.push(text(0, 0, label(version), `transform="translate(${left + at} ${top - 6}) rotate(-60)"`));
}
const counts = new Map();
for (const [row, runtime] of releases.entries()) {
  for (const [column, agent] of releases.entries()) {
    for (const [half, language] of languages.entries()) {
      // There is none in Rust before 3.0.
      if (language === 'rust' && runtime.major < 3) continue;
      const readers = [{ languages: [language], settings: stockSettings(language, runtime.text) }];
      const { met } = reach(runtime, agent, readers, true, builtIn);
      const code = codeOf(met);
      const { fill, sign } = looks.get(code);
      counts.set(code, (counts.get(code) ?? 0) + 1);
      const counted = countedOf(met);
      const proof = counted.filter(({ weight }) => weight === 'block');
      const why = consequenceOf(proof.length === 0 ? counted : proof);
      const width = runtime.major < 3 ? cell : cell / 2;
      const [x, y] = [left + column * cell + half * width, top + row * cell];
      const title = `${names[language]} runtime ${runtime.text}, agent ${agent.text}: ${code === null ? 'go ahead' : `${code}: ${why}`}`;
      parts.push(
        `<g class="pair"><title>${escaped(title)}</title><rect x="${x}" y="${y}" width="${width}" height="${cell}" fill="${fill}" stroke="#fff"/>` +
          `${sign === '' ? '' : text(x + width / 2, y + cell / 2 + 4, sign, 'text-anchor="middle"')}</g>`,
      );
    }
  }
}
const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
let y = top + size + 30;
for (const [code, { fill, sign, words }] of looks) {
  parts.push(`<rect x="${left}" y="${y - 14}" width="${cell}" height="${cell}" fill="${fill}"/>`);
  parts.push(text(left + cell / 2, y, sign, 'text-anchor="middle"'));
  parts.push(text(left + cell + 10, y, `${words}: ${counts.get(code) ?? 0} of ${total} pairs`));
  y += 26;
}

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node --import tsx packaging/protocol-matrix.mjs FILE.svg\n');
  process.exit(2);
}
const [width, height] = [left + size + 60, y];
writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `role="img" aria-label="Which pairs of Kata runtime and agent kata-check lets through" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`,
);
