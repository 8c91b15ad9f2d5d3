import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { decompressBlock } from '../../src/read/lz4.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('lz4');

interface Options {
  readonly before?: string;
  readonly isPartial?: boolean;
}

/** Decompresses behind `before`, into a buffer with a guard behind the `size` bytes that may be written. */
function decompress(input: readonly number[] | Uint8Array, size: number, options: Options = {}): string {
  const before = Buffer.from(options.before ?? '', 'latin1');
  const end = before.length + size;
  const output = new Uint8Array(end + 64).fill(0xee);
  output.set(before);
  const stopped = decompressBlock({
    input: Uint8Array.from(input),
    output,
    start: before.length,
    end,
    isPartial: options.isPartial ?? false,
    what: 'the test block',
  });
  assert.ok(stopped <= end);
  assert.equal([...output.subarray(stopped)], new Array(output.length - stopped).fill(0xee), 'nothing behind the end');
  return Buffer.from(output.subarray(before.length, stopped)).toString('latin1');
}

const letters = [...Buffer.from('abcdefghijklmnop')];

const good: readonly [rule: string, input: readonly number[], expected: string, options?: Options][] = [
  ['no literals and no match: an empty block', [0], ''],
  ['three literals, copied one by one', [0x30, ...letters.slice(0, 3)], 'abc'],
  ['fourteen literals, the most without a further length', [0xe0, ...letters.slice(0, 14)], 'abcdefghijklmn'],
  ['fifteen literals: a further length of 0', [0xf0, 0, ...letters.slice(0, 15)], 'abcdefghijklmno'],
  ['270 literals: a further length of two bytes', [0xf0, 255, 0, ...new Array(270).fill(0x78)], 'x'.repeat(270)],
  ['a match that ends where it began', [0x40, ...letters.slice(0, 4), 4, 0, 0x10, 0x2e], 'abcdabcd.'],
  ['a match over one byte repeats it', [0x1f, 0x61, 1, 0, 3, 0x10, 0x2e], `${'a'.repeat(23)}.`],
  ['a match over two bytes repeats them', [0x2f, 0x61, 0x62, 2, 0, 2, 0x10, 0x2e], `${'ab'.repeat(11)}a.`],
  ['a match over three bytes repeats them', [0x34, 0x61, 0x62, 0x63, 3, 0, 0x10, 0x2e], 'abcabcabcab.'],
  ['a match into what stood before the block', [0x00, 4, 0, 0x10, 0x2e], 'wxyz.', { before: 'wxyz' }],
  ['partial: literals are cut', [0x80, ...letters.slice(0, 8)], 'abcde', { isPartial: true }],
  ['partial: a match is cut', [0x1f, 0x61, 1, 0, 200, 0x10, 0x2e], 'aaaaa', { isPartial: true }],
  ['partial: what follows is not looked at', [0x50, ...letters.slice(0, 5), 0, 0, 0xff], 'abcde', { isPartial: true }],
];

for (const [rule, input, expected, options] of good) {
  test(rule, () => assert.is(decompress(input, expected.length, options), expected));
}

const bad: readonly [rule: string, input: readonly number[], message: RegExp, options?: Options][] = [
  ['an empty input', [], /without its last literals/],
  ['a literal length that does not end', [0xf0, 255, 255], /ends inside a length/],
  ['literals that are not all there', [0x50, 0x61], /ends inside its literals/],
  ['partial: literals that are not all there', [0x50, 0x61], /ends inside its literals/, { isPartial: true }],
  ['a distance of one byte', [0x10, 0x61, 1], /ends inside a match/],
  ['a distance of 0', [0x10, 0x61, 0, 0, 0], /reaches back 0/],
  ['a distance to before the output', [0x10, 0x61, 2, 0, 0], /reaches back 2/],
  ['a match length that does not end', [0x1f, 0x61, 1, 0, 255], /ends inside a length/],
  ['more literals than fit', [0xf0, 0, ...letters.slice(0, 15)], /longer than 8/],
  ['a longer match than fits', [0x1f, 0x61, 1, 0, 0, 0x10, 0x2e], /longer than 8/],
  ['a match at the end', [0x10, 0x61, 1, 0], /without its last literals/],
  ['a match of 16 MiB by its length', [0x1f, 0x61, 1, 0, ...new Array(65536).fill(255), 0], /longer than 8/],
];

for (const [rule, input, message, options] of bad) {
  test(`${rule}: corrupt`, () => {
    assert.throws(
      () => decompress(input, 8, options),
      (error: unknown) => error instanceof Corrupt && message.test(error.message),
    );
  });
}

/** A sequence of bits that is the same in every run. */
function* seeded(seed: number): Generator<number, never> {
  let state = seed | 1;
  for (;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

/** The blocks of a frame that `lz4` wrote without checksums; [0] of each says whether it is compressed. */
function frameBlocks(frame: Buffer): [isCompressed: boolean, data: Buffer][] {
  const blocks: [boolean, Buffer][] = [];
  for (let at = 7; frame.readUInt32LE(at) !== 0; ) {
    const word = frame.readUInt32LE(at);
    const length = word & 0x7fffffff;
    blocks.push([word >>> 31 === 0, frame.subarray(at + 4, at + 4 + length)]);
    at += 4 + length;
  }
  return blocks;
}

function compress(content: Buffer, ...options: string[]): Buffer {
  return execFileSync('lz4', ['-q', '-c', '--no-frame-crc', ...options], { input: content, maxBuffer: 1 << 28 });
}

/** Words in an order of chance, runs of one byte, and bytes of chance: matches of every kind. */
function mixedContent(): Buffer {
  const chance = seeded(20180613);
  const next = () => chance.next().value;
  const parts: Buffer[] = [];
  for (let index = 0; index < 30_000; index += 1) {
    const kind = next() % 16;
    if (kind === 0) parts.push(Buffer.alloc(next() % 600, next()));
    else if (kind === 1) parts.push(Buffer.from(Array.from({ length: next() % 40 }, () => next())));
    else parts.push(Buffer.from(`word${next() % 500} `.repeat(1 + (next() % 3))));
  }
  return Buffer.concat(parts);
}

for (const [name, options] of [
  ['lz4 -1, blocks of 64 KiB', ['-1', '-B4', '-BI']],
  ['lz4 -12, blocks of 64 KiB', ['-12', '-B4', '-BI']],
  ['lz4 -9, blocks of 4 MiB', ['-9', '-B7', '-BI']],
  ['lz4 -9, blocks that depend on one another', ['-9', '-B4', '-BD']],
] as const) {
  test(
    `${name}: what was compressed comes back`,
    () => {
      const content = mixedContent();
      const output = new Uint8Array(content.length);
      let at = 0;
      for (const [isCompressed, input] of frameBlocks(compress(content, ...options))) {
        if (isCompressed) {
          at = decompressBlock({ input, output, start: at, end: output.length, isPartial: false, what: 'a block' });
        } else {
          output.set(input, at);
          at += input.length;
        }
      }
      assert.is(at, content.length);
      assert.is(Buffer.compare(output, content), 0);
    },
    { needs: ['lz4'] },
  );
}

test(
  'changed input is corrupt or decompresses inside its bounds',
  () => {
    const content = mixedContent().subarray(0, 60_000);
    const [first] = frameBlocks(compress(content, '-9', '-B4', '-BI'));
    const chance = seeded(4097);
    const next = () => chance.next().value;
    let corrupt = 0;
    for (let round = 0; round < 500; round += 1) {
      const input = Uint8Array.from(first?.[1] ?? []);
      for (let change = 0; change <= round % 4; change += 1) input[next() % input.length] = next();
      const isPartial = round % 2 === 0;
      try {
        assert.ok(decompress(input, content.length, { isPartial }).length <= content.length);
      } catch (error) {
        if (!(error instanceof Corrupt)) throw error;
        corrupt += 1;
      }
    }
    assert.ok(corrupt > 50, `${corrupt} of 500 were found out`);
  },
  { needs: ['lz4'] },
);

/** A block as both decoders get it. */
interface Given {
  readonly input: Uint8Array;
  /** As it is before. */
  readonly output: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly isPartial: boolean;
}

/** Where it ended and what the output is then; -1 for a bad block. */
function byTypeScript({ output, ...rest }: Given): { stopped: number; written: Buffer } {
  const written = Buffer.from(output);
  try {
    const stopped = decompressBlock({ ...rest, output: written, what: 'a block' });
    return { stopped, written };
  } catch (error) {
    if (!(error instanceof Corrupt)) throw error;
    return { stopped: -1, written };
  }
}

/** The native program's decoder, on buffers whose bounds are watched. */
function byNative(blocks: readonly Given[]): { stopped: number; written: Buffer }[] {
  const program = join(temporaryFolder(), 'lz4');
  const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  const header = join(import.meta.dirname, '../../packaging/native');
  const source = join(import.meta.dirname, '../packaging/lz4.c');
  execFileSync('gcc', ['-O1', '-g', ...checks, ...warnings, '-I', header, '-o', program, source]);
  const parts = blocks.flatMap(({ input, output, start, end, isPartial }) => {
    const head = Buffer.from(Uint32Array.of(input.length, output.length, start, end, isPartial ? 1 : 0).buffer);
    return [head, input, output];
  });
  const given = execFileSync(program, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
  let at = 0;
  return blocks.map(({ output }) => {
    const stopped = Number(given.readBigInt64LE(at));
    const written = given.subarray(at + 8, at + 8 + output.length);
    at += 8 + output.length;
    return { stopped, written };
  });
}

/** Good blocks, then cut, lengthened, changed and of chance, into outputs of the right size and of others. */
function givenBlocks(): Given[] {
  const chance = seeded(271828);
  const below = (limit: number): number => chance.next().value % limit;
  const content = mixedContent().subarray(0, 40_000);
  const real = frameBlocks(compress(content, '-9', '-B4', '-BI')).map(([, data]) => ({ data, size: content.length }));
  const rows = [...good, ...bad].map(([, input]) => ({ data: Buffer.from(input), size: 64 }));
  const sources = [...rows, ...real, ...real, ...real];
  const damaged = (data: Buffer): Buffer => {
    switch (below(6)) {
      case 0:
        return data.subarray(0, below(data.length + 1));
      case 1:
        return Buffer.concat([data, Buffer.from(Array.from({ length: 1 + below(40) }, () => below(256)))]);
      case 2:
        return Buffer.concat([data, data]);
      case 3: {
        const copy = Buffer.from(data);
        for (let left = below(4); left >= 0 && copy.length > 0; left -= 1) copy[below(copy.length)] = below(256);
        return copy;
      }
      case 4:
        // Short matches that run into themselves, and lengths without an end.
        return Buffer.from(
          Array.from({ length: below(60) }, () => [0, 1, 2, 0x0f, 0x1f, 0xf0, 255, below(256)][below(8)] as number),
        );
      default:
        return data;
    }
  };
  return Array.from({ length: 6000 }, () => {
    const { data, size } = sources[below(sources.length)] as (typeof sources)[number];
    const start = [0, 0, below(20), below(70_000)][below(4)] as number;
    const room = [size, size, below(size + 1), size + below(300)][below(4)] as number;
    const behind = below(3) === 0 ? below(50) : 0;
    const output = new Uint8Array(start + room + behind);
    for (let at = 0; at < start; at += 1) output[at] = at * 7;
    output.fill(0xee, start);
    return { input: damaged(data), output, start, end: start + room, isPartial: below(2) === 0 };
  });
}

test(
  "the native program's decoder gives the same bytes, calls the same blocks bad and keeps to its bounds",
  () => {
    const blocks = givenBlocks();
    const outcomes = { good: 0, bad: 0 };
    for (const [index, { stopped, written }] of byNative(blocks).entries()) {
      const block = blocks[index] as Given;
      const expected = byTypeScript(block);
      const what = `block ${index}: ${Buffer.from(block.input).toString('hex').slice(0, 200)}`;
      assert.is(stopped, expected.stopped, what);
      if (stopped === -1) {
        outcomes.bad += 1;
        // What a bad block leaves is not looked at, but nothing outside its room is touched.
        assert.ok(
          written.subarray(block.end).every((byte) => byte === 0xee) &&
            written.subarray(0, block.start).equals(block.output.subarray(0, block.start)),
          what,
        );
      } else {
        outcomes.good += 1;
        assert.ok(written.equals(expected.written), what);
      }
    }
    assert.ok(outcomes.good > 1000 && outcomes.bad > 1000, JSON.stringify(outcomes));
  },
  { needs: ['gcc', 'lz4'], timeout: 120 },
);
