/** Configurations that a package brings, in both forms: dpkg's conffiles, and drop-ins of CRI-O, as the admin changed them and as they were. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeDeb } from '../debs.ts';
import { temporaryFolder, writeTree } from '../images.ts';
import { goStandIn } from '../programs.ts';
import { suite } from '../suite.ts';
import { dpkg, guest, qemu, usrImages } from './nodes.ts';
import { aptInput, forms, kataCheck } from './program.ts';

const test = suite('configurations that a package brings');
const scratch = temporaryFolder();
const etc = '/etc/kata-containers/configuration.toml';
const crio = '/etc/crio/crio.conf.d/50-kata';
const [oldImage, newImage, otherImage] = [`${usrImages}/kata-3.4.0.img`, `${usrImages}/kata-3.5.0.img`, '/srv/ä.img'];
const other = '/opt/acme/kata-containers/other.toml';
const handler = (file: string): string =>
  `[crio.runtime.runtimes.kata]\nruntime_type = "vm"\nruntime_config_path = "${file}" # ä\n`;

const rows: readonly [
  rule: string,
  path: string,
  now: string,
  packaged: string,
  next: string,
  status: number,
  said: RegExp,
][] = [
  ['unchanged, a new name with its image', etc, qemu(oldImage), qemu(oldImage), qemu(newImage), 0, /^$/],
  [
    'changed, it is kept, and its image goes',
    etc,
    `# mine: ä\n${qemu(oldImage)}`,
    qemu(oldImage),
    qemu(newImage),
    0,
    /^kata-check: warning \[KC302\].*kata-3\.4\.0\.img/,
  ],
  [
    'unchanged, and not of ASCII alone, an older image is named',
    etc,
    `# ä\n${qemu(oldImage)}`,
    `# ä\n${qemu(oldImage)}`,
    qemu(otherImage),
    10,
    /stopped apt \[KC103\].*\/srv\/\S+\.img/,
  ],
  [
    "an unchanged drop-in of CRI-O leads to the admin's configuration",
    crio,
    '',
    '',
    handler(other),
    10,
    /stopped apt \[KC103\].*\/srv\/\S+\.img/,
  ],
  ['a changed one stays', crio, '# mine\n', '', handler(other), 0, /^$/],
];

for (const form of forms) {
  for (const [index, [rule, path, now, packaged, next, status, said]] of rows.entries()) {
    test(
      `${form.name}: ${path}: ${rule}`,
      () => {
        const isOfKata = path === etc;
        const owns = ['/usr/bin/kata-runtime', oldImage, path];
        const known = dpkg([{ name: 'kata-containers', version: '3.4.0-1', owns }]);
        const conffiles = `Conffiles:\n ${path} ${createHash('md5').update(packaged).digest('hex')}\n`;
        const root = writeTree(join(scratch, `${form.name}-${index}`), {
          ...known,
          '/var/lib/dpkg/status': String(known['/var/lib/dpkg/status']).replace(
            'Description:',
            `${conffiles}Description:`,
          ),
          '/var/lib/dpkg/info/kata-containers.conffiles': `${path}\n`,
          '/usr/bin/kata-runtime': goStandIn('3.4.0'),
          '/usr/share/defaults/kata-containers/configuration.toml': qemu(isOfKata ? otherImage : newImage),
          [oldImage]: guest('3.4.0'),
          [otherImage]: guest('3.1.0'),
          [other]: qemu(otherImage),
          [path]: now,
        });
        const what = makeDeb(temporaryFolder(), {
          name: 'kata-containers',
          version: '3.5.0-1',
          files: { '/usr/bin/kata-runtime': 'x', [newImage]: guest('3.5.0'), [path]: next },
          scripts: { conffiles: `${path}\n` },
        });
        const step = { name: 'kata-containers', old: '3.4.0-1', next: '3.5.0-1', what };
        const outcome = kataCheck(form, ['hook', 'apt'], {
          input: aptInput([step], [], root),
          env: { APT_HOOK_INFO_FD: '0' },
        });
        const words = outcome.stderr.replace(/\s+/g, ' ').trim();
        assert.match(words, said);
        assert.is(outcome.status, status, words);
      },
      { needs: [...form.needs, 'dpkg-deb', 'dpkg-query'] },
    );
  }
}
