import * as assert from 'uvu/assert';
import type { ImageFacts } from '../../src/read/image.ts';
import { imageText } from '../../src/report/image-text.ts';
import { parseVersion, type Version } from '../../src/version.ts';
import { summaryPath } from '../images.ts';
import { diskFacts, imagePath } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('what an image holds, as text');
const commit = '0123456789abcdef0123456789abcdef01234567';

const whole: ImageFacts = {
  ...diskFacts,
  agent: { version: parseVersion('3.4.0') as Version, source: 'osbuilder.yaml', path: summaryPath },
};

const images: readonly [rule: string, facts: Partial<ImageFacts>, lines: readonly string[]][] = [
  [
    'a disk',
    {},
    [
      '  form        disk, MBR, 1 partition, DAX header',
      '  filesystem  ext4 in partition 1, from byte 3145728',
      `  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`,
    ],
  ],
  [
    'without a table',
    { table: 'none', dax: false, partitions: 0, partition: null, offset: 0 },
    [
      '  form        disk, no partition table',
      '  filesystem  ext4, from byte 0',
      `  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`,
    ],
  ],
  [
    'several partitions',
    { table: 'gpt', dax: false, partitions: 2, filesystem: 'erofs', agent: null, unknown: 'it does not say' },
    [
      '  form        disk, GPT, 2 partitions',
      '  filesystem  erofs in partition 1, from byte 3145728',
      '  agent       unknown: it does not say',
    ],
  ],
  [
    'an initrd',
    {
      form: 'initrd',
      table: null,
      dax: null,
      partitions: null,
      partition: null,
      offset: null,
      filesystem: null,
      compression: 'gzip',
    },
    ['  form        initrd, gzip', `  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`],
  ],
  [
    'an initrd as it is',
    { form: 'initrd', table: null, filesystem: null, compression: null },
    ['  form        initrd, not compressed', `  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`],
  ],
  [
    'a link',
    { resolvedPath: '/srv/x.img', form: null, filesystem: null },
    ['  resolves to /srv/x.img', `  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`],
  ],
  [
    'an extension image',
    { agent: null, kind: 'extension', form: null, filesystem: null },
    ['  agent       none, which is right for an extension image only'],
  ],
  [
    'an agent of a commit',
    {
      agent: {
        version: parseVersion(`3.4.0-${commit}`) as Version,
        source: 'agent-binary',
        path: '/usr/bin/kata-agent',
      },
      form: null,
      filesystem: null,
    },
    ['  agent       3.4.0  (agent-binary, /usr/bin/kata-agent)', `  commit      ${commit}`],
  ],
  [
    'a contradiction',
    {
      contradiction: { version: parseVersion('3.3.0') as Version, source: 'agent-binary', path: '/usr/bin/kata-agent' },
      form: null,
      filesystem: null,
    },
    [`  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`, "  contradicts the agent's binary says 3.3.0  [KC105]"],
  ],
  [
    'notes',
    { notes: ['one', 'two'], form: null, filesystem: null },
    [`  agent       3.4.0  (osbuilder.yaml, ${summaryPath})`, '  note        one', '  note        two'],
  ],
  [
    'a problem',
    { agent: null, form: null, filesystem: null, problem: { kind: 'corrupt', message: 'ext4 superblock: no' } },
    ['  problem     corrupt: ext4 superblock: no'],
  ],
];

for (const [rule, facts, lines] of images) {
  test(`one image: ${rule}`, () => {
    assert.is(imageText({ ...whole, ...facts }), [imagePath, ...lines, ''].join('\n'));
  });
}
