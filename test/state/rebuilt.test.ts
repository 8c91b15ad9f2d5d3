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
  since32,
  unpack,
  usrConfig,
} from './roots.ts';

const test = suite('images that packages make anew');

const cache = '/var/cache/kata-containers/kata-containers-initrd.img';
const custom = '/srv/kata/custom.img';
const opt = '/opt/acme/share/guest.img';
const agent = '/usr/libexec/kata-containers/agent/usr/bin/kata-agent';
const osbuilder = '/usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh';
const installed: Installed = { name: 'kata-containers', version: '3.4.0-1', owns: [program, usrConfig] };

/** A node with one package whose image is nobody's. */
const nodeWith = (image: string): string =>
  node([installed], { [program]: '', [usrConfig]: naming(image), [image]: guest('3.4.0') });

const stays = (image: string): readonly string[] => [
  `+ kata-containers 3.5.0-1 needs ${since32}, below /usr, replaces 3.4.0-1`,
  `= ${image} 3.4.0`,
];
const rebuilt = (image: string, by = 'kata-containers 3.5.0-1'): readonly string[] => [
  stays(image)[0] ?? '',
  `* ${image} 3.4.0 by ${by}`,
];

interface Parts {
  readonly files?: Tree;
  readonly script?: string;
}

const bare: Tree = { [program]: '' };
const usualFiles: Tree = { ...bare, [agent]: 'x', [osbuilder]: '#!/bin/sh\n' };

function deb({ files = usualFiles, script = '' }: Parts, name = 'kata-containers'): Deb {
  return {
    name,
    version: '3.5.0-1',
    files,
    ...(script === '' ? {} : { scripts: { postinst: `#!/bin/sh\n${script}\n` } }),
  };
}

const upgrade =
  (image: string, parts: Parts): (() => ReturnType<Row[1]>) =>
  () => ({
    root: nodeWith(image),
    changes: [unpack(deb(parts), '3.4.0-1')],
  });

const rows: readonly Row[] = [
  // What shows that it is made anew.
  ['its script runs a builder that it brings', upgrade(cache, { script: `${osbuilder} -c` }), rebuilt(cache)],
  [
    'likewise behind a variable',
    upgrade(cache, { script: 'd=/usr/libexec/x\n"$d"/kata-osbuilder.sh' }),
    rebuilt(cache),
  ],
  [
    'its script names the image',
    upgrade(opt, { files: { ...bare, [agent]: 'x' }, script: `make-it > ${opt}` }),
    rebuilt(opt),
  ],
  [
    'its script makes an archive in the folder of the image',
    upgrade(opt, { files: { ...bare, [agent]: 'x' }, script: 'find . | cpio -o | gzip > "/opt/acme/share/$name"' }),
    rebuilt(opt),
  ],
  [
    'the builder names the folder of the image',
    upgrade(opt, {
      files: { ...bare, [agent]: 'x', '/usr/bin/build-guest-image': 'out=/opt/acme/share\n' },
      script: 'build-guest-image',
    }),
    rebuilt(opt),
  ],
  [
    'a script that the builder runs names it',
    upgrade(opt, {
      files: {
        ...bare,
        [agent]: 'x',
        '/usr/bin/mkinitrd-kata': 'exec kata-osbuilder.sh\n',
        [osbuilder]: `out=${opt}\n`,
      },
      script: 'mkinitrd-kata',
    }),
    rebuilt(opt),
  ],
  [
    'its script starts a unit that runs a builder',
    upgrade(opt, {
      files: {
        ...bare,
        [agent]: 'x',
        '/usr/lib/systemd/system/acme-guest.service': '[Service]\nExecStart=/usr/libexec/acme/make-guest\n',
        '/usr/libexec/acme/make-guest': `#!/bin/sh\nfind . | cpio -o > ${opt}\n`,
      },
      script: 'systemctl restart acme-guest.service',
    }),
    rebuilt(opt),
  ],
  [
    "Fedora's unit builds it at boot",
    upgrade(cache, { files: { ...usualFiles, '/usr/lib/systemd/system/kata-osbuilder-generate.service': '' } }),
    rebuilt(cache),
  ],
  [
    'one package brings the agent, another one the builder',
    () => ({
      root: nodeWith(cache),
      changes: [
        unpack(deb({ files: { [program]: '' } }), '3.4.0-1'),
        unpack(deb({ files: { '/usr/libexec/kata-agent': 'x' } }, 'kata-agent'), '3.4.0-1'),
        unpack(deb({ files: { [osbuilder]: '' }, script: 'kata-osbuilder.sh' }, 'kata-osbuilder'), '3.4.0-1'),
      ],
    }),
    rebuilt(cache, 'kata-osbuilder 3.5.0-1'),
  ],
  [
    'the configuration says so',
    () => ({
      root: nodeWith(opt),
      changes: [unpack(deb({ files: { [program]: '' } }), '3.4.0-1')],
      config: '[images]\nrebuilt[] = /opt/acme/*/guest.im?\n',
    }),
    rebuilt(opt),
  ],

  // What does not.
  ['no script runs the builder', upgrade(cache, {}), stays(cache)],
  [
    'its script starts a unit that runs none',
    upgrade(cache, {
      files: { ...usualFiles, '/usr/lib/systemd/system/acme.service': '[Service]\nExecStart=/usr/bin/acmed\n' },
      script: 'systemctl restart acme.service',
    }),
    stays(cache),
  ],
  ['only a comment names the builder', upgrade(cache, { script: `# ${osbuilder}\ntrue` }), stays(cache)],
  ['no agent comes', upgrade(cache, { files: { ...bare, [osbuilder]: '' }, script: osbuilder }), stays(cache)],
  ["an image of the admin's own, elsewhere", upgrade(custom, { script: `${osbuilder} -c` }), stays(custom)],
  [
    'a script that names another file in its folder',
    upgrade(custom, { script: `${osbuilder} -c\nln -sf a.img /srv/kata/kata-containers.img` }),
    stays(custom),
  ],
  [
    'a script that names a folder of the whole system',
    upgrade('/var/lib/custom.img', { script: `${osbuilder} -c /var/lib /var` }),
    stays('/var/lib/custom.img'),
  ],
  [
    'a pattern of the configuration ends at a slash',
    () => ({
      root: nodeWith(opt),
      changes: [unpack(deb({ files: { [program]: '' } }), '3.4.0-1')],
      config: '[images]\nrebuilt[] = /opt/*\n',
    }),
    stays(opt),
  ],
  [
    'an image that another package owns',
    () => ({
      root: node([installed, { name: 'acme-guest', version: '1', owns: [cache] }], {
        [program]: '',
        [usrConfig]: naming(cache),
        [cache]: guest('3.4.0'),
      }),
      changes: [unpack(deb({ script: osbuilder }), '3.4.0-1')],
    }),
    stays(cache),
  ],
];

judgeRows(test, rows);

const rpms = temporaryFolder();

function rpmUpgrade(parts: Partial<Rpm>, image = cache): ReturnType<Row[1]> {
  const rpm: Rpm = {
    name: 'kata-containers',
    version: '3.5.0',
    files: { ...usualFiles, [usrConfig]: naming(image) },
    ...parts,
  };
  const archive = makeRpm(rpms, rpm);
  return {
    root: nodeWith(image),
    changes: [{ name: rpm.name, oldVersion: '3.4.0-1', newVersion: '3.5.0-1', action: 'unpack', archive }],
  };
}

const ofRpms: readonly Row[] = [
  ['%post runs the builder', () => rpmUpgrade({ scriptlets: ['%post', `${osbuilder} -c`] }), rebuilt(cache)],
  ['%posttrans does', () => rpmUpgrade({ scriptlets: ['%posttrans', `bash ${osbuilder}`] }), rebuilt(cache)],
  ['%preun does not count', () => rpmUpgrade({ scriptlets: ['%preun', osbuilder] }), stays(cache)],
  [
    'the folder below /var comes with the package',
    () =>
      rpmUpgrade(
        {
          install: ['mkdir -p %{buildroot}/var/lib/acme-kata'],
          adds: ['%dir /var/lib/acme-kata'],
          scriptlets: ['%post', osbuilder],
        },
        '/var/lib/acme-kata/guest.img',
      ),
    rebuilt('/var/lib/acme-kata/guest.img'),
  ],
];

judgeRows(
  (rule, handler, options) => test(`rpm: ${rule}`, handler, { ...options, needs: [...needs, 'rpm', 'rpmbuild'] }),
  ofRpms,
);
