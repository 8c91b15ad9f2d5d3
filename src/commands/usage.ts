/**
 * The text of --help. This is what citty does here: it lays out a command's usage from the same declaration that the arguments are
 * checked against (src/cli.ts). It parses nothing and runs nothing, as it would take an unknown option, a missing value or an option
 * as a value without a word, and it is loaded only when somebody asks for help.
 */

import { type ArgsDef, defineCommand, renderUsage } from 'citty';
import type { Command } from './command.ts';

/** `others`: the commands to list below. */
export async function usageText(
  command: Command,
  others: readonly Command[],
  version: string,
  color: boolean,
): Promise<string> {
  const definition = defineCommand({
    meta: { name: `kata-check ${command.name}`.trimEnd(), description: command.description, version },
    args: command.options as ArgsDef,
  });
  // The arguments that are no options: citty would have them declared one by one.
  const text = (await renderUsage(definition)).replace(/(\[OPTIONS\]) */, `$1 ${command.positional}`);
  const list = others.map(
    ({ name, positional, description }) => `  ${`kata-check ${name} ${positional}`.padEnd(36)}${description}`,
  );
  const plain = color ? text : text.replace(/\u001b\[[0-9;]*m/g, '');
  return `${[plain.replace(/ +$/gm, '').trimEnd(), ...(list.length > 0 ? ['', 'COMMANDS', '', ...list] : [])].join('\n')}\n`;
}
