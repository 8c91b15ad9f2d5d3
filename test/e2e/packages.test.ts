/** Package files by hand, in both forms of the program: what they state, and the images in them. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { endlessDeb, makeDeb, rawDeb, type TarEntry, tarOf } from '../debs.ts';
import { guestTree, makeDisk, makeExt, run, temporaryFolder, writeTree } from '../images.ts';
import { makeRpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import { aptInput, forms, kataCheck, kataCheckInShell, sampleNode } from './program.ts';

const test = suite('package files');
const folder = temporaryFolder();
const path = '/usr/share/kata-containers/kata-containers.img';
const member = path.slice(1);
const name = 'kata-containers-image';
const debNeeds = ['dpkg-deb', 'dpkg-query', 'gzip', 'mkfs.ext4'];
const rpmNeeds = ['rpm', 'rpmbuild', 'rpm2cpio', 'dpkg-query', 'mkfs.ext4'];

/** Files that some run of the program left behind. */
function left(): string[] {
  return ['/var/tmp', '/tmp'].flatMap((place) =>
    readdirSync(place).filter((file) => /^kata-check-[0-9a-f]{24}$/.test(file)),
  );
}

const contents = new Map<string, Buffer>();

/** A guest image with this agent, of a few megabytes: more than one piece of a stream, and zeros in it. */
function guest(agent: string, form: 'disk' | 'initrd' | 'zstd initrd' = 'disk'): Buffer {
  const key = `${agent} ${form}`;
  const known = contents.get(key);
  if (known !== undefined) return known;
  const noise = Buffer.from(Uint32Array.from({ length: 300_000 }, (_, at) => Math.imul(at, 2_654_435_761)).buffer);
  const tree = writeTree(temporaryFolder(), { ...guestTree(agent), 'usr/lib/noise': noise });
  const file = join(folder, `content-${contents.size}`);
  if (form === 'disk') makeDisk(file, makeExt(`${file}.ext`, tree, '6M'), { dax: true });
  else run('sh', '-c', `cd ${tree} && find . | cpio --quiet -o -H newc > ${file}`);
  const bytes =
    form === 'disk'
      ? readFileSync(file)
      : form === 'initrd'
        ? gzipSync(readFileSync(file))
        : // An archive of microcode in front, so that the compressed one begins in the middle of the file.
          Buffer.concat([microcode(), execFileSync('zstd', ['-qc', file], { maxBuffer: 1 << 28 })]);
  contents.set(key, bytes);
  return bytes;
}

function microcode(): Buffer {
  const tree = writeTree(temporaryFolder(), { 'kernel/x86/microcode/GenuineIntel.bin': 'x' });
  run('sh', '-c', `cd ${tree} && find . | cpio --quiet -o -H newc > ${folder}/early`);
  return readFileSync(join(folder, 'early'));
}

interface Found {
  readonly status: number | null;
  readonly codes: readonly string[];
  readonly agent: string;
  readonly detail: string;
  readonly stderr: string;
}

function judged(form: (typeof forms)[number], ...files: readonly string[]): Found {
  const before = left();
  const { status, stdout, stderr } = kataCheck(form, ['--root', sampleNode, '--json', ...files]);
  assert.equal(left(), before);
  assert.match(stdout, /^\{/, stderr);
  const { findings, images } = JSON.parse(stdout);
  return {
    status,
    stderr,
    codes: findings.map(({ code }: { code: string }) => code),
    agent: `${images[0]?.agent?.version} by ${images[0]?.agent?.source}`,
    detail: findings.map(({ detail }: { detail: string }) => detail).join('\n'),
  };
}

type Make = (agent: string, isStated: boolean) => string;
const fieldOf = (agent: string): Readonly<Record<string, string>> => ({ 'Kata-Agent-Version': agent });

/** As Ubuntu's and Fedora's tools make them; the other forms take long. */
const usual = ['deb, zstd', 'rpm, w19.zstdio'];

const payloads: readonly [rule: string, needs: readonly string[], make: Make][] = [
  ...['none', 'gzip', 'xz', 'zstd'].map((compression): [string, string[], Make] => [
    `deb, ${compression}`,
    [...debNeeds, ...(compression === 'none' ? [] : [compression])],
    (agent, isStated) =>
      makeDeb(folder, {
        name,
        version: `${agent}-1`,
        compression,
        fields: isStated ? fieldOf(agent) : {},
        files: {
          [path]: { link: `kata-${agent}.img` },
          [path.replace('kata-containers.img', `kata-${agent}.img`)]: guest(agent),
        },
      }),
  ]),
  ...['w9.gzdio', 'w6.xzdio', 'w19.zstdio', 'w6.lzdio', 'w.ufdio'].map((payload): [string, string[], Make] => [
    `rpm, ${payload}`,
    rpmNeeds,
    (agent, isStated) =>
      makeRpm(folder, {
        name,
        version: agent,
        payload,
        provides: isStated ? [`kata-agent = ${agent}`] : [],
        files: {
          [path]: { link: `kata-${agent}.img` },
          [path.replace('kata-containers.img', `kata-${agent}.img`)]: guest(agent),
        },
      }),
  ]),
  [
    'deb, an initrd in it',
    [...debNeeds, 'cpio'],
    (agent, isStated) =>
      makeDeb(folder, {
        name,
        version: `${agent}-1`,
        fields: isStated ? fieldOf(agent) : {},
        files: { [path]: guest(agent, 'initrd') },
      }),
  ],
  [
    'deb, an initrd of two archives in it, one of them zstd',
    [...debNeeds, 'cpio', 'zstd'],
    (agent, isStated) =>
      makeDeb(folder, {
        name,
        version: `${agent}-2`,
        fields: isStated ? fieldOf(agent) : {},
        files: { [path]: guest(agent, 'zstd initrd') },
      }),
  ],
  [
    'rpm, an initrd in it',
    [...rpmNeeds, 'cpio'],
    (agent, isStated) =>
      makeRpm(folder, {
        name,
        version: agent,
        provides: isStated ? [`kata-agent = ${agent}`] : [],
        files: { [path]: guest(agent, 'initrd') },
      }),
  ],
];

/** A .deb of 160 kB whose image is a gigabyte of zeros. */
function bomb(): string {
  const made = join(folder, `${name}_9-1_all.deb`);
  if (existsSync(made)) return made;
  const file = join(folder, 'bomb.xz');
  const head = join(folder, 'bomb.head');
  const size = 1 << 30;
  writeFileSync(head, tarOf([{ path: member, size }]).subarray(0, 512));
  run('sh', '-c', `{ cat ${head}; head -c ${size + 1024} /dev/zero; } | xz -0 > ${file}`);
  return rawDeb(folder, { name, version: '9-1' }, readFileSync(file), '.xz');
}

const hostile: readonly [rule: string, entries: () => readonly TarEntry[], said: RegExp][] = [
  ['a member of a terabyte that is not there', () => [{ path: member, size: 1024 ** 4 }], /breaks off/],
  ["a terabyte in GNU's old sparse form", () => [{ path: member, type: 'S' }], /stored as a sparse file/],
  [
    'a link that leads out',
    () => [{ path: member, type: '2', target: '../../../../../etc/passwd' }],
    /not in the package/,
  ],
  [
    'a link to itself',
    () => [{ path: member, type: '2', target: 'kata-containers.img' }],
    /more than 40 symbolic links/,
  ],
  ['a directory', () => [{ path: `${member}/`, type: '5' }], /is a directory/],
  ['a FIFO', () => [{ path: member, type: '6' }], /is a device, FIFO or socket/],
  ['a name that leads out', () => [{ path: `../../${member}`, content: 'x' }], /not in the package/],
  ['nothing', () => [{ path: member }], /is empty/],
  ['no image', () => [{ path: member, content: 'x'.repeat(10_000) }], /no ext4, xfs or erofs filesystem/],
  [
    'a guest image, and then something else',
    () => [
      { path: member, content: guest('1.1.0') },
      { path: member, content: 'x' },
    ],
    /filesystem/,
  ],
  [
    'a broken initrd',
    () => [{ path: member, content: guest('1.1.0', 'initrd').subarray(0, 500_000) }],
    /breaks off|ends too early/,
  ],
];

for (const form of forms) {
  for (const [rule, needs, make] of payloads) {
    test(
      `${form.name}: ${rule}: the agent is read where it is not stated, and judged`,
      () => {
        const [fit, unfit] = [judged(form, make('1.0.0', false)), judged(form, make('2.0.0', false))];
        assert.equal([fit.status, fit.codes, fit.agent], [0, [], '1.0.0 by osbuilder.yaml'], fit.stderr);
        assert.equal(
          [unfit.status, unfit.codes, unfit.agent],
          [10, ['KC102'], '2.0.0 by osbuilder.yaml'],
          unfit.stderr,
        );
        const stated = judged(form, make('2.0.0', true));
        assert.equal([stated.status, stated.codes, stated.agent], [10, ['KC102'], '2.0.0 by package'], stated.stderr);
      },
      { needs: [...needs, ...form.needs], isLong: !usual.includes(rule) },
    );
  }

  const lies: readonly [rule: string, needs: readonly string[], make: () => string][] = [
    [
      'deb',
      debNeeds,
      () => makeDeb(folder, { name, version: '1.0.0-5', fields: fieldOf('1.0.0'), files: { [path]: guest('1.0.1') } }),
    ],
    [
      'rpm',
      rpmNeeds,
      () =>
        makeRpm(folder, {
          name,
          version: '1.0.0',
          provides: ['kata-agent = 1.0.0'],
          files: { [path]: guest('1.0.1') },
        }),
    ],
  ];
  for (const [rule, needs, make] of lies) {
    test(
      `${form.name}: ${rule}: one that states an agent and holds another is blocked by hand, with a runtime and without`,
      () => {
        const made = make();
        const { status, codes, agent } = judged(form, made);
        assert.equal([status, codes, agent], [10, ['KC105'], '1.0.0 by package']);
        const alone = kataCheck(form, ['--root', temporaryFolder(), '--json', made]);
        const { findings, images } = JSON.parse(alone.stdout);
        assert.equal(
          [alone.status, findings.length, findings[0]?.code, findings[0]?.severity],
          [10, 1, 'KC105', 'block'],
        );
        assert.equal([images[0].contradiction.version, images[0].contradiction.source], ['1.0.1', 'osbuilder.yaml']);
        const allowed = kataCheck(form, ['--root', sampleNode, '--allow', 'KC105', made]);
        assert.is(allowed.status, 0, allowed.stdout);
      },
      { needs: [...needs, ...form.needs] },
    );
  }

  for (const [index, [rule, entries, said]] of hostile.entries()) {
    for (const suffix of ['', '.gz'] as const) {
      test(
        `${form.name}: hostile${suffix}: ${rule}: a warning with the reason, and nothing is left`,
        () => {
          const data = tarOf(entries());
          const version = `${index}-${suffix === '' ? 1 : 2}`;
          const deb = rawDeb(folder, { name, version }, suffix === '' ? data : gzipSync(data), suffix);
          const { status, codes, detail, stderr } = judged(form, deb);
          assert.equal([status, codes], [11, ['KC205']], detail + stderr);
          assert.match(detail, said);
        },
        { needs: [...debNeeds, 'cpio', ...form.needs] },
      );
    }
  }

  test(
    `${form.name}: a bomb of a gigabyte is read to its end, and takes no room`,
    () => {
      const { codes, detail } = judged(form, bomb());
      assert.equal(codes, ['KC205']);
      assert.match(detail, /no ext4, xfs or erofs filesystem in it/);
    },
    { needs: [...debNeeds, 'xz', ...form.needs] },
  );

  test(
    `${form.name}: killed in the middle, it leaves nothing`,
    async () => {
      const before = left();
      const deb = endlessDeb(folder, { name, version: '8-1' }, { path: member, content: guest('1.0.0') });
      const [program, ...first] = form.argv;
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
        const child = spawn(program, [...first, '--root', sampleNode, deb], { stdio: 'ignore', cwd: '/' });
        const ended = new Promise((resolve) => child.once('exit', resolve));
        let isOpen = false;
        while (!isOpen && child.exitCode === null && child.signalCode === null) {
          isOpen = run('sh', '-c', `ls -l /proc/${child.pid}/fd 2>/dev/null || :`).includes('(deleted)');
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        assert.ok(isOpen, 'it had no temporary file');
        assert.equal(left(), before);
        child.kill(signal);
        await ended;
        assert.equal(left(), before);
      }
    },
    { needs: [...debNeeds, ...form.needs] },
  );

  test(
    `${form.name}: a file that may not grow is a reason, and no death`,
    () => {
      const deb = makeDeb(folder, { name, version: '7-1', files: { [path]: guest('2.0.0') } });
      const { status, stdout } = kataCheckInShell(form, `ulimit -f 500; exec "$@" --root ${sampleNode} ${deb}`);
      assert.is(status, 11);
      assert.match(stdout, /KC205.*file\s+too\s+large/s);
    },
    { needs: [...debNeeds, ...form.needs] },
  );

  test(
    `${form.name}: apt is stopped by what is in a package that states nothing`,
    () => {
      const deb = makeDeb(folder, { name, version: '2.0.0-3', files: { [path]: guest('2.0.0') } });
      const input = aptInput([{ name, old: '1.0.0-1', next: '2.0.0-3', what: deb }]);
      const { status, stderr } = kataCheck(form, ['hook', 'apt'], { input });
      assert.is(status, 10, stderr);
      assert.match(stderr, /agent 2\.0\.0\s+kata-containers-image 2\.0\.0-3.*osbuilder\.yaml/s);
    },
    { needs: [...debNeeds, ...form.needs] },
  );

  test(
    `${form.name}: rpms below another root: what is installed is in its database`,
    () => {
      const config = '/usr/share/defaults/kata-containers/configuration.toml';
      const trees = {
        'kata-runtime': { '/usr/bin/kata-runtime': '#!/bin/sh\n', [config]: `[hypervisor.q]\nimage = "${path}"\n` },
        [name]: { [path]: guest('1.0.0') },
      };
      const root = writeTree(temporaryFolder(), { ...trees['kata-runtime'], ...trees[name] });
      for (const [installed, files] of Object.entries(trees)) {
        run(
          'rpm',
          '--root',
          root,
          '--dbpath',
          '/var/lib/rpm',
          '-i',
          '--justdb',
          '--nodeps',
          '--nosignature',
          makeRpm(folder, { name: installed, version: '1.0.0', files }),
        );
      }
      const provides = ['kata-agent-requires(min) = 1.1.0~rc1', 'kata-agent-requires(max) = 1.2.0'];
      const runtime = makeRpm(folder, {
        name: 'kata-runtime',
        version: '1.1.0',
        provides,
        files: trees['kata-runtime'],
      });
      const alone = kataCheck(form, ['--root', root, runtime]);
      assert.is(alone.status, 10, alone.stdout + alone.stderr);
      assert.match(
        alone.stdout,
        /KC101.*agent >=1\.1\.0-rc1 <1\.2\.0\s+\(kata-agent-requires\s+in\s+the\s+package.*keep\s+kata-runtime\s+at\s+1\.0\.0-1/s,
      );
      const image = makeRpm(folder, { name, version: '1.1.0', files: { [path]: guest('1.1.0-rc1') } });
      const both = kataCheck(form, ['--root', root, runtime, image]);
      assert.is(both.status, 0, both.stdout);
    },
    { needs: [...rpmNeeds, 'root', ...form.needs] },
  );

  test(
    `${form.name}: what is no package, or not there, is an error and no go-ahead`,
    () => {
      const text = join(folder, 'text.rpm');
      writeFileSync(text, '/etc/passwd\n');
      for (const [file, said] of [
        [text, /neither a \.deb, an \.rpm nor a tarball/],
        [join(folder, 'none.deb'), /no such file/],
      ] as const) {
        const { status, stderr } = kataCheck(form, ['--root', sampleNode, file]);
        assert.is(status, 11);
        assert.match(stderr, said);
      }
    },
    { needs: form.needs },
  );
}
