import * as assert from 'uvu/assert';
import { packageFilesOf, parsePrinted } from '../../src/hooks/pacman.ts';
import { suite } from '../suite.ts';

const test = suite("pacman's hooks");

const lines: readonly [rule: string, argv: readonly string[], files: readonly string[]][] = [
  ['packages of a repository', ['pacman', '-Syu', 'kata-runtime'], []],
  ['files', ['pacman', '-U', './a.pkg.tar.zst', '/b.pkg.tar'], ['./a.pkg.tar.zst', '/b.pkg.tar']],
  ['options between them', ['pacman', '--noconfirm', '-U', 'a.pkg.tar.xz', '--needed'], ['a.pkg.tar.xz']],
  ['other files', ['pacman', '-U', 'a.tar.zst', 'a.pkg.tar.zst.sig'], []],
  ['none', [], []],
];

for (const [rule, argv, files] of lines) {
  test(`arguments: ${rule}`, () => assert.equal(packageFilesOf(argv), files));
}

test('what pacman prints of packages that come', () => {
  const text = [
    'kata-runtime\t3.29.0-1\tfile:///var/cache/pacman/pkg/kata-runtime-3.29.0-1-x86_64.pkg.tar.zst',
    'far\t1:2-1\thttp://mirror.invalid/far-2-1-any.pkg.tar.zst',
    'a warning of pacman',
    '',
  ].join('\n');
  assert.equal(
    [...parsePrinted(text)],
    [
      [
        'kata-runtime',
        { version: '3.29.0-1', archive: '/var/cache/pacman/pkg/kata-runtime-3.29.0-1-x86_64.pkg.tar.zst' },
      ],
      ['far', { version: '1:2-1', archive: null }],
    ],
  );
});
