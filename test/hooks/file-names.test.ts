import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bytesOf, nameIn, namesIn, reachable, withReachable } from '../../src/hooks/file-names.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('names of files that are no UTF-8');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

const names: readonly [rule: string, bytes: string, name: string][] = [
  ['ASCII is as it is', '/a b/\n.deb', '/a b/\n.deb'],
  ['UTF-8 is read', 'caf\xc3\xa9 \xf0\x9f\x8d\xb0', 'café 🍰'],
  ['each byte of what is none is kept', 'caf\xe9', 'caf\udce9'],
  ['all of them, also where some would be UTF-8', '\xc3\xa9\xff', '\udcc3\udca9\udcff'],
];
for (const [rule, from, name] of names) {
  test(rule, () => {
    assert.is(nameIn(bytes(from)), name);
    assert.is(bytesOf(name), from);
  });
}

test('surrogates as Python writes them stand beside letters', () => {
  assert.is(bytesOf('é\udce9'), '\xc3\xa9\xe9');
});

test('a list of names ends with a zero or without', () => {
  assert.equal(namesIn(bytes('dpkg\0-i\0\0caf\xe9\0')), ['dpkg', '-i', '', 'caf\udce9']);
  assert.equal(namesIn(bytes('a\0b')), ['a', 'b']);
  assert.equal(namesIn(bytes('')), []);
});

test('what has such a name is reached by another', () => {
  const host = createNodeHost();
  const folder = temporaryFolder();
  execFileSync('sh', [
    '-c',
    `cd ${folder} && d=$(printf 'caf\\351') && mkdir $d && echo x > $d/plain.deb && echo y > $d/$(printf '\\351')`,
  ]);
  const plain = reachable(host, join(folder, 'caf\udce9/plain.deb'));
  assert.match(plain, /^\/proc\/[0-9]+\/fd\/[0-9]+\/plain\.deb$/);
  assert.is(host.readText(plain, 10), 'x\n');
  assert.is(host.readText(reachable(host, join(folder, 'caf\udce9/\udce9')), 10), 'y\n');
  assert.is(reachable(host, '/an/ordinary é'), '/an/ordinary é');
  assert.is(reachable(host, '/none/\udce9'), '/none/\udce9');
  const change = { name: 'a', oldVersion: null, newVersion: null, action: 'unpack', archive: plain } as const;
  assert.is(withReachable(host, change), change);
});
