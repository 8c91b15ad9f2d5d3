import * as assert from 'uvu/assert';
import { absolute, Content, PieceReader, placeOf } from '../../src/archive/members.ts';
import { Corrupt, LimitExceeded } from '../../src/errors.ts';
import { latin1 } from '../../src/read/bytes.ts';
import { suite } from '../suite.ts';

const test = suite('members of packages');

const places: readonly [rule: string, path: string, place: string | undefined][] = [
  ['as dpkg-deb writes it', './usr/bin/x', '/usr/bin/x'],
  ['without anything before it', 'usr/bin/x', '/usr/bin/x'],
  ['absolute', '/usr/bin/x', '/usr/bin/x'],
  ['slashes and dots more than needed', './/usr/./bin//x/', '/usr/bin/x'],
  ['the root itself', './', '/'],
  ['out of its folder', '../../etc/passwd', undefined],
  ['out of it from within', 'usr/../../etc/passwd', undefined],
  ['only to the side, which nobody writes', 'usr/bin/../x', undefined],
  ['a name of dots', 'usr/...', '/usr/...'],
  ['UTF-8', 'n\xc3\xa4me', '/näme'],
  ['no UTF-8', 'n\xe4me', '/n\xe4me'],
];

for (const [rule, path, place] of places) {
  test(`where it will be: ${rule}`, () => {
    assert.is(placeOf({ path }), place);
  });
}

test('a path that is a text already stays as it is', () => {
  assert.is(absolute('usr//näme'), '/usr/näme');
});

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
  yield new Uint8Array(0);
}

async function failure(action: () => Promise<unknown>): Promise<Error> {
  try {
    await action();
  } catch (error) {
    return error as Error;
  }
  assert.unreachable('nothing was thrown');
  throw new Error();
}

for (const size of [1, 3, 100]) {
  test(`a stream in pieces of ${size}: exactly what is asked for comes, and its end is an error`, async () => {
    const reader = new PieceReader(inPieces('0123456789abcdef', size), 'a stream');
    assert.is(latin1(await reader.exactly(5)), '01234');
    await reader.skip(2);
    const content = new Content(reader, 6, 'a member');
    let text = '';
    for await (const piece of content.pieces()) text += latin1(piece);
    assert.equal([text, content.left, reader.position], ['789abc', 0, 13]);
    assert.match((await failure(() => reader.exactly(4, 'the last'))).message, /^the last: .* breaks off at byte 16$/);
    assert.instance(await failure(() => reader.skip(1)), Corrupt);
    assert.is((await reader.some(1)).length, 0);
  });
}

test('the content of a member has a limit, and what was not taken of it is known', async () => {
  const content = new Content(new PieceReader(inPieces('0123456789', 4), 'a stream'), 8, 'a member');
  const error = await failure(() => content.all(7));
  assert.instance(error, LimitExceeded);
  assert.is(error.message, 'a member: 8 bytes, more than 7');
  assert.is(content.left, 8);
  for await (const piece of content.pieces()) {
    assert.is(piece.length, 4);
    break;
  }
  assert.is(content.left, 4);
});
