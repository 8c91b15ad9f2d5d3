/**
 * Attacks that need a whole Debian: its sudo, which makes a command of another user's run as root, and its apt on a terminal. Their letters
 * are those of test/e2e/adversary.test.ts.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { forms } from '../e2e/program.ts';
import { run } from '../images.ts';
import { suite } from '../suite.ts';
import type { Debian } from './debian.ts';
import { prepare } from './kata-node.ts';

const test = suite("attacks on a Debian of one's own");
const needs = ['root', 'debootstrap', 'mkfs.ext4', 'dpkg-deb', 'unshare', 'setpriv', 'ldd'];
const package_ = '/repository/kata-runtime_1.1.0-1_all.deb';
let debian: Debian | undefined;

/** With runtime and image 1.0.0, and the program in this form. */
function node(argv: readonly string[]): Debian {
  debian ??= prepare('bookworm');
  rmSync(join(debian.root, 'usr/bin/kata-check.real'), { force: true });
  const mode = ['-o', 'KataCheck::Mode=off'];
  const packages = ['kata-runtime=1.0.0-1', 'kata-containers-image=1.0.0-1', 'kata-check'];
  debian.expect('apt-get', 'install', '-y', '--allow-downgrades', '--reinstall', ...mode, ...packages);
  if (argv.length > 1)
    writeFileSync(join(debian.root, 'usr/bin/kata-check'), `#!/bin/sh\nexec ${fromOutside(argv)} "$@"\n`);
  return debian;
}

/** Words for a shell in a root in which /host is this one: Node.js with the libraries that it has here. */
function fromOutside(argv: readonly string[]): string {
  const libraries = [...run('ldd', argv[0] ?? '').matchAll(/(\/\S+)\/([^/\s]+) \(0x/g)];
  const loader = libraries.find(([, , name]) => name?.startsWith('ld'));
  assert.ok(loader !== undefined);
  const folders = new Set(libraries.map(([, folder]) => `/host${folder}`));
  const program = `/host${loader[1]}/${loader[2]} --library-path ${[...folders].join(':')}`;
  return [program, ...argv.map((path) => `/host${path}`)].join(' ');
}

/**
 * Runs shell on a node whose root is that of all its processes. In a chroot the kernel refuses what the attack begins with, a user namespace.
 */
function boot(where: Debian, script: string): string {
  const { root } = where;
  const start = `mount --bind ${root} ${root} && cd ${root} && mkdir -p host && mount --rbind / host &&
    mount --rbind /dev dev && mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs run && pivot_root . mnt && cd / && umount -l mnt && exec sh -c "$1"`;
  const argv = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', start, 'sh', script];
  const { stdout, stderr } = spawnSync('unshare', argv, {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    timeout: 60_000,
  });
  return stdout + stderr;
}

for (const form of forms) {
  for (const layout of ['file', 'folder']) {
    test(
      `A2: a user whom sudo lets install one package cannot make the token that lets it pass: as a ${layout}, ${form.name}`,
      () => {
        const where = node(form.argv);
        copyFileSync(resolve(import.meta.dirname, '../fixtures/forged-token.pl'), join(where.root, 'srv/forge.pl'));
        const rule = `nobody ALL=(root) NOPASSWD: /usr/bin/dpkg -i ${package_}\n`;
        writeFileSync(join(where.root, 'etc/sudoers.d/one'), rule, { mode: 0o440 });
        const asked = `sudo -n dpkg -i ${package_}; echo "status $?"; touch /run/user/done`;
        writeFileSync(join(where.root, 'srv/asked.sh'), `echo $PPID > /run/user/forger; sleep 1\n${asked}\n`);
        const output = boot(
          where,
          `install -d -o nobody /run/user; as='setpriv --reuid 65534 --regid 65534 --clear-groups'
          $as sudo -n dpkg --version > /dev/null 2>&1 || echo only the one command
          $as perl /srv/forge.pl ${layout} sh /srv/asked.sh &
          wait_for() { for n in $(seq 300); do test -e /run/user/$1 && return; sleep 0.1; done; }
          wait_for forger; cd /proc/$(cat /run/user/forger)/root/run/kata-check
          find told-to-go-on -printf '%p of %U, mode %m\\n'
          wait_for done; cd /; dpkg-query -W kata-runtime`,
        );
        assert.match(output, /only the one command/);
        assert.match(
          output,
          layout === 'file' ? /^told-to-go-on of 0, mode 644$/m : /^told-to-go-on\/[0-9]+ of 0, mode 644$/m,
        );
        assert.match(output, /stopped dpkg \[KC101\]/);
        assert.match(output, /^status 2$/m);
        assert.match(output, /^kata-runtime\t1\.0\.0-1$/m);
      },
      { needs: [...needs, ...form.needs], timeout: 300 },
    );
  }
}

/**
 * apt on a terminal, where its hook waits for a filesystem that does not answer, until the hook or the terminal gets a signal. What each hook
 * ends with is written down by a shell, as a shell is not taken for a package manager.
 */
const onTerminal = `
  mv /usr/bin/kata-check /usr/bin/kata-check.real
  cat > /usr/bin/kata-check <<'END'
#!/bin/sh
exec sh -c '/usr/bin/kata-check.real "$@"; status=$?; echo "$* $status" >> /run/log; exit $status' sh "$@"
END
  chmod 755 /usr/bin/kata-check
  exec 9<> /dev/fuse
  mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 dead /usr/share/kata-containers
  until_so() { for n in $(seq 250); do "$@" 2> /dev/null && return; sleep 0.1; done; }
  asks() { for each in /proc/[0-9]*; do
    tr '\\0' ' ' < $each/cmdline | grep -qE '^[^ ]*(/usr/bin/kata-check.real|ld[^ ]* .*kata-check.mjs) hook apt $' && hook=\${each#/proc/} && return
  done; return 1; }
  told() { grep -q "^hook $1 " /run/log; }
  mkfifo /run/keys; script -qec 'apt-get install -y kata-runtime=1.1.0-1' /dev/null < /run/keys & script=$!
  exec 8> /run/keys
  until_so asks; sleep 1; SIGNAL; until_so AFTERWARDS; umount -l /usr/share/kata-containers; wait $script; echo "ended with $?"
  cat /run/log; dpkg-query -W kata-runtime; dpkg --audit`;

for (const form of forms) {
  for (const [name, status] of [
    ['KILL', 137],
    ['TERM', 143],
  ] as const) {
    // The handler that Node.js keeps needs its event loop: there, the deadline ends it.
    if (name === 'TERM' && form.name !== 'native') continue;
    test(
      `D3: apt goes on when its hook gets SIG${name}, and no later hook waits where that one waited, ${form.name}`,
      () => {
        const script = onTerminal.replace('SIGNAL', `kill -${name} $hook`).replace('AFTERWARDS', 'told dpkg');
        const output = boot(node(form.argv), script);
        assert.match(output, new RegExp(`^hook apt ${status}$`, 'm'));
        assert.match(output, /^hook dpkg 0$/m);
        assert.match(output, /^ended with 0$/m);
        assert.match(output, /^kata-runtime\t1\.1\.0-1$/m);
      },
      { needs: [...needs, ...form.needs, '/dev/fuse'], timeout: 300 },
    );
  }
  for (const [name, action] of [
    ['Ctrl-C', String.raw`printf '\003' >&8`],
    ['Ctrl-\\', String.raw`printf '\034' >&8`],
    ['a hang-up', 'kill -KILL $script'],
  ] as const) {
    test(
      `D3: apt stops and changes nothing when its terminal gets ${name} while its hook waits, ${form.name}`,
      () => {
        const script = onTerminal.replace('SIGNAL', action).replace('AFTERWARDS', 'test ! -e /proc/$hook');
        const output = boot(node(form.argv), script);
        assert.match(output, /^ended with [1-9]/m);
        assert.not.match(output, /^hook dpkg/m);
        assert.match(output, /^kata-runtime\t1\.0\.0-1\n/m);
      },
      { needs: [...needs, ...form.needs, '/dev/fuse'], timeout: 300 },
    );
  }
}
