import * as assert from 'uvu/assert';
import { printable, printableJson } from '../../src/report/printable.ts';
import { suite } from '../suite.ts';

const test = suite('printable text');

const rows: readonly [rule: string, text: string, expected: string][] = [
  ['plain text stays', 'kata-runtime 3.4.0, /srv/my image.img', 'kata-runtime 3.4.0, /srv/my image.img'],
  ['letters of any script stay', 'süß 漢字 שלום 🙂', 'süß 漢字 שלום 🙂'],
  ['nothing', '', ''],
  ['a colour', '\u001b[31mred', '\\u001b[31mred'],
  ['a title of the terminal', '\u001b]0;x\u0007', '\\u001b]0;x\\u0007'],
  ['the same in one character', '\u009b31m\u009d0;x\u009c', '\\u009b31m\\u009d0;x\\u009c'],
  ['line breaks and tabs', 'a\nb\r\nc\td', 'a\\u000ab\\u000d\\u000ac\\u0009d'],
  ['backspaces and deletes', 'a\bb\u007f', 'a\\u0008b\\u007f'],
  ['a zero byte', 'a\0b', 'a\\u0000b'],
  ['what turns the order round', 'a\u202eb\u2066c\u200fd\u061ce', 'a\\u202eb\\u2066c\\u200fd\\u061ce'],
  ['what cannot be seen', 'a\u200bb\u00adc\u2060d\ufeffe', 'a\\u200bb\\u00adc\\u2060d\\ufeffe'],
  ['other ways to end a line', 'a\u2028b\u2029c\u0085d', 'a\\u2028b\\u2029c\\u0085d'],
  ['half a character', 'a\ud83db\ude42c', 'a\\ud83db\\ude42c'],
  ['the limit itself', 'x'.repeat(240), 'x'.repeat(240)],
  ['one more', 'x'.repeat(241), `${'x'.repeat(240)}…`],
  ['cut in the middle of a character', `${'x'.repeat(239)}🙂`, `${'x'.repeat(239)}\\ud83d…`],
];

for (const [rule, text, expected] of rows) {
  test(rule, () => {
    assert.is(printable(text), expected);
  });
}

test('a limit of its own', () => {
  assert.is(printable('abcdef', 3), 'abc…');
});

test('every control character, and nothing that is long', () => {
  for (let code = 0; code < 0xa0; code += 1) {
    if (code === 0x20) code = 0x7f;
    assert.match(printable(String.fromCharCode(code)), /^\\u00[0-9a-f]{2}$/);
  }
  assert.ok(printable('\u001b'.repeat(1 << 20)).length <= 240 * 6 + 1);
});

test('a JSON document keeps its meaning and its lines, and hides nothing', () => {
  const value = { 'a\u202eb': ['\u009b31m', '\u200b', 'süß 🙂', '\ud83d', '\n'] };
  const text = printableJson(JSON.stringify(value, null, 2));
  assert.equal(JSON.parse(text), value);
  assert.match(text, /^[\n\u0020-\u007eüß🙂]*$/u);
});
