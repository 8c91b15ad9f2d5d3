import * as assert from 'uvu/assert';
import { Corrupt } from '../../src/errors.ts';
import { parseDnfTransaction } from '../../src/hooks/dnf.ts';
import { suite } from '../suite.ts';

const test = suite("dnf 4's transaction");

const runtime = { action: 'UPGRADE', name: 'kata-runtime', evr: '1:3.5.0-1', arch: 'x86_64', path: '/cache/a.rpm' };
const document = (parts: object): string => JSON.stringify({ installroot: '/', packages: [], ...parts });

test('two rows are an upgrade; the root and the file are kept', () => {
  const old = { action: 'UPGRADED', name: 'kata-runtime', evr: '1:3.2.0-1', arch: 'x86_64', future: [1] };
  const input = document({ installroot: '/srv/root/', packages: [runtime, old], schema: 9 });
  assert.equal(parseDnfTransaction(input), {
    manager: 'dnf',
    root: '/srv/root',
    changes: [
      {
        name: 'kata-runtime',
        oldVersion: '1:3.2.0-1',
        newVersion: '1:3.5.0-1',
        action: 'unpack',
        archive: '/cache/a.rpm',
        declared: null,
      },
    ],
    mode: null,
    allow: [],
  });
});

const actions: readonly [action: string, expected: 'unpack' | 'remove' | undefined][] = [
  ['INSTALL', 'unpack'],
  ['DOWNGRADE', 'unpack'],
  ['REINSTALL', 'unpack'],
  ['OBSOLETE', 'unpack'],
  ['REMOVE', 'remove'],
  ['OBSOLETED', 'remove'],
  ['DOWNGRADED', 'remove'],
  ['REINSTALLED', 'remove'],
  ['REASON_CHANGE', undefined],
];
for (const [action, expected] of actions) {
  test(`${action}: ${expected ?? 'nothing'}`, () => {
    const { changes } = parseDnfTransaction(document({ packages: [{ ...runtime, action, path: null }] }));
    assert.is(changes[0]?.action, expected);
  });
}

const mistakes: readonly [rule: string, input: string, said: RegExp][] = [
  ['nothing', '', /is no JSON document/],
  ['broken off', '{"installroot": "/"', /is no JSON document/],
  ['another kind of document', '[]', /it is no object/],
  ['null', 'null', /it is no object/],
  ['no root', '{"packages":[]}', /installroot is no text/],
  ['a relative root', document({ installroot: 'srv' }), /installroot is not absolute: srv/],
  ['no packages', '{"installroot":"/"}', /packages is no list/],
  ['a package that is text', document({ packages: ['a'] }), /packages\[0\] is no object/],
  ['an unknown action', document({ packages: [{ ...runtime, action: 'toString' }] }), /\[0\]\.action .*toString/],
  ['a number as name', document({ packages: [{ ...runtime, name: 3 }] }), /packages\[0\]\.name is no text/],
  ['no version', document({ packages: [{ ...runtime, evr: undefined }] }), /packages\[0\]\.evr is no text/],
  ['an empty architecture', document({ packages: [{ ...runtime, arch: '' }] }), /packages\[0\]\.arch is no text/],
  ['a relative path', document({ packages: [{ ...runtime, path: 'a.rpm' }] }), /packages\[0\]\.path is not absolute/],
  ['text as provides', document({ packages: [{ ...runtime, provides: 'x' }] }), /provides is no list/],
  ['a number in provides', document({ packages: [{ ...runtime, provides: [1] }] }), /provides\[0\] is no text/],
];
for (const [rule, input, said] of mistakes) {
  test(`an error with its place: ${rule}`, () => {
    assert.throws(
      () => parseDnfTransaction(input),
      (error: unknown) => error instanceof Corrupt && said.test(error.message),
    );
  });
}

const stages: readonly [stage: unknown, isPlanned: boolean, isPart: boolean][] = [
  ['now', false, false],
  [undefined, false, false],
  ['planned', true, false],
  ['offline', false, true],
  ['some other time', false, false],
  [7, false, false],
];

for (const [stage, isPlanned, isPart] of stages) {
  test(`the stage ${stage} ${isPlanned ? 'is asked about before' : isPart ? 'is not stopped' : 'is stopped'}`, () => {
    const transaction = parseDnfTransaction(document({ packages: [runtime], stage }));
    assert.equal([transaction.isPlanned === true, transaction.isPart === true], [isPlanned, isPart]);
  });
}
