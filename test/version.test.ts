import * as assert from 'uvu/assert';
import {
  compareVersions,
  isInRange,
  isVendors,
  parseBuild,
  parseRange,
  parseVersion,
  type Version,
} from '../src/version.ts';
import { suite } from './suite.ts';

const test = suite('versions');
const commit = '0123456789abcdef0123456789abcdef01234567';

function version(text: string): Version {
  const parsed = parseVersion(text);
  assert.ok(parsed, text);
  return parsed as Version;
}

const forms: readonly [rule: string, written: string, text: string, commit: string | null, isDirty: boolean][] = [
  ['a release', '3.4.0', '3.4.0', null, false],
  ['with v in front', 'v3.4.0', '3.4.0', null, false],
  ['blanks around it', ' 3.4.0\n', '3.4.0', null, false],
  ['a release candidate', '1.6.0-rc2', '1.6.0-rc2', null, false],
  ['an alpha', '2.5.0-alpha2', '2.5.0-alpha2', null, false],
  ['an alpha with a dot', '2.5.0-alpha.2', '2.5.0-alpha2', null, false],
  ['zeros in front of its number', '2.5.0-alpha02', '2.5.0-alpha2', null, false],
  ['with a commit', `1.0.0-${commit}`, '1.0.0', commit, false],
  ['a changed work tree', `1.0.0-${commit}-dirty`, '1.0.0', commit, true],
  ['all of it', `v1.6.0-rc2-${commit}-dirty`, '1.6.0-rc2', commit, true],
  ['a changed work tree without its commit', '3.4.0-dirty', '3.4.0', null, true],
  ['a commit cut short is none', `1.0.0-${commit.slice(1)}`, '1.0.0', null, false],
  ['a commit too long is none', `1.0.0-${commit}0`, '1.0.0', null, false],
  ['a tail of git describe', '3.4.0-rc0-12-gabcdef0', '3.4.0-rc0', null, false],
  ['openEuler', '3.19.1.kata3', '3.19.1', null, false],
  ['Azure', '3.15.0.aks0', '3.15.0', null, false],
  ['Azure Linux', '3.2.0.azl5', '3.2.0', null, false],
  ['Azure Linux, as a package', '3.2.0.azl5-1.azl3', '3.2.0', null, false],
  ['a Debian revision', '3.2.0-1', '3.2.0', null, false],
  ['a backport', '3.2.0-1~bpo12+1', '3.2.0', null, false],
  ['an epoch', '1:3.2.0-1', '3.2.0', null, false],
  ['a repacked source', '3.2.0+dfsg-1', '3.2.0', null, false],
  ['a pre-release before its release', '1.7.0~rc1-1', '1.7.0-rc1', null, false],
  ['a pre-release out of git', '1.7.0~alpha1+git.717a30b-29', '1.7.0-alpha1', null, false],
  ['a release out of git', '1.5.0.git+3dd4c9f-41', '1.5.0', null, false],
  ['an epoch, a pre-release and git', '2:1.7.0~alpha1+git.717a30b-29', '1.7.0-alpha1', null, false],
  ['an rpm with its release', '3.21.0-1.fc41', '3.21.0', null, false],
  ['an rpm of what comes after its release', '3.21.0^20240101git4a1b-1.fc41', '3.21.0', null, false],
  ['an rpm of what comes after a pre-release', '3.21.0~rc1^git1-1', '3.21.0-rc1', null, false],
  ['an rpm of a pre-release', '3.0.0~rc1-1.fc38', '3.0.0-rc1', null, false],
  ['two numbers', '3.4', '3.4.0', null, false],
  ['two numbers and a stage, as Kata wrote them', '2.1-alpha0', '2.1.0-alpha0', null, false],
  ['a large V in front', 'V4.0.0', '4.0.0', null, false],
  ['an rpm whose stage stands in its release', '3.26.0-2.rc0.fc44', '3.26.0-rc0', null, false],
  ['zeros', '0.0.0', '0.0.0', null, false],
  ['numbers of nine digits', '999999999.999999999.999999999', '999999999.999999999.999999999', null, false],
];

for (const [rule, written, text, expectedCommit, isDirty] of forms) {
  test(`known: ${rule}: ${written.trim()}`, () => {
    const parsed = version(written);
    assert.equal([parsed.text, parsed.commit, parsed.isDirty], [text, expectedCommit, isDirty]);
    assert.is(parsed.written, written.trim());
    const [major, minor, patch] = text.split('-', 1)[0]?.split('.').map(Number) ?? [];
    assert.equal([parsed.major, parsed.minor, parsed.patch], [major, minor, patch]);
  });
}

const places: readonly [rule: string, stands: Version['stands'], ...written: string[]][] = [
  ['releases, of vendors too', 'at', '3.12.0', '3.15.0.aks0', '3.19.1.kata3', '3.2.0.azl5-1.azl3', '3.21.0-1.fc41'],
  ['releases that were built once more', 'at', '3.2.0-1~bpo12+1', '3.2.0~bpo12+1-1', '3.2.0+dfsg-1', `1.0.0-${commit}`],
  ['pre-releases', 'before', '3.3.0-alpha0', '3.3.0~rc1-1', '2.1-alpha0', '3.3.0-alpha0-12-gabcdef0'],
  [
    'pre-releases that say so in the release of their rpm',
    'before',
    '3.26.0-2.rc0.fc44',
    '3.12.0-0.1.20250110git.fc42',
  ],
  ['what dpkg and rpm order before the release', 'before', '3.2.0~20240101-1', '3.2.0~git20240101'],
  ['git describe behind a tag', 'behind', '3.12.0-57-g0123abcde', `3.12.0-57-g${commit}`],
  ['snapshots', 'behind', '3.12.0+git20250110.0123abc-1', '3.12.0^20250110git0123abc-1.fc42', '1.5.0.git+3dd4c9f-41'],
  ['nightly and other builds', 'behind', '3.12.0-dev', '3.12.0-nightly-20250110', '3.12.0-main', '3.12.0-SNAPSHOT'],
];

for (const [rule, stands, ...all] of places) {
  for (const written of all) test(`${rule}: ${written}`, () => assert.is(version(written).stands, stands));
}

const megabyte = 1024 * 1024;

const unknown: readonly [rule: string, written: string][] = [
  ['what osbuilder writes without a VERSION file', 'unknown'],
  ['nothing', ''],
  ['blanks', ' \n'],
  ['one number', '3'],
  ['four numbers', '3.2.0.1'],
  ['four numbers and a vendor', '3.2.0.1.azl5'],
  ['zeros in front', '3.02.0'],
  ['zeros behind', '3.2.00'],
  ['a number of ten digits', '3.2.1000000000'],
  ['a number of semver: negative', '-3.2.0'],
  ['words', 'kata-agent 3.2.0'],
  ['a stage without its number', '3.2.0-alpha'],
  ['a stage with more behind its number', '3.2.0-rc2foo'],
  ['a stage glued on', '3.2.0rc2'],
  ['a control character', '3.2.0-\u001b[31m'],
  ['two lines', '3.2.0\n3.3.0'],
  ['digits of another script', '٣.٤.٠'],
  ['a megabyte of digits', '1'.repeat(megabyte)],
  ['a megabyte of digits behind a version', `3.2.0-${'1'.repeat(megabyte)}`],
  ['a megabyte of dots', '.'.repeat(megabyte)],
  ['just over the limit', `3.2.0-${'1'.repeat(251)}`],
];

for (const [rule, written] of unknown) {
  test(`unknown: ${rule}`, () => {
    assert.is(parseVersion(written), undefined);
  });
}

test('half a million blanks around a version cost no more than reading them', () => {
  const blanks = ' '.repeat(megabyte / 2);
  assert.is(parseVersion(`${blanks}3.2.0${blanks}`)?.text, '3.2.0');
  assert.is(parseVersion(`${blanks}3.2.0${blanks}x`), undefined);
});

const ascending: readonly (readonly [rule: string, ...versions: string[]])[] = [
  ['a candidate is older than its release', '1.6.0-rc2', '1.6.0'],
  ['numbers of a stage are numbers', '2.5.0-alpha2', '2.5.0-alpha10'],
  ['alpha, beta, rc, release', '2.0.0-alpha5', '2.0.0-beta1', '2.0.0-rc0', '2.0.0', '2.0.1-alpha0'],
  ['minors are numbers', '3.9.0', '3.10.0', '3.31.0', '4.0.0'],
  ["a package's pre-release", '1.7.0~alpha1+git.717a30b-29', '1.7.0~rc1-1', '1.7.0-1'],
];

for (const [rule, ...versions] of ascending) {
  test(`order: ${rule}`, () => {
    for (const [index, older] of versions.entries()) {
      for (const newer of versions.slice(index + 1)) {
        assert.ok(compareVersions(version(older), version(newer)) < 0, `${older} < ${newer}`);
        assert.ok(compareVersions(version(newer), version(older)) > 0, `${newer} > ${older}`);
      }
    }
  });
}

const same: readonly [rule: string, one: string, other: string][] = [
  ['the commit', `1.6.0-rc2-${commit}`, '1.6.0-rc2'],
  ['a changed work tree', `1.6.0-${commit}-dirty`, '1.6.0'],
  ['the epoch', '7:3.2.0-1', '3.2.0'],
  ['the revision', '3.2.0-9', '3.2.0-10'],
  ['the vendor', '3.2.0.azl5', '3.2.0.azl1'],
  ['the way to write a stage', '1.7.0~rc1', '1.7.0-rc.1'],
];

for (const [rule, one, other] of same) {
  test(`no part of the order: ${rule}`, () => {
    assert.is(compareVersions(version(one), version(other)), 0);
  });
}

const ranges: readonly [rule: string, range: string, inside: readonly string[], outside: readonly string[]][] = [
  ['from and below', '>=3.4.0 <3.6.0', ['3.4.0', '3.5.9', `3.4.0-${commit}`], ['3.3.9', '3.6.0', '3.4.0-rc1']],
  ['blanks behind the sign, as Debian writes', '>= 3.4.0 < 3.6.0', ['3.5.0'], ['3.6.0']],
  ['a candidate as the bound', '>=1.6.0-rc2', ['1.6.0-rc2', '1.6.0-rc10', '1.6.0'], ['1.6.0-rc1', '1.5.9']],
  ['an alpha as the bound: its number counts as one', '>=2.5.0-alpha2', ['2.5.0-alpha10'], ['2.5.0-alpha1']],
  ['pre-releases are taken in', '>=3.0.0', ['3.1.0-alpha0', '4.0.0-rc1'], ['3.0.0-rc1']],
  ['an x-range with its pre-releases', '3.x', ['3.0.0-alpha0', '3.99.0'], ['4.0.0', '2.99.0']],
  ['two numbers are an x-range', '3.4', ['3.4.0', '3.4.9'], ['3.5.0']],
  ['from - to takes both ends in', '3.28 - 3.32', ['3.28.0', '3.32.7'], ['3.27.9', '3.33.0']],
  ['a version is itself alone', '3.4.0', ['3.4.0', '3.4.0-1'], ['3.4.1', '3.4.0-rc1']],
  ['one of several', '1.0.0 || >=3.0.0', ['1.0.0', '3.1.0'], ['2.0.0']],
  ['every version', '*', ['0.0.1', '4.0.0-alpha0'], []],
  ['v in front', '>=v3.4.0', ['3.4.0'], ['3.3.0']],
];

for (const [rule, text, inside, outside] of ranges) {
  test(`range: ${rule}: ${text}`, () => {
    const range = parseRange(text);
    assert.ok(range);
    assert.is(range?.text, text);
    for (const written of inside) assert.ok(range && isInRange(version(written), range), `${written} is inside`);
    for (const written of outside) assert.not.ok(range && isInRange(version(written), range), `${written} is outside`);
  });
}

const suffixes: readonly [text: string, isVendors: boolean][] = [
  ['3.2.0.azl5', true],
  ['3.19.1.kata2-1.azl3', true],
  ['3.15.0.aks0', true],
  ['3.2.0', false],
  ['3.2.0-1.fc41', false],
  ['1.5.0.git+3dd4c9f-41', false],
  ['nothing', false],
];

for (const [text, expected] of suffixes) {
  test(`${text} ${expected ? 'is' : 'is not'} a vendor's`, () => assert.is(isVendors(text), expected));
}

const badRanges: readonly [rule: string, text: string][] = [
  ['nothing', ''],
  ['blanks', '  '],
  ['a word', 'latest'],
  ['unknown', 'unknown'],
  ["Debian's brackets", '(>= 3.4.0)'],
  ["Debian's sign", '>= 3.4.0, << 3.6.0'],
  ['a sign turned round', '=>3.4.0'],
  ['a sign without a version', '>=3.4.0 <'],
  ['a tilde of a package', '>=1.6.0~rc2'],
  ['four numbers', '>=3.2.0.1'],
  ['an epoch', '>=1:3.4.0'],
  ['alternatives of which one is empty: semver would take every version', '>=3.4.0 ||'],
  ['alternatives that are all empty', '||'],
  ['a good one and a word', '>=3.4.0 agent'],
  ['a megabyte of blanks inside', `>=3.4.0${' '.repeat(megabyte)}<3.6.0`],
  ['a megabyte of digits', `>=${'1'.repeat(megabyte)}`],
];

for (const [rule, text] of badRanges) {
  test(`no range: ${rule}`, () => {
    assert.is(parseRange(text), undefined);
  });
}

test('adversary C2: a runtime of four numbers is some build behind the release of the first three', () => {
  for (const [text, expected] of [
    ['3.29.0.1-1', '3.29.0 behind'],
    ['2:3.29.0.1.2+x-1', '3.29.0 behind'],
    ['3.29.0-1', '3.29.0 at'],
    ['3.29.0really3.12.0.1', undefined],
    [`3.29.0.${'1'.repeat(300)}`, undefined],
  ] as const) {
    const found = parseBuild(text);
    assert.is(found && `${found.text} ${found.stands}`, expected, text);
  }
});
