import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { guestTree, makeDisk, makeExt, osbuilderYaml, type Tree, temporaryFolder, writeTree } from '../images.ts';
import { corpusFolder, suite } from '../suite.ts';
import { forms, kataCheck, sampleNode } from './program.ts';

const test = suite('kata-check image');
const folder = temporaryFolder();
const corpus = corpusFolder('images');
const manifest = `${corpus}/manifest.json`;
const sample = join(sampleNode, 'usr/share/kata-containers/kata-containers.img');

interface ImageObject {
  readonly [key: string]: unknown;
  readonly agent: { readonly version: string; readonly commit: string | null; readonly source: string } | null;
  readonly problem: { readonly kind: string; readonly message: string } | null;
}

function place(name: string, make: (path: string) => void): string {
  const path = join(folder, name);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) make(path);
  return path;
}

const broken: readonly [rule: string, make: (path: string) => void, kind: string, message: RegExp][] = [
  ['a missing file', () => {}, 'not-found', /no such file or directory/],
  ['a directory', (path) => mkdirSync(path), 'io', /is a directory, not a regular file/],
  ['an empty file', (path) => writeFileSync(path, ''), 'unsupported', /is empty/],
  ['a file of one byte', (path) => writeFileSync(path, 'x'), 'unsupported', /no .*filesystem/],
  ['a text', (path) => writeFileSync(path, 'not an image\n'.repeat(1000)), 'unsupported', /no .*filesystem/],
  [
    'a FIFO that nobody writes to',
    (path) => execFileSync('mkfifo', [path]),
    'io',
    /is a FIFO or socket, not a regular file/,
  ],
  ['a dangling link', (path) => symlinkSync('nowhere', path), 'not-found', /nowhere: no such file/],
  ['a link to itself', (path) => symlinkSync(path, path), 'limit-exceeded', /more than 40 symbolic links/],
  [
    'an image cut off in the middle',
    (path) => {
      writeFileSync(path, readFileSync(sample));
      truncateSync(path, 1024 * 1024 + 8192);
    },
    'corrupt',
    /lie outside the image/,
  ],
];

for (const form of forms) {
  test(
    `${form.name}: the sample image, in text and JSON`,
    () => {
      const text = kataCheck(form, ['image', sample]);
      assert.is(text.status, 0);
      assert.match(
        text.stdout,
        /disk, MBR, 1 partition\n {2}filesystem {2}ext4 in partition 1, from byte 1048576\n {2}agent {7}1\.0\.0/,
      );
      const { schema, images } = JSON.parse(kataCheck(form, ['image', '--json', sample]).stdout) as {
        schema: number;
        images: ImageObject[];
      };
      assert.is(schema, 1);
      assert.equal(images, [
        {
          path: sample,
          resolvedPath: sample,
          form: 'disk',
          table: 'mbr',
          dax: false,
          partitions: 1,
          partition: 1,
          offset: 1048576,
          filesystem: 'ext4',
          compression: null,
          agent: {
            version: '1.0.0',
            commit: null,
            source: 'osbuilder.yaml',
            path: '/var/lib/osbuilder/osbuilder.yaml',
          },
          contradiction: null,
          unchecked: null,
          kind: 'guest',
          problem: null,
          usedBy: [],
        },
      ]);
    },
    form,
  );

  test(
    `${form.name}: a relative path begins where the user is`,
    () =>
      assert.match(
        kataCheck(form, ['image', 'kata-containers.img'], { cwd: join(sample, '..') }).stdout,
        /agent {7}1\.0\.0/,
      ),
    form,
  );

  for (const [rule, make, kind, message] of broken) {
    test(
      `${form.name}: ${rule} is "${kind}", and does not hide the next image`,
      () => {
        const path = place(rule.replaceAll(' ', '-'), make);
        const { status, stdout, stderr } = kataCheck(form, ['image', '--json', path, sample]);
        const { images } = JSON.parse(stdout) as { images: ImageObject[] };
        assert.is(images[0]?.problem?.kind, kind);
        assert.match(images[0]?.problem?.message ?? '', message);
        assert.is(images[0]?.agent, null);
        assert.is(images[1]?.agent?.version, '1.0.0');
        assert.is(status, 11);
        assert.is(stderr, '');
      },
      form,
    );
  }

  test(
    `${form.name}: an agent of another version than osbuilder.yaml names is told by image --deep, and a warning by a check`,
    () => {
      const image = place('lie.img', (path) =>
        makeExt(
          path,
          writeTree(join(folder, 'lie'), {
            ...guestTree('1.1.0'),
            'usr/bin/kata-agent': `x 1.0.0-${'a'.repeat(40)} x`,
          }),
          '8M',
        ),
      );
      const deep = kataCheck(form, ['image', '--deep', image]);
      assert.match(deep.stdout, /agent {7}1\.1\.0.*contradicts the agent's binary says 1\.0\.0 {2}\[KC105\]/s);
      const [found] = JSON.parse(kataCheck(form, ['image', '--deep', '--json', image]).stdout).images;
      assert.equal(found.contradiction, {
        version: '1.0.0',
        commit: 'a'.repeat(40),
        source: 'agent-binary',
        path: '/usr/bin/kata-agent',
      });
      const checked = kataCheck(form, ['--image', image, '--to', '1.1.0', '--json']);
      const { findings, verdict } = JSON.parse(checked.stdout);
      assert.equal(
        // Sandboxes may run on this very machine.
        [
          verdict,
          findings.map(({ code }: { code: string }) => code).filter((code: string) => code !== 'KC301'),
          checked.status,
        ],
        ['warn', ['KC105'], 11],
      );
      assert.is(kataCheck(form, ['--image', image, '--to', '1.1.0', '--allow', 'KC105']).status, 0);
      const explained = kataCheck(form, ['explain', 'KC105']);
      assert.is(explained.status, 0);
      assert.match(explained.stdout, /^KC105 {2}.*kata-check image --deep/s);
    },
    { needs: [...form.needs, 'mkfs.ext4'] },
  );

  test(
    `${form.name}: terminal escapes and a megabyte of version leave the report clean and short`,
    () => {
      const hostile: readonly [string, Tree][] = [
        ['escapes', { 'var/lib/osbuilder/osbuilder.yaml': osbuilderYaml('\u001b]0;owned\u0007\u001b[2J\u202e3.31.0') }],
        ['long', { 'var/lib/osbuilder/osbuilder.yaml': osbuilderYaml('9'.repeat(1_000_000)) }],
        ['longer', { 'var/lib/osbuilder/osbuilder.yaml': osbuilderYaml('9'.repeat(2_000_000)) }],
      ];
      for (const [name, tree] of hostile) {
        const image = place(`${name}.img`, (path) => {
          makeExt(`${path}.ext4`, writeTree(join(folder, name), { ...guestTree(''), ...tree }), '8M');
          makeDisk(path, `${path}.ext4`, { dax: true });
        });
        for (const args of [
          ['image', image],
          ['image', '--json', image],
          ['--image', image, '--to', '3.31.0'],
        ]) {
          const { stdout, stderr, status } = kataCheck(form, args);
          assert.ok(stdout.length + stderr.length < 3000, `${stdout.length + stderr.length} characters`);
          assert.not.match(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
          assert.ok([0, 1, 11].includes(status ?? -1), `status ${status}`);
        }
      }
    },
    { needs: [...form.needs, 'mkfs.ext4'] },
  );

  test(
    `${form.name}: every image of the corpus says what its manifest says`,
    () => {
      const expected = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, Record<string, unknown>>;
      const names = Object.keys(expected).filter((name) => name !== 'about');
      assert.ok(names.length > 0);
      for (const name of names) {
        const image = place(`corpus-${name}.img`, (path) =>
          execFileSync('zstd', ['-dqf', `${corpus}/${name}.img.zst`, '-o', path]),
        );
        const { stdout } = kataCheck(form, ['image', '--json', image]);
        const [found] = (JSON.parse(stdout) as { images: ImageObject[] }).images;
        const { note: _, agent, commit, source, ...layout } = expected[name] ?? {};
        assert.is(found?.problem, null, name);
        for (const [key, value] of Object.entries(layout)) assert.equal(found?.[key], value, `${name}: ${key}`);
        assert.equal(
          [found?.agent?.version ?? null, found?.agent?.commit ?? null, found?.agent?.source ?? null],
          [agent, commit, source],
          name,
        );
      }
    },
    { needs: [...form.needs, manifest, 'zstd'] },
  );
}
