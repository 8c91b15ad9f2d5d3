import * as assert from 'uvu/assert';
import type { Measured } from '../../src/locate/measured.ts';
import {
  belongsTogether,
  changesBoth,
  conditionOf,
  fits,
  hasRuntime,
  type Image,
  isAsMeasured,
  isChanged,
  isJudged,
  isMeasuredFor,
  noSource,
  type Runtime,
  type State,
  type User,
} from '../../src/state/node.ts';
import * as usual from '../states.ts';
import { absent, atOpt, corrupt, extension, incomingImage, incomingRuntime, readImage, stateOf } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the model of a node');

const runtime = (prefix: string | null, language: Runtime['language'], isIncoming = false): Runtime =>
  ({ name: 'kata-runtime', prefix, language, isIncoming }) as Runtime;
const user = (prefix: string | null, language: User['language'], path = '/c.toml'): User => ({
  path,
  prefix,
  language,
});
const image = (...usedBy: readonly User[]): Image =>
  ({ facts: { path: '/a.img' }, usedBy, incoming: null, rebuiltBy: null }) as unknown as Image;

const pairs: readonly [rule: string, runtime: Runtime, image: Image, belong: boolean][] = [
  ['a configuration of the same prefix and language', runtime('/usr', 'go'), image(user('/usr', 'go')), true],
  ['another prefix', runtime('/usr', 'go'), image(user('/opt/kata', 'go')), false],
  ['another language', runtime('/opt/kata', 'go'), image(user('/opt/kata', 'rust')), false],
  ['a prefix that is not known may be any', runtime(null, 'go'), image(user('/opt/kata', 'go')), true],
  ['a language that is not known may be any', runtime('/usr', null), image(user('/usr', 'rust')), true],
  ['one of several is enough', runtime('/usr', 'go'), image(user('/opt/kata', 'go'), user('/usr', null)), true],
  ['an image that nobody names is for all', runtime('/usr', 'go'), image(), true],
];

for (const [rule, one, other, belong] of pairs) {
  test(`a runtime and an image belong together: ${rule}: ${belong}`, () => {
    assert.is(belongsTogether(one, other), belong);
  });
}

test('what is not known fits all', () => {
  assert.equal(
    [fits(null, 'a'), fits('a', null), fits(null, null), fits('a', 'a'), fits('a', 'b')],
    [true, true, true, true, false],
  );
});

test('what stands for a runtime that is not there is none', () => {
  const state = (...sources: readonly string[]): State =>
    ({ runtimes: sources.map((source) => ({ ...runtime('/usr', 'go'), source })) }) as unknown as State;
  assert.equal(
    [hasRuntime(state()), hasRuntime(state(noSource)), hasRuntime(state(noSource, 'kata-runtime'))],
    [false, false, true],
  );
});

test('runtime and image change together only where both come', () => {
  const coming = { ...image(), incoming: { package: 'i' } } as unknown as Image;
  const state = (runtimes: readonly Runtime[], images: readonly Image[]): State => ({ runtimes, images }) as State;
  assert.is(changesBoth(state([runtime('/usr', 'go', true)], [coming])), true);
  assert.is(changesBoth(state([runtime('/usr', 'go')], [coming])), false);
  assert.is(changesBoth(state([runtime('/usr', 'go', true)], [image()])), false);
  const named = { ...image(), isNamedAnew: true };
  assert.is(changesBoth(state([runtime('/usr', 'go', true)], [named])), false, 'it was there before');
});

const measured = (parts: Partial<Measured>): Measured => ({
  image: '/a.img',
  source: '/c.toml',
  isConfigured: true,
  expected: 'ab',
  actual: 'ab',
  problem: null,
  ...parts,
});

test('an image is as measured only where both hashes are known and the same', () => {
  assert.is(isAsMeasured(measured({})), true);
  assert.is(isAsMeasured(measured({ actual: 'cd' })), false);
  assert.is(isAsMeasured(measured({ expected: null, actual: null })), false);
  assert.is(isAsMeasured(measured({ problem: 'it cannot be read' })), false);
});

test('a measurement counts for the runtimes that read the configuration which asks for it; a file beside the image counts for all', () => {
  const go = runtime('/usr', 'go');
  assert.is(isMeasuredFor(measured({}), go, image(user('/usr', 'go'))), true);
  assert.is(isMeasuredFor(measured({}), go, image(user('/opt/kata', 'go'))), false);
  assert.is(isMeasuredFor(measured({ source: '/d.toml' }), go, image(user('/usr', 'go'))), false);
  assert.is(isMeasuredFor(measured({ source: '/a.hash', isConfigured: false }), go, image()), true);
  assert.is(isMeasuredFor(measured({ image: '/b.img' }), go, image(user('/usr', 'go'))), false);
});

const removed = { removedBy: 'kata-containers-image' };

const conditions: readonly [rule: string, image: Image, is: string][] = [
  ['its agent is known', usual.image('3.4.0'), 'known 3.4.0'],
  ['it names no version', usual.image(null), 'without a version'],
  ['it is not there', usual.image(null, {}, absent), 'missing'],
  ['it is corrupt', usual.image(null, {}, corrupt), 'unreadable'],
  ['it is corrupt, although a version was found', usual.image('3.4.0', {}, corrupt), 'unreadable'],
  ['an extension needs no agent', usual.image(null, {}, extension), 'without an agent'],
  ['an extension that is missing is missing', usual.image(null, {}, { ...extension, ...absent }), 'missing'],
  ['what comes in states its agent', incomingImage('3.5.0'), 'known 3.5.0'],
  ['whatever the image that it replaces is', incomingImage('3.5.0', null, corrupt), 'known 3.5.0'],
  ['what comes in was read', readImage('3.5.0'), 'known 3.5.0'],
  ['what comes in could not be read', readImage(null, corrupt), 'unread in its package'],
  ['what comes in the place of an extension is one', incomingImage(null, null, extension), 'without an agent'],
  ['unless it states an agent', incomingImage('3.5.0', null, extension), 'known 3.5.0'],
  ['what goes away is not looked at', usual.image(null, removed, corrupt), 'removed'],
];

for (const [rule, one, is] of conditions) {
  test(`an image: ${rule}`, () => {
    const condition = conditionOf(one);
    assert.is(condition.is === 'known' ? `known ${condition.agent.text}` : condition.is, is);
  });
}

test('in a transaction a pair is judged when one of the two changes', () => {
  const state = stateOf([], [], { onlyChanges: true });
  assert.not(isJudged(state, usual.runtime('3.4.0'), usual.image('3.4.0')));
  assert.ok(isJudged(state, incomingRuntime('3.4.0'), usual.image('3.4.0')));
  assert.ok(isJudged(state, usual.runtime('3.4.0'), { ...usual.image('3.4.0'), isNamedAnew: true }));
  assert.ok(isJudged(state, usual.runtime('3.4.0'), incomingImage('3.4.0')));
  assert.ok(isJudged(state, usual.runtime('3.4.0'), usual.image('3.4.0', removed)));
  assert.not(isJudged(state, incomingRuntime('3.4.0', undefined, atOpt), usual.image('3.4.0')));
  assert.ok(isJudged(stateOf([], []), usual.runtime('3.4.0'), usual.image('3.4.0')));
});

test('a state changes where a runtime or an image comes in', () => {
  assert.not(isChanged(stateOf([usual.runtime('3.4.0')], [usual.image('3.4.0')])));
  assert.ok(isChanged(stateOf([incomingRuntime('3.4.0')], [usual.image('3.4.0')])));
  assert.ok(isChanged(stateOf([usual.runtime('3.4.0')], [incomingImage('3.4.0')])));
});
