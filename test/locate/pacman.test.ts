import * as assert from 'uvu/assert';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { askPacman, asProvide, pacmanFiles, pacmanVersions } from '../../src/locate/pacman.ts';
import { pacmanDatabase } from '../../src/locate/programs.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite("pacman's database");

const host = rootedHost(
  createNodeHost(),
  writeTree(temporaryFolder(), {
    [`${pacmanDatabase}/ALPM_DB_VERSION`]: '9\n',
    [`${pacmanDatabase}/kata-runtime-bin-3.29.0-1/desc`]:
      '%NAME%\nkata-runtime-bin\n\n%PROVIDES%\nkata-runtime=3.29.0\nkata-agent-requires-min=3.28.0\n\n%SIZE%\n1\n',
    [`${pacmanDatabase}/kata-runtime-bin-3.29.0-1/files`]: '%FILES%\nusr/\nusr/bin/\nusr/bin/kata-runtime\n',
    [`${pacmanDatabase}/image-1:3.2-2/desc`]: '%NAME%\nimage\n\n%PROVIDES%\nkata-agent=3.2.0\n',
    [`${pacmanDatabase}/image-1:3.2-2/files`]: '%FILES%\nusr/share/kata-containers/kata.img\n\n%BACKUP%\netc/x\tmd5\n',
    [`${pacmanDatabase}/vim-9-1/files`]: '%FILES%\nusr/bin/vim\n',
  }),
);

test('names and versions, where a name has dashes', () => {
  const versions = pacmanVersions(host, pacmanDatabase);
  assert.equal([...versions].sort(), [
    ['image', '1:3.2-2'],
    ['kata-runtime-bin', '3.29.0-1'],
    ['vim', '9-1'],
  ]);
});

test('who owns these paths, and what those that are named declare', () => {
  const paths = ['/usr/bin/kata-runtime', '/usr/share/kata-containers/kata.img', '/usr/bin/kata', '/etc/x'];
  const found = askPacman(host, pacmanDatabase, paths, ['vim', 'none']);
  assert.equal(
    found.sort((a, b) => (a.name < b.name ? -1 : 1)),
    [
      { name: 'image', version: '1:3.2-2', agentRequires: null, agentVersion: '3.2.0', owns: [paths[1]] },
      {
        name: 'kata-runtime-bin',
        version: '3.29.0-1',
        agentRequires: '>=3.28.0',
        agentVersion: null,
        owns: [paths[0]],
      },
      { name: 'vim', version: '9-1', agentRequires: null, agentVersion: null, owns: [] },
    ],
  );
});

test('more paths than are looked for at once', () => {
  const paths = [...Array.from({ length: 200 }, (_, index) => `/none/${index}`), '/usr/bin/vim'];
  assert.equal(
    askPacman(host, pacmanDatabase, paths, []).map(({ name, owns }) => [name, owns]),
    [['vim', ['/usr/bin/vim']]],
  );
});

test('the files of some packages', () => {
  assert.equal(pacmanFiles(host, pacmanDatabase, new Set(['vim', 'none'])), [
    `${pacmanDatabase}/vim-9-1/files`,
    `${pacmanDatabase}/vim-9-1/desc`,
  ]);
});

test('a system without pacman', () => {
  const other = rootedHost(createNodeHost(), writeTree(temporaryFolder(), { '/etc/hostname': 'x' }));
  assert.equal(askPacman(other, pacmanDatabase, ['/x'], ['x']), []);
});

const provides: readonly [text: string, expected: string][] = [
  ['kata-agent=3.29.0', 'kata-agent = 3.29.0'],
  ['kata-agent-requires-min=3.4.0', 'kata-agent-requires(min) = 3.4.0'],
  ['kata-agent-requires-max=3.6.0', 'kata-agent-requires(max) = 3.6.0'],
  ['kata-agent', 'kata-agent'],
];

for (const [text, expected] of provides)
  test(`in the words of rpm: ${text}`, () => assert.is(asProvide(text), expected));
