/**
 * What the commands that judge say of the configuration. Not in command.ts, as all commands would have to wait for the configuration's parts.
 */

import { describeConfig } from '../config.ts';
import type { Loaded } from '../defaults.ts';
import { printable } from '../report/printable.ts';
import type { Context } from './command.ts';

/** Says on standard error where the values come from, with --verbose, and what was not right about them. */
export function tell({ host, flags }: Context, { config, warnings }: Loaded, more: readonly string[]): void {
  if (flags.has('verbose'))
    for (const line of describeConfig(config)) host.write(2, `kata-check: ${printable(line)}\n`);
  if (flags.has('quiet')) return;
  for (const warning of [...warnings, ...more]) host.write(2, `kata-check: warning: ${printable(warning)}\n`);
}
