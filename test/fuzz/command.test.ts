import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { forms, kataCheck } from '../e2e/program.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';
import { applyPatches, mutate, Random } from './mutate.ts';
import { makeSeeds, programs, readers } from './seeds.ts';

const test = suite('kata-check image on damaged images');
const folder = temporaryFolder();

/** Each is one run of the command, on so many images. */
const imagesAtOnce = 15;

const files = new Map<string, readonly string[]>();

/** Damaged images on disk, without knowledge of where their structures stand. */
function damaged(reader: (typeof readers)[number]): readonly string[] {
  const known = files.get(reader);
  if (known !== undefined) return known;
  const seeds = makeSeeds(reader);
  const paths = Array.from({ length: imagesAtOnce }, (_, number) => {
    const random = new Random(11, number);
    const { data } = random.pick(seeds);
    const begin = { kind: 'begin', offset: 0, length: Math.min(8192, data.length), fields: [] };
    const { patches, size } = mutate(random, { data, places: [begin] });
    const undo = applyPatches(data, patches);
    const path = join(folder, `${reader}-${number}.img`);
    writeFileSync(path, data.subarray(0, size));
    undo();
    return path;
  });
  files.set(reader, paths);
  return paths;
}

for (const form of forms) {
  for (const reader of readers.filter((name) => name !== 'stream' && name !== 'program')) {
    test(
      `${form.name}: ${reader}: each has its facts or its problem, and none hides the others`,
      () => {
        const paths = damaged(reader);
        const { status, stdout, stderr } = kataCheck(form, ['image', '--json', '--deep', ...paths]);
        assert.ok(status === 0 || status === 11, `${status}: ${stderr}`);
        assert.not.match(stdout + stderr, /internal error|NaN|undefined/);
        const { images } = JSON.parse(stdout) as { images: { path: string; problem: { message: string } | null }[] };
        assert.equal(
          images.map(({ path }) => path),
          paths,
        );
        assert.ok(images.some(({ problem }) => problem !== null));
        assert.is(status, 11);
        const text = kataCheck(form, ['image', '--deep', ...paths]);
        assert.is(text.status, 11);
        // Nothing of an image reaches a terminal as it is.
        assert.not.match(text.stdout + text.stderr, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
      },
      { needs: [...form.needs, ...programs[reader]] },
    );
  }
}

for (const reader of readers.filter((name) => name !== 'stream' && name !== 'program')) {
  test(
    `${reader}: both forms say the same of each, to the letter`,
    () => {
      const paths = damaged(reader);
      const [ofNode, ofNative] = forms.map((form) =>
        JSON.parse(kataCheck(form, ['image', '--json', '--deep', ...paths]).stdout),
      );
      assert.equal(ofNative, ofNode);
    },
    { needs: [...forms.flatMap(({ needs }) => needs), ...programs[reader]] },
  );
}
