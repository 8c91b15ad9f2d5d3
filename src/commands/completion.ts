/**
 * `kata-check completion SHELL`: a completion script, made from the table of commands.
 */

import { Usage } from '../errors.ts';
import { hookNames } from '../hooks/names.ts';
import { codes } from '../judge/findings.ts';
import { type CompletedCommand, completionScript } from '../report/completion.ts';
import { type Command, type Context, exitStatus, type Option, shells } from './command.ts';

/** What the arguments that are no options may be, where they are no files. */
const words: Readonly<Record<string, readonly string[]>> = { hook: hookNames, explain: codes, completion: shells };

export async function run({ host, positionals, commands }: Context): Promise<number> {
  const [name, ...rest] = positionals;
  const shell = shells.find((known) => known === name);
  if (shell === undefined || rest.length > 0) throw new Usage(`which shell? one of ${shells.join(', ')}`);
  host.write(1, completionScript(shell, commands.map(completed)));
  return exitStatus.goAhead;
}

function completed({ name, description, options }: Command): CompletedCommand {
  return {
    name,
    description,
    positional: words[name] ?? 'file',
    options: Object.entries(options).map(([option, declared]) => ({
      name: option,
      description: declared.description ?? '',
      value: takenBy(option, declared),
    })),
  };
}

function takenBy(name: string, { type, values, valueHint }: Option): readonly string[] | 'file' | 'text' | null {
  if (type === 'boolean') return null;
  if (values !== undefined) return values;
  if (name === 'allow') return codes;
  return valueHint === 'VERSION' || valueHint === 'RANGE' ? 'text' : 'file';
}
