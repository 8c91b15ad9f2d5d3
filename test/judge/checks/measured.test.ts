import * as assert from 'uvu/assert';
import { measuredChecks } from '../../../src/judge/checks/measured.ts';
import type { Measured } from '../../../src/locate/measured.ts';
import { examined, stateOf } from '../../states.ts';
import { suite } from '../../suite.ts';

const test = suite('checks of measured images');

const hash = { a: 'a'.repeat(64), b: 'b'.repeat(64) };
const measured: readonly [rule: string, parts: Partial<Measured>, expected: readonly string[]][] = [
  ['the configured root hash is that of the image', {}, []],
  ['it is another one: the image does not boot', { actual: hash.b }, ['KC106 block']],
  ['it is configured, and the image is not measured', { actual: null }, ['KC106 block']],
  ['what is configured is no root hash: a doubt', { expected: null, actual: null }, ['KC106 warn']],
  ['the hash partition cannot be read', { actual: null, problem: 'broken' }, ['KC202 warn']],
  ['the file beside the image has the same', { isConfigured: false }, []],
  ['the file beside it has another, and nobody asks: a doubt', { isConfigured: false, actual: hash.b }, ['KC106 warn']],
];

for (const [rule, parts, expected] of measured) {
  test(`measured images: ${rule}`, () => {
    const one: Measured = {
      image: '/i.img',
      source: '/c.toml',
      isConfigured: true,
      expected: hash.a,
      actual: hash.a,
      problem: null,
      ...parts,
    };
    const findings = examined(measuredChecks, stateOf([], [], { measured: [one] }));
    assert.equal(
      findings.map(({ code, severity }) => `${code} ${severity}`),
      expected,
    );
    for (const { affects } of findings) assert.equal(affects, ['/i.img', '/c.toml']);
  });
}
