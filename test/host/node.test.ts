import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { Io, LimitExceeded, NotFound } from '../../src/errors.ts';
import { besidePath, readAll, temporaryDirectories } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the host on Node.js');
const host = createNodeHost();
const folder = temporaryFolder();
const megabyte = 1 << 20;

const at = (name: string): string => join(folder, name);
writeFileSync(at('file'), '0123456789');
writeFileSync(at('empty'), '');
writeFileSync(at('zeros'), Buffer.alloc(3 * megabyte));
symlinkSync('file', at('link'));
symlinkSync('none', at('dangling'));
symlinkSync('loop', at('loop'));
mkdirSync(at('directory'));
writeFileSync(at('not-executable'), '#!/bin/sh\n');
run('mkfifo', at('fifo'));
chmodSync(at('file'), 0o640);

const soon = (): number => host.now() + 200;
const late = (): number => host.now() + 60_000;
const options = { outputLimit: megabyte };

async function failure(action: () => unknown): Promise<Error> {
  try {
    await action();
  } catch (error) {
    return error as Error;
  }
  assert.unreachable('nothing was thrown');
  throw new Error();
}

type Kind = typeof Io | typeof LimitExceeded | typeof NotFound;

function socket(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(path, () => resolve(server));
  });
}

const unreadable: readonly [rule: string, path: string, kind: Kind, said: RegExp][] = [
  ['a file that is not there', at('none'), NotFound, /\/none: no such file or directory$/],
  ['below a file', at('file/x'), NotFound, /\/file\/x: no such file or directory$/],
  ['a dangling link', at('dangling'), NotFound, /no such file or directory$/],
  ['a link to itself', at('loop'), Io, /\/loop: too many symbolic links encountered$/],
  ['a name over the limit', at('n'.repeat(300)), Io, /name too long$/],
  ['a zero byte in the path, which no file has', at('a\0b'), NotFound, /no such file or directory$/],
  ['a directory', at('directory'), Io, /\/directory: is a directory, not a regular file$/],
  ['a FIFO, without waiting for a writer', at('fifo'), Io, /\/fifo: is .*FIFO.*, not a regular file$/],
  ['a device', '/dev/zero', Io, /^\/dev\/zero: is a device, not a regular file$/],
];

for (const [rule, path, kind, said] of unreadable) {
  test(
    `not read: ${rule}`,
    async () => {
      for (const action of [() => host.open(path), () => host.readText(path, megabyte)]) {
        const error = await failure(action);
        assert.instance(error, kind, `${error}`);
        assert.match(error.message, said);
      }
    },
    { timeout: 20 },
  );
}

test('not read: a socket', async () => {
  const server = await socket(at('socket'));
  try {
    assert.is(host.status(at('socket'))?.kind, 'other');
    assert.instance(await failure(() => host.open(at('socket'))), Io);
  } finally {
    server.close();
  }
});

test('a file is read exactly, or not at all', async () => {
  const file = host.open(at('file'));
  const text = (offset: number, length: number): string => Buffer.from(file.read(offset, length)).toString();
  assert.is(file.size, 10);
  assert.equal([text(0, 10), text(3, 4), text(10, 0)], ['0123456789', '3456', '']);
  const error = await failure(() => file.read(8, 5));
  assert.instance(error, Io);
  assert.match(error.message, /\/file: ends at byte 10, before byte 13$/);
  file.close();
});

test('readText: to the end, decoded, and not over the limit', async () => {
  writeFileSync(at('text'), 'süß\n');
  assert.is(host.readText(at('text'), 6), 'süß\n');
  assert.is(host.readText(at('empty'), 0), '');
  assert.is(host.readText(at('link'), 10), '0123456789');
  const error = await failure(() => host.readText(at('text'), 5));
  assert.instance(error, LimitExceeded);
  assert.match(error.message, /\/text: larger than 5 bytes$/);
  assert.match((await failure(() => host.readText(at('zeros'), megabyte))).message, /larger than 1048576 bytes$/);
});

test('readBytes: as they are, also below /proc, and not over the limit', () => {
  assert.is(Buffer.from(host.readBytes('/proc/self/cmdline', 100_000)).includes(0), true);
  assert.throws(() => host.readBytes('/proc/self/cmdline', 1), /larger than 1 bytes/);
});

test('readText: a file below /proc, whose size is 0', () => {
  assert.is(host.status('/proc/self/status')?.size, 0);
  assert.match(host.readText('/proc/self/status', megabyte), new RegExp(`^Pid:\\s*${process.pid}$`, 'm'));
});

test('status is of the path itself', async () => {
  const kinds = ['file', 'directory', 'link', 'dangling', 'fifo', 'none', 'file/x'].map(
    (name) => host.status(at(name))?.kind,
  );
  assert.equal(kinds, ['file', 'directory', 'symlink', 'symlink', 'other', undefined, undefined]);
  assert.is(host.status('/dev/null')?.kind, 'device');
  const { identity, ...rest } = host.status(at('file')) ?? { identity: '' };
  assert.equal(rest, { kind: 'file', size: 10, mode: 0o640, owner: process.geteuid?.() ?? -1 });
  assert.is(host.status(at('directory/../file'))?.identity, identity);
  assert.is.not(host.status(at('directory'))?.identity, identity);
  assert.instance(await failure(() => host.status(at('loop/x'))), Io);
});

test('links and directories', async () => {
  assert.is(host.readLink(at('dangling')), 'none');
  assert.instance(await failure(() => host.readLink(at('none'))), NotFound);
  assert.instance(await failure(() => host.readLink(at('file'))), Io);
  assert.ok(host.readDirectory(folder).includes('file'));
  assert.not.ok(host.readDirectory(folder).includes('.'));
  assert.instance(await failure(() => host.readDirectory(at('none'))), NotFound);
  assert.instance(await failure(() => host.readDirectory(at('file'))), NotFound);
});

/** What `sh -c` of it gives. */
async function shell(
  script: string,
  more: Partial<Parameters<typeof host.run>[1]> = {},
): Promise<[number, string, string]> {
  const { status, stdout, stderr } = await host.run(['sh', '-c', script], { deadline: late(), ...options, ...more });
  return [status, Buffer.from(stdout).toString(), stderr];
}

const runs: readonly [rule: string, script: string, status: number, stdout: string, stderr: string][] = [
  ['output, error output and status', 'echo out; echo err >&2; exit 3', 3, 'out\n', 'err\n'],
  ['no output', 'true', 0, '', ''],
  ['input is empty', 'cat; echo end', 0, 'end\n', ''],
  ['a signal is 128 and its number', 'kill -KILL $$', 137, '', ''],
  ['another signal', 'echo before; kill -TERM $$', 143, 'before\n', ''],
  ['it begins in /', 'pwd', 0, '/\n', ''],
  ['it leads a process group of its own', 'test "$(ps -o pgid= -p $$ | tr -d " ")" = $$', 0, '', ''],
];

for (const [rule, script, status, stdout, stderr] of runs) {
  test(
    `run: ${rule}`,
    async () => {
      assert.equal(await shell(script), [status, stdout, stderr]);
    },
    { needs: ['sh', 'ps'] },
  );
}

test('run: of the environment nothing comes along', async () => {
  process.env.KATA_CHECK_SECRET = 'hunter2';
  process.env.LD_PRELOAD_NOT = 'x';
  try {
    const { stdout } = await host.run(['env'], { deadline: late(), ...options });
    // Node.js itself hands this one on, so that coverage reaches child processes.
    const lines = Buffer.from(stdout).toString().trim().split('\n');
    assert.equal(lines.filter((line) => !line.startsWith('NODE_V8_COVERAGE=')).sort(), [
      'LC_ALL=C',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  } finally {
    delete process.env.KATA_CHECK_SECRET;
    delete process.env.LD_PRELOAD_NOT;
  }
});

test("run: a program is not looked up in the caller's PATH", async () => {
  writeFileSync(at('kata-check-test-program'), '#!/bin/sh\necho found\n', { mode: 0o755 });
  const before = process.env.PATH;
  process.env.PATH = `${folder}:${before}`;
  try {
    const error = await failure(() => host.run(['kata-check-test-program'], { deadline: late(), ...options }));
    assert.instance(error, NotFound);
    assert.is(error.message, 'the program kata-check-test-program is not installed');
    const { stdout } = await host.run([at('kata-check-test-program')], { deadline: late(), ...options });
    assert.is(Buffer.from(stdout).toString(), 'found\n');
  } finally {
    process.env.PATH = before;
  }
});

const notRun: readonly [rule: string, program: string, kind: Kind, said: RegExp][] = [
  ['no such program', 'no-such-program', NotFound, /^the program no-such-program is not installed$/],
  ['no such path', '/none/program', NotFound, /^the program \/none\/program is not installed$/],
  ['a file that may not be executed', at('not-executable'), Io, /not-executable could not be run: /],
  ['a directory', at('directory'), Io, /directory could not be run: /],
  ['a dangling link', at('dangling'), Io, /dangling could not be run: /],
];

for (const [rule, program, kind, said] of notRun) {
  test(`not run: ${rule}`, async () => {
    for (const action of [
      () => host.run([program], { deadline: late(), ...options }),
      async () => {
        for await (const piece of host.stream([program], { deadline: late(), ...options })) assert.ok(piece);
      },
    ]) {
      const error = await failure(action);
      assert.instance(error, kind, `${error}`);
      assert.match(error.message, said);
    }
  });
}

test('run: an argument with a zero byte is an error of ours', async () => {
  assert.instance(await failure(() => host.run(['echo', 'a\0b'], { deadline: late(), ...options })), Io);
});

test('run: input is the file from the offset on', async () => {
  const file = host.open(at('file'));
  assert.equal(await shell('cat', { input: { file, offset: 4 } }), [0, '456789', '']);
  assert.equal(await shell('cat', { input: { file, offset: 10 } }), [0, '', '']);
  assert.equal(await shell('cat', { input: { file, offset: 0 } }), [0, '0123456789', '']);
  assert.equal(Buffer.from(file.read(2, 3)).toString(), '234');
  file.close();
});

test('run: input that is not read does no harm', async () => {
  const file = host.open(at('zeros'));
  assert.equal(await shell('exit 5', { input: { file, offset: 0 } }), [5, '', '']);
  assert.equal(await shell('head -c 2 | tr "\\0" x', { input: { file, offset: 1 } }), [0, 'xx', '']);
  file.close();
});

/** Of this process, by what the kernel says of its descriptors. */
function unnamed(): Stats[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const path = `/proc/self/fd/${name}`;
      return /\/kata-check-[0-9a-f]{24} \(deleted\)$/.test(readlinkSync(path)) ? [statSync(path)] : [];
    } catch {
      return [];
    }
  });
}

test('temporary files: what was written is read, by this process and by programs, from any place', async () => {
  const file = host.temporaryFile('a test');
  assert.is(file.size, 0);
  file.write(Buffer.from('0123'));
  file.write(Buffer.from('456789').subarray(0, 6));
  assert.equal([file.size, file.path], [10, 'a test']);
  assert.equal(await shell('cat', { input: { file, offset: 4 } }), [0, '456789', '']);
  assert.is(Buffer.from(file.read(2, 3)).toString(), '234');
  file.write(Buffer.from('ab'));
  assert.is(Buffer.from(file.read(8, 4)).toString(), '89ab');
  assert.match((await failure(() => file.read(8, 5))).message, /^a test: ends at byte 12/);
  file.close();
});

test('temporary files: zeros become a hole, and the file is as long as what was written', async () => {
  const file = host.temporaryFile('a test');
  const zeros = Buffer.alloc(3 * megabyte);
  file.write(Buffer.from('begin'));
  file.write(zeros);
  file.write(Buffer.from('end'));
  file.write(zeros);
  assert.is(file.size, 6 * megabyte + 8);
  assert.is(Buffer.from(file.read(3 * megabyte + 3, 7)).toString(), '\0\0end\0\0');
  assert.equal(await shell('wc -c', { input: { file, offset: 0 } }), [0, `${6 * megabyte + 8}\n`, '']);
  assert.ok(file.read(6 * megabyte, 8).every((byte) => byte === 0));
  assert.ok(unnamed().every(({ blocks }) => blocks * 512 < megabyte));
  file.close();
});

test('temporary files: they have no name, and are for this user only', () => {
  const named = (): string[] =>
    temporaryDirectories.flatMap((path) => readdirSync(path).filter((name) => /^kata-check-[0-9a-f]{24}$/.test(name)));
  const before = named();
  const file = host.temporaryFile('a test');
  assert.equal(named(), before);
  assert.equal(
    unnamed().map(({ mode, nlink }) => [mode & 0o777, nlink]),
    [[0o600, 0]],
  );
  file.close();
});

test('run: the error output is cut at 4096 bytes and the program goes on', async () => {
  const [status, stdout, stderr] = await shell('yes error | head -c 300000 >&2; echo done');
  assert.equal([status, stdout, stderr.length], [0, 'done\n', 4096]);
});

test('run: more output than asked for', async () => {
  const error = await failure(() => host.run(['yes'], { deadline: late(), outputLimit: 100_000 }));
  assert.instance(error, LimitExceeded);
  assert.is(error.message, 'yes gave more than 100000 bytes');
  assert.is((await shell('head -c 1048576 /dev/zero'))[1].length, megabyte);
});

/** A zombie that nobody waits for has ended too. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function ends(pid: number): Promise<boolean> {
  assert.ok(pid > 1);
  for (let tries = 0; tries < 500 && isAlive(pid); tries += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  return !isAlive(pid);
}

const endless: readonly [rule: string, script: string][] = [
  ['the program itself', 'echo $$ >&3; exec sleep 1000'],
  ['a child that ignores what can be ignored', 'trap "" TERM INT HUP PIPE; echo $$ >&3; while :; do sleep 1; done'],
  ['a grandchild that holds the pipe though its parent has ended', 'sleep 1000 & echo $! >&3'],
  ['a program that closed its output', 'echo $$ >&3; exec sleep 1000 >/dev/null 2>&1'],
  ['a grandchild that writes for ever', '(while :; do echo x; sleep 1; done) & echo $! >&3'],
];

for (const [index, [rule, script]] of endless.entries()) {
  const pidFile = at(`pid-${index}`);
  const pid = (): number => Number(readFileSync(pidFile, 'utf8'));

  test(
    `killed at the deadline: ${rule}`,
    async () => {
      const error = await failure(() => shell(`exec 3>${pidFile}; ${script}`, { deadline: soon() }));
      assert.instance(error, LimitExceeded);
      assert.is(error.message, 'sh did not end before the deadline');
      assert.ok(await ends(pid()));
    },
    { timeout: 60 },
  );

  test(
    `killed when its stream is left: ${rule}`,
    async () => {
      const argv = ['sh', '-c', `exec 3>${pidFile}; echo first; ${script}`];
      for await (const piece of host.stream(argv, { deadline: late(), ...options })) {
        assert.is(Buffer.from(piece).toString().slice(0, 6), 'first\n');
        for (let tries = 0; tries < 500 && readFileSync(pidFile).length === 0; tries += 1)
          await new Promise((resolve) => setTimeout(resolve, 10));
        break;
      }
      assert.ok(await ends(pid()));
    },
    { timeout: 60 },
  );
}

const escaped: readonly [rule: string, redirection: string][] = [
  ['the output', ''],
  ['the error output alone', '>/dev/null'],
];

for (const [rule, redirection] of escaped) {
  test(
    `a process that left the group with ${rule} does not keep us beyond the deadline`,
    async () => {
      const pidFile = at('pid-session');
      const script = `setsid sh -c 'echo $$ >${pidFile}; exec sleep 1000' ${redirection} & wait`;
      const error = await failure(() => shell(script, { deadline: soon() }));
      process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
      assert.instance(error, LimitExceeded);
      assert.is(error.message, 'sh did not end before the deadline');
    },
    { needs: ['setsid'], timeout: 60 },
  );
}

test(
  'a deadline that is over kills at once',
  async () => {
    assert.instance(await failure(() => shell('sleep 1000', { deadline: host.now() - 1 })), LimitExceeded);
  },
  { timeout: 60 },
);

test('stream: pieces in order, and a status that is not 0 at its end', async () => {
  let text = '';
  const error = await failure(async () => {
    const argv = ['sh', '-c', 'seq 20000; echo reason >&2; exit 3'];
    for await (const piece of host.stream(argv, { deadline: late(), ...options }))
      text += Buffer.from(piece).toString();
  });
  assert.is(text, Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(''));
  assert.instance(error, Io);
  assert.is(error.message, 'sh failed with status 3: reason');
});

test('stream: more output than asked for', async () => {
  let total = 0;
  const error = await failure(async () => {
    for await (const piece of host.stream(['yes'], { deadline: late(), outputLimit: 100_000 })) total += piece.length;
  });
  assert.instance(error, LimitExceeded);
  assert.ok(total <= 100_000);
});

test('an interrupt ends the programs that run, and us', async () => {
  const pidFile = at('pid-interrupt');
  const program = at('interrupted.mjs');
  writeFileSync(
    program,
    `import { createNodeHost } from ${JSON.stringify(join(import.meta.dirname, '../../src/host/node.ts'))};
const host = createNodeHost();
const script = 'sleep 1000 & echo $! >${pidFile}; kill -INT ' + process.pid + '; wait';
await host.run(['sh', '-c', script], { deadline: host.now() + 60000, outputLimit: 10 });`,
  );
  const { status } = spawnSync(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    timeout: 60_000,
  });
  assert.is(status, 130);
  assert.ok(await ends(Number(readFileSync(pidFile, 'utf8'))));
});

test('the last deadline ends us, and the program that is waited for', async () => {
  const pidFile = at('pid-end');
  const program = at('ended.mjs');
  writeFileSync(
    program,
    `import { createNodeHost } from ${JSON.stringify(join(import.meta.dirname, '../../src/host/node.ts'))};
const host = createNodeHost();
host.endAt(host.now() + 100, 3);
host.endAt(host.now() + 100000, 3);
const output = host.stream(['sh', '-c', 'echo $$ | tee ${pidFile}; exec sleep 1000'], { deadline: host.now() + 60000, outputLimit: 10 });
for await (const pid of output) host.endAt(host.now() + 100, 42);`,
  );
  const { status } = spawnSync(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    timeout: 60_000,
  });
  assert.is(status, 42);
  assert.ok(await ends(Number(readFileSync(pidFile, 'utf8'))));
});

test('the last deadline does not keep a program that is done', () => {
  const program = at('done.mjs');
  writeFileSync(
    program,
    `import { createNodeHost } from ${JSON.stringify(join(import.meta.dirname, '../../src/host/node.ts'))};
const host = createNodeHost();
host.endAt(host.now() + 1000000, 42);`,
  );
  const { status } = spawnSync(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    timeout: 60_000,
  });
  assert.is(status, 0);
});

const descriptors: readonly [rule: string, open: () => number, expected: string][] = [
  ['a file, from where it stands', () => openSync(at('file'), 'r'), '0123456789'],
  ['nothing', () => openSync('/dev/null', 'r'), ''],
  [
    'a pipe to its end',
    () => {
      const descriptor = openSync(at('fifo'), constants.O_RDONLY | constants.O_NONBLOCK);
      const writer = openSync(at('fifo'), 'w');
      writeSync(writer, 'through a pipe');
      closeSync(writer);
      return descriptor;
    },
    'through a pipe',
  ],
];

for (const [rule, open, expected] of descriptors) {
  test(`input: ${rule}`, async () => {
    const bytes = await readAll(host, open(), megabyte, late());
    assert.is(Buffer.from(bytes).toString(), expected);
  });
}

const badDescriptors: readonly [rule: string, open: () => number, kind: Kind, said: RegExp][] = [
  ['it is not open', () => 999, Io, /^descriptor 999: bad file descriptor$/],
  ['a directory', () => openSync(folder, 'r'), Io, /illegal operation on a directory$/],
  // Open for writing too, it never ends by itself.
  ['a pipe that never ends', () => openSync(at('fifo'), 'r+'), LimitExceeded, /did not end before the deadline$/],
  ['a device that never ends', () => openSync('/dev/zero', 'r'), LimitExceeded, /more than 1048576 bytes$/],
  ['a file over the limit', () => openSync(at('zeros'), 'r'), LimitExceeded, /more than 1048576 bytes$/],
];

for (const [rule, open, kind, said] of badDescriptors) {
  test(
    `input refuses: ${rule}`,
    async () => {
      const error = await failure(() => readAll(host, open(), megabyte, soon()));
      assert.instance(error, kind, `${error}`);
      assert.match(error.message, said);
    },
    { timeout: 60 },
  );
}

test(
  'input refuses: a pipe over the limit that goes on',
  async () => {
    const descriptor = openSync(at('fifo'), 'r+');
    writeSync(descriptor, 'x'.repeat(2000));
    const error = await failure(() => readAll(host, descriptor, 1999, late()));
    assert.instance(error, LimitExceeded);
    assert.match(error.message, /more than 1999 bytes$/);
  },
  { timeout: 60 },
);

const replacements: readonly [rule: string, prepare: (path: string) => void][] = [
  ['a new file', () => {}],
  ['an old one, and its permissions', (path) => writeFileSync(path, 'a much longer old text', { mode: 0o666 })],
  ['a symlink, and not what it leads to', (path) => symlinkSync(at('target'), path)],
  ['what an interrupted run left beside it', (path) => writeFileSync(besidePath(path, process.pid), 'half')],
];

for (const [rule, prepare] of replacements) {
  test(`replaceFile: ${rule}`, () => {
    const path = join(temporaryFolder(), 'made/state.json');
    writeFileSync(at('target'), 'untouched');
    if (rule !== 'a new file') {
      mkdirSync(dirname(path));
      prepare(path);
    }
    host.replaceFile(path, 'Zeile – ✓\n', 0o640);
    assert.is(readFileSync(path, 'utf8'), 'Zeile – ✓\n');
    assert.is(lstatSync(path).mode & 0o170777, 0o100640);
    assert.equal(readdirSync(dirname(path)), ['state.json']);
    assert.is(readFileSync(at('target'), 'utf8'), 'untouched');
  });
}

test('removeFile: a file, a link and not what it leads to, nothing when it is gone, and no directory', async () => {
  const folder = temporaryFolder();
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('file'), '');
  symlinkSync(path('kept'), path('link'));
  writeFileSync(path('kept'), '');
  mkdirSync(path('folder'));
  for (const name of ['file', 'link', 'none']) host.removeFile(path(name));
  assert.instance(await failure(() => host.removeFile(path('folder'))), Io);
  assert.equal(readdirSync(folder).sort(), ['folder', 'kept']);
});

test('holding: the files that hold one of the texts, and nothing of those that cannot be read', () => {
  const folder = temporaryFolder();
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('one'), 'some text\n');
  writeFileSync(path('two'), Buffer.concat([Buffer.from([0, 0xff, 0x0a]), Buffer.from('é end\n')]));
  writeFileSync(path('empty'), '');
  writeFileSync(path('large'), 'text'.repeat(1000));
  mkdirSync(path('folder'));
  symlinkSync(path('one'), path('link'));
  execFileSync('mkfifo', [path('fifo')]);
  const all = ['one', 'two', 'empty', 'large', 'folder', 'link', 'fifo', 'none', 'one'].map(path);
  assert.equal(host.holding(all, ['text'], 100), [path('one'), path('one')]);
  assert.equal(host.holding(all, ['none', ' end\n'], 100), [path('two')]);
  assert.equal(host.holding(all, ['text'], 4000), [path('one'), path('large'), path('one')]);
  assert.equal(host.holding(all, ['none'], 4000), []);
  assert.equal(host.holding(all, [], 4000), []);
  assert.equal(host.holding([], ['text'], 4000), []);
});

test('replaceFile refuses, and leaves nothing: a folder that cannot be made, and a directory in the place of the file', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'state.json'));
  assert.instance(await failure(() => host.replaceFile(join(folder, 'state.json'), 'x', 0o600)), Io);
  assert.instance(await failure(() => host.replaceFile('/proc/kata-check/state.json', 'x', 0o600)), NotFound);
  assert.equal(readdirSync(folder), ['state.json']);
});

test('write: all of a long text into a pipe, and no complaint when nobody reads', () => {
  const program = at('writer.mjs');
  writeFileSync(
    program,
    `import { createNodeHost } from ${JSON.stringify(join(import.meta.dirname, '../../src/host/node.ts'))};
const host = createNodeHost();
// Makes the pipe non-blocking, as any other part of the process could.
void process.stdout;
host.write(1, 'ü'.repeat(500000));
host.exit(7);`,
  );
  const argv = ['--import', import.meta.resolve('tsx'), program];
  const whole = spawnSync(process.execPath, argv, { maxBuffer: 1 << 24, timeout: 60_000 });
  assert.equal([whole.status, whole.stdout.toString().length], [7, 500_000]);
  const script = '{ "$@"; echo $? >&2; } | true';
  const closed = spawnSync('bash', ['-c', script, 'bash', process.execPath, ...argv], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.is(closed.stderr, '7\n');
});

test('who and where', () => {
  assert.is(host.userId, process.geteuid?.());
  assert.is(host.workingDirectory, process.cwd());
  assert.equal([...host.arguments], process.argv.slice(2));
  assert.is(host.environment('KATA_CHECK_NOT_SET'), undefined);
  const before = host.now();
  assert.ok(before <= host.now());
  const script = `process.stdout.write(String((await import(${JSON.stringify(join(import.meta.dirname, '../../src/host/node.ts'))})).createNodeHost().isTerminal(1)))`;
  assert.is(
    execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script], {
      encoding: 'utf8',
    }),
    'false',
  );
});
