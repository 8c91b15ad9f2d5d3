import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { type Frame, parseCommit, readFrames } from '../../src/hooks/zypper.ts';
import { suite } from '../suite.ts';

const test = suite('the conversation with zypper');

async function frames(text: string, size: number): Promise<Frame[]> {
  const bytes = Buffer.from(text);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const found: Frame[] = [];
  for await (const frame of readFrames(pieces())) found.push(frame);
  return found;
}

const conversations: readonly [rule: string, text: string, expected: readonly Frame[]][] = [
  ['nothing', '', []],
  ['a header and no body', 'PLUGINBEGIN\ncontent-length:0\n\n\0', [{ command: 'PLUGINBEGIN', body: '' }]],
  [
    'several, with bodies',
    'PLUGINBEGIN\n\n\0COMMITBEGIN\ncontent-length:4\n\n{ü}\0\nPLUGINEND\n\n\0',
    [
      { command: 'PLUGINBEGIN', body: '' },
      { command: 'COMMITBEGIN', body: '{ü}' },
      { command: 'PLUGINEND', body: '' },
    ],
  ],
  ['empty lines in a body belong to it', 'A\n\nb\n\nc\0', [{ command: 'A', body: 'b\n\nc' }]],
  ['one that breaks off does not count', 'A\n\n\0B\n\n{', [{ command: 'A', body: '' }]],
  ['garbage is an unknown command', 'garbage\0', [{ command: 'garbage', body: '' }]],
];
for (const [rule, text, expected] of conversations) {
  test(`frames: ${rule}`, async () => {
    for (const size of [1, 3, 4096]) assert.equal(await frames(text, size), expected);
  });
}

const step = (type: string | undefined, solvable: object): object => ({
  ...(type === undefined ? {} : { type }),
  solvable,
});
const commit = (...steps: object[]): string => JSON.stringify({ TransactionStepList: steps });
const solvable = { n: 'kata-runtime', v: '3.5.0', r: '1', a: 'x86_64' };

test('what comes in and what goes', () => {
  const { changes, manager, root } = parseCommit(
    commit(
      step('+', solvable),
      step('-', { n: 'kata-image', v: '3.2.0', r: '1', e: 2 }),
      step('M', { n: 'kernel', v: '6', r: '1', e: 0 }),
      step('?', { n: 'what' }),
      step(undefined, { n: 'pattern' }),
    ),
  );
  assert.equal([manager, root], ['zypper', '']);
  assert.equal(
    changes.map(({ name, oldVersion, newVersion, action }) => [name, oldVersion, newVersion, action]),
    [
      ['kata-runtime', null, '3.5.0-1', 'unpack'],
      ['kata-image', '2:3.2.0-1', null, 'remove'],
      ['kernel', null, '6-1', 'unpack'],
    ],
  );
});

test('adversary C8: a step that is not understood takes nothing away from the others, and is told', () => {
  const { changes, mistakes: told } = parseCommit(commit(step('+', { v: '1' }), step('+', solvable)));
  assert.is(changes.length, 1);
  assert.match(told?.[0] ?? '', /TransactionStepList\[0\]\.solvable has no name/);
});

const mistakes: readonly [rule: string, body: string, said: RegExp][] = [
  ['no JSON', '', /no JSON/],
  ['no steps', '{}', /TransactionStepList is no list/],
  ['null', 'null', /TransactionStepList is no list/],
  ['no name', commit(step('+', { v: '1' })), /TransactionStepList\[0\]\.solvable has no name/],
  ['no version', commit(step('-', { n: 'a' })), /\[0\]\.solvable has no name or no version/],
];
for (const [rule, body, said] of mistakes) {
  test(`an error with its place: ${rule}`, () => {
    assert.throws(
      () => parseCommit(body),
      (error: unknown) => error instanceof Corrupt && said.test(error.message),
    );
  });
}
