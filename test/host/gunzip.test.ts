import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { LimitExceeded } from '../../src/errors.ts';
import { gunzip, type Inflater } from '../../src/host/gunzip.ts';
import { forms, kataCheck } from '../e2e/program.ts';
import { guestTree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('gunzip');
const folder = temporaryFolder();

/** A stand-in whose members are one byte of length, then so many bytes as they are; 255 is an error. */
const stored: () => Inflater = () => {
  let left = -1;
  return {
    step(input, inputFrom, inputTo, output, outputFrom, outputTo) {
      const from = new Uint8Array(input);
      let at = inputFrom;
      if (left === -1) {
        if (at === inputTo) return [0, 0, 0];
        // Its magic number, which is the one of gzip, and the length behind it.
        if (inputTo - at < 3) return [0, 0, 0];
        left = from[at + 2] as number;
        at += 3;
        if (left === 255) return [3, 0, -3];
      }
      const count = Math.min(left, inputTo - at, outputTo - outputFrom);
      new Uint8Array(output).set(from.subarray(at, at + count), outputFrom);
      left -= count;
      if (left > 0) return [at + count - inputFrom, count, 0];
      left = -1;
      return [at + count - inputFrom, count, 1];
    },
  };
};

async function unpacked(content: readonly number[], step: number, outputLimit = 1000): Promise<string> {
  let at = 0;
  const read = (buffer: ArrayBufferLike, offset: number, length: number): number => {
    const piece = content.slice(at, at + Math.min(step, length));
    new Uint8Array(buffer).set(piece, offset);
    at += piece.length;
    return piece.length;
  };
  let text = '';
  try {
    for await (const piece of gunzip(stored(), read, { deadline: 1, outputLimit }, () => 0)) {
      text += Buffer.from(piece).toString('latin1');
    }
  } catch (error) {
    if (error instanceof LimitExceeded) throw error;
    text += `, ${(error as Error).message}`;
  }
  return text;
}

const member = (text: string): number[] => [0x1f, 0x8b, text.length, ...Buffer.from(text)];

for (const [rule, content, expected] of [
  ['one member', member('abc'), 'abc'],
  ['members in a row', [...member('abc'), ...member(''), ...member('de')], 'abcde'],
  ['zeros behind the last member', [...member('abc'), 0, 0, 0, 0, 0], 'abc'],
  ['something else behind a member', [...member('abc'), 0, 7, 7], 'abc, gzip failed with status 2: trailing garbage'],
  ['one byte behind a member', [...member('abc'), 0x1f], 'abc, gzip failed with status 2: trailing garbage'],
  ['a member that breaks off', member('abc').slice(0, 5), 'ab, gzip failed with status 1: unexpected end of file'],
  ['no member at all', [], ', gzip failed with status 1: unexpected end of file'],
  ['a broken member', [...member('abc'), 0x1f, 0x8b, 255], 'abc, gzip failed with status 1: invalid compressed data'],
] as const) {
  test(rule, async () => {
    assert.is(await unpacked(content, 100), expected);
    assert.is(await unpacked(content, 3), expected, 'three bytes at a time');
  });
}

test('more output than is taken', async () => {
  try {
    await unpacked(member('abcdef'), 100, 5);
  } catch (error) {
    assert.ok(error instanceof LimitExceeded);
    return;
  }
  throw new Error('there was no limit');
});

const packed = (() => {
  const tree = writeTree(join(folder, 'tree'), guestTree('3.31.0'));
  const archive = execFileSync('/bin/sh', ['-c', 'find . | cpio --quiet -H newc -o'], { cwd: tree });
  const whole = gzipSync(archive);
  const half = archive.length / 2;
  const damaged = (at: number): Buffer => {
    const copy = Buffer.from(whole);
    copy[at] = (copy[at] as number) ^ 0xff;
    return copy;
  };
  const zeros = Buffer.alloc(3000);
  return {
    'one member': whole,
    'two members': Buffer.concat([gzipSync(archive.subarray(0, half)), gzipSync(archive.subarray(half))]),
    'zeros behind': Buffer.concat([whole, zeros]),
    'zeros and an archive behind': Buffer.concat([whole, zeros, archive]),
    'zeros and a member behind': Buffer.concat([whole, zeros.subarray(0, 512), whole]),
    'text behind': Buffer.concat([whole, Buffer.from('no archive')]),
    'cut in the middle': whole.subarray(0, whole.length / 2),
    'cut in the length at its end': whole.subarray(0, -2),
    'another checksum': damaged(whole.length - 8),
    'another length': damaged(whole.length - 1),
    'another compression method': damaged(2),
    'damaged in the middle': damaged(whole.length / 2),
    'an empty member': gzipSync(''),
  };
})();

for (const [rule, content] of Object.entries(packed)) {
  test(
    `${rule}: libz in the native form says what the gzip program says in the other`,
    () => {
      const path = join(folder, `${rule.replaceAll(' ', '-')}.img`);
      writeFileSync(path, content);
      const [ofNode, ofNative] = forms.map((form) => {
        const [image] = JSON.parse(kataCheck(form, ['image', '--json', path]).stdout).images;
        // The gzip program says more of what is broken than libz does, and gives some bytes less of what came before a break.
        if (image.problem !== null)
          image.problem.message = image.problem.message
            .replace(/gzip failed.*/s, 'gzip failed')
            .replace(/byte \d+ of the plain stream/, 'byte N of the plain stream');
        return image;
      });
      assert.equal(ofNative, ofNode);
      if (rule === 'one member') assert.is(ofNative.agent.version, '3.31.0');
      if (rule === 'another checksum') assert.is(ofNative.problem?.kind, 'corrupt');
    },
    { needs: ['gzip', 'cpio', ...forms.flatMap(({ needs }) => needs)] },
  );
}

test('the stand-ins are what they are said to be', () => {
  assert.throws(() => gunzipSync(packed['another checksum']));
  assert.is(gunzipSync(packed['two members']).length, gunzipSync(packed['one member']).length);
});
