import * as assert from 'uvu/assert';
import { judge } from '../../src/judge/judge.ts';
import type { Image, Runtime } from '../../src/state/node.ts';
import { atOpt, declares, image, incomingImage, incomingRuntime, runtime, stateOf, usualPolicy } from '../states.ts';
import { suite } from '../suite.ts';

const test = suite('the words of findings');

const commands: readonly [rule: string, runtime: Runtime, image: Image, commands: readonly string[]][] = [
  [
    'the runtime comes: with the package of the image',
    incomingRuntime('3.5.0', declares),
    image('1.0.0'),
    ['apt-get install kata-runtime kata-containers-image'],
  ],
  [
    'no package owns the image: the runtime is kept',
    incomingRuntime('3.5.0', declares),
    image('1.0.0', { package: null }),
    ['apt-mark hold kata-runtime'],
  ],
  [
    'one package is both',
    incomingRuntime('3.5.0', declares, { name: 'kata-containers' }),
    image('1.0.0', { package: 'kata-containers' }),
    ['apt-mark hold kata-containers'],
  ],
  [
    'the image comes: by its name, without its version',
    runtime('3.4.0', declares),
    incomingImage('1.0.0'),
    ['apt-get install kata-containers-image kata-runtime'],
  ],
  [
    'no package owns the runtime: the image is kept',
    runtime('3.4.0', declares, atOpt),
    { ...incomingImage('1.0.0'), usedBy: [] },
    ['apt-mark hold kata-containers-image'],
  ],
  [
    'both come, and do not fit',
    incomingRuntime('3.5.0', declares),
    incomingImage('1.0.0'),
    ['apt-mark hold kata-runtime kata-containers-image'],
  ],
  [
    'a name is one word of the shell',
    incomingRuntime('3.5.0', declares, { name: 'kata; reboot' }),
    image('1.0.0', { package: null }),
    ["apt-mark hold 'kata; reboot'"],
  ],
];

for (const [rule, one, other, expected] of commands) {
  test(`commands for apt: ${rule}`, () => {
    const [finding] = judge(stateOf([one], [other], { manager: 'apt' }), usualPolicy).findings;
    assert.equal(finding?.remedy.commands, expected);
    assert.equal(judge(stateOf([one], [other]), usualPolicy).findings[0]?.remedy.commands, []);
  });
}
