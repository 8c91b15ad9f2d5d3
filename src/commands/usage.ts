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
  // citty aligns the options to the right, where a mistyped one is hard to find.
  const aligned = text.replace(/^ {2}( *)((?:\u001b\[[0-9]+m)?-.*?)(?= {2})/gm, '  $2$1');
  const { details = [] } = command;
  const list = others.map(
    ({ name, positional, description }) => `  ${`kata-check ${name} ${positional}`.padEnd(37)}${description}`,
  );
  const parts = [
    (color ? aligned : aligned.replace(/\u001b\[[0-9;]*m/g, '')).replace(/ +$/gm, '').trimEnd(),
    ...(details.length > 0 ? ['ARGUMENTS', details.map((line) => `  ${line}`).join('\n')] : []),
    ...(list.length > 0 ? ['COMMANDS', list.join('\n')] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}
