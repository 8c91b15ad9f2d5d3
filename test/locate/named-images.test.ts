import { parse } from 'smol-toml';
import * as assert from 'uvu/assert';
import { imagesOf } from '../../src/locate/named-images.ts';
import { suite } from '../suite.ts';

const test = suite('the images that a configuration names');

const qemu = (...lines: readonly string[]): string => ['[hypervisor.qemu]', ...lines].join('\n');

/** `images`: kind and path; `told`: what else is said of the configuration. */
const rows: readonly [rule: string, text: string, images: readonly string[], told?: readonly string[]][] = [
  ['image and initrd', qemu('image = "/x.img"', 'initrd = "/y.img"'), ['guest /x.img', 'guest /y.img']],
  ['a section of each hypervisor', `${qemu('image = "/x"')}\n[hypervisor.clh]\nimage = "/y"`, ['guest /x', 'guest /y']],
  [
    'a guest image that is an extension elsewhere is a guest image',
    qemu('guest_extension_images = [{ path = "/x" }]', 'image = "/x"'),
    ['guest /x'],
  ],
  ['no absolute path', qemu('image = "x.img"', 'initrd = "/y"'), ['guest /y'], ['x.img']],
  ['a value that is no text', qemu('image = 5'), []],
  ['no such key', qemu('kernel = "/vmlinuz"'), []],
  ['an empty image', qemu('image = ""'), [], ['empty']],
  ['image and initrd are empty', qemu('image = ""', 'initrd = ""'), [], ['empty']],
  ['an empty image beside an initrd', qemu('image = ""', 'initrd = "/y"'), ['guest /y']],
  [
    'IBM Secure Execution, which boots an encrypted kernel',
    qemu('image = ""', 'kernel = "/opt/kata/share/kata-containers/kata-containers-se.img"'),
    ['guest /opt/kata/share/kata-containers/kata-containers-se.img'],
  ],
  ['pods that run elsewhere', '[hypervisor.remote]\nimage = ""', [], ['remote']],
  ['no hypervisor', '[runtime]\nimage = "/x"', []],
];

for (const [rule, text, images, told = []] of rows) {
  test(rule, () => {
    const found = imagesOf(parse(text));
    assert.equal(
      found.images.map(({ kind, path }) => `${kind} ${path}`),
      images,
    );
    const said = [
      ...found.odd.map(({ path }) => path),
      ...(found.isEmpty ? ['empty'] : []),
      ...(found.isRemote ? ['remote'] : []),
    ];
    assert.equal(said, told);
  });
}
