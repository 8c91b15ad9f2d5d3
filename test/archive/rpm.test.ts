import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Member } from '../../src/archive/members.ts';
import { readRpmFields, readRpmManifest, rpmMembers } from '../../src/archive/rpm.ts';
import { Corrupt, Io, LimitExceeded, NotFound } from '../../src/errors.ts';
import type { Host, RunOptions } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { temporaryFolder } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';

const test = suite('rpms');
const needs = ['rpm', 'rpmbuild', 'rpm2cpio'];
const host = createNodeHost();
const folder = temporaryFolder();
const deadline = (): number => host.now() + 60_000;

/** A node without these programs. */
function without(...programs: readonly string[]): Host {
  const check = ([name = '']: readonly string[]): void => {
    if (programs.includes(name)) throw new NotFound(`the program ${name} is not installed`);
  };
  return {
    ...rootedHost(host, ''),
    run: async (argv: readonly string[], options: RunOptions) => {
      check(argv);
      return host.run(argv, options);
    },
    async *stream(argv: readonly string[], options: RunOptions) {
      check(argv);
      yield* host.stream(argv, options);
    },
  };
}

async function failure(action: () => Promise<unknown>): Promise<Error> {
  try {
    await action();
  } catch (error) {
    return error as Error;
  }
  assert.unreachable('it was read');
  throw new Error();
}

async function membersOf(path: string, on: Host = host): Promise<(Member & { readonly length: number })[]> {
  const members: (Member & { readonly length: number })[] = [];
  for await (const member of rpmMembers(on, path, deadline())) {
    let length = 0;
    for await (const piece of member.pieces()) length += piece.length;
    members.push({ ...member, length });
  }
  return members;
}

const image = 'usr/share/kata-containers/kata.img';
const content = Buffer.alloc(300_001, 'kata');

for (const payload of ['w9.gzdio', 'w6.xzdio', 'w19.zstdio', 'w6.lzdio', 'w9.bzdio', 'w.ufdio']) {
  test(
    `payload ${payload}: fields, paths and members`,
    async () => {
      const path = makeRpm(folder, {
        name: `kata-image-${payload.slice(1).replace('.', '')}`,
        version: '1:3.5.0~rc1',
        provides: ['kata-agent = 1:3.5.0~rc1', 'acme(x, y) = 1', 'kata-agent-requires(max) = 4.0.0~alpha0'],
        files: { [image]: content, 'usr/share/näme': '' },
        payload,
      });
      const { name, ...fields } = await readRpmFields(host, path, deadline());
      assert.ok(name.startsWith('kata-image-'));
      assert.equal(fields, { version: '1:3.5.0~rc1-1', agentRequires: '<4.0.0-alpha0', agentVersion: '1:3.5.0~rc1' });
      const { files } = await readRpmManifest(host, path, deadline());
      assert.equal([...files.keys()].sort(), [`/${image}`, '/usr/share/näme']);
      const found = (await membersOf(path)).find((member) => member.path === image);
      assert.equal([found?.type, found?.size, found?.length], ['file', content.length, content.length]);
    },
    { needs },
  );
}

test(
  'hard links are one file, whose content stands with one of its names',
  async () => {
    const path = makeRpm(folder, {
      name: 'links',
      version: '1',
      files: { 'a/one': 'content', 'a/alone': 'x' },
      install: ['ln %{buildroot}/a/one %{buildroot}/a/two', 'mkfifo %{buildroot}/a/fifo'],
      adds: ['a/two', 'a/fifo'],
    });
    const members = new Map((await membersOf(path)).map((member) => [member.path, member]));
    const [one, two, alone, fifo] = ['one', 'two', 'alone', 'fifo'].map((name) => members.get(`a/${name}`));
    assert.ok(one?.identity);
    assert.is(one?.identity, two?.identity);
    assert.equal([one?.length, two?.length].sort(), [0, 7]);
    assert.equal([alone?.identity, fifo?.type], [null, 'other']);
  },
  { needs },
);

test(
  'the content of a member is taken or passed over, at will',
  async () => {
    const path = makeRpm(folder, { name: 'contents', version: '1', files: { a: 'first', b: 'second', c: 'third' } });
    const texts: string[] = [];
    for await (const member of rpmMembers(host, path, deadline())) {
      if (member.path === 'b') continue;
      assert.instance(await failure(() => member.content(4)), LimitExceeded);
      texts.push(Buffer.from(await member.content(5)).toString());
    }
    assert.equal(texts, ['first', 'third']);
  },
  { needs },
);

test(
  'without its programs: an error that names the one that is missing',
  async () => {
    const path = makeRpm(folder, { name: 'programs', version: '1' });
    const rpm = await failure(() => readRpmFields(without('rpm'), path, deadline()));
    assert.instance(rpm, NotFound);
    assert.match(rpm.message, /^the program rpm is not installed/);
    const rpm2cpio = await failure(() => membersOf(path, without('rpm2cpio')));
    assert.instance(rpm2cpio, NotFound);
    assert.match(rpm2cpio.message, /^the program rpm2cpio is not installed; it is in the package rpm2cpio or rpm$/);
  },
  { needs },
);

test(
  'broken off: in the lead, the header or the payload',
  async () => {
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at * 7919) >> 5));
    const whole = readFileSync(makeRpm(folder, { name: 'whole', version: '1', files: { noise } }));
    for (const [length, isHeader] of [
      [50, true],
      [150, true],
      [1000, true],
      [whole.length - 2000, false],
    ] as const) {
      const path = join(folder, `cut-${length}.rpm`);
      writeFileSync(path, whole.subarray(0, length));
      if (isHeader) {
        const error = await failure(() => readRpmFields(host, path, deadline()));
        assert.instance(error, Corrupt, `${length}: ${error}`);
        assert.ok(error.message.startsWith(`${path}: `));
      }
      const error = await failure(() => membersOf(path));
      assert.ok(error instanceof Io || error instanceof Corrupt, `${length}: ${error}`);
    }
  },
  { needs },
);

test(
  'the deadline holds',
  async () => {
    const path = makeRpm(folder, { name: 'late', version: '1' });
    assert.instance(await failure(() => readRpmFields(host, path, host.now() - 1)), LimitExceeded);
  },
  { needs },
);
