import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { runningSandboxes } from '../../src/locate/sandboxes.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('running sandboxes');
const host = createNodeHost();
const folder = temporaryFolder();
const needs = ['/usr/bin/perl', 'no container', 'root'];

/** A program of its own under that name: what /proc/PID/exe shows is not the interpreter of a script. */
function program(name: string): string {
  const file = join(folder, name);
  copyFileSync('/usr/bin/perl', file);
  chmodSync(file, 0o755);
  return file;
}

async function withProcess(
  file: string,
  args: readonly string[],
  use: (child: ChildProcess) => void | Promise<void>,
  argv0 = file,
  uid = 0,
) {
  const child = spawn(file, ['-e', 'print "ready\\n"; close STDOUT; sleep 100', '--', ...args], {
    argv0,
    uid,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await use(child);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

const ids = (): readonly string[] => runningSandboxes(host).ids;
const goArguments = (id: string): string[] => [
  '-namespace',
  'k8s.io',
  '-address',
  '/run/containerd/containerd.sock',
  '-id',
  id,
];

const counted: readonly [rule: string, name: string, args: (id: string) => string[]][] = [
  ["the Go runtime's shim", 'containerd-shim-kata-v2', goArguments],
  ['a shim of a runtime class of its own', 'containerd-shim-kata-qemu-v2', goArguments],
  ['an option with its value behind =', 'containerd-shim-kata-v2', (id) => [`--id=${id}`]],
  ['a proxy of 1.x', 'kata-proxy', (id) => ['-listen-socket', `unix:///run/vc/sbs/${id}/proxy.sock`, '-sandbox', id]],
];

for (const [index, [rule, name, args]] of counted.entries()) {
  test(
    `${rule} counts as long as it lives`,
    async () => {
      const id = `counted-${process.pid}-${index}`;
      await withProcess(program(name), args(id), () => assert.ok(ids().includes(id)));
      assert.not(ids().includes(id), 'it has ended');
    },
    { needs },
  );
}

test(
  'a shim counts whose program an upgrade has replaced',
  async () => {
    const file = program('containerd-shim-kata-v2');
    const id = `deleted-${process.pid}`;
    await withProcess(file, goArguments(id), () => {
      rmSync(file);
      assert.ok(ids().includes(id));
    });
  },
  { needs },
);

test(
  'a shim of 1.x without a proxy counts for the sandbox, and not for its other containers',
  async () => {
    const id = `vsock-${process.pid}`;
    const made = `/run/vc/sbs/${id}`;
    const args = (container: string): string[] => [
      '-agent',
      'vsock://3:1024',
      '-container',
      container,
      '-exec-id',
      'x',
    ];
    try {
      mkdirSync(made, { recursive: true });
      await withProcess(program('kata-shim'), args(id), () => assert.ok(ids().includes(id)));
      await withProcess(program('kata-shim'), args(`${id}-other`), () => assert.not(ids().includes(`${id}-other`)));
      assert.not(ids().includes(id), 'it has ended');
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  },
  { needs },
);

const others: readonly [rule: string, file: () => string, args: (id: string) => string[], argv0?: string][] = [
  ['a program that only calls itself a shim', () => '/usr/bin/perl', goArguments, 'containerd-shim-kata-v2'],
  ["another runtime's shim", () => program('containerd-shim-runc-v2'), goArguments],
  [
    'a shim that is asked to start one',
    () => program('containerd-shim-kata-v2'),
    (id) => [...goArguments(id), 'start'],
  ],
  ['a shim without an id', () => program('containerd-shim-kata-v2'), () => ['-info']],
  ['an id that is a path', () => program('containerd-shim-kata-v2'), (id) => ['-id', `../${id}`]],
];

for (const [index, [rule, file, args, argv0]] of others.entries()) {
  test(
    `${rule} does not count`,
    async () => {
      const id = `other-${process.pid}-${index}`;
      await withProcess(file(), args(id), () => assert.not(ids().some((known) => known.includes(id))), argv0);
    },
    { needs },
  );
}

async function withSocket(path: string, use: () => void): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    use();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test(
  "a monitor's socket counts as long as somebody listens",
  async () => {
    const id = `socket-${process.pid}`;
    await withSocket(`\0/containerd-shim/k8s.io/${id}/shim-monitor.sock`, () => assert.ok(ids().includes(id)));
    assert.not(ids().includes(id));
  },
  { needs },
);

test(
  'leftovers of a crash, and the template of the VM factory, do not count',
  () => {
    const id = `leftover-${process.pid}`;
    const made = [`/run/vc/sbs/${id}`, `/run/kata/${id}`, `/run/vc/vm/template-${process.pid}`];
    try {
      for (const path of made) mkdirSync(path, { recursive: true });
      assert.not(ids().some((known) => known.includes(`${process.pid}`)));
    } finally {
      for (const path of made) rmSync(path, { recursive: true, force: true });
    }
  },
  { needs },
);

test(
  'a process and its socket are one sandbox, also when the path holds a shortened id',
  async () => {
    const id = `both-${process.pid}-0123456789abcdef`;
    await withProcess(program('containerd-shim-kata-v2'), goArguments(id), () =>
      withSocket(`\0/containerd-shim/k8s.io/${id.slice(0, -8)}/shim-monitor.sock`, () =>
        assert.equal(
          ids().filter((known) => known.startsWith(`both-${process.pid}`)),
          [id],
        ),
      ),
    );
  },
  { needs },
);

test(
  'adversary A4: a copy of a shim that another user runs does not count',
  async () => {
    const id = `made-up-${process.pid}`;
    const file = program('containerd-shim-kata-v2');
    chmodSync(folder, 0o755);
    await withProcess(file, goArguments(id), () => assert.not(ids().includes(id)), file, 65534);
    await withProcess(file, goArguments(id), () => assert.ok(ids().includes(id)), file, 0);
  },
  { needs },
);

/** Listening abstract sockets of another user, under the address of a shim of 2.0. */
async function withForeignSockets(mark: string, count: number, use: () => void): Promise<void> {
  const script = `use Socket; $^F = 1000000;
    for (1..${count}) { socket(my $s, AF_UNIX, SOCK_STREAM, 0) or last;
      bind($s, pack_sockaddr_un("\\0/containerd-shim/n/${mark}-$_/shim-monitor.sock")) or die; listen($s, 1); push @all, $s }
    print scalar(@all), "\\n"; close STDOUT; sleep 100`;
  const child = spawn('/usr/bin/perl', ['-e', script], { uid: 65534, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const bound = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
    assert.is(bound, count);
    use();
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

test(
  'adversary A3, A4: sockets that another user bound do not count, however many there are',
  async () => {
    const mark = `flood-${process.pid}`;
    await withForeignSockets(mark, 1000, () => assert.not(ids().some((id) => id.startsWith(mark))));
  },
  { needs },
);

test(
  'adversary A4: a socket in the place of a monitor that belongs to another user does not count',
  async () => {
    const id = `foreign-${process.pid}`;
    const made = `/run/kata/${id}`;
    try {
      mkdirSync(made, { recursive: true });
      await withSocket(`${made}/shim-monitor.sock`, () => {
        assert.ok(ids().includes(id));
        chownSync(`${made}/shim-monitor.sock`, 65534, 65534);
        assert.not(ids().includes(id));
      });
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  },
  { needs },
);
