import type { Deb } from '../debs.ts';
import { type Tree, temporaryFolder } from '../images.ts';
import { makeRpm, type Rpm } from '../rpms.ts';
import { suite } from '../suite.ts';
import {
  guest,
  type Installed,
  judgeRows,
  naming,
  needs,
  node,
  program,
  type Row,
  remove,
  since32,
  unpack,
  usrConfig,
} from './roots.ts';

const test = suite('the configurations after a transaction');

const etc = '/etc/kata-containers/configuration.toml';
const dropIn = '/usr/share/defaults/kata-containers/config.d/10-image.toml';
const [oldImage, newImage] = ['/usr/share/kata-containers/kata-3.4.0.img', '/usr/share/kata-containers/kata-3.5.0.img'];
const [oldText, newText] = [naming(oldImage), naming(newImage)];
const there = '/srv/there.img';

/** One package with runtime, image and the configuration at `path`, which is `text` on the disk now. */
function nodeWith(path: string, text: string | undefined, packaged?: string, tree: Tree = {}): string {
  const conffiles = packaged === undefined ? {} : { conffiles: { [path]: packaged } };
  const installed: Installed = {
    name: 'kata-containers',
    version: '3.4.0-1',
    owns: [program, path, oldImage],
    ...conffiles,
  };
  const own = text === undefined ? {} : { [path]: text };
  return node([installed], { [program]: '', ...own, [oldImage]: guest('3.4.0'), ...tree });
}

/** The next release of it, with an image of another name. */
function next(path: string, text: string, parts: Partial<Deb> = {}): Deb {
  const files = { [program]: '', [newImage]: guest('3.5.0'), [path]: text };
  const conffiles = path.startsWith('/etc/') ? { scripts: { conffiles: `${path}\n` } } : {};
  return { name: 'kata-containers', version: '3.5.0-1', files, ...conffiles, ...parts };
}

const comes = `+ kata-containers 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`;
const brings = `+ ${newImage} 3.5.0 read out of kata-containers 3.5.0-1`;
const takesAway = `- ${oldImage} 3.4.0 by kata-containers`;

const rows: readonly Row[] = [
  [
    'a packaged configuration names the image that comes with it',
    () => ({ root: nodeWith(usrConfig, oldText), changes: [unpack(next(usrConfig, newText))] }),
    [comes, brings],
  ],
  [
    'a drop-in that comes wins over what stays',
    () => ({ root: nodeWith(usrConfig, oldText), changes: [unpack(next(dropIn, newText.replace('h0', 'h0')))] }),
    [comes, brings],
  ],
  [
    'a packaged configuration that is a link to another one',
    () => {
      const other = usrConfig.replace('configuration.toml', 'configuration-qemu.toml');
      const deb = next(other, newText);
      const files = { ...deb.files, [usrConfig]: { link: 'configuration-qemu.toml' } };
      return { root: nodeWith(usrConfig, oldText), changes: [unpack({ ...deb, files })] };
    },
    [comes, brings],
  ],
  [
    'a link to a configuration, which a .deb does not list among its files, comes as it was',
    () => {
      const other = usrConfig.replace('configuration.toml', 'configuration-qemu.toml');
      const deb = next(other, newText);
      const files = { ...deb.files, [usrConfig]: { link: 'configuration-qemu.toml' } };
      const md5sums = [program, newImage, other].map((path) => `${'0'.repeat(32)}  ${path.slice(1)}\n`).join('');
      return {
        root: nodeWith(usrConfig, undefined, undefined, {
          [usrConfig]: { link: 'configuration-qemu.toml' },
          [other]: oldText,
        }),
        changes: [unpack({ ...deb, files, scripts: { md5sums } })],
      };
    },
    [comes, brings],
  ],
  [
    'the link to a configuration leads to another one then',
    () => {
      const [one, two] = ['qemu', 'clh'].map((name) => usrConfig.replace('configuration', `configuration-${name}`));
      const deb = next(one ?? '', oldText);
      const files = { ...deb.files, [two ?? '']: newText, [usrConfig]: { link: 'configuration-clh.toml' } };
      const md5sums = [program, newImage, one, two].map((path) => `${'0'.repeat(32)}  ${path?.slice(1)}\n`).join('');
      const tree = { [usrConfig]: { link: 'configuration-qemu.toml' }, [one ?? '']: oldText };
      return {
        root: nodeWith(usrConfig, undefined, undefined, tree),
        changes: [unpack({ ...deb, files, scripts: { md5sums } })],
      };
    },
    [comes, brings],
  ],
  [
    'it names an image that is there and that no package owns: that one is judged',
    () => ({
      root: nodeWith(usrConfig, oldText, undefined, { [there]: guest('3.2.0') }),
      changes: [unpack(next(usrConfig, naming(there)))],
    }),
    [comes, `= ${there} 3.2.0`],
  ],
  [
    'what it names and nobody brings may be made by a script, and is looked for afterwards',
    () => ({
      root: nodeWith(usrConfig, oldText),
      changes: [unpack(next(usrConfig, naming('/var/lib/made.img'), { scripts: { postinst: 'make-it\n' } }))],
    }),
    [comes],
  ],
  [
    'without a script nobody makes it, and it is missing',
    () => ({ root: nodeWith(usrConfig, oldText), changes: [unpack(next(usrConfig, naming('/var/lib/made.img')))] }),
    [comes, '= /var/lib/made.img not-found'],
  ],
  [
    'a package that goes takes the configuration along that masked another one',
    () => {
      const site: Installed = { name: 'site', version: '1', owns: ['/etc/kata-containers/configuration.toml'] };
      const root = node([{ name: 'kata-runtime', version: '3.4.0-1', owns: [program, usrConfig] }, site], {
        [program]: '',
        [usrConfig]: naming(there),
        [etc]: naming(oldImage),
        [oldImage]: guest('3.4.0'),
        [there]: guest('3.2.0'),
      });
      return { root, changes: [remove('site')] };
    },
    ['= kata-runtime 3.4.0-1 needs >=3.2.0, below /usr', `= ${there} 3.2.0`],
  ],
  [
    'a conffile that was not changed is replaced',
    () => ({ root: nodeWith(etc, oldText, oldText), changes: [unpack(next(etc, newText))] }),
    [comes, brings],
  ],
  [
    'one that the admin changed is kept, and names an image that goes',
    () => ({ root: nodeWith(etc, `${oldText}# mine\n`, oldText), changes: [unpack(next(etc, newText))] }),
    [comes, takesAway],
  ],
  [
    'one that the admin made before the package had it is kept',
    () => ({ root: nodeWith(etc, oldText), changes: [unpack(next(etc, newText))] }),
    [comes, takesAway],
  ],
  [
    'one that the admin deleted does not come back',
    () => ({
      root: nodeWith(etc, undefined, oldText, { [usrConfig]: naming(there), [there]: guest('3.4.0') }),
      changes: [unpack(next(etc, newText))],
    }),
    [comes, `= ${there} 3.4.0`],
  ],
  [
    'one package brings the configuration, another one the image',
    () => ({
      root: node(
        [
          { name: 'kata-runtime', version: '3.4.0-1', owns: [program, usrConfig] },
          { name: 'kata-containers-image', version: '3.4.0-1', owns: [oldImage] },
        ],
        { [program]: '', [usrConfig]: oldText, [oldImage]: guest('3.4.0') },
      ),
      changes: [
        unpack({ name: 'kata-runtime', version: '3.5.0-1', files: { [program]: '', [usrConfig]: newText } }),
        unpack({ name: 'kata-containers-image', version: '3.5.0-1', files: { [newImage]: guest('3.5.0') } }),
      ],
    }),
    [
      `+ kata-runtime 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`,
      `+ ${newImage} 3.5.0 read out of kata-containers-image 3.5.0-1`,
    ],
  ],
  [
    'the first installation of both brings the configuration, too',
    () => ({ root: node([], {}), changes: [unpack(next(usrConfig, newText), null)] }),
    [`+ kata-containers 3.5.0-1 needs ${since32}, below /usr`, brings],
  ],
  [
    'a package that goes leaves its conffile, as dpkg does',
    () => ({ root: nodeWith(etc, oldText, oldText), changes: [remove('kata-containers')] }),
    [takesAway],
  ],
  [
    'a configuration that cannot be read is told',
    () => ({ root: nodeWith(usrConfig, oldText), changes: [unpack(next(usrConfig, 'x = \n'))] }),
    [comes.replace(since32, '>=2.0.0')],
    [/configuration\.toml, line 1, column \d+: /],
  ],
];

judgeRows(test, rows);

/** Where the configuration that names `oldImage` is, and one beside it that names an older image, which no package owns. */
const [first, second] = ['/opt/acme/kata-containers/first.toml', '/opt/acme/kata-containers/second.toml'];
const containerd = (file: string): string =>
  `[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]\nruntime_type = "io.containerd.kata.v2"\noptions.ConfigPath = "${file}"\n`;
const crio = (file: string): string =>
  `[crio.runtime.runtimes.kata]\nruntime_type = "vm"\nruntime_path = "/usr/bin/containerd-shim-kata-v2"\nruntime_config_path = "${file}"\n`;
const docker = (file: string): string =>
  JSON.stringify({ runtimes: { kata: { runtimeType: 'io.containerd.kata.v2', options: { ConfigPath: file } } } });

/** A node whose handler, in a file of the package `owner`, names the first configuration. */
function handlerNode(owner: string, path: string, text: string | undefined, packaged?: string): string {
  const conffiles = packaged === undefined ? {} : { conffiles: { [path]: packaged } };
  const others: readonly Installed[] =
    owner === 'kata-runtime' ? [] : [{ name: owner, version: '3.4.0-1', owns: [path], ...conffiles }];
  const own = owner === 'kata-runtime' ? { owns: [program, path], ...conffiles } : { owns: [program] };
  return node([{ name: 'kata-runtime', version: '3.4.0-1', ...own }, ...others], {
    [program]: '',
    '/etc/containerd/config.toml': 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n',
    [first]: naming(oldImage),
    [second]: naming(there),
    [oldImage]: guest('3.4.0'),
    [there]: guest('3.1.0'),
    ...(text === undefined ? {} : { [path]: text }),
  });
}

const upgraded = `+ kata-runtime 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`;
const [firstStays, secondStays] = [`= ${oldImage} 3.4.0`, `= ${there} 3.1.0`];

const dropInOfCrio = '/etc/crio/crio.conf.d/50-acme';
const engines: readonly (readonly [engine: string, path: string, text: (file: string) => string])[] = [
  ["containerd's main file", '/etc/containerd/config.toml', containerd],
  ["containerd's drop-in", '/etc/containerd/conf.d/50-acme.toml', containerd],
  ["k0s' drop-in", '/etc/k0s/containerd.d/acme.toml', containerd],
  ["Talos' part", '/etc/cri/conf.d/20-acme.part', containerd],
  ["CRI-O's main file", '/etc/crio/crio.conf', crio],
  ["CRI-O's drop-in", dropInOfCrio, crio],
  ["Docker's file", '/etc/docker/daemon.json', docker],
  ["iSulad's file", '/etc/isulad/daemon.json', docker],
];

judgeRows(
  test,
  engines.flatMap(([engine, path, text]): Row[] => {
    const deb = (files: Deb['files'], parts: Partial<Deb> = {}): Deb => ({
      name: 'kata-runtime',
      version: '3.5.0-1',
      files: { [program]: '', ...files },
      ...parts,
    });
    const comesAs = deb({ [path]: text(second) }, { scripts: { conffiles: `${path}\n` } });
    const from = text(first);
    const comesAnew: Row = [
      `${engine} comes and names another configuration, whose image is judged`,
      () => ({ root: handlerNode('kata-runtime', path, from), changes: [unpack(deb({ [path]: text(second) }))] }),
      [upgraded, secondStays],
    ];
    // The rules are the same for all of them.
    if (path !== dropInOfCrio) return [comesAnew];
    return [
      comesAnew,
      [
        `${engine} as a conffile that was not changed is replaced`,
        () => ({ root: handlerNode('kata-runtime', path, from, from), changes: [unpack(comesAs)] }),
        [upgraded, secondStays],
      ],
      [
        `${engine} as a conffile that the admin changed is kept`,
        () => ({ root: handlerNode('kata-runtime', path, from, 'x'), changes: [unpack(comesAs)] }),
        [upgraded, firstStays],
      ],
      [
        `${engine} of another package, that changes alone`,
        () => ({
          root: handlerNode('acme', path, from),
          changes: [unpack({ name: 'acme', version: '3.5.0-1', files: { [path]: text(second) } })],
        }),
        ['= kata-runtime 3.4.0-1 needs >=3.2.0, below /usr', secondStays],
      ],
      [
        `${engine} of another package, that keeps it`,
        () => ({
          root: handlerNode('acme', path, from),
          changes: [
            unpack(deb({})),
            unpack({ name: 'acme', version: '3.5.0-1', files: { [path]: from, '/usr/share/acme': '' } }),
          ],
        }),
        [upgraded, firstStays],
      ],
    ];
  }),
);

const rpms = temporaryFolder();

function rpmUpgrade(attribute: string, text: string, parts: Partial<Rpm> = {}): ReturnType<Row[1]> {
  const files = { [program]: '', [newImage]: guest('3.5.0'), [etc]: newText };
  const rpm: Rpm = { name: 'kata-containers', version: '3.5.0', files, attributes: { [etc]: attribute }, ...parts };
  const archive = makeRpm(rpms, rpm);
  return {
    root: nodeWith(etc, text, undefined),
    changes: [{ name: rpm.name, oldVersion: '3.4.0-1', newVersion: '3.5.0-1', action: 'unpack', archive }],
  };
}

/** The package of another, whose CRI-O drop-in names the second configuration in place of the first. */
function rpmOfCrio(attribute: string): ReturnType<Row[1]> {
  const path = dropInOfCrio;
  const files = { [program]: '', [path]: crio(second) };
  const rpm: Rpm = { name: 'kata-runtime', version: '3.5.0', files, attributes: { [path]: attribute } };
  return {
    root: handlerNode('kata-runtime', path, crio(first)),
    changes: [
      {
        name: rpm.name,
        oldVersion: '3.4.0-1',
        newVersion: '3.5.0-1',
        action: 'unpack',
        archive: makeRpm(rpms, rpm),
      },
    ],
  };
}

const ofRpms: readonly Row[] = [
  ["CRI-O's drop-in that is %config is replaced", () => rpmOfCrio('%config'), [upgraded, secondStays]],
  ["CRI-O's drop-in that is %config(noreplace) stays", () => rpmOfCrio('%config(noreplace)'), [upgraded, firstStays]],
  ['a file that is no %config is replaced', () => rpmUpgrade('', `${oldText}# mine\n`), [comes, brings]],
  ['%config is replaced, and the changed one is saved', () => rpmUpgrade('%config', oldText), [comes, brings]],
  ['%config(noreplace) stays as it was changed', () => rpmUpgrade('%config(noreplace)', oldText), [comes, takesAway]],
  [
    'where it is not there, it comes',
    () => ({ ...rpmUpgrade('%config(noreplace)', ''), root: node([], {}) }),
    [`+ kata-containers 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`, brings],
  ],
];

judgeRows(
  (rule, handler, options) => test(`rpm: ${rule}`, handler, { ...options, needs: [...needs, 'rpm', 'rpmbuild'] }),
  ofRpms,
);
