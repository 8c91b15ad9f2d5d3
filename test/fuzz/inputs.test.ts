/**
 * What is read beside images, damaged: packages, their control archives, tarballs, container images, configurations, and what package managers
 * say to their hooks. Both forms of the program are shown each case, and must end by themselves and say the same, to the letter.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { aptInput, type Form, forms, sampleNode, samplePackages } from '../e2e/program.ts';
import { run, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';
import { applyPatches, mutate, Random } from './mutate.ts';

const test = suite('damaged packages, configurations and hook inputs');
const folder = temporaryFolder();
/** A few in the usual run, which take seconds. */
const counts = { short: 1, long: 30 } as const;

/** A way into the program: good bytes, and what to call with the damaged ones. */
interface Entrance {
  readonly seed: () => Uint8Array;
  /** Puts the damaged bytes where they are read; returns the arguments, which are those of a hook when `isHook`. */
  place(bytes: Uint8Array): {
    readonly args: readonly string[];
    readonly input?: Uint8Array;
    readonly prepare?: string;
  };
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const runtimeDeb = join(samplePackages, 'kata-runtime_1.1.0-1_all.deb');
const byHand =
  (path: string): Entrance['place'] =>
  (bytes) => {
    writeFileSync(path, bytes);
    return { args: ['--root', sampleNode, '--json', path] };
  };
const nodeFile = (path: string): Entrance['place'] => {
  const root = temporaryFolder();
  cpSync(sampleNode, root, { recursive: true });
  return (bytes) => {
    writeTree(root, { [path]: bytes });
    return { args: ['--root', root, '--json'] };
  };
};
const hook =
  (name: string, ...args: readonly string[]): Entrance['place'] =>
  (input) => ({ args: ['hook', name, ...args], input });

/** The hook below a program of this name, in whose arguments the damaged bytes stand; zeros part them. */
const below =
  (program: string, args: string, env: string): Entrance['place'] =>
  (bytes) => {
    const words = Buffer.from(bytes).toString('latin1').replace(/'/g, '').split('\0');
    const octal = (word: string): string =>
      word.replace(/[^ -~]|\\/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`);
    const given = words.map((word) => `"$(printf '%b' '${octal(word).replace(/\\/g, '\\0')}')"`).join(' ');
    return {
      args: ['hook', ...args.split(' ')],
      prepare: `cp /bin/sh /run/${program} && export ${env} && echo 'PROGRAM' > /run/hook && set -- /run/${program} -c '/bin/sh /run/hook; exit $?' ${given}`,
    };
  };

function tarball(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const tree = writeTree(temporaryFolder(), files);
  const path = join(folder, 'made.tar');
  run('tar', '-C', tree, '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '-cf', path, '.');
  return new Uint8Array(readFileSync(path));
}

const kataStatic = (): Uint8Array =>
  tarball({
    'opt/kata/VERSION': '3.12.0\n',
    'opt/kata/bin/kata-runtime': 'x',
    'opt/kata/share/kata-containers/kata-containers.img': 'y',
  });

const entrances: Readonly<Record<string, Entrance>> = {
  'ar members of a .deb': { seed: () => readFileSync(runtimeDeb), place: byHand(join(folder, 'kata-runtime_1.deb')) },
  'the control archive of a .deb': {
    seed: () =>
      readFileSync(
        makeDeb(folder, {
          name: 'kata-runtime',
          version: '1.1.0-1',
          fields: { 'Kata-Agent-Requires': '>=1.1.0' },
          compression: 'none',
        }),
      ).subarray(0, 6000),
    place: byHand(join(folder, 'kata-runtime_2.deb')),
  },
  'a static tarball': { seed: kataStatic, place: byHand(join(folder, 'kata-static-3.12.0-amd64.tar')) },
  'a container image': {
    seed: () =>
      tarball({
        'manifest.json': '[{"Config":"c.json","Layers":["layer.tar"]}]',
        'layer.tar': tarball({ 'opt/kata-artifacts/opt/kata/VERSION': '3.12.0\n' }),
      }),
    place: byHand(join(folder, 'kata-deploy.tar')),
  },
  "Kata's configuration": {
    seed: () => readFileSync(join(sampleNode, 'usr/share/defaults/kata-containers/configuration.toml')),
    place: nodeFile('usr/share/defaults/kata-containers/configuration.toml'),
  },
  "containerd's configuration": {
    seed: () =>
      bytesOf(
        'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]\nruntime_type = "io.containerd.kata.v2"\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata.options]\nConfigPath = "/etc/kata.toml"\n',
      ),
    place: nodeFile('etc/containerd/config.toml'),
  },
  'the configuration of kata-check': {
    seed: () =>
      bytesOf(
        'mode = block\nallow[] = KC301\nrule = skew=2\n[severity]\nKC201 = block\n[requires]\n3.28 - 3.32 = >=3.27.0 <4.0.0\n[images]\npath[] = /x.img\n',
      ),
    place: nodeFile('etc/kata-check.conf'),
  },
  "apt's hook": {
    seed: () => bytesOf(aptInput([{ name: 'kata-runtime', old: '1.0.0-1', next: '1.1.0-1', what: runtimeDeb }])),
    place: hook('apt'),
  },
  "dnf's hook": {
    seed: () =>
      bytesOf(
        JSON.stringify({
          installroot: sampleNode,
          packages: [
            {
              action: 'UPGRADE',
              direction: 'in',
              name: 'kata-runtime',
              evr: '1.1.0-1',
              path: '/none.rpm',
              provides: ['kata-agent-requires(min) = 1.1.0'],
            },
          ],
        }),
      ),
    place: hook('dnf'),
  },
  "dnf 5's hook": {
    seed: () => {
      const reply = (domain: string, value: object): string =>
        `${JSON.stringify({ op: 'reply', requested_op: 'get', domain, return: value, status: 'OK' })}\n`;
      const conf = reply('conf', { keys_val: [{ key: 'installroot', value: sampleNode }] });
      const packages = {
        trans_packages: [
          { nevra: 'kata-runtime-1.1.0-1.x86_64', direction: 'IN', name: 'kata-runtime', evr: '1.1.0-1' },
        ],
      };
      return bytesOf(conf + reply('trans_packages', packages) + conf + conf);
    },
    place: hook('dnf5'),
  },
  "zypper's hook": {
    seed: () => {
      const frame = (command: string, body = ''): string => `${command}\ncontent-length:${body.length}\n\n${body}\0`;
      const body = '{"TransactionStepList":[{"type":"+","solvable":{"n":"kata-runtime","v":"1.1.0-1"}}]}';
      return bytesOf(
        frame('PLUGINBEGIN') +
          frame('COMMITBEGIN', body) +
          frame('COMMITEND', body) +
          frame('PLUGINEND') +
          frame('_DISCONNECT'),
      );
    },
    place: hook('zypper'),
  },
  "pacman's hook": {
    seed: () => bytesOf('kata-runtime\nkata-containers-image\nglibc\n'),
    place: hook('pacman', 'before'),
  },
  "dpkg's arguments": {
    seed: () => bytesOf(`-D\x00077\0--force-all\0-i\0${runtimeDeb}\0kata caf\xe9.deb`),
    place: below('dpkg', 'dpkg', 'DPKG_HOOK_ACTION=install'),
  },
  "rpm's arguments": {
    seed: () => bytesOf(`-U\0-vh\0--nodeps\0/none/kata-runtime.rpm\0./x.rpm`),
    place: below('rpm', 'rpm prein kata-runtime 1.1.0', 'LC_ALL=C'),
  },
};

interface Seen {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const clock = /"time": ?"[-0-9.:TZ]+/g;
/** Of this run of the program alone. */
const process_ = /\/proc\/[0-9]+\//g;

/** Without the processes and sockets of others, which look like sandboxes when another test makes some. */
const alone = ['--mount', '--net', '--pid', '--fork', '--mount-proc'];

function shown(
  form: Form,
  { args, input = new Uint8Array(), prepare = ':' }: ReturnType<Entrance['place']>,
): Seen & { readonly kibibytes: number } {
  const memory = join(folder, 'memory');
  const program = ['/usr/bin/time', '-q', '-o', memory, '-f', '%M', ...form.argv, ...args];
  const inShell = prepare.replace('PROGRAM', `exec ${program.join(' ')}`);
  const script = `mount -t tmpfs -o mode=755 tmpfs /run && ${inShell} && exec "$@"`;
  // It is there again when the program has run.
  rmSync(memory, { force: true });
  const { status, stdout, stderr } = spawnSync('unshare', [...alone, 'sh', '-c', script, 'sh', ...program], {
    encoding: 'utf8',
    cwd: '/',
    input,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    timeout: 60_000,
    maxBuffer: 1 << 26,
  });
  const words = [stdout.replace(clock, 'TIME'), stderr].map((text) => text.replace(process_, '/proc/N/'));
  const kibibytes = Number(readFileSync(memory, 'utf8').trim().split('\n').at(-1));
  return { status, stdout: words[0] ?? '', stderr: words[1] ?? '', kibibytes };
}

for (const [name, { seed, place }] of Object.entries(entrances)) {
  for (const [length, count] of Object.entries(counts)) {
    test(
      `${name}, ${count} times: an answer, the same of both forms`,
      () => {
        const data = new Uint8Array(seed());
        const figures = { slowest: 0, node: 0, native: 0 };
        for (let number = 0; number < count; number += 1) {
          const begin = { kind: 'begin', offset: 0, length: Math.min(4096, data.length), fields: [] };
          const { title, patches, size } = mutate(new Random(13, number), { data, places: [begin] });
          const undo = applyPatches(data, patches);
          const given = place(data.slice(0, size));
          undo();
          const [ofNode, ofNative] = forms.map((form) => {
            const start = performance.now();
            const { kibibytes, ...seen } = shown(form, given);
            const isNode = form.name === 'Node.js';
            figures.slowest = Math.max(figures.slowest, performance.now() - start);
            if (isNode) figures.node = Math.max(figures.node, kibibytes);
            else figures.native = Math.max(figures.native, kibibytes);
            const what = `${form.name}, case ${number} (${title}): ${seen.status} ${seen.stderr}`;
            assert.ok(seen.status !== null && [0, 1, 2, 10, 11].includes(seen.status), what);
            assert.not.match(seen.stdout + seen.stderr, /internal error|NaN|undefined|\bat .*\.(?:ts|mjs):/, what);
            assert.not.match(seen.stderr, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/, what);
            return seen;
          });
          assert.equal(ofNative, ofNode, `case ${number} (${title})`);
        }
        if (length === 'long') {
          const { slowest, node, native } = figures;
          console.log(
            `\n  ${name}: ${count} inputs, uncaught 0, slowest ${Math.round(slowest)} ms, at most ${node} KiB (Node.js), ${native} KiB (native)`,
          );
        }
      },
      {
        needs: [...forms.flatMap(({ needs }) => needs), 'root', 'unshare', '/usr/bin/time', 'dpkg-deb', 'tar'],
        isLong: length === 'long',
        timeout: 600,
      },
    );
  }
}
