import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { forms, kataCheck, sampleNode } from './program.ts';

const test = suite('sandboxes that run on this node');
const folder = temporaryFolder();
const image = join(sampleNode, 'usr/share/kata-containers/kata-containers.img');

/** A program of its own under that name, as /proc/PID/exe and comm show it. */
function program(name: string, under = name): string {
  const file = join(folder, under, name);
  mkdirSync(join(folder, under), { recursive: true });
  copyFileSync('/usr/bin/perl', file);
  chmodSync(file, 0o755);
  return file;
}

async function running(file: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(file, ['-e', 'print "ready\n"; close STDOUT; sleep 100', '--', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await end;
}

async function listening(path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

for (const form of forms) {
  test(
    `${form.name}: live shims and sockets of every kind count, and nothing that only looks so; the finding says how to drain`,
    async () => {
      const mark = `e2e-${form.name}-${process.pid}`;
      const go = (id: string): string[] => ['-namespace', 'k8s.io', '-address', '/run/c.sock', '-id', `${mark}-${id}`];
      const leftovers = [`/run/vc/sbs/${mark}-left`, `/run/kata/${mark}-left`, `/run/vc/vm/template`].filter(
        (path) => mkdirSync(path, { recursive: true }) !== undefined,
      );
      const link = join(folder, `link-${form.name}`, 'containerd-shim-kata-v2');
      mkdirSync(join(folder, `link-${form.name}`), { recursive: true });
      symlinkSync('/usr/bin/perl', link);
      const children = await Promise.all([
        running(program('containerd-shim-kata-v2'), go('go')),
        running(program('containerd-shim-kata-cc-v2'), go('cc')),
        running(program('kata-proxy'), ['-sandbox', `${mark}-proxy`]),
        // None of these: a link to another program, an editor, a search, a shim of another runtime, a shim that only starts one.
        running(link, go('no-link')),
        running(program('vim'), ['/usr/bin/containerd-shim-kata-v2', ...go('no-vim')]),
        running(program('grep'), ['containerd-shim-kata-v2', ...go('no-grep')]),
        running(program('containerd-shim-runc-v2'), go('no-runc')),
        running(program('containerd-shim-kata-v2', 'start'), [...go('no-start'), 'start']),
      ]);
      const socket = await listening(`\0/containerd-shim/k8s.io/${mark}-socket/shim-monitor.sock`);
      const sandbox = `/run/kata/${mark}-rust`;
      mkdirSync(sandbox, { recursive: true });
      const rust = await listening(`${sandbox}/shim-monitor.sock`);
      const own = (): string[] => {
        const { stdout } = kataCheck(form, ['--image', image, '--to', '1.1.0', '--json']);
        const { sandboxes } = JSON.parse(stdout) as { sandboxes: { ids: string[] } };
        return sandboxes.ids.filter((id) => id.startsWith(mark)).map((id) => id.slice(mark.length + 1));
      };
      try {
        assert.equal(own(), ['cc', 'go', 'proxy', 'rust', 'socket']);
        const { stdout } = kataCheck(form, ['--image', image, '--to', '1.1.0']);
        assert.match(stdout, /\[KC301\]: sandboxes are running: drain the node before the upgrade/);
        assert.match(stdout, /kubectl drain NODE/);
        assert.match(stdout, /crictl pods --state ready/);
        assert.match(stdout, /Pods\s+that\s+run\s+now\s+keep\s+the\s+runtime\s+and\s+the\s+image/);
      } finally {
        await Promise.all(children.map(ended));
        await Promise.all([socket, rust].map((server) => new Promise((resolve) => server.close(resolve))));
        for (const path of [...leftovers, sandbox]) rmSync(path, { recursive: true, force: true });
      }
      assert.equal(own(), [], 'all have ended');
    },
    { needs: [...form.needs, '/usr/bin/perl', 'no container', 'root'] },
  );
}
