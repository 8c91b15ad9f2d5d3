import * as assert from 'uvu/assert';
import { configurationOf } from '../../../src/locate/engines/wrappers.ts';
import { suite } from '../../suite.ts';

const test = suite('wrapper scripts');

const rows: readonly [rule: string, script: string | undefined, configuration: string | undefined][] = [
  ['no script', undefined, undefined],
  ['no configuration', '#!/bin/sh\nexec kata-runtime "$@"\n', undefined],
  ['in the environment', '#!/bin/sh\nKATA_CONF_FILE=/k.toml kata-runtime "$@"\n', '/k.toml'],
  ['in quotes', '#!/bin/sh\nexport KATA_CONF_FILE="/k.toml"\nkata-runtime\n', '/k.toml'],
  ['as an argument', '#!/bin/sh\nkata-runtime --kata-config "/k.toml" "$@"\n', '/k.toml'],
  ['as an argument with =', "#!/bin/sh\nkata-runtime --kata-config='/k.toml'\n", '/k.toml'],
  ['as an argument with =, without quotes', '#!/bin/sh\nkata-runtime --kata-config=/k.toml\n', '/k.toml'],
  ['the name of another variable', '#!/bin/sh\nMY_KATA_CONF_FILE=/k.toml\n', undefined],
];

for (const [rule, script, configuration] of rows) {
  test(rule, () => assert.is(configurationOf(script), configuration));
}
