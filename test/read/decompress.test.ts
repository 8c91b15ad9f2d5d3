import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Corrupt, Io, LimitExceeded, NotFound, Problem, Unsupported } from '../../src/errors.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { type Compression, compressionOf, decompress, isCpio } from '../../src/read/decompress.ts';
import { Budget, Source } from '../../src/read/source.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('decompress');
const host = createNodeHost();
const folder = temporaryFolder();
let files = 0;

function sourceOf(...parts: readonly Uint8Array[]): Source {
  files += 1;
  const file = join(folder, `${files}`);
  writeFileSync(file, Buffer.concat(parts));
  return new Source(host.open(file), new Budget(host, host.now() + 60_000));
}

function compress(program: string, options: readonly string[], bytes: Uint8Array): Buffer {
  return execFileSync(program, [...options], { input: bytes, maxBuffer: 1 << 28 });
}

function existing(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const list: Uint8Array[] = [];
  for await (const chunk of chunks) list.push(chunk.slice());
  return Buffer.concat(list);
}

async function thrown(action: Promise<unknown>): Promise<Error> {
  try {
    await action;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

function formOf(bytes: Uint8Array): Compression {
  const form = compressionOf(bytes);
  assert.ok(form);
  return form as Compression;
}

const noise = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * index * 7) >> 9));
const mixed = Buffer.concat([noise, Buffer.alloc(500_000), noise.subarray(0, 1000)]);

const writers: readonly [name: string, program: string, options: readonly string[]][] = [
  ['gzip', 'gzip', ['-c']],
  ['gzip', 'gzip', ['-1c']],
  ['zstd', 'zstd', ['-qc']],
  ['zstd', 'zstd', ['-qc', '-19', '--no-check']],
  ['xz', 'xz', ['-c']],
  ['xz', 'xz', ['-c', '--check=none', '--block-size=100000']],
  ['xz', 'xz', ['-c', '--check=sha256']],
  ['lz4', 'lz4', ['-qc']],
  ['lz4', 'lz4', ['-qc', '-BX', '-B4', '--no-frame-crc']],
  ['lz4', 'lz4', ['-lqc']],
  ['bzip2', 'bzip2', ['-c']],
];

for (const [name, program, options] of writers) {
  test(
    `${program} ${options.join(' ')}: is recognised, decompressed from its offset, and its end is found`,
    async () => {
      const packed = compress(program, options, mixed);
      const form = formOf(packed);
      assert.is(form.name, name);
      const source = sourceOf(Buffer.alloc(333, 1), packed);
      assert.is(Buffer.compare(await all(decompress(host, form, source, 333)), mixed), 0);
      // What follows: zeros to the end and an archive for all, since gzip's end shows only before another magic.
      for (const gap of [4, 100_000]) {
        const followed = sourceOf(Buffer.alloc(333, 1), packed, Buffer.alloc(gap), Buffer.from('070701'));
        const end = form.findEnd(followed, 333, mixed.length);
        assert.is(end, 333 + packed.length);
      }
      if (name !== 'gzip') assert.is(form.findEnd(source, 333, mixed.length), 333 + packed.length);
    },
    { needs: [program] },
  );
}

test(
  'the end of bzip2 is found wherever its mark begins in a byte, and past a stream that follows at once',
  () => {
    const begins = new Set<number>();
    for (let length = 1; length < 40; length += 1) {
      const packed = compress('bzip2', ['-c'], mixed.subarray(0, length));
      begins.add((packed.at(-1) as number) & -(packed.at(-1) as number));
      const bzip2 = formOf(packed);
      for (const behind of [
        Buffer.from('070701'),
        Buffer.from([0, 0, 0, ...packed]),
        Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]),
      ]) {
        const twice = sourceOf(Buffer.alloc(7, 1), packed, packed, behind);
        assert.is(bzip2.findEnd(twice, 7, 2 * length), 7 + 2 * packed.length, `${length} bytes`);
      }
      assert.is(bzip2.findEnd(sourceOf(packed, Buffer.from('junk')), 0, length), undefined);
      assert.is(bzip2.findEnd(sourceOf(packed), 0, length), packed.length);
    }
    assert.ok(begins.size > 5, 'streams that end anywhere in a byte');
  },
  { needs: ['bzip2'] },
);

test(
  'the end of several frames of one form in a row is the end of the last',
  () => {
    const skippable = Buffer.concat([Buffer.from([0x52, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.alloc(5, 7)]);
    for (const [name, program, options] of writers.filter(([writer]) => writer !== 'gzip')) {
      const one = compress(program, options, mixed);
      const two = compress(program, options, noise);
      const isFramed = name === 'zstd' || (name === 'lz4' && !options.includes('-lqc'));
      const whole = Buffer.concat([one, ...(isFramed ? [skippable] : []), two]);
      const end = formOf(one).findEnd(sourceOf(whole, Buffer.alloc(8), Buffer.from('070701')), 0, 0);
      assert.is(end, whole.length, `${program} ${options.join(' ')}`);
    }
  },
  { needs: ['zstd', 'xz', 'lz4'] },
);

test('plain cpio and everything else is no compression', () => {
  assert.ok(isCpio(Buffer.from('070701')));
  assert.ok(isCpio(Buffer.from('070702')));
  assert.not(isCpio(Buffer.from('070707')));
  assert.not(isCpio(Buffer.from('07070')));
  for (const bytes of ['070701', '', '\x1f', 'BZ', '\0\0\0\0\0\0']) {
    assert.is(compressionOf(Buffer.from(bytes, 'latin1')), undefined, JSON.stringify(bytes));
  }
});

test('lzma and lzo are unsupported, by their names', () => {
  assert.throws(
    () => compressionOf(Uint8Array.of(0x5d, 0, 0, 0x80)),
    (error: Error) => error instanceof Unsupported && /lzma/.test(error.message),
  );
  assert.throws(
    () => compressionOf(Uint8Array.of(0x89, 0x4c, 0x5a, 0x4f)),
    (error: Error) => error instanceof Unsupported && /lzo/.test(error.message),
  );
});

/** How a host's error comes out. */
const translations: readonly [rule: string, given: Error, kind: new (message: string) => Problem, message: RegExp][] = [
  [
    'a missing program names its package',
    new NotFound('the program zstd is not installed'),
    NotFound,
    /program zstd is not installed; it is in the package zstd/,
  ],
  [
    'a missing file stays as it is',
    new NotFound('/zstd: no such file or directory'),
    NotFound,
    /^\/zstd: no such file or directory$/,
  ],
  [
    'a stream that is cut is corrupt, in our words',
    new Io('zstd failed with status 1: /*stdin*\\ : Read error (39) : premature end'),
    Corrupt,
    /^zstd stream from byte 0 of .*: ends too early$/,
  ],
  ['bad data are corrupt', new Io('zstd failed with status 1: Corrupted block'), Corrupt, /: the data are broken$/],
  [
    'too much memory is a limit',
    new Io('zstd failed with status 1: Frame requires too much memory'),
    LimitExceeded,
    /memory/,
  ],
  ['a program ended by a signal says nothing of the data', new Io('zstd failed with status 137: '), Io, /137/],
  ['the deadline stays a limit', new LimitExceeded('zstd did not end before the deadline'), LimitExceeded, /deadline/],
];

for (const [rule, given, kind, message] of translations) {
  test(rule, async () => {
    const failing = {
      // biome-ignore lint/correctness/useYield: it fails at once.
      async *stream(): AsyncGenerator<Uint8Array> {
        throw given;
      },
    };
    const form = formOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd));
    const error = await thrown(all(decompress(failing, form, sourceOf(noise), 0)));
    assert.is(error.constructor.name, kind === Corrupt ? 'DecompressorFailed' : kind.name);
    assert.instance(error, kind);
    assert.match(error.message, message);
  });
}

test(
  'leaving the loop early ends the decompressor',
  async () => {
    const packed = compress('gzip', ['-c'], Buffer.alloc(1 << 26));
    const source = sourceOf(packed);
    /** Only those that have not ended: the parent may not yet have waited for one that has. */
    const children = (): string[] =>
      readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
        .split(' ')
        .filter((pid) => pid !== '' && /\(gzip\) [^Z]/.test(existing(`/proc/${pid}/stat`)));
    for await (const chunk of decompress(host, formOf(packed), source, 0)) {
      assert.ok(chunk.length > 0);
      assert.is(children().length, 1);
      break;
    }
    for (let tries = 0; tries < 100 && children().length > 0; tries += 1)
      await new Promise((done) => setTimeout(done, 10));
    assert.is(children().length, 0);
  },
  { needs: ['gzip'] },
);

test(
  'changed bytes give some end, none, or a problem',
  () => {
    let others = 0;
    for (const [, program, options] of writers) {
      const packed = compress(program, options, noise.subarray(0, 20_000));
      const form = formOf(packed);
      const tail = Buffer.concat([packed, Buffer.alloc(9), Buffer.from('070701')]);
      const right = form.findEnd(sourceOf(tail), 0, 20_000);
      for (let seed = 1; seed <= 60; seed += 1) {
        const changed = Buffer.from(tail);
        // At the start stand most lengths, at the end an index and a footer.
        const at = seed % 2 === 0 ? 6 + ((seed * 7) % 24) : packed.length - 1 - ((seed * 5) % 40);
        changed[at] = (changed[at] ?? 0) ^ (1 + ((seed * 89) & 254));
        try {
          const end = form.findEnd(sourceOf(changed), 0, 20_000);
          assert.ok(end === undefined || end > 0);
          if (end !== right) others += 1;
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          others += 1;
        }
      }
    }
    assert.ok(others > 30, `${others}`);
  },
  { needs: ['gzip', 'zstd', 'xz', 'lz4', 'bzip2'] },
);
