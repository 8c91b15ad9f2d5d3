import { parse } from 'smol-toml';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { isTable, merged, readToml, type Unread, withoutOtherKeys } from '../../src/locate/toml.ts';
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

const shortened: readonly [rule: string, text: string, expected: string][] = [
  ['what belongs to no image is left out, line by line', 'a = 1\nimage = "/i"\nb = "x"\n', '\nimage = "/i"\n\n'],
  ['tables stay', '[hypervisor.qemu]\na = true\ninitrd = "/i"\n', '[hypervisor.qemu]\n\ninitrd = "/i"\n'],
  ['what is not plain stays, as there may be a mistake in it', 'a = "x\\q"\nb = 0x\n', 'a = "x\\q"\nb = 0x\n'],
  ['a key that stands twice is left for the parser', 'a = 1\na = 2\n', 'a = 1\na = 2\n'],
  ['so is one that is a table, too', 'a = 1\n[a.b]\n', 'a = 1\n[a.b]\n'],
  ['an assignment in a list of several lines is left for the parser', 'a = [\nb = 1\n]\n', 'a = [\nb = 1\n]\n'],
];

for (const [rule, text, expected] of shortened) {
  test(`shorter for the parser: ${rule}`, () => {
    assert.is(withoutOtherKeys(text), expected);
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
