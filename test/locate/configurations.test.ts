import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse, TomlError } from 'smol-toml';
import * as assert from 'uvu/assert';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { type Configuration, locateConfigurations, namesOf } from '../../src/locate/configurations.ts';
import { type Tree, temporaryFolder, writeTree } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('the configurations of Kata');

function node(tree: Tree): Host {
  return rootedHost(createNodeHost(), writeTree(temporaryFolder(), { '/etc/hostname': 'x', ...tree }));
}

const local = '/etc/kata-containers/configuration.toml';
const usr = '/usr/share/defaults/kata-containers/configuration.toml';
const ownLocal = '/usr/local/share/defaults/kata-containers/configuration.toml';
const opt = '/opt/kata/share/defaults/kata-containers';
const cc = '/opt/confidential-containers/share/defaults/kata-containers';
const inRust = 'kata-containers/runtime-rs/configuration.toml';
const image = '/usr/share/kata-containers/kata-containers.img';

const naming = (path: string): string => `[hypervisor.qemu]\nimage = "${path}"\n`;

/** `path: readers: images`, with what masks it. */
function told({ path, readers, images, maskedBy, isRemote }: Configuration): string {
  const who = readers.map(({ prefix, language }) => `${prefix} ${language}`).join(' + ');
  const what = images.map(({ path: named, kind }) => (kind === 'guest' ? named : `${kind} ${named}`)).join(' ');
  return `${path}: ${who}: ${what}${isRemote ? ' remote' : ''}${maskedBy === null ? '' : ` masked by ${maskedBy}`}`;
}

const placed: readonly [
  rule: string,
  tree: Tree,
  expected: readonly string[],
  parts?: { readonly chosen?: string; readonly programs?: readonly string[] },
][] = [
  ['none', {}, []],
  ['Go alone: Rust, until 3.2, reads the same', { [usr]: naming('/a') }, [`${usr}: /usr null: /a`]],
  [
    'Go and Rust each have their own',
    { [usr]: naming('/a'), [`/usr/share/defaults/${inRust}`]: naming('/b') },
    [`${usr}: /usr go: /a`, `/usr/share/defaults/${inRust}: null rust: /b`],
  ],
  [
    'the first of Rust masks the others, whatever the prefix of the runtime',
    { [`/opt/kata/share/defaults/${inRust}`]: naming('/c'), [`/usr/share/defaults/${inRust}`]: naming('/b') },
    [
      `/usr/share/defaults/${inRust}: null rust: /b`,
      `/opt/kata/share/defaults/${inRust}: null rust: /c masked by /usr/share/defaults/${inRust}`,
    ],
  ],
  [
    'a local one of Rust does not mask those of Go',
    { [`/etc/${inRust}`]: naming('/b'), [usr]: naming('/a') },
    [`${usr}: /usr go: /a`, `/etc/${inRust}: null rust: /b`],
  ],
  [
    'a local one of Go does not mask those of Rust',
    { [local]: naming('/l'), [usr]: naming('/a'), [`/usr/share/defaults/${inRust}`]: naming('/b') },
    [`${local}: null go: /l`, `${usr}: /usr go: /a masked by ${local}`, `/usr/share/defaults/${inRust}: null rust: /b`],
  ],
  [
    '$KATA_CONF_FILE masks every default of both',
    { '/k.toml': naming('/k'), [local]: naming('/l'), [usr]: naming('/a'), [`/etc/${inRust}`]: naming('/b') },
    [
      '/k.toml: null null: /k',
      `${local}: null go: /l masked by /k.toml`,
      `${usr}: /usr go: /a masked by /k.toml`,
      `/etc/${inRust}: null rust: /b masked by /k.toml`,
    ],
    { chosen: '/k.toml' },
  ],
  [
    'a local one that is a link to the packaged one hides nothing',
    { [local]: { link: usr }, [usr]: naming('/a') },
    [`${local}: null null: /a`],
  ],
  [
    'a runtime in /usr/local/bin reads what is below /usr',
    { [usr]: naming('/a') },
    [`${usr}: /usr null + /usr/local null: /a`],
    { programs: ['/usr/local'] },
  ],
  [
    'unless it brought its own',
    { [usr]: naming('/a'), [ownLocal]: naming('/b') },
    [`${usr}: /usr null: /a`, `${ownLocal}: /usr/local null: /b`],
    { programs: ['/usr/local'] },
  ],
  [
    "kata-deploy's, one per shim, which no local one masks",
    {
      [local]: naming('/l'),
      [`${opt}/configuration-qemu.toml`]: { link: 'runtimes/qemu/configuration-qemu.toml' },
      [`${opt}/runtimes/qemu/configuration-qemu.toml`]: naming('/q'),
      [`${opt}/runtimes/clh/configuration-clh.toml`]: naming('/c'),
      [`${opt}/runtime-rs/runtimes/dragonball/configuration-dragonball.toml`]: naming('/d'),
    },
    [
      `${local}: null go: /l`,
      `${opt}/runtimes/clh/configuration-clh.toml: /opt/kata go: /c`,
      `${opt}/runtimes/qemu/configuration-qemu.toml: /opt/kata go: /q`,
      `${opt}/runtime-rs/runtimes/dragonball/configuration-dragonball.toml: /opt/kata rust: /d`,
    ],
  ],
  [
    'one of Rust among those of Go: its name tells',
    { [`${opt}/runtimes/qemu-runtime-rs/configuration-qemu-runtime-rs.toml`]: naming('/r') },
    [`${opt}/runtimes/qemu-runtime-rs/configuration-qemu-runtime-rs.toml: /opt/kata rust: /r`],
  ],
  [
    'a local one whose link dangles masks nothing: a runtime goes on to the next',
    { [local]: { link: '/srv/none' }, [usr]: naming('/a') },
    [`${local}: null null: `, `${usr}: /usr null: /a`],
  ],
  [
    'nor does one of Rust',
    { [`/etc/${inRust}`]: { link: '/srv/none' }, [`/usr/share/defaults/${inRust}`]: naming('/b') },
    [`/etc/${inRust}: null rust: `, `/usr/share/defaults/${inRust}: null rust: /b`],
  ],
  [
    'a runtime that was copied out of /opt/kata reads what is there',
    { [`${opt}/configuration.toml`]: naming('/a') },
    [`${opt}/configuration.toml: /opt/kata null + /usr null: /a`],
    { programs: ['/usr'] },
  ],
  [
    'unless it has its own, or there is another one',
    { [`${opt}/configuration.toml`]: naming('/a'), [usr]: naming('/b') },
    [`${usr}: /usr null + /usr/local null: /b`, `${opt}/configuration.toml: /opt/kata null: /a`],
    { programs: ['/opt/kata', '/usr/local'] },
  ],
  [
    "custom handlers: the base configuration's name tells the language",
    {
      [`${opt}/custom-runtimes/kata-a/configuration-qemu-nvidia-gpu.toml`]: naming('/a'),
      [`${opt}/custom-runtimes/kata-b/configuration-qemu-runtime-rs.toml`]: naming('/b'),
      [`${opt}/custom-runtimes/kata-c/configuration-cloud-hypervisor.toml`]: naming('/c'),
    },
    [
      `${opt}/custom-runtimes/kata-a/configuration-qemu-nvidia-gpu.toml: /opt/kata go: /a`,
      `${opt}/custom-runtimes/kata-b/configuration-qemu-runtime-rs.toml: /opt/kata rust: /b`,
      `${opt}/custom-runtimes/kata-c/configuration-cloud-hypervisor.toml: /opt/kata rust: /c`,
    ],
  ],
  [
    "Azure Linux's for confidential pods, which have no default; none for debugging",
    {
      [`${cc}/configuration-clh-snp.toml`]: naming('/s'),
      [`${cc}/configuration-clh-snp-debug.toml`]: naming('/d'),
      [`${cc}/configuration-clh.toml`]: naming('/c'),
    },
    [
      `${cc}/configuration-clh-snp.toml: /opt/confidential-containers null: /s`,
      `${cc}/configuration-clh.toml: /opt/confidential-containers null: /c`,
    ],
  ],
  [
    'with a default it is that one',
    {
      [`${cc}/configuration-clh.toml`]: naming('/c'),
      [`${cc}/configuration.toml`]: { link: 'configuration-clh.toml' },
    },
    [`${cc}/configuration.toml: /opt/confidential-containers null: /c`],
  ],
  [
    'what the tarball brings and nobody chose, a copy, and a folder are none',
    {
      [`${opt}/configuration-fc.toml`]: naming('/fc'),
      [`${opt}/runtimes/qemu/configuration-qemu.toml.~1~`]: naming('/old'),
      [`${opt}/runtimes/qemu/notes.toml`]: naming('/notes'),
      [`${opt}/runtimes/file`]: '',
    },
    [],
  ],
];

for (const [rule, tree, expected, { chosen, programs = [] } = {}] of placed) {
  test(`where: ${rule}`, () => {
    assert.equal(locateConfigurations(node(tree), chosen, programs, []).map(told), expected);
  });
}

test('what somebody names is read under its name, and once', () => {
  const reader = { prefix: null, language: null };
  const named = [
    { path: '/srv/kata.toml', by: 'containerd, handler kata', file: '/etc/c.toml', reader },
    {
      path: '/srv/link.toml',
      by: 'containerd, handler other',
      file: '/etc/c.toml',
      reader: { prefix: '/usr', language: null },
    },
    { path: '/srv/none.toml', by: 'containerd, handler none', file: '/etc/c.toml', reader },
  ];
  const tree: Tree = { '/srv/kata.toml': naming('/x'), '/srv/link.toml': { link: 'kata.toml' } };
  const configurations = locateConfigurations(node(tree), undefined, [], named);
  assert.equal(configurations.map(told), [
    '/srv/kata.toml: null null: /x',
    '/srv/link.toml: /usr null: /x',
    '/srv/none.toml: null null: ',
  ]);
  const unread = configurations.flatMap((configuration) => configuration.unread);
  assert.equal(unread, [
    {
      path: '/srv/none.toml',
      message: '/srv/none.toml: no such file',
      reason: 'gone',
      namedBy: 'containerd, handler none',
      namedIn: '/etc/c.toml',
    },
  ]);
  assert.is(configurations[0]?.namedBy, 'containerd, handler kata');
});

test('what masks and what is masked is not the file that is read under two names', () => {
  const reader = { prefix: null, language: null };
  const tree: Tree = { [local]: naming('/l'), [usr]: naming('/a') };
  const configurations = locateConfigurations(
    node(tree),
    undefined,
    [],
    [{ path: usr, by: 'CRI-O', file: '/etc/crio/crio.conf', reader }],
  );
  assert.equal(configurations.map(told), [`${local}: null null: /l`, `${usr}: null null: /a`]);
});

test('who names a configuration knows who reads it better than its place does', () => {
  const path = `${opt}/custom-runtimes/kata-x/configuration-remote.toml`;
  const reader = { prefix: '/opt/kata', language: 'rust' } as const;
  const named = (language: 'go' | 'rust') => ({
    path,
    by: `containerd, handler ${language}`,
    file: '/etc/c.toml',
    reader: { ...reader, language },
  });
  const tree: Tree = { [path]: naming('/x') };
  const toldOf = (...by: ('go' | 'rust')[]) => locateConfigurations(node(tree), undefined, [], by.map(named)).map(told);
  assert.equal(toldOf(), [`${path}: /opt/kata go: /x`]);
  assert.equal(toldOf('rust'), [`${path}: /opt/kata rust: /x`]);
  assert.equal(toldOf('rust', 'go'), [`${path}: /opt/kata rust + /opt/kata go: /x`]);
});

const verities: readonly [rule: string, toml: string, expected: readonly (string | null)[]][] = [
  ['none', 'image = "/a"', [null]],
  ['an empty text is none', 'image = "/a"\nkernel_verity_params = ""', [null]],
  ['for the image', 'image = "/a"\nkernel_verity_params = "root_hash=1"', ['root_hash=1']],
  ['not for an initrd', 'initrd = "/a"\nkernel_verity_params = "root_hash=1"', [null]],
  ['of an extension', 'guest_extension_images = [{ path = "/x", verity_params = "root_hash=2" }]', ['root_hash=2']],
  [
    "the kernel's parameters, until 3.26",
    'image = "/a"\nkernel_verity_params = ""\nkernel_params = "x rootfs_verity.scheme=dm-verity rootfs_verity.hash=3"',
    ['root_hash=3'],
  ],
  [
    'in the form of the first confidential releases',
    'image = "/a"\nkernel_params = "cc_rootfs_verity.scheme=dm-verity cc_rootfs_verity.hash=4"',
    ['root_hash=4'],
  ],
  ['a hash without a scheme', 'image = "/a"\nkernel_params = "rootfs_verity.hash=3"', [null]],
  [
    'what is meant for it wins',
    'image = "/a"\nkernel_verity_params = "root_hash=1"\nkernel_params = "rootfs_verity.scheme=dm-verity rootfs_verity.hash=3"',
    ['root_hash=1'],
  ],
  [
    'a second section that asks',
    'image = "/a"\n[hypervisor.clh]\nimage = "/a"\nkernel_verity_params = "root_hash=5"',
    ['root_hash=5'],
  ],
];

for (const [rule, toml, expected] of verities) {
  test(`root hashes: ${rule}`, () => {
    const [configuration] = locateConfigurations(node({ [usr]: `[hypervisor.qemu]\n${toml}\n` }), undefined, [], []);
    assert.equal(
      configuration?.images.map(({ verity }) => verity),
      expected,
    );
  });
}

const sections: readonly [rule: string, toml: string, expected: string][] = [
  ['an image and an initrd', '[hypervisor.qemu]\nimage = "/a"\ninitrd = "/b"\n', '/a /b'],
  ['the remote hypervisor has none', '[hypervisor.remote]\nremote_hypervisor_socket = "/run/s"\n', ' remote'],
  [
    'extension images',
    '[hypervisor.qemu]\nimage = "/a"\n[[hypervisor.qemu.guest_extension_images]]\nname = "gpu"\npath = "/gpu.img"\n[[hypervisor.qemu.guest_extension_images]]\npath = "/coco.img"\n',
    '/a extension /gpu.img extension /coco.img',
  ],
  [
    'an extension that another section boots from is a guest image',
    '[[hypervisor.a.guest_extension_images]]\npath = "/x"\n[hypervisor.b]\nimage = "/x"\n',
    '/x',
  ],
  [
    'and the other way round',
    '[hypervisor.b]\nimage = "/x"\n[[hypervisor.c.guest_extension_images]]\npath = "/x"\n',
    '/x',
  ],
  ['extensions that are none', '[hypervisor.q]\nguest_extension_images = [1, "x", { path = 5 }, { path = "x" }]\n', ''],
  [
    'IBM Secure Execution: the kernel is all',
    '[hypervisor.qemu]\nkernel = "/k/kata-containers-se.img"\n',
    '/k/kata-containers-se.img',
  ],
  ['any other kernel is no image', '[hypervisor.qemu]\nkernel = "/k/vmlinuz.container"\n', ''],
  ['IGVM', '[hypervisor.clh]\nigvm = "/k/kata-containers-igvm.img"\n', '/k/kata-containers-igvm.img'],
  [
    'comments, also indented and in a list',
    '# image = "/n"\n[hypervisor.q] # x\n \t# y\nl = [\n# "/m"\n]\nimage = "/a#b"\n',
    '/a#b',
  ],
  ['a string of several lines with # in it', 's = """\n# """\n[hypervisor.q]\nimage = "/a"\n', '/a'],
  [
    'line separators of Unicode end no comment, and begin none',
    '# a\u2028b = c\n[hypervisor.q]\nx = "a\u2028# b"\nimage = "/a"\n',
    '/a',
  ],
  ['a byte order mark, and lines that end with CR and LF', '\ufeff# x\r\n[hypervisor.q]\r\nimage = "/a"\r\n', '/a'],
  ['a date is no table', '[hypervisor]\nqemu = 2020-01-01\n', ''],
];

for (const [rule, toml, expected] of sections) {
  test(`images: ${rule}`, () => {
    const [configuration] = locateConfigurations(node({ [usr]: toml }), undefined, [], []);
    assert.is(configuration === undefined ? '' : told(configuration), `${usr}: /usr null: ${expected}`);
  });
}

const mistakes: readonly [rule: string, toml: string, said: RegExp][] = [
  ['a value that is none', '[runtime]\na = true\nb = yes\n', /line 3, column 5: /],
  ['a number that is none', '[runtime]\na = 007\n', /line 2, column 5: /],
  ['a string that does not end', '# x\n[runtime]\na = "b\n', /line 3, column \d+: /],
  ['a string with a bad escape', '[runtime]\na = "\\q"\n', /line 2, column \d+: /],
  ['a control character', '[runtime]\na = "\u0001"\n', /line 2, column \d+: /],
  ['something behind a value', '[runtime]\na = true false\n', /line 2, column \d+: /],
  ['a key that is none', '[runtime]\na b = true\n', /line 2, column \d+: /],
  ['a line without a value', '[runtime]\na = true\nb\n', /line [34], column \d+: /],
  ['a key given twice', '[runtime]\na = true\n\na = false\n', /line 4, column 1: /],
  ['a key given twice, in another form', '[runtime]\na = [1]\n  a = false\n', /line 3, column 3: /],
  ['a table given twice', '[runtime]\na = true\n[agent]\n[runtime]\nb = 1\n', /line 4, column 2: /],
];

for (const [rule, toml, said] of mistakes) {
  for (const end of ['\n', '\r\n']) {
    test(`mistakes in what is not looked at are told, with their place: ${rule}, ${JSON.stringify(end)}`, () => {
      const text = (naming('/a') + toml).replaceAll('\n', end);
      const [configuration] = locateConfigurations(node({ [usr]: text }), undefined, [], []);
      assert.is(configuration?.unread.length, 1);
      const place = said.source.replace(
        /line (\[34\]|\d+)/,
        (_, line: string) => `line ${line === '[34]' ? '[56]' : Number(line) + 2}`,
      );
      assert.match(configuration?.unread[0]?.message ?? '', new RegExp(place));
    });
  }
}

/** Lines of which some are mistakes, alone or together. */
const someLines: readonly string[] = [
  ...[
    '[hypervisor.qemu]',
    '[hypervisor.clh]',
    '[runtime]',
    '[a]',
    '[[x.y]]',
    ' [b]',
    '# c',
    '  # d',
    '',
    '\tm = false',
  ],
  ...[
    'a = true',
    'b = "x"',
    'a = [1]',
    'c = 0',
    'n=1',
    'e = 1.5',
    'f = 1979-05-27',
    'g = { a = 1 }',
    'r = ""',
    'h = [',
  ],
  ...[
    'image = "/a"',
    'image = ""',
    'initrd = "/i"',
    'path = "/p"',
    'kernel_params = ""',
    'p = "é"',
    "q = 'lit'",
    '1,',
    ']',
  ],
  ...[
    'b',
    'k = yes',
    'l = 007',
    '"q" = 1',
    'a.b = 1',
    'z = "a#b" # c',
    'z = "\\n"',
    'o = -1',
    's = "a" x',
    '= 1',
    't ==1',
  ],
];

test('what is left out for the parser changes neither the images nor where a mistake is', () => {
  const path = temporaryFolder();
  const root = rootedHost(createNodeHost(), writeTree(path, { [usr]: '' }));
  const lines = fc.array(fc.constantFrom(...someLines), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lines, fc.constantFrom('\n', '\r\n'), (chosen, end) => {
      const text = chosen.join(end) + end;
      writeFileSync(join(path, usr), text);
      const [configuration] = locateConfigurations(root, undefined, [], []);
      const place = /line (\d+), column (\d+)/.exec(configuration?.unread[0]?.message ?? '');
      try {
        const { hypervisor = {} } = parse(text) as { hypervisor?: Record<string, Record<string, unknown>> };
        const named = Object.values(hypervisor).flatMap(({ image: one, initrd }) => [one, initrd]);
        assert.is(place, null);
        assert.equal(
          configuration?.images.map((known) => known.path),
          [...new Set(named.filter((known) => typeof known === 'string' && known !== ''))],
        );
      } catch (error) {
        if (!(error instanceof TomlError)) throw error;
        assert.equal([Number(place?.[1]), Number(place?.[2])], [error.line, error.column]);
      }
    }),
    { numRuns: 500, seed: 1 },
  );
});

test('the same key in several tables, and plain values beside an image, are no mistake', () => {
  const plain = 'a = true\nb = "x" # y\nc = 0\nd-e_1 = 12\nf = []\n  g   =   false  \n';
  const toml = `${plain}[hypervisor.q]\n${plain}image = "/a"\n[runtime]\n${plain}image = "/no"\n[[x.y]]\n${plain}[[x.y]]\n${plain}`;
  const [configuration] = locateConfigurations(node({ [usr]: toml }), undefined, [], []);
  assert.equal(configuration?.unread, []);
  assert.is(configuration && told(configuration), `${usr}: /usr null: /a`);
});

const dropInFolder = usr.replace('configuration.toml', 'config.d');

const dropIns: readonly [rule: string, tree: Tree, expected: string, unread?: readonly RegExp[]][] = [
  ['one wins over the configuration', { [`${dropInFolder}/10.toml`]: naming('/b') }, '/b'],
  [
    'the later name wins, whatever it ends with',
    { [`${dropInFolder}/20-x`]: naming('/c'), [`${dropInFolder}/10.toml`]: naming('/b') },
    '/c',
  ],
  [
    'key by key: what it does not name stays',
    { [`${dropInFolder}/10.toml`]: '[hypervisor.qemu]\ninitrd = "/i"\n[hypervisor.clh]\nimage = "/h"\n' },
    '/a /i /h',
  ],
  [
    'an empty image takes it away, which is told',
    { [`${dropInFolder}/10.toml`]: naming('') },
    '',
    [/image and initrd are empty$/],
  ],
  [
    'arrays are replaced',
    {
      [usr]: '[hypervisor.qemu]\nguest_extension_images = [{ path = "/x" }, { path = "/y" }]\n',
      [`${dropInFolder}/10.toml`]: '[hypervisor.qemu]\nguest_extension_images = [{ path = "/z" }]\n',
    },
    'extension /z',
  ],
  [
    'a broken one is told, and the others count',
    { [`${dropInFolder}/10.toml`]: '[hypervisor.qemu]\nimage = \n', [`${dropInFolder}/20.toml`]: naming('/c') },
    '/c',
    [/^\/usr\/share\/defaults\/kata-containers\/config\.d\/10\.toml, line 2, column \d+: /],
  ],
  [
    'its place is right though comments are left out',
    { [`${dropInFolder}/10.toml`]: '# one\r\n  # two\r\nx = ?\r\n' },
    '/a',
    [/10\.toml, line 3, column 5: /],
  ],
  ['a folder is none', { [`${dropInFolder}/10.toml/x`]: naming('/b') }, '/a'],
  [
    'names that every object has',
    { [`${dropInFolder}/10.toml`]: '[hypervisor.__proto__]\nimage = "/b"\n[__proto__]\nimage = "/c"\n' },
    '/a /b',
  ],
  [
    'beside the file at the end of the links, not beside the link',
    {
      [usr]: { link: '/srv/kata/real.toml' },
      '/srv/kata/real.toml': naming('/a'),
      '/srv/kata/config.d/10.toml': naming('/b'),
      [`${dropInFolder}/10.toml`]: naming('/wrong'),
    },
    '/b',
  ],
  [
    'an image by no absolute path is told of the drop-in that names it',
    { [usr]: naming('/a'), [`${dropInFolder}/10.toml`]: naming('my.img') },
    '',
    [/^\/\S+\/config\.d\/10\.toml: it names the guest image "my\.img", which is no absolute path$/],
  ],
];

for (const [rule, tree, expected, unread = []] of dropIns) {
  test(`drop-ins: ${rule}`, () => {
    const [configuration] = locateConfigurations(node({ [usr]: naming('/a'), ...tree }), undefined, [], []);
    assert.is(configuration === undefined ? '' : told(configuration), `${usr}: /usr null: ${expected}`);
    assert.is(configuration?.unread.length, unread.length);
    for (const [index, said] of unread.entries()) assert.match(configuration?.unread[index]?.message ?? '', said);
  });
}

test('a thousand drop-ins are enough', () => {
  const tree = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`${dropInFolder}/${index}`, '']));
  const [configuration] = locateConfigurations(node({ [usr]: naming('/a'), ...tree }), undefined, [], []);
  assert.equal(configuration?.unread, [{ path: dropInFolder, message: `${dropInFolder}: more than 1000 drop-ins` }]);
});

const named: readonly [rule: string, tree: Tree, expected: readonly string[]][] = [
  ['a file', { [image]: '' }, [image]],
  ['what is not there', {}, [image]],
  [
    'a link and where it ends',
    { [image]: { link: 'kata-1.0.img' }, '/usr/share/kata-containers/kata-1.0.img': '' },
    [image, '/usr/share/kata-containers/kata-1.0.img'],
  ],
  ['a dangling link and where it would end', { [image]: { link: '/srv/none.img' } }, [image, '/srv/none.img']],
  ['a link in the middle', { '/usr/share/kata-containers': { link: '/srv' } }, [image, '/srv/kata-containers.img']],
  ['a link to itself: its own name alone', { [image]: { link: 'kata-containers.img' } }, [image]],
];

for (const [rule, tree, expected] of named) {
  test(`names under which a package can own it: ${rule}`, () => {
    assert.equal(namesOf(node(tree), image), expected);
  });
}
