import { parse } from 'smol-toml';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import {
  isTable,
  merged,
  readToml,
  type Short,
  type Unread,
  withoutComments,
  withoutOtherKeys,
} from '../../src/locate/toml.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('TOML');
const path = '/etc/x.toml';

function read(content: string | Uint8Array): { readonly table: unknown; readonly unread: readonly Unread[] } {
  const root = writeTree(temporaryFolder(), { [path]: content });
  const unread: Unread[] = [];
  return { table: readToml(rootedHost(createNodeHost(), root), path, unread), unread };
}

const documents: readonly [rule: string, content: string | Uint8Array, expected: unknown, said?: RegExp][] = [
  ['a table', '[a]\nb = 1\n', { a: { b: 1 } }],
  ['an empty file is an empty table', '', {}],
  ['comments are nothing', '# [a]\n  # b\n\t# c\nd = 1 # e\n', { d: 1 }],
  ['a comment within a string of several lines is a part of it', 'a = """\n# b\n"""\n', { a: '# b\n' }],
  ['likewise in the other kind of quotes', "a = '''\n# b\n'''\n", { a: '# b\n' }],
  [
    'a mistake is told with its place, though comments were left out',
    '# a\n# b\nc = ?\n',
    undefined,
    /^\/etc\/x\.toml, line 3, column 5: /,
  ],
  ['a file over a megabyte is not read', 'x'.repeat(1024 * 1024 + 1), undefined, /x\.toml.* bytes/],
];

for (const [rule, content, expected, said] of documents) {
  test(rule, () => {
    const { table, unread } = read(content);
    assert.is(JSON.stringify(table), JSON.stringify(expected));
    assert.is(unread.length, said === undefined ? 0 : 1);
    if (said !== undefined) assert.match(unread[0]?.message ?? '', said);
  });
}

test('an integer of 64 bits, as runtime-rs writes one, is no mistake', () => {
  const { table, unread } = read('a = 9223372036854775807\nb = 1\n');
  assert.equal([unread.length, (table as { b: unknown }).b], [0, 1]);
});

test('a file that is not there is told by its path', () => {
  const unread: Unread[] = [];
  const host = rootedHost(createNodeHost(), temporaryFolder());
  assert.is(readToml(host, '/etc/none.toml', unread), undefined);
  assert.equal(
    unread.map(({ path: told }) => told),
    ['/etc/none.toml'],
  );
  assert.match(unread[0]?.message ?? '', /none\.toml/);
});

/** As "LINE TEXT" for each line that is left; undefined where the whole text is for the parser. */
function numbered(short: Short | undefined): string | undefined {
  return short?.lines.map((line, index) => `${short.numbers[index]} ${line}`).join('\n');
}

const comments: readonly [rule: string, text: string, expected: string | undefined][] = [
  ['comments and blank lines are left out', '# a\n\nb = 1\n  # c\n\t\nd = 2 # e\n', '3 b = 1\n6 d = 2 # e'],
  ['where a string of several lines begins, nothing is', '# a\nb = """\n# c\n"""\n', undefined],
  ['so is it with the other kind of quotes', "b = '''\n# c\n'''\n", undefined],
  ['but a comment may hold such quotes', '# a """\nb = 1\n', '2 b = 1'],
];

for (const [rule, text, expected] of comments) {
  test(`without comments: ${rule}`, () => {
    assert.is(numbered(withoutComments(text)), expected);
  });
}

const shortened: readonly [rule: string, text: string, expected: string][] = [
  ['what belongs to no image is left out, line by line', 'a = 1\nimage = "/i"\nb = "x"\n', '2 image = "/i"'],
  ['tables stay', '[hypervisor.qemu]\na = true\ninitrd = "/i"\n', '1 [hypervisor.qemu]\n3 initrd = "/i"'],
  ['what is not plain stays, as there may be a mistake in it', 'a = "x\\q"\nb = 0x\n', '1 a = "x\\q"\n2 b = 0x'],
  ['a key that stands twice is left for the parser', 'a = 1\na = 2\n', '1 a = 1\n2 a = 2'],
  ['so is one that is a table, too', 'a = 1\n[a.b]\n', '1 a = 1\n2 [a.b]'],
  ['an assignment in a list of several lines is left for the parser', 'a = [\nb = 1\n]\n', '1 a = [\n2 b = 1\n3 ]'],
];

for (const [rule, text, expected] of shortened) {
  test(`shorter for the parser: ${rule}`, () => {
    assert.is(numbered(withoutOtherKeys(withoutComments(text) as Short)), expected);
  });
}

const mergers: readonly [rule: string, base: string, over: string, expected: unknown][] = [
  ['a later value wins', 'a = 1\nb = 2\n', 'a = 3\n', { a: 3, b: 2 }],
  ['tables are merged key by key', '[a.b]\nc = 1\nd = 2\n', '[a.b]\nc = 3\n', { a: { b: { c: 3, d: 2 } } }],
  ['a list is replaced as a whole', 'a = [1, 2]\n', 'a = [3]\n', { a: [3] }],
  ['a table replaces a value', 'a = 1\n', '[a]\nb = 1\n', { a: { b: 1 } }],
  ['a value replaces a table', '[a]\nb = 1\n', 'a = 1\n', { a: 1 }],
];

for (const [rule, base, over, expected] of mergers) {
  test(`drop-ins: ${rule}`, () => {
    assert.is(JSON.stringify(merged(parse(base), parse(over))), JSON.stringify(expected));
  });
}

test('a list and a date are no table', () => {
  const { a, b, c } = parse('a = [1]\nb = 2024-01-02\n[c]\n') as Record<string, unknown>;
  assert.equal([a, b, c, null, 'x'].map(isTable), [false, false, true, false, false]);
});
