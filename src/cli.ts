/**
 * The command line: strict arguments, dispatch, and the only place that ends the program.
 */

import {
  type Command,
  type Context,
  type Extras,
  exitStatus,
  isColored,
  type Option,
  type Options,
  type Parsed,
} from './commands/command.ts';
import { commands, main } from './commands/table.ts';
import { Problem, Usage } from './errors.ts';
import type { Host } from './host/host.ts';
import { programVersion } from './report/circumstances.ts';
import { printable } from './report/printable.ts';

/** Throws Usage for everything that is not exactly as declared. */
async function strictArguments(rawArguments: readonly string[], options: Options): Promise<Parsed> {
  const values = new Map<string, string[]>();
  const flags = new Set<string>();
  const positionals: string[] = [];
  const pending = [...rawArguments];
  for (let argument = pending.shift(); argument !== undefined; argument = pending.shift()) {
    if (argument === '--') {
      positionals.push(...pending);
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      positionals.push(argument);
      continue;
    }
    const { written, name, option, attached } = optionIn(argument, options);
    if (option === undefined) {
      const { suggestion } = await import('./commands/suggestion.ts');
      throw new Usage(`unknown option ${written}${suggestion(written, optionNames(options))}`);
    }
    if (option.type === 'boolean') {
      if (attached !== undefined) throw new Usage(`${written} takes no value`);
      flags.add(name);
      continue;
    }
    const value = attached ?? pending.shift();
    if (value === undefined || value === '') throw new Usage(`${written} needs a value`);
    if (attached === undefined && value.startsWith('-'))
      throw new Usage(`${written} needs a value, and ${value} is an option`);
    if (option.values !== undefined && !option.values.includes(value)) {
      throw new Usage(`${written} is one of ${option.values.join(', ')}, not ${value}`);
    }
    const known = values.get(name);
    if (known !== undefined && option.isRepeatable !== true) throw new Usage(`${written} is given twice`);
    values.set(name, [...(known ?? []), value]);
  }
  return { values, flags, positionals };
}

interface WrittenOption {
  readonly written: string;
  readonly name: string;
  /** Undefined for one that is not declared. */
  readonly option: Option | undefined;
  /** What stands behind an equals sign. */
  readonly attached: string | undefined;
}

function optionIn(argument: string, options: Options): WrittenOption {
  const equals = argument.indexOf('=');
  const written = equals === -1 ? argument : argument.slice(0, equals);
  const name = written.startsWith('--')
    ? written.slice(2)
    : (Object.keys(options).find((key) => `-${options[key]?.alias}` === written) ?? '');
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  return { written, name, option, attached: equals === -1 ? undefined : argument.slice(equals + 1) };
}

function optionNames(options: Options): string[] {
  return Object.keys(options).map((name) => `--${name}`);
}

/**
 * The command is the first argument that is neither an option nor the value of one. Which options take a value is the same for all
 * commands, so that this can be told before the command is known.
 */
function dispatched(rawArguments: readonly string[]): { command: Command; rest: readonly string[] } {
  const options = Object.assign({}, ...[main, ...commands].map((command) => command.options)) as Options;
  for (let at = 0; at < rawArguments.length; at += 1) {
    const argument = rawArguments[at] ?? '';
    if (argument === '--') break;
    if (argument.startsWith('-') && argument !== '-') {
      const { option, attached } = optionIn(argument, options);
      if (option?.type === 'string' && attached === undefined) at += 1;
      continue;
    }
    const command = commands.find(({ name }) => name === argument);
    if (command === undefined) break;
    return { command, rest: rawArguments.toSpliced(at, 1) };
  }
  return { command: main, rest: rawArguments };
}

/** Runs the program and ends it. */
export async function cli(host: Host, extras: Extras = {}): Promise<never> {
  return host.exit(await statusOf(host, extras));
}

async function statusOf(host: Host, extras: Extras): Promise<number> {
  const { command, rest } = dispatched(host.arguments);
  try {
    const parsed = await strictArguments(rest, command.options);
    return await answered(command, { host, extras, commands: [main, ...commands], ...parsed });
  } catch (error) {
    return isPlugin(rest) ? failedPlugin(host, error) : failed(host, command, error);
  }
}

/** Whatever else is wrong with the arguments, a monitoring plugin has its own statuses, and its text on the standard output. */
function isPlugin(rawArguments: readonly string[]): boolean {
  return rawArguments.some(
    (argument, at) => argument === '--format=nagios' || (argument === 'nagios' && rawArguments[at - 1] === '--format'),
  );
}

async function failedPlugin(host: Host, error: unknown): Promise<number> {
  const { pluginLine } = await import('./report/nagios.ts');
  const { text, status } = pluginLine('unknown', messageOf(error));
  host.write(1, text);
  return status;
}

async function answered(command: Command, context: Context): Promise<number> {
  const { host, flags } = context;
  if (flags.has('help')) {
    const { usageText } = await import('./commands/usage.ts');
    const others = command === main ? commands : [];
    host.write(1, await usageText(command, others, programVersion, isColored(host, context, 1)));
    return exitStatus.goAhead;
  }
  if (flags.has('version')) {
    host.write(1, `kata-check ${programVersion}\n`);
    return exitStatus.goAhead;
  }
  const { run } = await command.load();
  return run(context);
}

/** Says what went wrong, and returns the status for it. */
function failed(host: Host, { name, positional }: Command, error: unknown): number {
  if (error instanceof Usage) {
    const written = `kata-check ${name}`.trimEnd();
    const usage = `usage: ${written} [OPTIONS] ${positional}   (${written} --help)`;
    host.write(2, `kata-check: ${printable(error.message)}\n${usage}\n`);
    return exitStatus.usage;
  }
  host.write(2, `kata-check: ${printable(messageOf(error))}\n`);
  if (!(error instanceof Problem) && error instanceof Error && host.environment('KATA_CHECK_DEBUG') === '1')
    host.write(2, `${error.stack ?? ''}\n`);
  return exitStatus.failure;
}

function messageOf(error: unknown): string {
  if (error instanceof Problem) return error.message;
  return `internal error: ${error instanceof Error ? error.message : String(error)}`;
}
