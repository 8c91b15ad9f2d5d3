/** The real dnf 5 in a Debian sid, with the real package of kata-check. */

import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';
import { Dnf, testDnf } from './dnf-both.ts';
import { needs, ownRpms, RpmNode } from './rpm-node.ts';

const test = suite('dnf 5 of Debian sid');
const actions = '/etc/dnf/libdnf5-plugins/actions.d/kata-check.actions';
let made: RpmNode | Error | undefined;

function node(): RpmNode {
  if (made === undefined) {
    made = new Error('no node could be made: see the first test');
    const fresh = new RpmNode('sid', 'dnf5', ['dnf5']);
    fresh.write('/etc/dnf/dnf.conf', '[main]\ngpgcheck=0\npkg_gpgcheck=0\nlocalpkg_gpgcheck=0\n');
    fresh.write('/etc/yum.repos.d/lab.repo', '[lab]\nname=lab\nbaseurl=file:///repository\n');
    // Else it takes the packages of earlier transactions for a repository of its own.
    fresh.write('/etc/dnf/libdnf5-plugins/local.conf', '[main]\nname = local\nenabled = false\n');
    made = fresh;
  }
  if (made instanceof Error) throw made;
  // The one of dnf 4 is for another Python.
  made.reset(ownRpms().filter((name) => name.startsWith('kata-check')));
  return made;
}

const itsLine = /kata-check\.actions" on line [0-9]+: Action calls for stop: kata-check: \[KC101\] /;
const dnf = new Dnf('dnf5', node, itsLine);

testDnf(test, dnf, {
  said: [
    /installed {3}agent 1\.0\.0\s+\S*kata-containers\.img/,
    // Out of the package, as dnf 5 tells none of it.
    /agent >=1\.1\.0 <1\.2\.0\s+\(kata-agent-requires\s+in\s+the\s+package\)/,
    /dnf5 install kata-runtime kata-containers-image/,
    /override {4}dnf5 --setvar=kata_check_allow=KC101 .*upgrade/,
  ],
  overrides: [
    [['--setvar=kata_check_allow=KC101'], {}, true],
    [['--setvar=kata_check=warn'], {}, true],
    [['--setvar=kata_check=off'], {}, false],
    [[], { KATA_CHECK_ALLOW: 'KC101' }, true],
    [[], { KATA_CHECK_MODE: 'off' }, false],
  ],
  rootOptions: ['--use-host-config'],
  own: ['kata-check'],
});

test(
  'no status stops dnf 5, and a program that hangs is ended',
  () => {
    for (const script of ['exit 10', 'exit 11']) {
      const where = node();
      where.replaceProgram(script);
      assert.is(dnf.run(where, ['upgrade', 'kata-runtime-1.1.0']).status, 0);
    }
    const where = node();
    const text = readFileSync(where.path(actions), 'utf8');
    where.write(actions, text.replace('timeout -k 5 60', 'timeout -k 1 1'));
    where.replaceProgram('if test "$2" = dnf5; then trap "" TERM; while :; do sleep 0.2; done; fi');
    const { status, output } = dnf.run(where, ['upgrade', 'kata-runtime-1.1.0']);
    assert.is(status, 0, output);
    where.has('kata-runtime-1.1.0');
    where.write(actions, text);
  },
  { needs, timeout: 300 },
);
