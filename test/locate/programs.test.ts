import * as assert from 'uvu/assert';
import { runtimePrograms } from '../../src/locate/programs.ts';
import { suite } from '../suite.ts';

const test = suite('the programs that are a runtime');

test('each is named once, by an absolute path without . and ..', () => {
  const paths = runtimePrograms.map(({ path }) => path);
  assert.is(new Set(paths).size, paths.length);
  for (const path of paths) assert.match(path, /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/);
});

test('a program that says which language it is written in is the same for all of its prefix, but for runtime-rs', () => {
  for (const { path, prefix, language } of runtimePrograms) {
    if (language !== null) assert.is(path.startsWith(`${prefix}/`), true, path);
    assert.is(language === 'rust', path.includes('/runtime-rs/'), path);
  }
});
